// Extents of a tensor, axes, numbers and the element types; and the line of source code that an error names.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <limits>
#include <span>
#include <string>
#include <type_traits>

/// `= delete`, and why. Compilers that cannot say the reason yet (it is C++26) show the line that has it.
#if defined(__cpp_deleted_function)
#define GRADTAPE_DELETED(why) = delete(why)
#else
#define GRADTAPE_DELETED(why) = delete
#endif

namespace gradtape {

/// A line of source code. `Where::here()` as a default argument names the caller's line.
struct Where {
    const char* file = nullptr;
    unsigned line = 0;

    static constexpr Where here(const char* file = __builtin_FILE(), unsigned line = __builtin_LINE()) {
        return {file, line};
    }
};

/// "model.cpp:41"; empty where no line is known.
std::string to_string(Where where);

/// What C++ counts and computes with: integers of every size, floating numbers, unscoped enumerators; no characters.
template <class T>
concept Arithmetic =
    (std::is_arithmetic_v<T> && !std::is_same_v<T, char> && !std::is_same_v<T, wchar_t> && !std::is_same_v<T, char8_t> &&
     !std::is_same_v<T, char16_t> && !std::is_same_v<T, char32_t>) ||
    (std::is_enum_v<T> && std::is_convertible_v<T, std::int64_t>);

/// A number of any arithmetic type. Integers stay exact, where std::int64_t holds them.
class Number {
public:
    template <Arithmetic T>
    constexpr Number(T value) noexcept : value_(double(value)) {
        if constexpr (!std::is_floating_point_v<T>) {
            whole_ = !std::is_unsigned_v<T> || std::uint64_t(value) <= std::uint64_t(std::numeric_limits<std::int64_t>::max());
            integer_ = whole_ ? std::int64_t(value) : 0;
        }
    }
    constexpr double value() const noexcept { return value_; }
    /// True where it was given as an integer, which `integer` is.
    constexpr bool whole() const noexcept { return whole_; }
    constexpr std::int64_t integer() const noexcept { return integer_; }

private:
    double value_;
    std::int64_t integer_ = 0;
    bool whole_ = false;
};

/// One axis of a tensor: an integer, counted from the end where it is negative.
class Axis {
public:
    template <std::integral Integer>
    constexpr Axis(Integer axis) noexcept : value_(std::int64_t(axis)) {}
    constexpr std::int64_t value() const noexcept { return value_; }

    Axis(bool) GRADTAPE_DELETED("an axis is an integer; keepdims comes after the axes: sum(x, {}, true)");
    template <std::floating_point Real>
    Axis(Real) GRADTAPE_DELETED("an axis is an integer; of two numbers the larger is maximum(x, y), the smaller minimum(x, y)");

private:
    std::int64_t value_;
};

/// Element types. `boolean` is stored as one byte, 0 or 1.
enum class DType : std::uint8_t { float32, float64, int64, boolean };

const char* to_string(DType dtype) noexcept;
constexpr std::size_t size_of(DType dtype) noexcept {
    return dtype == DType::boolean ? 1 : dtype == DType::float32 ? 4 : 8;
}
constexpr bool is_floating(DType dtype) noexcept {
    return dtype == DType::float32 || dtype == DType::float64;
}

template <class T>
struct dtype_of_t {
    static_assert(sizeof(T) == 0, "the elements of a tensor are float, double, std::int64_t or bool");
    static constexpr DType value = DType::float64;
};
template <>
struct dtype_of_t<float> {
    static constexpr DType value = DType::float32;
};
template <>
struct dtype_of_t<double> {
    static constexpr DType value = DType::float64;
};
template <>
struct dtype_of_t<std::int64_t> {
    static constexpr DType value = DType::int64;
};
template <>
struct dtype_of_t<bool> {
    static constexpr DType value = DType::boolean;
};
/// The tag of a C++ element type: `dtype_of<double> == DType::float64`.
template <class T>
inline constexpr DType dtype_of = dtype_of_t<T>::value;

/// A short list of integers, stored in place: the extents of a tensor, or axes, or steps.
/// A tensor has at most `Shape::max_rank` axes.
class Shape {
public:
    static constexpr std::size_t max_rank = 8;

    /// An index, and the line that asks.
    struct At {
        template <std::integral Integer>
        constexpr At(Integer i, Where asked = Where::here()) noexcept : index(std::size_t(i)), where(asked) {}
        std::size_t index;
        Where where;
    };

    constexpr Shape() = default;
    constexpr Shape(std::initializer_list<std::int64_t> extents, Where where = Where::here()) {
        for (auto e : extents) push_back(e, where);
    }
    explicit Shape(std::span<const std::int64_t> extents, Where where = Where::here()) {
        for (auto e : extents) push_back(e, where);
    }

    constexpr std::size_t rank() const noexcept { return rank_; }
    constexpr std::size_t size() const noexcept { return rank_; }
    constexpr bool empty() const noexcept { return rank_ == 0; }
    /// ShapeError where there is no such extent.
    constexpr std::int64_t operator[](At i) const {
        if (i.index >= rank_) [[unlikely]] out_of_range(i.index, rank_, i.where);
        return extents_[i.index];
    }
    constexpr std::int64_t& operator[](At i) {
        if (i.index >= rank_) [[unlikely]] out_of_range(i.index, rank_, i.where);
        return extents_[i.index];
    }
    constexpr std::int64_t back(Where where = Where::here()) const { return (*this)[At(std::size_t(rank_) - 1, where)]; }
    constexpr const std::int64_t* begin() const noexcept { return extents_; }
    constexpr const std::int64_t* end() const noexcept { return extents_ + rank_; }

    /// Number of elements: the product of the extents, 1 for a scalar. A tensor or node has at most 2^40 of them, an extent
    /// of 0 counted as 1; of larger shapes, which no value has, it is the product modulo 2^64.
    constexpr std::int64_t elements() const noexcept {
        std::uint64_t n = 1;
        for (std::size_t i = 0; i < rank_; ++i) n *= std::uint64_t(extents_[i]);
        return std::int64_t(n);
    }

    constexpr void push_back(std::int64_t extent, Where where = Where::here()) {
        if (rank_ == max_rank) too_many_axes(where);
        extents_[rank_++] = extent;
    }
    constexpr void pop_back(Where where = Where::here()) {
        if (rank_ == 0) [[unlikely]] out_of_range(0, rank_, where);
        --rank_;
    }

    friend constexpr bool operator==(const Shape& a, const Shape& b) noexcept {
        if (a.rank_ != b.rank_) return false;
        for (std::size_t i = 0; i < a.rank_; ++i)
            if (a.extents_[i] != b.extents_[i]) return false;
        return true;
    }

private:
    [[noreturn]] static void too_many_axes(Where where);
    [[noreturn]] static void out_of_range(std::size_t i, std::size_t rank, Where where);

    std::int64_t extents_[max_rank] = {};
    std::uint8_t rank_ = 0;
};

/// "(2, 3)", "(3,)", "()": as NumPy prints it.
std::string to_string(const Shape& shape);

/// Shape and element type of a value.
struct Type {
    DType dtype = DType::float64;
    Shape shape;
    friend bool operator==(const Type&, const Type&) = default;
};

/// "float64(2, 3)".
std::string to_string(const Type& type);

/// What streams print by its to_string.
template <class T>
inline constexpr bool prints = false;
template <>
inline constexpr bool prints<DType> = true;
template <>
inline constexpr bool prints<Shape> = true;
template <>
inline constexpr bool prints<Type> = true;
template <>
inline constexpr bool prints<Where> = true;

namespace detail {
/// What a stream prints: of what cannot be used a word, since `<<` has no line to blame.
template <class T>
std::string printed(const T& x) {
    return to_string(x);
}
}  // namespace detail

/// `std::cout << x.shape()`; include <ostream> to use it.
template <class Traits, class T>
    requires prints<T>
std::basic_ostream<char, Traits>& operator<<(std::basic_ostream<char, Traits>& out, const T& x) {
    return out << detail::printed(x);
}

}  // namespace gradtape

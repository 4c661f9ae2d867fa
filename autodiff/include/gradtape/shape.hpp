// Extents of a tensor, and the element types.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>

namespace gradtape {

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
struct dtype_of_t;
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

    constexpr Shape() = default;
    constexpr Shape(std::initializer_list<std::int64_t> extents) {
        for (auto e : extents) push_back(e);
    }
    explicit Shape(std::span<const std::int64_t> extents) {
        for (auto e : extents) push_back(e);
    }

    constexpr std::size_t rank() const noexcept { return rank_; }
    constexpr std::size_t size() const noexcept { return rank_; }
    constexpr bool empty() const noexcept { return rank_ == 0; }
    /// ShapeError where there is no such extent.
    constexpr std::int64_t operator[](std::size_t i) const {
        if (i >= rank_) [[unlikely]] out_of_range(i, rank_);
        return extents_[i];
    }
    constexpr std::int64_t& operator[](std::size_t i) {
        if (i >= rank_) [[unlikely]] out_of_range(i, rank_);
        return extents_[i];
    }
    constexpr std::int64_t back() const { return (*this)[std::size_t(rank_) - 1]; }
    constexpr const std::int64_t* begin() const noexcept { return extents_; }
    constexpr const std::int64_t* end() const noexcept { return extents_ + rank_; }

    /// Number of elements: the product of the extents, 1 for a scalar. A tensor or node has at most 2^40 of them, an extent
    /// of 0 counted as 1; of larger shapes, which no value has, it is the product modulo 2^64.
    constexpr std::int64_t elements() const noexcept {
        std::uint64_t n = 1;
        for (std::size_t i = 0; i < rank_; ++i) n *= std::uint64_t(extents_[i]);
        return std::int64_t(n);
    }

    constexpr void push_back(std::int64_t extent) {
        if (rank_ == max_rank) too_many_axes();
        extents_[rank_++] = extent;
    }
    constexpr void pop_back() {
        if (rank_ == 0) [[unlikely]] out_of_range(0, rank_);
        --rank_;
    }

    friend constexpr bool operator==(const Shape& a, const Shape& b) noexcept {
        if (a.rank_ != b.rank_) return false;
        for (std::size_t i = 0; i < a.rank_; ++i)
            if (a.extents_[i] != b.extents_[i]) return false;
        return true;
    }

private:
    [[noreturn]] static void too_many_axes();
    [[noreturn]] static void out_of_range(std::size_t i, std::size_t rank);

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

}  // namespace gradtape

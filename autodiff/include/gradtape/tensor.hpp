// A tensor value: immutable, row-major, contiguous, cheap to copy.
#pragma once

#include <gradtape/shape.hpp>

#include <memory>
#include <utility>

namespace gradtape {

/// How another library's arrays become tensors; xtensor.hpp specialises it.
template <class Source>
struct TensorSource;

template <class Source>
concept ConvertibleToTensor = requires(const Source& source) { TensorSource<Source>::convert(source, Where()); };

namespace detail {
/// C++ types that tensors are made of, and what their elements become: integers int64, the others themselves.
template <class T>
concept Element = Arithmetic<T> && !std::is_enum_v<T> && !std::is_same_v<T, long double>;
template <class T>
using ElementOf = std::conditional_t<std::is_integral_v<T> && !std::is_same_v<T, bool>, std::int64_t, T>;
/// What a single number becomes: a literal like 1 is meant as 1.0.
template <class T>
using ScalarOf =
    std::conditional_t<Element<T> && (sizeof(T) == 8 || std::is_floating_point_v<T> || std::is_same_v<T, bool>), T, double>;

/// `value` as an element; an unsigned integer that no int64 is, is refused.
template <class T>
ElementOf<T> element(T value, Where where);
[[noreturn]] void refuse_element(std::uint64_t value, Where where);
}  // namespace detail

/// An element of a flat list. It makes `{{1}, {2}}` a column: of the two readings, the nested list is the closer match.
struct ListElement {
    template <Arithmetic T>
    constexpr ListElement(T number) : value(double(number)) {}
    double value;
};

/// An n-dimensional array of one dtype: row-major, contiguous, and immutable once it is shared.
/// Copies share the storage. Storage is 64-byte aligned and padded to whole 64-byte blocks, so
/// kernels may read and write full SIMD registers past the last element.
class Tensor {
public:
    /// The scalar 0.0 (float64, shape ()).
    Tensor();
    /// A scalar, shape (): float gives float32, bool boolean, integers of 64 bits int64, other numbers float64.
    /// ValueError where an unsigned integer is beyond int64.
    template <Arithmetic T>
    Tensor(T value, Where where = Where::here());
    /// Nested lists of float64: `Tensor{{1, 2}, {3, 4}}` has shape (2, 2). Rows of unequal length throw ShapeError.
    Tensor(std::initializer_list<ListElement> row, Where where = Where::here());
    Tensor(std::initializer_list<std::initializer_list<double>> rows, Where where = Where::here());
    Tensor(std::initializer_list<std::initializer_list<std::initializer_list<double>>> planes,
           Where where = Where::here());
    /// An xtensor container, adaptor or expression (needs <gradtape/xtensor.hpp>).
    template <ConvertibleToTensor Source>
    Tensor(const Source& source, Where where = Where::here()) : Tensor(TensorSource<Source>::convert(source, where)) {}
    Tensor(const Tensor&) = default;
    Tensor& operator=(const Tensor&) = default;
    /// A tensor that was moved from has no elements any more: TapeError where they are asked for.
    Tensor(Tensor&& other) noexcept
        : type_(other.type_), owner_(std::move(other.owner_)), data_(std::exchange(other.data_, nullptr)) {}
    Tensor& operator=(Tensor&& other) noexcept {
        type_ = other.type_;
        owner_ = std::move(other.owner_);
        data_ = std::exchange(other.data_, nullptr);
        return *this;
    }

    /// `elements` in row-major order, of any range: vector, array, span, list. float gives float32, double float64, bool
    /// boolean, integers int64. ShapeError where they do not fill the shape, ValueError where one is beyond int64.
    template <std::ranges::sized_range Elements>
    static Tensor from(const Elements& elements, const Shape& shape, Where where = Where::here());
    template <class T>
    static Tensor from(std::initializer_list<T> elements, const Shape& shape, Where where = Where::here()) {
        return from(std::span<const T>(elements.begin(), elements.size()), shape, where);
    }
    /// The same with T named: what converts to a span of it.
    template <class T>
    static Tensor from(std::span<const T> elements, const Shape& shape, Where where = Where::here());
    /// Every element `value`. DTypeError where it is none of the dtype: 0.5 of int64, 1e300 of float32.
    static Tensor full(const Shape& shape, Number value, DType dtype = DType::float64, Where where = Where::here());
    static Tensor zeros(const Shape& shape, DType dtype = DType::float64, Where where = Where::here()) {
        return full(shape, 0, dtype, where);
    }
    /// Elements not set; to be filled through `mutable_data` before the tensor is shared.
    static Tensor uninitialised(const Type& type, Where where = Where::here());
    /// Memory owned elsewhere: `owner` keeps it alive. It must be aligned and padded as the class says. It is only read.
    static Tensor adopt(const Type& type, std::shared_ptr<const void> owner, const void* data,
                        Where where = Where::here());

    const Type& type() const noexcept { return type_; }
    DType dtype() const noexcept { return type_.dtype; }
    const Shape& shape() const noexcept { return type_.shape; }
    /// One extent, of an axis counted from the end where negative. ShapeError where there is no such axis.
    std::int64_t shape(Axis axis, Where where = Where::here()) const;
    std::int64_t elements() const noexcept { return type_.shape.elements(); }
    std::size_t bytes() const noexcept { return std::size_t(elements()) * size_of(dtype()); }

    /// Null where the tensor was moved from.
    const void* raw() const noexcept { return data_; }
    /// The elements in row-major order; DTypeError where T is not the tensor's type.
    template <class T>
    std::span<const T> data(Where where = Where::here()) const&;
    template <class T>
    std::span<const T> data(Where where = Where::here()) const&& { return static_cast<const Tensor&>(*this).data<T>(where); }  // of a node's value, say
    template <class T>
    std::span<const T> data(Where = Where::here()) && = delete;  // this tensor is a temporary, and takes its elements with it: give it a name
    /// The elements for writing; ValueError where another tensor shares the storage.
    template <class T>
    std::span<T> mutable_data(Where where = Where::here()) &;
    template <class T>
    std::span<T> mutable_data(Where = Where::here()) && = delete;  // this tensor is a temporary, and takes its elements with it: give it a name
    /// True where the storage is this tensor's alone: not shared with another tensor or a tape, nor adopted.
    bool unique() const noexcept { return owner_.use_count() == 1 && owner_.get() == data_; }
    const std::shared_ptr<const void>& owner() const noexcept { return owner_; }

    /// The only element, as double; ShapeError where there is not exactly one.
    double item(Where where = Where::here()) const;
    /// A copy of another dtype; the same tensor where the dtype is the same already.
    Tensor as(DType dtype, Where where = Where::here()) const;
    /// The same elements in storage of their own: to be written, or kept while others write.
    Tensor copy(Where where = Where::here()) const;

private:
    Tensor(const Type& type, std::shared_ptr<const void> owner, const void* data);
    /// Elements not set, as many as `count` says, or refused.
    static Tensor to_fill(const Type& type, std::size_t count, Where where);
    void require(DType dtype, Where where) const;
    void require_unique(Where where) const;
    void require_elements(Where where) const;

    Type type_;
    std::shared_ptr<const void> owner_;
    const void* data_ = nullptr;
};

/// True where dtype, shape and every bit of every element are the same (NaN equals the same NaN, 0 differs from -0).
/// TapeError where one was moved from.
bool same_bits(const Tensor& a, const Tensor& b, Where where = Where::here());

/// "float64(2, 2) [[1, 2], [3, 4]]", shortened in the middle where long. TapeError where it was moved from; `<<` says so.
std::string to_string(const Tensor& tensor, Where where = Where::here());

template <>
inline constexpr bool prints<Tensor> = true;
template <>
std::string detail::printed(const Tensor& tensor);

template <class T>
std::span<const T> Tensor::data(Where where) const& {
    require(dtype_of<T>, where);
    return {static_cast<const T*>(data_), std::size_t(elements())};
}

template <class T>
std::span<T> Tensor::mutable_data(Where where) & {
    require(dtype_of<T>, where);
    require_unique(where);
    return {static_cast<T*>(const_cast<void*>(data_)), std::size_t(elements())};
}

template <Arithmetic T>
Tensor::Tensor(T value, Where where) : Tensor(from({detail::ScalarOf<T>(value)}, {}, where)) {}

template <class T>
detail::ElementOf<T> detail::element(T value, Where where) {
    if constexpr (std::is_unsigned_v<T> && sizeof(T) == 8)
        if (value > T(std::numeric_limits<std::int64_t>::max())) refuse_element(value, where);
    return ElementOf<T>(value);
}

template <std::ranges::sized_range Elements>
Tensor Tensor::from(const Elements& elements, const Shape& shape, Where where) {
    using T = std::ranges::range_value_t<const Elements>;
    if constexpr (detail::Element<T>) {
        using E = detail::ElementOf<T>;
        Tensor result = to_fill({dtype_of<E>, shape}, std::size_t(std::ranges::size(elements)), where);
        E* out = static_cast<E*>(const_cast<void*>(result.data_));
        for (const T value : elements) *out++ = detail::element<T>(value, where);
        return result;
    } else {
        static_assert(sizeof(T) == 0, "Tensor::from takes elements of float, double, bool or an integer type");
        return {};
    }
}

template <class T>
Tensor Tensor::from(std::span<const T> elements, const Shape& shape, Where where) {
    return from<std::span<const T>>(elements, shape, where);
}

}  // namespace gradtape

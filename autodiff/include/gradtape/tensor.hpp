// A tensor value: immutable, row-major, contiguous, cheap to copy.
#pragma once

#include <gradtape/shape.hpp>

#include <concepts>
#include <memory>
#include <type_traits>
#include <utility>

namespace gradtape {

/// How another library's arrays become tensors; xtensor.hpp specialises it.
template <class Source>
struct TensorSource;

template <class Source>
concept ConvertibleToTensor = requires(const Source& source) { TensorSource<Source>::convert(source); };

/// An element of a flat list. It makes `{{1}, {2}}` a column: of the two readings, the nested list is the closer match.
struct ListElement {
    template <class Number>
        requires std::is_arithmetic_v<Number>
    constexpr ListElement(Number number) : value(double(number)) {}
    double value;
};

/// An n-dimensional array of one dtype: row-major, contiguous, and immutable once it is shared.
/// Copies share the storage. Storage is 64-byte aligned and padded to whole 64-byte blocks, so
/// kernels may read and write full SIMD registers past the last element.
class Tensor {
public:
    /// The scalar 0.0 (float64, shape ()).
    Tensor();
    /// Scalars, shape ().
    Tensor(double value);
    Tensor(float value);
    Tensor(std::int64_t value);
    Tensor(int value) : Tensor(double(value)) {}
    Tensor(bool value);
    /// Nested lists of float64: `Tensor{{1, 2}, {3, 4}}` has shape (2, 2). Rows of unequal length throw ShapeError.
    Tensor(std::initializer_list<ListElement> row);
    Tensor(std::initializer_list<std::initializer_list<double>> rows);
    Tensor(std::initializer_list<std::initializer_list<std::initializer_list<double>>> planes);
    /// An xtensor container, adaptor or expression (needs <gradtape/xtensor.hpp>).
    template <ConvertibleToTensor Source>
    Tensor(const Source& source) : Tensor(TensorSource<Source>::convert(source)) {}
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

    /// `elements` in row-major order.
    template <class T>
    static Tensor from(std::span<const T> elements, const Shape& shape);
    /// Every element `value`, converted to `dtype`.
    static Tensor full(const Shape& shape, double value, DType dtype = DType::float64);
    static Tensor zeros(const Shape& shape, DType dtype = DType::float64) { return full(shape, 0.0, dtype); }
    /// Elements not set; to be filled through `mutable_data` before the tensor is shared.
    static Tensor uninitialised(const Type& type);
    /// Memory owned elsewhere: `owner` keeps it alive. It must be aligned and padded as the class says. It is only read.
    static Tensor adopt(const Type& type, std::shared_ptr<const void> owner, const void* data);

    const Type& type() const noexcept { return type_; }
    DType dtype() const noexcept { return type_.dtype; }
    const Shape& shape() const noexcept { return type_.shape; }
    std::int64_t elements() const noexcept { return type_.shape.elements(); }
    std::size_t bytes() const noexcept { return std::size_t(elements()) * size_of(dtype()); }

    /// Null where the tensor was moved from.
    const void* raw() const noexcept { return data_; }
    /// The elements in row-major order; DTypeError where T is not the tensor's type.
    template <class T>
    std::span<const T> data() const&;
    template <class T>
    std::span<const T> data() const&& { return static_cast<const Tensor&>(*this).data<T>(); }  // of a node's value, say
    template <class T>
    std::span<const T> data() && = delete;  // this tensor is a temporary, and takes its elements with it: give it a name
    /// The elements for writing; ValueError where another tensor shares the storage.
    template <class T>
    std::span<T> mutable_data() &;
    template <class T>
    std::span<T> mutable_data() && = delete;  // this tensor is a temporary, and takes its elements with it: give it a name
    /// True where the storage is this tensor's alone: not shared with another tensor or a tape, nor adopted.
    bool unique() const noexcept { return owner_.use_count() == 1 && owner_.get() == data_; }
    const std::shared_ptr<const void>& owner() const noexcept { return owner_; }

    /// The only element, as double; ShapeError where there is not exactly one.
    double item() const;
    /// A copy of another dtype; the same tensor where the dtype is the same already.
    Tensor as(DType dtype) const;

private:
    Tensor(const Type& type, std::shared_ptr<const void> owner, const void* data);
    void require(DType dtype) const;
    void require_elements() const;
    void require_unique() const;

    Type type_;
    std::shared_ptr<const void> owner_;
    const void* data_ = nullptr;
};

/// True where dtype, shape and every bit of every element are the same (NaN equals the same NaN, 0 differs from -0).
bool same_bits(const Tensor& a, const Tensor& b);

/// "float64(2, 2) [[1, 2], [3, 4]]", shortened in the middle where long.
std::string to_string(const Tensor& tensor);

template <class T>
std::span<const T> Tensor::data() const& {
    require(dtype_of<T>);
    return {static_cast<const T*>(data_), std::size_t(elements())};
}

template <class T>
std::span<T> Tensor::mutable_data() & {
    require(dtype_of<T>);
    require_unique();
    return {static_cast<T*>(const_cast<void*>(data_)), std::size_t(elements())};
}

extern template Tensor Tensor::from(std::span<const float>, const Shape&);
extern template Tensor Tensor::from(std::span<const double>, const Shape&);
extern template Tensor Tensor::from(std::span<const std::int64_t>, const Shape&);
extern template Tensor Tensor::from(std::span<const bool>, const Shape&);

}  // namespace gradtape

// Tensor values and their storage.
#include <gradtape/error.hpp>
#include <gradtape/tensor.hpp>

#include "support/convert.hpp"
#include "support/extents.hpp"

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <new>

namespace gradtape {

using detail::convert;

namespace {

constexpr std::size_t block = 64;

/// Memory for `bytes`, rounded up to whole 64-byte blocks and never empty, so kernels may touch full registers.
std::shared_ptr<void> allocate(std::size_t bytes) {
    const std::size_t size = (bytes + block) / block * block;
    void* memory = std::aligned_alloc(block, size);
    if (!memory) throw std::bad_alloc();
    // The padding is read by kernels (and ignored): give it a value.
    std::memset(static_cast<char*>(memory) + size - block, 0, block);
    return {memory, [](void* p) { std::free(p); }};
}

/// Bad input is refused before anything is allocated.
void check_type(const Type& type) { detail::check_exists(type.shape, "tensor", {}); }

/// Calls `body` with a value of the C++ type of `dtype`.
template <class Body>
decltype(auto) with_type(DType dtype, Body&& body) {
    switch (dtype) {
        case DType::float32: return body(float{});
        case DType::float64: return body(double{});
        case DType::int64: return body(std::int64_t{});
        default: return body(bool{});
    }
}

template <class T>
Tensor scalar(T value) {
    return Tensor::from<T>(std::span<const T>(&value, 1), {});
}

template <class Row>
void append_rows(std::vector<double>& elements, Shape& inner, bool& first, const Row& row, const Shape& shape) {
    if (!first && !(shape == inner))
        throw ShapeError("rows of unequal length in a nested list: " + to_string(inner) + " and " + to_string(shape),
                         {"tensor", {inner, shape}, {}, {}});
    inner = shape;
    first = false;
    elements.insert(elements.end(), row.begin(), row.end());
}

}  // namespace

Tensor::Tensor() : Tensor(0.0) {}
Tensor::Tensor(double value) : Tensor(scalar(value)) {}
Tensor::Tensor(float value) : Tensor(scalar(value)) {}
Tensor::Tensor(std::int64_t value) : Tensor(scalar(value)) {}
Tensor::Tensor(bool value) : Tensor(scalar(value)) {}

Tensor::Tensor(std::initializer_list<ListElement> row) : Tensor(0.0) {
    std::vector<double> elements;
    for (ListElement element : row) elements.push_back(element.value);
    *this = from<double>(elements, {std::int64_t(row.size())});
}

Tensor::Tensor(std::initializer_list<std::initializer_list<double>> rows) : Tensor(0.0) {
    std::vector<double> elements;
    Shape inner;
    bool first = true;
    for (const auto& row : rows) append_rows(elements, inner, first, row, {std::int64_t(row.size())});
    Shape shape{std::int64_t(rows.size())};
    for (auto extent : inner) shape.push_back(extent);
    *this = from<double>(elements, shape);
}

Tensor::Tensor(std::initializer_list<std::initializer_list<std::initializer_list<double>>> planes) : Tensor(0.0) {
    std::vector<double> elements;
    Shape inner;
    bool first = true;
    for (const auto& plane : planes) {
        const Tensor rows(plane);
        append_rows(elements, inner, first, rows.data<double>(), rows.shape());
    }
    Shape shape{std::int64_t(planes.size())};
    for (auto extent : inner) shape.push_back(extent);
    *this = from<double>(elements, shape);
}

Tensor Tensor::uninitialised(const Type& type) {
    check_type(type);
    auto memory = allocate(std::size_t(type.shape.elements()) * size_of(type.dtype));
    const void* data = memory.get();
    return adopt(type, std::move(memory), data);
}

Tensor Tensor::adopt(const Type& type, std::shared_ptr<const void> owner, const void* data) {
    check_type(type);
    if (reinterpret_cast<std::uintptr_t>(data) % block != 0)
        throw ValueError("memory to adopt must be aligned to 64 bytes", {"tensor", {type.shape}, {}, {}});
    return {type, std::move(owner), data};
}

Tensor::Tensor(const Type& type, std::shared_ptr<const void> owner, const void* data)
    : type_(type), owner_(std::move(owner)), data_(data) {}

template <class T>
Tensor Tensor::from(std::span<const T> elements, const Shape& shape) {
    const Type type{dtype_of<T>, shape};
    check_type(type);
    if (std::int64_t(elements.size()) != shape.elements())
        throw ShapeError(std::to_string(elements.size()) + " elements do not fill shape " + to_string(shape),
                         {"tensor", {shape}, {}, {}});
    Tensor result = uninitialised(type);
    std::copy(elements.begin(), elements.end(), result.mutable_data<T>().begin());
    return result;
}

template Tensor Tensor::from(std::span<const float>, const Shape&);
template Tensor Tensor::from(std::span<const double>, const Shape&);
template Tensor Tensor::from(std::span<const std::int64_t>, const Shape&);
template Tensor Tensor::from(std::span<const bool>, const Shape&);

Tensor Tensor::full(const Shape& shape, double value, DType dtype) {
    Tensor result = uninitialised({dtype, shape});
    with_type(dtype, [&]<class T>(T) {
        const auto elements = result.mutable_data<T>();
        std::fill(elements.begin(), elements.end(), convert<T>(value));
    });
    return result;
}

double Tensor::item() const {
    if (elements() != 1)
        throw ShapeError("needs a tensor of one element, not of shape " + to_string(shape()), {"item", {shape()}, {}, {}});
    return with_type(dtype(), [&]<class T>(T) { return double(data<T>()[0]); });
}

Tensor Tensor::as(DType dtype) const {
    require_elements();
    if (dtype == this->dtype()) return *this;
    Tensor result = uninitialised({dtype, shape()});
    with_type(this->dtype(), [&]<class From>(From) {
        with_type(dtype, [&]<class To>(To) {
            const auto source = data<From>();
            const auto target = result.mutable_data<To>();
            for (std::size_t i = 0; i < source.size(); ++i) target[i] = convert<To>(source[i]);
        });
    });
    return result;
}

void Tensor::require_elements() const {
    if (!data_) throw TapeError("this tensor has no elements: it was moved from, or never set", {"tensor", {}, {}, {}});
}

void Tensor::require(DType dtype) const {
    require_elements();
    if (dtype != this->dtype())
        throw DTypeError(std::string("elements are ") + to_string(this->dtype()) + ", asked for as " + to_string(dtype),
                         {"tensor", {shape()}, {}, {}});
}

void Tensor::require_unique() const {
    if (!unique())
        throw ValueError("the storage is shared or adopted, so it cannot be written; take a copy first", {"tensor", {shape()}, {}, {}});
    // Another thread may have shared it before: it has read what it reads before we write.
    std::atomic_thread_fence(std::memory_order_acquire);
}

bool same_bits(const Tensor& a, const Tensor& b) {
    if (!a.raw() || !b.raw())
        throw TapeError("a tensor has no elements: it was moved from, or never set", {"same_bits", {}, {}, {}});
    return a.type() == b.type() && (a.bytes() == 0 || std::memcmp(a.raw(), b.raw(), a.bytes()) == 0);
}

}  // namespace gradtape

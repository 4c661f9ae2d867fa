// Tensor values and their storage.
#include <gradtape/error.hpp>
#include <gradtape/tensor.hpp>

#include "support/axis.hpp"
#include "support/convert.hpp"
#include "support/extents.hpp"
#include "support/number.hpp"

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
void check_type(const Type& type, Where where) { detail::check_exists(type, "tensor", where); }

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

template <class Row>
void append_rows(std::vector<double>& elements, Shape& inner, bool& first, const Row& row, const Shape& shape,
                 Where where) {
    if (!first && !(shape == inner))
        throw ShapeError("rows of unequal length in a nested list: " + to_string(inner) + " and " + to_string(shape),
                         {"tensor", {inner, shape}, {}, where});
    inner = shape;
    first = false;
    elements.insert(elements.end(), row.begin(), row.end());
}

}  // namespace

void detail::refuse_element(std::uint64_t value, Where where) {
    throw ValueError("element " + std::to_string(value) + " is no int64", {"tensor", {}, {}, where});
}

Tensor::Tensor() : Tensor(0.0) {}

Tensor::Tensor(std::initializer_list<ListElement> row, Where where) : Tensor(0.0) {
    std::vector<double> elements;
    for (ListElement element : row) elements.push_back(element.value);
    *this = from(elements, {std::int64_t(row.size())}, where);
}

Tensor::Tensor(std::initializer_list<std::initializer_list<double>> rows, Where where) : Tensor(0.0) {
    std::vector<double> elements;
    Shape inner;
    bool first = true;
    for (const auto& row : rows) append_rows(elements, inner, first, row, {std::int64_t(row.size())}, where);
    Shape shape{std::int64_t(rows.size())};
    for (auto extent : inner) shape.push_back(extent);
    *this = from(elements, shape, where);
}

Tensor::Tensor(std::initializer_list<std::initializer_list<std::initializer_list<double>>> planes, Where where)
    : Tensor(0.0) {
    std::vector<double> elements;
    Shape inner;
    bool first = true;
    for (const auto& plane : planes) {
        const Tensor rows(plane, where);
        append_rows(elements, inner, first, rows.data<double>(), rows.shape(), where);
    }
    Shape shape{std::int64_t(planes.size())};
    for (auto extent : inner) shape.push_back(extent);
    *this = from(elements, shape, where);
}

Tensor Tensor::uninitialised(const Type& type, Where where) {
    check_type(type, where);
    auto memory = allocate(std::size_t(type.shape.elements()) * size_of(type.dtype));
    const void* data = memory.get();
    return adopt(type, std::move(memory), data);
}

Tensor Tensor::adopt(const Type& type, std::shared_ptr<const void> owner, const void* data, Where where) {
    check_type(type, where);
    if (reinterpret_cast<std::uintptr_t>(data) % block != 0)
        throw ValueError("memory to adopt must be aligned to 64 bytes", {"tensor", {type.shape}, {}, where});
    return {type, std::move(owner), data};
}

Tensor::Tensor(const Type& type, std::shared_ptr<const void> owner, const void* data)
    : type_(type), owner_(std::move(owner)), data_(data) {}

Tensor Tensor::to_fill(const Type& type, std::size_t count, Where where) {
    check_type(type, where);
    if (std::int64_t(count) != type.shape.elements())
        throw ShapeError(std::to_string(count) + " elements do not fill shape " + to_string(type.shape),
                         {"tensor", {type.shape}, {}, where});
    return uninitialised(type, where);
}

Tensor Tensor::full(const Shape& shape, Number value, DType dtype, Where where) {
    check_type({dtype, shape}, where);
    if (!detail::holds(dtype, value))
        throw DTypeError("number " + detail::digits(value) + " is no " + to_string(dtype), {"full", {shape}, {}, where});
    Tensor result = uninitialised({dtype, shape}, where);
    with_type(dtype, [&]<class T>(T) {
        const auto elements = result.mutable_data<T>();
        std::fill(elements.begin(), elements.end(), value.whole() ? convert<T>(value.integer()) : convert<T>(value.value()));
    });
    return result;
}

std::int64_t Tensor::shape(Axis axis, Where where) const {
    return type_.shape[detail::at_axis("shape", axis, type_.shape, where)];
}

double Tensor::item(Where where) const {
    if (elements() != 1)
        throw ShapeError("needs a tensor of one element, not of shape " + to_string(shape()), {"item", {shape()}, {}, where});
    return with_type(dtype(), [&]<class T>(T) { return double(data<T>(where)[0]); });
}

Tensor Tensor::copy(Where where) const {
    require_elements(where);
    Tensor result = uninitialised(type_, where);
    std::memcpy(const_cast<void*>(result.raw()), raw(), bytes());
    return result;
}

Tensor Tensor::as(DType dtype, Where where) const {
    require_elements(where);
    if (dtype == this->dtype()) return *this;
    Tensor result = uninitialised({dtype, shape()}, where);
    with_type(this->dtype(), [&]<class From>(From) {
        with_type(dtype, [&]<class To>(To) {
            const auto source = data<From>();
            const auto target = result.mutable_data<To>();
            for (std::size_t i = 0; i < source.size(); ++i) target[i] = convert<To>(source[i]);
        });
    });
    return result;
}

void Tensor::require_elements(Where where) const {
    if (!data_) throw TapeError("this tensor has no elements: it was moved from, or never set", {"tensor", {}, {}, where});
}

void Tensor::require(DType dtype, Where where) const {
    require_elements(where);
    if (dtype != this->dtype())
        throw DTypeError(std::string("elements are ") + to_string(this->dtype()) + ", asked for as " + to_string(dtype),
                         {"tensor", {shape()}, {}, where});
}

void Tensor::require_unique(Where where) const {
    if (!unique())
        throw ValueError("the storage is shared or adopted, so it cannot be written; write a copy()", {"tensor", {shape()}, {}, where});
    // Another thread may have shared it before: it has read what it reads before we write.
    std::atomic_thread_fence(std::memory_order_acquire);
}

bool same_bits(const Tensor& a, const Tensor& b, Where where) {
    if (!a.raw() || !b.raw())
        throw TapeError("a tensor has no elements: it was moved from, or never set", {"same_bits", {}, {}, where});
    return a.type() == b.type() && (a.bytes() == 0 || std::memcmp(a.raw(), b.raw(), a.bytes()) == 0);
}

}  // namespace gradtape

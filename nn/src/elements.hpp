// Reading and writing a tensor's elements whatever their type. Internal to nn.
#pragma once

#include <gradtape/tensor.hpp>

namespace gradtape::nn {

/// Calls `body` with the elements as a span of their C++ type. TapeError, at `where`, where the tensor was moved from.
template <class Body>
decltype(auto) with_elements(const Tensor& tensor, Where where, Body&& body) {
    switch (tensor.dtype()) {
        case DType::float32:
            return body(tensor.data<float>(where));
        case DType::float64:
            return body(tensor.data<double>(where));
        case DType::int64:
            return body(tensor.data<std::int64_t>(where));
        default:
            return body(tensor.data<bool>(where));
    }
}

/// TapeError where the tensor was moved from.
inline void require_elements(const Tensor& tensor, Where where) {
    with_elements(tensor, where, [](auto) {});
}

/// "3", "-0.5", "nan": as short as it can be.
std::string number(double value);

/// "NaN at (2, 0)", "inf at (0,)": the first element that is not finite; "" where all are.
std::string non_finite_in(const Tensor& tensor, Where where);

/// `tensor`, made anew unless nobody else holds it and it has this type already.
Tensor& reuse(Tensor& tensor, const Type& type);

/// The bytes of a tensor that nobody else holds.
std::byte* writable(Tensor& tensor);

}  // namespace gradtape::nn

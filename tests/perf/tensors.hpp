// The problems' numbers as tensors, and back.
#pragma once

#include <gradtape/tensor.hpp>

#include <vector>

namespace perf {

template <class T>
gradtape::Tensor tensor(const std::vector<T>& values, const gradtape::Shape& shape) {
    return gradtape::Tensor::from(std::span<const T>(values), shape);
}

inline void append(std::vector<double>& all, const gradtape::Tensor& t) {
    const gradtape::Tensor converted = t.as(gradtape::DType::float64);
    const auto values = converted.data<double>();
    all.insert(all.end(), values.begin(), values.end());
}

}  // namespace perf

// Bridges to xtensor: containers, adaptors and expressions in; a zero-copy adaptor out.
// The only public header that includes xtensor.
#pragma once

#include <gradtape/tape.hpp>

#ifndef XTENSOR_USE_XSIMD
#define XTENSOR_USE_XSIMD
#endif

#if __has_include(<xtensor/containers/xadapt.hpp>)  // from 0.26 on
#include <xtensor/containers/xadapt.hpp>
#include <xtensor/containers/xarray.hpp>
#include <xtensor/containers/xtensor.hpp>
#else
#include <xtensor/xadapt.hpp>
#include <xtensor/xarray.hpp>
#include <xtensor/xtensor.hpp>
#endif

namespace gradtape {

/// Any xtensor expression: evaluated in row-major order into a new tensor. Other arithmetic element types are
/// converted: integers to int64, everything else to float64.
template <class Expression>
    requires xt::is_xexpression<Expression>::value
struct TensorSource<Expression> {
    static Tensor convert(const Expression& expression) {
        using Value = typename Expression::value_type;
        using Element = std::conditional_t<
            std::is_same_v<Value, float> || std::is_same_v<Value, bool>, Value,
            std::conditional_t<std::is_integral_v<Value>, std::int64_t, double>>;
        Shape shape;
        for (auto extent : expression.shape()) shape.push_back(std::int64_t(extent));
        Tensor result = Tensor::uninitialised({dtype_of<Element>, shape});
        auto elements = result.template mutable_data<Element>();
        std::copy(expression.template begin<xt::layout_type::row_major>(),
                  expression.template end<xt::layout_type::row_major>(), elements.begin());
        return result;
    }
};

/// A read-only xtensor view of a tensor's elements, without a copy. It keeps the memory alive.
template <class T>
auto as_xtensor(const Tensor& tensor) {
    auto elements = tensor.data<T>();
    std::vector<std::size_t> shape(tensor.shape().begin(), tensor.shape().end());
    return xt::adapt_smart_ptr(elements.data(), shape, std::shared_ptr<const void>(tensor.owner()));
}
template <class T>
auto as_xtensor(const Node& node, Where where = Where::here()) {
    return as_xtensor<T>(node.value(where));
}

}  // namespace gradtape

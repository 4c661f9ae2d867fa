// Bridges to xtensor: containers, adaptors and expressions in; a zero-copy adaptor out.
// The only public header that includes xtensor.
#pragma once

#include <gradtape/tape.hpp>

#include <algorithm>

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

/// Any xtensor expression: evaluated in row-major order into a new tensor. Elements become what Tensor::from makes of
/// them, long double float64; ValueError where an unsigned integer is beyond int64.
template <class Expression>
    requires xt::is_xexpression<Expression>::value
struct TensorSource<Expression> {
    static Tensor convert(const Expression& expression, Where where) {
        using Given = typename Expression::value_type;
        using Value = std::conditional_t<std::is_same_v<Given, long double>, double, Given>;
        static_assert(detail::Element<Value>, "tensors are made of float, double, long double, bool or integers");
        using Element = detail::ElementOf<Value>;
        Shape shape;
        for (auto extent : expression.shape()) shape.push_back(std::int64_t(extent), where);
        Tensor result = Tensor::uninitialised({dtype_of<Element>, shape}, where);
        auto elements = result.template mutable_data<Element>();
        std::transform(expression.template begin<xt::layout_type::row_major>(),
                       expression.template end<xt::layout_type::row_major>(), elements.begin(),
                       [where](const auto& value) { return detail::element<Value>(Value(value), where); });
        return result;
    }
};

/// A read-only xtensor view of a tensor's elements, without a copy. It keeps the memory alive.
template <class T>
auto as_xtensor(const Tensor& tensor, Where where = Where::here()) {
    auto elements = tensor.data<T>(where);
    std::vector<std::size_t> shape(tensor.shape().begin(), tensor.shape().end());
    return xt::adapt_smart_ptr(elements.data(), shape, std::shared_ptr<const void>(tensor.owner()));
}
template <class T>
auto as_xtensor(const Node& node, Where where = Where::here()) {
    return as_xtensor<T>(node.value(where), where);
}

}  // namespace gradtape

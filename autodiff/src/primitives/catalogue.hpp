// The library's primitives, listed once; each is defined in its family's file.
#pragma once

#include <gradtape/primitive.hpp>

// Leaves, identities and further results need no kernel; and some primitives have one for all instruction sets, in the record.
#define GRADTAPE_WITHOUT_KERNELS(X) X(input) X(parameter) X(constant) X(guard) X(result) X(stop_gradient) X(reshape) \
    X(gather) X(scatter) X(scatter_add) X(dynamic_slice) X(dynamic_update_slice)                                  \
    X(argmax) X(argmin) X(sort) X(cumsum) \
    X(triangle) X(cholesky) X(triangular_solve) X(lu) X(eigh) X(qr) X(svd) X(solve) X(inv) X(adjugate) X(det) X(slogdet) \
    X(call) X(checkpoint) X(barrier) X(custom_vjp) X(custom_jvp) X(scan) X(cond) X(while_loop)
#define GRADTAPE_WITH_KERNELS(X)                                                                                 \
    X(add) X(subtract) X(multiply) X(divide) X(negative) X(power) X(power_slope) X(power_log) X(square)          \
    X(multiply_no_nan) X(multiply_or_zero) X(divide_no_nan)                                                      \
    X(sqrt) X(rsqrt) X(reciprocal) X(exp) X(expm1) X(log) X(log1p) X(sin) X(cos) X(tan)                          \
    X(tanh) X(tanh_slope) X(tanh_tail) X(tanh_of_tail) X(tanh_slope_of_tail)                                     \
    X(sigmoid) X(sigmoid_slope) X(sigmoid_tail) X(sigmoid_of_tail) X(sigmoid_slope_of_tail)                      \
    X(softplus) X(log_sigmoid) X(relu) X(abs) X(sign) X(maximum) X(minimum) X(clamp) X(xlogy)         \
    X(where) X(where_positive) X(equal) X(not_equal) X(less) X(less_equal) X(greater) X(greater_equal)           \
    X(logical_and) X(logical_or) X(logical_not) X(cast)                                                          \
    X(sum) X(mean) X(norm) X(direction) X(prod) X(max) X(min) X(logsumexp) X(softmax) X(log_softmax)             \
    X(broadcast_to) X(transpose) X(slice) X(unslice) X(add_slices) X(concatenate) X(pad)                         \
    X(matmul) X(addmm)                                                                                           \
    X(random_bits) X(normal_quantile) X(exponential_quantile) X(gumbel_quantile)
#define GRADTAPE_CATALOGUE(X) GRADTAPE_WITHOUT_KERNELS(X) GRADTAPE_WITH_KERNELS(X)

namespace gradtape::detail {

enum class Op : std::int16_t {
#define X(name) name,
    GRADTAPE_CATALOGUE(X)
#undef X
};

/// By Op.
extern const Primitive* const records[];

inline const Primitive& primitive(Op op) { return *records[std::size_t(op)]; }

}  // namespace gradtape::detail

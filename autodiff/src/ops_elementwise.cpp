// Elementwise operations: the catalogue by name.
#include "support/number.hpp"
#include "tape/recorder.hpp"

namespace gradtape {

using detail::bind;
using detail::Op;

#define GRADTAPE_UNARY(name) \
    Node name(Operand x) { return bind(Op::name, {x}); }
#define GRADTAPE_BINARY(name) \
    Node name(Operand x, Operand y) { return bind(Op::name, {x, y}); }

GRADTAPE_BINARY(add)
GRADTAPE_BINARY(subtract)
GRADTAPE_BINARY(multiply)
GRADTAPE_BINARY(divide)
GRADTAPE_BINARY(power)
GRADTAPE_BINARY(power_slope)
GRADTAPE_BINARY(multiply_no_nan)
GRADTAPE_BINARY(multiply_or_zero)
GRADTAPE_BINARY(divide_no_nan)
GRADTAPE_BINARY(maximum)
GRADTAPE_BINARY(minimum)
GRADTAPE_BINARY(xlogy)
GRADTAPE_BINARY(where_positive)
GRADTAPE_BINARY(equal)
GRADTAPE_BINARY(not_equal)
GRADTAPE_BINARY(less)
GRADTAPE_BINARY(less_equal)
GRADTAPE_BINARY(greater)
GRADTAPE_BINARY(greater_equal)
GRADTAPE_BINARY(logical_and)
GRADTAPE_BINARY(logical_or)
GRADTAPE_UNARY(negative)
GRADTAPE_UNARY(square)
GRADTAPE_UNARY(sqrt)
GRADTAPE_UNARY(rsqrt)
GRADTAPE_UNARY(reciprocal)
GRADTAPE_UNARY(exp)
GRADTAPE_UNARY(expm1)
GRADTAPE_UNARY(log)
GRADTAPE_UNARY(log1p)
GRADTAPE_UNARY(sin)
GRADTAPE_UNARY(cos)
GRADTAPE_UNARY(tan)
GRADTAPE_UNARY(tanh)
GRADTAPE_UNARY(tanh_slope)
GRADTAPE_UNARY(sigmoid)
GRADTAPE_UNARY(sigmoid_slope)
GRADTAPE_UNARY(softplus)
GRADTAPE_UNARY(log_sigmoid)
GRADTAPE_UNARY(relu)
GRADTAPE_UNARY(abs)
GRADTAPE_UNARY(sign)
GRADTAPE_UNARY(logical_not)
GRADTAPE_UNARY(stop_gradient)

Node power_log(Operand x, Operand y, Operand n) { return bind(Op::power_log, {x, y, n}); }

Node where(Operand condition, Operand x, Operand y) { return bind(Op::where, {condition, x, y}); }

Node clamp(Operand x, Number low, Number high) {
    const bool ordered = low.whole() && high.whole() ? low.integer() <= high.integer() : low.value() <= high.value();
    if (!ordered)
        throw ValueError("low " + detail::digits(low) + " exceeds high " + detail::digits(high), {"clamp", {}, {}, x.where()});
    return bind(Op::clamp, {x, {low, x.where()}, {high, x.where()}});
}

Node cast(Operand x, DType dtype) {
    if (x.is_node() && detail::Recorder::of(x.node(), "cast", x.where()) .at(x.node().index()).type.dtype == dtype)
        return x.node();
    return bind(Op::cast, {x}, {{"dtype", dtype}});
}

}  // namespace gradtape

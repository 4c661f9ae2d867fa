// Reductions over one run of neighbouring axes: attributes `axes` (ascending, without gaps) and `keepdims`.
// ops.cpp brings other sets of axes into this form.
#include "family.hpp"

#include "../kernels/prepare_reduce.hpp"
#include "../kernels/reduce_stream.hpp"

namespace gradtape::detail::GRADTAPE_ISA {
namespace {

void check_axes(const ShapeCall& call) {
    const Shape& axes = axes_of(call.attributes);
    for (std::size_t i = 0; i < axes.size(); ++i) {
        if (axes[i] < 0 || axes[i] >= std::int64_t(call[0].shape.rank()))
            call.refuse("axis " + std::to_string(axes[i]) + " of shape " + to_string(call[0].shape), int(axes[i]));
        if (i && axes[i] != axes[i - 1] + 1) call.refuse("axes have gaps", int(axes[i]));
    }
}

void require_floating(const ShapeCall& call) {
    if (!is_floating(call[0].dtype))
        call.refuse_dtype("takes float32 or float64, not " + std::string(to_string(call[0].dtype)));
}

Shape reduced_shape(const Shape& shape, const Shape& axes, bool keepdims) {
    Shape result;
    for (std::size_t i = 0; i < shape.rank(); ++i) {
        const bool reduced = !axes.empty() && std::int64_t(i) >= axes[0] && std::int64_t(i) <= axes.back();
        if (!reduced)
            result.push_back(shape[i]);
        else if (keepdims)
            result.push_back(1);
    }
    return result;
}

Type reduced_type(const ShapeCall& call) {
    check_axes(call);
    if (call[0].dtype == DType::boolean) call.refuse_dtype("takes numbers, not boolean: cast first");
    return {call[0].dtype, reduced_shape(call[0].shape, axes_of(call.attributes), call.attributes.get<bool>("keepdims"))};
}

Type floating_reduced_type(const ShapeCall& call) {
    require_floating(call);
    return reduced_type(call);
}

Type nonempty_reduced_type(const ShapeCall& call) {
    const Type type = reduced_type(call);
    for (std::int64_t axis : axes_of(call.attributes))
        if (call[0].shape[std::size_t(axis)] == 0 && type.shape.elements() > 0)
            call.refuse("no element to choose from in axis " + std::to_string(axis) + " of shape " +
                            to_string(call[0].shape) + "; needs at least one", int(axis));
    return type;
}

/// A mean's: x, and the sum of x over these axes.
Type mean_type(const ShapeCall& call) {
    const Type type = floating_reduced_type(call);
    if (!(*call.operands[1] == type))
        call.refuse("the sum of " + to_string(call[0]) + " is given as " + to_string(call[1]) + "; needs " + to_string(type));
    return type;
}

Type along_axes_type(const ShapeCall& call) {
    check_axes(call);
    require_floating(call);
    return call[0];
}

/// A reduced value brought back to the shape it was reduced from.
Node widened(const Operands& x, Node reduced) {
    const Shape shape = x[0].shape();
    if (reduced.shape().rank() == 0) return gradtape::broadcast_to(reduced, shape);
    return gradtape::broadcast_to(gradtape::reshape(reduced, reduced_shape(shape, axes_of(x.attributes), true)), shape);
}

Node again(const Operands& x, Node like, bool keepdims) { return gradtape::sum(like, axes_of(x.attributes), keepdims); }

}  // namespace

// z = Σ x
GRADTAPE_KERNELS(sum, settled<prepare_sum>().streamed(&sum_stream_float, &sum_stream_double).streamed_by_rows(&row_sum_float, &row_sum_double))
GRADTAPE_PRIMITIVE(sum, of(1)
    .along_axes().batch(batch_axes).with_settings({"axes", Kind::integers}, {"keepdims", Kind::flag})
    .shaped(reduced_type).takes(numbers).linear()
    .vjp([](const Operands& x, Node, Node z_bar) { return widened(x, z_bar); }).on(any_real))

// z = s / count, where s is the sum of x; where that overflowed, of x / 2ᵏ. The derivative runs through s alone: a replay
// sums what it computes as it goes.
GRADTAPE_KERNELS(mean, settled<prepare_mean>())
GRADTAPE_PRIMITIVE(mean, of(2)
    .along_axes().batch(batch_axes).with_settings({"axes", Kind::integers}, {"keepdims", Kind::flag})
    .shaped(mean_type).takes(floats).linear()
    .vjp(gives_nothing,
         [](const Operands& x, Node, Node z_bar) {
             return z_bar / double(view(x[0].shape(), axes_of(x.attributes)).reduced);
         }).on(any_real))

// z = √Σ x², ∂z/∂x = x / z: the direction of x, which is 0 where x is.
namespace {

Node apply_like(Op op, const Operands& x, const Attributes& attributes) {
    return gradtape::apply(primitive(op), {x[0]}, attributes);
}
Node direction_like(const Operands& x) { return apply_like(Op::direction, x, {{"axes", axes_of(x.attributes)}}); }

}  // namespace
GRADTAPE_KERNELS(norm, settled<prepare_norm>())
GRADTAPE_PRIMITIVE(norm, of(1)
    .along_axes().batch(batch_axes).with_settings({"axes", Kind::integers}, {"keepdims", Kind::flag})
    .shaped(floating_reduced_type).takes(floats)
    .vjp([](const Operands& x, Node, Node z_bar) { return chain(direction_like(x), widened(x, z_bar)); })
    .jvp([](const Operands& x, Node, Node x_dot) {
        return again(x, chain(direction_like(x), x_dot), x.attributes.get<bool>("keepdims"));
    }).on(any_real))

// z = x / √Σ x², and 0 where x is. Its Jacobian (1 − z zᵀ) / √Σ x² is symmetric, so both directions share one rule; where
// x is 0 it is 0, so that norm has derivatives 0 of every order there.
namespace {
constexpr auto direction_rule = [](const Operands& x, Node z, Node bar) {
    const Node length = widened(x, apply_like(Op::norm, x, {{"axes", axes_of(x.attributes)}, {"keepdims", true}}));
    const Node none = gradtape::equal(length, 0.0);
    const Node across = bar - chain(z, again(x, chain(z, bar), true));
    return gradtape::where(none, 0.0, chain_over(gradtape::where(none, 1.0, length), across));
};
}
GRADTAPE_KERNELS(direction, settled<prepare_direction>())
GRADTAPE_PRIMITIVE(direction, of(1)
    .along_axes().batch(batch_axes).with_settings({"axes", Kind::integers})
    .shaped(along_axes_type).takes(floats).vjp(direction_rule).jvp(direction_rule).on(any_real))

// z = Π x. The reverse runs down a tree of pairwise products, so nothing is divided by x and zeros are exact, in
// derivatives of every order.
namespace {

/// x̄ from the cotangent of the product over the middle axis of x (outer, n, inner); z_bar (outer, 1, inner).
Node product_cotangent(Node x, Node z_bar) {
    std::vector<Node> levels{x};
    const std::int64_t outer = x.shape()[0], inner = x.shape()[2];
    const auto part = [](Node node, std::int64_t from, std::int64_t to) {
        return gradtape::slice(node, {{}, {from, to}});
    };
    while (levels.back().shape()[1] > 1) {
        const Node below = levels.back();
        const std::int64_t n = below.shape()[1], half = n / 2;
        Node above = part(below, 0, half) * part(below, half, 2 * half);
        if (n % 2) above = gradtape::concatenate({above, part(below, n - 1, n)}, 1);
        levels.push_back(above);
    }
    Node bar = levels.back().shape()[1] == 1 ? z_bar : gradtape::broadcast_to(z_bar, {outer, 0, inner});
    for (std::size_t level = levels.size() - 1; level-- > 0;) {
        const Node below = levels[level];
        const std::int64_t n = below.shape()[1], half = n / 2;
        const Node pairs = part(bar, 0, half);
        const Node left = chain(part(below, half, 2 * half), pairs), right = chain(part(below, 0, half), pairs);
        bar = n % 2 ? gradtape::concatenate({left, right, part(bar, half, half + 1)}, 1)
                    : gradtape::concatenate({left, right}, 1);
    }
    return bar;
}

Node prod_rule(const Operands& x, Node, Node z_bar) {
    const View v = view(x[0].shape(), axes_of(x.attributes));
    const Node bar = product_cotangent(gradtape::reshape(x[0], {v.outer, v.reduced, v.inner}),
                                       gradtape::reshape(z_bar, {v.outer, 1, v.inner}));
    return gradtape::reshape(bar, x[0].shape());
}

}  // namespace
GRADTAPE_KERNELS(prod, settled<prepare_prod>())
GRADTAPE_PRIMITIVE(prod, of(1)
    .along_axes().batch(batch_axes).with_settings({"axes", Kind::integers}, {"keepdims", Kind::flag})
    .shaped(reduced_type).takes(numbers)
    .vjp([](const Operands& x, Node z, Node z_bar) { return prod_rule(x, z, z_bar); })
    .jvp([](const Operands& x, Node z, Node x_dot) {
        const Node others = prod_rule(x, z, full_like(z, 1.0));
        return again(x, chain(others, x_dot), x.attributes.get<bool>("keepdims"));
    }).on(any_real))

// z = max x. k equal maxima have a share of 1/k each, forward and reverse; where elements are NaN, these, of NaN.
namespace {

struct Ties {
    Node mask, count;
};
Ties ties(const Operands& x, Node z) {
    const Node mask = gradtape::logical_or(gradtape::equal(x[0], widened(x, z)), gradtape::not_equal(x[0], x[0]));
    return {mask, again(x, gradtape::cast(mask, x[0].dtype()), x.attributes.get<bool>("keepdims"))};
}
/// `bar`, and NaN where z is, unless bar is 0.
Node undefined_with(Node z, Node bar) { return gradtape::where(gradtape::equal(z, z), bar, chain(z, bar)); }

constexpr auto extreme_vjp = [](const Operands& x, Node z, Node z_bar) {
    const Ties t = ties(x, z);
    return gradtape::where(t.mask, widened(x, undefined_with(z, z_bar / t.count)), 0.0);
};
constexpr auto extreme_jvp = [](const Operands& x, Node z, Node x_dot) {
    const Ties t = ties(x, z);
    const Node selected = again(x, gradtape::where(t.mask, x_dot, 0.0), x.attributes.get<bool>("keepdims"));
    return undefined_with(z, selected / t.count);
};

}  // namespace
GRADTAPE_KERNELS(max, settled<prepare_max>())
GRADTAPE_PRIMITIVE(max, of(1)
    .along_axes().batch(batch_axes).with_settings({"axes", Kind::integers}, {"keepdims", Kind::flag})
    .shaped(nonempty_reduced_type).takes(numbers)
    .vjp(extreme_vjp).jvp(extreme_jvp).on(any_real))

// z = min x
GRADTAPE_KERNELS(min, settled<prepare_min>())
GRADTAPE_PRIMITIVE(min, of(1)
    .along_axes().batch(batch_axes).with_settings({"axes", Kind::integers}, {"keepdims", Kind::flag})
    .shaped(nonempty_reduced_type).takes(numbers)
    .vjp(extreme_vjp).jvp(extreme_jvp).on(any_real))

namespace {

// I − 1 pᵀ and its transpose are projections, for p sums to 1. Applied again they change nothing but what rounding left: where
// one p is close to 1, a difference of two numbers almost equal becomes the sum of what the others have, with all its digits.
Node less_mean(const Operands& x, Node p, Node v) {
    const auto once = [&](Node at) { return at - again(x, chain(p, at), true); };
    return once(once(v));
}
Node less_share(const Operands& x, Node p, Node v) {
    const auto once = [&](Node at) { return at - chain(p, again(x, at, true)); };
    return once(once(v));
}
constexpr auto softmax_rule = [](const Operands& x, Node z, Node bar) { return chain(z, less_mean(x, z, bar)); };

}  // namespace

// z = log Σ eˣ, and p = eˣ / Σ eˣ, its slope, which has the right limits where x is infinite. p's Jacobian is softmax's.
GRADTAPE_KERNELS(logsumexp, settled<prepare_logsumexp>())
GRADTAPE_PRIMITIVE(logsumexp, of(1).giving(2)
    .along_axes().batch(batch_axes).with_settings({"axes", Kind::integers}, {"keepdims", Kind::flag})
    .shaped([](const ShapeCall& call) { return call.result == 0 ? floating_reduced_type(call) : call[0]; }).takes(floats)
    .vjp([](const VjpCall& call) {
        const Node p = call.results[1], z_bar = call.z_bars[0], p_bar = call.z_bars[1];
        Node x_bar;
        if (z_bar.is_valid()) x_bar = chain(p, widened(call.x, z_bar));
        if (p_bar.is_valid()) {
            const Node share = softmax_rule(call.x, p, p_bar);
            x_bar = x_bar.is_valid() ? x_bar + share : share;
        }
        call.give(0, x_bar);
    })
    .jvp([](const JvpCall& call) {
        const Node p = call.results[1], x_dot = call.x_dot[0];
        if (call.wants(0)) call.give(0, again(call.x, chain(p, x_dot), call.x.attributes.get<bool>("keepdims")));
        if (call.wants(1)) call.give(1, softmax_rule(call.x, p, x_dot));
    }).on(any_real))

// z = eˣ / Σ eˣ. Its Jacobian diag(z) (I − 1 zᵀ) is symmetric, so both directions share one rule.
GRADTAPE_KERNELS(softmax, settled<prepare_softmax>())
GRADTAPE_PRIMITIVE(softmax, of(1)
    .along_axes().batch(batch_axes).with_settings({"axes", Kind::integers})
    .shaped(along_axes_type).takes(floats).vjp(softmax_rule).jvp(softmax_rule).on(any_real))

// z = x − log Σ eˣ
GRADTAPE_KERNELS(log_softmax, settled<prepare_log_softmax>())
GRADTAPE_PRIMITIVE(log_softmax, of(1)
    .along_axes().batch(batch_axes).with_settings({"axes", Kind::integers})
    .shaped(along_axes_type).takes(floats)
    .vjp([](const Operands& x, Node z, Node z_bar) { return less_share(x, gradtape::exp(z), z_bar); })
    .jvp([](const Operands& x, Node z, Node x_dot) { return less_mean(x, gradtape::exp(z), x_dot); })
    .on(any_real))

}  // namespace gradtape::detail::GRADTAPE_ISA

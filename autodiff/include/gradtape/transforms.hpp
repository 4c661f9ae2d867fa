// Derivatives: each function reads the recorded program and records more of it, so results can be differentiated again.
#pragma once

#include <gradtape/tape.hpp>

namespace gradtape {

/// ∂y/∂x for each x of `wrt`, for a y of one element; results have the shapes of `wrt`.
/// An x that y does not depend on gets zeros. ShapeError where y has not exactly one element;
/// NotDifferentiable where y or an x is int64 or boolean, or a primitive on the way has no rule.
std::vector<Node> grad(Node y, std::span<const Node> wrt, Where where = Where::here());
std::vector<Node> grad(Node y, std::initializer_list<Node> wrt, Where where = Where::here());
Node grad(Node y, Node wrt, Where where = Where::here());

/// Reverse mode: x̄ = Σ ȳᵢ ∂yᵢ/∂x for each x of `wrt`. A default-made Node among `cotangents` stands for zero.
std::vector<Node> vjp(std::span<const Node> ys, std::span<const Node> wrt, std::span<const Node> cotangents,
                      Where where = Where::here());
Node vjp(Node y, Node wrt, Node cotangent, Where where = Where::here());

/// Forward mode: ẏ = Σ ∂y/∂xᵢ ẋᵢ for each y. A default-made Node among `tangents` stands for zero.
std::vector<Node> jvp(std::span<const Node> ys, std::span<const Node> wrt, std::span<const Node> tangents,
                      Where where = Where::here());
Node jvp(Node y, Node wrt, Node tangent, Where where = Where::here());

/// Hessian-vector product: ∂(∂y/∂x · v)/∂x, forward over reverse.
Node hvp(Node y, Node wrt, Node v, Where where = Where::here());

namespace detail {
/// True for what is called with a span of nodes and returns a Node; else the build ends with a sentence.
template <class Function>
constexpr bool is_function_of_nodes() {
    if constexpr (!std::is_invocable_v<Function&, std::span<const Node>>) {
        static_assert(sizeof(std::remove_reference_t<Function>*) == 0, "the function is called with its arguments, a std::span<const gradtape::Node>");
        return false;
    } else {
        constexpr bool node = std::is_convertible_v<std::invoke_result_t<Function&, std::span<const Node>>, Node>;
        static_assert(node, "the function returns what it computes, a gradtape::Node");
        return node;
    }
}
}  // namespace detail

/// A function's value and gradients, recorded on a tape of its own:
/// `auto [value, gradients] = value_and_grad([](auto x) { return sum(x[0] * x[1]); }, {a, b});`
struct ValueAndGrad {
    Tensor value;
    std::vector<Tensor> gradients;
};
template <class Function>
ValueAndGrad value_and_grad(Function&& function, std::span<const Tensor> at, Where where = Where::here()) {
    if constexpr (detail::is_function_of_nodes<Function>()) {
        if (detail::is_empty_function(function))
            throw ValueError("there is no function to differentiate: it is empty", {"value_and_grad", {}, {}, where});
        Tape tape;
        std::vector<Node> x;
        for (const Tensor& tensor : at) x.push_back(tape.parameter(tensor, where));
        const Node y = function(std::span<const Node>(x));
        ValueAndGrad result{y.value(where), {}};
        for (Node g : grad(y, x, where)) result.gradients.push_back(g.value(where));
        return result;
    }
}
template <class Function>
ValueAndGrad value_and_grad(Function&& function, std::initializer_list<Tensor> at, Where where = Where::here()) {
    return value_and_grad(function, std::span<const Tensor>(at.begin(), at.size()), where);
}

}  // namespace gradtape

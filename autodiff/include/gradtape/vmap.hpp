// Functions of one example, computed for a whole batch; and what that makes easy: Jacobians and Hessians.
#pragma once

#include <gradtape/program.hpp>
#include <gradtape/transforms.hpp>

#include <functional>
#include <limits>

namespace gradtape {

/// What may be mapped: it is called once, with one example, and records what it computes of it. Values of its own it takes as
/// inputs: it is recorded on a tape of its own, which no node of another one may be used on.
using MappedFunction = std::function<Several<Node>(std::span<const Node>)>;

/// The axis of an input that all examples share.
inline constexpr int unmapped = std::numeric_limits<int>::min();

/// Along which axes a function is mapped; negative ones count from the last.
struct MapAxes {
    std::vector<int> in = {};  ///< of each input, or `unmapped`; without any, axis 0 of all
    int out = 0;               ///< of each result
};

/// f of each example, the examples lying along an axis of the inputs; results lie along an axis of the results. The program of one
/// example is recorded, abstractly, and then computed by each primitive's batching rule: so derivatives may be taken within f
/// (per-sample gradients), and of the result. ShapeError where inputs have different numbers of examples or lack the axis;
/// ValueError where no input is mapped, or a primitive has no batching rule; TapeError where f reads a value.
std::vector<Node> vmap(const MappedFunction& f, const Several<Node>& inputs, const MapAxes& axes = {}, Where where = Where::here());

/// ∂yᵢ/∂xⱼ of y = f(x), of shape (y.shape, x.shape): by reverse mode for as many y as x or fewer, else by forward mode.
/// NotDifferentiable where x or y is not floating.
Node jacobian(const std::function<Node(Node)>& f, Node x, Where where = Where::here());

/// ∂²y/∂xᵢ∂xⱼ of y = f(x), a single element, of shape (x.shape, x.shape): forward over reverse.
Node hessian(const std::function<Node(Node)>& f, Node x, Where where = Where::here());

}  // namespace gradtape

// Forward mode: walk the tape forwards, and push each instruction's tangents through.
#include <gradtape/ops.hpp>
#include <gradtape/transforms.hpp>

#include "../ir/own.hpp"
#include "../ir/verify.hpp"
#include "activity.hpp"

namespace gradtape {

using namespace detail;

namespace {

Node sum_of(Node a, Node b) { return !a.is_valid() ? b : !b.is_valid() ? a : add(a, b); }

[[noreturn]] void refuse(const Instruction& instruction, const std::string& problem) {
    throw NotDifferentiable(problem, {instruction.primitive->name, {}, {}, instruction.where});
}

Node by_rule(const Instruction& instruction, const Operands& x, Node z, std::span<const Node> x_dot) {
    std::optional<Node> z_dot;
    in_the_name_of(*instruction.primitive, instruction.where, [&] { instruction.primitive->jvp({x, z, x_dot, z_dot}); });
    if (!z_dot) refuse(instruction, "has no jvp rule for these operands");
    return *z_dot;
}

/// An elementwise Jacobian is diagonal, so it is its own transpose: each operand's share is its cotangent, if the result's is
/// the operand's tangent.
Node by_transpose(const Instruction& instruction, const Operands& x, Node z, std::span<const Node> x_dot) {
    Cotangents given;
    Node z_dot;
    for (std::size_t k = 0; k < x_dot.size(); ++k) {
        if (!x_dot[k].is_valid()) continue;
        given.clear(x_dot.size());
        given.states[k] = VjpCall::wanted;
        given.ask(*instruction.primitive, x, z, x_dot[k], instruction.where);
        z_dot = sum_of(z_dot, given.x_bar[k]);
    }
    return z_dot;
}

/// Linear in all operands: the primitive of the tangents.
Node by_linearity(const Instruction& instruction, const Operands& x, std::span<const Node> x_dot) {
    std::vector<Node> dots(x_dot.begin(), x_dot.end());
    for (std::size_t k = 0; k < dots.size(); ++k)
        if (!dots[k].is_valid()) dots[k] = full_like(x[k], 0.0);
    return apply(*instruction.primitive, dots, instruction.attributes, instruction.where);
}

/// Linear in each operand: the sum of the primitive with one operand replaced by its tangent.
Node by_multilinearity(const Instruction& instruction, const Operands& x, std::span<const Node> x_dot) {
    Node z_dot;
    for (std::size_t k = 0; k < x_dot.size(); ++k) {
        if (!x_dot[k].is_valid()) continue;
        std::vector<Node> nodes(x.nodes.begin(), x.nodes.end());
        nodes[k] = x_dot[k];
        z_dot = sum_of(z_dot, apply(*instruction.primitive, nodes, instruction.attributes, instruction.where));
    }
    return z_dot;
}

/// z's tangent from its operands'.
Node push(Path& path, Index index) {
    Recorder& recorder = path.recorder();
    const Instruction instruction = recorder.at(index);
    std::vector<Node> operands, dots;
    operand_nodes(recorder, instruction, operands);
    bool any = false;
    for (Index i : instruction.operands) {
        const Path::Step* x = path.find(i);
        dots.push_back(x ? x->derivative : Node());
        any = any || dots.back().is_valid();
    }
    if (!any) return {};
    const Primitive& primitive = *instruction.primitive;
    const Operands x{operands, instruction.attributes};
    const Node z = recorder.node(index);
    const Node z_dot = primitive.jvp           ? by_rule(instruction, x, z, dots)
                       : primitive.elementwise ? by_transpose(instruction, x, z, dots)
                       : primitive.linear      ? by_linearity(instruction, x, dots)
                       : primitive.multilinear ? by_multilinearity(instruction, x, dots)
                                               : (refuse(instruction, "has no jvp rule"), Node());
    if (z_dot.is_valid()) check_partner(primitive.name, z_dot, z, instruction.where);
    return z_dot;
}

}  // namespace

std::vector<Node> jvp(std::span<const Node> ys, std::span<const Node> wrt, std::span<const Node> tangents, Where where) {
    if (wrt.size() != tangents.size())
        throw ValueError(std::to_string(wrt.size()) + " inputs, " + std::to_string(tangents.size()) +
                             " tangents; needs one each", {"jvp", {}, {}, where});
    Path path("jvp", ys, wrt, where);
    Recorder& recorder = path.recorder();
    const std::size_t before = recorder.size();
    Recorder::Origin origin(recorder);
    for (std::size_t k = 0; k < wrt.size(); ++k) {
        if (!tangents[k].is_valid()) continue;
        check_partner("jvp", tangents[k], wrt[k], where);
        if (Path::Step* x = path.find(wrt[k].index())) x->derivative = sum_of(x->derivative, tangents[k]);
    }
    for (Path::Step& z : path.steps()) {
        origin.set(recorder.at(z.index).where);
        if (const Node z_dot = push(path, z.index); z_dot.is_valid()) z.derivative = sum_of(z.derivative, z_dot);
    }
    origin.set(where);
    std::vector<Node> result;
    for (Node y : ys) {
        const Path::Step* step = path.find(y.index());
        result.push_back(step && step->derivative.is_valid() ? step->derivative : full_like(y, 0.0, where));
    }
    verify_in_debug(recorder.instructions(), before);
    path.keep();
    return result;
}

Node jvp(Node y, Node wrt, Node tangent, Where where) {
    return jvp(std::span(&y, 1), std::span(&wrt, 1), std::span(&tangent, 1), where)[0];
}

Node hvp(Node y, Node wrt, Node v, Where where) {
    const Type type = Recorder::of(y, "hvp", where).at(y.index()).type;
    if (type.shape.elements() != 1)
        throw ShapeError("needs a y of one element, not shape " + to_string(type.shape) + "; reduce first",
                         {"hvp", {type.shape}, {}, where});
    check_partner("hvp", v, wrt, where);
    return all_or_nothing(y, [&] { return jvp(grad(y, wrt, where), wrt, v, where); });
}

}  // namespace gradtape

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

/// One operand's share of the result's tangent.
Node push_one(const Instruction& instruction, const Operands& x, Node z, Node x_dot) {
    const Primitive& primitive = *instruction.primitive;
    const JvpRule rule = rule_for(primitive, primitive.jvp, x.index);
    // An elementwise Jacobian is diagonal, so it is its own transpose.
    const VjpRule transposed = primitive.elementwise ? rule_for(primitive, primitive.vjp, x.index) : nullptr;
    if (rule || transposed) {
        const Node dot = in_the_name_of(primitive, instruction.where, [&] {
            return rule ? rule(x, z, x_dot) : transposed(x, z, x_dot);
        });
        if (dot.is_valid()) check_partner(primitive.name, dot, z, instruction.where);
        return dot;
    }
    if (primitive.multilinear) {
        std::vector<Node> nodes(x.nodes.begin(), x.nodes.end());
        nodes[x.index] = x_dot;
        return apply(primitive, nodes, instruction.attributes, instruction.where);
    }
    throw NotDifferentiable("has no jvp rule for operand " + std::to_string(x.index), {primitive.name, {}, {}, instruction.where});
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
    if (primitive.linear && !primitive.elementwise && !primitive.jvp[0]) {
        for (std::size_t k = 0; k < dots.size(); ++k)
            if (!dots[k].is_valid()) dots[k] = full_like(operands[k], 0.0);
        return apply(primitive, dots, instruction.attributes, instruction.where);
    }
    const std::uint8_t constants = constant_operands(recorder, instruction);
    std::int64_t notes[2] = {};
    Node z_dot;
    for (std::size_t k = 0; k < dots.size(); ++k)
        if (dots[k].is_valid())
            z_dot = sum_of(z_dot, push_one(instruction, {operands, instruction.attributes, k, constants, notes},
                                           recorder.node(index), dots[k]));
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

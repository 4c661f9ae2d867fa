// Forward mode: walk the tape forwards, and push each instruction's tangents through.
#include <gradtape/ops.hpp>
#include <gradtape/transforms.hpp>

#include "../ir/own.hpp"
#include "../ir/verify.hpp"
#include "activity.hpp"

#include <algorithm>
#include <unordered_map>

namespace gradtape {

using namespace detail;

namespace {

Node sum_of(Node a, Node b) { return !a.is_valid() ? b : !b.is_valid() ? a : add(a, b); }

[[noreturn]] void refuse(const Instruction& instruction, const std::string& problem) {
    throw NotDifferentiable(problem, {instruction.primitive->name, {}, {}, instruction.where});
}

/// The tangents of all results.
std::vector<Node> by_rule(const Instruction& instruction, const Operands& x, std::span<const Node> z, Path& path,
                          std::span<const Node> x_dot) {
    std::vector<Node> z_dot(z.size());
    std::vector<GiveState> states;
    for (Node result : z) states.push_back(path.find(result.index()) ? GiveState::wanted : GiveState::unwanted);
    in_the_name_of(*instruction.primitive, instruction.where,
                   [&] { instruction.primitive->jvp({x, z[0], x_dot, z_dot, states, z}); });
    if (std::find(states.begin(), states.end(), GiveState::wanted) != states.end())
        refuse(instruction, "has no jvp rule for these operands");
    for (std::size_t k = 0; k < z.size(); ++k)
        if (z_dot[k].is_valid()) check_partner(instruction.primitive->name, z_dot[k], z[k], instruction.where);
    return z_dot;
}

/// An elementwise Jacobian is diagonal, so it is its own transpose: each operand's share is its cotangent, if the result's is
/// the operand's tangent.
Node by_transpose(const Instruction& instruction, const Operands& x, Node z, std::span<const Node> x_dot) {
    Cotangents given;
    Node z_dot;
    for (std::size_t k = 0; k < x_dot.size(); ++k) {
        if (!x_dot[k].is_valid()) continue;
        given.clear(x_dot.size());
        given.states[k] = GiveState::wanted;
        given.ask(*instruction.primitive, x, {&z, 1}, {&x_dot[k], 1}, instruction.where);
        z_dot = sum_of(z_dot, given.of(k, *instruction.primitive, instruction.where));
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

/// Tangents of further results, by the instruction that makes them.
using FurtherTangents = std::unordered_map<Index, std::vector<Node>>;

/// z's tangent from its operands'.
Node push(Path& path, Index index, FurtherTangents& further) {
    Recorder& recorder = path.recorder();
    const Instruction instruction = recorder.at(index);
    const Primitive& primitive = *instruction.primitive;
    if (primitive.takes_result) {
        const auto found = further.find(instruction.operands[0]);
        return found == further.end() ? Node() : found->second[std::size_t(instruction.attributes.get<std::int64_t>("index"))];
    }
    std::vector<Node> operands, dots;
    operand_nodes(recorder, instruction, operands);
    bool any = false;
    for (Index i : instruction.operands) {
        const Path::Step* x = path.find(i);
        dots.push_back(x ? x->derivative : Node());
        any = any || dots.back().is_valid();
    }
    if (!any) return {};
    const Operands x{operands, instruction.attributes};
    const Node z = recorder.node(index);
    if (primitive.results != 1 && primitive.jvp) {
        const std::vector<Node>& all = further[index] = by_rule(instruction, x, recorder.results(index), path, dots);
        return all[0];
    }
    const Node z_dot = primitive.jvp           ? by_rule(instruction, x, {&z, 1}, path, dots)[0]
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
    FurtherTangents further;
    for (Path::Step& z : path.steps()) {
        origin.set(recorder.at(z.index).where);
        if (const Node z_dot = push(path, z.index, further); z_dot.is_valid()) z.derivative = sum_of(z.derivative, z_dot);
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

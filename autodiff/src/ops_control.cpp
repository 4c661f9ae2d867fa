// The public operations that have bodies: what is given is recorded as programs, and these become attributes.
#include <gradtape/control.hpp>
#include <gradtape/primitive.hpp>

#include "tape/recorder.hpp"

namespace gradtape {

using detail::Op;
using detail::primitive;
using detail::Recorder;

namespace {

/// The types of the operands, of one recording.
std::vector<Type> types_of(std::span<const Node> nodes, const char* asker, Where where) {
    if (nodes.empty()) throw ValueError("needs at least one operand", {asker, {}, {}, where});
    const Recorder& recorder = Recorder::of(nodes[0], asker, where);
    std::vector<Type> types;
    for (const Node& node : nodes) {
        if (&Recorder::of(node, asker, where) != &recorder) Recorder::refuse_mixed(node, nodes[0], asker, where);
        types.push_back(recorder.at(node.index()).type);
    }
    return types;
}

std::vector<Type> joined(std::vector<Type> all, std::initializer_list<std::span<const Type>> rest) {
    for (std::span<const Type> list : rest) all.insert(all.end(), list.begin(), list.end());
    return all;
}

std::vector<Type> floating_of(std::span<const Type> types) {
    std::vector<Type> result;
    for (const Type& type : types)
        if (is_floating(type.dtype)) result.push_back(type);
    return result;
}

/// Nodes for all of `types`: default-made ones where they are not floating.
std::vector<Node> spread(std::span<const Node> floating, std::span<const Type> types) {
    std::vector<Node> result;
    for (const Type& type : types) {
        result.push_back(is_floating(type.dtype) ? floating[0] : Node());
        if (is_floating(type.dtype)) floating = floating.subspan(1);
    }
    return result;
}

/// The rule as a body: of operands, results and the floating ones' derivatives in `given`, it gives those in `wanted`.
template <class Rule>
Subprogram recorded_rule(const char* asker, const Rule& rule, const Subprogram& body, std::span<const Type> given, std::span<const Type> wanted,
                         Where where) {
    const auto x = body.inputs().size(), z = body.outputs().size();
    const std::vector<Type> operands = joined({}, {body.inputs(), body.outputs(), floating_of(given)});
    return record_body([&](std::span<const Node> at) {
        const std::vector<Node> derivatives = spread(at.subspan(x + z), given);
        std::vector<Node> gives = Several<Node>(rule(at.first(x), at.subspan(x, z), std::span<const Node>(derivatives))).all(), kept;
        if (gives.size() != wanted.size())
            throw ValueError("its rule gives " + std::to_string(gives.size()) + " derivatives; needs " + std::to_string(wanted.size()) +
                                 ", default-made ones for zero", {asker, {}, {}, where});
        const auto zeros = [&](const Type& type) {
            const Node beside = at[0];
            return Recorder::of(beside, asker, where).number(type, 0.0, where);
        };
        for (std::size_t k = 0; k < wanted.size(); ++k)
            if (is_floating(wanted[k].dtype)) kept.push_back(gives[k].is_valid() ? gives[k] : zeros(wanted[k]));
        if (kept.empty()) throw ValueError("nothing is floating: there is no derivative", {asker, {}, {}, where});
        return kept;
    }, operands, where);
}

}  // namespace

std::vector<Node> checkpoint(const BodyFunction& f, const Several<Node>& operands, Where where) {
    const Subprogram body = record_body(f, types_of(operands.all(), "checkpoint", where), where);
    return apply_all(primitive(Op::checkpoint), operands.all(), {{"body", body}}, where);
}

std::vector<Node> custom_vjp(const BodyFunction& f, const VjpFunction& rule, const Several<Node>& operands, Where where) {
    if (!rule) throw ValueError("there is no rule: it is empty", {"custom_vjp", {}, {}, where});
    const Subprogram body = record_body(f, types_of(operands.all(), "custom_vjp", where), where);
    const Subprogram its = recorded_rule("custom_vjp", rule, body, body.outputs(), body.inputs(), where);
    return apply_all(primitive(Op::custom_vjp), operands.all(), {{"body", body}, {"rule", its}}, where);
}

std::vector<Node> custom_jvp(const BodyFunction& f, const JvpFunction& rule, const Several<Node>& operands, Where where) {
    if (!rule) throw ValueError("there is no rule: it is empty", {"custom_jvp", {}, {}, where});
    const Subprogram body = record_body(f, types_of(operands.all(), "custom_jvp", where), where);
    const Subprogram its = recorded_rule("custom_jvp", rule, body, body.inputs(), body.outputs(), where);
    return apply_all(primitive(Op::custom_jvp), operands.all(), {{"body", body}, {"rule", its}}, where);
}

std::vector<Node> call(const Subprogram& body, const Several<Node>& operands, Where where) {
    types_of(operands.all(), "call", where);
    return apply_all(primitive(Op::call), operands.all(), {{"body", body}}, where);
}

std::vector<Node> call(const BodyFunction& f, const Several<Node>& operands, Where where) {
    return call(record_body(f, types_of(operands.all(), "call", where), where), operands, where);
}

}  // namespace gradtape

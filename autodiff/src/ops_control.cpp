// The public operations that have bodies: what is given is recorded as programs, and these become attributes.
#include <gradtape/control.hpp>

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

}  // namespace

std::vector<Node> call(const Subprogram& body, const Several<Node>& operands, Where where) {
    types_of(operands.all(), "call", where);
    return apply_all(primitive(Op::call), operands.all(), {{"body", body}}, where);
}

std::vector<Node> call(const BodyFunction& f, const Several<Node>& operands, Where where) {
    return call(record_body(f, types_of(operands.all(), "call", where), where), operands, where);
}

}  // namespace gradtape

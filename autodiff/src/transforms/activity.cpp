// Which instructions lie between the inputs and the outputs of a derivative.
#include "activity.hpp"

#include <algorithm>

namespace gradtape::detail {
namespace {

void check_floating(const Recorder& recorder, const char* asker, Node node, Where where) {
    const Type& type = recorder.at(node.index()).type;
    if (!is_floating(type.dtype))
        throw NotDifferentiable("node %" + std::to_string(node.index()) + " is " + to_string(type) +
                                    "; derivatives need float32 or float64", {asker, {type.shape}, {}, where});
}

}  // namespace

Activity activity(const char* asker, std::span<const Node> ys, std::span<const Node> wrt, Where where) {
    if (ys.empty() || wrt.empty())
        throw ValueError("needs at least one output and one input", {asker, {}, {}, where});
    Recorder& recorder = Recorder::of(ys[0], asker, where);
    Activity result{&recorder, ys[0].index(), ys[0].index(), {}};
    for (std::span<const Node> nodes : {ys, wrt}) {
        for (Node node : nodes) {
            if (&Recorder::of(node, asker, where) != &recorder)
                throw TapeError("nodes are on different tapes; record them on one", {asker, {}, {}, where});
            check_floating(recorder, asker, node, where);
            result.first = std::min(result.first, node.index());
        }
    }
    for (Node y : ys) result.last = std::max(result.last, y.index());
    result.depends.assign(result.last - result.first + 1, 0);
    for (Node x : wrt)
        if (x.index() <= result.last) result.depends[x.index() - result.first] = 1;
    for (Index i = result.first; i <= result.last; ++i) {
        const Instruction& instruction = recorder.at(i);
        if (!instruction.primitive->differentiable || !is_floating(instruction.type.dtype)) continue;
        char& depends = result.depends[i - result.first];
        for (Index operand : instruction.operands) depends |= char(result(operand));
    }
    return result;
}

void check_partner(const char* asker, Node mine, Node partner, Where where) {
    Recorder& recorder = Recorder::of(partner, asker, where);
    if (&Recorder::of(mine, asker, where) != &recorder)
        throw TapeError("nodes are on different tapes; record them on one", {asker, {}, {}, where});
    const Type &a = recorder.at(mine.index()).type, &b = recorder.at(partner.index()).type;
    if (!(a.shape == b.shape))
        throw ShapeError("shape " + to_string(a.shape) + " for a node of shape " + to_string(b.shape) + "; needs the same",
                         {asker, {a.shape, b.shape}, {}, where});
    if (a.dtype != b.dtype)
        throw DTypeError(std::string(to_string(a.dtype)) + " for a node of " + to_string(b.dtype) + "; needs the same",
                         {asker, {a.shape, b.shape}, {}, where});
}

void operand_nodes(Recorder& recorder, const Instruction& instruction, std::vector<Node>& nodes) {
    nodes.clear();
    for (Index i : instruction.operands) nodes.push_back(recorder.node(i));
}

std::uint8_t constant_operands(const Recorder& recorder, const Instruction& instruction) {
    std::uint8_t bits = 0;
    for (std::size_t k = 0; k < std::min<std::size_t>(8, instruction.operands.size()); ++k)
        bits |= std::uint8_t(recorder.is_constant(instruction.operands[k]) << k);
    return bits;
}

}  // namespace gradtape::detail

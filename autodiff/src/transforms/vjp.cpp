// Reverse mode: walk the tape backwards, and hand each instruction's cotangent to its operands through its rule.
#include <gradtape/ops.hpp>
#include <gradtape/transforms.hpp>

#include "../ir/verify.hpp"
#include "activity.hpp"

namespace gradtape {

using namespace detail;

namespace {

/// Cotangents met so far, by tape index from the activity's first. A default-made node is a zero.
class Cotangents {
public:
    explicit Cotangents(const Activity& active) : first_(active.first), nodes_(active.last - active.first + 1) {}

    Node& of(Index i) { return nodes_[i - first_]; }
    /// Contributions are summed in the order in which they are met.
    void add(Index i, Node contribution) {
        Node& sum = of(i);
        sum = sum ? gradtape::add(sum, contribution) : contribution;
    }

private:
    Index first_;
    std::vector<Node> nodes_;
};

VjpRule rule_of(const Primitive& primitive, std::size_t operand, Where where) {
    if (VjpRule rule = rule_for(primitive.vjp, operand)) return rule;
    throw NotDifferentiable("has no vjp rule for operand " + std::to_string(operand), {primitive.name, {}, {}, where});
}

/// z's cotangent goes to each operand that depends on a wrt.
void pull(Recorder& recorder, Index index, Node z_bar, const Activity& active, Cotangents& cotangents,
          std::vector<Node>& operands) {
    // Copies: rules append to the tape, and its instructions may move.
    const Instruction& made = recorder.at(index);
    const Primitive& primitive = *made.primitive;
    const Attributes attributes = made.attributes;
    const Where where = made.where;
    operand_nodes(recorder, made, operands);
    const std::uint8_t constants = constant_operands(recorder, made);
    for (std::size_t k = 0; k < operands.size(); ++k) {
        if (!active(operands[k].index())) continue;
        const VjpRule rule = rule_of(primitive, k, where);
        const Node x_bar = rule({operands, attributes, k, constants}, recorder.node(index), z_bar);
        if (!x_bar) continue;
        check_partner(primitive.name, x_bar, operands[k], where);
        cotangents.add(operands[k].index(), x_bar);
    }
}

/// The reverse sweep. `cotangents` belong to `ys`, one each.
std::vector<Node> pull_through(const Activity& active, std::span<const Node> ys, std::span<const Node> wrt,
                               std::span<const Node> cotangents, Where where) {
    Recorder& recorder = *active.recorder;
    const std::size_t before = recorder.size();
    Recorder::Origin origin(recorder);
    Cotangents found(active);
    for (std::size_t k = 0; k < ys.size(); ++k) {
        if (!cotangents[k]) continue;
        check_partner("vjp", cotangents[k], ys[k], where);
        found.add(ys[k].index(), cotangents[k]);
    }
    std::vector<Node> operands;
    for (Index i = active.last + 1; i-- > active.first;) {
        const Node z_bar = found.of(i);
        if (!z_bar || !active(i)) continue;
        origin.set(recorder.at(i).where);
        pull(recorder, i, z_bar, active, found, operands);
    }
    origin.set(where);
    std::vector<Node> result;
    for (Node x : wrt) {
        const Node bar = x.index() <= active.last ? found.of(x.index()) : Node();
        result.push_back(bar ? bar : full_like(x, 0.0, where));
    }
    verify_in_debug(recorder.instructions(), before);
    return result;
}

}  // namespace

std::vector<Node> vjp(std::span<const Node> ys, std::span<const Node> wrt, std::span<const Node> cotangents, Where where) {
    if (ys.size() != cotangents.size())
        throw ValueError(std::to_string(ys.size()) + " outputs, " + std::to_string(cotangents.size()) +
                             " cotangents; needs one each", {"vjp", {}, {}, where});
    return pull_through(activity("vjp", ys, wrt, where), ys, wrt, cotangents, where);
}

Node vjp(Node y, Node wrt, Node cotangent, Where where) {
    return vjp(std::span(&y, 1), std::span(&wrt, 1), std::span(&cotangent, 1), where)[0];
}

std::vector<Node> grad(Node y, std::span<const Node> wrt, Where where) {
    Recorder& recorder = Recorder::of(y, "grad", where);
    const Type type = recorder.at(y.index()).type;
    if (type.shape.elements() != 1)
        throw ShapeError("needs a y of one element, not shape " + to_string(type.shape) + "; reduce first, or use vjp",
                         {"grad", {type.shape}, {}, where});
    const Activity active = activity("grad", std::span(&y, 1), wrt, where);
    const Node one = full_like(y, 1.0, where);
    return pull_through(active, std::span(&y, 1), wrt, std::span(&one, 1), where);
}

std::vector<Node> grad(Node y, std::initializer_list<Node> wrt, Where where) {
    return grad(y, std::span(wrt.begin(), wrt.size()), where);
}

Node grad(Node y, Node wrt, Where where) { return grad(y, std::span(&wrt, 1), where)[0]; }

}  // namespace gradtape

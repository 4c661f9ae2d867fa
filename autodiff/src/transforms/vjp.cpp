// Reverse mode: walk the tape backwards, and hand each instruction's cotangent to its operands through its rule.
#include <gradtape/ops.hpp>
#include <gradtape/transforms.hpp>

#include "../ir/own.hpp"
#include "../ir/verify.hpp"
#include "activity.hpp"

#include <unordered_map>

namespace gradtape {

using namespace detail;

namespace {

/// Contributions are summed in the order in which they are met.
void add_to(Path::Step& step, Node contribution) {
    step.derivative = step.derivative.is_valid() ? gradtape::add(step.derivative, contribution) : contribution;
}

/// Cotangents that are parts of one, kept until it is needed or another one is to be added.
class Waiting {
public:
    void add(Index x, const Instruction& made, Node z_bar) {
        Pending& pending = pending_[x];
        if (pending.parts.empty()) {
            pending.primitive = made.primitive;
            pending.where = made.where;
        }
        pending.parts.push_back({made.attributes, z_bar});
    }
    /// Whether parts of x's cotangent wait, of another primitive than `but`.
    bool wait(Index x, const Primitive* but = nullptr) const {
        if (pending_.empty()) return false;
        const auto found = pending_.find(x);
        return found != pending_.end() && found->second.primitive != but;
    }
    void settle(Recorder& recorder, Recorder::Origin& origin, Path::Step& x) {
        const Pending pending = std::move(pending_.extract(x.index).mapped());
        origin.set(pending.where);
        const Primitive& primitive = *pending.primitive;
        const Node node = recorder.node(x.index);
        const Node sum = in_the_name_of(primitive, pending.where,
                                        [&] { return primitive.vjp_parts(node, x.derivative, pending.parts); });
        recorder.check_not_abandoned(primitive.name, pending.where);
        check_partner(primitive.name, sum, node, pending.where);
        x.derivative = sum;
    }

private:
    struct Pending {
        const Primitive* primitive = nullptr;
        Where where;
        std::vector<Part> parts;
    };
    std::unordered_map<Index, Pending> pending_;
};

/// Cotangents of further results, until the instruction that makes them is reached.
class FurtherCotangents {
public:
    void add(const Instruction& result, Node z_bar) {
        std::vector<Node>& its = by_maker_[result.operands[0]];
        const auto k = std::size_t(result.attributes.get<std::int64_t>("index"));
        if (its.size() <= k) its.resize(k + 1);
        its[k] = z_bar;
    }
    bool wait(Index maker) const { return !by_maker_.empty() && by_maker_.contains(maker); }
    /// All of an instruction's cotangents.
    std::vector<Node> take(Index maker, Node first, std::size_t results) {
        std::vector<Node> its = std::move(by_maker_[maker]);
        by_maker_.erase(maker);
        its.resize(results);
        its[0] = first;
        return its;
    }

private:
    std::unordered_map<Index, std::vector<Node>> by_maker_;
};

struct Scratch {
    Waiting parts;
    FurtherCotangents further;
    std::vector<Node> operands;
    Cotangents given;
};

/// z's cotangent goes to each operand that is on the way.
void pull(Path& path, Path::Step z, Recorder::Origin& origin, Scratch& scratch) {
    Recorder& recorder = path.recorder();
    // Copies: rules append to the tape, and its instructions may move.
    const Instruction& made = recorder.at(z.index);
    const Primitive& primitive = *made.primitive;
    const Attributes attributes = made.attributes;
    const Where where = made.where;
    std::vector<Node>& operands = scratch.operands;
    operand_nodes(recorder, made, operands);
    if (primitive.vjp_parts) {
        Path::Step* const x = path.find(operands[0].index());
        if (!x) return;
        if (scratch.parts.wait(x->index, &primitive)) scratch.parts.settle(recorder, origin, *x);
        return scratch.parts.add(x->index, recorder.at(z.index), z.derivative);
    }
    Cotangents& given = scratch.given;
    given.clear(operands.size());
    for (std::size_t k = 0; k < operands.size(); ++k) {
        Path::Step* const x = path.find(operands[k].index());
        if (!x || !is_floating(recorder.at(x->index).type.dtype)) continue;
        given.states[k] = GiveState::wanted;
        if (!scratch.parts.wait(x->index)) continue;
        scratch.parts.settle(recorder, origin, *x);
        origin.set(where);
    }
    if (primitive.results == 1) {
        const Node its = recorder.node(z.index);
        given.ask(primitive, {operands, attributes}, {&its, 1}, {&z.derivative, 1}, where);
    } else {
        const std::vector<Node> results = recorder.results(z.index);
        const std::vector<Node> z_bars = scratch.further.take(z.index, z.derivative, results.size());
        given.ask(primitive, {operands, attributes}, results, z_bars, where);
    }
    recorder.check_not_abandoned(primitive.name, where);
    for (std::size_t k = 0; k < operands.size(); ++k) {
        const Node x_bar = given.of(k, primitive, where);
        if (!x_bar.is_valid()) continue;
        check_partner(primitive.name, x_bar, operands[k], where);
        add_to(*path.find(operands[k].index()), x_bar);
    }
}

/// The reverse sweep. `cotangents` belong to `ys`, one each.
std::vector<Node> pull_through(Path& path, std::span<const Node> ys, std::span<const Node> wrt,
                               std::span<const Node> cotangents, Where where) {
    Recorder& recorder = path.recorder();
    const std::size_t before = recorder.size();
    Recorder::Origin origin(recorder);
    for (std::size_t k = 0; k < ys.size(); ++k) {
        if (!cotangents[k].is_valid()) continue;
        check_partner("vjp", cotangents[k], ys[k], where);
        if (Path::Step* y = path.find(ys[k].index())) add_to(*y, cotangents[k]);
    }
    Scratch scratch;
    const std::span<Path::Step> steps = path.steps();
    for (std::size_t i = steps.size(); i-- > 0;) {
        if (scratch.parts.wait(steps[i].index)) scratch.parts.settle(recorder, origin, steps[i]);
        const Instruction& made = recorder.at(steps[i].index);
        if (!steps[i].derivative.is_valid() && !scratch.further.wait(steps[i].index)) continue;
        if (made.primitive->takes_result) {
            scratch.further.add(made, steps[i].derivative);
            continue;
        }
        origin.set(made.where);
        pull(path, steps[i], origin, scratch);
    }
    origin.set(where);
    std::vector<Node> result;
    for (Node x : wrt) {
        const Path::Step* step = path.find(x.index());
        result.push_back(step && step->derivative.is_valid() ? step->derivative : full_like(x, 0.0, where));
    }
    verify_in_debug(recorder.instructions(), before);
    path.keep();
    return result;
}

}  // namespace

std::vector<Node> vjp(std::span<const Node> ys, std::span<const Node> wrt, std::span<const Node> cotangents, Where where) {
    if (ys.size() != cotangents.size())
        throw ValueError(std::to_string(ys.size()) + " outputs, " + std::to_string(cotangents.size()) +
                             " cotangents; needs one each", {"vjp", {}, {}, where});
    Path path("vjp", ys, wrt, where);
    return pull_through(path, ys, wrt, cotangents, where);
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
    Path path("grad", std::span(&y, 1), wrt, where);
    const Node one = full_like(y, 1.0, where);
    return pull_through(path, std::span(&y, 1), wrt, std::span(&one, 1), where);
}

std::vector<Node> grad(Node y, std::initializer_list<Node> wrt, Where where) {
    return grad(y, std::span(wrt.begin(), wrt.size()), where);
}

Node grad(Node y, Node wrt, Where where) { return grad(y, std::span(&wrt, 1), where)[0]; }

}  // namespace gradtape

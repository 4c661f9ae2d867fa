// Which instructions lie between the inputs and the outputs of a derivative.
#include "activity.hpp"

#include "../ir/own.hpp"

#include <algorithm>

namespace gradtape::detail {
namespace {

void check_floating(const Recorder& recorder, const char* asker, Node node, Where where) {
    const Type& type = recorder.at(node.index()).type;
    if (!is_floating(type.dtype))
        throw NotDifferentiable("node %" + std::to_string(node.index()) + " is " + to_string(type) +
                                    "; derivatives need float32 or float64", {asker, {type.shape}, {}, where});
}

/// Whether derivatives go on from it to its operands. Of several results the first may be an integer, and others not.
bool leads_on(const Instruction& instruction) {
    return instruction.primitive->differentiable && (is_floating(instruction.type.dtype) || instruction.primitive->results != 1);
}

}  // namespace

Path::Path(const char* asker, std::span<const Node> ys, std::span<const Node> wrt, Where where) {
    if (ys.empty() || wrt.empty())
        throw ValueError("needs at least one output and one input", {asker, {}, {}, where});
    recorder_ = &Recorder::of(ys[0], asker, where);
    for (std::span<const Node> nodes : {ys, wrt})
        for (Node node : nodes) {
            if (&Recorder::of(node, asker, where) != recorder_)
                throw TapeError("nodes are on different tapes; record them on one", {asker, {}, {}, where});
            check_floating(*recorder_, asker, node, where);
        }
    attempt_.emplace(*recorder_);
    first_ = wrt[0].index();
    for (Node x : wrt) first_ = std::min(first_, x.index());
    for (Node y : ys) last_ = std::max(last_, y.index());
    search_ = recorder_->take_search(std::size_t(last_) + 1);
    find_needed(ys);
    for (Node x : wrt)
        if (auto* found = search_.find(x.index())) found->wanted = true;
    keep_dependent();
}

/// What the ys need, in any order: each instruction found is asked for its operands in turn.
void Path::find_needed(std::span<const Node> ys) {
    for (Node y : ys) search_.add(first_, y.index());
    for (std::size_t k = 0; k < search_.found.size(); ++k) {
        const Instruction& instruction = recorder_->at(search_.found[k].index);
        if (!leads_on(instruction)) continue;
        for (Index operand : instruction.operands) search_.add(first_, operand);
    }
}

/// Of these, in the order of the tape, what depends on a wrt. Where they lie close together, looking at each place
/// between them costs less than sorting.
void Path::keep_dependent() {
    std::vector<Recorder::Search::Found>& found = search_.found;
    if (found.empty()) return;
    steps_.reserve(found.size());
    if (last_ - first_ < 8 * found.size()) {
        for (Index i = first_; i <= last_; ++i)
            if (const auto* needed = search_.find(i)) keep(i, needed->wanted);
    } else {
        std::sort(found.begin(), found.end(), [](const auto& a, const auto& b) { return a.index < b.index; });
        for (const auto& needed : found) keep(needed.index, needed.wanted);
    }
}

/// From here on `places` says where in `steps_` an instruction is; what is left of the search's own does no harm, since an
/// entry counts only where the step there names it.
void Path::keep(Index i, bool wanted) {
    const Instruction& instruction = recorder_->at(i);
    if (!wanted && leads_on(instruction))
        for (Index operand : instruction.operands) wanted = wanted || find(operand);
    if (!wanted) return;
    search_.places[i] = Index(steps_.size());
    steps_.push_back({i, {}});
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

void Cotangents::ask(const Primitive& primitive, const Operands& x, std::span<const Node> z, std::span<const Node> z_bar,
                     Where where) {
    if (primitive.vjp)
        in_the_name_of(primitive, where, [&] { primitive.vjp({x, z[0], z_bar[0], x_bar, states, z, z_bar}); });
}

void Cotangents::refuse(std::size_t k, const Primitive& primitive, Where where) {
    throw NotDifferentiable("has no vjp rule for operand " + std::to_string(k), {primitive.name, {}, {}, where});
}

}  // namespace gradtape::detail

namespace gradtape {

bool Operands::is_constant(std::size_t k) const {
    const Node node = (*this)[k];
    return detail::Recorder::of(node, "is_constant", {}).is_constant(node.index());
}

}  // namespace gradtape

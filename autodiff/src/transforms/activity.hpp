// Which instructions lie between the inputs and the outputs of a derivative.
#pragma once

#include "../tape/recorder.hpp"

namespace gradtape::detail {

/// The way of a derivative: the instructions that depend on a wrt, through differentiable instructions, and that a y needs.
/// Finding it costs as much as what the ys are made of, however long the tape is.
class Path {
public:
    struct Step {
        Index index;
        Node derivative;  ///< the sweep's: a cotangent or tangent; a default-made one is zero
    };

    /// Checks the nodes: one recording, floating.
    Path(const char* asker, std::span<const Node> ys, std::span<const Node> wrt, Where where);
    ~Path() { recorder_->put_back(std::move(search_)); }
    Path(const Path&) = delete;
    Path& operator=(const Path&) = delete;

    Recorder& recorder() const noexcept { return *recorder_; }
    /// What the sweep has recorded is whole. Without this it is taken back.
    void keep() noexcept { attempt_->keep(); }
    /// In the order of the tape.
    std::span<Step> steps() noexcept { return steps_; }
    /// Null for an instruction that is not on the way.
    Step* find(Index i) noexcept {
        if (i >= search_.places.size() || search_.places[i] >= steps_.size()) return nullptr;
        Step& step = steps_[search_.places[i]];
        return step.index == i ? &step : nullptr;
    }

private:
    void find_needed(std::span<const Node> ys);
    void keep_dependent();
    void keep(Index i, bool wanted);

    Recorder* recorder_;
    std::optional<Recorder::Attempt> attempt_;
    Recorder::Search search_;
    Index first_ = 0, last_ = 0;  // the wrt that comes first, the y that comes last
    std::vector<Step> steps_;
};

/// Throws where `mine`'s type is not that of the node it belongs to.
void check_partner(const char* asker, Node mine, Node partner, Where where);

/// The nodes of an instruction's operands, for a rule.
void operand_nodes(Recorder& recorder, const Instruction& instruction, std::vector<Node>& nodes);

/// What a vjp rule gives, operand by operand. Scratch of a sweep.
struct Cotangents {
    std::vector<Node> x_bar;
    std::vector<GiveState> states;

    void clear(std::size_t operands) {
        x_bar.assign(operands, Node());
        states.assign(operands, GiveState::unwanted);
    }
    /// Calls the rule, with all results and their cotangents.
    void ask(const Primitive& primitive, const Operands& x, std::span<const Node> z, std::span<const Node> z_bar, Where where);
    /// What operand k was given; a default-made Node is zero. NotDifferentiable where it wanted something and got nothing.
    Node of(std::size_t k, const Primitive& primitive, Where where) const {
        if (states[k] == GiveState::wanted) [[unlikely]] refuse(k, primitive, where);
        return x_bar[k];
    }
    [[noreturn]] static void refuse(std::size_t k, const Primitive& primitive, Where where);
};

}  // namespace gradtape::detail

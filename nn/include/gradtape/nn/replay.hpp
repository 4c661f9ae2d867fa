// Your own training loop, replayed: a compiled recording whose parameters are a model's.
#pragma once

#include <gradtape/compile.hpp>
#include <gradtape/nn/parameter.hpp>

namespace gradtape::nn {

/// An update for each of the model's parameters that the loss depends on: `rule(w, g)` records the new value from the
/// leaf w and ∂loss/∂w. ValueError where the loss depends on a parameter leaf that the model does not show.
/// `nn::updates(loss, model, [](gt::Node w, gt::Node g) { return w - 0.1 * g; })`
template <class Model, class Rule>
std::vector<Update> updates(Node loss, Model& model, Rule rule, Where where = Where::here()) {
    std::vector<Update> result;
    if constexpr (!std::is_invocable_r_v<Node, Rule&, Node, Node>) {
        static_assert(sizeof(Model) == 0, "a rule of updates gives the new value: [](Node w, Node g) { return w - 0.1 * g; }");
    } else {
        if (gradtape::detail::is_empty_function(rule))
            throw ValueError("there is no rule that gives a new value: it is empty", {"updates", {}, {}, where});
        check_reach(loss, named_parameters(model, where), where);
        const std::vector<Parameter*> found = parameters(model);
        const std::vector<Node> gradients = gradient_nodes(loss, found, where);
        for (std::size_t i = 0; i < found.size(); ++i)
            if (const Node w = found[i]->leaf(loss); w.is_valid()) result.push_back({w, rule(w, gradients[i])});
    }
    return result;
}

/// A Replay bound to a model, which must outlive it. Each run starts from the model's values and writes those that are
/// updated back to it, so that the model, the recording and your own code never see two values of one parameter.
class ModelReplay {
public:
    /// Compiles what `tape` recorded, as `compile`. ValueError where an update is of a parameter leaf that the model does
    /// not show: its value would be lost.
    template <class Model>
    ModelReplay(Model& model, const Tape& tape, const Several<Node>& outputs, const Several<Update>& updates = {},
                const CompileOptions& options = {}, Where where = Where::here())
        : ModelReplay([&model](Visitor& v) { show(model, v); }, tape, outputs, updates, options, where) {}

    /// As Replay::run. Where it throws, the model is as it was. ValueError where the model shows other parameters than when
    /// it was compiled, ShapeError or DTypeError where one has another type.
    void run(Where where = Where::here());
    /// The same after setting the inputs, in the order in which they were recorded.
    void run(std::initializer_list<Tensor> inputs, Where where = Where::here());
    /// Result i of the last run.
    Tensor output(std::size_t i, Where where = Where::here()) const { return replay_.output(i, where); }
    /// For single inputs, and for parameters that are not the model's.
    Replay& replay() noexcept { return replay_; }

private:
    /// A parameter of the model: its place in `visit`, its number in the recording.
    struct Bound {
        std::size_t place, number;
        std::optional<Tensor> stand_in;  ///< where it is updated: in the model while the run writes its own value in place
    };
    ModelReplay(std::function<void(Visitor&)> visit, const Tape& tape, const Several<Node>& outputs,
                const Several<Update>& updates, const CompileOptions& options, Where where);

    std::function<void(Visitor&)> visit_;
    Visitor visitor_{false};
    std::size_t shown_ = 0;
    std::vector<Bound> bound_;
    Replay replay_;
};

}  // namespace gradtape::nn

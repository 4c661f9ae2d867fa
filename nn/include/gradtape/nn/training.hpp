// Training at three levels, each written in terms of the next: the loop `fit`, one `step`, and your own loop of
// `gradients` and `Sgd::step`.
#pragma once

#include <gradtape/nn/data.hpp>
#include <gradtape/nn/optimizers.hpp>

namespace gradtape::nn {

class Replays;

/// What a loss function returns: the loss, a mean over the samples of the batch; and, where mislabelled samples are to
/// be counted, the scores that `count_mislabelled` reads. A Node converts.
struct Outcome {
    Node loss;
    Node scores;
    Outcome(Node loss_node, Node scores_node = {}) : loss(loss_node), scores(scores_node) {}
};

struct Evaluation {
    double loss = 0;
    std::optional<std::int64_t> mislabelled{};  ///< where the loss function returns scores and labels are classes
    std::int64_t samples = 0;
    std::int64_t judged = 0;  ///< the labels that `mislabelled` is a count of: several for each sample, where they are (n, …)

    /// 1 − mislabelled / judged. ValueError where nothing was judged.
    double accuracy(Where where = Where::here()) const;
};

/// What a hook sees between gradient and update: parameters still have the values the gradients belong to.
struct StepView {
    const Batch& batch;
    double loss;
    std::span<Parameter* const> parameters;
    std::span<const Tensor> gradients;
};
using StepHook = std::function<void(const StepView&)>;

/// A loss that is NaN or infinite. The weights are those that gave it.
struct NonFiniteLoss : Error {
    NonFiniteLoss(const std::string& problem, ErrorFacts facts, double found, int in_epoch, std::int64_t in_batch)
        : Error(problem, std::move(facts)), loss(found), epoch(in_epoch), batch(in_batch) {}
    double loss;
    int epoch;           ///< from 1; 0 outside of `fit`
    std::int64_t batch;  ///< from 1
};

/// Which of the weights met in an epoch it ends with.
enum class Select {
    last,
    best,     ///< least loss over the whole training set, among the epoch's start and after each step; the earliest of
              ///< equals
    average,  ///< the mean of the weights after each step
};

struct Phase {
    int epochs = 1;
    double learning_rate = 0.1;
    Select select = Select::last;
};

struct EpochReport {
    int epoch = 0;          ///< from 1, through all phases
    std::size_t phase = 0;  ///< index into FitOptions::phases
    double learning_rate = 0;
    double running_loss = 0;               ///< of the batches as they came, weighted by their samples
    std::optional<Evaluation> training{};  ///< the whole set under the epoch's final weights
};

struct FitOptions {
    std::vector<Phase> phases;
    BatchOptions batches = {};
    bool evaluate = true;  ///< the whole training set at the start and after each epoch; never changes the weights
    bool plain = false;    ///< no compiled steps: every batch is recorded anew (the same bits, slower)
    std::size_t threads = 1;  ///< of compiled steps, as in CompileOptions (the same bits)
    StepHook on_step = {};
    std::function<void(const EpochReport&)> on_epoch = {};
};

struct History {
    std::optional<Evaluation> start{};  ///< before the first step
    std::vector<EpochReport> epochs;
    std::vector<std::string> warnings;
};

/// Trains one model, which must outlive it. `loss(model, x, y)` records the loss of inputs x and labels y, and returns
/// a Node or an Outcome; `model.visit(visitor)` shows the parameters.
///
/// From the third batch of one shape on, the compiled recording is replayed: the same bits, without running the model's
/// C++ code again. What that code reads by Node::item is guarded, and Node::value is refused (there is `peek`). The second
/// batch's recording is compared: where a constant or an instruction is another (a mask drawn by C++ code), or where what
/// is read never comes again, all steps are recorded, with a warning. What changes only later (a counter, a schedule)
/// is not seen: such a model must be trained with `plain` set.
class Trainer {
public:
    Sgd optimizer;
    bool plain = false;  ///< records every step anew
    std::size_t threads = 1;  ///< of the steps that are compiled from now on, as in CompileOptions

    template <class Model, class Loss>
    Trainer(Model& model, Loss loss, Sgd sgd, Where where = Where::here())
        : optimizer(std::move(sgd)),
          record_(recorder_of(model, std::move(loss), where)),
          visit_([&model](Visitor& v) { show(model, v); }) {}

    /// Records the loss of one batch, differentiates, calls the hook, updates. Parameters are looked up anew each time;
    /// `check_reach` runs at the first step and whenever a recording has another length. Throws NonFiniteLoss or
    /// NonFiniteGradient before any update: they name the primitive and the line, or say that the batch is at fault.
    /// Returns loss and mislabelled samples under the weights before it.
    Evaluation step(const Batch& batch, const StepHook& hook = {}, Where where = Where::here());
    /// Loss and mislabelled samples of a whole set: forward only, in parts that are weighted by their samples.
    Evaluation evaluate(const Dataset& data, Where where = Where::here());
    /// Checks the data, then trains through all phases.
    History fit(const Dataset& data, const FitOptions& options, Where where = Where::here());

    /// Handles of all parameter values, in visiting order: a snapshot that costs no copy.
    std::vector<Tensor> weights();
    void set_weights(std::span<const Tensor> weights, Where where = Where::here());
    /// Parameters that the loss does not reach; and why steps or evaluations are recorded each time, if they are.
    const std::vector<std::string>& warnings() const noexcept { return warnings_; }

private:
    struct Epoch;
    Outcome record(Tape& tape, const Replays* replays, const Tensor& inputs, const Tensor& labels, const char* asked_by, Where where);
    EpochReport run_epoch(Epoch& epoch, Batches& batches, const FitOptions& options, Where where);
    void take(const std::vector<std::string>& warnings);
    void find_parameters(Node loss, Where where);
    Evaluation evaluate_finite(const Dataset& data, int epoch, std::int64_t batch, Where where);

    template <class Model, class Loss>
    static std::function<Outcome(Node, Node)> recorder_of(Model& model, Loss loss, Where where) {
        if constexpr (!std::is_invocable_v<Loss&, Model&, Node, Node>) {
            static_assert(sizeof(Loss) == 0, "a loss is called as loss(model, inputs, labels), the latter two gradtape::Node");
        } else if constexpr (!std::is_convertible_v<std::invoke_result_t<Loss&, Model&, Node, Node>, Outcome>) {
            static_assert(sizeof(Loss) == 0, "a loss returns a gradtape::Node, or an nn::Outcome of loss and scores");
        } else {
            if (gradtape::detail::is_empty_function(loss))
                throw ValueError("there is no loss function: it is empty", {"train", {}, {}, where});
            return [&model, loss = std::move(loss)](Node x, Node y) mutable { return Outcome(loss(model, x, y)); };
        }
    }

    std::function<Outcome(Node, Node)> record_;
    std::function<void(Visitor&)> visit_;
    Evaluation plain_step(const Batch& batch, const StepHook& hook, Where where);
    Evaluation evaluate_part(const Tensor& inputs, const Tensor& labels, Labels convention, Where where);
    std::span<Parameter* const> look_up();

    Tape tape_;
    Tape forward_tape_;
    std::shared_ptr<Replays> steps_, evaluations_;
    Visitor visitor_{false};
    std::size_t checked_size_ = 0;
    std::vector<std::string> warnings_;
};

/// Trains `model` on `data`: a Trainer's `fit`.
template <class Model, class Loss>
History fit(Model& model, Loss loss, const Dataset& data, const FitOptions& options, Where where = Where::here()) {
    Trainer trainer(model, std::move(loss), Sgd(0), where);
    return trainer.fit(data, options, where);
}

}  // namespace gradtape::nn

#include <gradtape/nn/training.hpp>

#include <gradtape/program.hpp>

#include "elements.hpp"
#include "replays.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace gradtape::nn {

namespace {

/// Clears a tape on entry and exit, so that its memory and the weights and batches it shares come free at once.
class Recording {
public:
    explicit Recording(Tape& tape) : tape_(tape) { tape_.clear(); }
    ~Recording() { tape_.clear(); }
    Recording(const Recording&) = delete;
    Recording& operator=(const Recording&) = delete;

private:
    Tape& tape_;
};

Evaluation read(const Tensor& loss, const std::optional<Tensor>& scores, const Tensor& labels, Labels convention,
                Where where) {
    Evaluation result{loss.item(where), {}, labels.shape()[0]};
    if (scores && convention != Labels::real) {
        result.mislabelled = count_mislabelled(*scores, labels, convention, where);
        result.judged = labels.elements();
    }
    return result;
}

Evaluation read(const Outcome& outcome, const Tensor& labels, Labels convention, Where where) {
    return read(outcome.loss.value(where), outcome.scores.is_valid() ? std::optional(outcome.scores.value(where)) : std::nullopt, labels,
                convention, where);
}

/// " in epoch 2, batch 5", or nothing for a batch of the user's own.
std::string place(int epoch, std::int64_t batch) {
    if (epoch == 0) return "";
    return " in epoch " + std::to_string(epoch) + ", batch " + std::to_string(batch);
}

/// "; the batch's inputs have NaN at (3, 1)", or "" where they are as finite as the labels.
std::string fault_of(const Batch& batch, Where where) {
    for (const Tensor* tensor : {&batch.inputs, &batch.labels})
        if (const std::string found = non_finite_in(*tensor, where); !found.empty())
            return std::string("; the batch's ") + (tensor == &batch.inputs ? "inputs have " : "labels have ") + found;
    return "";
}

bool same_line(Where a, Where b) { return a.file && b.file && a.line == b.line && std::string_view(a.file) == b.file; }

/// "; the first value that is not finite is %7, of [divide] at model.cpp:12, in the derivative of [sqrt]". A derivative is
/// recorded behind the loss, and its instructions name the lines of those they differentiate.
std::string cause_of(const Tape& tape, Node loss, bool nan) {
    Node first = first_non_finite(tape);
    if (!same_recording(first, loss)) return "";
    // An infinite constant is meant, a mask's say.
    if (nan && std::string_view(origin(first).primitive) == "constant") first = first_non_finite(tape, true);
    const Origin its = origin(first);
    const std::string line = to_string(its.where);
    std::string text = "; the first value that is not finite is %" + std::to_string(first.index()) + ", of [" + its.primitive +
                       "]" + (line.empty() ? "" : " at " + line);
    if (first.index() <= loss.index()) return text;
    std::string differentiated;
    const std::vector<Origin> all = origins(tape);
    for (std::size_t i = 0; i <= loss.index(); ++i)
        if (const std::string name = std::string("[") + all[i].primitive + "]"; same_line(all[i].where, its.where) &&
            std::string_view(all[i].primitive) != "constant" && differentiated.find(name) == std::string::npos)
            differentiated += (differentiated.empty() ? "" : ", ") + name;
    return text + (differentiated.empty() ? "" : ", in the derivative of " + differentiated);
}

[[noreturn]] void refuse_loss(const Tape& tape, Node loss, double value, const Batch& batch, Where where) {
    const std::string fault = fault_of(batch, where);
    throw NonFiniteLoss("the loss is " + number(value) + place(batch.epoch, batch.index) +
                            (fault.empty() ? cause_of(tape, loss, std::isnan(value)) + "; try a lower learning rate" : fault),
                        {"train", {}, {}, where}, value, batch.epoch, batch.index);
}

/// Refuses gradients that are not finite, before anything is done with them.
void check_gradients(const Tape& tape, Node loss, std::span<const Tensor> gradients, std::span<const NamedParameter> names,
                     const Batch& batch, Where where) {
    for (std::size_t i = 0; i < gradients.size(); ++i) {
        const std::string found = non_finite_in(gradients[i], where);
        if (found.empty()) continue;
        const std::string fault = fault_of(batch, where);
        throw NonFiniteGradient("the gradient of parameter '" + names[i].name + "' has " + found +
                                    place(batch.epoch, batch.index) +
                                    (fault.empty() ? cause_of(tape, loss, found.rfind("NaN", 0) == 0) : fault) +
                                    "; the weights were not changed",
                                {"train", {gradients[i].shape()}, {}, where}, i);
    }
}

/// Whether the fast path may go on.
bool are_finite(std::span<const Tensor> gradients, Where where) {
    return std::all_of(gradients.begin(), gradients.end(), [where](const Tensor& g) { return non_finite_in(g, where).empty(); });
}

}  // namespace

double Evaluation::accuracy(Where where) const {
    if (!mislabelled || judged == 0)
        throw ValueError("mislabelled samples were not counted; needs a loss function that returns scores, and labels that "
                         "are classes (not Labels::real)",
                         {"accuracy", {}, {}, where});
    return 1 - double(*mislabelled) / double(judged);
}

Outcome Trainer::record(Tape& tape, const Replays* replays, const Tensor& inputs, const Tensor& labels, const char* asked_by,
                        Where where) {
    if (inputs.shape().empty() || labels.shape().empty() || inputs.shape()[0] != labels.shape()[0])
        throw ShapeError("inputs " + to_string(inputs.shape()) + " and labels " + to_string(labels.shape()) +
                             " differ in samples; need as many rows of each",
                         {asked_by, {inputs.shape(), labels.shape()}, 0, where});
    const Node x = tape.input(inputs, where), y = tape.input(labels, where);
    tape.guard_reads(replays && !replays->watch().plain());  // of the model's code: what the trainer reads after it is no control flow of the model's
    const Outcome outcome = record_(x, y);
    tape.guard_reads(false);
    if (!outcome.loss.on(tape) || outcome.loss.shape().elements() != 1)
        throw ShapeError(
            "the loss function returned " +
                (outcome.loss.on(tape) ? "a value of shape " + to_string(outcome.loss.shape())
                                                       : std::string("no node of this recording")) +
                "; need one number, the mean over the samples",
            {asked_by, {inputs.shape(), labels.shape()}, {}, where});
    return outcome;
}

std::span<Parameter* const> Trainer::look_up() {
    visitor_.clear();
    visit_(visitor_);
    return visitor_.found();
}

/// Each warning is kept once.
void Trainer::take(const std::vector<std::string>& warnings) {
    for (const std::string& warning : warnings)
        if (std::find(warnings_.begin(), warnings_.end(), warning) == warnings_.end()) warnings_.push_back(warning);
}

void Trainer::find_parameters(Node loss, Where where) {
    look_up();
    if (tape_.size() == checked_size_) return;
    Visitor named;
    visit_(named);
    take(check_reach(loss, named.named(where), where));
    checked_size_ = tape_.size();
}

Evaluation Trainer::step(const Batch& batch, const StepHook& hook, Where where) {
    if (plain) return plain_step(batch, hook, where);
    if (!steps_) steps_ = std::make_shared<Replays>();
    const std::span<Parameter* const> parameters = look_up();
    const std::optional<Replays::Result> replayed = steps_->run(batch.inputs, batch.labels, parameters, where);
    if (!replayed) return plain_step(batch, hook, where);
    const Evaluation result = read(replayed->loss, replayed->scores, batch.labels, batch.convention, where);
    // Recorded anew, the step says which value was the first that is not finite.
    if (!std::isfinite(result.loss)) return plain_step(batch, hook, where);
    if (hook) {
        if (!are_finite(replayed->gradients, where)) return plain_step(batch, hook, where);
        hook({batch, result.loss, parameters, replayed->gradients});
    }
    try {
        optimizer.step(parameters, replayed->gradients, where);
    } catch (const NonFiniteGradient&) {
        return plain_step(batch, hook, where);  // says where it comes from
    }
    return result;
}

Evaluation Trainer::plain_step(const Batch& batch, const StepHook& hook, Where where) {
    const Recording recording(tape_);
    const Outcome outcome = record(tape_, plain ? nullptr : steps_.get(), batch.inputs, batch.labels, "step", where);
    const Evaluation result = read(outcome, batch.labels, batch.convention, where);
    if (!std::isfinite(result.loss))
        refuse_loss(tape_, outcome.loss, result.loss, batch, where);
    find_parameters(outcome.loss, where);
    const std::span<Parameter* const> parameters = visitor_.found();
    const std::vector<Node> nodes = gradient_nodes(outcome.loss, parameters, where);
    const std::vector<Tensor> found = gradient_values(nodes, parameters, where);
    if (!are_finite(found, where)) {
        Visitor named;
        visit_(named);
        check_gradients(tape_, outcome.loss, found, named.named(where), batch, where);
    }
    if (steps_ && !plain) {
        steps_->add(tape_, batch.inputs, batch.labels, parameters, outcome.loss, outcome.scores, nodes, threads, where);
        take(steps_->watch().warnings());
    }
    if (hook) hook({batch, result.loss, parameters, found});
    optimizer.step(parameters, found, where);
    return result;
}

Evaluation Trainer::evaluate_part(const Tensor& inputs, const Tensor& labels, Labels convention, Where where) {
    if (!plain) {
        if (!evaluations_) evaluations_ = std::make_shared<Replays>();
        if (const auto replayed = evaluations_->run(inputs, labels, look_up(), where))
            return read(replayed->loss, replayed->scores, labels, convention, where);
    }
    const Recording recording(forward_tape_);
    const Outcome outcome = record(forward_tape_, plain ? nullptr : evaluations_.get(), inputs, labels, "evaluate", where);
    if (!plain) {
        evaluations_->add(forward_tape_, inputs, labels, look_up(), outcome.loss, outcome.scores, {}, threads, where);
        take(evaluations_->watch().warnings());
    }
    return read(outcome, labels, convention, where);
}

Evaluation Trainer::evaluate(const Dataset& data, Where where) {
    constexpr std::int64_t part = 8192;  // rows at a time, to bound the memory
    const std::int64_t n = data.size();
    if (n <= part) return evaluate_part(data.inputs, data.labels, data.convention, where);
    Evaluation total;
    for (std::int64_t first = 0; first < n; first += part) {
        std::vector<std::int64_t> rows(std::size_t(std::min(part, n - first)));
        std::iota(rows.begin(), rows.end(), first);
        const Evaluation one =
            evaluate_part(take_rows(data.inputs, rows, where), take_rows(data.labels, rows, where), data.convention, where);
        total.loss += one.loss * double(one.samples) / double(n);
        total.samples += one.samples;
        total.judged += one.judged;
        if (one.mislabelled) total.mislabelled = total.mislabelled.value_or(0) + *one.mislabelled;
    }
    return total;
}

Evaluation Trainer::evaluate_finite(const Dataset& data, int epoch, std::int64_t batch, Where where) {
    const Evaluation result = evaluate(data, where);
    if (std::isfinite(result.loss)) return result;
    throw NonFiniteLoss("the loss of the whole training set is " + number(result.loss) +
                            (epoch == 0 ? " before the first step" : " after the step" + place(epoch, batch)) +
                            "; try a lower learning rate or other initial weights",
                        {"train", {}, {}, where}, result.loss, epoch, batch);
}

std::vector<Tensor> Trainer::weights() {
    std::vector<Tensor> result;
    for (const Parameter* parameter : look_up()) result.push_back(parameter->value());
    return result;
}

void Trainer::set_weights(std::span<const Tensor> weights, Where where) {
    look_up();
    if (weights.size() != visitor_.found().size())
        throw ValueError(std::to_string(weights.size()) + " values for " + std::to_string(visitor_.found().size()) +
                             " parameters; need one for each",
                         {"set_weights", {}, {}, where});
    for (std::size_t i = 0; i < weights.size(); ++i) visitor_.found()[i]->set(weights[i], where);
}

// ---- fit ---------------------------------------------------------------------------------------------------

namespace {

/// Sums weights in float64 and gives their mean.
class Average {
public:
    void add(const std::vector<Tensor>& weights, Where where) {
        sums_.resize(weights.size());
        for (std::size_t i = 0; i < weights.size(); ++i)
            with_elements(weights[i], where, [&](auto values) {
                sums_[i].resize(values.size());
                for (std::size_t j = 0; j < values.size(); ++j) sums_[i][j] += double(values[j]);
            });
        ++count_;
    }
    std::vector<Tensor> mean(const std::vector<Tensor>& like) const {
        std::vector<Tensor> result;
        for (std::size_t i = 0; i < like.size(); ++i) {
            std::vector<double> means(sums_[i]);
            for (double& m : means) m /= double(count_);
            result.push_back(Tensor::from(std::span<const double>(means), like[i].shape()).as(like[i].dtype()));
        }
        return result;
    }

private:
    std::vector<std::vector<double>> sums_;
    std::int64_t count_ = 0;
};

}  // namespace

/// The candidates for an epoch's final weights.
struct Trainer::Epoch {
    Trainer& trainer;
    const Dataset& data;
    const Phase& phase;
    int number;                       ///< from 1
    std::optional<Evaluation> known;  ///< of the present weights, where it has been computed
    Where where;

    std::vector<Tensor> best{};
    Evaluation best_evaluation{};
    Average average{};

    void start() {
        if (phase.select != Select::best) return;
        best_evaluation = known ? *known : trainer.evaluate_finite(data, number - 1, 0, where);
        best = trainer.weights();
    }
    void after_step(const Batch& batch) {
        known.reset();
        if (phase.select == Select::average) average.add(trainer.weights(), where);
        if (phase.select != Select::best) return;
        const Evaluation now = trainer.evaluate_finite(data, number, batch.index, where);
        known = now;
        if (!(now.loss < best_evaluation.loss)) return;
        best_evaluation = now;
        best = trainer.weights();
    }
    void finish() {
        if (phase.select == Select::best) {
            trainer.set_weights(best, where);
            known = best_evaluation;
        } else if (phase.select == Select::average) {
            trainer.set_weights(average.mean(trainer.weights()), where);
        }
    }
};

EpochReport Trainer::run_epoch(Epoch& epoch, Batches& batches, const FitOptions& options, Where where) {
    EpochReport report;
    report.learning_rate = optimizer.learning_rate = epoch.phase.learning_rate;
    epoch.start();
    double sum = 0;
    std::int64_t samples = 0;
    for (batches.start_epoch(where); const Batch* batch = batches.next();) {
        const Evaluation result = step(*batch, options.on_step, where);
        sum += result.loss * double(result.samples);
        samples += result.samples;
        epoch.after_step(*batch);
    }
    report.running_loss = sum / double(samples);
    epoch.finish();
    if (options.evaluate) {
        if (!epoch.known) epoch.known = evaluate_finite(epoch.data, epoch.number, batches.count(), where);
        report.training = epoch.known;
    }
    return report;
}

History Trainer::fit(const Dataset& data, const FitOptions& options, Where where) {
    History history;
    history.warnings = check(data, where);
    if (options.plain) plain = true;
    if (options.threads > 1) threads = options.threads;
    if (options.phases.empty())
        throw ValueError("no phases; need at least one {epochs, learning_rate, select}", {"fit", {}, {}, where});
    for (const Phase& phase : options.phases)
        if (phase.epochs < 0 || !(phase.learning_rate >= 0) || std::isinf(phase.learning_rate))
            throw ValueError("a phase of " + std::to_string(phase.epochs) + " epochs at learning rate " +
                                 number(phase.learning_rate) + "; need epochs >= 0 and a finite rate >= 0",
                             {"fit", {}, {}, where});
    Batches batches(data, options.batches, where);
    history.warnings.insert(history.warnings.end(), batches.warnings().begin(), batches.warnings().end());

    std::optional<Evaluation> known;
    if (options.evaluate) known = history.start = evaluate_finite(data, 0, 0, where);
    int number = 0;
    for (std::size_t p = 0; p < options.phases.size(); ++p)
        for (int i = 0; i < options.phases[p].epochs; ++i) {
            Epoch epoch{*this, data, options.phases[p], ++number, known, where};
            EpochReport report = run_epoch(epoch, batches, options, where);
            known = epoch.known;
            report.epoch = number;
            report.phase = p;
            history.epochs.push_back(report);
            if (options.on_epoch) options.on_epoch(report);
        }
    history.warnings.insert(history.warnings.end(), warnings_.begin(), warnings_.end());
    return history;
}

}  // namespace gradtape::nn

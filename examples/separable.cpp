// The post's first example: 200 points that a line separates, a 3-3-1 network, 46 epochs of plain SGD.
// The training loop is written out, with nothing between it and the tape but the compiler of recordings.
#include "support/options.hpp"
#include "support/post_results.hpp"
#include "support/progress.hpp"
#include "support/report.hpp"
#include "support/table.hpp"

#include <gradtape/compile.hpp>

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace gt = gradtape;
using examples::text;
using post::RunResult;

namespace {

// Mean log-loss of points with labels y = ±1: −log σ_k(yz) = softplus(−y k z), which no z can overflow.
gt::Node log_loss(gt::Node z, gt::Node y, double k) {
    return gt::mean(gt::softplus(-gt::reshape(y, {-1, 1}) * (k * z)));
}

std::vector<gt::Node> leaves(gt::Tape& tape, const std::vector<gt::Tensor>& W) {
    std::vector<gt::Node> nodes;
    for (const gt::Tensor& w : W) nodes.push_back(tape.parameter(w));
    return nodes;
}

// One step: the loss of a batch, its gradient, and a little way against it. What is recorded at the first batch is
// compiled, and replayed for all others; `plain` records every step anew, and takes the values as they are recorded.
class Step {
public:
    Step(double k, bool plain) : k_(k), plain_(plain) {}

    void operator()(std::vector<gt::Tensor>& W, const post::DataSet& batch, double rate, post::Witness& witness) {
        const std::vector<gt::Tensor> results = plain_ ? recorded(W, batch, rate) : replayed(W, batch, rate);
        witness.compare(W, batch.X, batch.y, std::span(results).first(W.size()));
        std::copy(results.begin() + std::ptrdiff_t(W.size()), results.end(), W.begin());
    }

private:
    // The gradient, then the new weights.
    std::vector<gt::Node> record(const std::vector<gt::Tensor>& W, const post::DataSet& batch, double rate) {
        tape_.clear();
        const gt::Node x = tape_.input(batch.X), y = tape_.input(batch.y), eta = tape_.input(gt::Tensor(rate));
        const std::vector<gt::Node> w = leaves(tape_, W);
        std::vector<gt::Node> results = gt::grad(log_loss(post::output_z(x, w, k_), y, k_), w);   // backpropagation
        for (std::size_t t = 0; t < w.size(); ++t) results.push_back(w[t] - eta * results[t]);
        return results;
    }
    std::vector<gt::Tensor> recorded(const std::vector<gt::Tensor>& W, const post::DataSet& batch, double rate) {
        std::vector<gt::Tensor> values;
        for (gt::Node node : record(W, batch, rate)) values.push_back(node.value());
        return values;
    }
    std::vector<gt::Tensor> replayed(const std::vector<gt::Tensor>& W, const post::DataSet& batch, double rate) {
        if (!replay_) replay_.emplace(gt::compile(tape_, record(W, batch, rate)));
        replay_->set_input(0, batch.X);
        replay_->set_input(1, batch.y);
        replay_->set_input(2, gt::Tensor(rate));
        for (std::size_t t = 0; t < W.size(); ++t) replay_->set_parameter(t, W[t]);
        replay_->run();
        std::vector<gt::Tensor> values;
        for (std::size_t i = 0; i < 2 * W.size(); ++i) values.push_back(replay_->output(i));
        return values;
    }

    double k_;
    bool plain_;
    gt::Tape tape_;
    std::optional<gt::Replay> replay_;
};

void evaluate(gt::Tape& tape, const std::vector<gt::Tensor>& W, const post::Example& example, RunResult& result) {
    tape.clear();
    const gt::Node z = post::output_z(tape.input(example.data.X), leaves(tape, W), example.k);
    const double loss = log_loss(z, tape.input(example.data.y), example.k).item();
    if (!std::isfinite(loss)) throw std::runtime_error(post::name(result) + ": the loss is not finite");
    result.loss.push_back(loss);
    result.mislabelled.push_back(post::mislabelled(z.value().data<double>(), example.data.y));
}

// One run from random weights; each epoch goes through all points once, in a new order.
RunResult train(const post::Example& example, std::uint64_t seed, Step& step, post::Witness& witness) {
    post::Run run(seed, example.widths, example.data.y.elements());
    RunResult result{.seed = seed};
    gt::Tape tape;
    evaluate(tape, run.weights, example, result);
    for (const post::Phase& phase : example.phases)
        for (int epoch = 0; epoch < phase.epochs; ++epoch) {
            run.generator.shuffle(run.order);
            for (std::size_t first = 0; first < run.order.size(); first += std::size_t(example.batch)) {
                const post::DataSet batch = post::rows(example.data, run.order, first, std::size_t(example.batch));
                step(run.weights, batch, phase.rate, witness);
            }
            evaluate(tape, run.weights, example, result);
        }
    result.weights = run.weights;
    return result;
}

std::vector<post::Expectation> expectations(const std::vector<RunResult>& runs) {
    long ever = 0, at_end = 0, by_26 = 0;
    for (const RunResult& run : runs) {
        ever += run.first_all_right().has_value();
        at_end += run.mislabelled.back() == 0;
        by_26 += run.first_all_right().value_or(1000) <= 26;
    }
    return {{"at some epoch up to 46", ever, 165, 199}, {"at epoch 46", at_end, 150, 195},
            {"by epoch 26", by_26, 70, 142}};
}

// The run that was last to get all points right by `epoch` and ends with them right; the first run if none does.
const RunResult& right_by(const std::vector<RunResult>& runs, int epoch) {
    const RunResult* found = nullptr;
    for (const RunResult& run : runs) {
        const int first = run.first_all_right().value_or(1000);
        if (first <= epoch && run.mislabelled.back() == 0 && (!found || first > found->first_all_right())) found = &run;
    }
    return found ? *found : runs[0];
}

plot::Panel region(const RunResult& run, const post::Example& example, std::size_t columns) {
    const std::optional<int> first = run.first_all_right();
    const std::string when = first ? text("all right first at epoch %d", *first)
                                   : text("%d wrong at the end", run.mislabelled.back());
    return post::region_panel(post::name(run) + ": " + when, run.weights, example.k,
                              {-0.5, 3.5, -1, 3}, &example.data, columns);
}

plot::Panel first_epochs(const std::vector<RunResult>& runs) {
    plot::Bars bars;
    for (int epoch = 1; epoch <= runs[0].epochs(); ++epoch) {
        bars.x.push_back(epoch);
        bars.height.push_back(0);
    }
    for (const RunResult& run : runs)
        if (const auto first = run.first_all_right(); first && *first > 0) ++bars.height[std::size_t(*first - 1)];
    plot::Panel panel{.title = text("First epoch with every point right, %zu runs", runs.size()), .x_label = "epoch",
                      .y_label = "runs"};
    panel.bars = {bars};
    return panel;
}

plot::Panel share_right(const std::vector<RunResult>& runs) {
    plot::Curve ever{"by this epoch", {}, {}, plot::blue, 2.2, false};
    plot::Curve now{"at this epoch", {}, {}, plot::green, 1.6, false};
    const int epochs = runs[0].epochs();
    for (int epoch = 0; epoch <= epochs; ++epoch) {
        double had = 0, have = 0;
        for (const RunResult& run : runs) {
            had += run.first_all_right().value_or(1000) <= epoch;
            have += run.mislabelled[std::size_t(epoch)] == 0;
        }
        ever.x.push_back(epoch), ever.y.push_back(100 * had / double(runs.size()));
        now.x.push_back(epoch), now.y.push_back(100 * have / double(runs.size()));
    }
    plot::Panel panel{.title = "Runs with every point right, per cent", .x_label = "epoch"};
    panel.window = plot::Window{0, double(epochs), 0, 118};
    panel.curves = {now, ever};
    return panel;
}

void draw(const std::vector<RunResult>& runs, const post::Example& example, const examples::Options& options) {
    const std::size_t columns = options.quick ? 100 : 260;
    const plot::Panel data = post::data_panel("Training set, 200 points", example.data);
    const plot::Panel slow = region(right_by(runs, 46), example, columns);
    const plot::Panel fast = region(right_by(runs, 26), example, columns);
    const plot::Panel loss = post::loss_panel(runs), first = first_epochs(runs), share = share_right(runs);
    const auto picture = [&](const char* name, const plot::Figure& figure) {
        std::printf("  %s\n", plot::draw(figure, options.out / name).c_str());
    };
    std::printf("\nPictures\n");
    picture("separable_data", {{data}});
    picture("separable_regions", {{slow, fast}});
    picture("separable_loss", {{loss}});
    picture("separable_first_epoch", {{first, share}});
    picture("separable", {{data, slow, fast, loss, first, share}, 3});
}

int run(const examples::Options& options) {
    const post::Example example = post::separable();
    post::Witness witness(example.k);
    Step step(example.k, options.plain);
    std::vector<RunResult> runs;
    examples::Progress progress("separable", options.runs, "runs");
    for (int i = 0; i < options.runs; ++i) {
        runs.push_back(train(example, options.seed + std::uint64_t(i), step, witness));
        progress.update(i + 1);
    }
    const double seconds = progress.finish();

    post::print_trajectories(runs, {0, 1, 2, 5, 10, 26, 46});
    const bool expected = post::print_expectations("All 200 points right", expectations(runs), runs.size());
    const bool equal = post::print_witness(witness, seconds);
    draw(runs, example, options);
    examples::write_report(options.out, "separable", post::report_section(runs, witness, seconds, example.k));
    return expected && equal ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
    const auto options = examples::read_options(argc, argv, "The post's first example: 200 points that a line "
        "separates, and a 3-3-1 network trained by backpropagation on the tape.");
    try {
        return run(options);
    } catch (const std::exception& problem) {
        std::fprintf(stderr, "separable: %s\n", problem.what());
        return 1;
    }
}

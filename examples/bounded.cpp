// The post's second example: 160 points, the positive ones around the origin, a 3-5-1 network trained in five phases.
// Training is a call of nn::fit; the network is a plain struct. Beside it stand the weights that the post constructs by
// hand, which do not bound the positive region after all, and those that it publishes.
#include "support/options.hpp"
#include "support/post_results.hpp"
#include "support/progress.hpp"
#include "support/report.hpp"
#include "support/table.hpp"

#include <gradtape/nn/nn.hpp>

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace gt = gradtape;
namespace nn = gradtape::nn;
using examples::text;
using post::RunResult;

namespace {

// Two layers without bias: the input's third coordinate is 1.
struct Network {
    nn::Dense hidden, output;
    double k;

    gt::Node operator()(gt::Node x) const { return output(nn::sigmoid(hidden(x), k)); }
    void visit(nn::Visitor& v) {
        v("hidden", hidden);
        v("output", output);
    }
};

// The output's sigmoid is part of the loss, which takes its logit kz.
nn::Outcome log_loss(const Network& network, gt::Node x, gt::Node y) {
    const gt::Node z = network(x);
    return {nn::log_loss(network.k * z, y, nn::Labels::plus_minus_one), z};
}

std::vector<nn::Phase> phases(const std::vector<post::Phase>& list) {
    std::vector<nn::Phase> result;
    for (const post::Phase& phase : list)
        result.push_back({phase.epochs, phase.rate, phase.select == post::Select::best      ? nn::Select::best
                                                    : phase.select == post::Select::average ? nn::Select::average
                                                                                            : nn::Select::last});
    return result;
}

// One run from random weights, drawn from the post's own generator, which goes on to shuffle the points.
RunResult train(const post::Example& example, std::uint64_t seed, post::Witness& witness, bool plain) {
    post::Run run(seed, example.widths, example.data.y.elements());
    Network network{nn::Dense(run.weights[0]), nn::Dense(run.weights[1]), example.k};
    const nn::FitOptions options{
        .phases = phases(example.phases),
        .batches = {.size = example.batch, .reorder = [&](int, std::span<std::int64_t> order) {
            run.generator.shuffle(run.order);
            std::copy(run.order.begin(), run.order.end(), order.begin());
        }},
        .plain = plain,
        .on_step = [&](const nn::StepView& step) {   // the tape's gradient against the one derived by hand
            const gt::Tensor W[] = {step.parameters[0]->value(), step.parameters[1]->value()};
            witness.compare(W, step.batch.inputs, step.batch.labels, step.gradients);
        }};
    const nn::History history =
        nn::fit(network, log_loss, {example.data.X, example.data.y, nn::Labels::plus_minus_one}, options);

    RunResult result{.seed = seed};
    result.loss.push_back(history.start->loss);
    result.mislabelled.push_back(int(*history.start->mislabelled));
    for (const nn::EpochReport& epoch : history.epochs) {
        result.loss.push_back(epoch.training->loss);
        result.mislabelled.push_back(int(*epoch.training->mislabelled));
    }
    result.weights = {network.hidden.weight.value(), network.output.weight.value()};
    return result;
}

std::vector<RunResult> train_all(const std::string& title, const post::Example& example, post::Witness& witness,
                                 const examples::Options& options, double& seconds) {
    std::vector<RunResult> runs;
    examples::Progress progress(title, options.runs, "runs");
    for (int i = 0; i < options.runs; ++i) {
        runs.push_back(train(example, options.seed + std::uint64_t(i), witness, options.plain));
        progress.update(i + 1);
    }
    seconds += progress.finish();
    return runs;
}

long at_most_one(const std::vector<RunResult>& runs) {
    return std::count_if(runs.begin(), runs.end(), [](const RunResult& run) { return run.mislabelled.back() <= 1; });
}

int least(const std::vector<RunResult>& runs) {
    int best = runs[0].mislabelled.back();
    for (const RunResult& run : runs) best = std::min(best, run.mislabelled.back());
    return best;
}

// z far away from the origin: the largest over a circle. Where it is positive the region has no bound.
double largest_far_away(const std::vector<gt::Tensor>& W, double k) {
    constexpr std::int64_t directions = 720;
    gt::Tensor ring = gt::Tensor::uninitialised({gt::DType::float64, {directions, 3}});
    const auto x = ring.mutable_data<double>();
    for (std::size_t i = 0; i < directions; ++i) {
        const double angle = 2 * 3.141592653589793 * double(i) / directions;
        x[3 * i] = 1e4 * std::cos(angle), x[3 * i + 1] = 1e4 * std::sin(angle), x[3 * i + 2] = 1;
    }
    const std::vector<double> z = post::output_z(W, ring, k);
    return *std::max_element(z.begin(), z.end());
}

void print_constructed(const post::Example& example) {
    std::vector<std::vector<std::string>> rows;
    const auto add = [&](const std::string& name, const std::vector<gt::Tensor>& W) {
        const std::vector<double> z = post::output_z(W, example.data.X, example.k);
        const double far = largest_far_away(W, example.k);
        rows.push_back({name, text("%d", post::mislabelled(z, example.data.y)), text("%+.3f", far), far < 0 ? "yes" : "no"});
    };
    for (double c : {3.0, 3.3, 3.4, 3.9, 4.4}) add(text("constructed, last weight -%.1f", c), post::constructed_weights(c));
    add("published after training", post::trained_weights());
    examples::print_table("Weights of the post", {"", "mislabelled", "largest z far away", "bounded"}, rows);
    std::printf("  The constructed weights mean to label a square, by the AND of four half-planes. With the last weight -3\n"
                "  they do not: the fifth hidden value is sigma(2) = 0.881 and not 1, so the threshold is 2.64, and three of\n"
                "  four half-planes exceed it. The region is a cross without end. At k = 2 it is bounded, and not empty,\n"
                "  for last weights between -3.365 and -4.460.\n");
}

void print_weights(const RunResult& run) {
    const std::vector<gt::Tensor> published = post::trained_weights();
    std::vector<std::vector<std::string>> rows;
    const auto row = [](const gt::Tensor& W, std::size_t i) {
        const auto w = W.data<double>();
        const std::size_t n = std::size_t(W.shape()[1]);
        std::string line;
        for (std::size_t j = 0; j < n; ++j) line += text("%7.1f", w[i * n + j]);
        return line;
    };
    for (std::size_t t = 0; t < 2; ++t)
        for (std::size_t i = 0; i < std::size_t(published[t].shape()[0]); ++i)
            rows.push_back({i == 0 ? text("W%zu", t) : "", row(run.weights[t], i), row(published[t], i)});
    examples::print_table("Weights at the end (other data and other draws: not to be reproduced)",
                          {"", post::name(run), "published"}, rows);
}

const RunResult& best_of(const std::vector<RunResult>& runs) {
    return *std::min_element(runs.begin(), runs.end(), [](const RunResult& a, const RunResult& b) {
        return std::pair(a.mislabelled.back(), a.loss.back()) < std::pair(b.mislabelled.back(), b.loss.back());
    });
}

plot::Panel mislabelled_panel(const std::vector<RunResult>& scheduled, const std::vector<RunResult>& plain) {
    constexpr int most = 20;
    const auto bars = [](const std::string& label, const std::vector<RunResult>& runs, double shift, const char* colour) {
        plot::Bars b{label, {}, {}, 0.42, colour};
        for (int n = 0; n <= most; ++n) b.x.push_back(n + shift), b.height.push_back(0);
        for (const RunResult& run : runs) ++b.height[std::size_t(std::min(run.mislabelled.back(), int(most)))];
        return b;
    };
    plot::Panel panel{.title = text("Points on the wrong side, %zu runs", scheduled.size()),
                      .x_label = text("of 160 (%d: or more)", most), .y_label = "runs"};
    panel.bars = {bars("the post's schedule", scheduled, -0.22, plot::pale_blue), bars("plain", plain, 0.22, plot::pale_red)};
    return panel;
}

void draw(const std::vector<RunResult>& scheduled, const std::vector<RunResult>& plain, const post::Example& example,
          const examples::Options& options) {
    const std::size_t columns = options.quick ? 100 : 260;
    const plot::Window near{-4.5, 4.5, -4.5, 4.5}, far{-30, 30, -30, 30}, wide{-8, 8, -8, 8};
    const auto region = [&](const std::string& title, const std::vector<gt::Tensor>& W, const plot::Window& window, bool points) {
        return post::region_panel(title, W, example.k, window, points ? &example.data : nullptr, columns);
    };
    const auto &first = scheduled[0], &best = best_of(scheduled);
    const auto trained = [&](const RunResult& run) {
        return region(text("%s: %d of 160 wrong", post::name(run).c_str(), run.mislabelled.back()), run.weights, near, true);
    };
    const plot::Panel data = post::data_panel("Training set, 160 points", example.data), ours = trained(first), better = trained(best);
    const plot::Panel constructed = region("Constructed, last weight −3", post::constructed_weights(3), near, true);
    const plot::Panel constructed_far = region("Last weight −3 from afar: no bound", post::constructed_weights(3), far, false);
    const plot::Panel mended = region("Constructed, last weight −3.9", post::constructed_weights(3.9), near, true);
    const plot::Panel mended_far = region("Last weight −3.9 from afar: bounded", post::constructed_weights(3.9), far, false);
    const plot::Panel published = region("Published after training", post::trained_weights(), wide, false);
    const plot::Panel loss = post::loss_panel(scheduled), wrong = mislabelled_panel(scheduled, plain);
    std::printf("\nPictures\n");
    const auto picture = [&](const char* name, const plot::Figure& figure) {
        std::printf("  %s\n", plot::draw(figure, options.out / name).c_str());
    };
    picture("bounded_data", {{data}});
    picture("bounded_regions", {{ours, better}});
    picture("bounded_constructed", {{constructed, constructed_far, mended, mended_far}, 2});
    picture("bounded_published", {{published}});
    picture("bounded_loss", {{loss}});
    picture("bounded_mislabelled", {{wrong}});
    picture("bounded", {{data, ours, published, constructed_far, mended, wrong}, 3});
}

int run(const examples::Options& options) {
    const post::Example example = post::bounded();
    post::Example plain_example = example;
    plain_example.phases = post::plain_phases();
    post::Witness witness(example.k);
    double seconds = 0;
    const std::vector<RunResult> scheduled = train_all("bounded", example, witness, options, seconds);
    const std::vector<RunResult> plain = train_all("bounded, plain schedule", plain_example, witness, options, seconds);

    post::print_trajectories(scheduled, {0, 1, 2, 11, 41, 46, 56});
    const bool expected = post::print_expectations(
        "At most one of 160 points mislabelled", {{"the post's schedule", at_most_one(scheduled), 75, 148}}, scheduled.size());
    std::printf("  plain schedule (56 epochs, rate 1, always last): %ld of %zu; least mislabelled: %d and %d\n",
                at_most_one(plain), plain.size(), least(scheduled), least(plain));
    print_constructed(example);
    print_weights(scheduled[0]);
    const bool equal = post::print_witness(witness, seconds);
    draw(scheduled, plain, example, options);
    auto section = post::report_section(scheduled, witness, seconds, example.k);
    for (const RunResult& one : plain) section["final_mislabelled_plain"].push_back(one.mislabelled.back());
    examples::write_report(options.out, "bounded", section);
    return expected && equal ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
    const auto options = examples::read_options(argc, argv, "The post's second example: 160 points, the positive ones "
        "around the origin, and a 3-5-1 network trained in phases.");
    try {
        return run(options);
    } catch (const std::exception& problem) {
        std::fprintf(stderr, "bounded: %s\n", problem.what());
        return 1;
    }
}

// The post's second example: 160 points, the positive ones in a bounded set around the origin; a 3-5-1 network, and
// five phases of training. Written with gradtape::nn: a model is a plain struct, `fit` runs the phases.
#include "support/bounded_story.hpp"
#include "support/options.hpp"
#include "support/progress.hpp"
#include "support/report.hpp"

#include <gradtape/nn/nn.hpp>

#include <nlohmann/json.hpp>

#include <cstdio>

namespace gt = gradtape;
namespace nn = gradtape::nn;
using post::RunResult;
using post::Schedule;

namespace {

struct Network {
    nn::Dense hidden, output;   // no biases: the third input is a constant 1
    double k;

    // The logit: 1/(1 + e^−logit) is the output vertex's value.
    gt::Node operator()(gt::Node x) const { return k * output(nn::sigmoid(hidden(x), k)); }
    void visit(nn::Visitor& v) {
        v("hidden", hidden);
        v("output", output);
    }
};

nn::Outcome log_loss(const Network& network, gt::Node x, gt::Node y) {
    const gt::Node logits = network(x);
    return {nn::log_loss(logits, y, nn::Labels::plus_minus_one), logits};
}

std::vector<nn::Phase> phases_for_fit(const std::vector<post::Phase>& phases) {
    std::vector<nn::Phase> result;
    for (const post::Phase& phase : phases) {
        const nn::Select select = phase.select == post::Select::best      ? nn::Select::best
                                  : phase.select == post::Select::average ? nn::Select::average
                                                                          : nn::Select::last;
        result.push_back({phase.epochs, phase.rate, select});
    }
    return result;
}

// One run from random weights. The hook sees every step's gradient before it is applied.
RunResult train(const post::Example& example, const std::vector<post::Phase>& phases, std::uint64_t seed, bool plain,
                post::Witness& witness) {
    post::Run run(seed, example.widths, example.data.y.elements());
    Network network{nn::Dense(run.weights[0]), nn::Dense(run.weights[1]), example.k};
    RunResult result{.seed = seed};

    nn::FitOptions options{.phases = phases_for_fit(phases), .batches = {.size = example.batch}, .plain = plain};
    options.batches.reorder = [&](int, std::span<std::int64_t> order) {   // the post's batches, not the library's
        run.generator.shuffle(run.order);
        std::copy(run.order.begin(), run.order.end(), order.begin());
    };
    options.on_step = [&](const nn::StepView& step) {
        const gt::Tensor W[] = {step.parameters[0]->value(), step.parameters[1]->value()};
        witness.compare(W, step.batch.inputs, step.batch.labels, step.gradients);
    };
    const nn::Dataset data{example.data.X, example.data.y, nn::Labels::plus_minus_one};
    const nn::History history = nn::fit(network, log_loss, data, options);

    const auto add = [&result](const nn::Evaluation& evaluation) {
        result.loss.push_back(evaluation.loss);
        result.mislabelled.push_back(int(*evaluation.mislabelled));
    };
    add(*history.start);
    for (const nn::EpochReport& epoch : history.epochs) add(*epoch.training);
    result.weights = {network.hidden.weight.value(), network.output.weight.value()};
    return result;
}

int run(const examples::Options& options) {
    const post::Example example = post::bounded();
    post::Witness witness(example.k);
    std::vector<Schedule> schedules = post::schedules(example);
    examples::Progress progress("bounded", options.runs * long(schedules.size()), "runs");
    long done = 0;
    for (Schedule& schedule : schedules)
        for (int i = 0; i < options.runs; ++i) {
            const std::uint64_t seed = options.seed + std::uint64_t(i);
            schedule.runs.push_back(train(example, schedule.phases, seed, options.plain, witness));
            progress.update(++done);
        }
    const double seconds = progress.finish();

    const std::vector<RunResult>& runs = schedules[0].runs;   // the post's own schedule
    post::print_trajectories(runs, {0, 1, 2, 11, 41, 46, 56});
    const bool expected = post::print_schedules(schedules, example.k);
    post::print_published(example);
    post::print_beside_published(runs[0]);
    const bool equal = post::print_witness(witness, seconds);
    post::draw_bounded(schedules, example, options.out, options.quick ? 100 : 260);

    nlohmann::ordered_json section = post::report_section(runs, witness, seconds, example.k);
    post::add_bounded(section, schedules, example.k);
    examples::write_report(options.out, "bounded", section);
    return expected && equal ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
    const auto options = examples::read_options(argc, argv, "The post's second example: a bounded positive set, and a "
        "3-5-1 network trained in the post's five phases, beside other schedules and the published weights.");
    try {
        return run(options);
    } catch (const std::exception& problem) {
        std::fprintf(stderr, "bounded: %s\n", problem.what());
        return 1;
    }
}

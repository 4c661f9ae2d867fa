// nn's trainer, through the tape, follows the reference trajectories of the post's two examples.
#include <gradtape/nn/nn.hpp>

#include "examples/support/post_data.hpp"

#include <doctest/doctest.h>

#include <cmath>

using namespace gradtape;

namespace {

struct Network {
    nn::Dense first, second;
    double k = 2;

    Node logits(Node x) const { return k * second(nn::sigmoid(first(x), k)); }
    void visit(nn::Visitor& v) {
        v("first", first);
        v("second", second);
    }
};

nn::Outcome loss(const Network& network, Node x, Node y) {
    const Node z = network.logits(x);
    return {nn::log_loss(z, y, nn::Labels::plus_minus_one), z};
}

struct Golden {
    int epoch;
    double loss;
    int mislabelled;     ///< −1: not recorded
    double sensitivity;  ///< how far rounding alone moves the loss, relative
};

nn::History train(const post::Example& example, std::uint64_t w) {
    post::Run run(w, example.widths, example.data.X.shape()[0]);
    Network network{nn::Dense(run.weights[0]), nn::Dense(run.weights[1]), example.k};
    nn::FitOptions options;
    for (const post::Phase& phase : example.phases)
        options.phases.push_back({phase.epochs, phase.rate,
                                  phase.select == post::Select::best      ? nn::Select::best
                                  : phase.select == post::Select::average ? nn::Select::average
                                                                          : nn::Select::last});
    options.batches = {.size = example.batch, .reorder = [&](int, std::span<std::int64_t> order) {
                           run.generator.shuffle(run.order);
                           std::copy(run.order.begin(), run.order.end(), order.begin());
                       }};
    return nn::fit(network, loss, {example.data.X, example.data.y, nn::Labels::plus_minus_one}, options);
}

void check_run(const post::Example& example, std::uint64_t w, const std::vector<Golden>& golden) {
    const nn::History history = train(example, w);
    CHECK(history.warnings.empty());
    for (const Golden& g : golden) {
        const nn::Evaluation got = g.epoch == 0 ? *history.start : *history.epochs.at(std::size_t(g.epoch - 1)).training;
        INFO("run ", w, " epoch ", g.epoch, " off by ", got.loss - g.loss);
        CHECK(std::abs(got.loss - g.loss) <= 0.51e-12 + 10 * g.sensitivity * g.loss);
        if (g.mislabelled >= 0) CHECK(*got.mislabelled == g.mislabelled);
    }
}

}  // namespace

TEST_CASE("separable: always last") {
    check_run(post::separable(), 1,
              {{0, 1.088427719461, 100, 1e-14},
               {1, 0.262854659494, 13, 1e-14},
               {5, 0.135633395941, 12, 1e-14},
               {10, 0.067565318177, 4, 1e-14},
               {26, 0.068555516785, 6, 1e-14},
               {46, 0.002111815626, 0, 2e-11}});
    check_run(post::separable(), 2,
              {{0, 0.637618228001, 98, 1e-16}, {2, 0.195091299921, 18, 1e-16}, {10, 0.086617387679, 4, 1e-16}});
    check_run(post::separable(), 3,
              {{0, 0.592972542592, 100, 1e-15}, {10, 0.436522877359, 100, 1e-15}, {26, 0.381504051727, 77, 1e-15}});
}

TEST_CASE("bounded: best, last and average as the post has them") {
    check_run(post::bounded(), 1,
              {{0, 1.040705587924, 80, 1e-9},
               {1, 0.448299499393, 53, 1e-9},
               {2, 0.416169650171, 42, 1e-9},
               {11, 0.114089042744, 6, 1e-9},
               {41, 0.036096741625, 1, 1e-9},
               {46, 0.035040185423, 1, 1e-9},
               {56, 0.029643593929, 1, 1e-9}});
    check_run(post::bounded(), 2,
              {{1, 0.627613849548, 65, 1e-9},
               {11, 0.140688331061, 13, 1e-9},
               {41, 0.015726664712, 0, 1e-9},
               {46, 0.014195640901, 0, 1e-9},
               {56, 0.011975619999, 0, 1e-9}});
    check_run(post::bounded(), 3,
              {{1, 0.481466133177, 48, 1e-12},
               {11, 0.243408041081, 17, 1e-12},
               {41, 0.056030827356, 3, 1e-12},
               {46, 0.047932702199, 1, 1e-12},
               {56, 0.056720070309, 3, 1e-12}});
}

// explicit_backprop trains the post's two examples: the losses of six runs against another implementation's.
#include "support/explicit_trainer.hpp"

#include <doctest/doctest.h>

#include <cmath>

using namespace explicit_trainer;
using gradtape::DType;
using gradtape::Tensor;

namespace {

struct Golden {
    int epoch;
    double loss;              ///< to twelve decimals
    int mislabelled;          ///< −1: not recorded
    double sensitivity;       ///< how far rounding alone moves the loss, relative
};

void check_run(const post::Example& example, std::uint64_t w, const std::vector<Golden>& golden) {
    for (const eb::Form form : {eb::Form::batch, eb::Form::sample}) {
        const auto result = train(example, w, {.form = form});
        for (const Golden& g : golden) {
            const Score& got = result.history.at(std::size_t(g.epoch));
            INFO("run ", w, " epoch ", g.epoch, " off by ", got.log_loss - g.loss);
            CHECK(std::abs(got.log_loss - g.loss) <= 0.51e-12 + g.sensitivity * g.loss);
            if (g.mislabelled >= 0) CHECK(got.mislabelled == g.mislabelled);
        }
    }
}

}  // namespace

TEST_CASE("explicit: separable, run 1") {
    check_run(post::separable(), 1,
              {{0, 1.088427719461, 100, 1e-14},
               {1, 0.262854659494, 13, 1e-14},
               {2, 0.219904331402, 15, 1e-14},
               {5, 0.135633395941, 12, 1e-14},
               {10, 0.067565318177, 4, 1e-14},
               {26, 0.068555516785, 6, 1e-14},
               {46, 0.002111815626, 0, 2e-11}});
    const auto result = train(post::separable(), 1);
    CHECK(result.first_all_right == 36);
    const auto& W = result.network.W;
    const auto W0 = W[0].data<double>(), W1 = W[1].data<double>();
    const double row[] = {1.82088799, 6.6045644, -9.15459211}, output[] = {3.51716721, -2.82440397, -3.94292639};
    for (std::size_t i = 0; i < 3; ++i) {
        CHECK(std::abs(W0[i] - row[i]) < 0.6e-8);
        CHECK(std::abs(W1[i] - output[i]) < 0.6e-8);
    }
}

TEST_CASE("explicit: separable, run 2") {
    check_run(post::separable(), 2,
              {{0, 0.637618228001, 98, 1e-16},
               {1, 0.292199079193, 21, 1e-16},
               {2, 0.195091299921, 18, 1e-16},
               {5, 0.145137775425, 13, 1e-16},
               {10, 0.086617387679, 4, 1e-16},
               {26, 0.033738285772, -1, 5e-5}});
}

TEST_CASE("explicit: separable, run 3") {
    check_run(post::separable(), 3,
              {{0, 0.592972542592, 100, 1e-15},
               {1, 0.524717531498, 100, 1e-15},
               {2, 0.497813759135, 100, 1e-15},
               {5, 0.464038918757, 100, 1e-15},
               {10, 0.436522877359, 100, 1e-15},
               {26, 0.381504051727, 77, 1e-15}});
}

TEST_CASE("explicit: bounded, run 1") {
    check_run(post::bounded(), 1,
              {{0, 1.040705587924, 80, 1e-9},
               {1, 0.448299499393, 53, 1e-9},
               {2, 0.416169650171, 42, 1e-9},
               {11, 0.114089042744, 6, 1e-9},
               {41, 0.036096741625, 1, 1e-9},
               {46, 0.035040185423, 1, 1e-9},
               {56, 0.029643593929, 1, 1e-9}});
}

TEST_CASE("explicit: bounded, run 2") {
    check_run(post::bounded(), 2,
              {{0, 1.998657893476, 80, 1e-9},
               {1, 0.627613849548, 65, 1e-9},
               {2, 0.461083665579, 47, 1e-9},
               {11, 0.140688331061, 13, 1e-9},
               {41, 0.015726664712, 0, 1e-9},
               {46, 0.014195640901, 0, 1e-9},
               {56, 0.011975619999, 0, 1e-9}});
}

TEST_CASE("explicit: bounded, run 3") {
    check_run(post::bounded(), 3,
              {{0, 1.045294748374, 83, 1e-12},
               {1, 0.481466133177, 48, 1e-12},
               {2, 0.397258973376, 43, 1e-12},
               {11, 0.243408041081, 17, 1e-12},
               {41, 0.056030827356, 3, 1e-12},
               {46, 0.047932702199, 1, 1e-12},
               {56, 0.056720070309, 3, 1e-12}});
}

TEST_CASE("explicit: in float the post's first partial loses runs to NaN, the stable form none") {
    const auto example = post::bounded();
    const auto lost = [&](eb::FirstPartial first) {
        int count = 0;
        for (std::uint64_t w = 1; w <= 20; ++w) {
            post::Run run(w, example.widths, example.data.y.shape()[0]);
            for (Tensor& W : run.weights) W = W.as(DType::float32);
            auto net = network(run.weights, example.k);
            for (const post::Phase& phase : example.phases)
                for (int epoch = 0; epoch < phase.epochs; ++epoch) {
                    run.generator.shuffle(run.order);
                    for (std::size_t row = 0; row < run.order.size(); row += std::size_t(example.batch)) {
                        const auto batch = post::rows(example.data, run.order, row, std::size_t(example.batch));
                        const auto g = eb::gradient(net, batch.X.as(DType::float32), batch.y,
                                                    {.labels = eb::Labels::plus_minus_one, .first_partial = first});
                        eb::step(net, g, phase.rate);
                    }
                }
            count += std::isnan(net.W[1].data<float>()[0]);
        }
        return count;
    };
    CHECK(lost(eb::FirstPartial::post) > 0);
    CHECK(lost(eb::FirstPartial::stable) == 0);
}

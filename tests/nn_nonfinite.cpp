// Losses, gradients and batches that are not finite: refused before the update, with what is at fault.
#include <gradtape/nn/nn.hpp>

#include "support/tensors.hpp"

#include <doctest/doctest.h>

#include <cmath>

using namespace gradtape;
using gradtape::nn::Labels;
using gradtape::test::contains;
using gradtape::test::make;
using gradtape::test::values;

namespace {

struct Shifted {
    nn::Parameter w{Tensor(0.0)};
    void visit(nn::Visitor& v) { v("w", w); }
};
Node shifted_distance(const Shifted& m, Node x, Node y) { return mean(square(reshape(x, {-1}) + m.w.on(x) - y)); }

TEST_CASE("a gradient that is not finite is refused before the update, with parameter, primitive and line") {
    struct Root {
        nn::Parameter scale{Tensor{1.0, 2.0}}, under{Tensor(0.25)};
        void visit(nn::Visitor& v) {
            v("scale", scale);
            v("under", under);
        }
    };
    unsigned line = 0;
    const auto loss = [&](const Root& m, Node x, Node) {
        line = __LINE__ + 1;
        const Node root = sqrt(x - m.under.on(x));
        return mean(root * m.scale.on(x));
    };
    for (bool plain : {false, true})
        for (bool hooked : {false, true}) {
            Root model;
            nn::Trainer trainer(model, loss, nn::Sgd(0.5));
            trainer.plain = plain;
            int seen = 0;
            const nn::StepHook hook = hooked ? nn::StepHook([&](const nn::StepView&) { ++seen; }) : nn::StepHook();
            const auto step = [&](std::vector<double> x) { trainer.step({make(x, {1, 2}), Tensor{0}, Labels::real, {}, 2, 7}, hook); };
            for (int i = 0; i < 4; ++i) step({4, 4});
            const int before = seen;
            const double under = model.under.value().item();
            const Tensor scale = model.scale.value();
            for (int i = 0; i < 2; ++i) {
                try {
                    step({4, under});  // the root is 0, its slope infinite
                    FAIL("no error");
                } catch (const nn::NonFiniteGradient& error) {
                    CAPTURE(std::string(error.what()));
                    CHECK(error.parameter == 1);
                    for (const std::string part :
                         {"'under'", "-inf", "epoch 2, batch 7", "[sqrt]", "nn_nonfinite.cpp:"})
                        CHECK(contains(error.what(), part));
                    CHECK(contains(error.what(), ("nn_nonfinite.cpp:" + std::to_string(line))));
                    CHECK_FALSE(contains(error.what(), "learning rate"));
                }
                CHECK(seen == before);
                CHECK(model.under.value().item() == under);
                CHECK(same_bits(model.scale.value(), scale));
            }
            step({4, 4});
            CHECK(std::isfinite(model.under.value().item()));
        }
    Root model;
    const std::vector<nn::Parameter*> parameters = nn::parameters(model);
    for (double bad : {test::nan, test::inf}) {
        nn::Sgd sgd(0.1);
        CHECK_THROWS_WITH_AS(sgd.step(parameters, std::vector<Tensor>{Tensor{1, 1}, Tensor(bad)}), doctest::Contains("parameter 1"),
                             nn::NonFiniteGradient);
        CHECK(values(model.scale.value()) == std::vector<double>{1, 2});
    }
}

TEST_CASE("a NaN in the batch itself is said to be that") {
    Shifted model;
    nn::Trainer trainer(model, shifted_distance, nn::Sgd(0.25));
    const Tensor x = make({0, 0, 0}, {3, 1});
    for (int i = 0; i < 3; ++i) trainer.step({x, Tensor{2, 2, 2}});
    const Tensor before = model.w.value();
    CHECK_THROWS_WITH_AS(trainer.step({x, make({2, test::nan, 2})}), doctest::Contains("the batch's labels have NaN at (1,)"),
                         nn::NonFiniteLoss);
    try {
        trainer.step({x, make({2, 2, test::inf})});
        FAIL("no error");
    } catch (const nn::NonFiniteLoss& error) {
        CHECK(contains(error.what(), "the batch's labels have inf at (2,)"));
        CHECK_FALSE(contains(error.what(), "learning rate"));
    }
    CHECK(same_bits(model.w.value(), before));
}

}  // namespace

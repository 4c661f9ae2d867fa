// Compiled training: the same bits as recording every step anew, and the model's control flow is followed.
#include <gradtape/compile.hpp>
#include <gradtape/nn/nn.hpp>

#include "support/tensors.hpp"

#include <doctest/doctest.h>

#include <cmath>

using namespace gradtape;
using gradtape::nn::Labels;
using gradtape::nn::Select;
using gradtape::test::make;

namespace {

struct Net {
    nn::Dense fc1{2, 5, {3, "fc1"}}, fc2{5, 1, {3, "fc2"}};
    int calls = 0;

    void visit(nn::Visitor& v) {
        v("fc1", fc1);
        v("fc2", fc2);
    }
};

nn::Outcome log_loss(Net& net, Node x, Node y) {
    ++net.calls;
    const Node z = net.fc2(tanh(net.fc1(x)));
    return {nn::log_loss(z, y, Labels::plus_minus_one), z};
}

/// Halves the loss where it is small, by C++ control flow.
nn::Outcome branching(Net& net, Node x, Node y) {
    const nn::Outcome outcome = log_loss(net, x, y);
    if ((outcome.loss < 0.5).item() != 0) return {0.5 * outcome.loss, outcome.scores};
    return outcome;
}

nn::Dataset points(std::int64_t n) {
    test::Random random(7);
    std::vector<double> x, y;
    for (std::int64_t i = 0; i < n; ++i) {
        x.push_back(random.uniform(-1, 1));
        x.push_back(random.uniform(-1, 1));
        y.push_back(x[x.size() - 2] * x.back() > 0 ? 1 : -1);
    }
    return {make(x, {n, 2}), make(y), Labels::plus_minus_one};
}

/// 23 samples in batches of 5: the last batch has another shape.
nn::FitOptions options(bool plain) {
    return {.phases = {{4, 1.0, Select::last}, {3, 2.0, Select::best}, {3, 0.5, Select::average}, {6, 0.5}},
            .batches = {.size = 5, .seed = 11},
            .plain = plain};
}

template <class Loss>
void same_either_way(Loss loss, int most_calls) {
    const nn::Dataset data = points(23);
    Net compiled, plain;
    const nn::History a = nn::fit(compiled, loss, data, options(false)), b = nn::fit(plain, loss, data, options(true));
    REQUIRE(a.epochs.size() == b.epochs.size());
    for (std::size_t i = 0; i < a.epochs.size(); ++i) {
        CHECK(a.epochs[i].running_loss == b.epochs[i].running_loss);
        CHECK(a.epochs[i].training->loss == b.epochs[i].training->loss);
        CHECK(a.epochs[i].training->mislabelled == b.epochs[i].training->mislabelled);
    }
    const auto p = nn::named_parameters(compiled), q = nn::named_parameters(plain);
    for (std::size_t i = 0; i < p.size(); ++i) CHECK_MESSAGE(same_bits(p[i].parameter->value(), q[i].parameter->value()), p[i].name);
    CHECK(plain.calls > 80);
    CHECK(compiled.calls <= most_calls);
}

}  // namespace

struct Wide {
    nn::Dense fc1{200, 300, {5, "fc1"}}, fc2{300, 1, {5, "fc2"}};

    void visit(nn::Visitor& v) {
        v("fc1", fc1);
        v("fc2", fc2);
    }
};

TEST_CASE("nn: training on several threads gives the bits of one") {
    test::Random random(9);
    const nn::Dataset data{random.tensor({240, 200}, -1, 1), make(std::vector<double>(240, 1)), Labels::plus_minus_one};
    const auto trained = [&](std::size_t threads, bool plain) {
        Wide net;
        nn::fit(net, [](Wide& its, Node x, Node y) {
            const Node z = its.fc2(tanh(its.fc1(x)));
            return nn::Outcome(nn::log_loss(z, y, Labels::plus_minus_one), z);
        }, data, {.phases = {{2, 0.1, Select::last}}, .batches = {.size = 100, .seed = 3}, .plain = plain, .threads = threads});
        std::vector<Tensor> weights;
        for (const auto& named : nn::named_parameters(net)) weights.push_back(named.parameter->value());
        return weights;
    };
    const std::vector<Tensor> plain = trained(1, true);
    for (std::size_t threads : {1, 2, 3}) {
        const std::vector<Tensor> ours = trained(threads, false);
        for (std::size_t i = 0; i < plain.size(); ++i) CHECK(same_bits(ours[i], plain[i]));
    }
}

TEST_CASE("compiled and plain training end with the same bits") {
    // two batch shapes, and the evaluation
    same_either_way(&log_loss, 3);
}

TEST_CASE("compiled training follows the model's control flow") {
    // each of the three, either way
    same_either_way(&branching, 6);
}

TEST_CASE("a compiled step refuses a model that decides by a tensor's elements; plain, it may") {
    const auto deciding = [](Net& net, Node x, Node y) {
        const nn::Outcome outcome = log_loss(net, x, y);
        return nn::Outcome(outcome.loss.value().item() < 0.5 ? 0.5 * outcome.loss : outcome.loss, outcome.scores);
    };
    const nn::Dataset data = points(23);
    Net net, other;
    CHECK_THROWS_WITH_AS(nn::fit(net, deciding, data, options(false)), doctest::Contains("nn_replay.cpp"), TapeError);
    CHECK(nn::fit(other, deciding, data, options(true)).epochs.size() == 16);
}

TEST_CASE("losses check what they are given when a function is recorded") {
    auto loss = compile([](std::span<const Node> v) {
        return std::vector<Node>{nn::log_loss(v[0], v[1], Labels::plus_minus_one)};
    });
    const Tensor z = make({1, 2});
    const double a = loss({z, make({1, -1})})[0].item(), b = loss({z, make({-1, 1})})[0].item();
    CHECK(a == doctest::Approx((std::log1p(std::exp(-1)) + std::log1p(std::exp(2))) / 2));
    CHECK(b == doctest::Approx((std::log1p(std::exp(1)) + std::log1p(std::exp(-2))) / 2));
    CHECK(loss.recordings() == 1);
    CHECK_THROWS_AS(loss({make({1}), make({0.5})}), ValueError);
}

TEST_CASE("a replay whose guard fails lets go of the batch") {
    const auto by_size = [](Net& net, Node x, Node y) {
        const nn::Outcome outcome = log_loss(net, x, y);
        if ((sum(square(x)) > 100.0).item() != 0) return nn::Outcome{0.5 * outcome.loss, outcome.scores};
        return outcome;
    };
    const Tensor small = points(20).inputs, large = Tensor::full({20, 2}, 10);
    Net net;
    nn::Trainer trainer(net, by_size, nn::Sgd(0.1));
    for (const Tensor& same : {small, large, small}) {  // the last time, large's recording refuses and small's fits
        const nn::Batch batch{make(test::values(same), {20, 2}), points(20).labels, Labels::plus_minus_one};
        trainer.step(batch);
        CHECK(batch.inputs.unique());
        CHECK(batch.labels.unique());
    }
    CHECK(net.calls == 2);
}

TEST_CASE("a compiled step sees new values of reassigned parameters, and new shapes") {
    const nn::Dataset data = points(20);
    Net net;
    nn::Trainer trainer(net, log_loss, nn::Sgd(0.1));
    const nn::Batch batch{data.inputs, data.labels, data.convention};
    trainer.step(batch);
    trainer.step(batch);
    net.fc1 = nn::Dense(2, 5, {4, "other"});
    Net fresh = net;
    nn::Trainer plain(fresh, log_loss, nn::Sgd(0.1));
    plain.plain = true;
    CHECK(trainer.step(batch).loss == plain.step(batch).loss);
    net.fc1 = nn::Dense(2, 7, {4, "wider"});
    net.fc2 = nn::Dense(7, 1, {4, "wider too"});
    fresh = net;
    CHECK(trainer.step(batch).loss == plain.step(batch).loss);
    CHECK(trainer.step(batch).loss == plain.step(batch).loss);
}

TEST_CASE("a loss that is not finite names its cause in compiled training too") {
    const nn::Dataset data = points(20);
    Net net;
    nn::Trainer trainer(net, log_loss, nn::Sgd(0.1));
    const nn::Batch batch{data.inputs, data.labels, data.convention};
    trainer.step(batch);
    trainer.step(batch);
    auto found = nn::parameters(net);
    found[0]->set(Tensor::full(found[0]->shape(), std::nan("")));
    try {
        trainer.step(batch);
        FAIL("no error");
    } catch (const nn::NonFiniteLoss& error) {
        CHECK(std::string(error.what()).find("first value that is not finite") != std::string::npos);
    }
}

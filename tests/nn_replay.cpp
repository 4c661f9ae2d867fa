// Compiled training: the same bits as recording every step anew, and the model's control flow is followed.
#include <gradtape/compile.hpp>
#include <gradtape/nn/nn.hpp>

#include "support/tensors.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <memory>

using namespace gradtape;
using gradtape::nn::Labels;
using gradtape::nn::Select;
using gradtape::test::make;

namespace {

struct Counted {
    nn::Dense fc1{2, 5, {3, "fc1"}}, fc2{5, 1, {3, "fc2"}};
    int calls = 0;

    void visit(nn::Visitor& v) {
        v("fc1", fc1);
        v("fc2", fc2);
    }
};

nn::Outcome counted_log_loss(Counted& net, Node x, Node y) {
    ++net.calls;
    const Node z = net.fc2(tanh(net.fc1(x)));
    return {nn::log_loss(z, y, Labels::plus_minus_one), z};
}

/// Halves the loss where it is small, by C++ control flow.
nn::Outcome branching(Counted& net, Node x, Node y) {
    const nn::Outcome outcome = counted_log_loss(net, x, y);
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
    Counted compiled, plain;
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
    // two batch shapes, and the evaluation, twice each
    same_either_way(&counted_log_loss, 6);
}

TEST_CASE("compiled training follows the model's control flow") {
    // each of the three, either way, twice each
    same_either_way(&branching, 12);
}

TEST_CASE("a compiled step refuses a model that decides by a tensor's elements; plain, it may") {
    const auto deciding = [](Counted& net, Node x, Node y) {
        const nn::Outcome outcome = counted_log_loss(net, x, y);
        return nn::Outcome(outcome.loss.value().item() < 0.5 ? 0.5 * outcome.loss : outcome.loss, outcome.scores);
    };
    const nn::Dataset data = points(23);
    Counted net, other;
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
    const auto by_size = [](Counted& net, Node x, Node y) {
        const nn::Outcome outcome = counted_log_loss(net, x, y);
        if ((sum(square(x)) > 100.0).item() != 0) return nn::Outcome{0.5 * outcome.loss, outcome.scores};
        return outcome;
    };
    const Tensor small = points(20).inputs, large = Tensor::full({20, 2}, 10);
    Counted net;
    nn::Trainer trainer(net, by_size, nn::Sgd(0.1));
    for (const Tensor& same : {small, small, large, large, small}) {  // at last, large's recording refuses and small's fits
        const nn::Batch batch{make(test::values(same), {20, 2}), points(20).labels, Labels::plus_minus_one};
        trainer.step(batch);
        CHECK(batch.inputs.unique());
        CHECK(batch.labels.unique());
    }
    CHECK(net.calls == 4);
}

TEST_CASE("a compiled step sees new values of reassigned parameters, and new shapes") {
    const nn::Dataset data = points(20);
    Counted net;
    nn::Trainer trainer(net, counted_log_loss, nn::Sgd(0.1));
    const nn::Batch batch{data.inputs, data.labels, data.convention};
    trainer.step(batch);
    trainer.step(batch);
    net.fc1 = nn::Dense(2, 5, {4, "other"});
    Counted fresh = net;
    nn::Trainer plain(fresh, counted_log_loss, nn::Sgd(0.1));
    plain.plain = true;
    CHECK(trainer.step(batch).loss == plain.step(batch).loss);
    net.fc1 = nn::Dense(2, 7, {4, "wider"});
    net.fc2 = nn::Dense(7, 1, {4, "wider too"});
    fresh = net;
    CHECK(trainer.step(batch).loss == plain.step(batch).loss);
    CHECK(trainer.step(batch).loss == plain.step(batch).loss);
}

// ---- what replays would not see: recorded each time, with a warning that names the line -------------------------------

struct Watched {
    nn::History history;
    int calls;
    std::vector<Tensor> weights;
};

/// Trains with `make_loss()`, which is made anew each time: a loss may have state.
template <class MakeLoss>
Watched trained(MakeLoss make_loss, bool plain, int epochs = 20) {
    Counted net;
    Watched result{nn::fit(net, make_loss(), points(20),
                           {.phases = {{epochs, 0.5}}, .batches = {.size = 10, .seed = 11}, .evaluate = false, .plain = plain}),
                   net.calls, {}};
    for (const auto& named : nn::named_parameters(net)) result.weights.push_back(named.parameter->value());
    return result;
}

/// Compiled training ends with plain training's bits, and warns of line `line`; or of nothing, for 0.
template <class MakeLoss>
Watched check_watched(MakeLoss make_loss, unsigned line, int most_calls) {
    const Watched compiled = trained(make_loss, false), plain = trained(make_loss, true);
    for (std::size_t i = 0; i < plain.weights.size(); ++i) CHECK(same_bits(compiled.weights[i], plain.weights[i]));
    CHECK(plain.history.warnings.empty());
    CHECK(plain.calls == 40);
    CHECK(compiled.calls <= most_calls);
    CHECK(compiled.history.warnings.size() == (line ? 1 : 0));
    if (line && !compiled.history.warnings.empty()) {
        CAPTURE(compiled.history.warnings[0]);
        CHECK(compiled.history.warnings[0].find("(nn_replay.cpp:" + std::to_string(line) + ")") != std::string::npos);
    }
    return compiled;
}

TEST_CASE("a loss that reads a number which is another at each step goes on plain, with a warning") {
    double last = 0;
    const Watched watched = check_watched([&] {
        return [&](Counted& net, Node x, Node y) {
            const nn::Outcome outcome = counted_log_loss(net, x, y);
            last = outcome.loss.item();
            return outcome;
        };
    }, __LINE__ - 3, 40);
    CHECK(watched.history.warnings[0].find("item()") != std::string::npos);
    CHECK(last > 0);
}

TEST_CASE("a mask drawn by C++ code is seen at the second step") {
    const Watched watched = check_watched([] {
        return [random = std::make_shared<test::Random>(5)](Counted& net, Node x, Node y) {
            ++net.calls;
            const Tensor mask = random->tensor({1, 5}, 0, 2);
            const Node z = net.fc2(tanh(net.fc1(x)) * sibling_constant(x, mask));
            return nn::Outcome{nn::log_loss(z, y, Labels::plus_minus_one), z};
        };
    }, __LINE__ - 3, 40);
    CHECK(watched.history.warnings[0].find("constant") != std::string::npos);
}

TEST_CASE("a number, an attribute, a branch and a parameter that C++ changes are seen at the second step") {
    check_watched([] {
        return [step = std::make_shared<int>(0)](Counted& net, Node x, Node y) {
            return nn::Outcome(counted_log_loss(net, x, y).loss * (1.0 + 0.25 * (++*step % 3)));
        };
    }, __LINE__ - 2, 40);
    check_watched([] {
        return [step = std::make_shared<int>(0)](Counted& net, Node x, Node y) {
            const Node part = slice(x, {{++*step % 2 * 5, *step % 2 * 5 + 5}});
            return nn::Outcome(counted_log_loss(net, x, y).loss + mean(square(net.fc1(part))));
        };
    }, __LINE__ - 3, 40);
    check_watched([] {
        return [step = std::make_shared<int>(0)](Counted& net, Node x, Node y) {
            const Node loss = counted_log_loss(net, x, y).loss;
            if (++*step % 2) return nn::Outcome(loss + 0.5);
            return nn::Outcome(loss + 0.5 * sin(loss));
        };
    }, __LINE__ - 2, 40);
}

TEST_CASE("labels that the loss records as a constant are seen to change") {
    check_watched([] {
        return [](Counted& net, Node x, Node y) {
            ++net.calls;
            const Node z = net.fc2(tanh(net.fc1(x)));
            const Node labels = sibling_constant(x, peek(y));
            return nn::Outcome{nn::log_loss(z, labels, Labels::plus_minus_one), z};
        };
    }, __LINE__ - 3, 40);
}

TEST_CASE("what is the same at each step is replayed without a word") {
    check_watched([] {
        return [](Counted& net, Node x, Node y) {
            const nn::Outcome outcome = counted_log_loss(net, x, y);
            const Node kept = sibling_constant(x, Tensor{0.5, 1.5});
            return nn::Outcome(outcome.loss + 0.01 * sum(kept) * mean(square(x)), outcome.scores);
        };
    }, 0, 2);
    CHECK(trained([] { return &branching; }, false).history.warnings.empty());
}

TEST_CASE("evaluations are watched too, and each warning is given once") {
    Counted net;
    nn::Trainer trainer(net, [random = std::make_shared<test::Random>(5)](Counted& its, Node x, Node y) {
        const nn::Outcome outcome = counted_log_loss(its, x, y);
        return nn::Outcome(outcome.loss * sibling_constant(x, random->tensor({}, 0.5, 1)), outcome.scores);
    }, nn::Sgd(0.1));
    const nn::Dataset data = points(20);
    std::vector<double> losses;
    for (int i = 0; i < 4; ++i) losses.push_back(trainer.evaluate(data).loss);
    CHECK(losses[2] != losses[3]);
    CHECK(trainer.warnings().size() == 1);
    for (int i = 0; i < 4; ++i) trainer.step({data.inputs, data.labels, data.convention});
    CHECK(trainer.warnings().size() == 1);
    CHECK(net.calls == 8);
}

TEST_CASE("a loss that is not finite names its cause in compiled training too") {
    const nn::Dataset data = points(20);
    Counted net;
    nn::Trainer trainer(net, counted_log_loss, nn::Sgd(0.1));
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

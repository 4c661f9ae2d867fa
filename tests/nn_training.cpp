// Training: what a naive trainer gets wrong, one line of it in each test.
#include <gradtape/nn/nn.hpp>
#include <gradtape/transforms.hpp>

#include "support/tensors.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <numeric>
#include <set>

using namespace gradtape;
using gradtape::nn::Labels;
using gradtape::nn::Select;
using gradtape::test::contains;
using gradtape::test::make;
using gradtape::test::values;

namespace {

/// One number w with the loss mean (w − y)²: its gradient is 2 (w − mean y), so every iterate is known.
struct Point {
    nn::Parameter w{Tensor(0.0)};
    void visit(nn::Visitor& v) { v("w", w); }
};
Node distance(const Point& model, Node x, Node y) { return mean(square(model.w.on(x) - y)); }

nn::Dataset targets(const std::vector<double>& y) {
    const auto n = std::int64_t(y.size());
    return {make(std::vector<double>(y.size(), 0), {n, 1}), make(y)};
}

struct Net {
    nn::Dense fc1, fc2;

    explicit Net(std::int64_t width = 4) : fc1(2, width, {1, "fc1"}), fc2(width, 1, {1, "fc2"}) {}
    Node operator()(Node x) const { return fc2(tanh(fc1(x))); }
    void visit(nn::Visitor& v) {
        v("fc1", fc1);
        v("fc2", fc2);
    }
};
nn::Outcome log_loss(const Net& net, Node x, Node y) {
    const Node z = net(x);
    return {nn::log_loss(z, y, Labels::plus_minus_one), z};
}

/// Inside or outside of a circle.
nn::Dataset circle(std::int64_t n, std::uint64_t seed = 1) {
    test::Random random(seed);
    std::vector<double> x, y;
    for (std::int64_t i = 0; i < n; ++i) {
        x.push_back(random.uniform(-1, 1));
        x.push_back(random.uniform(-1, 1));
        y.push_back(std::hypot(x[x.size() - 2], x.back()) < 0.7 ? 1 : -1);
    }
    return {make(x, {n, 2}), make(y), Labels::plus_minus_one};
}

nn::Batches in_order(const nn::Dataset& data, std::int64_t size) {
    return {data, {.size = size, .reorder = [](int, std::span<std::int64_t>) {}}};
}
const nn::Reorder keep_order = [](int, std::span<std::int64_t>) {};

TEST_CASE("a loss may be a lambda that changes what it captured") {
    nn::Dense layer(2, 1, {1, "layer"});
    int calls = 0;
    const auto loss = [&calls, mine = 0](const nn::Dense& dense, Node x, Node y) mutable {
        calls = ++mine;
        return nn::mean_squared_error(dense(x), y);
    };
    nn::Trainer trainer(layer, loss, nn::Sgd(0.1));
    trainer.step({Tensor{{1, 2}}, Tensor{{3}}, Labels::real});
    CHECK(calls == 1);
}

}  // namespace

TEST_CASE("a step is the raw loop") {
    Net stepped, raw;
    const nn::Dataset data = circle(30);
    nn::Trainer trainer(stepped, log_loss, nn::Sgd(0.5));
    nn::Sgd sgd(0.5);
    Tape tape;
    for (int i = 0; i < 20; ++i) {
        const nn::Evaluation seen = trainer.step({data.inputs, data.labels, data.convention});
        tape.clear();
        const nn::Outcome outcome = log_loss(raw, tape.input(data.inputs), tape.input(data.labels));
        CHECK(seen.loss == outcome.loss.item());
        const auto parameters = nn::parameters(raw);
        sgd.step(parameters, nn::gradients(outcome.loss, parameters));
    }
    for (std::size_t p = 0; p < 4; ++p)
        CHECK(same_bits(nn::parameters(stepped)[p]->value(), nn::parameters(raw)[p]->value()));
}

TEST_CASE("fit is steps on batches") {
    Net fitted, stepped;
    const nn::Dataset data = circle(47);
    nn::FitOptions options{.phases = {{3, 0.5}, {2, 0.1}}, .batches = {.size = 10, .seed = 3}};
    const nn::History history = nn::fit(fitted, log_loss, data, options);
    nn::Trainer trainer(stepped, log_loss, nn::Sgd(0.5));
    nn::Batches batches(data, options.batches);
    for (int e = 0; e < 5; ++e) {
        trainer.optimizer.learning_rate = e < 3 ? 0.5 : 0.1;
        double sum = 0;
        for (batches.start_epoch(); const nn::Batch* batch = batches.next();)
            sum += trainer.step(*batch).loss * double(batch->rows.size());
        // The last batch has 7 samples: a mean of batch means would weigh them as if they were 10.
        CHECK(history.epochs[std::size_t(e)].running_loss == doctest::Approx(sum / 47).epsilon(1e-14));
    }
    for (std::size_t p = 0; p < 4; ++p)
        CHECK(same_bits(nn::parameters(fitted)[p]->value(), nn::parameters(stepped)[p]->value()));
    REQUIRE(history.epochs.size() == 5);
    CHECK(history.epochs[4].epoch == 5);
    CHECK(history.epochs[4].phase == 1);
    CHECK(history.epochs[4].learning_rate == 0.1);
    CHECK(history.epochs[2].phase == 0);
    const nn::Evaluation end = trainer.evaluate(data);
    CHECK(history.epochs[4].training->loss == end.loss);
    CHECK(history.epochs[4].training->mislabelled == end.mislabelled);
    CHECK(end.samples == 47);
    CHECK(history.start->loss > end.loss);
}

TEST_CASE("training learns a circle, in float64 and in float32") {
    const nn::Dataset data = circle(200);
    Net net(16);
    const auto history = nn::fit(net, log_loss, data, {.phases = {{300, 0.5}}, .batches = {.size = 10}});
    CHECK(*history.epochs.back().training->mislabelled <= 10);
    CHECK(history.epochs.back().training->accuracy() >= 0.95);

    for (nn::Parameter* p : nn::parameters(net)) *p = nn::Parameter(p->value().as(DType::float32));
    const nn::Dataset narrow{data.inputs.as(DType::float32), data.labels, data.convention};
    const auto more = nn::fit(net, log_loss, narrow, {.phases = {{5, 0.1}}, .batches = {.size = 10}});
    CHECK(*more.epochs.back().training->mislabelled <= 10);
    CHECK(net.fc1.weight.value().dtype() == DType::float32);
}

TEST_CASE("a run that evaluates every epoch ends with the weights of one that does not") {
    const nn::Dataset data = circle(50);
    for (Select select : {Select::last, Select::best, Select::average}) {
        Net looked, blind;
        nn::FitOptions options{.phases = {{4, 1, select}}, .batches = {.size = 8}};
        const auto history = nn::fit(looked, log_loss, data, options);
        options.evaluate = false;
        const auto nothing = nn::fit(blind, log_loss, data, options);
        CHECK(history.epochs[3].training);
        CHECK_FALSE(nothing.epochs[3].training);
        CHECK_FALSE(nothing.start);
        for (std::size_t p = 0; p < 4; ++p)
            CHECK(same_bits(nn::parameters(looked)[p]->value(), nn::parameters(blind)[p]->value()));
    }
}

TEST_CASE("last, best and average on iterates known by hand") {
    // Batches of one target each: w ← w − η 2 (w − y), with η = ½ jumps to the target.
    const nn::Dataset data = targets({4, 1, 9});
    const auto train = [&](Select select, double start) {
        Point model;
        model.w.set(Tensor(start));
        const auto history =
            nn::fit(model, distance, data, {.phases = {{1, 0.5, select}}, .batches = {.size = 1, .reorder = keep_order}});
        return std::pair(model.w.value().item(), history.epochs[0].training->loss);
    };
    const auto full_loss = [](double w) { return ((w - 4) * (w - 4) + (w - 1) * (w - 1) + (w - 9) * (w - 9)) / 3; };
    CHECK(train(Select::last, 0).first == 9);
    CHECK(train(Select::best, 0).first == 4);  // after the first step
    CHECK(train(Select::best, 5).first == 5);  // the epoch's start
    CHECK(train(Select::average, 0).first == doctest::Approx(14.0 / 3).epsilon(1e-15));
    for (Select select : {Select::last, Select::best, Select::average}) {
        const auto [w, loss] = train(select, 0);
        CHECK(loss == doctest::Approx(full_loss(w)).epsilon(1e-15));
    }
}

TEST_CASE("best keeps the earliest of equals, and each epoch starts from its own") {
    const nn::Dataset data = targets({-1, 1});
    Point model;  // from 0: −1, then 1, equal losses, both worse than 0
    nn::FitOptions options{.phases = {{3, 0.5, Select::best}}, .batches = {.size = 1, .reorder = keep_order}};
    auto history = nn::fit(model, distance, data, options);
    CHECK(model.w.value().item() == 0);
    model.w.set(Tensor(3.0));
    options.phases = {{1, 0.5, Select::best}};
    history = nn::fit(model, distance, data, options);
    CHECK(model.w.value().item() == -1);
    CHECK(history.epochs[0].training->loss == 2);
}

TEST_CASE("a loss that is not finite stops the training and says where") {
    const nn::Dataset data = targets({1, 2, 3});
    for (Select select : {Select::last, Select::best, Select::average}) {
        Point model;
        nn::FitOptions options{.phases = {{1, 0.5}, {1, 1e200, select}}, .batches = {.size = 1, .reorder = keep_order}};
        try {
            nn::fit(model, distance, data, options);
            FAIL("nothing was thrown");
        } catch (const nn::NonFiniteLoss& error) {
            CHECK(error.epoch == 2);
            CHECK(error.batch == (select == Select::best ? 1 : 2));
            CHECK_FALSE(std::isfinite(error.loss));
            CHECK(contains(error.what(), "epoch 2, batch " + std::to_string(error.batch)));
            if (select != Select::best) CHECK(contains(error.what(), "[square]"));
            if (select != Select::best) CHECK(contains(error.what(), "nn_training.cpp:"));
        }
    }
}

TEST_CASE("NaN never passes as better") {
    // The loss is NaN for w ≥ 3, and the first step goes there.
    const auto loss = [](const Point& model, Node x, Node y) {
        const Node w = model.w.on(x);
        return mean(square(w - y) + 0 * sqrt(3 - w));
    };
    Point model;
    CHECK_THROWS_AS(nn::fit(model, loss, targets({4}), {.phases = {{1, 0.5, Select::best}}}), nn::NonFiniteLoss);
    // Nor as a start that nothing is better than.
    model.w.set(Tensor(5.0));
    for (bool evaluate : {true, false}) {
        try {
            nn::fit(model, loss, targets({4}), {.phases = {{1, 0.5, Select::best}}, .evaluate = evaluate});
            FAIL("nothing was thrown");
        } catch (const nn::NonFiniteLoss& error) {
            CHECK(error.epoch == 0);
            CHECK(contains(error.what(), "before the first step"));
        }
    }
    CHECK(model.w.value().item() == 5);
    CHECK_THROWS_AS(nn::Trainer(model, loss, nn::Sgd(0.5)).step({make({0}, {1, 1}), Tensor{4}}), nn::NonFiniteLoss);
    CHECK(model.w.value().item() == 5);
}

TEST_CASE("the hook sees the gradient and the weights it belongs to") {
    Point model;
    model.w.set(Tensor(1.0));
    int steps = 0;
    double previous = 1;
    nn::FitOptions options{.phases = {{2, 0.25}}, .batches = {.size = 2}};
    options.on_step = [&](const nn::StepView& view) {
        ++steps;
        const auto y = values(view.batch.labels);
        const double mean_y = std::accumulate(y.begin(), y.end(), 0.0) / double(y.size());
        const double w = view.parameters[0]->value().item();
        CHECK(w == doctest::Approx(previous).epsilon(1e-15));
        CHECK(view.gradients[0].item() == doctest::Approx(2 * (w - mean_y)).epsilon(1e-14));
        CHECK(view.batch.epoch == (steps <= 3 ? 1 : 2));
        CHECK(view.batch.index == (steps - 1) % 3 + 1);
        previous = w - 0.25 * view.gradients[0].item();
    };
    std::vector<int> epochs;
    options.on_epoch = [&](const nn::EpochReport& report) { epochs.push_back(report.epoch); };
    nn::fit(model, distance, targets({1, 2, 3, 4, 5}), options);
    CHECK(steps == 6);
    CHECK(epochs == std::vector<int>{1, 2});
}

TEST_CASE("an exception from a hook leaves trainer and weights usable") {
    Point model;
    nn::Trainer trainer(model, distance, nn::Sgd(0.25));
    const nn::Batch batch{make({0}, {1, 1}), Tensor{2}};
    CHECK_THROWS_AS(trainer.step(batch, [](const nn::StepView&) { throw 1; }), int);
    CHECK(model.w.value().item() == 0);
    trainer.step(batch);
    CHECK(model.w.value().item() == 1);
}

TEST_CASE("an unshown parameter is an error at the first step, an unreached one a warning") {
    struct Model {
        nn::Parameter shown{Tensor(1.0)}, hidden{Tensor(1.0)}, unused{Tensor(1.0)};
        void visit(nn::Visitor& v) {
            v("shown", shown);
            v("unused", unused);
        }
    } model;
    const auto with_hidden = [](const Model& m, Node x, Node y) {
        return mean(square(m.shown.on(x) * m.hidden.on(x) - y));
    };
    CHECK_THROWS_WITH_AS(nn::fit(model, with_hidden, targets({2}), {.phases = {{1, 0.1}}}),
                         doctest::Contains("[multiply]"), ValueError);
    CHECK(model.shown.value().item() == 1);
    const auto without = [](const Model& m, Node x, Node y) { return mean(square(m.shown.on(x) - y)); };
    const auto history = nn::fit(model, without, targets({2}), {.phases = {{3, 0.1}}, .batches = {.size = 1}});
    REQUIRE(history.warnings.size() == 1);
    CHECK(contains(history.warnings[0], "'unused'"));
    CHECK(model.unused.value().item() == 1);
}

TEST_CASE("a layer that is replaced during training is trained") {
    Net net;
    const nn::Dataset data = circle(20);
    nn::Trainer trainer(net, log_loss, nn::Sgd(0.5));
    const nn::Batch batch{data.inputs, data.labels, data.convention};
    trainer.step(batch);
    net.fc1 = nn::Dense(2, 6, {5, "wider"});
    net.fc2 = nn::Dense(6, 1, {5, "output"}, {.bias = false});
    const Tensor before = net.fc1.weight.value();
    trainer.step(batch);
    CHECK_FALSE(same_bits(net.fc1.weight.value(), before));
}

TEST_CASE("warnings are collected, not printed") {
    Point model;
    nn::Dataset data = targets({1, 1, 1});
    data.convention = Labels::plus_minus_one;
    const auto history = nn::fit(model, distance, data, {.phases = {{2, 0.1}}, .batches = {.size = 50}});
    REQUIRE(history.warnings.size() == 2);
    CHECK(contains(history.warnings[0], "one class only"));
    CHECK(contains(history.warnings[1], "more than the 3 samples"));
}

TEST_CASE("wrong data and options are refused before the first epoch") {
    Point model;
    const nn::Dataset data = targets({1, 2});
    int steps = 0;
    nn::FitOptions good{.phases = {{1, 0.1}}};
    good.on_step = [&](const nn::StepView&) { ++steps; };
    const auto refused = [&](nn::Dataset d, nn::FitOptions o) {
        CHECK_THROWS_AS(nn::fit(model, distance, d, o), Error);
        CHECK(steps == 0);
    };
    refused({data.inputs, make({1, 2, 3})}, good);
    refused(targets({1, test::nan}), good);
    refused({data.inputs, data.labels, Labels::zero_one}, good);
    auto options = good;
    options.phases = {};
    refused(data, options);
    for (nn::Phase phase : {nn::Phase{-1, 0.1}, nn::Phase{1, -0.1}, nn::Phase{1, test::nan}, nn::Phase{1, test::inf}}) {
        options.phases = {phase};
        refused(data, options);
    }
    options = good;
    options.batches.size = 0;
    refused(data, options);
}

TEST_CASE("a loss must be one number of this recording") {
    Point model;
    const nn::Batch batch{make({0, 0}, {2, 1}), Tensor{2, 3}};
    const auto step = [&](auto loss) { nn::Trainer(model, loss, nn::Sgd(0.1)).step(batch); };
    CHECK_THROWS_WITH_AS(step([](const Point&, Node, Node y) { return square(y); }), doctest::Contains("(2,)"),
                         ShapeError);
    Tape other;
    const Node stray = other.input(Tensor(1.0));
    CHECK_THROWS_WITH_AS(step([&](const Point&, Node, Node) { return stray; }), doctest::Contains("no node of this"),
                         ShapeError);
    CHECK_THROWS_AS(step([](const Point&, Node, Node) { return Node(); }), ShapeError);
    nn::Trainer trainer(model, distance, nn::Sgd(0.1));
    CHECK_THROWS_AS(trainer.step({make({0, 0}, {2, 1}), Tensor{2, 3, 4}}), ShapeError);
}

TEST_CASE("a large set is evaluated in parts, weighted by their samples") {
    std::vector<double> y(2 * 8192 + 5);
    std::iota(y.begin(), y.end(), 0.0);
    Point model;
    nn::Trainer trainer(model, distance, nn::Sgd(0.1));
    double expected = 0;
    for (double v : y) expected += v * v / double(y.size());
    const auto result = trainer.evaluate(targets(y));
    CHECK(result.loss == doctest::Approx(expected).epsilon(1e-13));
    CHECK(result.samples == std::int64_t(y.size()));
    CHECK_FALSE(result.mislabelled);
    Net net;
    const nn::Dataset data = circle(8192 + 100);
    nn::Trainer classifier(net, log_loss, nn::Sgd(0.1));
    Tape tape;
    const nn::Outcome whole = log_loss(net, tape.input(data.inputs), tape.input(data.labels));
    const auto parts = classifier.evaluate(data);
    CHECK(parts.loss == doctest::Approx(whole.loss.item()).epsilon(1e-13));
    CHECK(*parts.mislabelled == nn::count_mislabelled(whole.scores.value(), data.labels, data.convention));
}

TEST_CASE("steps in a steady state keep to the same memory") {
    Net net;
    const nn::Dataset data = circle(40);
    nn::Trainer trainer(net, log_loss, nn::Sgd(0.1));
    nn::Batches batches = in_order(data, 10);
    std::set<const void*> weights, inputs;
    for (int e = 0; e < 20; ++e)
        for (batches.start_epoch(); const nn::Batch* batch = batches.next();) {
            trainer.step(*batch);
            weights.insert(net.fc1.weight.value().raw());
            inputs.insert(batch->inputs.raw());
        }
    CHECK(weights.size() <= 2);
    CHECK(inputs.size() == 1);
}

TEST_CASE("accuracy is a share of the labels judged, however many a sample has, and an error where none was") {
    struct Scale {
        nn::Parameter w = Tensor(1.0);
        void visit(nn::Visitor& v) { v("w", w); }
    } model;
    const auto scored = [](const Scale& m, Node x, Node y) {
        const Node z = m.w.on(x) * x;
        return nn::Outcome(nn::log_loss(z, y, Labels::zero_one), z);
    };
    for (bool plain : {false, true}) {
        nn::Trainer trainer(model, scored, nn::Sgd(0.1));
        trainer.plain = plain;
        const nn::Dataset wrong{make({1, 1, 1, -1, -1, -1}, {2, 3}), make({0, 0, 0, 1, 1, 1}, {2, 3}), Labels::zero_one};
        nn::Dataset half = wrong;
        half.labels = make({1, 1, 0, 1, 1, 0}, {2, 3});
        CHECK(trainer.evaluate(wrong).accuracy() == 0);
        CHECK(trainer.evaluate(half).accuracy() == 0.5);
        CHECK(trainer.step({half.inputs, half.labels, Labels::zero_one}).accuracy() == 0.5);
        const nn::Dataset many{Tensor::full({9000, 2}, 1), Tensor::full({9000, 2}, 1), Labels::zero_one};
        CHECK(trainer.evaluate(many).judged == 18000);
        CHECK(trainer.evaluate(many).accuracy() == 1);
    }
    const auto unscored = [](const Scale& m, Node x, Node y) { return nn::mean_squared_error(m.w.on(x) * x, y); };
    const nn::Dataset data{make({1, 2}), make({1, 2}), Labels::real};
    const nn::Evaluation unknown = nn::Trainer(model, unscored, nn::Sgd(0.1)).evaluate(data);
    const unsigned line = __LINE__ + 2;
    try {
        (void)unknown.accuracy();
        FAIL("no error");
    } catch (const ValueError& error) {
        CHECK(error.primitive() == "accuracy");
        CHECK(error.where().line == line);
    }
    CHECK_THROWS_AS(nn::Evaluation{}.accuracy(), ValueError);
}

TEST_CASE("class numbers train a classifier of several classes") {
    struct Classifier {
        nn::Dense hidden{2, 16, {2, "hidden"}}, output{16, 3, {2, "output"}};
        void visit(nn::Visitor& v) {
            v("hidden", hidden);
            v("output", output);
        }
    } model;
    test::Random random(1);
    std::vector<double> x;
    std::vector<std::int64_t> y;
    for (int i = 0; i < 150; ++i) {
        const double angle = 2 * 3.14159265358979 * (i % 3) / 3;
        x.push_back(std::cos(angle) + random.uniform(-0.5, 0.5));
        x.push_back(std::sin(angle) + random.uniform(-0.5, 0.5));
        y.push_back(i % 3);
    }
    const nn::Dataset data{make(x, {150, 2}), Tensor::from(std::span<const std::int64_t>(y), {150}), Labels::classes};
    const auto [train, held_out] = nn::split(data, 0.2, 1);
    const auto loss = [](const Classifier& m, Node x, Node y) {
        const Node z = m.output(nn::relu(m.hidden(x)));
        return nn::Outcome(nn::cross_entropy(z, y), z);
    };
    nn::Trainer trainer(model, loss, nn::Sgd(0));
    const auto history = trainer.fit(train, {.phases = {{40, 0.2}}, .batches = {.size = 16}});
    CHECK(history.epochs.back().training->accuracy() == 1);
    CHECK(trainer.evaluate(held_out).accuracy() == 1);
}

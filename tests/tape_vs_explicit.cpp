// The tape against backpropagation written out by hand: 1,000 random networks, and both of the post's examples.
#include "support/random_network.hpp"

#include "examples/support/post_data.hpp"

#include <doctest/doctest.h>

#include <cmath>

namespace gradtape::test {
namespace {

namespace eb = nn::explicit_backprop;

/// Largest difference of two gradients, relative to the largest entry of the second, or to `floor` if that is larger.
double relative_difference(const std::vector<Tensor>& a, const std::vector<Tensor>& b, double floor = 0) {
    double difference = 0, largest = floor;
    for (std::size_t t = 0; t < a.size(); ++t) {
        if (!(a[t].type() == b[t].type())) return inf;
        const std::vector<double> x = values(a[t]), y = values(b[t]);
        for (std::size_t i = 0; i < x.size(); ++i) {
            if (std::isnan(x[i]) || std::isnan(y[i])) return inf;
            difference = std::max(difference, std::abs(x[i] - y[i]));
            largest = std::max(largest, std::abs(y[i]));
        }
    }
    return difference == 0 ? 0 : difference / largest;
}

eb::Gradient by_hand(const RandomNetwork& example) {
    return eb::gradient(example.network, example.X, example.y, {.labels = example.labels});
}

void compare(std::uint64_t first, std::uint64_t last, DType dtype, double allowed, const NetworkLimits& limits = {},
             double floor = 0) {
    double worst = 0;
    for (std::uint64_t seed = first; seed < last; ++seed) {
        const RandomNetwork example = random_network(seed, dtype, limits);
        CAPTURE(seed);
        CAPTURE(example.text);
        const TapeGradient tape = tape_gradient(example);
        const eb::Gradient hand = by_hand(example);
        const double difference = relative_difference(tape.W, hand.W, floor);
        CHECK(difference <= allowed);
        CHECK(std::abs(tape.loss - hand.log_loss) <= allowed * std::max(1.0, std::abs(hand.log_loss)));
        CHECK(std::isfinite(tape.loss));
        worst = std::max(worst, difference);
    }
    MESSAGE("largest relative difference, ", std::string(to_string(dtype)), ": ", worst);
}

TEST_CASE("tape against explicit: 1,000 random networks, double") { compare(0, 1000, DType::float64, 1e-12); }
TEST_CASE("tape against explicit: random networks, float") { compare(1000, 1400, DType::float32, 1e-4); }

TEST_CASE("tape against explicit: saturated networks, |z| up to 1000") {
    // In the flanks of a sigmoid a rounding of z, eps |z|, is a relative error of a': ten times more is allowed. Where
    // all labels are met, the gradient is smaller than the rounding of sigmoid(z) - y: the difference itself is bounded.
    for (double z : {40.0, 200.0, 1000.0}) {
        const NetworkLimits limits{.layers = 4, .width = 16, .batch = 16, .largest_z = z};
        compare(2000, 2060, DType::float64, 1e-11, limits, 1);
        compare(2000, 2060, DType::float32, 5e-3, limits, 1);
    }
}

TEST_CASE("tape against complex step") {
    Random random(5);
    for (std::uint64_t seed = 3000; seed < 3060; ++seed) {
        const RandomNetwork example = random_network(seed, DType::float64, {.layers = 4, .width = 12, .batch = 8});
        CAPTURE(seed);
        CAPTURE(example.text);
        const TapeGradient tape = tape_gradient(example);
        const eb::Gradient hand = by_hand(example);
        double largest = 0;
        for (const Tensor& w : tape.W)
            for (double e : values(w)) largest = std::max(largest, std::abs(e));
        for (std::size_t t = 0; t < tape.W.size(); ++t)
            for (int trial = 0; trial < 4; ++trial) {
                const std::int64_t entry = random.below(int(tape.W[t].elements()));
                const double exact = complex_step(example, t, entry);
                CHECK(std::abs(values(tape.W[t])[std::size_t(entry)] - exact) <= 1e-12 * largest);
                CHECK(std::abs(values(hand.W[t])[std::size_t(entry)] - exact) <= 1e-12 * largest);
            }
    }
}

/// The loss at weights moved by `step` along `direction`.
double moved_loss(const RandomNetwork& example, const std::vector<Tensor>& direction, double step) {
    RandomNetwork moved = example;
    for (std::size_t t = 0; t < direction.size(); ++t) {
        std::vector<double> w = values(example.network.W[t]);
        const std::vector<double> d = values(direction[t]);
        for (std::size_t i = 0; i < w.size(); ++i) w[i] += step * d[i];
        moved.network.W[t] = make(w, example.network.W[t].shape());
    }
    return eb::log_loss(moved.network, moved.X, moved.y, moved.labels);
}

TEST_CASE("tape against finite differences of the loss") {
    Random random(7);
    int on_kinks = 0;
    for (std::uint64_t seed = 4000; seed < 4080; ++seed) {
        const RandomNetwork example = random_network(seed, DType::float64, {.layers = 4, .width = 12, .batch = 8});
        CAPTURE(seed);
        CAPTURE(example.text);
        std::vector<Tensor> direction;
        const TapeGradient tape = tape_gradient(example);
        double along = 0, scale = 1e-2;
        for (const Tensor& w : tape.W) {
            direction.push_back(random.tensor(w.shape(), -1, 1));
            const std::vector<double> d = values(direction.back()), g = values(w);
            for (std::size_t i = 0; i < g.size(); ++i) {
                along += d[i] * g[i];
                scale += std::abs(g[i]);
            }
        }
        const auto difference = [&](double h) {
            return (moved_loss(example, direction, h) - moved_loss(example, direction, -h)) / (2 * h);
        };
        if (std::abs(difference(1e-6) - difference(2e-6)) > 1e-6 * scale) {
            ++on_kinks;
            continue;
        }
        CHECK(std::abs(difference(1e-6) - along) <= 1e-6 * scale);
    }
    CHECK(on_kinks < 10);
}

/// An example of the post's with weights `W` as a network for both sides.
RandomNetwork post_network(const post::Example& example, const std::vector<Tensor>& W) {
    RandomNetwork result;
    result.network.W = W;
    result.network.a.assign(W.size(), {eb::Function::sigmoid, example.k});
    result.X = example.data.X;
    result.y = example.data.y;
    result.labels = eb::Labels::plus_minus_one;
    return result;
}

/// The Hessian of the loss, one row of the gradient's entries at a time, by gradients of gradients.
std::vector<std::vector<double>> hessian_on_tape(const RandomNetwork& example) {
    Tape tape;
    std::vector<Node> W;
    for (const Tensor& w : example.network.W) W.push_back(tape.parameter(w));
    const std::vector<Node> g = grad(loss_on_tape(example, W), W);
    std::vector<std::vector<double>> rows;
    for (const Node& part : g) {
        const Node flat = reshape(part, {-1});
        for (std::int64_t i = 0; i < flat.shape()[0]; ++i) {
            rows.emplace_back();
            for (const Node& h : grad(slice(flat, {Range{i, i + 1}}), W))
                for (double e : values(h)) rows.back().push_back(e);
        }
    }
    return rows;
}

std::vector<double> flat_gradient(const RandomNetwork& example) {
    std::vector<double> result;
    for (const Tensor& w : by_hand(example).W)
        for (double e : values(w)) result.push_back(e);
    return result;
}

/// The same by central differences of the explicit gradient (fourth order, so that 1e-9 is within reach).
std::vector<std::vector<double>> hessian_by_differences(const RandomNetwork& example) {
    std::vector<std::vector<double>> rows;
    for (std::size_t t = 0; t < example.network.W.size(); ++t)
        for (std::int64_t i = 0; i < example.network.W[t].elements(); ++i) {
            const auto at = [&](double step) {
                RandomNetwork moved = example;
                std::vector<double> w = values(example.network.W[t]);
                w[std::size_t(i)] += step;
                moved.network.W[t] = make(w, example.network.W[t].shape());
                return flat_gradient(moved);
            };
            const double h = 1e-3;
            const auto a = at(h), b = at(-h), c = at(2 * h), d = at(-2 * h);
            rows.emplace_back();
            for (std::size_t j = 0; j < a.size(); ++j)
                rows.back().push_back((8 * (a[j] - b[j]) - (c[j] - d[j])) / (12 * h));
        }
    return rows;
}

void check_hessian(const RandomNetwork& example) {
    const auto exact = hessian_on_tape(example), numeric = hessian_by_differences(example);
    REQUIRE(exact.size() == numeric.size());
    double largest = 0;
    for (const auto& row : exact)
        for (double e : row) largest = std::max(largest, std::abs(e));
    CHECK(largest > 1e-4);
    for (std::size_t i = 0; i < exact.size(); ++i) {
        CAPTURE(i);
        CHECK(mismatch(exact[i], numeric[i], {.absolute = 1e-8 * largest}) == "");
        for (std::size_t j = 0; j < i; ++j) CHECK(std::abs(exact[i][j] - exact[j][i]) <= 1e-13 * largest);
    }
}

TEST_CASE("tape: the Hessian of both examples' losses against differences of the explicit gradient") {
    const post::Example first = post::separable(), second = post::bounded();
    for (std::uint64_t w : {1, 2, 3}) {
        check_hessian(post_network(first, post::Run(w, first.widths, 200).weights));
        check_hessian(post_network(second, post::Run(w, second.widths, 160).weights));
    }
    check_hessian(post_network(second, post::constructed_weights()));
}

TEST_CASE("tape against explicit: the post's published weights on its data") {
    const post::Example second = post::bounded();
    for (const auto& W : {post::constructed_weights(), post::constructed_weights(3.9), post::trained_weights()})
        for (const post::DataSet& data : {post::data_2(), post::data_2c()}) {
            RandomNetwork example = post_network(second, W);
            example.X = data.X;
            example.y = data.y;
            const TapeGradient tape = tape_gradient(example);
            CHECK(relative_difference(tape.W, by_hand(example).W) <= 1e-12);
            CHECK(std::abs(tape.loss - by_hand(example).log_loss) <= 1e-14 * std::abs(tape.loss) + 1e-15);
        }
}

}  // namespace
}  // namespace gradtape::test

// grad, vjp and value_and_grad: fan-out, unused leaves, symbolic zeros, cuts, intermediate nodes, higher orders.
#include "support/tensors.hpp"

#include <doctest/doctest.h>

#include <cmath>

namespace gradtape::test {
namespace {

TEST_CASE("transforms: grad of several leaves") {
    for (DType dtype : floating) {
        Tape tape;
        const Node x = tape.parameter(make({1, 2, 3}, dtype)), y = tape.parameter(make({4, 5, 6}, dtype));
        const auto bars = grad(sum(x * y + square(x)), {x, y});
        CHECK(bars.size() == 2);
        CHECK(mismatch(bars[0], {6, 9, 12}) == "");
        CHECK(mismatch(bars[1], {1, 2, 3}) == "");
        CHECK(bars[0].dtype() == dtype);
    }
}

TEST_CASE("transforms: the same node used twice accumulates") {
    for (DType dtype : floating) {
        Tape tape;
        const Node x = tape.parameter(make({1, -2}, dtype));
        CHECK(mismatch(grad(sum(x * x), x), {2, -4}) == "");
        CHECK(mismatch(grad(sum(x + x), x), {2, 2}) == "");
        CHECK(mismatch(grad(sum(x - x), x), {0, 0}) == "");
        CHECK(mismatch(grad(sum(x / x), x), {0, 0}) == "");
        CHECK(mismatch(grad(sum(where(x > 0, x, x)), x), {1, 1}) == "");
        CHECK(mismatch(grad(sum(maximum(x, x)), x), {1, 1}) == "");
        CHECK(mismatch(grad(sum(x * x * x), x), {3, 12}) == "");
    }
}

TEST_CASE("transforms: one node asked for twice, and y itself") {
    Tape tape;
    const Node x = tape.parameter(Tensor(3.0));
    const Node y = square(x);
    const auto bars = grad(y, {x, x, y});
    CHECK(bars[0].item() == 6);
    CHECK(bars[1].item() == 6);
    CHECK(bars[2].item() == 1);
    CHECK(grad(x, x).item() == 1);
}

TEST_CASE("transforms: leaves of every kind, and intermediate nodes, can be differentiated") {
    Tape tape;
    const Node x = tape.input(Tensor(3.0)), p = tape.parameter(Tensor(4.0)), c = tape.constant(Tensor(5.0));
    const Node middle = x * p;
    const Node y = square(middle) * c;
    const auto bars = grad(y, {x, p, c, middle});
    CHECK(bars[0].item() == 2 * 12 * 4 * 5);
    CHECK(bars[1].item() == 2 * 12 * 3 * 5);
    CHECK(bars[2].item() == 144);
    CHECK(bars[3].item() == 2 * 12 * 5);
}

TEST_CASE("transforms: what y does not depend on gets zeros of its shape") {
    for (DType dtype : floating) {
        Tape tape;
        const Node x = tape.parameter(make({1, 2}, dtype));
        const Node unused = tape.parameter(make({1, 2, 3, 4, 5, 6}, {2, 3}, dtype));
        const Node later = square(x);
        const Node y = sum(x);
        const auto bars = grad(y, {unused, later});
        CHECK(bars[0].shape() == Shape({2, 3}));
        CHECK(bars[0].dtype() == dtype);
        CHECK(mismatch(bars[0], {0, 0, 0, 0, 0, 0}) == "");
        CHECK(mismatch(bars[1], {0, 0}) == "");
        CHECK(mismatch(grad(sum(bars[0]), x), {0, 0}) == "");  // a zero has a gradient
    }
}

TEST_CASE("transforms: vjp of several outputs; one without a cotangent is a symbolic zero") {
    Tape tape;
    const Node x = tape.parameter(Tensor{4, 0});
    const std::vector<Node> ys = {square(x), log(x)};
    const Node ones = tape.full({2}, 1);
    // log has a pole at 0: had it received an array of zeros, 0 · inf could show
    const std::vector<Node> only_first = {ones, Node()};
    CHECK(mismatch(vjp(ys, std::vector<Node>{x}, only_first)[0], {8, 0}) == "");
    const std::vector<Node> both = {ones, ones};
    CHECK(mismatch(vjp(ys, std::vector<Node>{x}, both)[0], {8.25, inf}) == "");
    const std::vector<Node> neither = {Node(), Node()};
    CHECK(mismatch(vjp(ys, std::vector<Node>{x}, neither)[0], {0, 0}) == "");
    CHECK(mismatch(vjp(x, x, ones), {1, 1}) == "");
}

TEST_CASE("transforms: one output used by another") {
    Tape tape;
    const Node x = tape.parameter(Tensor(2.0));
    const Node y = square(x), z = y * x;  // x³
    const std::vector<Node> bars = {tape.constant(10.0), tape.constant(1.0)};
    CHECK(vjp(std::vector<Node>{y, z}, std::vector<Node>{x}, bars)[0].item() == 10 * 4 + 12);
    CHECK(vjp(std::vector<Node>{y, y}, std::vector<Node>{x}, bars)[0].item() == 11 * 4);
}

TEST_CASE("transforms: stop_gradient, comparisons and integers cut") {
    for (DType dtype : floating) {
        Tape tape;
        const Node x = tape.parameter(make({1, -2}, dtype));
        CHECK(mismatch(stop_gradient(x), {1, -2}) == "");
        CHECK(mismatch(grad(sum(stop_gradient(x) * x), x), {1, -2}) == "");
        CHECK(mismatch(grad(sum(stop_gradient(square(x))), x), {0, 0}) == "");
        const Node through = cast(cast(x * 1.5, DType::int64), dtype);  // 1, −3
        CHECK(mismatch(through, {1, -3}) == "");
        CHECK(mismatch(grad(sum(through * x), x), {1, -3}) == "");
        const Node flag = cast(x > 0, dtype);
        CHECK(mismatch(grad(sum(flag * x), x), {1, 0}) == "");
        CHECK(mismatch(grad(sum(sign(x) * x), x), {1, -1}) == "");
    }
}

TEST_CASE("transforms: cotangents pass through casts between floating types") {
    Tape tape;
    const Node x = tape.parameter(Tensor{1, 2});
    const Node y = sum(square(cast(x, DType::float32)));
    CHECK(y.dtype() == DType::float32);
    const Node g = grad(y, x);
    CHECK(g.dtype() == DType::float64);
    CHECK(mismatch(g, {2, 4}) == "");
    CHECK(mismatch(grad(sum(g), x), {2, 2}) == "");
}

TEST_CASE("transforms: derivatives of every order") {
    Tape tape;
    const Node x = tape.parameter(Tensor(0.7));
    Node d = exp(2.0 * x);
    for (int order = 1; order <= 6; ++order) {
        d = grad(d, x);
        CHECK(d.item() == doctest::Approx(std::pow(2, order) * std::exp(1.4)).epsilon(1e-13));
    }
    Node s = sin(x);
    const double expected[] = {std::cos(0.7), -std::sin(0.7), -std::cos(0.7), std::sin(0.7)};
    for (double e : expected) {
        s = grad(s, x);
        CHECK(s.item() == doctest::Approx(e).epsilon(1e-14));
    }
    Node p = power(x, 5);
    const double falling[] = {5, 20, 60, 120, 120, 0};
    for (int order = 1; order <= 6; ++order) {
        p = grad(p, x);
        CHECK(p.item() == doctest::Approx(falling[order - 1] * (order <= 5 ? std::pow(0.7, 5 - order) : 0)));
    }
}

TEST_CASE("transforms: mixed second derivatives commute") {
    Tape tape;
    const Node x = tape.parameter(Tensor(0.3)), y = tape.parameter(Tensor(1.1));
    const Node f = sin(x * y) + x * exp(y);
    const double xy = grad(grad(f, x), y).item(), yx = grad(grad(f, y), x).item();
    const double expected = std::cos(0.33) - 0.33 * std::sin(0.33) + std::exp(1.1);
    CHECK(xy == doctest::Approx(expected).epsilon(1e-14));
    CHECK(yx == doctest::Approx(expected).epsilon(1e-14));
}

TEST_CASE("transforms: value_and_grad works on a tape of its own") {
    const Tensor a{1, 2}, b{3, 4};
    const auto [value, gradients] = value_and_grad([](auto x) { return sum(x[0] * x[1]); }, {a, b});
    CHECK(value.item() == 11);
    CHECK(mismatch(gradients[0], {3, 4}) == "");
    CHECK(mismatch(gradients[1], {1, 2}) == "");
    const std::vector<Tensor> at = {a};
    CHECK(mismatch(value_and_grad([](auto x) { return sum(exp(x[0])); }, at).gradients[0], {std::exp(1), std::exp(2)},
                   {.relative = 1e-15}) == "");
}

TEST_CASE("transforms: the reverse pass leaves what was recorded as it was") {
    Tape tape;
    const Node x = tape.parameter(Tensor{1, 2, 3});
    const Node y = sum(tanh(x) * x);
    const std::size_t before = tape.size();
    const Tensor value = y.value(), first = grad(y, x).value();
    CHECK(tape.size() > before);
    CHECK(same_bits(y.value(), value));
    CHECK(same_bits(grad(y, x).value(), first));  // again: the same bits
    verify(Program(tape, {y}));
}

TEST_CASE("transforms: a part that is not on the way is not differentiated") {
    Tape tape;
    const Node x = tape.parameter(Tensor(2.0));
    const Node y = square(x);
    const Node side = max(tape.parameter(Tensor{1, 2, 3}));  // no use of x
    (void)side;
    const std::size_t before = tape.size();
    (void)grad(y, x);
    CHECK(tape.size() - before <= 8);
}

}  // namespace
}  // namespace gradtape::test

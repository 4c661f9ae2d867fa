// jvp and hvp, each against reverse mode or the formula.
#include "support/tensors.hpp"

#include <doctest/doctest.h>

#include <cmath>

namespace gradtape::test {
namespace {

TEST_CASE("transforms: jvp of elementary functions") {
    for (DType dtype : floating) {
        Tape tape;
        const Node x = tape.parameter(make({1, 2}, dtype)), v = tape.constant(make({1, -1}, dtype));
        CHECK(mismatch(jvp(square(x), x, v), {2, -4}) == "");
        CHECK(mismatch(jvp(x * x * x, x, v), {3, -12}) == "");
        CHECK(jvp(sum(x), x, v).item() == 0);
        CHECK(jvp(sum(x), x, v).shape() == Shape{});
        CHECK(mismatch(jvp(x, x, v), {1, -1}) == "");
        CHECK(mismatch(jvp(log(x), x, v), {1, -0.5}) == "");
        CHECK(jvp(square(x), x, v).dtype() == dtype);
    }
}

TEST_CASE("transforms: jvp of what does not depend on x is zero, of y's shape") {
    Tape tape;
    const Node x = tape.parameter(Tensor{1, 2}), w = tape.parameter(Tensor{1, 2, 3});
    const Node v = tape.constant(Tensor{1, 1});
    const Node y_dot = jvp(square(w), x, v);
    CHECK(y_dot.shape() == Shape{3});
    CHECK(mismatch(y_dot, {0, 0, 0}) == "");
    CHECK(mismatch(jvp(stop_gradient(x), x, v), {0, 0}) == "");
    CHECK(mismatch(jvp(sign(x) * x, x, v), {1, 1}) == "");
}

TEST_CASE("transforms: several tangents add; a default-made one is zero") {
    Tape tape;
    const Node x = tape.parameter(Tensor{1, 2}), y = tape.parameter(Tensor{3, 4});
    const std::vector<Node> ys = {x * y, x + y}, wrt = {x, y};
    const Node u = tape.constant(Tensor{1, 0}), v = tape.constant(Tensor{0, 1});
    const std::vector<Node> both = {u, v}, first = {u, Node()};
    const auto dots = jvp(ys, wrt, both);
    CHECK(mismatch(dots[0], {3, 2}) == "");
    CHECK(mismatch(dots[1], {1, 1}) == "");
    const auto only_x = jvp(ys, wrt, first);
    CHECK(mismatch(only_x[0], {3, 0}) == "");
    CHECK(mismatch(only_x[1], {1, 0}) == "");
}

TEST_CASE("transforms: a tangent of a value and one of what it is made of add, forward and back") {
    Tape tape;
    const Node x = tape.parameter(Tensor{1, 2}), f = square(x), y = f * x;
    const Node u = tape.constant(Tensor{1, -1}), v = tape.constant(Tensor{10, 100});
    // ḟ = 2x u + v, ẏ = ḟ x + f u
    const std::vector<Node> wrt = {x, f}, dots = {u, v};
    const auto found = jvp(std::vector<Node>{y, f}, wrt, dots);
    CHECK(mismatch(found[0], {13, 188}) == "");
    CHECK(mismatch(found[1], {12, 96}) == "");
    CHECK(mismatch(jvp(std::vector<Node>{y}, std::vector<Node>{f, x}, std::vector<Node>{v, u})[0], {13, 188}) == "");
    CHECK(mismatch(jvp(std::vector<Node>{f}, std::vector<Node>{f, f}, dots)[0], {11, 99}) == "");
    // y itself is a wrt, and its operand another
    CHECK(mismatch(jvp(std::vector<Node>{y}, std::vector<Node>{y, x}, std::vector<Node>{v, u})[0], {13, 88}) == "");
    const auto bars = grad(sum(y), {x, f, y});
    CHECK(mismatch(bars[0], {3, 12}) == "");
    CHECK(mismatch(bars[1], {1, 2}) == "");
    CHECK(mismatch(bars[2], {1, 1}) == "");
}

TEST_CASE("transforms: forward and reverse agree on a composite") {
    for (DType dtype : floating) {
        Random random(7);
        Tape tape;
        const Node w = tape.parameter(random.tensor({4, 3}, -1, 1, dtype));
        const Node x = tape.constant(random.tensor({5, 3}, -1, 1, dtype));
        const Node z = softmax(tanh(matmul(x, w, {.y = true})), 0) / (1.5 + max(w));
        const Node v = tape.constant(random.tensor({4, 3}, -1, 1, dtype));
        const Node u = tape.constant(random.tensor({5, 4}, -1, 1, dtype));
        const double forward = sum(u * jvp(z, w, v)).item(), reverse = sum(vjp(z, w, u) * v).item();
        CHECK(forward == doctest::Approx(reverse).epsilon(dtype == DType::float32 ? 1e-5 : 1e-13));
    }
}

TEST_CASE("transforms: a reverse pass can be differentiated forward, and a forward pass reversed") {
    Tape tape;
    const Node x = tape.parameter(Tensor(0.4)), one = tape.constant(1.0);
    const Node y = exp(sin(x));
    const double c = std::cos(0.4), s = std::sin(0.4), expected = std::exp(s) * (c * c - s);
    CHECK(jvp(grad(y, x), x, one).item() == doctest::Approx(expected).epsilon(1e-14));
    CHECK(grad(jvp(y, x, one), x).item() == doctest::Approx(expected).epsilon(1e-14));
    CHECK(jvp(jvp(y, x, one), x, one).item() == doctest::Approx(expected).epsilon(1e-14));
    CHECK(hvp(y, x, one).item() == doctest::Approx(expected).epsilon(1e-14));
}

TEST_CASE("transforms: hvp of a quadratic form, and of norms at 0") {
    Tape tape;
    const Node x = tape.parameter(Tensor{1, -2, 0.5});
    const Node a = tape.constant(Tensor{{2, 1, 0}, {1, 3, -1}, {0, -1, 4}});
    const Node v = tape.constant(Tensor{1, 1, 2});
    CHECK(mismatch(hvp(matmul(x, matmul(a, x)), x, v), {6, 4, 14}) == "");
    const Node zero = tape.parameter(Tensor{0, 0, 0});
    CHECK(mismatch(hvp(sum(square(zero)), zero, v), {2, 2, 4}) == "");
    CHECK(mismatch(hvp(norm(zero), zero, v), {0, 0, 0}) == "");
    CHECK(mismatch(jvp(norm(zero), zero, v), {0}) == "");
}

TEST_CASE("transforms: hvp equals the gradient of the gradient's product with v") {
    Random random(11);
    Tape tape;
    const Node w = tape.parameter(random.tensor({3, 3}, -1, 1));
    const Node x = tape.constant(random.tensor({6, 3}, -1, 1));
    const Node y = mean(softplus(sum(sigmoid(2.0 * matmul(x, w, {.y = true})), 1)));
    const Node v = tape.constant(random.tensor({3, 3}, -1, 1));
    CHECK(mismatch(hvp(y, w, v), values(grad(sum(grad(y, w) * v), w)), {.scale = 1e-13}) == "");
}

}  // namespace
}  // namespace gradtape::test

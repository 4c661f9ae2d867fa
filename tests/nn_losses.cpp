// Losses against their formulas in long double, at the edges where naive forms break, and their refusals.
#include <gradtape/nn/layers.hpp>
#include <gradtape/nn/losses.hpp>
#include <gradtape/transforms.hpp>

#include "support/tensors.hpp"

#include <doctest/doctest.h>

#include <cmath>

using namespace gradtape;
using gradtape::nn::Labels;
using gradtape::test::inf;
using gradtape::test::make;
using gradtape::test::mismatch;
using gradtape::test::values;

namespace {

struct Result {
    double loss;
    std::vector<double> gradient;  // with respect to the predictions
};

template <class Loss>
Result evaluate(const Tensor& predictions, const Tensor& targets, Loss&& loss) {
    Tape tape;
    const Node z = tape.input(predictions);
    const Node l = loss(z, tape.input(targets));
    CHECK(l.shape() == Shape{});
    CHECK(l.dtype() == predictions.dtype());
    return {l.item(), values(grad(l, z))};
}

Result evaluated_log_loss(const Tensor& z, const Tensor& y, Labels convention) {
    return evaluate(z, y, [&](Node a, Node b) { return nn::log_loss(a, b, convention); });
}
Result from_probabilities(const Tensor& p, const Tensor& y, Labels convention = Labels::zero_one) {
    return evaluate(p, y, [&](Node a, Node b) { return nn::log_loss_from_probabilities(a, b, convention); });
}
Result cross_entropy(const Tensor& z, const Tensor& t) {
    return evaluate(z, t, [](Node a, Node b) { return nn::cross_entropy(a, b); });
}

long double softplus(long double x) { return std::max(x, 0.0L) + std::log1p(std::exp(-std::abs(x))); }
long double sigma(long double x) { return 1 / (1 + std::exp(-x)); }

Tensor integers(const std::vector<std::int64_t>& elements, const Shape& shape) {
    return Tensor::from(std::span<const std::int64_t>(elements), shape);
}

template <class Function>
std::string message(Function&& function) {
    try {
        function();
    } catch (const Error& error) {
        return error.what();
    }
    return "nothing was thrown";
}

}  // namespace

TEST_CASE("log-loss on logits is the mean over the batch, right at every logit") {
    const std::vector<double> z{-1000, -750, -50, -20, -1e-9, 0, 0.3, 17.4, 36.8, 90, 710, 1000};
    const auto n = std::int64_t(z.size());
    for (double label : {0.0, 1.0}) {
        double loss = 0;
        std::vector<double> gradient;
        for (double v : z) {
            loss += double(softplus(label == 1 ? -v : v)) / double(n);
            gradient.push_back(double(label == 1 ? -sigma(-v) : sigma(v)) / double(n));
        }
        const auto got = evaluated_log_loss(make(z), make(std::vector<double>(z.size(), label)), Labels::zero_one);
        CHECK(std::abs(got.loss - loss) <= 1e-14 * loss);
        CHECK(mismatch(got.gradient, gradient, {1e-14, 0, 1e-307}) == "");  // exp flushes denormals
        const auto signs = make(std::vector<double>(z.size(), 2 * label - 1));
        const auto same = evaluated_log_loss(make(z), signs, Labels::plus_minus_one);
        CHECK(same.loss == got.loss);
        CHECK(same.gradient == got.gradient);
    }
}

TEST_CASE("log-loss in float32 keeps its gradient where losses on probabilities lose it") {
    const std::vector<double> z{17.4, 90, 1000, -17.4, -90, -1000};
    const auto got = evaluated_log_loss(make(z, DType::float32), make({0, 0, 0, 1, 1, 1}, DType::float32), Labels::zero_one);
    CHECK(std::abs(got.loss - 2 * (17.4 + 90 + 1000) / 6) < 1e-3);
    for (std::size_t i = 0; i < 6; ++i) CHECK(std::abs(got.gradient[i] - (i < 3 ? 1 : -1) / 6.0) < 1e-7);
}

TEST_CASE("a partial batch divides by its own size, and labels (n) go with logits (n, 1)") {
    const auto four = evaluated_log_loss(make({1, 1, 1, 1}, {4, 1}), make({1, 1, 1, 1}), Labels::plus_minus_one);
    const auto one = evaluated_log_loss(make({1}, {1, 1}), make({1}), Labels::plus_minus_one);
    CHECK(four.loss == doctest::Approx(std::log1p(std::exp(-1.0))).epsilon(1e-15));
    CHECK(four.loss == one.loss);
    CHECK(four.gradient[0] == one.gradient[0] / 4);
    CHECK(evaluated_log_loss(make({1, -2}), make({1, -1}, {2, 1}), Labels::plus_minus_one).loss ==
          evaluated_log_loss(make({1, -2}, {2, 1}), make({1, -1}, {2, 1}), Labels::plus_minus_one).loss);
}

TEST_CASE("labels may be of any dtype") {
    const double expected = evaluated_log_loss(make({1, -2, 3}), make({1, 0, 0}), Labels::zero_one).loss;
    CHECK(evaluated_log_loss(make({1, -2, 3}), integers({1, 0, 0}, {3}), Labels::zero_one).loss == expected);
    CHECK(evaluated_log_loss(make({1, -2, 3}), make({1, 0, 0}).as(DType::boolean), Labels::zero_one).loss == expected);
    CHECK(evaluated_log_loss(make({1, -2, 3}), make({1, 0, 0}, DType::float32), Labels::zero_one).loss == expected);
}

TEST_CASE("log-loss refuses wrong labels with row and value") {
    const Tensor z = make({1, 2, 3}, {3, 1});
    const auto ask = [&](const Tensor& y, Labels c) { return message([&] { evaluated_log_loss(z, y, c); }); };
    CHECK(ask(make({1, 0, -1}), Labels::plus_minus_one).find("row 1: label 0; need -1 or +1") != std::string::npos);
    CHECK(ask(make({1, 0, -1}), Labels::zero_one).find("row 2: label -1; need 0 or 1") != std::string::npos);
    CHECK(ask(make({1, 0.5, 1}), Labels::zero_one).find("row 1: label 0.5") != std::string::npos);
    CHECK(ask(make({test::nan, 0, 1}), Labels::zero_one).find("row 0: label nan") != std::string::npos);
    CHECK(ask(make({1, 0, 1}), Labels::real).find("Labels::real") != std::string::npos);
    CHECK(ask(make({1, 1}), Labels::zero_one).find("(3, 1)") != std::string::npos);
}

TEST_CASE("losses never broadcast predictions against targets") {
    Tape tape;
    const Node column = tape.input(make({1, 0, 1}, {3, 1})), row = tape.input(make({1, 0, 1}, {1, 3}));
    CHECK_THROWS_AS(nn::log_loss(column, row, Labels::zero_one), ShapeError);
    CHECK_THROWS_AS(nn::mean_squared_error(column, row), ShapeError);
    CHECK_THROWS_AS(nn::mean_squared_error(column, tape.input(make({1}))), ShapeError);
    CHECK(nn::mean_squared_error(column, tape.input(make({1, 0, 1}))).item() == 0);
    const Node none = tape.input(make({}, {0, 1}));
    CHECK_THROWS_AS(nn::log_loss(none, none, Labels::zero_one), ShapeError);
    CHECK_THROWS_AS(nn::mean_squared_error(none, none), ShapeError);
    CHECK_THROWS_AS(nn::cross_entropy(none, none), ShapeError);
    CHECK_THROWS_AS(nn::log_loss(tape.input(integers({1}, {1})), tape.input(make({1})), Labels::zero_one), DTypeError);
}

TEST_CASE("log-loss from probabilities is −mean log of the label's probability") {
    const auto got = from_probabilities(make({0.2, 0.7, 1, 0}), make({0, 1, 1, 0}));
    CHECK(got.loss == doctest::Approx(-(std::log(0.8) + std::log(0.7)) / 4).epsilon(1e-15));
    CHECK(mismatch(got.gradient, {1 / 0.8 / 4, -1 / 0.7 / 4, -0.25, 0.25}, {1e-15}) == "");
    const auto signs = from_probabilities(make({0.2, 0.7}), make({-1, 1}), Labels::plus_minus_one);
    CHECK(signs.loss == doctest::Approx(-(std::log(0.8) + std::log(0.7)) / 2).epsilon(1e-15));
}

TEST_CASE("log-loss from probabilities is finite and pulls back from the wrong end") {
    for (DType dtype : test::floating) {
        const double t = dtype == DType::float32 ? 0x1p-63 : 0x1p-511;
        const auto wrong = from_probabilities(make({0, 1}, dtype), make({1, 0}, dtype));
        CHECK(wrong.loss == doctest::Approx(1 - std::log(t)).epsilon(1e-6));
        CHECK(mismatch(wrong.gradient, {-0.5 / t, 0.5 / t}, {1e-6}) == "");
        // The tangent meets the logarithm at t.
        const double below = from_probabilities(make({t * (1 - 1e-5)}, dtype), make({1}, dtype)).loss;
        CHECK(below == doctest::Approx(-std::log(t)).epsilon(1e-6));
        CHECK(from_probabilities(make({t}, dtype), make({1}, dtype)).loss == doctest::Approx(-std::log(t)).epsilon(1e-7));
    }
    CHECK(std::isnan(from_probabilities(make({test::nan}), make({1})).loss));
    CHECK_THROWS_WITH_AS(from_probabilities(make({0.5, 1.5}), make({1, 1})), doctest::Contains("element 1"), ValueError);
    CHECK_THROWS_AS(from_probabilities(make({-0.1}), make({1})), ValueError);
}

TEST_CASE("a recorded sigmoid gives its logit to the loss") {
    const std::vector<double> z{-1000, -40, 0.5, 40, 1000};
    const Tensor y = make({1, 1, 0, 0, 0});
    const auto from_sigmoid = evaluate(make(z), y, [](Node a, Node b) {
        return nn::log_loss_from_probabilities(sigmoid(a), b, Labels::zero_one);
    });
    const auto expected = evaluated_log_loss(make(z), y, Labels::zero_one);
    CHECK(from_sigmoid.loss == expected.loss);
    CHECK(from_sigmoid.gradient == expected.gradient);
    // With slope k = 2, at z = 500.
    const auto sloped = evaluate(make({500}), make({0}), [](Node a, Node b) {
        return nn::log_loss_from_probabilities(nn::sigmoid(a, 2), b, Labels::zero_one);
    });
    CHECK(sloped.loss == 1000);
    CHECK(sloped.gradient[0] == 2);
    // Seen as a plain number, the same probability has lost its gradient's size: it rounds to 1.
    const auto plain = evaluate(make({500}), make({0}), [](Node a, Node b) {
        return nn::log_loss_from_probabilities(sigmoid(a) * 1.0, b, Labels::zero_one);
    });
    CHECK(std::isfinite(plain.loss));
    CHECK(plain.gradient[0] < 1e-60);
}

TEST_CASE("cross-entropy with class numbers, one-hot rows and probabilities") {
    const std::vector<double> z{1, 2, 3, -1, 0, 5};
    const Tensor logits = make(z, {2, 3});
    double loss = 0;
    std::vector<double> gradient;
    const std::size_t label[] = {2, 0};
    for (std::size_t row = 0; row < 2; ++row) {
        long double total = 0;
        for (std::size_t j = 0; j < 3; ++j) total += std::exp((long double)(z[3 * row + j]));
        loss += double(std::log(total) - z[3 * row + label[row]]) / 2;
        for (std::size_t j = 0; j < 3; ++j)
            gradient.push_back((double(std::exp((long double)(z[3 * row + j])) / total) - (j == label[row])) / 2);
    }
    for (const Tensor& targets : {integers({2, 0}, {2}), integers({2, 0}, {2, 1}), make({0, 0, 1, 1, 0, 0}, {2, 3}),
                                  make({0, 0, 1, 1, 0, 0}, {2, 3}, DType::float32)}) {
        const auto got = cross_entropy(logits, targets);
        CHECK(got.loss == doctest::Approx(loss).epsilon(1e-14));
        CHECK(mismatch(got.gradient, gradient, {1e-14, 1e-15}) == "");
    }
    const auto soft = cross_entropy(make({0, 0}, {1, 2}), make({0.25, 0.75}, {1, 2}));
    CHECK(soft.loss == doctest::Approx(std::log(2.0)).epsilon(1e-15));
    CHECK(mismatch(soft.gradient, {0.25, -0.25}, {1e-14}) == "");
}

TEST_CASE("cross-entropy at the edges: huge and masked logits") {
    const auto huge = cross_entropy(make({1000, -1000}, {1, 2}), integers({1}, {1}));
    CHECK(huge.loss == 2000);
    CHECK(huge.gradient == std::vector<double>{1, -1});
    for (const Tensor& target : {integers({0}, {1}), make({1, 0, 0}, {1, 3})}) {
        const auto masked = cross_entropy(make({1, 1, -inf}, {1, 3}), target);
        CHECK(masked.loss == doctest::Approx(std::log(2.0)).epsilon(1e-15));
        CHECK(mismatch(masked.gradient, {-0.5, 0.5, 0}, {1e-14}) == "");
    }
}

TEST_CASE("cross-entropy refuses classes and probabilities that cannot be") {
    const Tensor z = make({1, 2, 3, 4}, {2, 2});
    CHECK_THROWS_WITH_AS(cross_entropy(z, integers({1, 2}, {2})), doctest::Contains("row 1: class 2"), ValueError);
    CHECK_THROWS_WITH_AS(cross_entropy(z, integers({-1, 0}, {2})), doctest::Contains("row 0: class -1"), ValueError);
    CHECK_THROWS_WITH_AS(cross_entropy(z, make({1, 0, 0.5, 0.6}, {2, 2})), doctest::Contains("row 1"), ValueError);
    CHECK_THROWS_WITH_AS(cross_entropy(z, make({2, -1, 1, 0}, {2, 2})), doctest::Contains("column 1"), ValueError);
    CHECK_THROWS_AS(cross_entropy(z, integers({1, 0, 1}, {3})), ShapeError);
    CHECK_THROWS_AS(cross_entropy(make({1, 2}), integers({1}, {1})), ShapeError);
    CHECK_THROWS_AS(cross_entropy(z, make({1, 0}, {1, 2})), ShapeError);
}

TEST_CASE("mean squared error") {
    const auto got = evaluate(make({1, 2, 4}), make({1, 0, 1}), [](Node a, Node b) { return nn::mean_squared_error(a, b); });
    CHECK(got.loss == doctest::Approx(13.0 / 3).epsilon(1e-15));
    CHECK(mismatch(got.gradient, {0, 4.0 / 3, 2}, {1e-15}) == "");
}

TEST_CASE("losses carry the user's line") {
    Tape tape;
    const Node z = tape.input(make({1, 2})), y = tape.input(make({1, 5}));
    const unsigned line = __LINE__ + 2;
    try {
        nn::log_loss(z, y, Labels::zero_one);
        FAIL("nothing was thrown");
    } catch (const ValueError& error) {
        CHECK(error.primitive() == "log_loss");
        CHECK(error.where().line == line);
        CHECK(std::string(error.where().file).find("nn_losses.cpp") != std::string::npos);
    }
}

TEST_CASE("mislabelled samples are counted by sign, or by the largest score; NaN is wrong") {
    using nn::count_mislabelled;
    const Tensor scores = make({2, -1, 0, test::nan, test::nan, 3}, {6, 1});
    CHECK(count_mislabelled(scores, make({1, -1, -1, 1, -1, -1}), Labels::plus_minus_one) == 3);
    CHECK(count_mislabelled(scores, make({1, 0, 1, 1, 0, 0}), Labels::zero_one) == 4);  // 0 is not positive
    const Tensor rows = make({1, 2, 0, 5, 4, 4, test::nan, 0, 9}, {3, 3}, DType::float32);
    CHECK(count_mislabelled(rows, integers({1, 0, 2}, {3}), Labels::classes) == 1);
    CHECK(count_mislabelled(rows, integers({0, 1, 2}, {3, 1}), Labels::classes) == 3);
    CHECK(count_mislabelled(make({9, test::nan, 0}, {1, 3}), integers({0}, {1}), Labels::classes) == 1);
    CHECK_THROWS_AS(count_mislabelled(scores, make({1, 0}), Labels::zero_one), ShapeError);
    CHECK_THROWS_AS(count_mislabelled(scores, scores, Labels::real), ValueError);
    CHECK_THROWS_AS(count_mislabelled(rows, make({1, 0, 2}), Labels::classes), DTypeError);
}

TEST_CASE("cross_entropy of confident logits keeps the digits of loss, gradient and Hessian") {
    // z = (g, 0): loss log1p(e^-g), gradient (-q, q) with q = 1/(1 + e^g), Hessian q (1 - q) (1, -1; -1, 1)
    for (DType dtype : test::floating)
        for (double g : {1.0, 5.0, 20.0, 40.0, 80.0})
            for (double shift : {0.0, -64.0, 3.0})
                for (bool distribution : {false, true}) {
                    CAPTURE(g);
                    CAPTURE(shift);
                    Tape tape;
                    const Node z = tape.parameter(make({g + shift, shift}, {1, 2}, dtype));
                    const Node t = distribution ? tape.input(make({1, 0}, {1, 2}, dtype)) : tape.input(Tensor::zeros({1}, DType::int64));
                    const Node loss = nn::cross_entropy(z, t), gradient = grad(loss, z);
                    const double e = std::exp(-g), q = e / (1 + e), h = q * (1 - q);
                    const test::Tolerance allowed{.relative = dtype == DType::float32 ? 2e-6 : 2e-15};
                    CHECK(mismatch(loss, {std::log1p(e)}, allowed) == "");
                    CHECK(mismatch(gradient, {-q, q}, allowed) == "");
                    const Node v = tape.constant(make({1, 0.25}, {1, 2}, dtype));
                    CHECK(mismatch(hvp(loss, z, v), {0.75 * h, -0.75 * h}, allowed) == "");
                    CHECK(mismatch(grad(sum(gradient * v), z), {0.75 * h, -0.75 * h}, allowed) == "");
                }
    // by hand: softmax and logsumexp
    Tape tape;
    const Node z = tape.parameter(make({20, 0}, {1, 2}, DType::float32)), v = tape.constant(make({1, 0}, {1, 2}, DType::float32));
    const double e = std::exp(-20.0);
    CHECK(mismatch(logsumexp(z - 20.0, 1), {std::log1p(e)}, {.relative = 1e-6}) == "");
    CHECK(mismatch(jvp(softmax(z), z, v), {e, -e}, {.relative = 2e-6}) == "");
    CHECK(mismatch(vjp(softmax(z), z, v), {e, -e}, {.relative = 2e-6}) == "");
}

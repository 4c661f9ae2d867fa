// Pinned values and derivatives of reductions and of products along an axis: ties, zeros, infinities, empty tensors.
#include "support/tensors.hpp"

#include <gradtape/check.hpp>

#include <doctest/doctest.h>

#include <cmath>

namespace gradtape::test {
namespace {

const Shape no_axes = {};

TEST_CASE("edge: k ties of a max or min share the cotangent, forward and reverse alike") {
    for (DType dtype : floating) {
        const Tensor at = make({3, 1, 3, 3, 1, 2, 2, 2}, {2, 4}, dtype);
        const auto row_max = [](Node x) { return max(x, 1); };
        const auto row_min = [](Node x) { return min(x, 1); };
        const double third = dtype == DType::float32 ? 1.0f / 3 : 1.0 / 3;
        CHECK(mismatch(pull(row_max, at).value, {3, 2}) == "");
        CHECK(mismatch(pull(row_max, at).x_bar, {third, 0, third, third, 0, third, third, third}) == "");
        CHECK(mismatch(pull(row_min, at).x_bar, {0, 1, 0, 0, 1, 0, 0, 0}) == "");
        const Unary all_max = [](Node x) { return max(x); };
        CHECK(mismatch(pull(all_max, make({2, 2}, dtype)).x_bar, {0.5, 0.5}) == "");
        CHECK(mismatch(pull(all_max, make({-inf, -inf}, dtype)).x_bar, {0.5, 0.5}) == "");

        Tape tape;
        const Node x = tape.parameter(at);
        const Node tangent = tape.constant(make({1, 10, 2, 6, 10, 1, 2, 6}, {2, 4}, dtype));
        CHECK(mismatch(jvp(max(x, 1), x, tangent), {3, 3}, {.relative = 3e-7}) == "");
        CHECK(mismatch(jvp(min(x, 1), x, tangent), {10, 10}, {.relative = 3e-7}) == "");
    }
}

TEST_CASE("edge: logsumexp of infinities") {
    const Unary f = [](Node x) { return logsumexp(x); };
    for (DType dtype : floating) {
        const Pulled masked = pull(f, make({-inf, -inf}, dtype));
        CHECK(mismatch(masked.value, {-inf}) == "");
        CHECK(mismatch(masked.x_bar, {0, 0}) == "");
        const Pulled one = pull(f, make({1, inf}, dtype));
        CHECK(mismatch(one.value, {inf}) == "");
        CHECK(mismatch(one.x_bar, {0, 1}) == "");
        const Pulled part = pull(f, make({-inf, 0, 0}, dtype));
        CHECK(mismatch(part.value, {std::log(2.0)}, {.relative = 3e-7}) == "");
        CHECK(mismatch(part.x_bar, {0, 0.5, 0.5}, {.relative = 3e-7}) == "");
        CHECK(mismatch(pull(f, make({1000, 1000}, dtype)).value, {1000 + std::log(2.0)}, {.relative = 3e-7}) == "");
        CHECK(mismatch(pull(f, make({5}, dtype)).value, {5}) == "");
        // logaddexp as users write it
        const Binary logaddexp = [](Node x, Node y) { return logsumexp(stack({x, y}), 0); };
        const Pulled both = pull(logaddexp, make({-inf, 5}, dtype), make({-inf, inf}, dtype));
        CHECK(mismatch(both.value, {-inf, inf}) == "");
        CHECK(mismatch(both.x_bar, {0, 0}) == "");
        CHECK(mismatch(both.y_bar, {0, 1}) == "");
    }
}

TEST_CASE("edge: logsumexp over no axes is its operand") {
    for (DType dtype : floating) {
        Tape tape;
        const Node x = tape.parameter(make({1.5, -0.0, -inf, inf, nan, -1e30}, {2, 3}, dtype));
        for (bool keepdims : {false, true}) {
            const Node z = logsumexp(x, Axes(no_axes), keepdims);
            CHECK(same_bits(z.value(), x.value()));
            CHECK(mismatch(grad(sum(z), x), {1, 1, 1, 1, 1, 1}) == "");
            CHECK(mismatch(jvp(z, x, full_like(x, 2)), {2, 2, 2, 2, 2, 2}) == "");
        }
        CHECK(logsumexp(tape.parameter(make({3}, Shape{}, dtype))).item() == 3);
    }
    Tape tape;
    CHECK_THROWS_AS(logsumexp(tape.input(make({1}, DType::int64)), Axes(no_axes)), DTypeError);
}

TEST_CASE("edge: softmax of masked rows") {
    for (DType dtype : floating) {
        const Unary f = [](Node x) { return softmax(x); };
        const Pulled masked = pull(f, make({-inf, -inf, -inf, 0, 0, -inf}, {2, 3}, dtype), {1, 2, 3, 1, 0, 5});
        CHECK(mismatch(masked.value, {0, 0, 0, 0.5, 0.5, 0}) == "");
        CHECK(mismatch(masked.x_bar, {0, 0, 0, 0.25, -0.25, 0}) == "");

        Tape tape;  // a huge masked entry: nothing passes through the mask
        for (double huge : {1e30, inf, nan}) {
            const Node x = tape.parameter(make({1, huge, 1}, dtype));
            const Node mask = tape.constant(make({1, 0, 1}, DType::boolean));
            const Node p = softmax(where(mask, x, -inf));
            CHECK(mismatch(p, {0.5, 0, 0.5}) == "");
            const Node weights = tape.constant(make({4, 100, 8}, dtype));
            CHECK(mismatch(grad(sum(p * weights), x), {-1, 0, 1}) == "");
            CHECK(mismatch(grad(logsumexp(where(mask, x, -inf)), x), {0.5, 0, 0.5}, {.relative = 3e-7}) == "");
        }
        const Unary g = [](Node x) { return log_softmax(x); };
        const Pulled far = pull(g, make({1000, 0}, dtype), {0, 1});
        CHECK(mismatch(far.value, {0, -1000}) == "");
        CHECK(mismatch(far.x_bar, {-1, 1}) == "");
    }
}

TEST_CASE("edge: prod is exact with one zero and with two") {
    const Unary f = [](Node x) { return prod(x, 1); };
    for (DType dtype : floating) {
        const Tensor at = make({2, 0, 3, 5, 0, 7, 0, 2, 2, 3, 5, 7}, {3, 4}, dtype);
        const Pulled got = pull(f, at);
        CHECK(mismatch(got.value, {0, 0, 210}) == "");
        CHECK(mismatch(got.x_bar, {0, 30, 0, 0, 0, 0, 0, 0, 105, 70, 42, 30}) == "");
        const Unary all = [](Node x) { return prod(x); };
        const Tensor row = make({2, 0, 3, 5}, dtype);
        // d²/dx² of prod is 0 on the diagonal; the sum of a row of the Hessian holds products of two others.
        CHECK(mismatch(derivative(all, row, 2), {15, 10 + 6 + 15, 10, 6}) == "");
        CHECK(mismatch(pull(all, make({0, 0}, dtype)).x_bar, {0, 0}) == "");
        CHECK(mismatch(derivative(all, make({0, 0}, dtype), 2), {1, 1}) == "");
        CHECK(mismatch(pull(all, make({0}, dtype)).x_bar, {1}) == "");
    }
}

TEST_CASE("edge: reductions of empty tensors") {
    for (DType dtype : floating) {
        const Tensor none = make({}, {0}, dtype);
        const auto check = [&](const Unary& f, std::vector<double> value) {
            Tape tape;
            const Node x = tape.parameter(none);
            const Node y = f(x);
            CHECK(mismatch(y, value) == "");
            const Node x_bar = vjp(y, x, tape.full(y.shape(), 1, dtype));
            CHECK(x_bar.shape() == Shape{0});
            CHECK(x_bar.dtype() == dtype);
        };
        check([](Node x) { return sum(x); }, {0});
        check([](Node x) { return prod(x); }, {1});
        check([](Node x) { return logsumexp(x); }, {-inf});
        check([](Node x) { return mean(x); }, {nan});
        check([](Node x) { return softmax(x); }, {});
        check([](Node x) { return log_softmax(x); }, {});
        Tape tape;
        const Node x = tape.parameter(make({}, {0, 3}, dtype));
        CHECK(sum(x, 0).shape() == Shape{3});
        CHECK(mismatch(sum(x, 0), {0, 0, 0}) == "");
        CHECK(mismatch(prod(x, 0), {1, 1, 1}) == "");
        CHECK(mismatch(logsumexp(x, 0), {-inf, -inf, -inf}) == "");
        CHECK(sum(x, 1).shape() == Shape{0});
        CHECK(max(x, 1).shape() == Shape{0});  // the reduced axis is not empty
        CHECK(grad(sum(max(x, 1)), x).shape() == Shape({0, 3}));
        CHECK(softmax(x).shape() == Shape({0, 3}));
    }
}

TEST_CASE("edge: sum of squares, and deviations of a constant row") {
    for (DType dtype : floating) {
        const Unary squared_norm = [](Node x) { return sum(square(x)); };
        CHECK(mismatch(pull(squared_norm, make({0, 0}, dtype)).x_bar, {0, 0}) == "");
        CHECK(mismatch(derivative(squared_norm, make({0, 0}, dtype), 2), {2, 2}) == "");
        // the kink of norm at 0 stays one where it is squared
        CHECK(mismatch(derivative([](Node x) { return square(norm(x)); }, make({0, 0}, dtype), 2), {0, 0}) == "");
        const Unary variance = [](Node x) { return mean(square(x - mean(x))); };
        CHECK(mismatch(pull(variance, make({3, 3, 3}, dtype)).x_bar, {0, 0, 0}) == "");
    }
}

TEST_CASE("edge: norm, and stddev of equal elements: 0 with derivatives 0 of every order") {
    const Unary row_norm = [](Node x) { return norm(x, 1); }, row_stddev = [](Node x) { return stddev(x, 1); };
    for (DType dtype : floating) {
        const Tolerance allowed{.relative = dtype == DType::float32 ? 3e-7 : 4e-16};
        const Pulled length = pull(row_norm, make({0, 0, 3, -4}, {2, 2}, dtype), {1, 2});
        CHECK(mismatch(length.value, {0, 5}) == "");
        CHECK(mismatch(length.x_bar, {0, 0, 1.2, -1.6}, allowed) == "");
        // the mean of 0.1, 0.1, 0.1 is not 0.1
        const Pulled spread = pull(row_stddev, make({0.1, 0.1, 0.1, 1, 2, 3}, {2, 3}, dtype));
        const double s = std::sqrt(2 / 3.0);
        CHECK(mismatch(spread.value, {0, s}, allowed) == "");
        CHECK(mismatch(spread.x_bar, {0, 0, 0, -1 / (3 * s), 0, 1 / (3 * s)}, allowed) == "");
        for (int order : {1, 2, 3}) {
            CHECK(mismatch(derivative(row_norm, make({0, 0, 0}, {1, 3}, dtype), order), {0, 0, 0}) == "");
            for (double c : {0.1, 0.3, 1e30, -7.7, 0.0})
                CHECK(mismatch(derivative(row_stddev, make({c, c, c}, {1, 3}, dtype), order), {0, 0, 0}) == "");
        }
        const Unary bare_norm = [](Node x) { return norm(x); };
        CHECK(mismatch(pull(bare_norm, make({nan, 1}, dtype)).value, {nan}) == "");
        CHECK(mismatch(pull(bare_norm, make({-inf, 1}, dtype)).value, {inf}) == "");
        CHECK(mismatch(pull(bare_norm, make({}, {0}, dtype)).value, {0}) == "");
        CHECK(mismatch(pull([](Node x) { return stddev(x); }, make({}, {0}, dtype)).value, {nan}) == "");
    }
    Tape tape;
    const Node x = tape.input(make({1, 2, 3, 5, 5, 5, -1, 0, 1, 2, 2, 2}, {2, 2, 3}));
    CHECK(mismatch(variance(x, -1), {2 / 3.0, 0, 2 / 3.0, 0}, {.relative = 4e-16}) == "");
    CHECK(norm(x, {0, 2}, true).shape() == Shape({1, 2, 1}));
    CHECK(variance(x, {0, 2}, true).shape() == Shape({1, 2, 1}));
    CHECK(stddev(x, {0, 2}).shape() == Shape{2});
    CHECK(mismatch(norm(x, Axes(no_axes)), values(abs(x))) == "");
    CHECK(mismatch(stddev(x, Axes(no_axes)), std::vector<double>(12, 0)) == "");
}

/// {largest, least normal, least} of a dtype.
std::vector<double> extremes(DType dtype) {
    if (dtype == DType::float32) return {0x1.fffffep127, 0x1p-126, 0x1p-149};
    return {0x1.fffffffffffffp1023, 0x1p-1022, 0x1p-1074};
}

TEST_CASE("edge: mean, variance and stddev of the largest numbers are theirs") {
    for (DType dtype : floating) {
        const double large = extremes(dtype)[0], least = extremes(dtype)[2];
        const Tolerance allowed{.relative = dtype == DType::float32 ? 3e-7 : 6e-16};
        for (std::int64_t n : {1, 2, 3, 7, 64, 1000, 100003}) {
            const Unary f = [](Node x) { return mean(x); };
            const Tensor equal = Tensor::full({n}, large, dtype);
            CHECK(mismatch(pull(f, equal).value, {large}, allowed) == "");
            CHECK(std::isfinite(pull(f, Tensor::full({n}, -large, dtype)).value[0]));
            CHECK(mismatch(pull(f, equal).x_bar, std::vector<double>(std::size_t(n), 1 / double(n)), allowed) == "");
            CHECK(mismatch(pull([](Node x) { return variance(x); }, equal).value, {0}) == "");
            CHECK(mismatch(pull([](Node x) { return stddev(x); }, equal).value, {0}) == "");
            CHECK(mismatch(pull(f, Tensor::full({n}, least, dtype)).value, {least}) == "");  // nothing is scaled down
        }
        // along every kind of axes, beside rows that are ordinary, infinite and NaN
        Tape tape;
        const Node x = tape.parameter(make({large, large, large, 1, 2, 3, large, inf, large, large, nan, 1}, {4, 3}, dtype));
        const std::vector<double> rows{large, 2, inf, nan};
        CHECK(mismatch(mean(x, 1), rows, allowed) == "");
        CHECK(mismatch(mean(transpose(x), 0), rows, allowed) == "");
        CHECK(mismatch(mean(reshape(transpose(x), {1, 3, 4, 1}), {1, 3}), rows, allowed) == "");
        CHECK(mismatch(mean(tape.input(make({large, large, -large, -large}, dtype))), {0}) == "");
        const Node apart = tape.parameter(make({large, large / 2}, dtype));
        CHECK(mismatch(stddev(apart), {large / 4}, allowed) == "");
        CHECK(mismatch(grad(stddev(apart), apart), {0.5, -0.5}, allowed) == "");
        // squares whose sum overflows, but not their mean
        const double big = std::sqrt(large) * 0.9;
        CHECK(mismatch(variance(tape.input(make({big, -big, big, -big}, dtype))), {0.81 * large}, {.relative = 1e-6}) == "");
        CHECK(mismatch(jvp(mean(apart), apart, apart), {0.75 * large}, allowed) == "");
    }
}

TEST_CASE("edge: norm keeps its digits over the whole range, and so does its gradient") {
    for (DType dtype : floating) {
        const Tolerance allowed{.relative = dtype == DType::float32 ? 4e-7 : 1e-15};
        const double large = extremes(dtype)[0], small = extremes(dtype)[1], least = extremes(dtype)[2];
        const Unary bare = [](Node x) { return norm(x); }, columns = [](Node x) { return norm(x, 0); };
        for (double scale : {1.0, 1e20, 3e-22, 1e30, 1e-30, large / 8, small, small * 4, 1 / std::sqrt(large), std::sqrt(small)}) {
            const double s = dtype == DType::float32 ? double(float(scale)) : scale;
            CAPTURE(s);
            const Pulled three = pull(bare, make({3 * s, 0, -4 * s}, dtype));
            CHECK(mismatch(three.value, {5 * s}, allowed) == "");
            CHECK(mismatch(three.x_bar, {0.6, 0, -0.8}, allowed) == "");
            Tape tape;
            const Node x = tape.parameter(make({3 * s, 4 * s}, dtype));
            const Node v = tape.constant(make({1, 1}, dtype));
            // H = (1 − u uᵀ)/z with u = (0.6, 0.8)
            if (s > 1 / large * 64 && s * 25 < large)
                CHECK(mismatch(hvp(norm(x), x, v), {0.16 / (5 * s), -0.12 / (5 * s)}, {.relative = 2e-6}) == "");
            CHECK(mismatch(jvp(norm(x), x, v), {1.4}, allowed) == "");
        }
        // columns of unlike size side by side, as many as fill registers and one more
        std::vector<double> elements, lengths, slopes;
        const double sizes[] = {1, 1e30, 1e-30, 0, large / 4, 16 * least, 1e-3};
        for (int i = 0; i < 2; ++i)
            for (int j = 0; j < 35; ++j) {
                const double size = dtype == DType::float32 ? double(float(sizes[j % 7])) : sizes[j % 7];
                elements.push_back(size * (i ? -1 : 0.75));
                slopes.push_back(size == 0 ? 0 : i ? -0.8 : 0.6);
                if (i) lengths.push_back(size * 1.25);
            }
        const Pulled many = pull(columns, make(elements, {2, 35}, dtype));
        CHECK(mismatch(many.value, lengths, allowed) == "");
        CHECK(mismatch(many.x_bar, slopes, allowed) == "");
        Tape tape;
        CHECK(mismatch(norm(transpose(tape.input(make(elements, {2, 35}, dtype))), 1), lengths, allowed) == "");
        CHECK(mismatch(pull(bare, make({least}, dtype)).value, {least}) == "");
        // the limits
        CHECK(mismatch(pull(bare, make({inf, 1}, dtype)).value, {inf}) == "");
        CHECK(mismatch(pull(bare, make({inf, 1}, dtype)).x_bar, {1, 0}) == "");
        CHECK(mismatch(pull(bare, make({-inf, 1, inf}, dtype)).x_bar, {-std::sqrt(0.5), 0, std::sqrt(0.5)}, allowed) == "");
        CHECK(mismatch(pull(bare, make({nan, 1}, dtype)).x_bar, {nan, nan}) == "");
        CHECK(mismatch(pull(bare, Tensor::full({9}, large, dtype)).value, {inf}) == "");  // 3 times the largest number
        CHECK(mismatch(pull(bare, Tensor::full({9}, large, dtype)).x_bar, std::vector<double>(9, 1.0 / 3), allowed) == "");
    }
}

TEST_CASE("edge: norm of ordinary numbers has the bits of the root of the sum of squares") {
    Random random(8);
    for (DType dtype : floating)
        for (const Shape& shape : {Shape{1, 5}, Shape{3, 1000}, Shape{7, 64}, Shape{2, 4099}}) {
            Tape tape;
            const Node x = tape.input(random.tensor(shape, -3, 3, dtype));
            for (int axis : {0, 1}) CHECK(same_bits(norm(x, axis).value(), sqrt(sum(square(x), axis)).value()));
            for (int axis : {0, 1}) CHECK(same_bits(mean(x, axis).value(), (sum(x, axis) / double(shape[std::size_t(axis)])).value()));
        }
}

TEST_CASE("edge: derivatives of norm, variance and stddev away from their kinks") {
    Random random(6);
    for (auto f : {norm, variance, stddev})
        for (const Axes& axes : {Axes(1), Axes{0, 2}, Axes()}) {
            const auto function = [&](std::span<const Node> x) { return f(x[0], axes, true); };
            const CheckResult found = check_gradient(function, {random.tensor({2, 3, 4}, -1, 1)});
            CHECK_MESSAGE(found.ok, found.report);
        }
}

TEST_CASE("edge: axes of reductions") {
    for (DType dtype : floating) {
        Tape tape;
        const Node x = tape.parameter(make({1, 2, 3, 4, 5, 6}, {1, 2, 3}, dtype));
        CHECK(sum(x).shape() == Shape{});
        CHECK(sum(x, {}, true).shape() == Shape({1, 1, 1}));
        CHECK(mismatch(sum(x, -1), {6, 15}) == "");
        CHECK(sum(x, -1).shape() == Shape({1, 2}));
        CHECK(sum(x, -1, true).shape() == Shape({1, 2, 1}));
        CHECK(sum(x, {0, 2}).shape() == Shape{2});
        CHECK(mismatch(sum(x, {2, 0}), {6, 15}) == "");
        CHECK(mismatch(sum(x, {0, -1}), {6, 15}) == "");
        CHECK(mismatch(mean(x, {1, 2}), {3.5}) == "");
        CHECK(mismatch(sum(x, Axes(no_axes)), {1, 2, 3, 4, 5, 6}) == "");
        CHECK(sum(x, Axes(no_axes)).shape() == Shape({1, 2, 3}));
        CHECK(mismatch(max(x, Axes(no_axes)), {1, 2, 3, 4, 5, 6}) == "");
        CHECK(mismatch(grad(sum(max(x, Axes(no_axes))), x), {1, 1, 1, 1, 1, 1}) == "");
        const Node s = tape.parameter(make({5}, Shape{}, dtype));  // 0-d
        for (const Node& r : {sum(s), mean(s), max(s), min(s), prod(s), logsumexp(s)}) {
            CHECK(r.shape() == Shape{});
            CHECK(r.item() == 5);
            CHECK(grad(r, s).item() == 1);
            CHECK(grad(r, s).shape() == Shape{});
        }
    }
}

TEST_CASE("edge: a long sum is accurate and does not depend on where it starts") {
    // 0.1f a million times: naive float summation is off by more than 900.
    const std::int64_t n = 1000000;
    Tape tape;
    const Node x = tape.parameter(Tensor::full({n}, 0.1, DType::float32));
    CHECK(std::abs(sum(x).item() - double(0.1f) * double(n)) < 0.12);  // log2(n) roundings
    Random random(5);
    const Tensor rows = random.tensor({3, 1001}, -1, 1, DType::float32);
    const Node m = tape.parameter(rows);
    const auto together = values(sum(m, 1));
    for (int i = 0; i < 3; ++i) {
        const Node row = reshape(slice(m, {Range{i, i + 1}}), {1001});
        CHECK(sum(row).item() == together[std::size_t(i)]);
    }
}

}  // namespace
}  // namespace gradtape::test

// Pinned values and derivatives of elementwise primitives at kinks, poles and infinities, in both dtypes.
#include "support/tensors.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <numbers>

namespace gradtape::test {
namespace {

struct Pinned {
    const char* what;
    Unary function;
    double at, z_bar, value, x_bar;
};

void check(std::initializer_list<Pinned> rows) {
    for (DType dtype : floating)
        for (const Pinned& row : rows) {
            CAPTURE(std::string(to_string(dtype)));
            CAPTURE(std::string(row.what));
            const Pulled got = pull(row.function, make({row.at}, dtype), {row.z_bar});
            CHECK(mismatch(got.value, values(make({row.value}, dtype)), {.relative = 3e-7}) == "");
            CHECK(mismatch(got.x_bar, values(make({row.x_bar}, dtype)), {.relative = 3e-7}) == "");
        }
}

struct PinnedPair {
    const char* what;
    Binary function;
    double x, y, z_bar, value, x_bar, y_bar;
};

void check_pairs(std::initializer_list<PinnedPair> rows) {
    for (DType dtype : floating)
        for (const PinnedPair& row : rows) {
            CAPTURE(std::string(to_string(dtype)));
            CAPTURE(std::string(row.what));
            const Pulled got = pull(row.function, make({row.x}, dtype), make({row.y}, dtype), {row.z_bar});
            CHECK(mismatch(got.value, {row.value}, {.relative = 3e-7}) == "");
            CHECK(mismatch(got.x_bar, {row.x_bar}, {.relative = 3e-7}) == "");
            CHECK(mismatch(got.y_bar, {row.y_bar}, {.relative = 3e-7}) == "");
        }
}

TEST_CASE("edge: kinks take the subgradient of least norm") {
    check({
        {"abs at 0", [](Node x) { return abs(x); }, 0, 1, 0, 0},
        {"abs at -0", [](Node x) { return abs(x); }, -0.0, 1, 0, 0},
        {"abs below", [](Node x) { return abs(x); }, -3, 2, 3, -2},
        {"relu at 0", [](Node x) { return relu(x); }, 0, 1, 0, 0},
        {"relu above", [](Node x) { return relu(x); }, 2, 3, 2, 3},
        {"relu below", [](Node x) { return relu(x); }, -2, 3, 0, 0},
        {"relu of +inf", [](Node x) { return relu(x); }, inf, 1, inf, 1},
        {"relu of -inf", [](Node x) { return relu(x); }, -inf, 1, 0, 0},
        {"max(x, constant) tie", [](Node x) { return maximum(x, 1.5); }, 1.5, 1, 1.5, 0},
        {"max(constant, x) tie", [](Node x) { return maximum(1.5, x); }, 1.5, 1, 1.5, 0},
        {"min(x, constant) tie", [](Node x) { return minimum(x, 1.5); }, 1.5, 1, 1.5, 0},
        {"max(x, constant) above", [](Node x) { return maximum(x, 1.5); }, 2, 1, 2, 1},
        {"clamp at the lower bound", [](Node x) { return clamp(x, -1, 2); }, -1, 1, -1, 1},
        {"clamp at the upper bound", [](Node x) { return clamp(x, -1, 2); }, 2, 1, 2, 1},
        {"clamp within", [](Node x) { return clamp(x, -1, 2); }, 0.5, 1, 0.5, 1},
        {"clamp below", [](Node x) { return clamp(x, -1, 2); }, -1.5, 1, -1, 0},
        {"clamp above", [](Node x) { return clamp(x, -1, 2); }, 2.5, 1, 2, 0},
        {"clamp at an infinite bound", [](Node x) { return clamp(x, 0, inf); }, inf, 1, inf, 1},
        {"clamp with equal bounds", [](Node x) { return clamp(x, 1, 1); }, 1, 1, 1, 1},
        {"sign", [](Node x) { return sign(x); }, -3, 1, -1, 0},
        {"sign at 0", [](Node x) { return sign(x); }, 0, 1, 0, 0},
    });
    check_pairs({
        {"maximum tie", [](Node x, Node y) { return maximum(x, y); }, 1, 1, 1, 1, 0.5, 0.5},
        {"minimum tie", [](Node x, Node y) { return minimum(x, y); }, 1, 1, 1, 1, 0.5, 0.5},
        {"maximum tie of zeros", [](Node x, Node y) { return maximum(x, y); }, 0, -0.0, 1, 0, 0.5, 0.5},
        {"maximum", [](Node x, Node y) { return maximum(x, y); }, 1, 2, 3, 2, 0, 3},
        {"minimum", [](Node x, Node y) { return minimum(x, y); }, 1, 2, 3, 1, 3, 0},
    });
}

TEST_CASE("edge: a tie with a constant leaf counts as a constant") {
    for (DType dtype : floating) {
        Tape tape;
        const Node x = tape.parameter(make({1.5, 1.5}, dtype));
        const Node c = tape.constant(make({1.5, 1.0}, dtype));
        CHECK(mismatch(grad(sum(maximum(x, c)), x), {0, 1}) == "");
        CHECK(mismatch(grad(sum(minimum(c, x)), x), {0, 0}) == "");
    }
}

TEST_CASE("edge: so does one that was broadcast, by the operation or before it, once or twice") {
    for (DType dtype : floating) {
        Tape tape;
        const Node x = tape.parameter(make({1.5, 1.5, 2, 1.5}, {2, 2}, dtype));
        const Node one = tape.constant(make({1.5}, dtype)), row = tape.constant(make({1.5, 1.0}, dtype));
        const Node scalar = tape.constant(make({1.5}, {}, dtype));
        const std::vector<double> with_one = {0, 0, 1, 0}, with_row = {0, 1, 1, 1};
        for (const Node& c : {one, scalar, broadcast_to(one, {2, 2}), broadcast_to(broadcast_to(scalar, {2}), {2, 2})}) {
            CHECK(mismatch(grad(sum(maximum(x, c)), x), with_one) == "");
            CHECK(mismatch(grad(sum(maximum(c, x)), x), with_one) == "");
            CHECK(mismatch(grad(sum(minimum(x, c)), x), {0, 0, 0, 0}) == "");
        }
        CHECK(mismatch(grad(sum(maximum(x, row)), x), with_row) == "");
        CHECK(mismatch(grad(sum(maximum(broadcast_to(row, {2, 2}), x)), x), with_row) == "");
        // what is no constant shares, broadcast or not
        const Node p = tape.parameter(make({1.5}, dtype));
        CHECK(mismatch(grad(sum(maximum(x, p)), x), {0.5, 0.5, 1, 0.5}) == "");
        CHECK(mismatch(grad(sum(maximum(x, p)), p), {1.5}) == "");
        CHECK(mismatch(grad(sum(maximum(x, broadcast_to(p, {2, 2}))), x), {0.5, 0.5, 1, 0.5}) == "");
    }
}

TEST_CASE("edge: poles give infinity, and nothing to a zero cotangent") {
    check({
        {"sqrt at 0, cotangent 1", [](Node x) { return sqrt(x); }, 0, 1, 0, inf},
        {"sqrt at 0, cotangent 0", [](Node x) { return sqrt(x); }, 0, 0, 0, 0},
        {"sqrt below 0", [](Node x) { return sqrt(x); }, -1, 1, nan, nan},
        {"sqrt of inf", [](Node x) { return sqrt(x); }, inf, 1, inf, 0},
        {"log at 0, cotangent 1", [](Node x) { return log(x); }, 0, 1, -inf, inf},
        {"log at 0, cotangent 0", [](Node x) { return log(x); }, 0, 0, -inf, 0},
        {"log1p at -1, cotangent 1", [](Node x) { return log1p(x); }, -1, 1, -inf, inf},
        {"log1p at -1, cotangent 0", [](Node x) { return log1p(x); }, -1, 0, -inf, 0},
        {"reciprocal at 0", [](Node x) { return reciprocal(x); }, 0, 1, inf, -inf},
        {"reciprocal at -0", [](Node x) { return reciprocal(x); }, -0.0, 1, -inf, -inf},
        {"rsqrt at 0", [](Node x) { return rsqrt(x); }, 0, 1, inf, -inf},
        {"1 / x at 0", [](Node x) { return 1.0 / x; }, 0, 1, inf, -inf},
        {"1 / x at 0, cotangent 0", [](Node x) { return 1.0 / x; }, 0, 0, inf, 0},
        {"reciprocal at 0, cotangent 0", [](Node x) { return reciprocal(x); }, 0, 0, inf, 0},
        {"rsqrt at 0, cotangent 0", [](Node x) { return rsqrt(x); }, 0, 0, inf, 0},
        {"exp of +inf", [](Node x) { return exp(x); }, inf, 1, inf, inf},
        {"exp of -inf", [](Node x) { return exp(x); }, -inf, 1, 0, 0},
        {"expm1 of -inf", [](Node x) { return expm1(x); }, -inf, 1, -1, 0},
        {"log of inf", [](Node x) { return log(x); }, inf, 1, inf, 0},
    });
}

TEST_CASE("edge: power") {
    const Binary pow_xy = [](Node x, Node y) { return power(x, y); };
    check_pairs({
        {"0^0", pow_xy, 0, 0, 1, 1, 0, 0},
        {"0^2", pow_xy, 0, 2, 1, 0, 0, 0},
        {"0^1", pow_xy, 0, 1, 1, 0, 1, 0},
        {"0^-1", pow_xy, 0, -1, 1, inf, -inf, -inf},
        {"x<0, non-integer exponent", pow_xy, -2, 0.5, 1, nan, nan, nan},
        {"1^y", pow_xy, 1, 3, 1, 1, 3, 0},
        {"x^0", pow_xy, 2, 0, 1, 1, 0, std::numbers::ln2},
        {"2^3", pow_xy, 2, 3, 1, 8, 12, 8 * std::numbers::ln2},
    });
    check({
        {"(-2)^3", [](Node x) { return power(x, 3); }, -2, 1, -8, 12},
        {"(-2)^2", [](Node x) { return power(x, 2); }, -2, 1, 4, -4},
        {"(-2)^-1", [](Node x) { return power(x, -1); }, -2, 1, -0.5, -0.25},
        {"0^2", [](Node x) { return power(x, 2); }, 0, 1, 0, 0},
        {"0^0.5", [](Node x) { return power(x, 0.5); }, 0, 1, 0, inf},
        {"square at 0", [](Node x) { return square(x); }, 0, 1, 0, 0},
    });
}

TEST_CASE("edge: where_positive selects, so that what it leaves out is 0") {
    const Binary f = [](Node x, Node y) { return where_positive(x, y); };
    check_pairs({
        {"at 0", f, 0, inf, inf, 0, 0, 0},
        {"at -0", f, -0.0, nan, 1, 0, 0, 0},
        {"below", f, -1, nan, nan, 0, 0, 0},
        {"at NaN", f, nan, 3, 1, nan, 0, nan},
        {"at NaN, of 0", f, nan, 0, 0, 0, 0, 0},
        {"above", f, 1e-30, 3, 2, 3, 0, 2},
        {"above, with -inf", f, inf, -inf, -inf, -inf, 0, -inf},
    });
}

TEST_CASE("edge: xlogy and multiply_no_nan") {
    const Binary f = [](Node x, Node y) { return xlogy(x, y); };
    check_pairs({
        {"xlogy(0, 3)", f, 0, 3, 1, 0, std::log(3.0), 0},
        {"xlogy(2, 3)", f, 2, 3, 1, 2 * std::log(3.0), std::log(3.0), 2 / 3.0},
    });
    const Binary no_nan = [](Node x, Node y) { return multiply_no_nan(x, y); };
    for (DType dtype : floating) {
        CHECK(mismatch(pull(f, make({0}, dtype), make({0}, dtype)).value, {0}) == "");
        CHECK(mismatch(pull(no_nan, make({inf, nan, -inf, 2}, dtype), make({0, 0, 0, 3}, dtype)).value,
                       {0, 0, 0, 6}) == "");
        const Tensor x = make({inf, nan, 1}, dtype), y = make({2, 2, nan}, dtype);
        CHECK(mismatch(pull(no_nan, x, y).value, {inf, nan, nan}) == "");
    }
}

TEST_CASE("edge: softplus, sigmoid and log_sigmoid never overflow") {
    check({
        {"softplus of +inf", [](Node x) { return softplus(x); }, inf, 1, inf, 1},
        {"softplus of -inf", [](Node x) { return softplus(x); }, -inf, 1, 0, 0},
        {"softplus of NaN", [](Node x) { return softplus(x); }, nan, 1, nan, nan},
        {"softplus of 89", [](Node x) { return softplus(x); }, 89, 1, 89, 1},
        {"softplus of 1000", [](Node x) { return softplus(x); }, 1000, 1, 1000, 1},
        {"softplus of -1000", [](Node x) { return softplus(x); }, -1000, 1, 0, 0},
        {"softplus at 0", [](Node x) { return softplus(x); }, 0, 1, std::numbers::ln2, 0.5},
        {"log_sigmoid of -1000", [](Node x) { return log_sigmoid(x); }, -1000, 1, -1000, 1},
        {"log_sigmoid of 1000", [](Node x) { return log_sigmoid(x); }, 1000, 1, 0, 0},
        {"sigmoid of 1000", [](Node x) { return sigmoid(x); }, 1000, 1, 1, 0},
        {"sigmoid of -1000", [](Node x) { return sigmoid(x); }, -1000, 1, 0, 0},
        {"sigmoid of inf", [](Node x) { return sigmoid(x); }, inf, 1, 1, 0},
        {"sigmoid of -inf", [](Node x) { return sigmoid(x); }, -inf, 1, 0, 0},
        {"tanh of inf", [](Node x) { return tanh(x); }, inf, 1, 1, 0},
        {"tanh of -1000", [](Node x) { return tanh(x); }, -1000, 1, -1, 0},
        {"tanh at 0", [](Node x) { return tanh(x); }, 0, 1, 0, 1},
        {"tanh at -0", [](Node x) { return tanh(x); }, -0.0, 1, -0.0, 1},
        {"sigmoid at -0", [](Node x) { return sigmoid(x); }, -0.0, 1, 0.5, 0.25},
        {"tanh_slope at 0", [](Node x) { return tanh_slope(x); }, 0, 1, 1, -0.0},
        {"tanh_slope of -inf", [](Node x) { return tanh_slope(x); }, -inf, 1, 0, 0},
        {"tanh_slope of NaN", [](Node x) { return tanh_slope(x); }, nan, 1, nan, nan},
        {"sigmoid_slope at 0", [](Node x) { return sigmoid_slope(x); }, 0, 1, 0.25, -0.0},
        {"sigmoid_slope of inf", [](Node x) { return sigmoid_slope(x); }, inf, 1, 0, -0.0},
        {"sigmoid_slope of NaN", [](Node x) { return sigmoid_slope(x); }, nan, 1, nan, nan},
    });
}

TEST_CASE("edge: slopes keep their digits where the function rounds to 1") {
    // 4 e^−2x and e^−x, of which the rest is below rounding.
    CHECK(mismatch(derivative([](Node x) { return tanh(x); }, Tensor{-300, 20, 30, 300}, 1),
                   {4 * std::exp(-600.0), 4 * std::exp(-40.0), 4 * std::exp(-60.0), 4 * std::exp(-600.0)}, {.relative = 2e-15}) == "");
    CHECK(mismatch(derivative([](Node x) { return sigmoid(x); }, Tensor{-700, 40, 700, 744}, 1),
                   {std::exp(-700.0), std::exp(-40.0), std::exp(-700.0), std::exp(-744.0)}, {.relative = 2e-15}) == "");
    CHECK(mismatch(derivative([](Node x) { return softplus(x); }, Tensor{40, 700}, 2), {std::exp(-40.0), std::exp(-700.0)},
                   {.relative = 2e-15}) == "");
    // sigmoid″ is −x/8 near 0.
    CHECK(mismatch(derivative([](Node x) { return sigmoid(x); }, Tensor{1e-9, -1e-200}, 2), {-1.25e-10, 1.25e-201},
                   {.relative = 2e-15}) == "");
}

TEST_CASE("edge: second order of saturating functions is finite and exact") {
    const Unary functions[] = {[](Node x) { return tanh(x); }, [](Node x) { return sigmoid(x); },
                               [](Node x) { return softplus(x); }, [](Node x) { return log_sigmoid(x); }};
    for (DType dtype : floating)
        for (const Unary& f : functions)
            for (int order : {2, 3}) {
                const auto d = derivative(f, make({-1000, 1000, -inf, inf}, dtype), order);
                CHECK(mismatch(d, {0, 0, 0, 0}) == "");
            }
    // tanh'' = -2 t (1 - t²), sigmoid'' = s (1 - s) (1 - 2 s), at 1/2
    const double t = std::tanh(0.5), s = 1 / (1 + std::exp(-0.5));
    for (DType dtype : floating) {
        const Tolerance allowed{.relative = dtype == DType::float32 ? 2e-6 : 4e-15};
        CHECK(mismatch(derivative(functions[0], make({0.5}, dtype), 2), {-2 * t * (1 - t * t)}, allowed) == "");
        CHECK(mismatch(derivative(functions[1], make({0.5}, dtype), 2), {s * (1 - s) * (1 - 2 * s)}, allowed) == "");
        CHECK(mismatch(derivative(functions[2], make({0.5}, dtype), 2), {s * (1 - s)}, allowed) == "");
    }
}

TEST_CASE("edge: NaN in gives NaN out") {
    const Unary functions[] = {
        [](Node x) { return relu(x); },          [](Node x) { return sign(x); },
        [](Node x) { return abs(x); },           [](Node x) { return maximum(x, 0); },
        [](Node x) { return minimum(0, x); },    [](Node x) { return clamp(x, -1, 1); },
        [](Node x) { return sigmoid(x); },       [](Node x) { return tanh(x); },
        [](Node x) { return exp(x); },           [](Node x) { return max(x); },
        [](Node x) { return min(x); },           [](Node x) { return logsumexp(x); },
        [](Node x) { return sum(x); },           [](Node x) { return log_sigmoid(x); },
    };
    int index = 0;
    for (DType dtype : floating)
        for (const Unary& f : functions) {
            CAPTURE(index++);
            CHECK(mismatch(pull(f, make({nan}, dtype)).value, {nan}) == "");
        }
}

TEST_CASE("edge: where a NaN is selected from, its cotangent is NaN, and that of a number is not") {
    const Unary selections[] = {
        [](Node x) { return relu(x); },           [](Node x) { return maximum(x, 0.5); },  [](Node x) { return minimum(0.5, x); },
        [](Node x) { return clamp(x, -1, 1); },   [](Node x) { return maximum(x, -x); },   [](Node x) { return clamp(x, 0, inf); },
        [](Node x) { return max(reshape(x, {-1, 1}), 1); }, [](Node x) { return min(reshape(x, {-1, 1}), 1); },
    };
    int index = 0;
    for (DType dtype : floating)
        for (const Unary& f : selections) {
            CAPTURE(index++);
            const std::vector<double> bar = pull(f, make({nan, 0.75}, dtype)).x_bar;
            CHECK(std::isnan(bar[0]));
            CHECK(std::isfinite(bar[1]));
            CHECK(pull(f, make({nan, 0.75}, dtype), {0, 0}).x_bar[0] == 0);
            Tape tape;
            const Node x = tape.parameter(make({nan, 0.75}, dtype)), y = f(x);
            CHECK(std::isnan(values(jvp(y, x, full_like(x, 1.0)))[0]));
        }
    check_pairs({
        {"maximum(NaN, 1)", [](Node x, Node y) { return maximum(x, y); }, nan, 1, 1, nan, nan, 0},
        {"maximum(1, NaN)", [](Node x, Node y) { return maximum(x, y); }, 1, nan, 1, nan, 0, nan},
        {"minimum(NaN, NaN)", [](Node x, Node y) { return minimum(x, y); }, nan, nan, 1, nan, nan, nan},
    });
    for (DType dtype : floating) {
        const Unary largest_log = [](Node x) { return max(log(x)); }, least_log = [](Node x) { return min(log(x)); };
        CHECK(mismatch(pull(largest_log, make({1, -1, 4}, dtype)).x_bar, {0, nan, 0}) == "");
        CHECK(mismatch(pull(least_log, make({1, -1, 4}, dtype)).x_bar, {0, nan, 0}) == "");
    }
}

TEST_CASE("edge: where a function of numbers has no value, it has no slope") {
    const Unary functions[] = {[](Node x) { return log(x); },        [](Node x) { return log1p(x); },
                               [](Node x) { return sqrt(x); },       [](Node x) { return rsqrt(x); },
                               [](Node x) { return power(x, 0.3); }, [](Node x) { return xlogy(2.0, x); },
                               [](Node x) { return power(x, 2.5); }, [](Node x) { return xlogy(x, x); }};
    int index = 0;
    for (DType dtype : floating)
        for (const Unary& f : functions) {
            CAPTURE(index++);
            const Pulled got = pull(f, make({-1.5, -1e30, -inf}, dtype));
            for (std::size_t i = 0; i < 2; ++i) {
                CHECK(std::isnan(got.value[i]));
                CHECK(std::isnan(got.x_bar[i]));
            }
        }
}

TEST_CASE("edge: slopes that are finite are so without what they would be made of") {
    check({
        {"1 / x, x and cotangent large", [](Node x) { return 1.0 / x; }, 1e30, 1e30, 1e-30, -1e-30},
        {"reciprocal of little, of less", [](Node x) { return reciprocal(x); }, 1e-30, 1e-30, 1e30, -1e30},
        {"rsqrt of little", [](Node x) { return rsqrt(x); }, 1e-20, 1, 1e10, -5e29},
        {"rsqrt of little, of less", [](Node x) { return rsqrt(x); }, 1e-36, 1e-30, 1e18, -5e23},
        {"log of less, of less", [](Node x) { return log(x); }, 1e-39, 1e-10, std::log(1e-39), 1e29},
        {"exp below the normal numbers", [](Node x) { return exp(x); }, -100, 1, std::exp(-100.0), std::exp(-100.0)},
        {"expm1 where it is -1", [](Node x) { return expm1(x); }, -60, 1, -1, std::exp(-60.0)},
    });
    check_pairs({
        {"x / y", [](Node x, Node y) { return x / y; }, 1e-30, 0x1p-128, 1e-10, 1e-30 * 0x1p128, 1e-10 * 0x1p128,
         -1e-40 * 0x1p255 * 2},
        {"xlogy", [](Node x, Node y) { return xlogy(x, y); }, 1e-30, 1e-39, 1, 1e-30 * std::log(1e-39), std::log(1e-39), 1e9},
    });
    for (DType dtype : floating) {
        const double tiny = dtype == DType::float32 ? 1e-45 : 5e-324;
        CHECK(mismatch(pull([](Node x) { return log(x); }, make({tiny}, dtype)).value,
                       {std::log(values(make({tiny}, dtype))[0])}, {.relative = 3e-7}) == "");
        for (const Unary& f : {Unary([](Node x) { return expm1(x); }), Unary([](Node x) { return log1p(x); })})
            CHECK(std::signbit(pull(f, make({-0.0}, dtype)).value[0]));
    }
}

TEST_CASE("edge: mixed second derivatives of power do not depend on their order") {
    for (DType dtype : floating)
        for (double x0 : {0.0, -0.0, 2.0, 1e-3, -2.0})
            for (double y0 : {2.0, 1.0, 0.5, 0.25, 0.0, -1.0, 3.0}) {
                CAPTURE(x0);
                CAPTURE(y0);
                Tape tape;
                const Node x = tape.parameter(make({x0}, dtype)), y = tape.parameter(make({y0}, dtype));
                const auto first = grad(sum(power(x, y)), {x, y});
                const std::vector<double> a = values(grad(sum(first[0]), y)), b = values(grad(sum(first[1]), x));
                CHECK(mismatch(a, b, {.relative = 1e-6}) == "");
            }
}

TEST_CASE("edge: an unselected lane is a symbolic zero") {
    const Unary guarded_log = [](Node x) { return where(x > 0, log(x), 0.0); };
    const Unary guarded_sqrt = [](Node x) { return where(x > 0, sqrt(x), 0.0); };
    const Unary guarded_inverse = [](Node x) { return where(x > 0, 1.0 / x, 0.0); };
    const Unary guarded_power = [](Node x) { return where(x > 0, power(x, -0.5), 0.0); };
    for (DType dtype : floating) {
        const Tensor at = make({0, 4, -1}, dtype);
        const Pulled a = pull(guarded_log, at), b = pull(guarded_sqrt, at);
        CHECK(mismatch(a.value, {0, std::log(4.0), 0}, {.relative = 3e-7}) == "");
        CHECK(mismatch(a.x_bar, {0, 0.25, 0}) == "");
        CHECK(mismatch(b.x_bar, {0, 0.25, 0}) == "");
        CHECK(mismatch(pull(guarded_inverse, at).x_bar, {0, -0.0625, 0}) == "");
        CHECK(mismatch(pull(guarded_power, at).x_bar, {0, -0.0625, 0}, {.relative = 3e-7}) == "");
        CHECK(mismatch(derivative(guarded_log, at, 2), {0, -0.0625, 0}) == "");
        CHECK(mismatch(derivative(guarded_sqrt, at, 2), {0, -0.03125, 0}, {.relative = 3e-7}) == "");
    }
}

TEST_CASE("edge: a NaN cotangent reaches what it is used for and no inactive branch") {
    for (DType dtype : floating) {
        const Unary pick = [](Node x) { return where(x > 0, x, square(x)); };
        CHECK(mismatch(pull(pick, make({1, -1}, dtype), {nan, 1}).x_bar, {nan, -2}) == "");
        const Unary cut = [](Node x) { return relu(x); };
        CHECK(mismatch(pull(cut, make({-1, 1}, dtype), {nan, nan}).x_bar, {0, nan}) == "");
        const Unary clipped = [](Node x) { return clamp(x, 0, 1); };
        CHECK(mismatch(pull(clipped, make({-1, 0.5}, dtype), {nan, nan}).x_bar, {0, nan}) == "");
    }
}

TEST_CASE("edge: tensors and casts convert by one rule, defined for every number") {
    constexpr auto least = std::numeric_limits<std::int64_t>::min(), most = std::numeric_limits<std::int64_t>::max();
    struct Row {
        double number;
        std::int64_t integer;
    };
    const Row rows[] = {
        {nan, 0},     {inf, most},   {-inf, least},     {1e30, most},           {-1e30, least},
        {2.9, 2},     {0x1p63, most}, {-0x1p63, least}, {0x1p62, most / 2 + 1}, {-2.9, -2},
        {0x1p-40, 0}, {0, 0},        {-0.0, 0}};
    for (const Row& row : rows) {
        const double number = row.number;
        CAPTURE(number);
        for (DType dtype : floating) {
            Tape tape;
            const Tensor t = make({number, number, number}, dtype);
            for (const Tensor& z : {t.as(DType::int64), cast(tape.input(t), DType::int64).value()})
                for (std::int64_t element : z.data<std::int64_t>()) CHECK(element == row.integer);
            for (const Tensor& z : {t.as(DType::boolean), cast(tape.input(t), DType::boolean).value()})
                for (bool element : z.data<bool>()) CHECK(element == (number != 0));
        }
    }
}

TEST_CASE("edge: log-loss on logits is right at every logit") {
    for (DType dtype : floating) {
        std::vector<double> z;
        for (double v : {0.0, 1e-3, 1.0, 14.9, 16.64, 17.3, 35.0, 36.74, 88.0, 89.0, 500.0, 1000.0}) {
            z.push_back(v);
            z.push_back(-v);
        }
        for (double label : {0.0, 1.0}) {
            const Unary loss = [&](Node x) { return softplus(x) - label * x; };
            const Unary signed_loss = [&](Node x) { return softplus(-(2 * label - 1) * x); };
            std::vector<double> value, gradient;
            for (double v : values(make(z, dtype))) {
                const double signed_v = -(2 * label - 1) * v;
                value.push_back(std::max(signed_v, 0.0) + std::log1p(std::exp(-std::abs(v))));
                gradient.push_back(label == 1 ? -1 / (1 + std::exp(v)) : 1 / (1 + std::exp(-v)));
            }
            const double eps = dtype == DType::float32 ? 2e-7 : 4e-16;
            // The gradient sigmoid(z) - y has eps of absolute error where both are near 1.
            const Pulled a = pull(loss, make(z, dtype)), b = pull(signed_loss, make(z, dtype));
            for (double g : a.x_bar) CHECK(std::isfinite(g));
            CHECK(mismatch(a.x_bar, gradient, {.relative = 4 * eps, .absolute = eps}) == "");
            CHECK(mismatch(b.x_bar, gradient, {.relative = 8 * eps, .absolute = 1e-37}) == "");
            CHECK(mismatch(b.value, value, {.relative = 8 * eps, .absolute = 1e-37}) == "");
        }
    }
}

}  // namespace
}  // namespace gradtape::test

// Distributions at a fixed key: moments, Kolmogorov–Smirnov, tails, ranges; and dropout in training steps.
#include "support/naive_random.hpp"
#include "support/refusals.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <map>

namespace gradtape::test {
namespace {

constexpr std::int64_t many = 100000;

/// √n times the largest distance of the empirical distribution from `distribution`; above 1.95 once in a thousand.
double kolmogorov_smirnov(std::vector<double> x, double (*distribution)(double)) {
    std::sort(x.begin(), x.end());
    double distance = 0;
    const double n = double(x.size());
    for (std::size_t i = 0; i < x.size(); ++i) {
        const double at = distribution(x[i]);
        distance = std::max({distance, at - double(i) / n, double(i + 1) / n - at});
    }
    return distance * std::sqrt(n);
}

/// Mean of (x − about)^k.
double moment(const std::vector<double>& x, double about, int k) {
    double total = 0;
    for (double v : x) total += std::pow(v - about, k);
    return total / double(x.size());
}

/// The mean of n numbers is within 4.5 of its standard deviations.
bool near(double found, double expected, double variance) {
    return std::abs(found - expected) < 4.5 * std::sqrt(variance / double(many));
}

TEST_CASE("keys: moments and distributions at fixed keys") {
    const double gamma = 0.57721566490153286, pi = std::acos(-1.0);
    for (const DType dtype : floating)
        for (const int seed : {1, 2, 3}) {
            Tape tape;
            const Node key = tape.input(random_key(seed));
            const auto u = values(uniform(key, {many}, dtype)), n = values(normal(key, {many}, dtype));
            const auto e = values(exponential(key, {many}, dtype)), g = values(gumbel(key, {many}, dtype));
            CHECK(kolmogorov_smirnov(u, [](double x) { return x; }) < 1.95);
            CHECK(kolmogorov_smirnov(n, [](double x) { return std::erfc(-x / std::sqrt(2.0)) / 2; }) < 1.95);
            CHECK(kolmogorov_smirnov(e, [](double x) { return -std::expm1(-x); }) < 1.95);
            CHECK(kolmogorov_smirnov(g, [](double x) { return std::exp(-std::exp(-x)); }) < 1.95);
            CHECK(near(moment(u, 0, 1), 0.5, 1.0 / 12));
            CHECK(near(moment(u, 0.5, 2), 1.0 / 12, 1.0 / 180));
            CHECK(near(moment(n, 0, 1), 0, 1));
            CHECK(near(moment(n, 0, 2), 1, 2));
            CHECK(near(moment(n, 0, 3), 0, 15));
            CHECK(near(moment(n, 0, 4), 3, 96));
            CHECK(near(moment(e, 0, 1), 1, 1));
            CHECK(near(moment(e, 1, 2), 1, 8));
            CHECK(near(moment(g, 0, 1), gamma, pi * pi / 6));
            CHECK(near(moment(g, gamma, 2), pi * pi / 6, 4.4 * std::pow(pi, 4) / 36));
        }
}

TEST_CASE("keys: uniform is its bits times a power of two, and stays below the upper bound") {
    Tape tape;
    const Node key = tape.input(random_key(8));
    const std::vector<double> wide = values(random_bits(key, {999}, 53)), narrow = values(random_bits(key, {999}, 24));
    const std::vector<double> u = values(uniform(key, {999})), f = values(uniform(key, {999}, DType::float32));
    const std::vector<double> v = values(uniform(key, {999}, DType::float64, -2, 5));
    for (std::size_t i = 0; i < 999; ++i) {
        CHECK(u[i] == std::ldexp(wide[i], -53));
        CHECK(f[i] == std::ldexp(narrow[i], -24));
        CHECK(v[i] == -2 + 7 * u[i]);
    }
    const double next = std::nextafter(1.0, 2.0), next_float = std::nextafter(1.0f, 2.0f);
    for (const double x : values(uniform(key, {999}, DType::float64, 1, next))) CHECK(x == 1);
    for (const double x : values(uniform(key, {999}, DType::float32, 1, next_float))) CHECK(x == 1);
    for (const double x : values(uniform(key, {9}, DType::float32, 3, 3))) CHECK(x == 3);
    CHECK(refused<ValueError>([&] { uniform(key, {3}, DType::float64, 2, 1); }, {"uniform"}) == "");
    CHECK(refused<ValueError>([&] { uniform(key, {3}, DType::float64, 0, inf); }, {"uniform"}) == "");
    CHECK(refused<ValueError>([&] { uniform(key, {3}, DType::float64, nan, 1); }, {"uniform"}) == "");
    CHECK(refused<ValueError>([&] { uniform(key, {3}, DType::float64, -1.7e308, 1.7e308); }, {"uniform"}) == "");
    CHECK(refused<ValueError>([&] { uniform(key, {3}, DType::float32, 0, 1e39); }, {"uniform"}) == "");
}

TEST_CASE("keys: quantiles are right to the ends of both tails, symmetric and never infinite") {
    const Primitive* primitives[3] = {};
    const char* const names[] = {"normal_quantile", "exponential_quantile", "gumbel_quantile"};
    for (const Primitive* p : primitive_table())
        for (int i = 0; i < 3; ++i)
            if (std::string(p->name) == names[i]) primitives[i] = p;
    std::vector<std::int64_t> bits;
    for (int shift = 0; shift < 63; ++shift)
        for (const std::int64_t step : {-2048, 0, 2048, 77 * 2048}) {
            const std::int64_t x = std::int64_t((std::uint64_t(1) << shift) + std::uint64_t(step));
            for (const std::int64_t from : {std::int64_t(0), INT64_MIN}) {  // around the median, and from both ends
                bits.push_back(std::int64_t(std::uint64_t(from) + std::uint64_t(x)));
                bits.push_back(~bits.back());
            }
        }
    bits.insert(bits.end(), {0, -1, INT64_MAX, INT64_MIN});
    Tape tape;
    const Node x = tape.input(Tensor::from(bits, {std::int64_t(bits.size())}));
    const double allowed[] = {2e-15, 1e-15, 1e-15};
    for (int k = 0; k < 3; ++k) {
        const std::vector<double> z = values(gradtape::apply(*primitives[k], {x}));
        for (std::size_t i = 0; i < z.size(); ++i) {
            const auto at = (long double)(bits[i]);
            const long double exact = k == 0 ? naive::normal_quantile(at) : k == 1 ? naive::exponential_quantile(at) : naive::gumbel_quantile(at);
            CAPTURE(bits[i]);
            CHECK(std::isfinite(z[i]));
            CHECK(std::abs(z[i] - double(exact)) <= allowed[k] * std::max(k == 2 ? 1.0 : 0.0, std::abs(double(exact))));
        }
        if (k == 0)
            for (std::size_t i = 0; i + 1 < z.size() - 4; i += 2) CHECK(z[i] == -z[i + 1]);
    }
}

/// FNV-1a of all bits.
std::uint64_t digest(const Tensor& tensor) {
    std::uint64_t h = 0xcbf29ce484222325;
    const auto* bytes = static_cast<const unsigned char*>(tensor.raw());
    for (std::size_t i = 0; i < tensor.bytes(); ++i) h = (h ^ bytes[i]) * 0x100000001b3;
    return h;
}

TEST_CASE("keys: all bits are the same on every platform and instruction set") {
    Tape tape;
    const Node key = tape.input(random_key(2026));
    CHECK(digest(random_bits(key, {10000}).value()) == 0x8fe6a83ee90837cd);
    CHECK(digest(uniform(key, {10000}, DType::float32).value()) == 0xe150c3ee46cc081a);
    CHECK(digest(uniform(key, {10000}, DType::float64, -3, 0.1).value()) == 0x121084e691942b79);
    CHECK(digest(normal(key, {10000}).value()) == 0xb1e482e9bdee4766);
    CHECK(digest(normal(key, {10000}, DType::float32).value()) == 0xdc996d6066db6246);
    CHECK(digest(exponential(key, {10000}).value()) == 0x164289446c259afc);
    CHECK(digest(gumbel(key, {10000}).value()) == 0xcf3702b9e79c3403);
}

TEST_CASE("keys: bernoulli has its probability, by number, element and dtype") {
    Tape tape;
    const Node key = tape.input(random_key(2));
    for (const double p : {0.0, 1e-3, 0.25, 0.9, 1.0}) {
        const Node flags = bernoulli(key, p, {many});
        CHECK(flags.dtype() == DType::boolean);
        CHECK(std::abs(moment(values(flags), 0, 1) - p) <= 4.5 * std::sqrt(p * (1 - p) / double(many)));
        const Node number = tape.input(make({p}, Shape{}));
        CHECK(same_bits(bernoulli(key, number, {many}).value(), flags.value()));
    }
    const Node p = tape.input(make({0, 0.5, 1}, {3}, DType::float32));
    const std::vector<double> rows = values(sum(cast(bernoulli(key, p, {4000, 3}), DType::float64), 0));
    CHECK(rows[0] == 0);
    CHECK(std::abs(rows[1] - 2000) < 150);
    CHECK(rows[2] == 4000);
    CHECK(refused<ValueError>([&] { bernoulli(key, 1.5, {3}); }, {"bernoulli"}) == "");
    CHECK(refused<ValueError>([&] { bernoulli(key, nan, {3}); }, {"bernoulli"}) == "");
    CHECK(refused<DTypeError>([&] { bernoulli(key, key, {2}); }, {"bernoulli"}) == "");
    CHECK(refused<ShapeError>([&] { bernoulli(key, p, {4}); }, {"broadcast_to"}) == "");
}

TEST_CASE("keys: categorical takes classes as often as softmax says") {
    for (const DType dtype : floating) {
        Tape tape;
        const Node key = tape.input(random_key(4)), logits = tape.input(make({0, 1, -inf, -1}, {4}, dtype));
        const Node taken = categorical(key, broadcast_to(logits, {40000, 4}));
        CHECK(taken.dtype() == DType::int64);
        CHECK(taken.shape() == Shape{40000});
        const std::vector<double> expected = values(softmax(logits));
        std::vector<double> counts(4, 0);
        for (const double i : values(taken)) ++counts.at(std::size_t(i));
        CHECK(counts[2] == 0);
        for (std::size_t i = 0; i < 4; ++i)
            CHECK(std::abs(counts[i] - 40000 * expected[i]) <= 4.5 * std::sqrt(40000 * expected[i] * (1 - expected[i])));
        const Node columns = categorical(key, broadcast_to(reshape(logits, {4, 1}), {4, 300}), 0);
        CHECK(columns.shape() == Shape{300});
        for (const double i : values(columns)) CHECK((i == 0 || i == 1 || i == 3));
        CHECK(values(categorical(key, tape.input(make({-inf, -inf}, {2}, dtype)))) == std::vector<double>{0});
        CHECK(values(categorical(key, tape.input(make({1, nan, 2}, {3}, dtype)))) == std::vector<double>{1});
    }
    Tape tape;
    const Node key = tape.input(random_key(4));
    CHECK(refused<ShapeError>([&] { categorical(key, Tensor::zeros({3, 0})); }, {"categorical", {Shape{3, 0}}, 1}) == "");
    CHECK(refused<ShapeError>([&] { categorical(key, Tensor::zeros({3}), 1); }, {"categorical"}) == "");
    CHECK(refused<DTypeError>([&] { categorical(key, key); }, {"categorical"}) == "");
}

TEST_CASE("keys: a permutation has all numbers once, and all orders are equally likely") {
    Tape tape;
    const Node key = tape.input(random_key(9));
    std::map<std::vector<double>, int> seen;
    for (int i = 0; i < 6000; ++i) ++seen[values(permutation(fold_in(key, i), 3))];
    CHECK(seen.size() == 6);
    for (const auto& [order, count] : seen) {
        CHECK(std::is_permutation(order.begin(), order.end(), std::vector<double>{0, 1, 2}.begin()));
        CHECK(std::abs(count - 1000) < 4.5 * std::sqrt(1000 * 5.0 / 6));
    }
    std::vector<double> many_numbers = values(permutation(key, 1001));
    std::sort(many_numbers.begin(), many_numbers.end());
    for (std::size_t i = 0; i < many_numbers.size(); ++i) CHECK(many_numbers[i] == double(i));
    CHECK(permutation(key, 0).type() == Type{DType::int64, {0}});
    CHECK(values(permutation(key, 1)) == std::vector<double>{0});
    CHECK(refused<ValueError>([&] { permutation(key, -1); }, {"permutation"}) == "");
    CHECK(refused<ValueError>([&] { permutation(key, INT64_MAX); }, {"permutation"}) == "");
}

TEST_CASE("keys: dropout scales what it keeps, and its gradient goes where the value went") {
    for (const DType dtype : floating)
        for (const double rate : {0.1, 0.5, 0.9}) {
            Tape tape;
            const Node key = tape.input(random_key(6)), x = tape.parameter(Tensor::full({many}, 3, dtype));
            const Node z = dropout(key, rate, x);
            CHECK(z.type() == x.type());
            const double scale = dtype == DType::float32 ? double(float(1 / (1 - rate))) : 1 / (1 - rate);
            const double kept = dtype == DType::float32 ? double(3 * float(scale)) : 3 * scale;
            const std::vector<double> found = values(z), bar = values(grad(sum(z), x));
            std::int64_t count = 0;
            bool right = true;
            for (std::size_t i = 0; i < found.size(); ++i) {
                right = right && (found[i] == kept ? bar[i] == scale : found[i] == 0 && bar[i] == 0);
                count += found[i] != 0;
            }
            CHECK(right);
            CHECK(std::abs(double(count) - (1 - rate) * double(many)) < 4.5 * std::sqrt(rate * (1 - rate) * double(many)));
        }
    Tape tape;
    const Node key = tape.input(random_key(6)), x = tape.parameter(make({inf, nan, 1, 2, nan, -inf, 0, 1, nan, nan}, {10}));
    CHECK(same_node(dropout(key, 0, x), x));
    const std::vector<double> z = values(dropout(key, 0.5, x)), bar = values(grad(sum(dropout(key, 0.5, x)), x));
    for (std::size_t i = 0; i < z.size(); ++i) CHECK((bar[i] == 2 || (bar[i] == 0 && z[i] == 0)));
    CHECK(dropout(key, 0.5, Tensor::zeros({0, 3})).shape() == Shape{0, 3});
    for (const double rate : {-0.1, 1.0, 1.5, nan, inf})
        CHECK(refused<ValueError>([&] { dropout(key, rate, x); }, {"dropout"}) == "");
    CHECK(refused<DTypeError>([&] { dropout(key, 0.5, key); }, {"dropout", {Shape{2}}}) == "");
    CHECK(refused<NotDifferentiable>([&] { grad(sum(x), key); }, {}) != "nothing was thrown");
}

TEST_CASE("keys: a compiled training step takes its key as an input: its masks differ from step to step, and can be had again") {
    Tape tape;
    const Node key = tape.input(random_key(0)), step = tape.input(Tensor(std::int64_t(0)));
    const Node x = tape.input(Tensor::full({50}, 1)), w = tape.parameter(Tensor::full({50}, 1));
    const Node z = dropout(fold_in(key, step), 0.5, x * w), loss = sum(z);
    Replay replay(compile(Program(tape, {z, grad(loss, w)})));
    std::vector<Tensor> masks;
    for (std::int64_t i : {0, 1, 2, 0}) {
        replay.set_input(1, Tensor(i));
        replay.run();
        masks.push_back(replay.output(0).copy());
        CHECK(same_bits(replay.output(1), replay.output(0)));  // both are 2 where kept
        Tape eager;
        const Node again = dropout(fold_in(eager.constant(random_key(0)), i), 0.5, eager.input(Tensor::full({50}, 1)));
        CHECK(same_bits(again.value(), masks.back()));
    }
    CHECK(same_bits(masks[0], masks[3]));
    CHECK_FALSE(same_bits(masks[0], masks[1]));
    CHECK_FALSE(same_bits(masks[1], masks[2]));
    // Or the key itself.
    replay.set_input(0, random_key(1));
    replay.run();
    CHECK_FALSE(same_bits(replay.output(0), masks[0]));
}

}  // namespace
}  // namespace gradtape::test

// Random streams and initialisers: published vectors, and properties that hold on every platform.
#include <gradtape/nn/init.hpp>

#include "support/tensors.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

namespace gradtape::nn {

using gradtape::test::values;

namespace {

using Words = std::array<std::uint32_t, 4>;

struct Moments {
    double mean = 0, variance = 0, least = 1e300, greatest = -1e300;
};
Moments moments(const std::vector<double>& x) {
    Moments m;
    for (double v : x) m.mean += v / double(x.size());
    for (double v : x) m.variance += (v - m.mean) * (v - m.mean) / double(x.size());
    m.least = *std::min_element(x.begin(), x.end());
    m.greatest = *std::max_element(x.begin(), x.end());
    return m;
}

std::vector<double> draw(const Initialiser& init, const Type& type, std::uint64_t seed = 1) {
    Stream random(seed, "weights");
    return values(init(type, random));
}

}  // namespace

TEST_CASE("philox4x32-10 gives Random123's known answers") {
    CHECK(philox4x32_10({0, 0, 0, 0}, {0, 0}) == Words{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8});
    constexpr std::uint32_t ones = 0xffffffff;
    CHECK(philox4x32_10({ones, ones, ones, ones}, {ones, ones}) ==
          Words{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd});
    CHECK(philox4x32_10({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}) ==
          Words{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1});
}

TEST_CASE("a stream is Philox under (seed, hash of the name, block)") {
    // FNV-1a of "" is its offset basis, of "a" the published 0xaf63dc4c8601ec8c.
    const std::uint64_t seed = 0x0123456789abcdef;
    Stream stream(seed, "a", 5);
    for (std::uint32_t block : {5u, 6u})
        for (std::uint32_t word : philox4x32_10({block, 0, 0x8601ec8c, 0xaf63dc4c}, {0x89abcdef, 0x01234567}))
            CHECK(stream.bits32() == word);
    CHECK(Stream(1, "a").bits64() != Stream(1, "b").bits64());
    CHECK(Stream(1, "a").bits64() != Stream(2, "a").bits64());
    CHECK(Stream(1, "a").bits64() == Stream(1, "a").bits64());
    CHECK(Stream(1, "a", 1).bits64() != Stream(1, "a").bits64());
}

TEST_CASE("uniform numbers are the top 53 bits, and stay below the upper bound") {
    Stream bits(7, "u"), numbers(7, "u");
    for (int i = 0; i < 1000; ++i) {
        const double expected = std::ldexp(double(bits.bits64() >> 11), -53);
        CHECK(numbers.uniform() == expected);
    }
    // In [1, next after 1) almost every draw would round up to the bound.
    for (int i = 0; i < 100; ++i) CHECK(numbers.uniform(1, std::nextafter(1.0, 2.0)) == 1.0);
}

TEST_CASE("bounded integers are in range and unbiased") {
    Stream random(3, "below");
    std::vector<int> counts(6, 0);
    for (int i = 0; i < 60000; ++i) ++counts.at(random.below(6));
    double chi_squared = 0;
    for (int c : counts) chi_squared += (c - 10000.0) * (c - 10000.0) / 10000;
    CHECK(chi_squared < 30);  // 5 degrees of freedom: 30 is passed once in 60,000
    // Of n = 3·2^62, a modulo or a plain multiply without rejection makes every third value twice as likely.
    const std::uint64_t n = std::uint64_t(3) << 62;
    int thirds[3] = {};
    for (int i = 0; i < 30000; ++i) ++thirds[random.below(n) % 3];
    for (int t : thirds) CHECK(std::abs(t - 10000) < 500);
    for (int i = 0; i < 100; ++i) CHECK(random.below(1) == 0);
    CHECK_THROWS_AS(random.below(0), ValueError);
}

TEST_CASE("normal numbers have the moments and the tails of a normal distribution") {
    Stream random(5, "normal");
    std::vector<double> x(200000);
    for (double& v : x) v = random.normal();
    const Moments m = moments(x);
    CHECK(std::abs(m.mean) < 0.01);
    CHECK(std::abs(m.variance - 1) < 0.015);
    double beyond[4] = {}, fourth = 0;
    for (double v : x) {
        for (int k = 0; k < 4; ++k) beyond[k] += std::abs(v) > k + 0.5;
        fourth += v * v * v * v / double(x.size());
    }
    CHECK(std::abs(fourth - 3) < 0.12);
    for (int k = 0; k < 4; ++k) {
        const double expected = std::erfc((k + 0.5) / std::sqrt(2.0)) * double(x.size());
        CHECK(std::abs(beyond[k] - expected) < 5 * std::sqrt(expected));
    }
}

TEST_CASE("the portable logarithm behind normal numbers is accurate") {
    // Marsaglia's method by hand, with libm's logarithm.
    Stream a(11, "n"), b(11, "n");
    for (int i = 0; i < 2000; ++i) {
        double u, v, s;
        do {
            u = 2 * b.uniform() - 1;
            v = 2 * b.uniform() - 1;
            s = u * u + v * v;
        } while (s >= 1 || s == 0);
        const double expected = u * std::sqrt(-2 * std::log(s) / s);
        CHECK(std::abs(a.normal() - expected) <= 1e-14 * std::max(1.0, std::abs(expected)));
    }
}

TEST_CASE("a shuffle is a permutation, and all are equally likely") {
    Stream random(9, "shuffle");
    std::map<std::vector<std::int64_t>, int> seen;
    for (int i = 0; i < 24000; ++i) {
        std::vector<std::int64_t> items(4);
        std::iota(items.begin(), items.end(), 0);
        random.shuffle(items);
        ++seen[items];
    }
    CHECK(seen.size() == 24);
    for (const auto& [order, count] : seen) {
        CHECK(std::is_permutation(order.begin(), order.end(), std::vector<std::int64_t>{0, 1, 2, 3}.begin()));
        CHECK(std::abs(count - 1000) < 160);
    }
}

TEST_CASE("initialisers have the published bounds and variances") {
    const Type type{DType::float64, {300, 200}};  // 300 outputs, 200 inputs
    const auto near = [](double a, double b) { return std::abs(a - b) < 0.02 * std::abs(b); };

    const Moments u = moments(draw(uniform(-1.5, 1.5), type));
    CHECK(u.least >= -1.5);
    CHECK(u.greatest < 1.5);
    CHECK(u.greatest > 1.49);
    CHECK(near(u.variance, 0.75));

    const double xavier = std::sqrt(6.0 / 500), kaiming = std::sqrt(6.0 / 200);
    CHECK(near(moments(draw(xavier_uniform(), type)).greatest, xavier));
    CHECK(near(moments(draw(xavier_uniform(2), type)).greatest, 2 * xavier));
    CHECK(near(moments(draw(xavier_normal(), type)).variance, 2.0 / 500));
    CHECK(near(moments(draw(kaiming_uniform(), type)).greatest, kaiming));
    CHECK(near(moments(draw(kaiming_normal(), type)).variance, 2.0 / 200));
    const Moments n = moments(draw(normal(3, 2), type));
    CHECK(near(n.mean, 3));
    CHECK(near(n.variance, 4));
    for (double v : draw(constant(2.5), {DType::float64, {3}})) CHECK(v == 2.5);
}

TEST_CASE("float32 weights are the float64 ones rounded") {
    const auto wide = draw(uniform(-1, 1), {DType::float64, {50, 3}});
    const auto narrow = draw(uniform(-1, 1), {DType::float32, {50, 3}});
    for (std::size_t i = 0; i < wide.size(); ++i) CHECK(narrow[i] == double(float(wide[i])));
}

TEST_CASE("initialisers refuse what they cannot make") {
    Stream random(1, "x");
    CHECK_THROWS_AS(uniform(2, 1), ValueError);
    CHECK_THROWS_AS(uniform(0, test::inf), ValueError);
    CHECK_THROWS_AS(normal(0, -1), ValueError);
    CHECK_THROWS_AS(xavier_uniform()({DType::float64, {5}}, random), ShapeError);
    CHECK_THROWS_AS(uniform(0, 1)({DType::int64, {5}}, random), DTypeError);
}

}  // namespace gradtape::nn

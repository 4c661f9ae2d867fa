#include "naive_random.hpp"

#include <cmath>

namespace gradtape::test::naive {

namespace {

/// Philox's counter and key as whole numbers: as the paper writes it, with 128 bits as the concatenation of two products.
struct Block {
    std::uint64_t left, right;  ///< words 0 and 1, words 2 and 3; the low word first
};

std::uint64_t join(std::uint64_t low, std::uint64_t high) { return (high << 32) + low; }
std::uint64_t low(std::uint64_t x) { return x % 0x100000000; }
std::uint64_t high(std::uint64_t x) { return x / 0x100000000; }

Block philox_round(Block b, std::uint64_t k0, std::uint64_t k1) {
    const std::uint64_t left = 0xD2511F53ull * low(b.left), right = 0xCD9E8D57ull * low(b.right);
    return {join(high(right) ^ high(b.left) ^ k0, low(right)), join(high(left) ^ high(b.right) ^ k1, low(left))};
}

Block philox(Block b, std::uint64_t key) {
    for (std::uint64_t round = 0; round < 10; ++round)
        b = philox_round(b, low(low(key) + round * 0x9E3779B9ull), low(high(key) + round * 0xBB67AE85ull));
    return b;
}

}  // namespace

std::vector<long double> random_bits(const Array& key, const Attributes& attributes, const Type& result) {
    const auto bits = attributes.get<std::int64_t>("bits");
    const auto block = std::uint64_t(attributes.get<std::int64_t>("part")) << 40;
    std::vector<long double> z;
    const std::size_t keys = key.elements.size() / 2;
    for (std::uint64_t e = 0; e < std::uint64_t(result.shape.elements()); ++e) {
        const std::uint64_t each = std::uint64_t(result.shape.elements()) / keys, i = e % each, k = e / each;
        const auto k0 = std::uint64_t(std::int64_t(key.elements[2 * k])), k1 = std::uint64_t(std::int64_t(key.elements[2 * k + 1]));
        const auto word = [&](std::uint64_t at) {
            const Block b = philox({block + at / 4, k1}, k0);
            const std::uint64_t half = at % 4 < 2 ? b.left : b.right;
            return at % 2 ? high(half) : low(half);
        };
        if (bits <= 32)
            z.push_back(std::floor(std::ldexp((long double)(word(i)), int(bits) - 32)));
        else if (bits < 64)
            z.push_back(std::floor(std::ldexp((long double)(join(word(2 * i), word(2 * i + 1))), int(bits) - 64)));
        else
            z.push_back(std::int64_t(join(word(2 * i), word(2 * i + 1))));
    }
    return z;
}

namespace {

/// The middle of the interval that 64 bits stand for; `upper` is 1 − u. Both exact.
struct Middle {
    long double u, upper;
};
Middle middle(long double bits) {
    const long double k = std::floor(bits / 2048);
    return {0.5L + (k + 0.5L) * 0x1p-53L, 0.5L - (k + 0.5L) * 0x1p-53L};
}

long double minus_log(Middle m) { return m.u < 0.5L ? -std::log(m.u) : -std::log1p(-m.upper); }

}  // namespace

long double normal_quantile(long double bits) {
    const Middle m = middle(bits);
    const bool left = m.u < 0.5L;
    const long double p = left ? m.u : m.upper;
    // erfc(t) / 2 = p, t ≥ 0, by halving and then Newton's method on its logarithm, which is smooth and concave
    long double low_t = 0, high_t = 8;
    for (int i = 0; i < 20; ++i) {
        const long double t = (low_t + high_t) / 2;
        (std::erfc(t) / 2 > p ? low_t : high_t) = t;
    }
    long double t = low_t;
    for (int i = 0; i < 6; ++i) {
        const long double slope = std::exp(-t * t) / std::sqrt(std::acos(-1.0L));
        // Near the median p has no digits of its distance from ½.
        const long double off = p > 0.25L ? (0.5L - p) - std::erf(t) / 2 : std::erfc(t) / 2 - p;
        t += off / slope;
    }
    return (left ? -1 : 1) * t * std::sqrt(2.0L);
}
long double exponential_quantile(long double bits) { return minus_log(middle(bits)); }
long double gumbel_quantile(long double bits) { return -std::log(minus_log(middle(bits))); }

}  // namespace gradtape::test::naive

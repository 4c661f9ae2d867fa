// The generator of random numbers, many blocks at a time, and a logarithm, with the same bits on every platform.
#pragma once

#include <bit>
#include <cstdint>

namespace gradtape::detail {

/// Always inlined, so that each instruction set has its own.
#define GRADTAPE_PORTABLE [[gnu::always_inline]] inline

/// Philox 4x32-10 of `lanes` counters under one key, in place: word w of counter l is words[w][l]. Plain loops over lanes,
/// which compilers make vectors of. The constants are those of Salmon et al. 2011, table 2.
template <int lanes>
GRADTAPE_PORTABLE void philox(std::uint32_t (&words)[4][lanes], std::uint64_t key) {
    std::uint32_t k0 = std::uint32_t(key), k1 = std::uint32_t(key >> 32);
    auto& [a, b, c, d] = words;
    for (int round = 0; round < 10; ++round) {
        for (int l = 0; l < lanes; ++l) {
            const std::uint64_t p = std::uint64_t(0xD2511F53) * a[l], q = std::uint64_t(0xCD9E8D57) * c[l];
            a[l] = std::uint32_t(q >> 32) ^ b[l] ^ k0;
            c[l] = std::uint32_t(p >> 32) ^ d[l] ^ k1;
            b[l] = std::uint32_t(q);
            d[l] = std::uint32_t(p);
        }
        k0 += 0x9E3779B9;
        k1 += 0xBB67AE85;
    }
}

/// 2 artanh s = log((1 + s) / (1 − s)), as a series for s² < 0.03.
GRADTAPE_PORTABLE double twice_artanh(double s) {
    const double s2 = s * s;
    double series = 0;
    for (int k = 23; k >= 1; k -= 2) series = series * s2 + 1.0 / k;
    return 2 * s * series;
}

/// log x of a normal x > 0: x = m 2^e with m in [√½, √2), and log m = 2 artanh((m − 1) / (m + 1)).
GRADTAPE_PORTABLE double logarithm_by_series(double x) {
    const auto bits = std::bit_cast<std::uint64_t>(x);
    int exponent = int(bits >> 52) - 1023;
    double m = std::bit_cast<double>((bits & 0x000fffffffffffff) | 0x3ff0000000000000);
    if (m > 1.4142135623730951) {
        m *= 0.5;
        ++exponent;
    }
    return exponent * 0.6931471805599453 + twice_artanh((m - 1) / (m + 1));
}

}  // namespace gradtape::detail

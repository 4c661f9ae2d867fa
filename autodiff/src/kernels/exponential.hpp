// eˣ over the whole range, where xsimd's gives infinity too early and 0 for subnormal numbers; and what that takes to mend
// in functions that xsimd makes of it.
#pragma once

#include "unroll.hpp"
#include "xsimd.hpp"

#include <limits>

namespace gradtape::detail::GRADTAPE_ISA {
namespace {

template <class T>
struct Exponential;

/// `least` and `most`: where eˣ has become 0 and infinite. log 2 = high + low; products of `high` and an exponent are exact.
/// `whole`: a sum with it has no digits behind the point. `tail`: (eˣ − 1 − x) / x² for |x| ≤ log(2) / 2, interpolated at the Chebyshev points.
template <>
struct Exponential<float> {
    static constexpr float least = -104, most = 89, log2_e = 0x1.715476p+0f, high = 0x1.63p-1f, low = -0x1.bd0106p-13f;
    static constexpr float tail[] = {0x1p-1f, 0x1.5554dcp-3f, 0x1.555518p-5f, 0x1.120cp-7f, 0x1.6d119ap-10f};
    static constexpr float whole = 0x1.8p23f, bias = 127;
};
template <>
struct Exponential<double> {
    static constexpr double least = -746, most = 710, log2_e = 0x1.71547652b82fep+0;
    static constexpr double high = 0x1.62e42feep-1, low = 0x1.a39ef35793c76p-33;
    static constexpr double tail[] = {0x1.0000000000001p-1,  0x1.5555555555556p-3,  0x1.5555555553d2bp-5,
                                      0x1.11111111109a2p-7,  0x1.6c16c178a18c1p-10, 0x1.a01a01a7d176dp-13,
                                      0x1.a019b8b8f8697p-16, 0x1.71de0d7a972efp-19, 0x1.2891e963ab1f9p-22,
                                      0x1.af3924be99a57p-26};
    static constexpr double whole = 0x1.8p52, bias = 1023;
};

/// x, but no less than `least` and no more than `most`; NaN is kept, by the order of the operands, which xsimd 14 turned
/// round in its own min and max.
#if defined(__AVX512F__)
GRADTAPE_INLINE __m512 bounded(__m512 least, __m512 x, __m512 most) {
    return _mm512_min_ps(most, _mm512_max_ps(least, x));
}
GRADTAPE_INLINE __m512d bounded(__m512d least, __m512d x, __m512d most) {
    return _mm512_min_pd(most, _mm512_max_pd(least, x));
}
#elif defined(__AVX2__)
GRADTAPE_INLINE __m256 bounded(__m256 least, __m256 x, __m256 most) {
    return _mm256_min_ps(most, _mm256_max_ps(least, x));
}
GRADTAPE_INLINE __m256d bounded(__m256d least, __m256d x, __m256d most) {
    return _mm256_min_pd(most, _mm256_max_pd(least, x));
}
#elif defined(__SSE2__)
GRADTAPE_INLINE __m128 bounded(__m128 least, __m128 x, __m128 most) { return _mm_min_ps(most, _mm_max_ps(least, x)); }
GRADTAPE_INLINE __m128d bounded(__m128d least, __m128d x, __m128d most) {
    return _mm_min_pd(most, _mm_max_pd(least, x));
}
#else  // NEON, whose own keep NaN
GRADTAPE_INLINE float32x4_t bounded(float32x4_t least, float32x4_t x, float32x4_t most) {
    return vminq_f32(most, vmaxq_f32(least, x));
}
GRADTAPE_INLINE float64x2_t bounded(float64x2_t least, float64x2_t x, float64x2_t most) {
    return vminq_f64(most, vmaxq_f64(least, x));
}
#endif

#if defined(__AVX512F__)
/// x 2ᵏ, rounded once
GRADTAPE_INLINE __m512 scaled(__m512 x, __m512 k) { return _mm512_scalef_ps(x, k); }
GRADTAPE_INLINE __m512d scaled(__m512d x, __m512d k) { return _mm512_scalef_pd(x, k); }
#else
/// 2ᵏ of a sum that has k + bias as its last binary digits
#if defined(__AVX2__)
GRADTAPE_INLINE __m256 power(__m256 x) { return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_castps_si256(x), 23)); }
GRADTAPE_INLINE __m256d power(__m256d x) { return _mm256_castsi256_pd(_mm256_slli_epi64(_mm256_castpd_si256(x), 52)); }
#elif defined(__SSE2__)
GRADTAPE_INLINE __m128 power(__m128 x) { return _mm_castsi128_ps(_mm_slli_epi32(_mm_castps_si128(x), 23)); }
GRADTAPE_INLINE __m128d power(__m128d x) { return _mm_castsi128_pd(_mm_slli_epi64(_mm_castpd_si128(x), 52)); }
#else
GRADTAPE_INLINE float32x4_t power(float32x4_t x) { return vreinterpretq_f32_s32(vshlq_n_s32(vreinterpretq_s32_f32(x), 23)); }
GRADTAPE_INLINE float64x2_t power(float64x2_t x) { return vreinterpretq_f64_s64(vshlq_n_s64(vreinterpretq_s64_f64(x), 52)); }
#endif

/// x 2ᵏ, rounded once. By two powers of two: 2ᵏ itself may be no normal number.
template <class Batch>
GRADTAPE_INLINE Batch scaled(Batch x, Batch k) {
    using C = Exponential<typename Batch::value_type>;
    const Batch biased(C::whole + C::bias), half = xsimd::fma(k, Batch(typename Batch::value_type(0.5)), biased);
    return x * Batch(power(half)) * Batch(power(biased + (k - (half - biased))));
}
#endif

template <class Batch>
GRADTAPE_INLINE Batch exponential(Batch x) {
    using T = typename Batch::value_type;
    using C = Exponential<T>;
    x = bounded(Batch(C::least), x, Batch(C::most));
    // x = k log 2 + r
    const Batch whole(C::whole), k = xsimd::fma(x, Batch(C::log2_e), whole) - whole;
    const Batch r = xsimd::fnma(k, Batch(C::low), xsimd::fnma(k, Batch(C::high), x));
    constexpr int terms = sizeof C::tail / sizeof(T);
    Batch sum(C::tail[terms - 1]);
    for (int i = terms - 1; i-- > 0;) sum = xsimd::fma(sum, r, Batch(C::tail[i]));
    const Batch power_of_r = xsimd::fma(sum, r * r, r) + Batch(T(1));
    return scaled(power_of_r, k);
}

/// eˣ − 1
template <class Batch>
GRADTAPE_INLINE Batch exponential_less_one(Batch x) {
    using T = typename Batch::value_type;
    const Batch z = xsimd::select(x > Batch(T(60)), exponential(x), xsimd::expm1(x));
    return xsimd::select(x == Batch(T(0)), x, z);
}

/// log x. xsimd's takes the exponent of subnormal doubles before it scales them.
template <class Batch>
GRADTAPE_INLINE Batch logarithm(Batch x) {
    using T = typename Batch::value_type;
    if constexpr (sizeof(T) == 4) return xsimd::log(x);
    const auto subnormal = x < Batch(std::numeric_limits<T>::min());
    const Batch normal = xsimd::select(subnormal, x * Batch(T(0x1p54)), x);
    return xsimd::log(normal) - xsimd::select(subnormal, Batch(T(0x1.2b708872320e2p+5)), Batch(T(0)));
}

/// log(1 + x)
template <class Batch>
GRADTAPE_INLINE Batch logarithm_of_one_more(Batch x) {
    return xsimd::select(x == Batch(typename Batch::value_type(0)), x, xsimd::log1p(x));
}

}  // namespace
}  // namespace gradtape::detail::GRADTAPE_ISA

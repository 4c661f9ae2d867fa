// xsimd 8.1, with four of its functions made whole that others are built on. For AVX-512 its fused multiply-add multiplies
// and adds one after the other, at every step of each polynomial. Elsewhere it turns doubles into integers one by one,
// through memory, and the exponential waits for that. On ARM its square
// roots and quotients of floats are estimates.
#pragma once

#include <xsimd/xsimd.hpp>

#if defined(__AVX512F__)
namespace xsimd {

template <>
inline batch<float> fma(const batch<float>& x, const batch<float>& y, const batch<float>& z) noexcept {
    return _mm512_fmadd_ps(x, y, z);
}
template <>
inline batch<double> fma(const batch<double>& x, const batch<double>& y, const batch<double>& z) noexcept {
    return _mm512_fmadd_pd(x, y, z);
}
template <>
inline batch<float> fms(const batch<float>& x, const batch<float>& y, const batch<float>& z) noexcept {
    return _mm512_fmsub_ps(x, y, z);
}
template <>
inline batch<double> fms(const batch<double>& x, const batch<double>& y, const batch<double>& z) noexcept {
    return _mm512_fmsub_pd(x, y, z);
}
template <>
inline batch<float> fnma(const batch<float>& x, const batch<float>& y, const batch<float>& z) noexcept {
    return _mm512_fnmadd_ps(x, y, z);
}
template <>
inline batch<double> fnma(const batch<double>& x, const batch<double>& y, const batch<double>& z) noexcept {
    return _mm512_fnmadd_pd(x, y, z);
}
template <>
inline batch<float> fnms(const batch<float>& x, const batch<float>& y, const batch<float>& z) noexcept {
    return _mm512_fnmsub_ps(x, y, z);
}
template <>
inline batch<double> fnms(const batch<double>& x, const batch<double>& y, const batch<double>& z) noexcept {
    return _mm512_fnmsub_pd(x, y, z);
}

}  // namespace xsimd
#elif defined(__SSE2__)
namespace xsimd {

template <>
inline batch<std::int64_t> to_int(const batch<double>& x) noexcept {
#ifdef __AVX2__
    // Of whole numbers below 2⁵¹, which are all that exp and expm1 ask for: those plus 1.5 · 2⁵² have them as last bits.
    const __m256d high = _mm256_set1_pd(0x1.8p52);
    return _mm256_sub_epi64(_mm256_castpd_si256(_mm256_add_pd(x, high)), _mm256_castpd_si256(high));
#else
    return _mm_set_epi64x(_mm_cvttsd_si64(_mm_unpackhi_pd(x, x)), _mm_cvttsd_si64(x));
#endif
}

}  // namespace xsimd
#elif defined(__ARM_NEON)
namespace xsimd {

template <>
inline batch<float> sqrt(const batch<float>& x) noexcept {
    return vsqrtq_f32(x);
}
namespace kernel {
template <>
inline batch<float, neon64> div<neon64>(const batch<float, neon64>& x, const batch<float, neon64>& y, requires_arch<neon>) noexcept {
    return vdivq_f32(x, y);
}
}  // namespace kernel

}  // namespace xsimd
#endif

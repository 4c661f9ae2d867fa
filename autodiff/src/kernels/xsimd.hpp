// xsimd, with its fused multiply-add made whole: for AVX-512, xsimd 8.1 multiplies and adds one after the other, which
// its functions then do for every step of their polynomials.
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
#endif

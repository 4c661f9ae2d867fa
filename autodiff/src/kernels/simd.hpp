// The vector type of the instruction set a kernel file is compiled for, with loads and stores of its first lanes only.
#pragma once

#include <cstdint>

#include "unroll.hpp"
#include "xsimd.hpp"

namespace gradtape::detail::GRADTAPE_ISA {
namespace {

using std::int64_t;

/// A register: + - * / comparisons and ?: work on it element by element. `xsimd::batch<T>(v)` has the functions.
template <class T>
using Vec = typename xsimd::batch<T>::register_type;

template <class T>
inline constexpr int lanes = static_cast<int>(xsimd::batch<T>::size);

template <class T>
GRADTAPE_INLINE Vec<T> all(T value) {
    return xsimd::batch<T>(value).data;
}
template <class T>
GRADTAPE_INLINE Vec<T> load(const T* p) {
    return xsimd::batch<T>::load_unaligned(p).data;
}
template <class T>
GRADTAPE_INLINE void store(T* p, Vec<T> v) {
    xsimd::batch<T>(v).store_unaligned(p);
}

/// To be called after functions that take registers, where compilers do not do it: code without AVX that finds the upper
/// halves in use waits, 100 ns on some processors.
GRADTAPE_INLINE void leave_registers() {
#ifdef __AVX__
    _mm256_zeroupper();
#endif
}

// load_first: lanes below `count` (0 to lanes) from memory, `fill` in the others, touching no memory beyond them.
// keep_first: the same of a register. store_first writes `count` lanes.
#if defined(__AVX512F__)

GRADTAPE_INLINE __mmask16 first16(int count) { return static_cast<__mmask16>((1u << count) - 1); }
GRADTAPE_INLINE __mmask8 first8(int count) { return static_cast<__mmask8>((1u << count) - 1); }

GRADTAPE_INLINE __m512 load_first(const float* p, int count, float fill) {
    return _mm512_mask_loadu_ps(_mm512_set1_ps(fill), first16(count), p);
}
GRADTAPE_INLINE __m512d load_first(const double* p, int count, double fill) {
    return _mm512_mask_loadu_pd(_mm512_set1_pd(fill), first8(count), p);
}
GRADTAPE_INLINE __m512 keep_first(__m512 v, int count, float fill) {
    return _mm512_mask_mov_ps(_mm512_set1_ps(fill), first16(count), v);
}
GRADTAPE_INLINE __m512d keep_first(__m512d v, int count, double fill) {
    return _mm512_mask_mov_pd(_mm512_set1_pd(fill), first8(count), v);
}
GRADTAPE_INLINE void store_first(float* p, __m512 v, int count) { _mm512_mask_storeu_ps(p, first16(count), v); }
GRADTAPE_INLINE void store_first(double* p, __m512d v, int count) { _mm512_mask_storeu_pd(p, first8(count), v); }

#elif defined(__AVX2__)

constexpr std::int32_t first_of_8[16] = {-1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0};
constexpr std::int64_t first_of_4[8] = {-1, -1, -1, -1, 0, 0, 0, 0};

GRADTAPE_INLINE __m256i first8(int count) {
    return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(first_of_8 + 8 - count));
}
GRADTAPE_INLINE __m256i first4(int count) {
    return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(first_of_4 + 4 - count));
}
GRADTAPE_INLINE __m256 keep_first(__m256 v, int count, float fill) {
    return _mm256_blendv_ps(_mm256_set1_ps(fill), v, _mm256_castsi256_ps(first8(count)));
}
GRADTAPE_INLINE __m256d keep_first(__m256d v, int count, double fill) {
    return _mm256_blendv_pd(_mm256_set1_pd(fill), v, _mm256_castsi256_pd(first4(count)));
}
GRADTAPE_INLINE __m256 load_first(const float* p, int count, float fill) {
    const __m256 v = _mm256_maskload_ps(p, first8(count));
    return fill == 0 ? v : keep_first(v, count, fill);
}
GRADTAPE_INLINE __m256d load_first(const double* p, int count, double fill) {
    const __m256d v = _mm256_maskload_pd(p, first4(count));
    return fill == 0 ? v : keep_first(v, count, fill);
}
// By halves: a masked store is microcoded on some processors.
GRADTAPE_INLINE void store_first(float* p, __m256 v, int count) {
    if (count == 8) return _mm256_storeu_ps(p, v);
    __m128 low = _mm256_castps256_ps128(v);
    if (count & 4) {
        _mm_storeu_ps(p, low);
        low = _mm256_extractf128_ps(v, 1);
        p += 4;
    }
    if (count & 2) {
        _mm_storel_pi(reinterpret_cast<__m64*>(p), low);
        low = _mm_movehl_ps(low, low);
        p += 2;
    }
    if (count & 1) _mm_store_ss(p, low);
}
GRADTAPE_INLINE void store_first(double* p, __m256d v, int count) {
    if (count == 4) return _mm256_storeu_pd(p, v);
    __m128d low = _mm256_castpd256_pd128(v);
    if (count & 2) {
        _mm_storeu_pd(p, low);
        low = _mm256_extractf128_pd(v, 1);
        p += 2;
    }
    if (count & 1) _mm_store_sd(p, low);
}

#elif defined(__SSE2__)

GRADTAPE_INLINE __m128 load_first(const float* p, int count, float fill) {
    const __m128 rest = _mm_set1_ps(fill);
    if (count == 4) return _mm_loadu_ps(p);
    if (count < 2) return count ? _mm_move_ss(rest, _mm_load_ss(p)) : rest;
    const __m128 two = _mm_loadl_pi(rest, reinterpret_cast<const __m64*>(p));
    return count == 2 ? two : _mm_movelh_ps(two, _mm_move_ss(rest, _mm_load_ss(p + 2)));
}
GRADTAPE_INLINE __m128d load_first(const double* p, int count, double fill) {
    if (count == 2) return _mm_loadu_pd(p);
    const __m128d rest = _mm_set1_pd(fill);
    return count ? _mm_loadl_pd(rest, p) : rest;
}
GRADTAPE_INLINE void store_first(float* p, __m128 v, int count) {
    if (count == 4) return _mm_storeu_ps(p, v);
    if (count & 2) {
        _mm_storel_pi(reinterpret_cast<__m64*>(p), v);
        v = _mm_movehl_ps(v, v);
        p += 2;
    }
    if (count & 1) _mm_store_ss(p, v);
}
GRADTAPE_INLINE void store_first(double* p, __m128d v, int count) {
    if (count == 2)
        _mm_storeu_pd(p, v);
    else if (count)
        _mm_store_sd(p, v);
}
GRADTAPE_INLINE __m128 keep_first(__m128 v, int count, float fill) {
    const __m128i below = _mm_cmplt_epi32(_mm_setr_epi32(0, 1, 2, 3), _mm_set1_epi32(count));
    return _mm_or_ps(_mm_and_ps(_mm_castsi128_ps(below), v),
                     _mm_andnot_ps(_mm_castsi128_ps(below), _mm_set1_ps(fill)));
}
GRADTAPE_INLINE __m128d keep_first(__m128d v, int count, double fill) {
    if (count == 2) return v;
    return count ? _mm_move_sd(_mm_set1_pd(fill), v) : _mm_set1_pd(fill);
}

#else  // NEON; what GCC and clang offer for registers of any kind

template <class V, class T>
GRADTAPE_INLINE V keep_first(V v, int count, T fill) {
    for (int i = count; i < lanes<T>; ++i) v[i] = fill;
    return v;
}
template <class T>
GRADTAPE_INLINE Vec<T> load_first(const T* p, int count, T fill) {
    if (count == lanes<T>) return load(p);
    Vec<T> v = all(fill);
    for (int i = 0; i < count; ++i) v[i] = p[i];
    return v;
}
template <class T, class V>
GRADTAPE_INLINE void store_first(T* p, V v, int count) {
    if (count == lanes<T>) return store<T>(p, v);
    for (int i = 0; i < count; ++i) p[i] = v[i];
}

#endif

// Registers of 16 bytes, which wider ones are halved down to.
#if defined(__SSE2__)
using Floats = __m128;
using Doubles = __m128d;
#else
using Floats = Vec<float>;
using Doubles = Vec<double>;
#endif

/// a b + c, rounded once where the instruction set can.
#if defined(__FMA__) || defined(__ARM_FEATURE_FMA)
GRADTAPE_INLINE float multiply_add(float a, float b, float c) { return __builtin_fmaf(a, b, c); }
GRADTAPE_INLINE double multiply_add(double a, double b, double c) { return __builtin_fma(a, b, c); }
#endif
#if defined(__AVX512F__)
GRADTAPE_INLINE __m512 multiply_add(__m512 a, __m512 b, __m512 c) { return _mm512_fmadd_ps(a, b, c); }
GRADTAPE_INLINE __m512d multiply_add(__m512d a, __m512d b, __m512d c) { return _mm512_fmadd_pd(a, b, c); }
#elif defined(__FMA__)
GRADTAPE_INLINE __m256 multiply_add(__m256 a, __m256 b, __m256 c) { return _mm256_fmadd_ps(a, b, c); }
GRADTAPE_INLINE __m256d multiply_add(__m256d a, __m256d b, __m256d c) { return _mm256_fmadd_pd(a, b, c); }
#elif defined(__ARM_FEATURE_FMA)
GRADTAPE_INLINE Floats multiply_add(Floats a, Floats b, Floats c) { return vfmaq_f32(c, a, b); }
GRADTAPE_INLINE Doubles multiply_add(Doubles a, Doubles b, Doubles c) { return vfmaq_f64(c, a, b); }
#else
template <class V>
GRADTAPE_INLINE V multiply_add(V a, V b, V c) {
    return a * b + c;
}
#endif

}  // namespace
}  // namespace gradtape::detail::GRADTAPE_ISA

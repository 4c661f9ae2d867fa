// Matrix products of contiguous row-major matrices: chooses between the small kernel and OpenBLAS.
#pragma once

#include <cstdint>

namespace gradtape::detail::GRADTAPE_ISA {

/// c (m, n) = op(a) op(b). a is stored (m, k), or (k, m) if ta; b is stored (k, n), or (n, k) if tb.
/// k == 0 gives zeros; c is only written. Instantiated for float, double and int64 (which wraps around).
template <class T>
void gemm(bool ta, bool tb, std::int64_t m, std::int64_t n, std::int64_t k, const T* a, const T* b, T* c);

/// `batch` products; the matrices of operand a lie a_stride elements apart (0: the same matrix for all), those of c
/// lie m * n apart.
template <class T>
void batched_gemm(bool ta, bool tb, std::int64_t batch, std::int64_t m, std::int64_t n, std::int64_t k, const T* a,
                  std::int64_t a_stride, const T* b, std::int64_t b_stride, T* c);

}  // namespace gradtape::detail::GRADTAPE_ISA

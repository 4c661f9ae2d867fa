// The BLAS that the library was built with, if any: OpenBLAS, single-threaded, or another one with C's interface. Compiled
// once, for it does its own dispatch.
#pragma once

#include "product.hpp"

namespace gradtape::detail {

#ifdef GRADTAPE_WITH_BLAS
inline constexpr bool with_blas = true;
#else
inline constexpr bool with_blas = false;
#endif

/// The product, of sizes at least 1. Only there with_blas.
void blas_gemm(const Product<float>& product);
void blas_gemm(const Product<double>& product);

/// Before each call of a BLAS or LAPACK: threads belong to whoever calls these kernels, so that rounding is fixed.
void use_one_thread();

/// Whether the kernels that OpenBLAS has chosen use AVX-512; of others that is not known. A release does not on processors
/// that it is too old to know: 0.3.21 takes a Zen 5 for a Haswell, and needs twice the time.
bool blas_uses_avx512();

}  // namespace gradtape::detail

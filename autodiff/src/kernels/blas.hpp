// OpenBLAS, single-threaded; compiled once, for it does its own dispatch.
#pragma once

#include "product.hpp"

namespace gradtape::detail {

/// The product, of sizes at least 1.
void blas_gemm(const Product<float>& product);
void blas_gemm(const Product<double>& product);

/// Whether the kernels that OpenBLAS has chosen use AVX-512. A release does not on processors that it is too old to know:
/// 0.3.21 takes a Zen 5 for a Haswell, and needs twice the time.
bool blas_uses_avx512();

}  // namespace gradtape::detail

// OpenBLAS, single-threaded; compiled once, for it does its own dispatch.
#pragma once

#include "product.hpp"

namespace gradtape::detail {

/// The product, of sizes at least 1.
void blas_gemm(const Product<float>& product);
void blas_gemm(const Product<double>& product);

}  // namespace gradtape::detail

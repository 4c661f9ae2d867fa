// OpenBLAS, single-threaded; compiled once, for it does its own dispatch.
#pragma once

#include <cstdint>

namespace gradtape::detail {

/// c (m, n) = op(a) op(b), row-major, stored as `gemm` has it; sizes at least 1.
void blas_gemm(bool ta, bool tb, std::int64_t m, std::int64_t n, std::int64_t k, const float* a, const float* b,
               float* c);
void blas_gemm(bool ta, bool tb, std::int64_t m, std::int64_t n, std::int64_t k, const double* a, const double* b,
               double* c);

}  // namespace gradtape::detail

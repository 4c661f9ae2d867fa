// The only file that calls OpenBLAS.
#include "blas.hpp"

#include <algorithm>
#include <cblas.h>

namespace gradtape::detail {
namespace {

// Threads belong to whoever calls these kernels: a product is always computed by one, so its rounding is fixed.
void use_one_thread() {
    static const bool once = (openblas_set_num_threads(1), true);
    static_cast<void>(once);
}

int extent(std::int64_t n) { return static_cast<int>(n); }
CBLAS_TRANSPOSE flag(bool transposed) { return transposed ? CblasTrans : CblasNoTrans; }

void cblas_gemm(CBLAS_TRANSPOSE ta, CBLAS_TRANSPOSE tb, int m, int n, int k, const float* a, int lda, const float* b,
                int ldb, float* c) {
    cblas_sgemm(CblasRowMajor, ta, tb, m, n, k, 1, a, lda, b, ldb, 0, c, n);
}
void cblas_gemm(CBLAS_TRANSPOSE ta, CBLAS_TRANSPOSE tb, int m, int n, int k, const double* a, int lda, const double* b,
                int ldb, double* c) {
    cblas_dgemm(CblasRowMajor, ta, tb, m, n, k, 1, a, lda, b, ldb, 0, c, n);
}
void cblas_gemv(CBLAS_TRANSPOSE t, int rows, int columns, const float* a, const float* x, float* y) {
    cblas_sgemv(CblasRowMajor, t, rows, columns, 1, a, columns, x, 1, 1, y, 1);
}
void cblas_gemv(CBLAS_TRANSPOSE t, int rows, int columns, const double* a, const double* x, double* y) {
    cblas_dgemv(CblasRowMajor, t, rows, columns, 1, a, columns, x, 1, 1, y, 1);
}

// y (n) = op(a) x (k), added to zeros: versions differ in whether beta = 0 clears a NaN.
template <class T>
void gemv(bool ta, int n, int k, const T* a, const T* x, T* y) {
    std::fill_n(y, n, T(0));
    cblas_gemv(flag(ta), ta ? k : n, ta ? n : k, a, x, y);
}

template <class T>
void gemm(bool ta, bool tb, int m, int n, int k, const T* a, const T* b, T* c) {
    use_one_thread();
    if (n == 1)
        gemv(ta, m, k, a, b, c);
    else if (m == 1)
        gemv(!tb, n, k, b, a, c);
    else
        cblas_gemm(flag(ta), flag(tb), m, n, k, a, ta ? m : k, b, tb ? k : n, c);
}

}  // namespace

void blas_gemm(bool ta, bool tb, std::int64_t m, std::int64_t n, std::int64_t k, const float* a, const float* b,
               float* c) {
    gemm(ta, tb, extent(m), extent(n), extent(k), a, b, c);
}
void blas_gemm(bool ta, bool tb, std::int64_t m, std::int64_t n, std::int64_t k, const double* a, const double* b,
               double* c) {
    gemm(ta, tb, extent(m), extent(n), extent(k), a, b, c);
}

}  // namespace gradtape::detail

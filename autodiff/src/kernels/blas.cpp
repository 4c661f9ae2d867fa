// Matrix products by a BLAS. (Triangular systems: lapack.cpp.)
#include "blas.hpp"

#ifdef GRADTAPE_WITH_BLAS
#include <cblas.h>
#endif

#include <algorithm>
#include <cctype>
#include <cstdint>
#include <string>

#ifdef GRADTAPE_WITH_BLAS
// What libraries call it, and each has its own only: the others are null. OpenBLAS goes by other names too, such as blas.
extern "C" {
#ifndef GRADTAPE_WITH_OPENBLAS
[[gnu::weak]] void openblas_set_num_threads(int);
[[gnu::weak]] char* openblas_get_corename(void);
#endif
[[gnu::weak]] void bli_thread_set_num_threads(std::int64_t);
[[gnu::weak]] void MKL_Set_Num_Threads(int);
}
#endif

namespace gradtape::detail {
namespace {

template <class Function>
[[maybe_unused]] bool has(Function* function) {
    return function != nullptr;
}

}  // namespace

#ifdef GRADTAPE_WITH_BLAS
namespace {

int extent(std::int64_t n) { return static_cast<int>(n); }
CBLAS_TRANSPOSE flag(bool transposed) { return transposed ? CblasTrans : CblasNoTrans; }

void cblas_gemm(CBLAS_TRANSPOSE ta, CBLAS_TRANSPOSE tb, int m, int n, int k, const Product<float>& p) {
    cblas_sgemm(CblasRowMajor, ta, tb, m, n, k, p.scale, p.a, extent(p.a_row), p.b, extent(p.b_row), p.add ? 1 : 0, p.c,
                extent(p.c_row));
}
void cblas_gemm(CBLAS_TRANSPOSE ta, CBLAS_TRANSPOSE tb, int m, int n, int k, const Product<double>& p) {
    cblas_dgemm(CblasRowMajor, ta, tb, m, n, k, p.scale, p.a, extent(p.a_row), p.b, extent(p.b_row), p.add ? 1 : 0, p.c,
                extent(p.c_row));
}
void cblas_gemv(CBLAS_TRANSPOSE t, int rows, int columns, float scale, const float* a, int row, const float* x, int x_step,
                float* y, int y_step) {
    cblas_sgemv(CblasRowMajor, t, rows, columns, scale, a, row, x, x_step, 1, y, y_step);
}
void cblas_gemv(CBLAS_TRANSPOSE t, int rows, int columns, double scale, const double* a, int row, const double* x,
                int x_step, double* y, int y_step) {
    cblas_dgemv(CblasRowMajor, t, rows, columns, scale, a, row, x, x_step, 1, y, y_step);
}

// y (n) += scale op(a) x (k); y is cleared before, where it is not added to: versions differ in whether beta = 0 clears
// a NaN.
template <class T>
void gemv(bool ta, int n, int k, const Product<T>& p, const T* a, std::int64_t a_row, const T* x, std::int64_t x_step,
          std::int64_t y_step) {
    if (!p.add)
        for (int i = 0; i < n; ++i) p.c[i * y_step] = T(0);
    cblas_gemv(flag(ta), ta ? k : n, ta ? n : k, p.scale, a, extent(a_row), x, extent(x_step), p.c, extent(y_step));
}

template <class T>
void gemm(const Product<T>& p) {
    use_one_thread();
    const int m = extent(p.m), n = extent(p.n), k = extent(p.k);
    if (n == 1)
        gemv(p.ta, m, k, p, p.a, p.a_row, p.b, p.tb ? 1 : p.b_row, p.c_row);
    else if (m == 1)
        gemv(!p.tb, n, k, p, p.b, p.b_row, p.a, p.ta ? p.a_row : 1, 1);
    else
        cblas_gemm(flag(p.ta), flag(p.tb), m, n, k, p);
}

}  // namespace

void blas_gemm(const Product<float>& p) { gemm(p); }
void blas_gemm(const Product<double>& p) { gemm(p); }
#endif

void use_one_thread() {
#ifdef GRADTAPE_WITH_BLAS
    static const bool once = [] {
        if (has(openblas_set_num_threads)) openblas_set_num_threads(1);
        if (has(bli_thread_set_num_threads)) bli_thread_set_num_threads(1);
        if (has(MKL_Set_Num_Threads)) MKL_Set_Num_Threads(1);
        return true;
    }();
    static_cast<void>(once);
#endif
}

bool blas_uses_avx512() {
#ifdef GRADTAPE_WITH_BLAS
    static const bool uses = [] {
        if (!has(openblas_get_corename)) return false;
        std::string core = openblas_get_corename();  // in capitals where it was built for one processor
        std::transform(core.begin(), core.end(), core.begin(), [](unsigned char c) { return std::tolower(c); });
        return core == "skylakex" || core == "cooperlake" || core == "sapphirerapids";
    }();
    return uses;
#else
    return false;
#endif
}

}  // namespace gradtape::detail

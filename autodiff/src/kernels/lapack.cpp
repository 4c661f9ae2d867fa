// The only file that calls a LAPACK. Its functions read by columns what is stored by rows, the transposed matrix.
#include "lapack.hpp"

#include "blas.hpp"

#ifdef GRADTAPE_WITH_BLAS
#include <cblas.h>
#endif

#include <algorithm>
#include <cmath>
#include <memory>
#include <new>

#ifdef GRADTAPE_WITH_LAPACK
extern "C" {
void spotrf_(const char*, const int*, float*, const int*, int*, std::size_t);
void dpotrf_(const char*, const int*, double*, const int*, int*, std::size_t);
void sgetrf_(const int*, const int*, float*, const int*, int*, int*);
void dgetrf_(const int*, const int*, double*, const int*, int*, int*);
}
#endif

namespace gradtape::detail {
namespace {

struct Free {
    void operator()(std::byte* memory) const { ::operator delete(memory, std::align_val_t(64)); }
};
struct Scratch {
    std::unique_ptr<std::byte, Free> memory;
    std::size_t bytes = 0;
};

#ifdef GRADTAPE_WITH_LAPACK
constexpr bool with_lapack = true;
void potrf(int n, float* a, int* info) { spotrf_("U", &n, a, &n, info, 1); }
void potrf(int n, double* a, int* info) { dpotrf_("U", &n, a, &n, info, 1); }
void getrf(int n, float* a, int* pivots, int* info) { sgetrf_(&n, &n, a, &n, pivots, info); }
void getrf(int n, double* a, int* pivots, int* info) { dgetrf_(&n, &n, a, &n, pivots, info); }
#else
constexpr bool with_lapack = false;
template <class T>
void potrf(int, T*, int*) {}
template <class T>
void getrf(int, T*, int*, int*) {}
#endif

#ifdef GRADTAPE_WITH_BLAS
CBLAS_UPLO part(Triangular t) { return t.lower ? CblasLower : CblasUpper; }
CBLAS_TRANSPOSE turned(Triangular t) { return t.transpose ? CblasTrans : CblasNoTrans; }
CBLAS_DIAG diagonal(Triangular t) { return t.unit_diagonal ? CblasUnit : CblasNonUnit; }
void trsm(int n, int k, const float* a, Triangular t, float* b) {
    cblas_strsm(CblasRowMajor, CblasLeft, part(t), turned(t), diagonal(t), n, k, 1, a, n, b, k);
}
void trsm(int n, int k, const double* a, Triangular t, double* b) {
    cblas_dtrsm(CblasRowMajor, CblasLeft, part(t), turned(t), diagonal(t), n, k, 1, a, n, b, k);
}
#else
// Row after row, from the end that no other row is needed for.
template <class T>
void trsm(int n, int k, const T* a, Triangular t, T* b) {
    const bool forward = t.lower != t.transpose;
    for (int step = 0; step < n; ++step) {
        const int i = forward ? step : n - 1 - step;
        for (int before = 0; before < step; ++before) {
            const int j = forward ? before : n - 1 - before;
            const T factor = t.transpose ? a[std::ptrdiff_t(j) * n + i] : a[std::ptrdiff_t(i) * n + j];
            for (int c = 0; c < k; ++c) b[std::ptrdiff_t(i) * k + c] -= factor * b[std::ptrdiff_t(j) * k + c];
        }
        if (t.unit_diagonal) continue;
        for (int c = 0; c < k; ++c) b[std::ptrdiff_t(i) * k + c] /= a[std::ptrdiff_t(i) * n + i];
    }
}
#endif

template <class T>
void own_cholesky(std::int64_t n, T* a) {
    for (std::int64_t j = 0; j < n; ++j)
        for (std::int64_t i = j; i < n; ++i) {
            T rest = a[i * n + j];
            for (std::int64_t k = 0; k < j; ++k) rest -= a[i * n + k] * a[j * n + k];
            a[i * n + j] = i == j ? std::sqrt(rest) : rest / a[j * n + j];
        }
}

/// Gaussian elimination with the largest element of a column as its pivot; `pivots` as LAPACK has them.
template <class T>
void own_lu(std::int64_t n, T* a, int* pivots) {
    for (std::int64_t k = 0; k < n; ++k) {
        std::int64_t pivot = k;
        for (std::int64_t i = k + 1; i < n; ++i)
            if (std::abs(a[i * n + k]) > std::abs(a[pivot * n + k])) pivot = i;
        pivots[k] = int(pivot) + 1;
        std::swap_ranges(a + k * n, a + (k + 1) * n, pivot == k ? a + k * n : a + pivot * n);
        if (a[k * n + k] == 0) continue;
        for (std::int64_t i = k + 1; i < n; ++i) {
            const T factor = a[i * n + k] /= a[k * n + k];
            for (std::int64_t j = k + 1; j < n; ++j) a[i * n + j] -= factor * a[k * n + j];
        }
    }
}

template <class T>
void transpose_square(std::int64_t n, T* a) {
    for (std::int64_t i = 0; i < n; ++i)
        for (std::int64_t j = 0; j < i; ++j) std::swap(a[i * n + j], a[j * n + i]);
}

}  // namespace

template <class T>
T* scratch(std::size_t count) {
    thread_local Scratch mine;
    const std::size_t bytes = std::max<std::size_t>(count * sizeof(T), 64);
    if (bytes > mine.bytes) {
        mine.memory.reset();
        mine.bytes = 0;
        mine.memory.reset(static_cast<std::byte*>(::operator new(bytes, std::align_val_t(64))));
        mine.bytes = bytes;
    }
    return reinterpret_cast<T*>(mine.memory.get());
}

template <class T>
bool cholesky_factor(std::int64_t n, T* a) {
    use_one_thread();
    int info = 0;
    if (with_lapack)
        potrf(int(n), a, &info);  // the upper triangle by columns is the lower one by rows
    else
        own_cholesky(n, a);
    bool definite = info == 0;
    for (std::int64_t i = 0; i < n; ++i) definite = definite && a[i * n + i] > 0 && std::isfinite(a[i * n + i]);
    return definite;
}

template <class T>
bool triangular_solve(std::int64_t n, std::int64_t k, const T* a, Triangular which, T* b) {
    use_one_thread();
    for (std::int64_t i = 0; i < n && !which.unit_diagonal; ++i)
        if (a[i * n + i] == 0) return false;
    trsm(int(n), int(k), a, which, b);
    return true;
}

template <class T>
void lu_factor(std::int64_t n, T* a, std::int64_t* permutation) {
    use_one_thread();
    int* const pivots = scratch<int>(std::size_t(n));
    if (with_lapack) {
        int info = 0;
        transpose_square(n, a);
        getrf(int(n), a, pivots, &info);
        transpose_square(n, a);
    } else {
        own_lu(n, a, pivots);
    }
    for (std::int64_t i = 0; i < n; ++i) permutation[i] = i;
    for (std::int64_t i = 0; i < n; ++i) std::swap(permutation[i], permutation[pivots[i] - 1]);
}

#define INSTANTIATE(T)                                                                                  \
    template T* scratch<T>(std::size_t);                                                                \
    template bool cholesky_factor(std::int64_t, T*);                                                    \
    template bool triangular_solve(std::int64_t, std::int64_t, const T*, Triangular, T*);               \
    template void lu_factor(std::int64_t, T*, std::int64_t*);
INSTANTIATE(float)
INSTANTIATE(double)
#undef INSTANTIATE
template std::int64_t* scratch<std::int64_t>(std::size_t);

}  // namespace gradtape::detail

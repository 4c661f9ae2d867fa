// The only file that calls a LAPACK. Its functions read by columns what is stored by rows, the transposed matrix.
#include "lapack.hpp"

#include "blas.hpp"

#ifdef GRADTAPE_WITH_BLAS
#include <cblas.h>
#endif

#include <algorithm>
#include <cmath>
#include <limits>
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
        if (std::isinf(1 / a[i * n + i])) return false;  // BLAS multiplies by it
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

namespace {

/// p a q = l u, by the largest of all elements that are left: if u has zeros on its diagonal they are at its end.
template <class T>
struct Complete {
    std::int64_t n;
    T* lu;
    std::int64_t *rows, *columns;  ///< of a
    T sign = 1;

    void exchange(std::int64_t k) {
        std::int64_t r = k, c = k;
        for (std::int64_t i = k; i < n; ++i)
            for (std::int64_t j = k; j < n; ++j)
                if (std::abs(lu[i * n + j]) > std::abs(lu[r * n + c])) r = i, c = j;
        if (r != k) {
            std::swap_ranges(lu + k * n, lu + k * n + n, lu + r * n);
            std::swap(rows[k], rows[r]);
            sign = -sign;
        }
        if (c != k) {
            for (std::int64_t i = 0; i < n; ++i) std::swap(lu[i * n + k], lu[i * n + c]);
            std::swap(columns[k], columns[c]);
            sign = -sign;
        }
    }
    void factor() {
        for (std::int64_t k = 0; k < n; ++k) {
            exchange(k);
            for (std::int64_t i = k + 1; i < n && lu[k * n + k] != 0; ++i) {
                const T by = lu[i * n + k] /= lu[k * n + k];
                for (std::int64_t j = k + 1; j < n; ++j) lu[i * n + j] -= by * lu[k * n + j];
            }
        }
    }
    /// x becomes l⁻¹ x, and then adj(u) x. With u = (v w; 0 m) that is det v (m v⁻¹ x − v⁻¹ w x_n; x_n), x_n the last.
    void solve(T* x) const {
        for (std::int64_t i = 0; i < n; ++i)
            for (std::int64_t j = 0; j < i; ++j) x[i] -= lu[i * n + j] * x[j];
        T det = sign;
        for (std::int64_t i = 0; i + 1 < n; ++i) det *= lu[i * n + i];
        for (std::int64_t i = 0; i + 1 < n; ++i) x[i] = lu[n * n - 1] * x[i] - lu[i * n + n - 1] * x[n - 1];
        for (std::int64_t i = n - 1; i-- > 0;) {
            for (std::int64_t j = i + 1; j + 1 < n; ++j) x[i] -= lu[i * n + j] * x[j];
            x[i] /= lu[i * n + i];
        }
        for (std::int64_t i = 0; i < n; ++i) x[i] *= det;
    }
};

}  // namespace

template <class T>
void adjugate(std::int64_t n, const T* a, T* z) {
    if (!std::all_of(a, a + n * n, [](T x) { return std::isfinite(x); }))
        return std::fill_n(z, n * n, std::numeric_limits<T>::quiet_NaN()), void();
    T* const memory = scratch<T>(std::size_t(n * n + n));
    std::int64_t* const order = scratch<std::int64_t>(std::size_t(2 * n));
    Complete<T> its{n, memory, order, order + n};
    std::copy_n(a, n * n, its.lu);
    for (std::int64_t i = 0; i < n; ++i) its.rows[i] = its.columns[i] = i;
    its.factor();
    if (n > 1 && its.lu[(n - 2) * n + n - 2] == 0) return std::fill_n(z, n * n, T(0)), void();
    T* const x = memory + n * n;
    for (std::int64_t j = 0; j < n; ++j) {
        for (std::int64_t i = 0; i < n; ++i) x[i] = its.rows[i] == j ? T(1) : T(0);
        its.solve(x);
        for (std::int64_t i = 0; i < n; ++i) z[its.columns[i] * n + j] = x[i];
    }
}

#define INSTANTIATE(T)                                                                                  \
    template T* scratch<T>(std::size_t);                                                                \
    template bool cholesky_factor(std::int64_t, T*);                                                    \
    template bool triangular_solve(std::int64_t, std::int64_t, const T*, Triangular, T*);               \
    template void lu_factor(std::int64_t, T*, std::int64_t*);                                           \
    template void adjugate(std::int64_t, const T*, T*);
INSTANTIATE(float)
INSTANTIATE(double)
#undef INSTANTIATE
template std::int64_t* scratch<std::int64_t>(std::size_t);

}  // namespace gradtape::detail

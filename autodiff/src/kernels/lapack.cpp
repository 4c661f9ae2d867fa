// The only file that calls a LAPACK. Its functions read by columns what is stored by rows, the transposed matrix.
#include "lapack.hpp"

#include "blas.hpp"

#ifdef GRADTAPE_WITH_BLAS
#include <cblas.h>
#endif

#include <algorithm>
#include <climits>
#include <cmath>
#include <limits>
#include <memory>
#include <new>

// Fortran's interface: numbers by address, and behind all the lengths of strings.
#ifdef GRADTAPE_WITH_LAPACK
#define DECLARE(T, POTRF, GETRF, GELQF, ORGLQ, SYEV, SYEVD, GESVD, GESDD)                                                     \
    void POTRF(const char*, const int*, T*, const int*, int*, std::size_t);                                                   \
    void GETRF(const int*, const int*, T*, const int*, int*, int*);                                                           \
    void GELQF(const int*, const int*, T*, const int*, T*, T*, const int*, int*);                                             \
    void ORGLQ(const int*, const int*, const int*, T*, const int*, const T*, T*, const int*, int*);                           \
    void SYEV(const char*, const char*, const int*, T*, const int*, T*, T*, const int*, int*, std::size_t, std::size_t);      \
    void SYEVD(const char*, const char*, const int*, T*, const int*, T*, T*, const int*, int*, const int*, int*, std::size_t, \
               std::size_t);                                                                                                  \
    void GESVD(const char*, const char*, const int*, const int*, T*, const int*, T*, T*, const int*, T*, const int*, T*,      \
               const int*, int*, std::size_t, std::size_t);                                                                   \
    void GESDD(const char*, const int*, const int*, T*, const int*, T*, T*, const int*, T*, const int*, T*, const int*, int*, \
               int*, std::size_t);
extern "C" {
DECLARE(float, spotrf_, sgetrf_, sgelqf_, sorglq_, ssyev_, ssyevd_, sgesvd_, sgesdd_)
DECLARE(double, dpotrf_, dgetrf_, dgelqf_, dorglq_, dsyev_, dsyevd_, dgesvd_, dgesdd_)
}
#undef DECLARE
#endif

namespace gradtape::detail {
namespace {

struct Free {
    void operator()(std::byte* memory) const { ::operator delete(memory, std::align_val_t(64)); }
};
struct Block {
    std::unique_ptr<std::byte, Free> memory;
    std::size_t bytes = 0;
};

/// Up to this extent our own loops are done before a LAPACK has looked at its arguments: two to three times as fast.
constexpr std::int64_t few = 8;

/// z becomes the transposed of x (n, n).
template <class T>
void transpose(std::int64_t n, const T* x, T* z) {
    for (std::int64_t i = 0; i < n; ++i)
        for (std::int64_t j = 0; j < n; ++j) z[i * n + j] = x[j * n + i];
}

/// By which function for numbers of type T.
template <class T>
auto chosen([[maybe_unused]] auto of_float, [[maybe_unused]] auto of_double) {
    if constexpr (std::is_same_v<T, float>)
        return of_float;
    else
        return of_double;
}

/// Each gives false where it does not serve. What has several results works in memory of the thread's, aligned alike whatever is
/// wanted, for a BLAS's loops may begin as the alignment is. Matrices up to a size are factorised without
/// products of matrices, for which OpenBLAS may take memory from malloc (docs/numerics.md): with no more room than is needed
/// there are none of blocks, and eigenvalues are found by rotations, not by dividing the matrix.
#ifdef GRADTAPE_WITH_LAPACK
template <class T>
struct Lapack {
    static constexpr bool here = true;
    static constexpr int block = 64;  ///< columns that are treated at once: no LAPACK's is larger
    static constexpr std::int64_t one_by_one = 256, rotated = 64;  ///< where the others become much faster

    static bool serves(std::int64_t size) { return size <= INT_MAX; }

    /// The upper triangle by columns is the lower one by rows.
    static void cholesky(int n, T* a) {
        int info = 0;
        chosen<T>(spotrf_, dpotrf_)("U", &n, a, &n, &info, 1);
        if (info > 0) a[(info - 1) * std::int64_t(n) + info - 1] = 0;  // as it was left
    }
    static void lu(int n, T* a, int* pivots) {
        T* const columns = scratch<T>(std::size_t(n) * std::size_t(n), 0);
        int info = 0;
        transpose(n, a, columns);
        chosen<T>(sgetrf_, dgetrf_)(&n, &n, columns, &n, pivots, &info);
        transpose(n, columns, a);
    }
    /// aᵀ = rᵀ qᵀ.
    static bool qr(std::int64_t m, std::int64_t n, const T* a, T* q, T* r) {
        const std::int64_t k = std::min(m, n), size = k <= one_by_one ? n : block * n;
        if (!serves(m) || !serves(size)) return false;
        T *const both = scratch<T>(std::size_t(m * n + k + size), 0), *const tau = both + m * n, *const work = tau + k;
        const int rows = int(m), columns = int(n), count = int(k), room = int(size);
        int info = 0;
        std::copy_n(a, m * n, both);
        chosen<T>(sgelqf_, dgelqf_)(&columns, &rows, both, &columns, tau, work, &room, &info);
        for (std::int64_t i = 0; i < k; ++i) {
            std::fill_n(r + i * n, i, T(0));
            std::copy_n(both + i * n + i, n - i, r + i * n + i);
        }
        chosen<T>(sorglq_, dorglq_)(&count, &rows, &count, both, &columns, tau, work, &room, &info);
        for (std::int64_t i = 0; i < m; ++i) std::copy_n(both + i * n, k, q + i * k);
        return info == 0;
    }
    /// The vectors are its columns, by rows the rows of vᵀ.
    static bool eigen(std::int64_t n, const T* a, T* w, T* v) {
        const bool small = n <= rotated;
        const std::int64_t size = small ? 3 * n : 1 + 6 * n + 2 * n * n, integers = 3 + 5 * n;
        if (!serves(size)) return false;
        T *const both = scratch<T>(std::size_t(n * n + n + size), 0), *const values = both + n * n, *const work = values + n;
        const int rows = int(n), room = int(size), more = int(integers);
        int info = 0;
        std::copy_n(a, n * n, both);
        if (small)
            chosen<T>(ssyev_, dsyev_)("V", "U", &rows, both, &rows, values, work, &room, &info, 1, 1);
        else
            chosen<T>(ssyevd_, dsyevd_)("V", "U", &rows, both, &rows, values, work, &room, scratch<int>(std::size_t(integers), 0),
                                        &more, &info, 1, 1);
        std::copy_n(values, n, w);
        transpose(n, both, v);
        return info == 0;
    }
    /// aᵀ = vtᵀ diag(s) uᵀ.
    static bool singular(std::int64_t m, std::int64_t n, const T* a, T* u, T* s, T* vt) {
        const std::int64_t k = std::min(m, n);
        const bool small = k <= rotated;
        const std::int64_t size = small ? 5 * k + m + n : 4 * k * k + 7 * k + block * (m + n);
        if (!serves(m) || !serves(n) || !serves(size)) return false;
        T* const both = scratch<T>(std::size_t(m * n + m * k + k * n + k + size), 0);
        T *const left = both + m * n, *const right = left + m * k, *const values = right + k * n, *const work = values + k;
        const int rows = int(m), columns = int(n), count = int(k), room = int(size);
        int info = 0;
        std::copy_n(a, m * n, both);
        if (small)
            chosen<T>(sgesvd_, dgesvd_)("S", "S", &columns, &rows, both, &columns, values, right, &columns, left, &count, work, &room,
                                        &info, 1, 1);
        else
            chosen<T>(sgesdd_, dgesdd_)("S", &columns, &rows, both, &columns, values, right, &columns, left, &count, work, &room,
                                        scratch<int>(std::size_t(8 * k), 0), &info, 1);
        std::copy_n(left, m * k, u);
        std::copy_n(values, k, s);
        std::copy_n(right, k * n, vt);
        return info == 0;
    }
};
#else
template <class T>
struct Lapack {
    static constexpr bool here = false;
    static void cholesky(int, T*) {}
    static void lu(int, T*, int*) {}
    static bool qr(std::int64_t, std::int64_t, const T*, T*, T*) { return false; }
    static bool eigen(std::int64_t, const T*, T*, T*) { return false; }
    static bool singular(std::int64_t, std::int64_t, const T*, T*, T*, T*) { return false; }
};
#endif

#ifdef GRADTAPE_WITH_BLAS
template <class T>
bool trsm(std::int64_t n, std::int64_t k, const T* a, Triangular t, T* b) {
    if (k > INT_MAX) return false;
    chosen<T>(cblas_strsm, cblas_dtrsm)(CblasRowMajor, CblasLeft, t.lower ? CblasLower : CblasUpper,
                                        t.transpose ? CblasTrans : CblasNoTrans, t.unit_diagonal ? CblasUnit : CblasNonUnit,
                                        int(n), int(k), 1, a, int(n), b, int(k));
    return true;
}
#else
template <class T>
bool trsm(std::int64_t, std::int64_t, const T*, Triangular, T*) {
    return false;
}
#endif

template <class T>
bool finite(const T* first, std::int64_t count) {
    return std::all_of(first, first + count, [](T x) { return std::isfinite(x); });
}

template <class T>
void undefined(T* first, std::int64_t count) {
    std::fill_n(first, count, std::numeric_limits<T>::quiet_NaN());
}

/// Whether a vector of n elements, `step` apart, has to be turned for the first of its largest to be positive. Which of two
/// that differ by rounding is larger is not to matter: 1/√2, −1/√2.
template <class T>
bool points_down(std::int64_t n, const T* x, std::int64_t step) {
    T largest = 0;
    for (std::int64_t i = 0; i < n; ++i) largest = std::max(largest, std::abs(x[i * step]));
    const T enough = largest * (1 - std::sqrt(std::numeric_limits<T>::epsilon()));
    for (std::int64_t i = 0; i < n; ++i)
        if (std::abs(x[i * step]) >= enough) return x[i * step] < 0;
    return false;
}

template <class T>
void turn(std::int64_t n, T* x, std::int64_t step) {
    for (std::int64_t i = 0; i < n; ++i) x[i * step] = -x[i * step];
}

}  // namespace

template <class T>
T* scratch(std::size_t count, std::size_t place) {
    thread_local Block blocks[scratch_places];
    Block& its = blocks[place];
    const std::size_t bytes = std::max<std::size_t>(count * sizeof(T), 64);
    if (bytes > its.bytes) {
        its.memory.reset();
        its.bytes = 0;
        its.memory.reset(static_cast<std::byte*>(::operator new(bytes, std::align_val_t(64))));
        its.bytes = bytes;
    }
    return reinterpret_cast<T*>(its.memory.get());
}

template <class T>
bool cholesky_factor(std::int64_t n, T* a) {
    use_one_thread();
    Lapack<T>::here && n > few ? Lapack<T>::cholesky(int(n), a) : own::cholesky(n, a);
    bool definite = true;
    for (std::int64_t i = 0; i < n; ++i) definite = definite && a[i * n + i] > 0 && std::isfinite(a[i * n + i]);
    return definite;
}

template <class T>
bool triangular_solve(std::int64_t n, std::int64_t k, const T* a, Triangular which, T* b) {
    bool small = false;
    for (std::int64_t i = 0; i < n && !which.unit_diagonal; ++i) {
        const T x = a[i * n + i];
        if (x == 0 || x != x) return false;
        small = small || std::isinf(1 / x);  // a BLAS multiplies by that
    }
    use_one_thread();
    if (small || (n <= few && k <= few) || !trsm(n, k, a, which, b)) own::triangular_solve(n, k, a, which, b);
    return true;
}

template <class T>
void lu_factor(std::int64_t n, T* a, std::int64_t* permutation) {
    for (std::int64_t i = 0; i < n; ++i) permutation[i] = i;
    if (!finite(a, n * n)) return undefined(a, n * n);
    use_one_thread();
    int* const pivots = scratch<int>(std::size_t(n), 0);
    Lapack<T>::here && n > few ? Lapack<T>::lu(int(n), a, pivots) : own::lu(n, a, pivots);
    for (std::int64_t i = 0; i < n; ++i) std::swap(permutation[i], permutation[pivots[i] - 1]);
}

template <class T>
void adjugate(std::int64_t n, const T* a, T* z) {
    if (!finite(a, n * n)) return undefined(z, n * n);
    own::adjugate(n, a, z, scratch<T>(std::size_t(n * n + n), 0), scratch<std::int64_t>(std::size_t(2 * n), 0));
}

template <class T>
void qr_factor(std::int64_t m, std::int64_t n, const T* a, T* q, T* r) {
    const std::int64_t k = std::min(m, n);
    if (!finite(a, m * n)) return undefined(q, m * k), undefined(r, k * n);
    use_one_thread();
    if ((m <= few && n <= few) || !Lapack<T>::qr(m, n, a, q, r)) own::qr(m, n, a, q, r, scratch<T>(std::size_t(m * n), 0));
    for (std::int64_t i = 0; i < k; ++i) {
        if (!std::signbit(r[i * n + i])) continue;
        turn(n - i, r + i * n + i, 1);
        turn(m, q + i, k);
    }
}

template <class T>
void symmetric_eigen(std::int64_t n, const T* a, T* w, T* v) {
    bool fits = true;
    for (std::int64_t i = 0; i < n; ++i) fits = fits && finite(a + i * n, i + 1);
    use_one_thread();
    if (fits && !Lapack<T>::eigen(n, a, w, v)) {
        T *const rows = scratch<T>(std::size_t(2 * n * n), 0), *const work = rows + n * n;
        std::copy_n(a, n * n, rows);
        fits = own::symmetric_eigen(n, rows, w, work);
        transpose(n, rows, v);
    }
    if (!fits) return undefined(w, n), undefined(v, n * n);
    for (std::int64_t i = 0; i < n; ++i)
        if (points_down(n, v + i, n)) turn(n, v + i, n);
}

template <class T>
void singular_values(std::int64_t m, std::int64_t n, const T* a, T* u, T* s, T* vt) {
    const std::int64_t k = std::min(m, n);
    bool fits = finite(a, m * n);
    use_one_thread();
    if (fits && !Lapack<T>::singular(m, n, a, u, s, vt))
        fits = own::singular_values(m, n, a, u, s, vt, scratch<T>(std::size_t(2 * m * n + k * k), 0));
    if (!fits) return undefined(u, m * k), undefined(s, k), undefined(vt, k * n);
    for (std::int64_t i = 0; i < k; ++i) {
        if (!points_down(m, u + i, k)) continue;
        turn(m, u + i, k);
        turn(n, vt + i * n, 1);
    }
}

#define INSTANTIATE(T)                                                                                  \
    template T* scratch<T>(std::size_t, std::size_t);                                                   \
    template bool cholesky_factor(std::int64_t, T*);                                                    \
    template bool triangular_solve(std::int64_t, std::int64_t, const T*, Triangular, T*);               \
    template void lu_factor(std::int64_t, T*, std::int64_t*);                                           \
    template void adjugate(std::int64_t, const T*, T*);                                                 \
    template void qr_factor(std::int64_t, std::int64_t, const T*, T*, T*);                              \
    template void symmetric_eigen(std::int64_t, const T*, T*, T*);                                      \
    template void singular_values(std::int64_t, std::int64_t, const T*, T*, T*, T*);
INSTANTIATE(float)
INSTANTIATE(double)
#undef INSTANTIATE
template std::int64_t* scratch<std::int64_t>(std::size_t, std::size_t);

}  // namespace gradtape::detail

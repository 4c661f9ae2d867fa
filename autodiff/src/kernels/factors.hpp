// Factorisations of one matrix by loops of our own, for where there is no LAPACK, or it does not serve: it takes an int for an
// extent, may give up, and is slow to begin. Row-major and dense, of float or double; extents are at least 1.
#pragma once

#include <cstddef>
#include <cstdint>

namespace gradtape::detail {

/// Whether op(a) is the lower triangle of a (n, n), transposed or not, with ones on the diagonal or what is there.
struct Triangular {
    bool lower = true, transpose = false, unit_diagonal = false;
};

namespace own {

/// b (n, k) becomes op(a)⁻¹ b.
template <class T>
void triangular_solve(std::int64_t n, std::int64_t k, const T* a, Triangular which, T* b);

/// The lower triangle of a (n, n) becomes L, with NaN or 0 on its diagonal where a is not positive definite.
template <class T>
void cholesky(std::int64_t n, T* a);

/// Gaussian elimination with the largest element of a column as its pivot; `pivots` as LAPACK has them, from 1.
template <class T>
void lu(std::int64_t n, T* a, int* pivots);

/// z (n, n) becomes the adjugate of a (n, n), which is finite: 0 where its rank is below n − 1. By elimination with the largest
/// of all elements as pivots. `work` has n² + n elements, `order` 2 n.
template <class T>
void adjugate(std::int64_t n, const T* a, T* z, T* work, std::int64_t* order);

/// a (m, n) = q (m, k) r (k, n), by Householder's reflections; `work` has m n elements. Signs as they come.
template <class T>
void qr(std::int64_t m, std::int64_t n, const T* a, T* q, T* r, T* work);

/// Values w, ascending, and vectors, the rows of a, of the symmetric matrix that a's lower triangle is that of; `work` has n²
/// elements. By Jacobi's rotations; false where they do not come to an end.
template <class T>
bool symmetric_eigen(std::int64_t n, T* a, T* w, T* work);

/// a (m, n) = u (m, k) diag(s) vt (k, n), s descending; `work` has 2 m n + k² elements. By Jacobi's rotations, from one side
/// (Hestenes 1958); false where they do not come to an end.
template <class T>
bool singular_values(std::int64_t m, std::int64_t n, const T* a, T* u, T* s, T* vt, T* work);

}  // namespace own
}  // namespace gradtape::detail

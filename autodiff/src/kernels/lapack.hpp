// Factorisations of one matrix, row-major and dense: by LAPACK where the library was built with one, else by factors.hpp's loops.
// Compiled once, for a LAPACK does its own dispatch. Extents are at least 1. What is not finite gets NaN: a LAPACK may not come
// back from it.
#pragma once

#include "factors.hpp"

namespace gradtape::detail {

/// Memory of this thread's for `count` numbers, 64-byte aligned, valid until the next call for the same type and place: it grows
/// only, so that a replay allocates nothing once it has run. (Mutable, and a thread's; nothing outlives a kernel's call in it.)
/// Place 0 is of the functions below, the others are their callers'.
inline constexpr std::size_t scratch_places = 4;
template <class T>
T* scratch(std::size_t count, std::size_t place);

/// The lower triangle of a (n, n), read as a symmetric matrix, becomes L with L Lᵀ = a; the rest is not touched. False where
/// that is not positive definite and finite.
template <class T>
bool cholesky_factor(std::int64_t n, T* a);

/// b (n, k) becomes op(a)⁻¹ b. False where a diagonal element is 0 or NaN.
template <class T>
bool triangular_solve(std::int64_t n, std::int64_t k, const T* a, Triangular which, T* b);

/// a (n, n) becomes L below its diagonal and U on and above it, with row i of L U row permutation[i] of a.
template <class T>
void lu_factor(std::int64_t n, T* a, std::int64_t* permutation);

/// z (n, n) becomes the adjugate of a (n, n): 0 where a's rank is below n − 1.
template <class T>
void adjugate(std::int64_t n, const T* a, T* z);

/// a (m, n) = q (m, k) r (k, n), k = min(m, n), and r's diagonal ≥ 0.
template <class T>
void qr_factor(std::int64_t m, std::int64_t n, const T* a, T* q, T* r);

/// Values w, ascending, and vectors, the columns of v, of the symmetric matrix that a's lower triangle is that of. The first
/// element of a vector that is largest in size, but for rounding, is positive.
template <class T>
void symmetric_eigen(std::int64_t n, const T* a, T* w, T* v);

/// a (m, n) = u (m, k) diag(s) vt (k, n), k = min(m, n), s ≥ 0 and descending; columns of u as those of v above.
template <class T>
void singular_values(std::int64_t m, std::int64_t n, const T* a, T* u, T* s, T* vt);

}  // namespace gradtape::detail

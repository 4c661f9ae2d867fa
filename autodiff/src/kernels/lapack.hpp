// Factorisations of one matrix, row-major and dense: by LAPACK where the library was built with one, else by loops of our own.
// Compiled once, for a LAPACK does its own dispatch. Extents are at least 1.
#pragma once

#include <cstddef>
#include <cstdint>

namespace gradtape::detail {

/// Memory of this thread's for `count` numbers, 64-byte aligned, valid until the next call: it grows only, so that a replay
/// allocates nothing once it has run. (Mutable, and a thread's; nothing outlives a kernel's call in it.)
template <class T>
T* scratch(std::size_t count);

/// Whether op(a) is the lower triangle of a (n, n), transposed or not, with ones on the diagonal or what is there.
struct Triangular {
    bool lower = true, transpose = false, unit_diagonal = false;
};

/// The lower triangle of a (n, n), read as a symmetric matrix, becomes L with L Lᵀ = a; the rest is not touched. False where
/// that is not positive definite and finite.
template <class T>
bool cholesky_factor(std::int64_t n, T* a);

/// b (n, k) becomes op(a)⁻¹ b. False where a diagonal element is 0, or so small that 1 by it is
/// infinite.
template <class T>
bool triangular_solve(std::int64_t n, std::int64_t k, const T* a, Triangular which, T* b);

/// a (n, n) becomes L below its diagonal and U on and above it, with row i of L U row permutation[i] of a.
template <class T>
void lu_factor(std::int64_t n, T* a, std::int64_t* permutation);

/// z (n, n) becomes the adjugate of a (n, n): 0 where a's rank is below n − 1, NaN where a is not finite.
template <class T>
void adjugate(std::int64_t n, const T* a, T* z);

}  // namespace gradtape::detail

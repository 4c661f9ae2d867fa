// Linear algebra: factorisations of matrices, and what is solved by them. float32, float64.
//
// Matrices are the last two axes; leading axes are a batch, of which each matrix is treated alone. Where a matrix has no such
// factorisation its results are NaN, and those of the others in the batch are what they are. docs/linear_algebra.md.
#pragma once

#include <gradtape/ops.hpp>

namespace gradtape {

/// The elements of matrices x (…, m, n) on and below a diagonal, 0 above it: those (i, j) with j − i ≤ diagonal.
/// x̄ = tril(z̄, diagonal).
Node tril(Operand x, std::int64_t diagonal = 0);
/// The elements on and above a diagonal, 0 below it: those with j − i ≥ diagonal. x̄ = triu(z̄, diagonal).
Node triu(Operand x, std::int64_t diagonal = 0);

/// Lower triangular L (…, n, n) with L Lᵀ = a. Only a's lower triangle is read, as that of a symmetric matrix.
/// ā = Φ(L⁻ᵀ (P + Pᵀ) L⁻¹), P = Φ(Lᵀ L̄), where Φ is the lower triangle with half the diagonal (Murray 2016, eq. 10): the
/// derivative in the elements that are read, 0 above the diagonal. Edge: NaN where a is not positive definite, or not finite.
Node cholesky(Operand a);

/// Of a triangular matrix: which triangle is read, whether it is transposed, whether its diagonal is taken to be ones.
struct Triangle {
    bool lower = true;
    bool transpose = false;
    bool unit_diagonal = false;
};
/// x with op(a) x = b, where op(a) is a triangle of a (…, n, n), transposed or not; b is (…, n, k), or a vector (n). Leading
/// axes are broadcast. b̄ = op(a)⁻ᵀ x̄; ā = −b̄ xᵀ, or its transposed, in the triangle that is read, and 0 elsewhere
/// (Giles 2008, 2.3.1). Edge: NaN where the diagonal has a 0.
Node triangular_solve(Operand a, Operand b, Triangle triangle = {});

}  // namespace gradtape

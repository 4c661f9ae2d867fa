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
/// ā = Φ(L⁻ᵀ (P + Pᵀ) L⁻¹), P = Φ(Lᵀ L̄), where Φ is the lower triangle with half the diagonal (Murray 2016): the
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
/// (Giles 2008, 2.3.1). Edge: NaN where the diagonal has a 0 or NaN.
Node triangular_solve(Operand a, Operand b, Triangle triangle = {});

struct Eigh {
    Node values;   ///< (…, n), ascending
    Node vectors;  ///< (…, n, n): columns of length 1, of which the first element that is largest in size is positive
};
/// Eigenvalues w and vectors v of symmetric matrices a (…, n, n): a v = v diag(w). Only a's lower triangle is read, and has the
/// gradient, as of cholesky: that of ā = v (diag(w̄) + (m − mᵀ) / 2d) vᵀ, m = vᵀ v̄, d_ij = w_j − w_i (Giles 2008, 3.1).
/// Edges: equal values share their derivatives evenly, and those of their vectors are NaN; NaN where a is not finite.
Eigh eigh(Operand a);

struct Qr {
    Node q;  ///< (…, m, k), k = min(m, n): columns of length 1, at right angles
    Node r;  ///< (…, k, n), upper triangular, with a diagonal ≥ 0
};
/// a (…, m, n) = q r, reduced. With m ≥ n: ā = (q̄ + q (s + tril(s, −1)ᵀ)) r⁻ᵀ, s = tril(r r̄ᵀ − q̄ᵀ q) (Walter, Lehmann 2010);
/// of more columns, the first m have this derivative, and the others are q times r's. Edges: where those columns are linearly
/// dependent the factors have a value, and the derivative is NaN; NaN where a is not finite.
Qr qr(Operand a);

struct Svd {
    Node u;   ///< (…, m, k), k = min(m, n): columns of length 1, of which the first element that is largest in size is positive
    Node s;   ///< (…, k) ≥ 0, descending
    Node vt;  ///< (…, k, n)
};
/// a (…, m, n) = u diag(s) vt, thin. Of s alone, ā = u diag(s̄) vt; with u and vt as in Townsend 2016, "Differentiating the
/// singular value decomposition". Edges: equal values share their derivatives evenly, and those of their vectors are NaN; of s = 0
/// the derivative is 0, and of its vectors NaN unless a is square; NaN where a is not finite.
Svd svd(Operand a);

/// The x with the least |a x − b|: r⁻¹ qᵀ b by qr, whose derivatives it has. a is (…, m, n) with linearly independent columns,
/// b is (…, m, k), or a vector (m). Leading axes are broadcast. Errors: more columns than rows. Edge: NaN where a column is a
/// combination of those before it, but for rounding.
Node lstsq(Operand a, Operand b);

/// What lu gives: a itself, and its factors, with which more than one thing can be computed from a.
struct Lu {
    Node a;
    Node factors;      ///< L below the diagonal, which has ones there, and U on and above it
    Node permutation;  ///< int64 (…, n): row i of L U is row permutation[i] of a
};
/// Gaussian elimination of a (…, n, n), with the largest element of a column as its pivot. With P the permutation:
/// ā = Pᵀ L⁻ᵀ (tril(Lᵀ L̄, −1) + triu(Ū Uᵀ)) U⁻ᵀ (de Hoog, Anderssen, Lukas 2011). Edge: of a singular matrix the factors have
/// a value, and the derivative is NaN.
Lu lu(Operand a);

/// x with a x = b, by lu; b is (…, n, k), or a vector (n). Leading axes are broadcast. b̄ = a⁻ᵀ x̄, ā = −b̄ xᵀ (Giles 2008,
/// 2.3.1); derivatives of all orders use the same factors. Edge: NaN where a is singular.
Node solve(Operand a, Operand b);
Node solve(const Lu& a, Operand b);
/// a⁻¹. ā = −zᵀ z̄ zᵀ (Giles 2008, 2.2.3). Edge: NaN where a is singular. For a⁻¹ b write solve(a, b): faster, more accurate.
Node inv(Operand a);
Node inv(const Lu& a, Where where = Where::here());
/// The determinant, (…). ā = z̄ adj(a)ᵀ. Edges: of a singular matrix that is the adjugate too, and second derivatives are
/// NaN; a (…, 0, 0) has 1. Where it overflows, take slogdet.
Node det(Operand a);
Node det(const Lu& a, Where where = Where::here());
struct Slogdet {
    Node sign, logabsdet;
};
/// The determinant's sign, −1, 0 or 1, whose derivative is 0, and the logarithm of its size, (…): ā = z̄ a⁻ᵀ (Giles 2008,
/// 2.2.4). Edge: of a singular matrix 0 and −inf, with derivative NaN.
Slogdet slogdet(Operand a);
Slogdet slogdet(const Lu& a, Where where = Where::here());

}  // namespace gradtape

// Factorisations whose factors have columns at right angles. No instruction set has kernels of its own.
#include "family.hpp"
#include "matrices.hpp"

namespace gradtape::detail::GRADTAPE_ISA {
namespace {

/// Ones on the diagonals of matrices like x, else 0.
Node unit_like(Node x) { return gradtape::tril(gradtape::triu(full_like(x, 1.0))); }
Node off_diagonal(Node x) { return gradtape::tril(x, -1) + gradtape::triu(x, 1); }
/// NaN where a number is 0 whose vectors have a derivative, of that size; else 0.
Node undetermined(Node number, Node size) {
    const Node nothing = gradtape::where(gradtape::equal(number, 0.0), full_like(number, std::numeric_limits<double>::quiet_NaN()), 0.0);
    return chain(nothing, size);
}

/// Values as a row and as a column, in place of which others are where there are none.
struct Values {
    Node row, column;
    Values(const Defined& defined, Node w) : row(defined(as_row(w))), column(defined(as_column(w))) {}
    Node differences() const { return row - column; }
    Node differences_of_squares() const { return (row - column) * (row + column); }
    /// For equal values, the mean of what they have: as ties of max do. (The gradient of least norm where one of them is asked for.)
    Node shared(Node x) const {
        const Node equals = gradtape::equal(row, column), all = gradtape::where(equals, as_row(x), 0.0);
        return gradtape::sum(all, -1) / gradtape::sum(gradtape::cast(equals, x.dtype()), -1);
    }
};
/// x_ij / gaps_ij, and 0 on the diagonal; where two values are equal, NaN unless `size` is 0 there: nothing turns their vectors.
Node over_gaps(Node x, Node gaps, Node size) {
    const Node others = gaps + unit_like(x);
    return chain_over(others, off_diagonal(x)) + undetermined(others, size);
}
/// Forward: x is symmetric, and turns what it is not 0 between.
Node turning(Node x, Node gaps) { return over_gaps(x, gaps, off_diagonal(x)); }
/// Reverse, of what vᵀ v̄ has antisymmetric: x may be symmetric only by the choice of vectors that are not determined, so the size
/// is that of the cotangents of the two, which `sizes` has by vector.
Node turned_back(Node x, Node gaps, Node sizes) { return over_gaps(x - turned(x), gaps, as_row(sizes) + as_column(sizes)); }
Node sizes_of(Node bars, int axis) { return gradtape::sum(gradtape::abs(bars), axis); }

/// xᵀ y.
Node inner(Node x, Node y) { return gradtape::matmul(x, y, {.x = true}); }
/// x yᵀ.
Node outer(Node x, Node y) { return gradtape::matmul(x, y, {.y = true}); }

std::int64_t columns(Node x) { return x.shape().back(); }
std::int64_t rows(Node x) { return x.shape()[x.shape().rank() - 2]; }
Node columns_of(Node x, Range range) {
    std::vector<Range> ranges(x.shape().rank());
    ranges.back() = range;
    return gradtape::slice(x, ranges);
}

// a v = v diag(w), of the symmetric matrix that a's lower triangle is that of. With m = vᵀ ȧ v: ẇ = diag m, and v̇ = v (m / d), where
// d_ij = w_j − w_i, and 0 on the diagonal; ā = v (diag w̄ + (m − mᵀ) / 2d) vᵀ with m = vᵀ v̄ (Giles 2008, 3.1). So where two values
// are equal, only derivatives of the vectors are lost.
constexpr auto eigh_kernel = []<class T>(const KernelCall& call, T) {
    const Matrices a(call.inputs[0].type);
    const Part<T> values(call, 0, a.rows), vectors(call, 1, a.size());
    for (std::int64_t k = 0; k < a.count && a.rows > 0; ++k)
        symmetric_eigen(a.rows, call.input<T>(0).data() + k * a.size(), values[k], vectors[k]);
};

}  // namespace
GRADTAPE_PRIMITIVE(eigh, of(1).giving(2)
    .shaped([](const ShapeCall& call) {
        Type type = square_type(call);
        if (call.result == 0) type.shape.pop_back();
        return type;
    })
    .takes(floats).batch(batch_matrices).computed(on_floats<eigh_kernel>)
    .vjp([](const VjpCall& call) {
        const Defined defined(call.results[1]);
        const Values w(defined, call.results[0]);
        const Node v = defined(call.results[1]), w_bar = call.z_bars[0], v_bar = call.z_bars[1];
        Node left;  // v (…)
        if (w_bar.is_valid()) left = v * as_row(w.shared(w_bar));
        if (v_bar.is_valid())
            left = plus(left, gradtape::matmul(v, 0.5 * turned_back(inner(v, v_bar), w.differences(), sizes_of(v_bar, -2))));
        if (!left.is_valid()) return call.give(0, Node());
        const Node bar = defined.result(outer(left, v));
        call.give(0, half_lower(bar + turned(bar)));
    })
    .jvp([](const JvpCall& call) {
        const Defined defined(call.results[1]);
        const Values w(defined, call.results[0]);
        const Node v = defined(call.results[1]), moved = gradtape::matmul(of_lower(call.x_dot[0]), v);
        if (call.wants(0)) call.give(0, w.shared(gradtape::sum(defined.result(v * moved), -2)));
        if (call.wants(1)) call.give(1, defined.result(gradtape::matmul(v, turning(inner(v, moved), w.differences()))));
    })
    .may_throw().on({-0.5, 0.5, 0, 0, 4}))

// a = q r. Of more rows than columns, or as many (Walter, Lehmann 2010, "On evaluating higher-order derivatives of the QR
// decomposition of tall matrices with full column rank in forward and reverse mode of algorithmic differentiation"), with
// s = qᵀ ȧ r⁻¹ and t = triu(s) + tril(s, −1)ᵀ: ṙ = t r, q̇ = ȧ r⁻¹ − q t; with s = tril(r r̄ᵀ − q̄ᵀ q) and t = s + tril(s, −1)ᵀ:
// ā = (q̄ + q t) r⁻ᵀ. Of more columns than rows, a = (x y), r = (u v): x = q u is a case of the former, and v = qᵀ y.
namespace {

constexpr auto qr_kernel = []<class T>(const KernelCall& call, T) {
    const Matrices a(call.inputs[0].type);
    const std::int64_t least = std::min(a.rows, a.columns);
    const Part<T> q(call, 0, a.rows * least), r(call, 1, least * a.columns);
    for (std::int64_t k = 0; k < a.count && least > 0; ++k)
        qr_factor(a.rows, a.columns, call.input<T>(0).data() + k * a.size(), q[k], r[k]);
};

/// Of a = q r, the square part of r, and what is right of it, in place of others where q has no derivative.
struct Qr {
    bool wide;
    Node u;
    Defined defined;
    Node q, v;

    Qr(Node its_q, Node r)
        : wide(columns(r) > rows(r)), u(wide ? columns_of(r, {{}, rows(r)}) : r), defined(regular(u)), q(defined(its_q)),
          v(wide ? defined(columns_of(r, {rows(r), {}})) : Node()) {
        u = defined(u);
    }
    /// What belongs to u of a matrix like r, or a; what belongs to v.
    Node left(Node x) const { return wide ? columns_of(x, {{}, rows(u)}) : x; }
    Node right(Node x) const { return columns_of(x, {rows(u), {}}); }
};

}  // namespace
GRADTAPE_PRIMITIVE(qr, of(1).giving(2)
    .shaped([](const ShapeCall& call) {
        const Type type = matrices_type(call);
        const Matrices a(type.shape);
        return with_matrices(type, call.result == 0 ? a.rows : std::min(a.rows, a.columns), call.result == 0 ? std::min(a.rows, a.columns) : a.columns);
    })
    .takes(floats).batch(batch_matrices).computed(on_floats<qr_kernel>)
    .vjp([](const VjpCall& call) {
        const Qr its(call.results[0], call.results[1]);
        const Node q = its.q, u = its.u, v = its.v, q_bar = call.z_bars[0], r_bar = call.z_bars[1];
        Node both = q_bar, s, y_bar;  // q's cotangent with what v has of it
        if (r_bar.is_valid()) s = outer(u, its.left(r_bar));
        if (r_bar.is_valid() && its.wide) {
            const Node v_bar = its.right(r_bar);
            both = plus(both, gradtape::matmul(q, outer(v, v_bar)));
            y_bar = gradtape::matmul(q, v_bar);
        }
        if (!both.is_valid() && !s.is_valid()) return call.give(0, Node());
        if (both.is_valid()) s = plus(s, -inner(both, q));
        const Node turning = gradtape::matmul(q, of_lower(s)), left = plus(both, turning);
        const Node x_bar = turned(gradtape::triangular_solve(u, turned(left), upper));
        if (its.wide && !y_bar.is_valid()) y_bar = gradtape::matmul(q, full_like(v, 0.0));
        call.give(0, its.defined.result(its.wide ? gradtape::concatenate({x_bar, y_bar}, -1) : x_bar));
    })
    .jvp([](const JvpCall& call) {
        const Qr its(call.results[0], call.results[1]);
        const Node q = its.q, u = its.u, a_dot = call.x_dot[0];
        const Node x = turned(gradtape::triangular_solve(u, turned(its.left(a_dot)), upper_transposed)), s = inner(q, x);
        const Node t = gradtape::triu(s) + turned(gradtape::tril(s, -1)), q_dot = x - gradtape::matmul(q, t);
        if (call.wants(0)) call.give(0, its.defined.result(q_dot));
        if (!call.wants(1)) return;
        const Node u_dot = gradtape::matmul(t, u);
        if (!its.wide) return call.give(1, its.defined.result(u_dot));
        const Node v_dot = inner(q_dot, gradtape::matmul(q, its.v)) + inner(q, its.right(a_dot));
        call.give(1, its.defined.result(gradtape::concatenate({u_dot, v_dot}, -1)));
    })
    .may_throw().on({-0.5, 0.5, 0, 0, 4}))

// a = u diag(s) vt. With p = uᵀ ȧ v: ṡ = diag p, u̇ = u ((p S + S pᵀ) / d) + (1 − u uᵀ) ȧ v S⁻¹, v̇ = v ((S p + pᵀ S) / d) +
// (1 − v vᵀ) ȧᵀ u S⁻¹, where d_ij = s_j² − s_i², and 0 on the diagonal; transposed: ā = (u (diag s̄ + (m − mᵀ) / d S + S (w − wᵀ) / d) +
// (ū − u m) S⁻¹) vt + u S⁻¹ (v̄t − wᵀ vt), m = uᵀ ū, w = vt v̄ (Townsend 2016, "Differentiating the singular value decomposition").
namespace {

constexpr auto svd_kernel = []<class T>(const KernelCall& call, T) {
    const Matrices a(call.inputs[0].type);
    const std::int64_t least = std::min(a.rows, a.columns);
    const Part<T> u(call, 0, a.rows * least), s(call, 1, least), vt(call, 2, least * a.columns);
    for (std::int64_t k = 0; k < a.count && least > 0; ++k)
        singular_values(a.rows, a.columns, call.input<T>(0).data() + k * a.size(), u[k], s[k], vt[k]);
};

struct Svd {
    Defined defined;
    Node u, vt, zero;  ///< zero: where s is
    Values s;

    explicit Svd(std::span<const Node> results)
        : defined(results[0]), u(defined(results[0])), vt(defined(results[2])), zero(gradtape::equal(results[1], 0.0)), s(defined, results[1]) {}
    bool tall() const { return rows(u) > columns(u); }
    bool wide() const { return columns(vt) > rows(vt); }
    /// Of what s has: the mean for equals, and 0 at 0, as for |x|.
    Node shared(Node x) const { return gradtape::where(zero, 0.0, s.shared(x)); }
};

Node svd_vjp(const Svd& its, Node u_bar, Node s_bar, Node vt_bar) {
    const Node u = its.u, vt = its.vt, gaps = its.s.differences_of_squares();
    Node middle, left, right;  // u middle vt + left vt + u right
    if (s_bar.is_valid()) middle = as_row(its.shared(s_bar)) * unit_like(gaps);
    if (u_bar.is_valid()) {
        const Node m = inner(u, u_bar), sizes = sizes_of(u_bar, -2);
        middle = plus(middle, turned_back(m, gaps, sizes) * its.s.row);
        if (its.tall()) left = chain_over(its.s.row, u_bar - gradtape::matmul(u, m)) + undetermined(its.s.row, as_row(sizes));
    }
    if (vt_bar.is_valid()) {
        const Node w = outer(vt, vt_bar), sizes = sizes_of(vt_bar, -1);
        middle = plus(middle, its.s.column * turned_back(w, gaps, sizes));
        if (its.wide()) right = chain_over(its.s.column, vt_bar - inner(w, vt)) + undetermined(its.s.column, as_column(sizes));
    }
    if (!middle.is_valid()) return {};
    const Node all = gradtape::matmul(plus(gradtape::matmul(u, middle), left), vt);
    return its.defined.result(right.is_valid() ? all + gradtape::matmul(u, right) : all);
}

}  // namespace
GRADTAPE_PRIMITIVE(svd, of(1).giving(3)
    .shaped([](const ShapeCall& call) {
        Type type = matrices_type(call);
        const Matrices a(type.shape);
        const std::int64_t least = std::min(a.rows, a.columns);
        if (call.result != 1) return with_matrices(type, call.result == 0 ? a.rows : least, call.result == 0 ? least : a.columns);
        type.shape.pop_back();
        type.shape[type.shape.rank() - 1] = least;
        return type;
    })
    .takes(floats).batch(batch_matrices).computed(on_floats<svd_kernel>)
    .vjp([](const VjpCall& call) { call.give(0, svd_vjp(Svd(call.results), call.z_bars[0], call.z_bars[1], call.z_bars[2])); })
    .jvp([](const JvpCall& call) {
        const Svd its(call.results);
        const Node u = its.u, vt = its.vt, a_dot = call.x_dot[0], beside = inner(u, a_dot), p = outer(beside, vt);
        const Node gaps = its.s.differences_of_squares();
        if (call.wants(1)) call.give(1, its.shared(gradtape::sum(its.defined.result(p * unit_like(p)), -1)));
        if (call.wants(0)) {
            const Node of_p = p * its.s.row, turn = gradtape::matmul(u, turning(of_p + turned(of_p), gaps));
            const Node rest = its.tall() ? chain_over(its.s.row, outer(a_dot, vt) - gradtape::matmul(u, p)) : Node();
            call.give(0, its.defined.result(plus(turn, rest)));
        }
        if (!call.wants(2)) return;
        const Node of_p = its.s.column * p, turn = inner(turning(of_p + turned(of_p), gaps), vt);
        const Node rest = its.wide() ? chain_over(its.s.column, beside - gradtape::matmul(p, vt)) : Node();
        call.give(2, its.defined.result(plus(turn, rest)));
    })
    .may_throw().on({-0.5, 0.5, 0, 0, 4}))

}  // namespace gradtape::detail::GRADTAPE_ISA

// Triangles of matrices, the last two axes, systems of them, and factors that are triangles. No instruction set has kernels of its
// own.
#include "family.hpp"
#include "matrices.hpp"

namespace gradtape::detail::GRADTAPE_ISA {

// z = x on one side of a diagonal, and 0 on the other.
namespace {

constexpr auto triangle_kernel = []<class T>(const KernelCall& call, T) {
    const Matrices a(call.inputs[0].type);
    const bool lower = call.attributes.get<bool>("lower");
    const std::int64_t diagonal = call.attributes.get<std::int64_t>("diagonal");
    const T* const x = call.input<T>(0).data();
    T* const z = call.result<T>().data();
    for (std::int64_t row = 0; row < a.count * a.rows; ++row)
        for (std::int64_t j = 0; j < a.columns; ++j) {
            const std::int64_t off = j - row % a.rows, at = row * a.columns + j;
            z[at] = (lower ? off <= diagonal : off >= diagonal) ? x[at] : T(0);
        }
};

}  // namespace
GRADTAPE_PRIMITIVE(triangle, of(1)
    .with_settings({"lower", Kind::flag}, {"diagonal", Kind::integer})
    .shaped([](const ShapeCall& call) {
        call.attributes.get<bool>("lower"), call.attributes.get<std::int64_t>("diagonal");
        return matrices_type(call);
    })
    .takes(floats).batch(batch_matrices).computed(on_floats<triangle_kernel>)
    .vjp([](const Operands& x, Node, Node z_bar) {
        const std::int64_t diagonal = x.attributes.get<std::int64_t>("diagonal");
        return x.attributes.get<bool>("lower") ? gradtape::tril(z_bar, diagonal) : gradtape::triu(z_bar, diagonal);
    })
    .linear().on(any_real))

// L Lᵀ = a. With a symmetric ȧ, L̇ = L Φ(L⁻¹ ȧ L⁻ᵀ) (Murray 2016, "Differentiation of the Cholesky decomposition"); the
// symmetric ȧ is made of the lower triangle of the operand's, which alone is read, and ā is that triangle's.
namespace {

constexpr auto cholesky_kernel = []<class T>(const KernelCall& call, T) {
    const Matrices a(call.inputs[0].type);
    for (std::int64_t k = 0; k < a.count && a.rows > 0; ++k) {
        const T* const x = call.input<T>(0).data() + k * a.size();
        T* const z = call.result<T>().data() + k * a.size();
        for (std::int64_t i = 0; i < a.rows; ++i) {
            std::copy_n(x + i * a.rows, i + 1, z + i * a.rows);
            std::fill_n(z + i * a.rows + i + 1, a.rows - i - 1, T(0));
        }
        if (cholesky_factor(a.rows, z)) continue;
        for (std::int64_t i = 0; i < a.rows; ++i) undefined(z + i * a.rows, i + 1);
    }
};

/// l⁻¹ x l⁻ᵀ, or transposed l⁻ᵀ x l⁻¹.
Node between(Node l, Node x, bool transpose) {
    const Triangle t{.transpose = transpose};
    return gradtape::triangular_solve(l, turned(gradtape::triangular_solve(l, turned(x), t)), t);
}

}  // namespace
GRADTAPE_PRIMITIVE(cholesky, of(1)
    .shaped(square_type).takes(floats).batch(batch_matrices).computed(on_floats<cholesky_kernel>)
    .vjp([](const Operands&, Node z, Node l_bar) {
        const Defined defined(z);
        const Node l = defined(z), p = half_lower(gradtape::matmul(l, gradtape::tril(l_bar), {.x = true}));
        return half_lower(defined.result(between(l, p + turned(p), true)));
    })
    .jvp([](const Operands&, Node z, Node a_dot) {
        const Defined defined(z);
        const Node l = defined(z), symmetric = of_lower(a_dot);
        return gradtape::tril(defined.result(gradtape::matmul(l, half_lower(between(l, symmetric, false)))));
    })
    .may_throw().on({-0.5, 0.5, 0, 0, 4}))

// op(a) x = b for a triangle of a. ẋ = op(a)⁻¹ (ḃ − op(ȧ) x), b̄ = op(a)⁻ᵀ x̄, and op(a)‾ = −b̄ xᵀ (Giles 2008, 2.3.1).
namespace {

Triangle triangle_of(const Attributes& attributes) {
    return {attributes.get<bool>("lower"), attributes.get<bool>("transpose"), attributes.get<bool>("unit_diagonal")};
}

constexpr auto triangular_solve_kernel = []<class T>(const KernelCall& call, T) {
    const Matrices a(call.inputs[0].type), b(call.inputs[1].type);
    const Triangle t = triangle_of(call.attributes);
    T* const z = call.result<T>().data();
    if (b.size() == 0) return;
    std::copy_n(call.input<T>(1).data(), b.count * b.size(), z);
    for (std::int64_t k = 0; k < a.count; ++k)
        if (!triangular_solve(b.rows, b.columns, call.input<T>(0).data() + k * a.size(), {t.lower, t.transpose, t.unit_diagonal},
                              z + k * b.size()))
            undefined(z + k * b.size(), b.size());
};

/// What is read of x.
Node part_read(Node x, Triangle t) {
    const std::int64_t off = t.unit_diagonal ? 1 : 0;
    return t.lower ? gradtape::tril(x, -off) : gradtape::triu(x, off);
}

}  // namespace
GRADTAPE_PRIMITIVE(triangular_solve, of(2)
    .with_settings({"lower", Kind::flag}, {"transpose", Kind::flag}, {"unit_diagonal", Kind::flag})
    .shaped([](const ShapeCall& call) {
        triangle_of(call.attributes);
        return solution_type(call);
    })
    .takes(floats).batch(batch_systems).computed(on_floats<triangular_solve_kernel>)
    .vjp([](const VjpCall& call) {
        const Triangle t = triangle_of(call.x.attributes);
        const Defined defined(call.z);
        const Node z = defined(call.z);
        const Node b_bar = gradtape::triangular_solve(defined(call.x[0]), call.z_bar, {t.lower, !t.transpose, t.unit_diagonal});
        if (call.wants(1)) call.give(1, defined.result(b_bar));
        if (!call.wants(0)) return;
        const Node product = t.transpose ? gradtape::matmul(z, b_bar, {.y = true}) : gradtape::matmul(b_bar, z, {.y = true});
        call.give(0, -part_read(defined.result(product), t));
    })
    .jvp([](const JvpCall& call) {
        const Triangle t = triangle_of(call.x.attributes);
        const Defined defined(call.z);
        Node right = call.x_dot[1];
        if (call.x_dot[0].is_valid())
            right = plus(right, -gradtape::matmul(part_read(call.x_dot[0], t), defined(call.z), {.x = t.transpose}));
        call.give(0, defined.result(gradtape::triangular_solve(defined(call.x[0]), right, t)));
    })
    .may_throw().on({-0.5, 0.5, 0, 0, 4}, any_real))

// p a = l u: l below the diagonal of the first result, which has ones there, u on and above it, and p as the rows of a.
// With m = l⁻¹ p ȧ u⁻¹: l̇ = l m below the diagonal, u̇ = m u above. Transposed: ā = pᵀ l⁻ᵀ (lᵀ l̄ below + ū uᵀ above) u⁻ᵀ
// (de Hoog, Anderssen, Lukas 2011, "Differentiation of matrix functionals using triangular factorization").
namespace {

constexpr auto lu_kernel = []<class T>(const KernelCall& call, T) {
    const Matrices a(call.inputs[0].type);
    const Part<T> factors(call, 0, a.size());
    const Part<std::int64_t> permutation(call, 1, a.rows);
    for (std::int64_t k = 0; k < a.count && a.rows > 0; ++k) {
        std::copy_n(call.input<T>(0).data() + k * a.size(), a.size(), factors[k]);
        lu_factor(a.rows, factors[k], permutation[k]);
    }
};

/// The rows of x as `permutation` has them, or back again.
Node permuted(Node permutation, Node x, bool back) {
    Shape column = permutation.shape();
    column.push_back(1);
    const Node rows = gradtape::broadcast_to(gradtape::reshape(permutation, column), x.shape());
    const Attributes along = {{"axis", std::int64_t(x.shape().rank()) - 2}, {"along", true}};
    return back ? apply(primitive(Op::scatter_add), {full_like(x, 0.0), rows, x}, along) : apply(primitive(Op::gather), {x, rows}, along);
}
constexpr Triangle unit{.unit_diagonal = true}, unit_transposed{.transpose = true, .unit_diagonal = true};


}  // namespace
GRADTAPE_PRIMITIVE(lu, of(1).giving(2)
    .shaped([](const ShapeCall& call) {
        const Type a = square_type(call);
        return call.result == 0 ? a : permutation_type(a);
    })
    .takes(floats).batch(batch_matrices).computed(on_floats<lu_kernel>)
    .vjp([](const VjpCall& call) {
        if (!call.z_bar.is_valid()) return call.give(0, Node());
        const Defined defined(regular(call.z));
        const Node lu = defined(call.z), l_bar = gradtape::tril(call.z_bar, -1), u_bar = gradtape::triu(call.z_bar);
        const Node below = gradtape::tril(l_bar + gradtape::matmul(gradtape::tril(lu, -1), l_bar, {.x = true}), -1);
        const Node above = gradtape::triu(gradtape::matmul(u_bar, gradtape::triu(lu), {.y = true}));
        const Node left = gradtape::triangular_solve(lu, below + above, unit_transposed);
        const Node both = turned(gradtape::triangular_solve(lu, turned(left), upper));
        call.give(0, permuted(call.results[1], defined.result(both), true));
    })
    .jvp([](const JvpCall& call) {
        call.give(1, Node());
        if (!call.wants(0)) return;
        const Defined defined(regular(call.z));
        const Node lu = defined(call.z);
        const Node left = gradtape::triangular_solve(lu, permuted(call.results[1], call.x_dot[0], false), unit);
        const Node m = turned(gradtape::triangular_solve(lu, turned(left), upper_transposed)), below = gradtape::tril(m, -1);
        call.give(0, defined.result(below + gradtape::tril(gradtape::matmul(gradtape::tril(lu, -1), below), -1) +
                                    gradtape::matmul(gradtape::triu(m), gradtape::triu(lu))));
    })
    .may_throw().on({-0.5, 0.5, 0, 0, 4}))

}  // namespace gradtape::detail::GRADTAPE_ISA

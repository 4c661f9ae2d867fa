// What is computed from a with its factors as further operands: given, so that value, gradient and Hessian share them. They
// are no variables: the derivative is that of a.
#include "family.hpp"
#include "matrices.hpp"

#include <cmath>

namespace gradtape::detail::GRADTAPE_ISA {
namespace {

/// That operands `from` and `from` + 1 are what lu makes of operand 0, as far as types say.
Type factored_type(const ShapeCall& call, std::size_t from) {
    const Type a = square_type(call);
    if (call[from] != a || call[from + 1] != permutation_type(a))
        call.refuse("the factors of " + to_string(a) + " are " + to_string(call[from]) + " and " + to_string(call[from + 1]) +
                    "; need what lu gives");
    return a;
}
Type number_type(const ShapeCall& call) {
    Type type = factored_type(call, 1);
    type.shape.pop_back();
    type.shape.pop_back();
    return type;
}

template <class T>
struct Factors {
    std::int64_t n;
    const T* lu;
    const std::int64_t* permutation;

    Factors(const KernelCall& call, std::size_t from, std::int64_t k) : n(Matrices(call.inputs[0].type).rows) {
        lu = call.input<T>(from).data() + k * n * n;
        permutation = call.input<std::int64_t>(from + 1).data() + k * n;
    }
    T diagonal(std::int64_t i) const { return lu[i * n + i]; }
    /// Whether the permutation is one, and which sign it has, which is 0 where it is not.
    int parity() const {
        std::int64_t* const to = scratch<std::int64_t>(std::size_t(n), 1);
        std::copy_n(permutation, n, to);
        int sign = 1;
        for (std::int64_t i = 0; i < n; ++i)
            while (to[i] != i) {
                if (to[i] < 0 || to[i] >= n || to[to[i]] == to[i]) return 0;
                std::swap(to[i], to[to[i]]);
                sign = -sign;
            }
        return sign;
    }
    /// z (n, columns) becomes op(a)⁻¹ z.
    void solve(bool transpose, std::int64_t columns, T* z) const {
        if (parity() == 0) return undefined(z, n * columns);
        T* const rows = scratch<T>(std::size_t(n * columns), 1);
        std::copy_n(z, n * columns, rows);
        bool solved = true;
        if (transpose) {
            solved = triangular_solve(n, columns, lu, {.lower = false, .transpose = true}, rows);
            triangular_solve(n, columns, lu, {.transpose = true, .unit_diagonal = true}, rows);
            for (std::int64_t i = 0; i < n; ++i) std::copy_n(rows + i * columns, columns, z + permutation[i] * columns);
        } else {
            for (std::int64_t i = 0; i < n; ++i) std::copy_n(rows + permutation[i] * columns, columns, z + i * columns);
            triangular_solve(n, columns, lu, {.unit_diagonal = true}, z);
            solved = triangular_solve(n, columns, lu, {.lower = false}, z);
        }
        if (!solved) undefined(z, n * columns);
    }
    void inverse(T* z) const {
        std::fill_n(z, n * n, T(0));
        for (std::int64_t i = 0; i < n; ++i) z[i * n + i] = 1;
        solve(false, n, z);
    }
    T determinant() const {
        const int sign = parity();
        T product = T(sign);
        for (std::int64_t i = 0; i < n; ++i) product *= diagonal(i);
        return sign == 0 ? std::numeric_limits<T>::quiet_NaN() : product;
    }
    bool far_from_singular() const {
        T least = std::abs(diagonal(0)), most = least;
        for (std::int64_t i = 1; i < n; ++i) {
            least = std::min(least, std::abs(diagonal(i)));
            most = std::max(most, std::abs(diagonal(i)));
        }
        return n > 1 && least > most * std::sqrt(std::numeric_limits<T>::epsilon()) && std::isnormal(determinant());
    }
};

constexpr auto solve_kernel = []<class T>(const KernelCall& call, T) {
    const Matrices b(call.inputs[1].type);
    if (b.size() == 0) return;
    std::copy_n(call.input<T>(1).data(), b.count * b.size(), call.result<T>().data());
    for (std::int64_t k = 0; k < b.count; ++k)
        Factors<T>(call, 2, k).solve(call.attributes.get<bool>("transpose"), b.columns, call.result<T>().data() + k * b.size());
};
/// By the factors that x has.
Node solved(const Operands& x, const Defined& defined, Node b, bool transpose) {
    return apply(primitive(Op::solve), {defined(x[0]), b, defined(x[2]), x[3]}, {{"transpose", transpose}});
}

}  // namespace
// op(a) z = b. ż = op(a)⁻¹ (ḃ − op(ȧ) z); b̄ = op(a)⁻ᵀ z̄, op(a)‾ = −b̄ zᵀ (Giles 2008, 2.3.1).
GRADTAPE_PRIMITIVE(solve, of(4)
    .with_settings({"transpose", Kind::flag})
    .shaped([](const ShapeCall& call) {
        call.attributes.get<bool>("transpose");
        factored_type(call, 2);
        return solution_type(call);
    })
    .takes(floats).batch(batch_systems).computed(on_floats<solve_kernel>)
    .vjp([](const VjpCall& call) {
        const bool transpose = call.x.attributes.get<bool>("transpose");
        const Defined defined(call.z, call.x[2]);
        const Node z = defined(call.z), b_bar = solved(call.x, defined, call.z_bar, !transpose);
        if (call.wants(0))
            call.give(0, defined.result(-(transpose ? gradtape::matmul(z, b_bar, {.y = true}) : gradtape::matmul(b_bar, z, {.y = true}))));
        if (call.wants(1)) call.give(1, defined.result(b_bar));
        call.give(2, Node());
    })
    .jvp([](const JvpCall& call) {
        const bool transpose = call.x.attributes.get<bool>("transpose");
        const Defined defined(call.z, call.x[2]);
        Node right = call.x_dot[1];
        if (call.x_dot[0].is_valid()) right = plus(right, -gradtape::matmul(call.x_dot[0], defined(call.z), {.x = transpose}));
        call.give(0, right.is_valid() ? defined.result(solved(call.x, defined, right, transpose)) : Node());
    })
    .indexed_by(3).may_throw().on({-0.5, 0.5, 0, 0, 4}, any_real, {-0.5, 0.5, 0, 0, 4}))

// z = a⁻¹. ż = −z ȧ z, ā = −zᵀ z̄ zᵀ (Giles 2008, 2.2.3).
namespace {

constexpr auto inv_kernel = []<class T>(const KernelCall& call, T) {
    const Matrices a(call.inputs[0].type);
    for (std::int64_t k = 0; k < a.count && a.rows > 0; ++k) Factors<T>(call, 1, k).inverse(call.result<T>().data() + k * a.size());
};

}  // namespace
GRADTAPE_PRIMITIVE(inv, of(3)
    .shaped([](const ShapeCall& call) { return factored_type(call, 1); })
    .takes(floats).batch(batch_matrices).computed(on_floats<inv_kernel>)
    .vjp([](const VjpCall& call) {
        const Defined defined(call.z);
        const Node z = defined(call.z);
        if (call.wants(0))
            call.give(0, defined.result(-gradtape::matmul(gradtape::matmul(z, call.z_bar, {.x = true}), z, {.y = true})));
        call.give(1, Node());
    })
    .jvp([](const JvpCall& call) {
        if (!call.x_dot[0].is_valid()) return call.give(0, Node());
        const Defined defined(call.z);
        const Node z = defined(call.z);
        call.give(0, defined.result(-gradtape::matmul(gradtape::matmul(z, call.x_dot[0]), z)));
    })
    .indexed_by(2).may_throw().on({-0.5, 0.5, 0, 0, 4}))

// The adjugate, a⁻¹ det a by the factors where a is far from singular, else by factors of a with rows and columns exchanged so
// that a zero comes last. adj˙ = (tr(adj ȧ) adj − adj ȧ adj) / det a, of a regular matrix: of a singular one this is NaN.
namespace {

constexpr auto adjugate_kernel = []<class T>(const KernelCall& call, T) {
    const Matrices a(call.inputs[0].type);
    for (std::int64_t k = 0; k < a.count && a.rows > 0; ++k) {
        const Factors<T> its(call, 1, k);
        T* const z = call.result<T>().data() + k * a.size();
        if (!its.far_from_singular()) {
            adjugate(a.rows, call.input<T>(0).data() + k * a.size(), z);
            continue;
        }
        its.inverse(z);
        const T det = its.determinant();
        for (std::int64_t i = 0; i < a.size(); ++i) z[i] *= det;
    }
};

Node det_of(const Operands& x) { return apply(primitive(Op::det), {x[0], x[1], x[2]}); }
/// A number for each matrix, and that as matrices of one element.
Node total(Node x) { return gradtape::sum(x, {-2, -1}, true); }
Node as_matrices(Node numbers) {
    Shape shape = numbers.shape();
    shape.push_back(1), shape.push_back(1);
    return gradtape::reshape(numbers, shape);
}
/// bar / det a, and 0 where all of the `from` that it is made of is 0.
Node over_det(const Operands& x, Node from, Node bar) {
    return gradtape::where(gradtape::equal(total(gradtape::abs(from)), 0.0), 0.0, bar / as_matrices(det_of(x)));
}

}  // namespace
GRADTAPE_PRIMITIVE(adjugate, of(3)
    .shaped([](const ShapeCall& call) { return factored_type(call, 1); })
    .takes(floats).batch(batch_matrices).computed(on_floats<adjugate_kernel>)
    .vjp([](const VjpCall& call) {
        const Node z = Defined(call.z)(call.z), around = gradtape::matmul(gradtape::matmul(z, call.z_bar, {.x = true}), z, {.y = true});
        if (call.wants(0)) call.give(0, over_det(call.x, call.z_bar, total(z * call.z_bar) * turned(z) - around));
        call.give(1, Node());
    })
    .jvp([](const JvpCall& call) {
        const Node a_dot = call.x_dot[0];
        if (!a_dot.is_valid()) return call.give(0, Node());
        const Node z = Defined(call.z)(call.z), trace = total(turned(z) * a_dot);
        call.give(0, over_det(call.x, a_dot, trace * z - gradtape::matmul(gradtape::matmul(z, a_dot), z)));
    })
    .indexed_by(2).may_throw().on({-0.5, 0.5, 0, 0, 4}))

// z = det a. ā = z̄ adj(a)ᵀ (Jacobi), of a singular matrix too.
namespace {

/// f(its number, its factors) for each matrix.
template <class T, class F>
void each_matrix(const KernelCall& call, F f) {
    const std::int64_t count = Matrices(call.inputs[0].type).count;
    for (std::int64_t k = 0; k < count; ++k) f(std::size_t(k), Factors<T>(call, 1, k));
}

constexpr auto det_kernel = []<class T>(const KernelCall& call, T) {
    each_matrix<T>(call, [&](std::size_t k, const Factors<T>& its) { call.result<T>()[k] = its.determinant(); });
};
Node adjugate_of(const Operands& x) { return apply(primitive(Op::adjugate), {x[0], x[1], x[2]}); }

}  // namespace
GRADTAPE_PRIMITIVE(det, of(3)
    .shaped(number_type).takes(floats).batch(batch_matrices).computed(on_floats<det_kernel>)
    .vjp([](const VjpCall& call) {
        if (call.wants(0)) call.give(0, chain(turned(adjugate_of(call.x)), as_matrices(call.z_bar)));
        call.give(1, Node());
    })
    .jvp([](const JvpCall& call) {
        const Node a_dot = call.x_dot[0];
        call.give(0, a_dot.is_valid() ? gradtape::sum(chain(turned(adjugate_of(call.x)), a_dot), {-2, -1}) : Node());
    })
    .indexed_by(2).may_throw().on({-0.5, 0.5, 0, 0, 4}))

// The sign of det a, and log |det a|, of which ā = z̄ a⁻ᵀ (Giles 2008, 2.2.4).
namespace {

constexpr auto slogdet_kernel = []<class T>(const KernelCall& call, T) {
    const auto signs = call.result<T>(0), logs = call.result<T>(1);
    each_matrix<T>(call, [&](std::size_t k, const Factors<T>& its) {
        const int parity = its.parity();
        T sign = T(parity), log = 0;
        for (std::int64_t i = 0; i < its.n; ++i) {
            const T x = its.diagonal(i);
            sign *= x > 0 ? T(1) : x < 0 ? T(-1) : x;
            log += std::log(std::abs(x));
        }
        if (sign == 0 && parity != 0) log = -std::numeric_limits<T>::infinity();
        if (parity == 0 || sign != sign || log != log) sign = log = std::numeric_limits<T>::quiet_NaN();
        if (!signs.empty()) signs[k] = sign;
        if (!logs.empty()) logs[k] = log;
    });
};
Node inverse_of(const Operands& x) { return apply(primitive(Op::inv), {x[0], x[1], x[2]}); }

}  // namespace
GRADTAPE_PRIMITIVE(slogdet, of(3).giving(2)
    .shaped(number_type).takes(floats).batch(batch_matrices).computed(on_floats<slogdet_kernel>)
    .vjp([](const VjpCall& call) {
        const Node bar = call.z_bars[1];
        call.give(0, call.wants(0) && bar.is_valid() ? chain(turned(inverse_of(call.x)), as_matrices(bar)) : Node());
        call.give(1, Node());
    })
    .jvp([](const JvpCall& call) {
        const Node a_dot = call.x_dot[0];
        call.give(0, Node());
        if (!call.wants(1)) return;
        call.give(1, a_dot.is_valid() ? gradtape::sum(chain(turned(inverse_of(call.x)), a_dot), {-2, -1}) : Node());
    })
    .indexed_by(2).may_throw().on({-0.5, 0.5, 0, 0, 4}))

}  // namespace gradtape::detail::GRADTAPE_ISA

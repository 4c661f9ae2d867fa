// Factorisations of matrices, the last two axes, and what is computed from them. No instruction set has kernels of its own.
#include "family.hpp"

#include "../kernels/lapack.hpp"

#include <gradtape/linalg.hpp>

namespace gradtape::detail::GRADTAPE_ISA {
namespace {

/// f(call, T()) with the operands' T.
template <auto f>
constexpr Kernel on_floats = [](const KernelCall& call) {
    call.inputs[0].type->dtype == DType::float32 ? f(call, float()) : f(call, double());
};

/// Matrices one behind the other.
struct Matrices {
    std::int64_t count = 1, rows, columns;
    explicit Matrices(const Shape& shape) : rows(shape[shape.rank() - 2]), columns(shape.back()) {
        for (std::size_t i = 0; i + 2 < shape.rank(); ++i) count *= shape[i];
    }
    explicit Matrices(const Type* type) : Matrices(type->shape) {}
    std::int64_t size() const { return rows * columns; }
};

template <class T>
void undefined(T* first, std::int64_t count) {
    std::fill_n(first, count, std::numeric_limits<T>::quiet_NaN());
}

Type matrices_type(const ShapeCall& call) {
    if (!is_floating(call[0].dtype))
        call.refuse_dtype(std::string("takes float32 or float64, not ") + to_string(call[0].dtype) + "; cast first");
    if (call[0].shape.rank() < 2) call.refuse("shape " + to_string(call[0].shape) + " has no matrix; need two axes or more");
    return call[0];
}
Type square_type(const ShapeCall& call) {
    const Type type = matrices_type(call);
    const Matrices a(type.shape);
    if (a.rows != a.columns) call.refuse("the last two extents of " + to_string(type.shape) + " differ; need square matrices");
    return type;
}
/// The type of x with a x = b.
Type solution_type(const ShapeCall& call) {
    const Type a = square_type(call), b = call[1];
    if (b.dtype != a.dtype)
        call.refuse_dtype(std::string("takes two operands of one dtype, not ") + to_string(a.dtype) + " and " + to_string(b.dtype));
    bool fits = b.shape.rank() == a.shape.rank();
    for (std::size_t i = 0; fits && i + 1 < a.shape.rank(); ++i) fits = a.shape[i] == b.shape[i];
    if (!fits)
        call.refuse("a " + to_string(a.shape) + " and b " + to_string(b.shape) +
                    " do not fit; need a (..., n, n) and b (..., n, k) with the same leading extents");
    return b;
}

Node turned(Node x) {
    Shape axes;
    for (std::size_t i = 0; i < x.shape().rank(); ++i) axes.push_back(std::int64_t(i));
    std::swap(axes[axes.rank() - 2], axes[axes.rank() - 1]);
    return gradtape::transpose(x, axes);
}
Node plus(Node x, Node y) { return !x.is_valid() ? y : !y.is_valid() ? x : x + y; }
/// Rules are made of products and solutions, in which one NaN spreads even to where the cotangent is 0, and in which 0 times NaN
/// is NaN again. So a matrix of which there is no such z takes part in a rule as some other one that is harmless, and what the
/// rule makes of it is NaN, but 0 if all of it is 0: in a batch, `where` can leave it out, in derivatives of any order.
struct Defined {
    Node nothing;  ///< for each matrix of z 0, or NaN

    explicit Defined(Node z) : nothing(gradtape::sum(gradtape::stop_gradient(z) * 0.0, {-2, -1}, true)) {}
    Node operator()(Node x, double otherwise = 1) const { return gradtape::where(gradtape::equal(nothing, 0.0), x, otherwise); }
    Node result(Node bar) const { return bar + chain(nothing, gradtape::sum(gradtape::abs(bar), {-2, -1}, true)); }
};
/// The lower triangle with half the diagonal.
Node half_lower(Node x) { return 0.5 * (gradtape::tril(x) + gradtape::tril(x, -1)); }

}  // namespace

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
    .takes(floats).computed(on_floats<triangle_kernel>)
    .vjp([](const Operands& x, Node, Node z_bar) {
        const std::int64_t diagonal = x.attributes.get<std::int64_t>("diagonal");
        return x.attributes.get<bool>("lower") ? gradtape::tril(z_bar, diagonal) : gradtape::triu(z_bar, diagonal);
    })
    .linear().on(any_real))

// L Lᵀ = a. With a symmetric ȧ, L̇ = L Φ(L⁻¹ ȧ L⁻ᵀ) (Murray 2016, "Differentiation of the Cholesky decomposition", eq. 8); the
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
    .shaped(square_type).takes(floats).computed(on_floats<cholesky_kernel>)
    .vjp([](const Operands&, Node z, Node l_bar) {
        const Defined defined(z);
        const Node l = defined(z), p = half_lower(gradtape::matmul(l, gradtape::tril(l_bar), {.x = true}));
        return half_lower(defined.result(between(l, p + turned(p), true)));
    })
    .jvp([](const Operands&, Node z, Node a_dot) {
        const Defined defined(z);
        const Node l = defined(z), symmetric = gradtape::tril(a_dot) + turned(gradtape::tril(a_dot, -1));
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
    .takes(floats).computed(on_floats<triangular_solve_kernel>)
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

}  // namespace gradtape::detail::GRADTAPE_ISA

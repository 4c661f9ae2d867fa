// What the primitives of matrices share: kernels called for a batch, types, and rules that stay apart from matrices in which
// nothing is defined.
#pragma once

#include "batching.hpp"
#include "record.hpp"

#include "../kernels/lapack.hpp"

#include <gradtape/linalg.hpp>

namespace gradtape::detail {
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

inline Type matrices_type(const ShapeCall& call) {
    if (!is_floating(call[0].dtype))
        call.refuse_dtype(std::string("takes float32 or float64, not ") + to_string(call[0].dtype) + "; cast first");
    if (call[0].shape.rank() < 2) call.refuse("shape " + to_string(call[0].shape) + " has no matrix; need two axes or more");
    return call[0];
}
/// A batch's type with matrices of other extents.
inline Type with_matrices(Type type, std::int64_t rows, std::int64_t columns) {
    type.shape[type.shape.rank() - 2] = rows;
    type.shape[type.shape.rank() - 1] = columns;
    return type;
}
inline Type square_type(const ShapeCall& call) {
    const Type type = matrices_type(call);
    const Matrices a(type.shape);
    if (a.rows != a.columns) call.refuse("the last two extents of " + to_string(type.shape) + " differ; need square matrices");
    return type;
}
/// The type of x with a x = b.
inline Type solution_type(const ShapeCall& call) {
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

inline Node turned(Node x) {
    Shape axes;
    for (std::size_t i = 0; i < x.shape().rank(); ++i) axes.push_back(std::int64_t(i));
    std::swap(axes[axes.rank() - 2], axes[axes.rank() - 1]);
    return gradtape::transpose(x, axes);
}
inline Node plus(Node x, Node y) { return !x.is_valid() ? y : !y.is_valid() ? x : x + y; }
/// The lower triangle with half the diagonal: ½ (x + xᵀ)'s share of it, for a symmetric x.
inline Node half_lower(Node x) { return 0.5 * (gradtape::tril(x) + gradtape::tril(x, -1)); }
/// The symmetric matrix that has this lower triangle.
inline Node of_lower(Node x) { return gradtape::tril(x) + turned(gradtape::tril(x, -1)); }
/// A row of matrices (…, 1, n), a column (…, n, 1), of vectors (…, n).
inline Node as_row(Node x) {
    Shape shape = x.shape();
    shape.push_back(shape.back());
    shape[shape.rank() - 2] = 1;
    return gradtape::reshape(x, shape);
}
inline Node as_column(Node x) {
    Shape shape = x.shape();
    shape.push_back(1);
    return gradtape::reshape(x, shape);
}
constexpr Triangle upper{.lower = false}, upper_transposed{.lower = false, .transpose = true};
/// NaN where x is, or where its upper triangle has no inverse.
inline Node regular(Node x) { return gradtape::triangular_solve(x, gradtape::sum(x, -1, true) * 0.0 + 1.0, upper); }

/// One leading axis more.
constexpr auto batch_matrices = [](const BatchCall& call) { call.apply(all_with_axis(call), call.x.attributes); };

/// Of systems (operand 1 is b) of which b alone is batched: one system, for all columns of the batch.
constexpr auto batch_systems = [](const BatchCall& call) {
    bool alone = true;
    for (std::size_t k = 0; k < call.batched.size(); ++k) alone = alone && (k == 1) == bool(call.batched[k]);
    if (!alone) return batch_matrices(call);
    const Node b = call.x[1];  // (batch, …, n, k)
    const std::size_t last = b.shape().rank() - 1;
    Shape behind_rows, in_front = {std::int64_t(last) - 1}, columns;
    for (std::size_t i = 1; i < last; ++i) behind_rows.push_back(std::int64_t(i)), in_front.push_back(std::int64_t(i) - 1), columns.push_back(b.shape()[i]);
    behind_rows.push_back(0), behind_rows.push_back(std::int64_t(last)), in_front.push_back(std::int64_t(last));
    columns.push_back(b.shape()[0] * b.shape()[last]);
    const Node moved = gradtape::transpose(b, behind_rows);
    std::vector<Node> operands(call.x.nodes.begin(), call.x.nodes.end());
    operands[1] = gradtape::reshape(moved, columns);
    const Node z = gradtape::reshape(gradtape::apply(call.primitive, operands, call.x.attributes), moved.shape());
    call.give(0, gradtape::transpose(z, in_front));
};

/// Where a kernel writes its k-th matrix's part of a result: where nobody wants that, to memory of its own.
template <class T>
class Part {
public:
    Part(const KernelCall& call, std::size_t result, std::int64_t size)
        : first_(call.result<T>(result).data()), step_(size) {
        if (!first_) first_ = scratch<T>(std::size_t(size), result + 1), step_ = 0;
    }
    T* operator[](std::int64_t k) const { return first_ + k * step_; }

private:
    T* first_;
    std::int64_t step_;
};

/// Rules are made of products and solutions, in which one NaN spreads even to where the cotangent is 0, and in which 0 times NaN
/// is NaN again. So a matrix of which there is no such z takes part in a rule as some other one that is harmless, and what the
/// rule makes of it is NaN, but 0 if all of it is 0: in a batch, `where` can leave it out, in derivatives of any order.
struct Defined {
    Node nothing;  ///< for each matrix of z 0, or NaN

    static Node none_of(Node z) { return gradtape::sum(gradtape::stop_gradient(z) * 0.0, {-2, -1}, true); }
    explicit Defined(Node z) : nothing(none_of(z)) {}
    Defined(Node z, Node factors) : nothing(none_of(z) + none_of(factors)) {}
    Node operator()(Node x, double otherwise = 1) const { return gradtape::where(gradtape::equal(nothing, 0.0), x, otherwise); }
    Node result(Node bar) const { return bar + chain(nothing, gradtape::sum(gradtape::abs(bar), {-2, -1}, true)); }
};
inline Type permutation_type(const Type& a) {
    Shape shape = a.shape;
    shape.pop_back();
    return {DType::int64, shape};
}

}  // namespace
}  // namespace gradtape::detail

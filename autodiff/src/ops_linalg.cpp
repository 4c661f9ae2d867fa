// Linear algebra: operands brought into the primitives' form.
#include "tape/broadcast.hpp"
#include "tape/recorder.hpp"

#include <gradtape/linalg.hpp>
#include <gradtape/primitive.hpp>

#include <array>
#include <limits>

namespace gradtape {

using detail::bind;
using detail::node_of;
using detail::Op;
using detail::Recorder;

namespace {

/// One of the operands' nodes, beside which a tensor is recorded as a constant.
Node beside(const Operand& a, const Operand& b, const char* name) { return node_of(a.is_node() ? a : b, name); }

Node recorded(const Operand& x, Node beside, const char* name) {
    return x.is_tensor() ? sibling_constant(beside, x.tensor(), x.where()) : node_of(x, name);
}

Shape leading(const Shape& shape) { return Shape(std::span(shape.begin(), shape.rank() - 2)); }

/// a (…, m, n) and b (…, m, k), of which leading extents broadcast to each other.
struct System {
    Node a, b;
    Shape batch;  ///< what they broadcast to
    bool vector;  ///< b was one
    Where where;

    /// With the leading extents of both.
    Node whole(Node x) const {
        Shape shape = batch;
        for (std::size_t i = x.shape().rank() - 2; i < x.shape().rank(); ++i) shape.push_back(x.shape()[i], where);
        return broadcast_to({x, where}, shape);
    }
    Node finish(Node x) const {
        if (!vector) return x;
        Shape shape = x.shape();
        shape.pop_back();
        return reshape({x, where}, shape);
    }
};

System system_of(const char* name, const Operand& a, const Operand& b, bool square = true) {
    const Where where = a.where();
    const Node near = beside(a, b, name);
    System s{recorded(a, near, name), recorded(b, near, name), {}, false, where};
    if (Recorder::owner(s.a) != Recorder::owner(s.b))
        throw TapeError("operands are on different tapes; record them on one", {name, {}, {}, where});
    const Shape x = s.a.shape(), y = s.b.shape();
    s.vector = y.rank() == 1;
    if (x.rank() < 2 || y.rank() < 1 || (square && x.back() != x[x.rank() - 2]) || y[y.rank() - (s.vector ? 1 : 2)] != x[x.rank() - 2])
        throw ShapeError("a " + to_string(x) + " and b " + to_string(y) + " do not fit; need " +
                             (square ? "a (..., n, n) and b (..., n, k) or (n)" : "a (..., m, n) and b (..., m, k) or (m)"),
                         {name, {x, y}, {}, where});
    if (x[x.rank() - 2] < x.back())
        throw ShapeError("a " + to_string(x) + " has more columns than rows, so they are linearly dependent; b is " + to_string(y), {name, {x, y}, {}, where});
    if (s.vector) s.b = reshape({s.b, where}, {y[0], 1});
    const detail::Broadcast both = detail::broadcast(leading(x), leading(s.b.shape()));
    if (both.clash)
        throw ShapeError("leading extents do not broadcast: a " + to_string(x) + ", b " + to_string(y), {name, {x, y}, {}, where});
    s.batch = both.shape;
    return s;
}

/// All results of a primitive of one operand, refused in the name of the operation that needs them.
std::vector<Node> factored(Op op, const char* name, const Operand& a, bool square) {
    const Node x = node_of(a, name);
    const Shape shape = x.shape();
    if (!is_floating(x.dtype()))
        throw DTypeError(std::string("takes float32 or float64, not ") + to_string(x.dtype()) + "; cast first", {name, {shape}, {}, a.where()});
    if (square && (shape.rank() < 2 || shape.back() != shape[shape.rank() - 2]))
        throw ShapeError("shape " + to_string(shape) + " is not that of square matrices", {name, {shape}, {}, a.where()});
    return apply_all(detail::primitive(op), std::vector<Node>{x}, {}, a.where());
}
Lu lu_of(const char* name, const Operand& a) {
    const std::vector<Node> z = factored(Op::lu, name, a, true);
    return {a.node(), z[0], z[1]};
}

std::int64_t rows_of(Node a) { return a.shape()[a.shape().rank() - 2]; }

/// r of qr, or 0 where a column of it, but for rounding, is a combination of those before: nothing, or next to nothing of it is
/// on the diagonal.
Node independent(Node r, std::int64_t rows, Where where) {
    if (rows_of(r) == 0) return r;
    const Node its = stop_gradient({r, where});
    const double rounding = double(rows) * (r.dtype() == DType::float32 ? std::numeric_limits<float>::epsilon() : std::numeric_limits<double>::epsilon());
    const Node left = sum({tril({its, where}), where}, -1), least = rounding * norm({its, where}, -2);
    const Node all = min({cast({greater({left, where}, {least, where}), where}, r.dtype()), where}, -1);
    Shape one = all.shape();
    one.push_back(1), one.push_back(1);
    return gradtape::where({reshape(equal({all, where}, 1.0), one), where}, {r, where}, 0.0);
}

Node triangle(const Operand& x, bool lower, std::int64_t diagonal) {
    return bind(Op::triangle, {x}, {{"lower", lower}, {"diagonal", diagonal}});
}

/// The factors as the primitives take them: no variables.
std::array<Node, 3> operands(const Lu& a, Where where) { return {a.a, stop_gradient({a.factors, where}), a.permutation}; }

Node solved(const System& s, const Lu& lu) {
    const Node a = s.whole(s.a), factors = s.whole(stop_gradient({lu.factors, s.where}));
    Shape rows = a.shape();
    rows.pop_back();
    const Node permutation = broadcast_to({lu.permutation, s.where}, rows);
    return s.finish(apply(detail::primitive(Op::solve), {a, s.whole(s.b), factors, permutation}, {{"transpose", false}}, s.where));
}

/// f of a's factors, or nothing recorded.
template <class F>
Node with_factors(const Operand& a, const char* name, F f) {
    return all_or_nothing(node_of(a, name), [&] { return f(lu_of(name, a)); });
}

}  // namespace

Lu lu(Operand a) { return lu_of("lu", a); }
Eigh eigh(Operand a) {
    const std::vector<Node> z = factored(Op::eigh, "eigh", a, true);
    return {z[0], z[1]};
}
Qr qr(Operand a) {
    const std::vector<Node> z = factored(Op::qr, "qr", a, false);
    return {z[0], z[1]};
}
Svd svd(Operand a) {
    const std::vector<Node> z = factored(Op::svd, "svd", a, false);
    return {z[0], z[1], z[2]};
}

Node lstsq(Operand a, Operand b) {
    return all_or_nothing(beside(a, b, "lstsq"), [&] {
        const System s = system_of("lstsq", a, b, false);
        const std::vector<Node> its = factored(Op::qr, "lstsq", {s.a, s.where}, false);
        const Node right = matmul({its[0], s.where}, {s.b, s.where}, {.x = true});
        return s.finish(triangular_solve({independent(its[1], rows_of(s.a), s.where), s.where}, {right, s.where}, {.lower = false}));
    });
}

Node solve(Operand a, Operand b) {
    return all_or_nothing(beside(a, b, "solve"), [&] {
        const System s = system_of("solve", a, b);
        return solved(s, lu_of("solve", {s.a, s.where}));
    });
}
Node solve(const Lu& a, Operand b) {
    return all_or_nothing(node_of({a.a, b.where()}, "solve"), [&] { return solved(system_of("solve", {a.a, b.where()}, b), a); });
}

Node inv(Operand a) {
    return with_factors(a, "inv", [&](const Lu& lu) { return inv(lu, a.where()); });
}
Node inv(const Lu& a, Where where) {
    return all_or_nothing(node_of({a.a, where}, "inv"), [&] {
        return apply(detail::primitive(Op::inv), operands(a, where), {}, where);
    });
}
Node det(Operand a) {
    return with_factors(a, "det", [&](const Lu& lu) { return det(lu, a.where()); });
}
Node det(const Lu& a, Where where) {
    return all_or_nothing(node_of({a.a, where}, "det"), [&] {
        return apply(detail::primitive(Op::det), operands(a, where), {}, where);
    });
}
Slogdet slogdet(Operand a) {
    return all_or_nothing(node_of(a, "slogdet"), [&] { return slogdet(lu_of("slogdet", a), a.where()); });
}
Slogdet slogdet(const Lu& a, Where where) {
    node_of({a.a, where}, "slogdet");
    const std::vector<Node> z = apply_all(detail::primitive(Op::slogdet), operands(a, where), {}, where);
    return {z[0], z[1]};
}

Node tril(Operand x, std::int64_t diagonal) { return triangle(x, true, diagonal); }
Node triu(Operand x, std::int64_t diagonal) { return triangle(x, false, diagonal); }

Node cholesky(Operand a) { return bind(Op::cholesky, {a}); }

Node triangular_solve(Operand a, Operand b, Triangle t) {
    return all_or_nothing(beside(a, b, "triangular_solve"), [&] {
        const System s = system_of("triangular_solve", a, b);
        return s.finish(bind(Op::triangular_solve, {{s.whole(s.a), s.where}, {s.whole(s.b), s.where}},
                             {{"lower", t.lower}, {"transpose", t.transpose}, {"unit_diagonal", t.unit_diagonal}}));
    });
}

}  // namespace gradtape

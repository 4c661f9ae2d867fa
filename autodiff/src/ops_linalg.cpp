// Linear algebra: operands brought into the primitives' form.
#include "tape/broadcast.hpp"
#include "tape/recorder.hpp"

#include <gradtape/linalg.hpp>
#include <gradtape/primitive.hpp>

#include <array>

namespace gradtape {

using detail::bind;
using detail::Op;
using detail::Recorder;

namespace {

Node node_of(const Operand& x, const char* name) {
    if (!x.is_node()) throw TapeError("needs a node; make one with Tape::constant", {name, {}, {}, x.where()});
    Recorder::of(x.node(), name, x.where());
    return x.node();
}

/// One of the operands' nodes, beside which a tensor is recorded as a constant.
Node beside(const Operand& a, const Operand& b, const char* name) { return node_of(a.is_node() ? a : b, name); }

Node recorded(const Operand& x, Node beside, const char* name) {
    return x.is_tensor() ? sibling_constant(beside, x.tensor(), x.where()) : node_of(x, name);
}

/// a (…, n, n) and b (…, n, k) with the same leading axes.
struct System {
    Node a, b, plain;  ///< plain: a as it was given, not broadcast
    bool vector;  ///< b was one
    Where where;

    Node finish(Node x) const { return vector ? reshape({x, where}, {x.shape()[x.shape().rank() - 2]}) : x; }
};

System system_of(const char* name, const Operand& a, const Operand& b) {
    const Where where = a.where();
    const Node near = beside(a, b, name);
    System s{recorded(a, near, name), recorded(b, near, name), {}, false, where};
    s.plain = s.a;
    if (Recorder::owner(s.a) != Recorder::owner(s.b))
        throw TapeError("operands are on different tapes; record them on one", {name, {}, {}, where});
    const Shape x = s.a.shape(), y = s.b.shape();
    if (x.rank() < 2 || y.rank() < 1 || x.back() != x[x.rank() - 2] || y[y.rank() - (y.rank() == 1 ? 1 : 2)] != x.back())
        throw ShapeError("a " + to_string(x) + " and b " + to_string(y) + " do not fit; need a (..., n, n) and b (..., n, k) or (n)",
                         {name, {x, y}, {}, where});
    s.vector = y.rank() == 1;
    if (s.vector) s.b = reshape({s.b, where}, {y[0], 1});
    const auto leading = [](const Shape& shape) { return Shape(std::span(shape.begin(), shape.rank() - 2)); };
    const detail::Broadcast batch = detail::broadcast(leading(x), leading(s.b.shape()));
    if (batch.clash)
        throw ShapeError("leading extents do not broadcast: a " + to_string(x) + ", b " + to_string(y), {name, {x, y}, {}, where});
    s.vector = s.vector && batch.shape.empty();
    for (Node* z : {&s.a, &s.b}) {
        Shape shape = batch.shape;
        for (std::size_t i = z->shape().rank() - 2; i < z->shape().rank(); ++i) shape.push_back(z->shape()[i], where);
        *z = broadcast_to({*z, where}, shape);
    }
    return s;
}

/// Refused in the name of the operation that needs the factors.
Lu factored(const char* name, const Operand& a) {
    const Node x = node_of(a, name);
    const Shape shape = x.shape();
    if (!is_floating(x.dtype()))
        throw DTypeError(std::string("takes float32 or float64, not ") + to_string(x.dtype()) + "; cast first", {name, {shape}, {}, a.where()});
    if (shape.rank() < 2 || shape.back() != shape[shape.rank() - 2])
        throw ShapeError("shape " + to_string(shape) + " is not that of square matrices", {name, {shape}, {}, a.where()});
    const std::vector<Node> z = apply_all(detail::primitive(Op::lu), std::vector<Node>{x}, {}, a.where());
    return {x, z[0], z[1]};
}

Node triangle(const Operand& x, bool lower, std::int64_t diagonal) {
    return bind(Op::triangle, {x}, {{"lower", lower}, {"diagonal", diagonal}});
}

/// The factors as the primitives take them: no variables.
std::array<Node, 3> operands(const Lu& a, Where where) { return {a.a, stop_gradient({a.factors, where}), a.permutation}; }

Node solved(const System& s, const Lu& lu) {
    Shape matrices = s.a.shape(), rows = matrices;
    rows.pop_back();
    const Node factors = broadcast_to({stop_gradient({lu.factors, s.where}), s.where}, matrices);
    const Node permutation = broadcast_to({lu.permutation, s.where}, rows);
    return s.finish(apply(detail::primitive(Op::solve), {s.a, s.b, factors, permutation}, {{"transpose", false}}, s.where));
}

/// f of a's factors, or nothing recorded.
template <class F>
Node with_factors(const Operand& a, const char* name, F f) {
    return all_or_nothing(node_of(a, name), [&] { return f(factored(name, a)); });
}

}  // namespace

Lu lu(Operand a) { return factored("lu", a); }

Node solve(Operand a, Operand b) {
    return all_or_nothing(beside(a, b, "solve"), [&] {
        const System s = system_of("solve", a, b);
        return solved(s, factored("solve", {s.plain, s.where}));
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
Slogdet slogdet(Operand a) { return slogdet(factored("slogdet", a), a.where()); }
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
        return s.finish(bind(Op::triangular_solve, {{s.a, s.where}, {s.b, s.where}},
                             {{"lower", t.lower}, {"transpose", t.transpose}, {"unit_diagonal", t.unit_diagonal}}));
    });
}

}  // namespace gradtape

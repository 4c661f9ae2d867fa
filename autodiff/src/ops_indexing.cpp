// Indexing and order: arguments brought into the primitives' form.
#include <gradtape/ops_indexing.hpp>

#include "support/axis.hpp"
#include "support/extents.hpp"
#include "tape/recorder.hpp"

namespace gradtape {

using detail::at_axis;
using detail::Op;
using detail::Recorder;

namespace {

/// A node of the operands', all of which that are nodes can be used.
Node anchor(const char* name, std::initializer_list<const Operand*> operands) {
    Node found;
    for (const Operand* x : operands) {
        if (!x->is_node()) continue;
        Recorder::of(x->node(), name, x->where());
        if (found.is_valid() && Recorder::owner(found) != Recorder::owner(x->node()))
            Recorder::refuse_mixed(found, x->node(), name, x->where());
        found = x->node();
    }
    if (!found.is_valid())
        throw TapeError("needs at least one node; make one with Tape::constant", {name, {}, {}, (*operands.begin())->where()});
    return found;
}

/// A tensor becomes a constant beside the nodes.
Node tensor_of(const char* name, const Operand& x, Node beside) {
    if (x.is_number()) throw TapeError("needs a node or a tensor, not a number", {name, {}, {}, x.where()});
    return x.is_node() ? x.node() : sibling_constant(beside, x.tensor(), x.where());
}

/// Likewise; a number is of this type.
Node value_of(const char* name, const Operand& x, Node beside, const Type& type) {
    if (!x.is_number()) return tensor_of(name, x, beside);
    return Recorder::of(beside, name, x.where()).full(name, type, x.number(), x.where());
}

Node indices_of(const char* name, const Operand& x, Node beside) { return value_of(name, x, beside, {DType::int64, {}}); }

Node record(Op op, std::initializer_list<Node> operands, const Attributes& attributes, Where where) {
    return apply(detail::primitive(op), operands, attributes, where);
}

enum class Picks : bool { whole_slices, along };

Attributes picking(const char* name, Node x, Axis axis, Picks picks, Where where) {
    return {{"axis", std::int64_t(at_axis(name, axis, x.shape(), where))}, {"along", picks == Picks::along}};
}

Node gather(const char* name, const Operand& operand, const Operand& indices, Axis axis, Picks picks) {
    const Where where = operand.where();
    const Node beside = anchor(name, {&operand, &indices});
    return all_or_nothing(beside, [&] {
        const Node x = tensor_of(name, operand, beside);
        return record(Op::gather, {x, indices_of(name, indices, beside)}, picking(name, x, axis, picks, where), where);
    });
}

/// The shape of what is picked; where it cannot be, the primitive will say so.
Shape picked_shape(Node x, Node indices, std::size_t axis, Picks picks) {
    const Shape from = x.shape(), at = indices.shape();
    if (picks == Picks::along || from.rank() + at.rank() > Shape::max_rank + 1) return at;
    Shape shape;
    for (std::size_t i = 0; i < axis; ++i) shape.push_back(from[i]);
    for (const std::int64_t extent : at) shape.push_back(extent);
    for (std::size_t i = axis + 1; i < from.rank(); ++i) shape.push_back(from[i]);
    return shape;
}

Node scattered(Op op, const char* name, const Operand& operand, const Operand& indices, const Operand& updates, Axis axis, Picks picks) {
    const Where where = operand.where();
    const Node beside = anchor(name, {&operand, &indices, &updates});
    return all_or_nothing(beside, [&] {
        const Node x = tensor_of(name, operand, beside), at = indices_of(name, indices, beside);
        const Attributes attributes = picking(name, x, axis, picks, where);
        const Shape shape = picked_shape(x, at, at_axis(name, axis, x.shape(), where), picks);
        return record(op, {x, at, value_of(name, updates, beside, {x.dtype(), shape})}, attributes, where);
    });
}

/// The node of an operand that can be nothing else.
Node node_of(const char* name, const Operand& x) { return tensor_of(name, x, anchor(name, {&x})); }

Node chosen(Op op, const Operand& operand, Axis axis, bool keepdims) {
    const char* name = detail::primitive(op).name;
    const Node x = node_of(name, operand);
    const std::size_t at = at_axis(name, axis, x.shape(), operand.where());
    return all_or_nothing(x, [&] {
        const Node z = record(op, {x}, {{"axis", std::int64_t(at)}}, operand.where());
        if (!keepdims) return z;
        Shape shape = x.shape();
        shape[at] = 1;
        return reshape({z, operand.where()}, shape);
    });
}

Sorted sorted(const char* name, const Operand& operand, Axis axis, bool descending, std::optional<std::int64_t> count) {
    const Node x = node_of(name, operand);
    const std::size_t at = at_axis(name, axis, x.shape(), operand.where());
    const Attributes attributes{{"axis", std::int64_t(at)}, {"descending", descending}, {"count", count.value_or(x.shape()[at])}};
    const std::vector<Node> both = apply_all(detail::primitive(Op::sort), {&x, 1}, attributes, operand.where());
    return {both[0], both[1]};
}

/// Elements from … to along the axis, every step-th.
Node range_of(const Operand& x, std::size_t axis, Range range) {
    std::vector<Range> ranges(axis + 1);
    ranges[axis] = range;
    return slice(x, ranges);
}

}  // namespace

Node take(Operand x, Operand indices, Axis axis) { return gather("take", x, indices, axis, Picks::whole_slices); }
Node take_along_axis(Operand x, Operand indices, Axis axis) { return gather("take_along_axis", x, indices, axis, Picks::along); }
Node scatter_add(Operand x, Operand indices, Operand updates, Axis axis) {
    return scattered(Op::scatter_add, "scatter_add", x, indices, updates, axis, Picks::whole_slices);
}
Node scatter_add_along_axis(Operand x, Operand indices, Operand updates, Axis axis) {
    return scattered(Op::scatter_add, "scatter_add_along_axis", x, indices, updates, axis, Picks::along);
}
Node scatter(Operand x, Operand indices, Operand updates, Axis axis) {
    return scattered(Op::scatter, "scatter", x, indices, updates, axis, Picks::whole_slices);
}
Node scatter_along_axis(Operand x, Operand indices, Operand updates, Axis axis) {
    return scattered(Op::scatter, "scatter_along_axis", x, indices, updates, axis, Picks::along);
}

Node dynamic_slice(Operand x, Operand starts, const Shape& shape) {
    const char* name = "dynamic_slice";
    const Node beside = anchor(name, {&x, &starts});
    return all_or_nothing(beside, [&] {
        return record(Op::dynamic_slice, {tensor_of(name, x, beside), indices_of(name, starts, beside)}, {{"shape", shape}}, x.where());
    });
}

Node dynamic_update_slice(Operand x, Operand update, Operand starts) {
    const char* name = "dynamic_update_slice";
    const Node beside = anchor(name, {&x, &update, &starts});
    return all_or_nothing(beside, [&] {
        const Node to = tensor_of(name, x, beside), what = tensor_of(name, update, beside);
        return record(Op::dynamic_update_slice, {to, indices_of(name, starts, beside), what}, {}, x.where());
    });
}

Node one_hot(Operand indices, std::int64_t n, DType dtype) {
    const char* name = "one_hot";
    const Where where = indices.where();
    const Node at = node_of(name, indices);
    if (at.dtype() != DType::int64)
        throw DTypeError(std::string("the indices are ") + to_string(at.dtype()) + "; needs int64", {name, {at.shape()}, {}, where});
    if (n < 0) throw ShapeError("extent " + std::to_string(n) + "; needs 0 or more", {name, {at.shape()}, {}, where});
    return all_or_nothing(at, [&] {
        Shape one = at.shape(where), all = one;
        one.push_back(1, where);
        all.push_back(n, where);
        detail::check_exists(Type{dtype, all}, name, where);
        Recorder& recorder = Recorder::of(at, name, where);
        const Node zeros = recorder.full(name, {dtype, all}, 0, where), ones = recorder.full(name, {dtype, one}, 1, where);
        return scatter_along_axis({zeros, where}, {reshape({at, where}, one), where}, {ones, where}, -1);
    });
}

Node argmax(Operand x, Axis axis, Keepdims keepdims) { return chosen(Op::argmax, x, axis, keepdims); }
Node argmin(Operand x, Axis axis, Keepdims keepdims) { return chosen(Op::argmin, x, axis, keepdims); }

Sorted sort(Operand x, Axis axis) { return sorted("sort", x, axis, false, {}); }
Node argsort(Operand x, Axis axis) { return sorted("argsort", x, axis, false, {}).indices; }
Sorted topk(Operand x, std::int64_t k, Axis axis) { return sorted("topk", x, axis, true, k); }

Node cumsum(Operand operand, Axis axis, bool reverse) {
    const Node x = node_of("cumsum", operand);
    const auto at = std::int64_t(at_axis("cumsum", axis, x.shape(), operand.where()));
    return record(Op::cumsum, {x}, {{"axis", at}, {"reverse", reverse}}, operand.where());
}

Node flip(Operand operand, Axis axis) {
    const Node x = node_of("flip", operand);
    return range_of({x, operand.where()}, at_axis("flip", axis, x.shape(), operand.where()), {{}, {}, -1});
}

Node roll(Operand operand, std::int64_t shift, Axis axis) {
    const Where where = operand.where();
    const Node x = node_of("roll", operand);
    const std::size_t at = at_axis("roll", axis, x.shape(), where);
    const std::int64_t n = x.shape()[at], by = n == 0 ? 0 : (shift % n + n) % n;
    if (by == 0) return x;
    return all_or_nothing(x, [&] {
        const Node head = range_of({x, where}, at, {{}, n - by}), tail = range_of({x, where}, at, {n - by});
        return concatenate({tail, head}, int(at), where);
    });
}

}  // namespace gradtape

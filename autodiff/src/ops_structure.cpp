// Reductions, shapes and products: what NumPy allows, brought into the primitives' narrower forms.
#include "support/axis.hpp"
#include "support/number.hpp"
#include "tape/broadcast.hpp"
#include "tape/recorder.hpp"

#include <algorithm>
#include <cmath>

namespace gradtape {

using detail::at_axis;
using detail::bind;
using detail::node_of;
using detail::Op;
using detail::Recorder;

namespace {

[[noreturn]] void refuse(const char* name, const std::string& problem, std::initializer_list<Shape> shapes, Where where,
                         std::optional<int> axis = {}) {
    throw ShapeError(problem, {name, shapes, axis, where});
}

/// Which axes to reduce, as flags.
std::array<bool, Shape::max_rank> flags_of(const char* name, const Axes& axes, const Shape& shape, Where where) {
    std::array<bool, Shape::max_rank> reduced{};
    if (axes.all()) {
        for (std::size_t i = 0; i < shape.rank(); ++i) reduced[i] = true;
    }
    for (std::int64_t axis : axes.list()) {
        const std::size_t i = at_axis(name, axis, shape, where);
        if (reduced[i])
            refuse(name, "axis " + std::to_string(axis) + " of shape " + to_string(shape) + " is given twice", {shape}, where,
                   int(axis));
        reduced[i] = true;
    }
    return reduced;
}

/// What is reduced, in the form that primitives take: a run of neighbouring axes of x, which may have been transposed for it.
struct Reduction {
    Operand x;
    Shape axes;
    bool keepdims;  ///< of the primitive
    Shape shape;    ///< to be given to its result, where that keeps extents of 1 which the primitive cannot
    bool reshaped;

    Attributes attributes() const { return {{"axes", axes}, {"keepdims", keepdims}}; }
    Node finish(Node z) const { return reshaped ? bind(Op::reshape, {{z, x.where()}}, {{"shape", shape}}) : z; }
};

Reduction arrange(const char* name, const Operand& operand, const Axes& axes, bool keepdims) {
    const Node x = node_of(operand, name);
    const Shape shape = x.shape();
    const auto reduced = flags_of(name, axes, shape, operand.where());
    Shape list, kept, with_ones;
    for (std::size_t i = 0; i < shape.rank(); ++i) {
        (reduced[i] ? list : kept).push_back(std::int64_t(i));
        with_ones.push_back(reduced[i] ? 1 : shape[i]);
    }
    if (list.empty() || list.back() - list[0] + 1 == std::int64_t(list.size())) return {operand, list, keepdims, {}, false};
    // Axes with gaps: bring them together at the end first.
    Shape order = kept, together;
    for (std::int64_t axis : list) order.push_back(axis);
    for (std::size_t i = kept.size(); i < order.size(); ++i) together.push_back(std::int64_t(i));
    const Node turned = bind(Op::transpose, {operand}, {{"permutation", order}});
    return {{turned, operand.where()}, together, false, with_ones, keepdims};
}

Node reduce(Op op, const Operand& operand, const Axes& axes, bool keepdims) {
    const char* name = detail::primitive(op).name;
    return all_or_nothing(node_of(operand, name), [&] {
        const Reduction r = arrange(name, operand, axes, keepdims);
        return r.finish(bind(op, {r.x}, r.attributes()));
    });
}

Node along(Op op, const Operand& operand, Axis axis) {
    const char* name = detail::primitive(op).name;
    const Node x = node_of(operand, name);
    const Shape axes{std::int64_t(at_axis(name, axis, x.shape(), operand.where()))};
    return bind(op, {operand}, {{"axes", axes}});
}

/// How many elements go into each result of a reduction of floating numbers; refuses others, and axes, in its name.
double floating_count(const char* name, const Operand& x, const Axes& axes) {
    const Node node = node_of(x, name);
    if (!is_floating(node.dtype()))
        throw DTypeError(std::string("takes float32 or float64, not ") + to_string(node.dtype()) + "; cast first",
                         {name, {node.shape()}, {}, x.where()});
    const Shape shape = node.shape();
    const auto reduced = flags_of(name, axes, shape, x.where());
    double count = 1;
    for (std::size_t i = 0; i < shape.rank(); ++i)
        if (reduced[i]) count *= double(shape[i]);
    return count;
}

Node average(const char* name, const Operand& x, const Axes& axes, bool keepdims) {
    const Reduction r = arrange(name, x, axes, keepdims);
    const Attributes attributes = r.attributes();
    const Node total = bind(Op::sum, {r.x}, attributes);
    return r.finish(bind(Op::mean, {r.x, {total, x.where()}}, attributes));
}

/// x less its mean.
Operand deviation_of(const char* name, const Operand& x, const Axes& axes) {
    const Where where = x.where();
    const auto minus = [&](const Operand& a, Node b) { return Operand(bind(Op::subtract, {a, {b, where}}), where); };
    const Operand deviation = minus(x, average(name, x, axes, true));
    // What rounding left of the mean is taken off too, so that equal elements deviate by exactly 0.
    return minus(deviation, bind(Op::stop_gradient, {{average(name, deviation, axes, true), where}}));
}

}  // namespace

Node sum(Operand x, Axes axes, Keepdims keepdims) { return reduce(Op::sum, x, axes, keepdims); }
Node prod(Operand x, Axes axes, Keepdims keepdims) { return reduce(Op::prod, x, axes, keepdims); }
Node max(Operand x, Axes axes, Keepdims keepdims) { return reduce(Op::max, x, axes, keepdims); }
Node min(Operand x, Axes axes, Keepdims keepdims) { return reduce(Op::min, x, axes, keepdims); }
Node logsumexp(Operand x, Axes axes, Keepdims keepdims) {
    floating_count("logsumexp", x, axes);
    return !axes.all() && axes.list().empty() ? x.node() : reduce(Op::logsumexp, x, axes, keepdims);
}
Node softmax(Operand x, Axis axis) { return along(Op::softmax, x, axis); }
Node log_softmax(Operand x, Axis axis) { return along(Op::log_softmax, x, axis); }

Node mean(Operand x, Axes axes, Keepdims keepdims) {
    floating_count("mean", x, axes);
    return all_or_nothing(x.node(), [&] { return average("mean", x, axes, keepdims); });
}

Node norm(Operand x, Axes axes, Keepdims keepdims) { return reduce(Op::norm, x, axes, keepdims); }

Node variance(Operand x, Axes axes, Keepdims keepdims) {
    floating_count("variance", x, axes);
    return all_or_nothing(x.node(), [&] {
        return average("variance", {bind(Op::square, {deviation_of("variance", x, axes)}), x.where()}, axes, keepdims);
    });
}

Node stddev(Operand x, Axes axes, Keepdims keepdims) {
    const double count = floating_count("stddev", x, axes);
    return all_or_nothing(x.node(), [&] {
        const Node length = reduce(Op::norm, deviation_of("stddev", x, axes), axes, keepdims);
        return bind(Op::divide, {{length, x.where()}, {std::sqrt(count), x.where()}});
    });
}

Node broadcast_to(Operand x, const Shape& shape) {
    const Node node = node_of(x, "broadcast_to");
    return node.shape() == shape ? node : bind(Op::broadcast_to, {x}, {{"shape", shape}});
}

Node sum_to(Operand x, const Shape& shape) {
    const Node node = node_of(x, "sum_to");
    const Shape from = node.shape();
    if (from == shape) return node;
    Shape axes;
    bool fits = shape.rank() <= from.rank();
    for (std::size_t i = 0; fits && i < from.rank(); ++i) {
        const std::size_t lead = from.rank() - shape.rank();
        if (i >= lead && shape[i - lead] == from[i]) continue;
        fits = i < lead || shape[i - lead] == 1;
        axes.push_back(std::int64_t(i));
    }
    if (!fits) refuse("sum_to", "shape " + to_string(shape) + " does not broadcast to " + to_string(from), {from, shape}, x.where());
    return all_or_nothing(node, [&] {
        const Node z = axes.empty() ? node : reduce(Op::sum, x, axes, false);
        return z.shape() == shape ? z : bind(Op::reshape, {{z, x.where()}}, {{"shape", shape}});
    });
}

Node reshape(Operand x, const Shape& shape) {
    const Node node = node_of(x, "reshape");
    Shape wanted = shape;
    std::optional<std::size_t> open;
    std::int64_t known = 1;
    for (std::size_t i = 0; i < shape.rank(); ++i) {
        if (shape[i] < -1 || (shape[i] == -1 && open))
            refuse("reshape", to_string(shape) + " is no shape for the elements of " + to_string(node.shape()) +
                                  "; one extent may be -1", {node.shape(), shape}, x.where(), int(i));
        if (shape[i] == -1)
            open = i;
        else if (__builtin_mul_overflow(known, shape[i], &known))
            refuse("reshape", "shape " + to_string(shape) + " has too many elements", {node.shape(), shape}, x.where());
    }
    if (open) {
        const std::int64_t elements = node.shape().elements();
        if (known == 0 || elements % known != 0)
            refuse("reshape", "no extent for -1 makes " + to_string(shape) + " from " + to_string(node.shape()),
                   {node.shape(), shape}, x.where(), int(*open));
        wanted[*open] = elements / known;
    }
    return node.shape() == wanted ? node : bind(Op::reshape, {x}, {{"shape", wanted}});
}

Node transpose(Operand x) {
    const Node node = node_of(x, "transpose");
    Shape permutation;
    for (std::size_t i = node.shape().rank(); i-- > 0;) permutation.push_back(std::int64_t(i));
    return transpose(x, permutation);
}

Node transpose(Operand x, const Shape& permutation) {
    const Node node = node_of(x, "transpose");
    Shape axes;
    bool moves = false;
    for (std::size_t i = 0; i < permutation.size(); ++i) {
        axes.push_back(std::int64_t(at_axis("transpose", permutation[i], node.shape(), x.where())));
        moves = moves || axes.back() != std::int64_t(i);
    }
    return !moves && axes.size() == node.shape().rank() ? node : bind(Op::transpose, {x}, {{"permutation", axes}});
}

Node slice(Operand x, std::initializer_list<Range> ranges) { return slice(x, std::span(ranges.begin(), ranges.size())); }

Node slice(Operand x, std::span<const Range> ranges) {
    const Node node = node_of(x, "slice");
    const Shape& from = node.shape();
    if (ranges.size() > from.rank())
        refuse("slice", std::to_string(ranges.size()) + " ranges for shape " + to_string(from), {from}, x.where());
    Shape start, step, shape;
    for (std::size_t i = 0; i < from.rank(); ++i) {
        const Range range = i < ranges.size() ? ranges[i] : Range{};
        const std::int64_t n = from[i], by = range.step;
        if (by == 0) refuse("slice", "step 0 on axis " + std::to_string(i) + " of shape " + to_string(from), {from}, x.where(), int(i));
        // As Python's slice.indices: bounds clip to [0, n], or to [-1, n - 1] going backwards.
        const std::int64_t low = by > 0 ? 0 : -1, high = by > 0 ? n : n - 1;
        const auto clip = [&](std::optional<std::int64_t> bound, std::int64_t otherwise) {
            if (!bound) return otherwise;
            return std::clamp(*bound < 0 ? *bound + n : *bound, low, high);
        };
        const std::int64_t first = clip(range.start, by > 0 ? low : high), last = clip(range.stop, by > 0 ? high : low);
        // Widths are counted without a sign: that of the smallest step is no int64.
        const std::int64_t span = by > 0 ? last - first : first - last;
        const std::uint64_t width = by > 0 ? std::uint64_t(by) : 0 - std::uint64_t(by);
        const std::int64_t count = span > 0 ? std::int64_t(std::uint64_t(span - 1) / width) + 1 : 0;
        start.push_back(count > 0 ? first : 0);
        step.push_back(count > 0 ? by : 1);
        shape.push_back(count);
    }
    return shape == from && step == Shape(std::vector<std::int64_t>(from.rank(), 1))
        ? node
        : bind(Op::slice, {x}, {{"start", start}, {"step", step}, {"shape", shape}});
}

Node concatenate(std::span<const Node> parts, Axis axis, Where where) {
    if (parts.empty()) refuse("concatenate", "no parts", {}, where);
    Recorder::of(parts[0], "concatenate", where);
    const std::int64_t at = std::int64_t(at_axis("concatenate", axis, parts[0].shape(), where));
    return apply(detail::primitive(Op::concatenate), parts, {{"axis", at}}, where);
}

Node concatenate(std::initializer_list<Node> parts, Axis axis, Where where) {
    return concatenate(std::span(parts.begin(), parts.size()), axis, where);
}
Node concatenate(Node a, Node b, Axis axis, Where where) { return concatenate({a, b}, axis, where); }
Node concatenate(Node a, Node b, Node c, Axis axis, Where where) { return concatenate({a, b, c}, axis, where); }
Node concatenate(Node a, Node b, Node c, Node d, Axis axis, Where where) { return concatenate({a, b, c, d}, axis, where); }

Node stack(std::span<const Node> parts, Axis axis, Where where) {
    if (parts.empty()) refuse("stack", "no parts", {}, where);
    Recorder::of(parts[0], "stack", where);
    const Shape first = parts[0].shape();
    const std::size_t at = at_axis("stack", axis, first, where, 1);
    Shape wide;
    for (std::size_t i = 0; i <= first.rank(); ++i) {
        if (i == at) wide.push_back(1, where);
        if (i < first.rank()) wide.push_back(first[i], where);
    }
    for (const Node& part : parts) {
        if (&Recorder::of(part, "stack", where) != Recorder::owner(parts[0]))
            Recorder::refuse_mixed(part, parts[0], "stack", where);
        if (!(part.shape() == first))
            refuse("stack", "shapes " + to_string(first) + " and " + to_string(part.shape()) + " differ", {first, part.shape()}, where);
        if (part.dtype() != parts[0].dtype())
            throw DTypeError(std::string("dtypes ") + to_string(parts[0].dtype()) + " and " + to_string(part.dtype()) +
                                 " differ; cast one of them", {"stack", {first, first}, {}, where});
    }
    return all_or_nothing(parts[0], [&] {
        std::vector<Node> rows;
        for (const Node& part : parts) rows.push_back(reshape({part, where}, wide));
        return concatenate(rows, int(at), where);
    });
}

Node stack(std::initializer_list<Node> parts, Axis axis, Where where) {
    return stack(std::span(parts.begin(), parts.size()), axis, where);
}
Node stack(Node a, Node b, Axis axis, Where where) { return stack({a, b}, axis, where); }
Node stack(Node a, Node b, Node c, Axis axis, Where where) { return stack({a, b, c}, axis, where); }
Node stack(Node a, Node b, Node c, Node d, Axis axis, Where where) { return stack({a, b, c, d}, axis, where); }

Node pad(Operand x, const Shape& before, const Shape& after, Number value) {
    const DType dtype = node_of(x, "pad").dtype();
    if (!detail::holds(dtype, value) || !detail::is_double(dtype, value))
        throw DTypeError("value " + detail::digits(value) + " is no " + to_string(dtype) +
                             (detail::holds(dtype, value) ? " that double is too" : ""),
                         {"pad", {x.node().shape()}, {}, x.where()});
    return bind(Op::pad, {x}, {{"before", before}, {"after", after}, {"value", value.value()}});
}

namespace {

/// Leading axes of the two operands, broadcast to each other; matrices stay as they are.
Node with_batch(const Operand& x, const Node& node, const Shape& batch) {
    Shape shape = batch;
    shape.push_back(node.shape()[node.shape().rank() - 2]);
    shape.push_back(node.shape().back());
    return broadcast_to({node, x.where()}, shape);
}

Shape common_batch(const Shape& x, const Shape& y, Where where) {
    const auto leading = [](const Shape& shape) { return Shape(std::span(shape.begin(), shape.rank() - 2)); };
    const detail::Broadcast batch = detail::broadcast(leading(x), leading(y));
    if (batch.clash)
        refuse("matmul", "leading extents do not broadcast: x " + to_string(x) + ", y " + to_string(y), {x, y}, where);
    return batch.shape;
}

/// The four possible settings, made once: a matmul allocates nothing for them.
const Attributes& matmul_attributes(Transposed t) {
    static const auto of = [](bool x, bool y) { return Attributes{{"transpose_x", x}, {"transpose_y", y}}; };
    static const Attributes all[] = {{}, of(true, false), of(false, true), of(true, true)};
    return all[int(t.x) + 2 * int(t.y)];
}

/// The product where the operands need not be matrices.
Node product(const Operand& x, const Operand& y, Transposed transposed) {
    const Where where = x.where();
    Node a = x.node(), b = y.node();
    const Shape xs = a.shape(), ys = b.shape();
    if (xs.rank() == 0 || ys.rank() == 0)
        refuse("matmul", "a scalar operand: x " + to_string(xs) + ", y " + to_string(ys) + "; multiply instead", {xs, ys}, where);
    // A vector is a row on the left, a column on the right; `transposed` has no effect on it.
    const bool row = xs.rank() == 1, column = ys.rank() == 1;
    if (row) a = reshape({a, where}, {1, xs[0]});
    if (column) b = reshape({b, where}, {ys[0], 1});
    if (row) transposed.x = false;
    if (column) transposed.y = false;
    const auto inner = [](const Shape& s, bool last) { return s[s.rank() - (last ? 1 : 2)]; };
    if (inner(a.shape(), !transposed.x) != inner(b.shape(), transposed.y))
        refuse("matmul", "inner extents differ: x " + to_string(xs) + (transposed.x ? " transposed" : "") + ", y " +
                   to_string(ys) + (transposed.y ? " transposed" : "") + "; need x.shape[" + (transposed.x ? "-2" : "-1") +
                   "] == y.shape[" + (transposed.y || column ? "-1" : "-2") + "]", {xs, ys}, where);
    if (a.shape().rank() > 2 || b.shape().rank() > 2) {
        const Shape batch = common_batch(a.shape(), b.shape(), where);
        a = with_batch(x, a, batch);
        b = with_batch(y, b, batch);
    }
    const Attributes& flags = matmul_attributes(transposed);
    Node z = bind(Op::matmul, {{a, where}, {b, where}}, flags);
    if (!row && !column) return z;
    Shape shape;
    for (std::size_t i = 0; i < z.shape().rank(); ++i)
        if (!(row && i + 2 == z.shape().rank()) && !(column && i + 1 == z.shape().rank())) shape.push_back(z.shape()[i]);
    return reshape({z, where}, shape);
}

}  // namespace

Node matmul(Operand x, Operand y, Transposed transposed) {
    if (x.is_tensor() || y.is_tensor()) [[unlikely]] {
        const Node beside = node_of(x.is_tensor() ? y : x, "matmul");
        const auto recorded = [&](const Operand& z) {
            return z.is_tensor() ? Operand(sibling_constant(beside, z.tensor(), z.where()), z.where()) : z;
        };
        return all_or_nothing(beside, [&] { return matmul(recorded(x), recorded(y), transposed); });
    }
    const Node a = node_of(x, "matmul"), b = node_of(y, "matmul");
    if (Recorder::owner(a) != Recorder::owner(b))
        Recorder::refuse_mixed(a, b, "matmul", x.where());
    Recorder& recorder = Recorder::of(a, "matmul", x.where());
    const auto is_matrix = [&](Node z) { return recorder.at(z.index()).type.shape.rank() == 2; };
    if (is_matrix(a) && is_matrix(b)) return bind(Op::matmul, {x, y}, matmul_attributes(transposed));
    return all_or_nothing(a, [&] { return product(x, y, transposed); });
}

}  // namespace gradtape

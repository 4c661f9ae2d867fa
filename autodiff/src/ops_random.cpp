// Keys and distributions: composites of random_bits and the quantiles.
#include "support/axis.hpp"
#include "support/extents.hpp"
#include "support/number.hpp"
#include "tape/recorder.hpp"

#include <gradtape/ops_indexing.hpp>
#include <gradtape/random.hpp>

#include <cmath>
#include <limits>

namespace gradtape {

using detail::bind;
using detail::Op;
using detail::Recorder;

namespace {

// Parts of a key's stream: numbers are drawn from the first, what is folded in takes the second, and children the rest.
constexpr std::int64_t fold_part = 1, first_child_part = 2;

/// Refuses a key that is none in the name of `name`.
Node key_node(const Operand& key, const char* name) {
    if (!key.is_node()) throw TapeError("needs a key on a tape: tape.input(random_key(seed))", {name, {}, {}, key.where()});
    Recorder::of(key.node(), name, key.where());
    const Type type{key.node().dtype(), key.node().shape()};
    const std::string needs = "a key is int64 of shape (2,), not " + to_string(type) + "; make one with random_key";
    if (type.dtype != DType::int64) throw DTypeError(needs, {name, {type.shape}, {}, key.where()});
    if (!(type.shape == Shape{2})) throw ShapeError(needs, {name, {type.shape}, {}, key.where()});
    return key.node();
}

void require_floating(DType dtype, const char* name, Where where) {
    if (!is_floating(dtype))
        throw DTypeError(std::string("gives float32 or float64, not ") + to_string(dtype), {name, {}, {}, where});
}

Node bits_of(const Operand& key, const Shape& shape, std::int64_t bits, std::int64_t part = 0) {
    return bind(Op::random_bits, {key}, {{"shape", shape}, {"bits", bits}, {"part", part}});
}

/// Doubles from 64 bits each, rounded where the dtype is float32.
Node quantile(Op op, const char* name, const Operand& key, const Shape& shape, DType dtype) {
    require_floating(dtype, name, key.where());
    return all_or_nothing(key_node(key, name), [&] {
        const Node z = bind(op, {{bits_of(key, shape, 64), key.where()}});
        return cast({z, key.where()}, dtype);
    });
}

double largest_below(DType dtype, double x, double towards) {
    return dtype == DType::float32 ? double(std::nextafter(float(x), float(towards))) : std::nextafter(x, towards);
}

/// [0, 1)
Node unit(const Operand& key, const Shape& shape, DType dtype) {
    const Where where = key.where();
    const bool narrow = dtype == DType::float32;
    const Node bits = bits_of(key, shape, narrow ? 24 : 53);
    return bind(Op::multiply, {{cast({bits, where}, dtype), where}, {narrow ? 0x1p-24 : 0x1p-53, where}});
}

}  // namespace

std::vector<Node> split(Operand key, std::int64_t n) {
    const Node parent = key_node(key, "split");
    if (n < 0 || n > std::int64_t(1) << 20)
        throw ValueError(std::to_string(n) + " keys; need 0 to 2^20", {"split", {}, {}, key.where()});
    return all_or_nothing(parent, [&] {
        std::vector<Node> children;
        for (std::int64_t i = 0; i < n; ++i) children.push_back(bits_of(key, {2}, 64, first_child_part + i));
        return children;
    });
}

Node fold_in(Operand key, Operand i) {
    const Node parent = key_node(key, "fold_in");
    const Where where = key.where();
    const auto refuse_number = [&] { throw DTypeError("needs an integer, or an int64 node of shape ()", {"fold_in", {}, {}, where}); };
    if (i.is_number() ? !i.number().whole() : i.is_node() && i.node().dtype(where) != DType::int64) refuse_number();
    if (i.is_tensor() && i.tensor().dtype() != DType::int64) refuse_number();
    const Shape shape = i.is_node() ? i.node().shape(where) : i.is_tensor() ? i.tensor().shape() : Shape{};
    if (shape.rank() != 0) throw ShapeError("needs one number, of shape (), not " + to_string(shape), {"fold_in", {shape}, {}, where});
    return all_or_nothing(parent, [&] {
        // The number is added to the half of a child's counter that names a stream.
        const Node child = bits_of(key, {2}, 64, fold_part);
        const Node stream = sibling_constant(parent, Tensor::from<std::int64_t>({0, 1}, {2}), where);
        const Node offset = bind(Op::multiply, {{stream, where}, i});
        return bits_of({bind(Op::add, {{child, where}, {offset, where}}), where}, {2}, 64);
    });
}

Node random_bits(Operand key, const Shape& shape, std::int64_t bits) {
    key_node(key, "random_bits");
    return bits_of(key, shape, bits);
}

Node uniform(Operand key, const Shape& shape, DType dtype, Number low, Number high) {
    const Where where = key.where();
    const Node node = key_node(key, "uniform");
    require_floating(dtype, "uniform", where);
    const double from = low.value(), to = high.value();
    const double limit = dtype == DType::float32 ? std::numeric_limits<float>::max() : std::numeric_limits<double>::max();
    if (!(from <= to && std::abs(from) <= limit && std::abs(to) <= limit && to - from <= limit))
        throw ValueError("bounds " + detail::digits(low) + ", " + detail::digits(high) + "; need finite low <= high, and a finite difference",
                         {"uniform", {}, {}, where});
    return all_or_nothing(node, [&] {
        Node z = unit(key, shape, dtype);
        if (from == 0 && to == 1) return z;
        z = bind(Op::multiply, {{z, where}, {to - from, where}});
        z = bind(Op::add, {{z, where}, {from, where}});
        // Rounding may reach the bound.
        return bind(Op::minimum, {{z, where}, {from == to ? to : largest_below(dtype, to, from), where}});
    });
}

Node normal(Operand key, const Shape& shape, DType dtype) { return quantile(Op::normal_quantile, "normal", key, shape, dtype); }
Node exponential(Operand key, const Shape& shape, DType dtype) {
    return quantile(Op::exponential_quantile, "exponential", key, shape, dtype);
}
Node gumbel(Operand key, const Shape& shape, DType dtype) { return quantile(Op::gumbel_quantile, "gumbel", key, shape, dtype); }

Node bernoulli(Operand key, Operand p, const Shape& shape) {
    const Where where = key.where();
    const Node node = key_node(key, "bernoulli");
    if (p.is_number() && !(p.number().value() >= 0 && p.number().value() <= 1))
        throw ValueError("probability " + detail::digits(p.number()) + "; need 0 <= p <= 1", {"bernoulli", {}, {}, where});
    return all_or_nothing(node, [&] {
        if (p.is_number()) return bind(Op::less, {{unit(key, shape, DType::float64), where}, p});
        const Node its = p.is_tensor() ? sibling_constant(node, p.tensor(), where) : p.node();
        const DType dtype = its.dtype(where);
        require_floating(dtype, "bernoulli", where);
        const Node bound = broadcast_to({its, where}, shape);
        return bind(Op::less, {{unit(key, shape, dtype), where}, {bound, where}});
    });
}

Node categorical(Operand key, Operand logits, Axis axis) {
    const Where where = key.where();
    const Node node = key_node(key, "categorical");
    return all_or_nothing(node, [&] {
        if (logits.is_number()) throw TapeError("needs logits on a tape", {"categorical", {}, {}, where});
        const Node x = logits.is_tensor() ? sibling_constant(node, logits.tensor(), where) : logits.node();
        const DType dtype = x.dtype(where);
        const Shape shape = x.shape(where);
        if (!is_floating(dtype))
            throw DTypeError("takes float32 or float64, not " + to_string(x.type()), {"categorical", {shape}, {}, where});
        const std::size_t along = detail::at_axis("categorical", axis.value(), shape, where);
        if (shape[along] == 0)
            throw ShapeError("axis " + std::to_string(along) + " of shape " + to_string(shape) + " is empty",
                             {"categorical", {shape}, int(along), where});
        const Node noisy = bind(Op::add, {{x, where}, {gumbel(key, shape, dtype), where}});
        return argmax({noisy, where}, along);
    });
}

Node permutation(Operand key, std::int64_t n) {
    const Node node = key_node(key, "permutation");
    if (n < 0 || n > detail::most_elements)
        throw ValueError(std::to_string(n) + " numbers; need 0 to 2^40", {"permutation", {}, {}, key.where()});
    return all_or_nothing(node, [&] { return argsort({bits_of(key, {n}, 64), key.where()}, 0); });
}

Node dropout(Operand key, Number rate, Operand x) {
    const Where where = key.where();
    const Node node = key_node(key, "dropout");
    const double keep = 1 - rate.value();
    if (!(rate.value() >= 0 && rate.value() < 1))
        throw ValueError("rate " + detail::digits(rate) + "; need 0 <= rate < 1", {"dropout", {}, {}, where});
    return all_or_nothing(node, [&] {
        if (x.is_number()) throw TapeError("needs a tensor on a tape", {"dropout", {}, {}, where});
        const Node its = x.is_tensor() ? sibling_constant(node, x.tensor(), where) : x.node();
        const DType dtype = its.dtype(where);
        if (!is_floating(dtype))
            throw DTypeError("takes float32 or float64, not " + to_string(its.type()), {"dropout", {its.shape()}, {}, where});
        if (keep == 1) return its;
        const std::int64_t kept = std::max<std::int64_t>(1, std::llround(keep * 0x1p32));
        const Node bits = bits_of(key, its.shape(where), 32);
        const Node mask = bind(Op::less, {{bits, where}, {kept, where}});
        const Node scaled = bind(Op::multiply, {{its, where}, {1 / keep, where}});
        return bind(Op::where, {{mask, where}, {scaled, where}, {0.0, where}});
    });
}

}  // namespace gradtape

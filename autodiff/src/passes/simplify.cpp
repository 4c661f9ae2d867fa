// Simplification: one table of rewrites, each of which keeps every bit: signed zeros, infinities, and NaN as NaN.
// (A NaN's sign may change with that of an operand; and of signalling NaNs, x · 1 would make quiet ones.)
#include "rewrite.hpp"

#include "../primitives/catalogue.hpp"
#include "../support/convert.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <optional>

namespace gradtape::detail {
namespace {

/// What a rule may look at: an instruction in new numbers, and those made before it.
struct Site {
    Rewriter& rewriter;
    const Instruction& z;
    const std::vector<std::uint32_t>& reads;  ///< by new number: how often the old program reads the value

    Index operand(std::size_t k) const { return z.operands[k]; }
    const Instruction& x(std::size_t k) const { return rewriter.made(z.operands[k]); }
    bool is(std::size_t k, Op op) const { return x(k).primitive == &primitive(op); }
    /// The number that operand k repeats, converted to its dtype as a constant is.
    std::optional<double> number(std::size_t k) const {
        const double* value = repeated_number(x(k));
        if (!value) return {};
        switch (x(k).type.dtype) {
            case DType::float32: return double(convert<float>(*value));
            case DType::float64: return *value;
            case DType::int64: return double(convert<std::int64_t>(*value));
            case DType::boolean: return double(convert<bool>(*value));
        }
        return {};
    }
    bool is_number(std::size_t k, double value) const {
        const auto its = number(k);
        return its && std::bit_cast<std::uint64_t>(*its) == std::bit_cast<std::uint64_t>(value);
    }
    bool floating() const { return is_floating(z.type.dtype); }
    /// y, where operand k is −y of floats.
    std::optional<Index> negated(std::size_t k) const {
        return is(k, Op::negative) && floating() ? std::optional(x(k).operands[0]) : std::nullopt;
    }
    Index append(Op op, std::initializer_list<Index> operands, const Attributes& attributes = {}) const {
        const std::span<const Index> list(operands.begin(), operands.size());
        return rewriter.append({&primitive(op), attributes, list, z.type, z.where});
    }
};

/// What becomes of an instruction: an earlier value, or another instruction of the same type; or it stays as it is.
struct Outcome {
    std::optional<Index> value;
    std::optional<Instruction> instruction;
};
const Outcome as_it_is;

Outcome earlier(Index value) { return {value, {}}; }
Outcome operand(const Site& at, std::size_t k) { return earlier(at.operand(k)); }
Outcome become(const Site& at, Op op, std::initializer_list<Index> operands, const Attributes& attributes = {}) {
    const std::span<const Index> list(operands.begin(), operands.size());
    return {{}, Instruction{&primitive(op), attributes, list, at.z.type, at.z.where}};
}
Outcome become_number(const Site& at, double value) { return become(at, Op::constant, {}, {{"value", value}}); }

// ---- arithmetic ----

// Negation of floats is exact, so that signs move freely: out of products and into numbers, sums and differences.

// x · 1 = x; x · x = x²; (−x) · (−y) = x · y; (−x) · c = x · (−c)
Outcome multiply(const Site& at) {
    for (std::size_t k : {0, 1})
        if (at.is_number(k, 1)) return operand(at, 1 - k);
    if (at.operand(0) == at.operand(1)) return become(at, Op::square, {at.operand(0)});
    const auto x = at.negated(0), y = at.negated(1);
    if (x && y) return become(at, Op::multiply, {*x, *y});
    for (std::size_t k : {0, 1})
        if (const auto factor = at.number(k), other = at.negated(1 - k) ? factor : std::nullopt; other)
            return become(at, Op::multiply, {*at.negated(1 - k), at.append(Op::constant, {}, {{"value", -*factor}})});
    return as_it_is;
}

/// 1/y, where it is exact and normal in `dtype`: where y is a power of two that is not too large or too small.
std::optional<double> exact_reciprocal(double y, DType dtype) {
    int exponent = 0;
    if (std::abs(std::frexp(y, &exponent)) != 0.5) return {};
    const int most = dtype == DType::float32 ? 126 : 1022;
    return std::abs(exponent - 1) <= most ? std::optional(1 / y) : std::nullopt;
}

// x / 1 = x; x / 2ᵏ = x · 2⁻ᵏ, both being the same real number rounded; 1 / x
Outcome divide(const Site& at) {
    if (at.is_number(1, 1)) return operand(at, 0);
    if (at.is_number(0, 1)) return become(at, Op::reciprocal, {at.operand(1)});
    const auto y = at.number(1);
    const auto factor = y ? exact_reciprocal(*y, at.z.type.dtype) : std::nullopt;
    if (!factor) return as_it_is;
    return become(at, Op::multiply, {at.operand(0), at.append(Op::constant, {}, {{"value", *factor}})});
}

/// x · y, where operand k is read here only and is (−x) · y or x · (−y).
std::optional<Index> negated_product(const Site& at, std::size_t k) {
    if (!at.is(k, Op::multiply) || !at.floating() || at.reads[at.operand(k)] != 1) return {};
    const Index x = at.x(k).operands[0], y = at.x(k).operands[1];
    const auto negated = [&](Index i) { return at.rewriter.made(i).primitive == &primitive(Op::negative); };
    if (negated(x)) return at.append(Op::multiply, {at.rewriter.made(x).operands[0], y});
    if (negated(y)) return at.append(Op::multiply, {x, at.rewriter.made(y).operands[0]});
    return {};
}

// x + (−0) = x, of integers x + 0 = x. But −0 + 0 = 0, so that of floats x + 0 stays. x + (−y) = x − y
Outcome add(const Site& at) {
    for (std::size_t k : {0, 1})
        if (at.is_number(k, at.floating() ? -0.0 : 0.0)) return operand(at, 1 - k);
    for (std::size_t k : {1, 0}) {
        if (const auto y = at.negated(k)) return become(at, Op::subtract, {at.operand(1 - k), *y});
        if (const auto y = negated_product(at, k)) return become(at, Op::subtract, {at.operand(1 - k), *y});
    }
    return as_it_is;
}

// x − 0 = x. But x − (−0) is x + 0. x − (−y) = x + y
Outcome subtract(const Site& at) {
    if (at.is_number(1, 0.0)) return operand(at, 0);
    if (const auto y = at.negated(1)) return become(at, Op::add, {at.operand(0), *y});
    if (const auto y = negated_product(at, 1)) return become(at, Op::add, {at.operand(0), *y});
    return as_it_is;
}

// −(−x) = x
Outcome negative(const Site& at) { return at.is(0, Op::negative) ? earlier(at.x(0).operands[0]) : as_it_is; }

// (−x)² = x²
Outcome square(const Site& at) {
    const auto x = at.negated(0);
    return x ? become(at, Op::square, {*x}) : as_it_is;
}

/// True where a constant has no zero among its elements.
bool has_no_zero(const Site& at, std::size_t k) {
    if (const auto number = at.number(k)) return *number != 0;
    const Tensor* tensor = at.rewriter.tensor(at.operand(k));
    if (!tensor || !is_floating(tensor->dtype())) return false;
    const auto nonzero = [](auto elements) {
        return std::none_of(elements.begin(), elements.end(), [](auto e) { return e == 0; });
    };
    return tensor->dtype() == DType::float32 ? nonzero(tensor->data<float>()) : nonzero(tensor->data<double>());
}

/// True where operand k is a number c > 0: then c · y and y / c are 0 where y = 0, with y's sign.
bool is_positive_number(const Site& at, std::size_t k) {
    const auto number = at.number(k);
    return number && *number > 0 && *number < std::numeric_limits<double>::infinity();
}

// x · y, but y where y = 0: a product where y has no zero, or x is a number > 0
Outcome multiply_no_nan(const Site& at) {
    if (at.number(1) == 0.0) return operand(at, 1);
    const bool product = has_no_zero(at, 1) || is_positive_number(at, 0);
    return product ? become(at, Op::multiply, {at.operand(0), at.operand(1)}) : as_it_is;
}

// x · y, but y where y = 0, and else x where x = 0: a product where one is a number > 0
Outcome multiply_or_zero(const Site& at) {
    const bool product = is_positive_number(at, 0) || is_positive_number(at, 1);
    return product ? become(at, Op::multiply, {at.operand(0), at.operand(1)}) : as_it_is;
}

// x / y, but x where x = 0: a quotient where x has no zero, or y is a number > 0
Outcome divide_no_nan(const Site& at) {
    if (at.number(0) == 0.0) return operand(at, 0);
    const bool quotient = has_no_zero(at, 0) || is_positive_number(at, 1);
    return quotient ? become(at, Op::divide, {at.operand(0), at.operand(1)}) : as_it_is;
}

// |−x| = |x|, ||x|| = |x|
Outcome abs(const Site& at) {
    return at.is(0, Op::negative) ? become(at, Op::abs, {at.x(0).operands[0]})
           : at.is(0, Op::abs)    ? operand(at, 0)
                                  : as_it_is;
}

// max(x, x) = min(x, x) = x; also x ∧ x = x ∨ x = x
Outcome idempotent(const Site& at) { return at.operand(0) == at.operand(1) ? operand(at, 0) : as_it_is; }

// ---- selection, logic, conversion ----

// c ? x : x = x; a constant c picks; (¬c) ? x : y = c ? y : x
Outcome where(const Site& at) {
    if (at.operand(1) == at.operand(2)) return operand(at, 1);
    if (const auto condition = at.number(0)) return operand(at, *condition != 0 ? 1 : 2);
    if (at.is(0, Op::logical_not))
        return become(at, Op::where, {at.x(0).operands[0], at.operand(2), at.operand(1)});
    return as_it_is;
}

// x ∧ true = x, x ∧ false = false
Outcome logical_and(const Site& at) {
    for (std::size_t k : {0, 1})
        if (const auto number = at.number(k)) return operand(at, *number != 0 ? 1 - k : k);
    return idempotent(at);
}

// x ∨ false = x, x ∨ true = true
Outcome logical_or(const Site& at) {
    for (std::size_t k : {0, 1})
        if (const auto number = at.number(k)) return operand(at, *number != 0 ? k : 1 - k);
    return idempotent(at);
}

// ¬¬x = x
Outcome logical_not(const Site& at) {
    return at.is(0, Op::logical_not) ? earlier(at.x(0).operands[0]) : as_it_is;
}

/// True where every value of `from` is one of `to`, so that a conversion by way of `to` is one without it.
bool widens(DType from, DType to) {
    return from == to || from == DType::boolean || (from == DType::float32 && to == DType::float64);
}

// To the same dtype: x. By way of a wider dtype: directly.
Outcome cast(const Site& at) {
    if (at.x(0).type == at.z.type) return operand(at, 0);
    if (!at.is(0, Op::cast)) return as_it_is;
    const Index before = at.x(0).operands[0];
    if (!widens(at.rewriter.made(before).type.dtype, at.x(0).type.dtype)) return as_it_is;
    return become(at, Op::cast, {before}, at.z.attributes);
}

// ---- shape ----

Attributes to_shape(const Site& at) { return {{"shape", at.z.type.shape}}; }

// Of a repeated number: the number. Of a reshape: directly.
Outcome reshape(const Site& at) {
    if (at.x(0).type == at.z.type) return operand(at, 0);
    if (const auto number = at.number(0)) return become_number(at, *number);
    if (at.is(0, Op::reshape)) return become(at, Op::reshape, {at.x(0).operands[0]}, to_shape(at));
    return as_it_is;
}

// To the same shape: x. Of a repeated number: the number. Of a broadcast: directly. Adding axes of extent 1: a reshape.
Outcome broadcast_to(const Site& at) {
    if (at.x(0).type == at.z.type) return operand(at, 0);
    if (const auto number = at.number(0)) return become_number(at, *number);
    if (at.is(0, Op::broadcast_to)) return become(at, Op::broadcast_to, {at.x(0).operands[0]}, to_shape(at));
    if (at.x(0).type.shape.elements() == at.z.type.shape.elements())
        return become(at, Op::reshape, {at.operand(0)}, to_shape(at));
    return as_it_is;
}

/// True where the axes that matter, those of more than one index, stay in order.
bool keeps_order(const Shape& shape, const Shape& permutation) {
    std::int64_t last = -1;
    for (std::int64_t axis : permutation) {
        if (shape[std::size_t(axis)] == 1) continue;
        if (axis < last) return false;
        last = axis;
    }
    return true;
}

// Of a transpose: one permutation. Where no element moves: a reshape.
Outcome transpose(const Site& at) {
    const Shape& outer = at.z.attributes.get<Shape>("permutation");
    if (at.number(0)) return become_number(at, *at.number(0));
    if (at.is(0, Op::transpose)) {
        const Shape& inner = at.x(0).attributes.get<Shape>("permutation");
        Shape both;
        for (std::int64_t axis : outer) both.push_back(inner[std::size_t(axis)]);
        return become(at, Op::transpose, {at.x(0).operands[0]}, {{"permutation", both}});
    }
    const Shape& shape = at.x(0).type.shape;
    if (keeps_order(shape, outer) || shape.elements() == 0)
        return become(at, Op::reshape, {at.operand(0)}, to_shape(at));
    return as_it_is;
}

bool is_whole(const Attributes& window) {
    const auto all = [](const Shape& list, std::int64_t value) {
        return std::all_of(list.begin(), list.end(), [&](std::int64_t e) { return e == value; });
    };
    return all(window.get<Shape>("start"), 0) && all(window.get<Shape>("step"), 1);
}

/// The window of a slice of a slice: x[s + i t][u + j v] is x[s + u t + j v t].
Attributes inside(const Attributes& inner, const Attributes& outer) {
    Shape start = inner.get<Shape>("start"), step = inner.get<Shape>("step");
    const Shape &further = outer.get<Shape>("start"), &stride = outer.get<Shape>("step"),
                &extents = outer.get<Shape>("shape");
    for (std::size_t i = 0; i < start.size(); ++i) {
        start[i] += further[i] * step[i];
        step[i] = extents[i] == 1 ? 1 : step[i] * stride[i];  // of one index any step is right, and may be huge
    }
    return {{"start", start}, {"step", step}, {"shape", extents}};
}

// All of x: x. Of a repeated number: the number. Of a slice: one window. Of its own unslice: x.
Outcome slice(const Site& at) {
    if (at.x(0).type == at.z.type && is_whole(at.z.attributes)) return operand(at, 0);
    if (const auto number = at.number(0)) return become_number(at, *number);
    const Instruction& x = at.x(0);
    if (at.is(0, Op::slice) && at.z.type.shape.elements() > 0)
        return become(at, Op::slice, {x.operands[0]}, inside(x.attributes, at.z.attributes));
    const bool same_window = at.is(0, Op::unslice) && at.rewriter.made(x.operands[0]).type == at.z.type &&
                             x.attributes.get<Shape>("start") == at.z.attributes.get<Shape>("start") &&
                             x.attributes.get<Shape>("step") == at.z.attributes.get<Shape>("step");
    return same_window ? earlier(x.operands[0]) : as_it_is;
}

// Into all of z: x
Outcome unslice(const Site& at) {
    return at.x(0).type == at.z.type && is_whole(at.z.attributes) ? operand(at, 0) : as_it_is;
}

// Of nothing: x. Of one part: the part.
Outcome same_type(const Site& at) { return at.x(0).type == at.z.type ? operand(at, 0) : as_it_is; }
Outcome one_part(const Site& at) { return at.z.operands.size() == 1 ? operand(at, 0) : as_it_is; }

struct Rule {
    Op op;
    Outcome (*apply)(const Site&);
};
constexpr Rule rules[] = {
    {Op::multiply, multiply},
    {Op::divide, divide},
    {Op::add, add},
    {Op::subtract, subtract},
    {Op::negative, negative},
    {Op::square, square},
    {Op::multiply_no_nan, multiply_no_nan},
    {Op::multiply_or_zero, multiply_or_zero},
    {Op::divide_no_nan, divide_no_nan},
    {Op::abs, abs},
    {Op::maximum, idempotent},
    {Op::minimum, idempotent},
    {Op::where, where},
    {Op::logical_and, logical_and},
    {Op::logical_or, logical_or},
    {Op::logical_not, logical_not},
    {Op::cast, cast},
    {Op::reshape, reshape},
    {Op::broadcast_to, broadcast_to},
    {Op::transpose, transpose},
    {Op::slice, slice},
    {Op::unslice, unslice},
    {Op::pad, same_type},
    {Op::concatenate, one_part},
};

Outcome simplified(const Site& at) {
    const Primitive& its = *at.z.primitive;
    // Past differentiation, whatever passes its operand on is the operand.
    if (its.identity && !its.effect && at.x(0).type == at.z.type) return operand(at, 0);
    for (const Rule& rule : rules)
        if (&its == &primitive(rule.op)) return rule.apply(at);
    return as_it_is;
}

}  // namespace

Body simplify(const Body& body) {
    Rewriter rewriter(body);
    const std::vector<std::uint32_t> reads = count_reads(body);
    std::vector<std::uint32_t> reads_of_made;
    for (Index i = 0; i < body.instructions.size(); ++i) {
        Instruction instruction = rewriter.renumbered(i);
        Outcome outcome;
        do {
            outcome = simplified({rewriter, instruction, reads_of_made});
            if (outcome.instruction) instruction = *std::move(outcome.instruction);
            reads_of_made.resize(rewriter.size(), 1);
        } while (outcome.instruction);
        if (outcome.value)
            rewriter.replace(i, *outcome.value);
        else
            rewriter.put(i, std::move(instruction));
        reads_of_made.resize(rewriter.size());
        reads_of_made[rewriter.now(i)] += reads[i];
    }
    return std::move(rewriter).finish();
}

}  // namespace gradtape::detail

// In the order of the elements along one axis: argmax, argmin, sort, cumsum. By one kernel for all instruction sets.
#include "family.hpp"

#include <bit>
#include <cmath>
#include <cstring>

namespace gradtape::detail::GRADTAPE_ISA {
namespace {

std::size_t axis_of(const ShapeCall& call) {
    const std::int64_t axis = call.attributes.get<std::int64_t>("axis");
    if (axis < 0 || axis >= std::int64_t(call[0].shape.rank()))
        call.refuse("axis " + std::to_string(axis) + " of shape " + to_string(call[0].shape), int(axis));
    if (call[0].dtype == DType::boolean) call.refuse_dtype("takes numbers, not boolean: cast first");
    return std::size_t(axis);
}

/// x as (outer, n, inner), n being the axis.
struct Lines {
    std::size_t outer = 1, n = 1, inner = 1;
};
Lines lines_of(const KernelCall& call) {
    const Shape& x = call.inputs[0].type->shape;
    const auto axis = std::size_t(call.attributes.get<std::int64_t>("axis"));
    Lines its;
    for (std::size_t i = 0; i < x.rank(); ++i) (i < axis ? its.outer : i > axis ? its.inner : its.n) *= std::size_t(x[i]);
    return its;
}

/// f(T()) with the type of the operand's elements.
template <class F>
void by_type(const KernelCall& call, F f) {
    switch (call.inputs[0].type->dtype) {
        case DType::float32: return f(float());
        case DType::float64: return f(double());
        default: return f(std::int64_t());
    }
}

using Key = std::uint64_t;
constexpr Key greatest = ~Key(0);

/// Unsigned integers in the order of the numbers: −0 and 0 are one, and NaN is greater than all others.
template <class T>
Key key_of(T x) {
    constexpr Key sign = Key(1) << 63;
    if constexpr (std::is_same_v<T, std::int64_t>) {
        return Key(x) ^ sign;
    } else {
        if (x != x) return greatest;
        const Key bits = std::bit_cast<Key>(double(x) + 0.0);
        return bits & sign ? ~bits : bits | sign;
    }
}

Type chosen_type(const ShapeCall& call) {
    const std::size_t axis = axis_of(call);
    Shape shape;
    for (std::size_t i = 0; i < call[0].shape.rank(); ++i)
        if (i != axis) shape.push_back(call[0].shape[i]);
    if (call[0].shape[axis] == 0 && shape.elements() > 0)
        call.refuse("no element to choose from in axis " + std::to_string(axis) + " of shape " + to_string(call[0].shape) +
                        "; needs at least one", int(axis));
    return {DType::int64, shape};
}

/// The place of the first of the greatest, or least; a NaN is both.
template <bool least>
void choose(const KernelCall& call) {
    by_type(call, [&](auto element) {
        using T = decltype(element);
        const auto rank_of = [](T x) { return least && x == x ? ~key_of(x) : key_of(x); };
        const Lines lines = lines_of(call);
        const T* x = static_cast<const T*>(call.inputs[0].data);
        auto* z = static_cast<std::int64_t*>(call.output);
        for (std::size_t o = 0; o < lines.outer; ++o, x += lines.n * lines.inner)
            for (std::size_t i = 0; i < lines.inner; ++i) {
                std::size_t best = 0;
                Key its = rank_of(x[i]);
                for (std::size_t k = 1; k < lines.n; ++k)
                    if (const Key other = rank_of(x[k * lines.inner + i]); other > its) best = k, its = other;
                *z++ = std::int64_t(best);
            }
    });
}

struct Keyed {
    Key key;
    std::int64_t place;
    friend bool operator<(const Keyed& a, const Keyed& b) { return a.key != b.key ? a.key < b.key : a.place < b.place; }
};

/// Room to sort a line in. It is kept, so that replays allocate nothing once it is large enough; what is in it is not.
std::span<Keyed> scratch(std::size_t count) {
    static thread_local std::vector<Keyed> room;
    if (room.size() < count) room.resize(count);
    return {room.data(), count};
}

void sort_kernel(const KernelCall& call) {
    const bool descending = call.attributes.get<bool>("descending");
    const auto count = std::size_t(call.attributes.get<std::int64_t>("count"));
    by_type(call, [&](auto element) {
        using T = decltype(element);
        const Lines lines = lines_of(call);
        const T* x = static_cast<const T*>(call.inputs[0].data);
        T* values = static_cast<T*>(call.output);
        auto* places = static_cast<std::int64_t*>(call.further[0].data);
        const std::span<Keyed> line = scratch(lines.n);
        for (std::size_t o = 0; o < lines.outer; ++o)
            for (std::size_t i = 0; i < lines.inner; ++i) {
                const T* const from = x + o * lines.n * lines.inner + i;
                for (std::size_t k = 0; k < lines.n; ++k) {
                    const Key key = key_of(from[k * lines.inner]);
                    line[k] = {descending ? ~key : key, std::int64_t(k)};
                }
                if (count < lines.n)
                    std::partial_sort(line.begin(), line.begin() + std::ptrdiff_t(count), line.end());
                else
                    std::sort(line.begin(), line.end());
                const std::size_t to = o * count * lines.inner + i;
                for (std::size_t k = 0; k < count && values; ++k) values[to + k * lines.inner] = from[std::size_t(line[k].place) * lines.inner];
                for (std::size_t k = 0; k < count && places; ++k) places[to + k * lines.inner] = line[k].place;
            }
    });
}

void cumsum_kernel(const KernelCall& call) {
    const bool reverse = call.attributes.get<bool>("reverse");
    by_type(call, [&](auto element) {
        using T = std::conditional_t<std::is_same_v<decltype(element), std::int64_t>, std::uint64_t, decltype(element)>;  // wraps around
        const Lines lines = lines_of(call);
        const T* x = static_cast<const T*>(call.inputs[0].data);
        T* z = static_cast<T*>(call.output);
        for (std::size_t o = 0; o < lines.outer; ++o, x += lines.n * lines.inner, z += lines.n * lines.inner)
            for (std::size_t k = 0; k < lines.n; ++k) {
                const std::size_t row = (reverse ? lines.n - 1 - k : k) * lines.inner;
                const std::size_t before = reverse ? row + lines.inner : row - lines.inner;
                for (std::size_t i = 0; i < lines.inner; ++i) z[row + i] = k == 0 ? x[row + i] : z[before + i] + x[row + i];
            }
    });
}

Attributes along(const Operands& x) { return {{"axis", x.attributes.get<std::int64_t>("axis")}, {"along", true}}; }

}  // namespace

// z = the place of the largest x along `axis`: of several the first, and of a NaN where there is one
GRADTAPE_PRIMITIVE(argmax, of(1)
    .with_settings({"axis", Kind::integer})
    .takes(numbers).shaped(chosen_type).computed(choose<false>).piecewise_constant().batch(batch_axis).on(any_real))

// z = the place of the smallest, likewise
GRADTAPE_PRIMITIVE(argmin, of(1)
    .with_settings({"axis", Kind::integer})
    .takes(numbers).shaped(chosen_type).computed(choose<true>).piecewise_constant().batch(batch_axis).on(any_real))

// z = the first `count` of x in order along `axis`, and their places in x, by which the derivatives go. NaN is the greatest;
// equal ones stay in their order.
GRADTAPE_PRIMITIVE(sort, of(1).giving(2)
    .with_settings({"axis", Kind::integer}, {"descending", Kind::flag}, {"count", Kind::integer})
    .takes(numbers)
    .shaped([](const ShapeCall& call) {
        const std::size_t axis = axis_of(call);
        const std::int64_t count = call.attributes.get<std::int64_t>("count");
        Shape shape = call[0].shape;
        if (count < 0 || count > shape[axis])
            call.refuse(std::to_string(count) + " elements of axis " + std::to_string(axis) + " of shape " + to_string(shape) +
                            "; needs 0 to " + std::to_string(shape[axis]), int(axis));
        shape[axis] = count;
        return Type{call.result == 0 ? call[0].dtype : DType::int64, shape};
    })
    .computed(sort_kernel).batch(batch_axis)
    .vjp([](const VjpCall& call) {
        const Node z_bar = call.z_bars[0], places = call.results[1];
        if (!z_bar.is_valid()) return call.give(0, Node());
        call.give(0, gradtape::apply(primitive(Op::scatter_add), {full_like(call.x[0], 0.0), places, z_bar}, along(call.x)));
    })
    .jvp([](const JvpCall& call) {
        call.give(0, gradtape::apply(primitive(Op::gather), {call.x_dot[0], call.results[1]}, along(call.x)));
    }).on(any_real))

// z_i = x_0 + … + x_i along `axis`, added in that order; or, reversed, x_i + … + x_n−1, from the end
GRADTAPE_PRIMITIVE(cumsum, of(1)
    .with_settings({"axis", Kind::integer}, {"reverse", Kind::flag})
    .takes(numbers)
    .shaped([](const ShapeCall& call) { return axis_of(call), call[0]; })
    .computed(cumsum_kernel).batch(batch_axis)
    .vjp([](const Operands& x, Node, Node z_bar) {
        const Attributes other_way{{"axis", x.attributes.get<std::int64_t>("axis")}, {"reverse", !x.attributes.get<bool>("reverse")}};
        return gradtape::apply(primitive(Op::cumsum), {z_bar}, other_way);
    }).linear().overwriting().on(any_real))

}  // namespace gradtape::detail::GRADTAPE_ISA

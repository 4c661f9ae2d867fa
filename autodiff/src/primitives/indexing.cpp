// Elements at places that are data: gather, scatter, scatter_add, dynamic_slice, dynamic_update_slice. Moving bytes, by one
// kernel for all instruction sets.
//
// Places are an operand of int64: −n ≤ i < n in an axis of n, a negative one counts from the end. Kernels look at all of
// them before they write, and refuse any other: so nothing outside a buffer is read, and what was there stays as it was.
#include "family.hpp"

#include "../support/extents.hpp"

#include <cstring>

namespace gradtape::detail::GRADTAPE_ISA {
namespace {

void check_indices(const ShapeCall& call) {
    if (call[1].dtype != DType::int64)
        call.refuse_dtype("the indices are " + std::string(to_string(call[1].dtype)) + "; needs int64");
}

std::size_t axis_of(const ShapeCall& call) {
    const std::int64_t axis = call.attributes.get<std::int64_t>("axis");
    if (axis < 0 || axis >= std::int64_t(call[0].shape.rank()))
        call.refuse("axis " + std::to_string(axis) + " of shape " + to_string(call[0].shape), int(axis));
    return std::size_t(axis);
}

/// Of what is gathered from x, or scattered into it.
Shape picked_shape(const ShapeCall& call) {
    check_indices(call);
    const Shape &x = call[0].shape, &indices = call[1].shape;
    const std::size_t axis = axis_of(call);
    if (call.attributes.get<bool>("along")) {
        bool fits = indices.rank() == x.rank();
        for (std::size_t i = 0; fits && i < x.rank(); ++i) fits = i == axis || indices[i] == x[i];
        if (!fits)
            call.refuse("indices of shape " + to_string(indices) + " along axis " + std::to_string(axis) + " of shape " +
                            to_string(x) + "; needs the same extents in all other axes", int(axis));
        return indices;
    }
    if (x.rank() - 1 + indices.rank() > Shape::max_rank)
        call.refuse("indices of shape " + to_string(indices) + " in shape " + to_string(x) + " give more than " +
                    std::to_string(Shape::max_rank) + " axes");
    Shape shape;
    for (std::size_t i = 0; i < axis; ++i) shape.push_back(x[i]);
    for (const std::int64_t extent : indices) shape.push_back(extent);
    for (std::size_t i = axis + 1; i < x.rank(); ++i) shape.push_back(x[i]);
    return shape;
}

void check_like_first(const ShapeCall& call, const char* what, std::size_t k) {
    if (call[k].dtype != call[0].dtype)
        call.refuse_dtype("x is " + std::string(to_string(call[0].dtype)) + ", the " + what + " " + to_string(call[k].dtype) +
                          "; cast one of them");
}

Type scattered_type(const ShapeCall& call) {
    const Shape shape = picked_shape(call);
    check_like_first(call, "updates", 2);
    if (!(call[2].shape == shape))
        call.refuse("updates of shape " + to_string(call[2].shape) + " for indices of shape " + to_string(call[1].shape) +
                    " in shape " + to_string(call[0].shape) + "; needs shape " + to_string(shape));
    return call[0];
}

/// Where elements of x, seen as (outer, n, inner), and the picked ones, (outer, count, inner), belong together.
struct Places {
    std::size_t outer = 1, n = 1, inner = 1, count = 1;
    bool along = false;
    const std::int64_t* indices = nullptr;

    template <class Word>
    void fetch(const Word* slice) const {
        const auto* bytes = reinterpret_cast<const char*>(slice);
        for (std::size_t i = 0; i < std::min<std::size_t>(inner * sizeof(Word), 256); i += 64) __builtin_prefetch(bytes + i);
    }
    std::size_t at(std::size_t k) const { return std::size_t(indices[k] < 0 ? indices[k] + std::int64_t(n) : indices[k]); }
    /// f(element of x, element picked, how many) for each piece in the order of the picked; of whole slices, x's are asked for
    /// some time before, since the processor cannot guess where the next one is.
    template <class Word, class F>
    void each(const Word* x, F f) const {
        constexpr std::size_t ahead = 8;
        std::size_t k = 0;
        for (std::size_t o = 0; o < outer; ++o)
            for (std::size_t c = 0; c < count; ++c) {
                const std::size_t picked = (o * count + c) * inner;
                if (!along) {
                    if (c + ahead < count) fetch(x + (o * n + at(c + ahead)) * inner);
                    f((o * n + at(c)) * inner, picked, inner);
                } else {
                    for (std::size_t i = 0; i < inner; ++i, ++k) f((o * n + at(k)) * inner + i, picked + i, std::size_t(1));
                }
            }
    }
};

std::string position_text(const Shape& shape, std::size_t k) {
    Shape position = shape;
    for (std::size_t i = shape.rank(); i-- > 0;) {
        position[i] = std::int64_t(k) % shape[i];
        k /= std::size_t(shape[i]);
    }
    return to_string(position);
}

[[noreturn]] void refuse_index(const KernelCall& call, std::size_t k, std::size_t axis) {
    const Shape &x = call.inputs[0].type->shape, &indices = call.inputs[1].type->shape;
    const std::int64_t n = x[axis];
    throw ValueError("index " + std::to_string(static_cast<const std::int64_t*>(call.inputs[1].data)[k]) + " at " +
                         position_text(indices, k) + " is out of range for axis " + std::to_string(axis) + " of shape " +
                         to_string(x) + "; needs " + (n == 0 ? "an axis with elements" : std::to_string(-n) + " to " + std::to_string(n - 1)),
                     {"", {x}, int(axis), {}});
}

/// Checked: every index is inside.
Places places_of(const KernelCall& call) {
    const Shape& x = call.inputs[0].type->shape;
    const std::size_t axis = std::size_t(call.attributes.get<std::int64_t>("axis"));
    Places its;
    for (std::size_t i = 0; i < x.rank(); ++i) (i < axis ? its.outer : i > axis ? its.inner : its.n) *= std::size_t(x[i]);
    its.along = call.attributes.get<bool>("along");
    its.indices = static_cast<const std::int64_t*>(call.inputs[1].data);
    const auto all = std::size_t(call.inputs[1].type->shape.elements());
    its.count = its.along ? std::size_t(call.inputs[1].type->shape[axis]) : all;
    for (std::size_t k = 0; k < all; ++k)
        if (its.indices[k] < -std::int64_t(its.n) || its.indices[k] >= std::int64_t(its.n)) [[unlikely]] refuse_index(call, k, axis);
    return its;
}

/// f(an unsigned integer as wide as an element): what is moved has no type.
template <class F>
void by_width(const KernelCall& call, F f) {
    switch (size_of(call.type.dtype)) {
        case 8: return f(std::uint64_t());
        case 4: return f(std::uint32_t());
        default: return f(std::uint8_t());
    }
}

template <class Word>
void copy(Word* to, const Word* from, std::size_t count) {
    if (count == 1)
        *to = *from;
    else
        std::memcpy(to, from, count * sizeof(Word));
}

/// The result begins as the first operand, in whose place it may be.
void begin_as_first(const KernelCall& call) {
    if (call.output == call.inputs[0].data) return;
    std::memcpy(call.output, call.inputs[0].data, std::size_t(call.type.shape.elements()) * size_of(call.type.dtype));
}

void gather_kernel(const KernelCall& call) {
    const Places places = places_of(call);
    by_width(call, [&](auto word) {
        using Word = decltype(word);
        const auto* x = static_cast<const Word*>(call.inputs[0].data);
        auto* z = static_cast<Word*>(call.output);
        places.each(x, [&](std::size_t from, std::size_t to, std::size_t count) { copy(z + to, x + from, count); });
    });
}

void scatter_kernel(const KernelCall& call) {
    const Places places = places_of(call);
    begin_as_first(call);
    by_width(call, [&](auto word) {
        using Word = decltype(word);
        const auto* updates = static_cast<const Word*>(call.inputs[2].data);
        auto* z = static_cast<Word*>(call.output);
        places.each(z, [&](std::size_t to, std::size_t from, std::size_t count) { copy(z + to, updates + from, count); });
    });
}

template <class T>
void scatter_add_elements(const KernelCall& call, const Places& places) {
    const T* updates = static_cast<const T*>(call.inputs[2].data);
    T* z = static_cast<T*>(call.output);
    places.each(z, [&](std::size_t to, std::size_t from, std::size_t count) {
        for (std::size_t i = 0; i < count; ++i) z[to + i] += updates[from + i];
    });
}

void scatter_add_kernel(const KernelCall& call) {
    const Places places = places_of(call);
    begin_as_first(call);
    switch (call.type.dtype) {
        case DType::float32: return scatter_add_elements<float>(call, places);
        case DType::float64: return scatter_add_elements<double>(call, places);
        default: return scatter_add_elements<std::uint64_t>(call, places);  // int64, which wraps around
    }
}

Node apply_like(Op op, std::initializer_list<Node> operands, const Operands& x) {
    return gradtape::apply(primitive(op), operands, x.attributes);
}

/// A tangent, or the zeros that it stands for.
Node written(Node dot, Node like) { return dot.is_valid() ? dot : full_like(like, 0.0); }

/// For each update whether it stays: no later one has its place. As many as there are indices.
Node stays(const Operands& x) {
    const Shape to = x[0].shape(), from = x[1].shape();
    const std::int64_t axis = x.attributes.get<std::int64_t>("axis");
    const bool along = x.attributes.get<bool>("along");
    Tensor numbers = Tensor::uninitialised({DType::int64, from});
    std::int64_t next = 0;
    for (std::int64_t& number : numbers.mutable_data<std::int64_t>()) number = next++;
    const Node all = sibling_constant(x[1], numbers);
    const Node none = sibling_constant(x[1], Tensor::zeros(along ? to : Shape{to[std::size_t(axis)]}, DType::int64));
    const Attributes attributes{{"axis", along ? axis : std::int64_t(0)}, {"along", along}};
    const Node last = gradtape::apply(primitive(Op::scatter), {none, x[1], all}, attributes);
    return gradtape::equal(gradtape::apply(primitive(Op::gather), {last, x[1]}, attributes), all);
}

/// `bars` of the updates where they stay, else 0.
Node of_those_that_stay(const Operands& x, Node bars) {
    Node mask = stays(x);
    if (!x.attributes.get<bool>("along")) {  // one for each row
        Shape shape = x[1].shape();
        for (std::size_t i = std::size_t(x.attributes.get<std::int64_t>("axis")) + 1; i < x[0].shape().rank(); ++i) shape.push_back(1);
        mask = gradtape::reshape(mask, shape);
    }
    return gradtape::where(mask, bars, 0.0);
}

/// Of a batch. Where each example has indices of its own, they go along the axis.
void batch_picks(const BatchCall& call) {
    const std::int64_t axis = call.x.attributes.get<std::int64_t>("axis");
    const bool along = call.x.attributes.get<bool>("along");
    std::vector<Node> nodes = all_with_axis(call);
    if (along || !call.batched[1]) {
        if (!along) nodes[1] = call.x[1];
        return call.apply(nodes, {{"axis", axis + 1}, {"along", along}});
    }
    const Shape x = nodes[0].shape(), indices = nodes[1].shape();
    std::int64_t before = 1, after = 1, count = 1;
    Shape picked{call.size};
    for (std::int64_t i = 1; i <= axis; ++i) before *= x[std::size_t(i)], picked.push_back(x[std::size_t(i)]);
    for (std::size_t i = 1; i < indices.rank(); ++i) count *= indices[i], picked.push_back(indices[i]);
    for (std::size_t i = std::size_t(axis) + 2; i < x.rank(); ++i) after *= x[i], picked.push_back(x[i]);
    const bool gathers = nodes.size() == 2;
    nodes[0] = gradtape::reshape(nodes[0], {call.size, before, x[std::size_t(axis) + 1], after});
    nodes[1] = gradtape::broadcast_to(gradtape::reshape(nodes[1], {call.size, 1, count, 1}), {call.size, before, count, after});
    if (!gathers) nodes[2] = gradtape::reshape(nodes[2], {call.size, before, count, after});
    const Node z = gradtape::apply(call.primitive, nodes, {{"axis", std::int64_t(2)}, {"along", true}});
    call.give(0, gradtape::reshape(z, gathers ? picked : x));
}

}  // namespace

// z = x at `indices` of `axis`: x[…, indices, …]; or, with `along`, in each row along the axis at indices of its own.
GRADTAPE_PRIMITIVE(gather, of(2).indexed_by(1)
    .with_settings({"axis", Kind::integer}, {"along", Kind::flag})
    .shaped([](const ShapeCall& call) { return Type{call[0].dtype, picked_shape(call)}; })
    .computed(gather_kernel).batch(batch_picks)
    .vjp([](const Operands& x, Node, Node z_bar) { return apply_like(Op::scatter_add, {full_like(x[0], 0.0), x[1], z_bar}, x); })
    .jvp([](const Operands& x, Node, Node x_dot) { return apply_like(Op::gather, {x_dot, x[1]}, x); }).on(any_real))

// z = x, to which the updates are added where gather would take them from, in their order
GRADTAPE_PRIMITIVE(scatter_add, of(3).indexed_by(1)
    .with_settings({"axis", Kind::integer}, {"along", Kind::flag})
    .takes(numbers)
    .shaped([](const ShapeCall& call) {
        if (call[0].dtype == DType::boolean) call.refuse_dtype("takes numbers, not boolean: cast first");
        return scattered_type(call);
    })
    .computed(scatter_add_kernel).batch(batch_picks)
    .vjp([](const VjpCall& call) {
        call.give(0, call.z_bar);
        if (call.wants(2)) call.give(2, apply_like(Op::gather, {call.z_bar, call.x[1]}, call.x));
    })
    .jvp([](const JvpCall& call) {
        const Node x_dot = call.x_dot[0], dots = call.x_dot[2];
        call.give(0, !dots.is_valid() ? x_dot : apply_like(Op::scatter_add, {written(x_dot, call.x[0]), call.x[1], dots}, call.x));
    }).overwriting().on(any_real))

// z = x, but the updates where gather would take them from: of several for one place the last, which alone has a derivative
GRADTAPE_PRIMITIVE(scatter, of(3).indexed_by(1)
    .with_settings({"axis", Kind::integer}, {"along", Kind::flag})
    .shaped(scattered_type).computed(scatter_kernel).batch(batch_picks)
    .vjp([](const VjpCall& call) {
        const Node z_bar = call.z_bar, indices = call.x[1];
        if (call.wants(0)) call.give(0, apply_like(Op::scatter, {z_bar, indices, full_like(call.x[2], 0.0)}, call.x));
        if (call.wants(2)) call.give(2, of_those_that_stay(call.x, apply_like(Op::gather, {z_bar, indices}, call.x)));
    })
    .jvp([](const JvpCall& call) {
        const Node x_dot = written(call.x_dot[0], call.x[0]), dots = written(call.x_dot[2], call.x[2]);
        call.give(0, apply_like(Op::scatter, {x_dot, call.x[1], dots}, call.x));
    }).overwriting().on(any_real))

// Windows whose place is data: `starts` has one for each axis.
namespace {

void check_starts(const ShapeCall& call) {
    check_indices(call);
    const Shape& x = call[0].shape;
    if (!(call[1].shape == Shape{std::int64_t(x.rank())}))
        call.refuse("starts of shape " + to_string(call[1].shape) + " for shape " + to_string(x) + "; needs one start per axis");
}

void check_fits(const ShapeCall& call, const Shape& window) {
    const Shape& x = call[0].shape;
    bool fits = window.rank() == x.rank();
    for (std::size_t i = 0; fits && i < x.rank(); ++i) fits = window[i] >= 0 && window[i] <= x[i];
    if (!fits) call.refuse("a window of shape " + to_string(window) + " does not fit into shape " + to_string(x));
}

/// A window in x, whose starts are inside.
struct Window {
    const Shape& shape;
    std::int64_t strides[Shape::max_rank] = {}, first = 0;  ///< of x's elements

    /// f(element of x, element of the window, how many) for each of its rows.
    template <class F>
    void each(F f) const {
        const std::size_t rows = shape.rank() == 0 ? 0 : shape.rank() - 1;
        const std::int64_t width = shape.rank() == 0 ? 1 : shape[rows], all = shape.elements();
        std::int64_t index[Shape::max_rank] = {};
        for (std::int64_t done = 0, at = first; done < all; done += width) {
            f(std::size_t(at), std::size_t(done), std::size_t(width));
            for (std::size_t i = rows; i-- > 0;) {
                at += strides[i];
                if (++index[i] < shape[i]) break;
                at -= index[i] * strides[i];
                index[i] = 0;
            }
        }
    }
};

Window window_of(const KernelCall& call, const Shape& shape) {
    const Shape& x = call.inputs[0].type->shape;
    const auto* starts = static_cast<const std::int64_t*>(call.inputs[1].data);
    Window its{shape};
    std::int64_t stride = 1;
    for (std::size_t i = x.rank(); i-- > 0; stride *= x[i]) {
        const std::int64_t n = x[i], start = starts[i] < 0 && starts[i] >= -n ? starts[i] + n : starts[i];
        if (start < 0 || start > n - shape[i]) [[unlikely]]
            throw ValueError("start " + std::to_string(starts[i]) + " of extent " + std::to_string(shape[i]) + " leaves axis " +
                                 std::to_string(i) + " of shape " + to_string(x) + "; needs 0 to " + std::to_string(n - shape[i]) +
                                 ", or the same less " + std::to_string(n), {"", {x}, int(i), {}});
        its.strides[i] = stride;
        its.first += start * stride;
    }
    return its;
}

Node slice_like(Node x, Node starts, Node update) {
    return gradtape::apply(primitive(Op::dynamic_slice), {x, starts}, {{"shape", update.shape()}});
}

/// Starts that all examples share, with one for the batch's axis.
Node starts_of_all(const BatchCall& call) {
    return gradtape::concatenate({sibling_constant(call.x[1], Tensor::zeros({1}, DType::int64)), call.x[1]}, 0);
}

/// Where the elements of each example's window are in x (batch, …), an example's flat: (batch, elements of the window). A window
/// that leaves x has places that do, too, which are refused.
Node places_of_windows(Node x, Node starts, const Shape& window) {
    const std::int64_t size = x.shape(0);
    Shape ones{size};
    for (std::size_t i = 0; i < window.rank(); ++i) ones.push_back(1);
    Node places = gradtape::broadcast_to(sibling_constant(x, Tensor::zeros({}, DType::int64)), ones);
    Node fits = gradtape::equal(places, 0.0);
    std::int64_t stride = 1;
    for (std::size_t i = window.rank(); i-- > 0; stride *= x.shape()[i + 1]) {
        const std::int64_t n = x.shape()[i + 1];
        Shape along = ones;
        along[0] = 1;
        along[i + 1] = window[i];
        Tensor steps = Tensor::uninitialised({DType::int64, along});
        std::int64_t next = 0;
        for (std::int64_t& step : steps.mutable_data<std::int64_t>()) step = next++;
        const Node given = gradtape::reshape(gradtape::slice(starts, {{}, {std::int64_t(i), std::int64_t(i) + 1}}), ones);
        const Node start = gradtape::where(given < 0, given + n, given);
        fits = gradtape::logical_and(fits, gradtape::logical_and(start >= 0, start <= n - window[i]));
        places = places + (start + sibling_constant(x, steps)) * stride;
    }
    const Node checked = gradtape::where(fits, places, stride);
    return gradtape::reshape(gradtape::broadcast_to(checked, behind(size, window)), {size, window.elements()});
}

/// Each example's elements in a row.
Node flat(Node x) {
    std::int64_t count = 1;
    for (std::size_t i = 1; i < x.shape().rank(); ++i) count *= x.shape()[i];
    return gradtape::reshape(x, {x.shape(0), count});
}

}  // namespace

// z = the window of x of extents `shape` that begins at `starts`
GRADTAPE_PRIMITIVE(dynamic_slice, of(2).indexed_by(1)
    .with_settings({"shape", Kind::extents})
    .shaped([](const ShapeCall& call) {
        check_starts(call);
        check_fits(call, call.attributes.get<Shape>("shape"));
        return Type{call[0].dtype, call.attributes.get<Shape>("shape")};
    })
    .computed([](const KernelCall& call) {
        by_width(call, [&](auto word) {
            using Word = decltype(word);
            const auto* x = static_cast<const Word*>(call.inputs[0].data);
            auto* z = static_cast<Word*>(call.output);
            window_of(call, call.type.shape).each([&](std::size_t from, std::size_t to, std::size_t count) { copy(z + to, x + from, count); });
        });
    })
    .vjp([](const Operands& x, Node, Node z_bar) {
        return gradtape::apply(primitive(Op::dynamic_update_slice), {full_like(x[0], 0.0), x[1], z_bar});
    })
    .jvp([](const Operands& x, Node z, Node x_dot) { return slice_like(x_dot, x[1], z); })
    .batch([](const BatchCall& call) {
        const Shape& window = call.x.attributes.get<Shape>("shape");
        const Node x = call.with_axis(0);
        if (!call.batched[1]) return call.apply({{x, starts_of_all(call)}}, {{"shape", behind(call.size, window)}});
        const Node places = places_of_windows(x, call.x[1], window);
        const Node z = gradtape::apply(primitive(Op::gather), {flat(x), places}, {{"axis", std::int64_t(1)}, {"along", true}});
        call.give(0, gradtape::reshape(z, behind(call.size, window)));
    }).on(any_real))

// z = x, but the window that begins at `starts` is the update
GRADTAPE_PRIMITIVE(dynamic_update_slice, of(3).indexed_by(1)
    .shaped([](const ShapeCall& call) {
        check_starts(call);
        check_like_first(call, "update", 2);
        check_fits(call, call[2].shape);
        return call[0];
    })
    .computed([](const KernelCall& call) {
        const Window window = window_of(call, call.inputs[2].type->shape);
        begin_as_first(call);
        by_width(call, [&](auto word) {
            using Word = decltype(word);
            const auto* update = static_cast<const Word*>(call.inputs[2].data);
            auto* z = static_cast<Word*>(call.output);
            window.each([&](std::size_t to, std::size_t from, std::size_t count) { copy(z + to, update + from, count); });
        });
    })
    .vjp([](const VjpCall& call) {
        if (call.wants(0))
            call.give(0, gradtape::apply(primitive(Op::dynamic_update_slice), {call.z_bar, call.x[1], full_like(call.x[2], 0.0)}));
        if (call.wants(2)) call.give(2, slice_like(call.z_bar, call.x[1], call.x[2]));
    })
    .jvp([](const JvpCall& call) {
        const Node x_dot = written(call.x_dot[0], call.x[0]), dot = written(call.x_dot[2], call.x[2]);
        call.give(0, gradtape::apply(primitive(Op::dynamic_update_slice), {x_dot, call.x[1], dot}));
    })
    .batch([](const BatchCall& call) {
        const Node x = call.with_axis(0), update = call.with_axis(2);
        if (!call.batched[1]) return call.apply({{x, starts_of_all(call), update}}, {});
        Shape window;
        for (std::size_t i = 1; i < update.shape().rank(); ++i) window.push_back(update.shape()[i]);
        const Node places = places_of_windows(x, call.x[1], window);
        const Node z = gradtape::apply(primitive(Op::scatter), {flat(x), places, flat(update)}, {{"axis", std::int64_t(1)}, {"along", true}});
        call.give(0, gradtape::reshape(z, x.shape()));
    }).overwriting().on(any_real))

}  // namespace gradtape::detail::GRADTAPE_ISA

// Moving elements: broadcast_to, reshape, transpose, slice, unslice, add_slices, concatenate, pad. All are linear.
#include "family.hpp"

#include "../kernels/layout.hpp"
#include "../support/extents.hpp"

#include <cstring>

namespace gradtape::detail::GRADTAPE_ISA {
namespace {

const Shape& target(const ShapeCall& call) { return call.attributes.get<Shape>("shape"); }

std::size_t width(const KernelCall& call) { return size_of(call.type.dtype); }

}  // namespace

// z = x repeated along new and size-1 axes
GRADTAPE_KERNELS(broadcast_to, whole([](const KernelCall& call) {
    broadcast_to(call.inputs[0].data, call.output, call.inputs[0].type->shape, call.type.shape, width(call));
}))
GRADTAPE_PRIMITIVE(broadcast_to, of(1)
    .with_settings({"shape", Kind::extents})
    .shaped([](const ShapeCall& call) {
        const Shape &from = call[0].shape, &to = target(call);
        bool fits = from.rank() <= to.rank();
        for (std::size_t i = 0; fits && i < from.rank(); ++i) {
            const std::int64_t extent = from[from.rank() - 1 - i];
            fits = extent == 1 || extent == to[to.rank() - 1 - i];
        }
        if (!fits) call.refuse("shape " + to_string(from) + " does not broadcast to " + to_string(to));
        return Type{call[0].dtype, to};
    })
    .vjp([](const Operands& x, Node, Node z_bar) { return gradtape::sum_to(z_bar, x[0].shape()); }).linear()
    .batch([](const BatchCall& call) {
        const Shape &to = call.x.attributes.get<Shape>("shape"), from = call.x[0].shape();
        Shape aligned{from[0]};
        for (std::size_t i = from.rank() - 1; i < to.rank(); ++i) aligned.push_back(1);
        for (std::size_t i = 1; i < from.rank(); ++i) aligned.push_back(from[i]);
        const Node x = gradtape::reshape(call.x[0], aligned);
        call.apply({{x}}, {{"shape", behind(call.size, to)}});
    }).on(any_real))

// z = the same elements in another shape
GRADTAPE_PRIMITIVE(reshape, of(1)
    .with_settings({"shape", Kind::extents})
    .shaped([](const ShapeCall& call) {
        if (call[0].shape.elements() != target(call).elements())
            call.refuse("shape " + to_string(call[0].shape) + " has " + std::to_string(call[0].shape.elements()) +
                        " elements, " + to_string(target(call)) + " has " + std::to_string(target(call).elements()));
        return Type{call[0].dtype, target(call)};
    })
    .identity()
    .vjp([](const Operands& x, Node, Node z_bar) { return gradtape::reshape(z_bar, x[0].shape()); }).linear()
    .batch([](const BatchCall& call) {
        call.apply(call.x.nodes, {{"shape", behind(call.size, call.x.attributes.get<Shape>("shape"))}});
    }).on(any_real))

// z.shape[i] = x.shape[permutation[i]]
GRADTAPE_KERNELS(transpose, whole([](const KernelCall& call) {
    transpose(call.inputs[0].data, call.output, call.inputs[0].type->shape,
              call.attributes.get<Shape>("permutation"), width(call));
}))
GRADTAPE_PRIMITIVE(transpose, of(1)
    .with_settings({"permutation", Kind::integers})
    .shaped([](const ShapeCall& call) {
        const Shape &shape = call[0].shape, &permutation = call.attributes.get<Shape>("permutation");
        unsigned seen = 0;
        for (auto axis : permutation)
            if (axis >= 0 && axis < std::int64_t(shape.rank())) seen |= 1u << axis;
        if (permutation.size() != shape.rank() || seen != (1u << shape.rank()) - 1)
            call.refuse(to_string(permutation) + " is no permutation of the axes of shape " + to_string(shape));
        Shape result;
        for (auto axis : permutation) result.push_back(shape[std::size_t(axis)]);
        return Type{call[0].dtype, result};
    })
    .vjp([](const Operands& x, Node, Node z_bar) {
        const Shape& permutation = x.attributes.get<Shape>("permutation");
        Shape inverse = permutation;
        for (std::size_t i = 0; i < permutation.size(); ++i) inverse[std::size_t(permutation[i])] = std::int64_t(i);
        return gradtape::transpose(z_bar, inverse);
    }).linear()
    .batch([](const BatchCall& call) {
        call.apply(call.x.nodes, {{"permutation", behind(0, shifted(call.x.attributes.get<Shape>("permutation")))}});
    }).on(any_real))

namespace {

/// The strided window start + i step, i < extent, must lie inside `shape`.
void check_window(const ShapeCall& call, const Shape& shape, const Shape& extents, std::span<const std::int64_t> start,
                  std::span<const std::int64_t> step) {
    if (start.size() != shape.rank() || step.size() != shape.rank() || extents.rank() != shape.rank())
        call.refuse("one start and step per axis of shape " + to_string(shape) + " are needed");
    for (std::size_t i = 0; i < shape.rank(); ++i) {
        std::int64_t last = 0;
        const bool wraps = extents[i] > 0 && (__builtin_mul_overflow(extents[i] - 1, step[i], &last) ||
                                              __builtin_add_overflow(last, start[i], &last));
        const bool inside = !wraps && start[i] >= 0 && start[i] < shape[i] && last >= 0 && last < shape[i];
        if (step[i] == 0 || extents[i] < 0 || (extents[i] > 0 && !inside))
            call.refuse("slice " + std::to_string(start[i]) + " step " + std::to_string(step[i]) + " × " +
                            std::to_string(extents[i]) + " leaves axis " + std::to_string(i) + " of shape " +
                            to_string(shape), int(i));
    }
}

void check_window(const ShapeCall& call, const Shape& shape, const Shape& extents) {
    const Shape &start = call.attributes.get<Shape>("start"), &step = call.attributes.get<Shape>("step");
    check_window(call, shape, extents, {start.begin(), start.end()}, {step.begin(), step.end()});
}

Node bind_window(Op op, Node x, const Attributes& like, const Shape& shape) {
    return gradtape::apply(primitive(op), {x},
                           {{"start", like.get<Shape>("start")}, {"step", like.get<Shape>("step")}, {"shape", shape}});
}

/// The first part makes the tensor, where there is no sum yet; the others are added to it.
Node add_parts(Node x, Node sum, std::span<const Part> parts) {
    const Shape shape = x.shape();
    if (!sum.is_valid()) {
        sum = bind_window(Op::unslice, parts[0].z_bar, parts[0].attributes, shape);
        parts = parts.subspan(1);
    }
    if (parts.empty()) return sum;
    std::vector<Node> operands{sum};
    Integers starts, steps;
    for (const Part& part : parts) {
        operands.push_back(part.z_bar);
        for (std::int64_t start : part.attributes.get<Shape>("start")) starts.push_back(start);
        for (std::int64_t step : part.attributes.get<Shape>("step")) steps.push_back(step);
    }
    return gradtape::apply(primitive(Op::add_slices), operands, {{"start", std::move(starts)}, {"step", std::move(steps)}});
}

/// A window that is whole along the axis.
void batch_window(const BatchCall& call) {
    const Attributes& its = call.x.attributes;
    call.apply(call.x.nodes, {{"start", behind(0, its.get<Shape>("start"))}, {"step", behind(1, its.get<Shape>("step"))},
                              {"shape", behind(call.size, its.get<Shape>("shape"))}});
}

}  // namespace

// z[i] = x[start + i step], of the given shape
GRADTAPE_KERNELS(slice, whole([](const KernelCall& call) {
    slice(call.inputs[0].data, call.output, call.inputs[0].type->shape, call.attributes.get<Shape>("start"),
          call.attributes.get<Shape>("step"), call.type.shape, width(call));
}))
GRADTAPE_PRIMITIVE(slice, of(1)
    .with_settings({"start", Kind::integers}, {"step", Kind::integers}, {"shape", Kind::extents})
    .shaped([](const ShapeCall& call) {
        check_window(call, call[0].shape, target(call));
        return Type{call[0].dtype, target(call)};
    })
    .vjp_parts(add_parts)
    .linear().batch(batch_window).on(any_real))

// z[start + i step] = x[i], zero elsewhere: the transpose of slice
GRADTAPE_KERNELS(unslice, whole([](const KernelCall& call) {
    unslice(call.inputs[0].data, call.output, call.inputs[0].type->shape, call.attributes.get<Shape>("start"),
            call.attributes.get<Shape>("step"), call.type.shape, width(call));
}))
GRADTAPE_PRIMITIVE(unslice, of(1)
    .with_settings({"start", Kind::integers}, {"step", Kind::integers}, {"shape", Kind::extents})
    .shaped([](const ShapeCall& call) {
        check_window(call, target(call), call[0].shape);
        return Type{call[0].dtype, target(call)};
    })
    .vjp([](const Operands& x, Node, Node z_bar) { return bind_window(Op::slice, z_bar, x.attributes, x[0].shape()); })
    .linear().batch(batch_window).on(any_real))

// z = w, and to z[start + i step] is added x[i], for each further operand x in turn. In place of w it writes the windows
// only. `start` and `step` have those of the first window, then those of the next.
namespace {

struct Window {
    std::span<const std::int64_t> start, step;
};
/// Of operand k ≥ 1, in a tensor of `rank` axes.
Window window_of(const Attributes& attributes, std::size_t k, std::size_t rank) {
    return {std::span(attributes.get<Integers>("start")).subspan((k - 1) * rank, rank),
            std::span(attributes.get<Integers>("step")).subspan((k - 1) * rank, rank)};
}

Type add_slices_type(const ShapeCall& call) {
    if (!is_floating(call[0].dtype))
        call.refuse_dtype("takes float32 or float64, not " + std::string(to_string(call[0].dtype)));
    const Shape& shape = call[0].shape;
    const std::size_t needed = (call.operands.size() - 1) * shape.rank();
    for (const char* name : {"start", "step"})
        if (call.attributes.get<Integers>(name).size() != needed)
            call.refuse("one start and step per axis of shape " + to_string(shape) + " and slice are needed");
    for (std::size_t k = 1; k < call.operands.size(); ++k) {
        if (call[k].dtype != call[0].dtype)
            call.refuse_dtype(std::string("operand 0 is ") + to_string(call[0].dtype) + ", operand " + std::to_string(k) +
                              " is " + to_string(call[k].dtype));
        const Window window = window_of(call.attributes, k, shape.rank());
        check_window(call, shape, call[k].shape, window.start, window.step);
    }
    return call[0];
}

template <class T>
void add_slices_to(const KernelCall& call) {
    T* const z = static_cast<T*>(call.output);
    const Shape& shape = call.type.shape;
    if (call.output != call.inputs[0].data) std::memcpy(z, call.inputs[0].data, std::size_t(shape.elements()) * sizeof(T));
    for (std::size_t k = 1; k < call.inputs.size(); ++k) {
        const Window window = window_of(call.attributes, k, shape.rank());
        add_slice(static_cast<const T*>(call.inputs[k].data), z, call.inputs[k].type->shape, window.start, window.step, shape);
    }
}

Shape as_shape(std::span<const std::int64_t> integers) {
    Shape result;
    for (std::int64_t i : integers) result.push_back(i);
    return result;
}

}  // namespace
GRADTAPE_KERNELS(add_slices, whole([](const KernelCall& call) {
    call.type.dtype == DType::float32 ? add_slices_to<float>(call) : add_slices_to<double>(call);
}))
GRADTAPE_PRIMITIVE(add_slices, of(Primitive::variadic)
    .with_settings({"start", Kind::list}, {"step", Kind::list})
    .takes(floats)
    .shaped(add_slices_type)
    .vjp([](const VjpCall& call) {
        call.give(0, call.z_bar);
        for (std::size_t k = 1; k < call.x.count(); ++k) {
            if (!call.wants(k)) continue;
            const Window window = window_of(call.x.attributes, k, call.z_bar.shape().rank());
            call.give(k, bind_window(Op::slice, call.z_bar, {{"start", as_shape(window.start)}, {"step", as_shape(window.step)}},
                                     call.x[k].shape()));
        }
    }).linear().overwriting()
    .batch([](const BatchCall& call) {
        const std::size_t rank = call.with_axis(0).shape().rank() - 1;
        Integers starts, steps;
        for (std::size_t k = 1; k < call.x.count(); ++k) {
            const Window window = window_of(call.x.attributes, k, rank);
            starts.push_back(0);
            steps.push_back(1);
            starts.insert(starts.end(), window.start.begin(), window.start.end());
            steps.insert(steps.end(), window.step.begin(), window.step.end());
        }
        call.apply(all_with_axis(call), {{"start", starts}, {"step", steps}});
    }).on(any_real))

// z = the operands side by side along `axis`
GRADTAPE_KERNELS(concatenate, whole([](const KernelCall& call) {
    concatenate(call.inputs, call.output, call.type.shape, std::size_t(call.attributes.get<std::int64_t>("axis")),
                width(call));
}))
GRADTAPE_PRIMITIVE(concatenate, of(Primitive::variadic)
    .with_settings({"axis", Kind::integer})
    .shaped([](const ShapeCall& call) {
        const std::int64_t axis = call.attributes.get<std::int64_t>("axis");
        Type type = call[0];
        if (axis < 0 || axis >= std::int64_t(type.shape.rank()))
            call.refuse("axis " + std::to_string(axis) + " of shape " + to_string(type.shape), int(axis));
        for (std::size_t k = 1; k < call.operands.size(); ++k) {
            Shape shape = call[k].shape;
            if (call[k].dtype != type.dtype)
                call.refuse_dtype(std::string("operand 0 is ") + to_string(type.dtype) + ", operand " +
                                  std::to_string(k) + " is " + to_string(call[k].dtype));
            const std::int64_t extent = shape.rank() == type.shape.rank() ? shape[std::size_t(axis)] : 0;
            if (shape.rank() == type.shape.rank()) shape[std::size_t(axis)] = type.shape[std::size_t(axis)];
            if (!(shape == type.shape))
                call.refuse("shapes " + to_string(call[0].shape) + " and " + to_string(call[k].shape) +
                                " differ outside axis " + std::to_string(axis), int(axis));
            type.shape[std::size_t(axis)] = saturated_sum(type.shape[std::size_t(axis)], extent);
        }
        return type;
    })
    .vjp([](const VjpCall& call) {
        const std::size_t axis = std::size_t(call.x.attributes.get<std::int64_t>("axis"));
        Shape start, step;
        for (std::size_t i = 0; i < call.z.shape().rank(); ++i) {
            start.push_back(0);
            step.push_back(1);
        }
        for (std::size_t k = 0; k < call.x.count(); ++k) {
            const Shape shape = call.x[k].shape();
            if (call.wants(k))
                call.give(k, shape.elements() == 0 ? Node()
                                                   : bind_window(Op::slice, call.z_bar, {{"start", start}, {"step", step}}, shape));
            start[axis] += shape[axis];
        }
    }).linear()
    .batch(batch_axis).on(any_real))

namespace {

template <class T>
void pad_elements(const KernelCall& call) {
    const T value = T(call.attributes.get<double>("value"));
    pad(call.inputs[0].data, call.output, call.inputs[0].type->shape, call.attributes.get<Shape>("before"),
        call.type.shape, &value, sizeof(T));
}

}  // namespace

// z = x with `before` and `after` more elements of `value` around each axis
GRADTAPE_KERNELS(pad, whole([](const KernelCall& call) {
    switch (call.type.dtype) {
        case DType::float32: return pad_elements<float>(call);
        case DType::float64: return pad_elements<double>(call);
        case DType::int64: return pad_elements<std::int64_t>(call);
        case DType::boolean: return pad_elements<bool>(call);
    }
}))
GRADTAPE_PRIMITIVE(pad, of(1)
    .with_settings({"before", Kind::integers}, {"after", Kind::integers}, {"value", Kind::number})
    .shaped([](const ShapeCall& call) {
        const Shape &before = call.attributes.get<Shape>("before"), &after = call.attributes.get<Shape>("after");
        Type type = call[0];
        if (before.size() != type.shape.rank() || after.size() != type.shape.rank())
            call.refuse("one width per axis of shape " + to_string(type.shape) + " is needed, before and after; got " +
                        std::to_string(before.size()) + " and " + std::to_string(after.size()));
        for (std::size_t i = 0; i < type.shape.rank(); ++i) {
            if (before[i] < 0 || after[i] < 0)
                call.refuse("negative width around axis " + std::to_string(i) + " of shape " + to_string(call[0].shape) +
                                "; slice instead", int(i));
            type.shape[i] = saturated_sum(type.shape[i], saturated_sum(before[i], after[i]));
        }
        return type;
    })
    .vjp([](const Operands& x, Node, Node z_bar) {
        Shape step = x[0].shape();
        for (std::size_t i = 0; i < step.size(); ++i) step[i] = 1;
        return bind_window(Op::slice, z_bar, {{"start", x.attributes.get<Shape>("before")}, {"step", step}}, x[0].shape());
    })
    .jvp([](const Operands& x, Node, Node x_dot) {
        return gradtape::pad(x_dot, x.attributes.get<Shape>("before"), x.attributes.get<Shape>("after"));
    }).batch([](const BatchCall& call) {
        const Attributes& its = call.x.attributes;
        call.apply(call.x.nodes, {{"before", behind(0, its.get<Shape>("before"))}, {"after", behind(0, its.get<Shape>("after"))},
                                  {"value", its.get<double>("value")}});
    })
    .on(any_real))

}  // namespace gradtape::detail::GRADTAPE_ISA

// Every function here is one loop nest over two strided views.
#include "layout.hpp"

#include <cstring>

#include "tile.hpp"

namespace gradtape::detail::GRADTAPE_ISA {
namespace {

using std::int64_t;

/// For all indices: z[sum index z_step] = x[sum index x_step], steps in elements.
struct Nest {
    struct Axis {
        int64_t extent, x_step, z_step;
    };
    int rank = 0;
    Axis axes[Shape::max_rank + 2];

    /// Adds an axis inside the others, or lengthens the last one where the two can be walked as one.
    void inside(int64_t extent, int64_t x_step, int64_t z_step) {
        if (extent == 1) return;
        if (rank > 0) {
            Axis& outer = axes[rank - 1];
            if (outer.x_step == extent * x_step && outer.z_step == extent * z_step) {
                outer = {outer.extent * extent, x_step, z_step};
                return;
            }
        }
        axes[rank++] = {extent, x_step, z_step};
    }
};

struct Steps {
    int64_t of[Shape::max_rank];
};
Steps row_major(const Shape& shape) {
    Steps steps{};
    int64_t step = 1;
    for (std::size_t i = shape.rank(); i-- > 0; step *= shape[i]) steps.of[i] = step;
    return steps;
}
/// Between the elements of a window's axis. The step of a single element, or of none, may be any number.
int64_t apart(int64_t extent, int64_t step, int64_t of) { return extent > 1 ? step * of : 0; }

template <class E>
void copy_run(const E* x, E* z, int64_t n) {
    if (n * static_cast<int64_t>(sizeof(E)) >= 64)
        std::memcpy(z, x, static_cast<std::size_t>(n) * sizeof(E));
    else
        for (int64_t i = 0; i < n; ++i) z[i] = x[i];
}

template <class E>
void copy_line(const E* x, E* z, Nest::Axis a) {
    if (a.z_step != 1)
        for (int64_t i = 0; i < a.extent; ++i) z[i * a.z_step] = x[i * a.x_step];
    else if (a.x_step == 1)
        copy_run(x, z, a.extent);
    else if (a.x_step == 0)
        for (int64_t i = 0; i < a.extent; ++i) z[i] = *x;
    else
        for (int64_t i = 0; i < a.extent; ++i) z[i] = x[i * a.x_step];
}

/// The same row again and again: by doubling, so that short rows cost no loop each.
template <class E>
void repeat_row(const E* x, E* z, int64_t times, int64_t n) {
    const int64_t total = times * n, cached = 4096;
    const int64_t largest = n < cached ? cached / n * n : n;
    copy_run(x, z, n);
    for (int64_t done = n; done < total;) {
        int64_t next = done < total - done ? done : total - done;
        if (next > largest) next = largest;
        copy_run(z, z + done, next);
        done += next;
    }
}

/// x walks along the outer axis contiguously, z along the inner one.
template <class E>
void transpose_plane(const E* x, E* z, Nest::Axis outer, Nest::Axis inner) {
    constexpr int64_t N = tile<E>, strip = 64 / static_cast<int64_t>(sizeof(E));  // a strip of x is a cache line
    int64_t o = 0;
    for (; o + N <= outer.extent;) {
        const int64_t end = o + strip <= outer.extent ? o + strip : o + N;
        int64_t i = 0;
        for (; i + N <= inner.extent; i += N)
            for (int64_t t = o; t < end; t += N)
                transpose_tile(x + i * inner.x_step + t, inner.x_step, z + t * outer.z_step + i, outer.z_step);
        for (; i < inner.extent; ++i)
            for (int64_t t = o; t < end; ++t) z[t * outer.z_step + i] = x[i * inner.x_step + t];
        o = end;
    }
    for (; o < outer.extent; ++o)
        for (int64_t i = 0; i < inner.extent; ++i) z[o * outer.z_step + i] = x[i * inner.x_step + o];
}

template <class E>
void copy_plane(const E* x, E* z, Nest::Axis outer, Nest::Axis inner) {
    if (outer.x_step == 1 && inner.z_step == 1 && inner.x_step > 1)
        transpose_plane(x, z, outer, inner);
    else if (outer.x_step == 0 && inner.x_step == 1 && inner.z_step == 1 && outer.z_step == inner.extent)
        repeat_row(x, z, outer.extent, inner.extent);
    else if (inner.extent < 8 && inner.extent < outer.extent)  // long loops: short ones cost more than their steps
        for (int64_t i = 0; i < inner.extent; ++i) copy_line(x + i * inner.x_step, z + i * inner.z_step, outer);
    else
        for (int64_t o = 0; o < outer.extent; ++o) copy_line(x + o * outer.x_step, z + o * outer.z_step, inner);
}

/// Calls body(x, z) at each place that the first `count` axes lead to, the last of them moving fastest.
template <class T, class Body>
void for_each_place(const Nest& nest, int count, const T* x, T* z, const Body& body) {
    int64_t index[Shape::max_rank + 2] = {};
    for (;;) {
        body(x, z);
        int i = count - 1;
        for (; i >= 0; --i) {
            const Nest::Axis& a = nest.axes[i];
            x += a.x_step;
            z += a.z_step;
            if (++index[i] < a.extent) break;
            index[i] = 0;
            x -= a.extent * a.x_step;
            z -= a.extent * a.z_step;
        }
        if (i < 0) return;
    }
}

/// The planes of the two innermost axes, for all indices of the others.
template <class E>
void run(const E* x, E* z, Nest nest) {
    for (int i = 0; i < nest.rank; ++i)
        if (nest.axes[i].extent == 0) return;
    if (nest.rank == 0) {
        *z = *x;
        return;
    }
    if (nest.rank == 1) return copy_line(x, z, nest.axes[0]);
    const int outer = nest.rank - 2;
    const Nest::Axis inner = nest.axes[nest.rank - 1];
    if (inner.x_step > 1)  // bring the axis along which x is contiguous next to the innermost
        for (int i = 0; i < outer; ++i)
            if (nest.axes[i].x_step == 1) {
                const Nest::Axis moved = nest.axes[i];
                nest.axes[i] = nest.axes[outer];
                nest.axes[outer] = moved;
                break;
            }
    for_each_place(nest, outer, x, z, [&](const E* from, E* to) { copy_plane(from, to, nest.axes[outer], inner); });
}

void run(const void* x, int64_t x_offset, void* z, int64_t z_offset, const Nest& nest, std::size_t element_size) {
    auto as = [&](auto element) {
        using E = decltype(element);
        run(static_cast<const E*>(x) + x_offset, static_cast<E*>(z) + z_offset, nest);
    };
    if (element_size == 8)
        as(std::uint64_t{});
    else if (element_size == 4)
        as(std::uint32_t{});
    else
        as(std::uint8_t{});
}

}  // namespace

void transpose(const void* x, void* z, const Shape& x_shape, const Shape& permutation, std::size_t element_size) {
    const Steps x_steps = row_major(x_shape);
    Shape z_shape;
    for (int64_t axis : permutation) z_shape.push_back(x_shape[static_cast<std::size_t>(axis)]);
    const Steps z_steps = row_major(z_shape);
    Nest nest;
    for (std::size_t i = 0; i < z_shape.rank(); ++i)
        nest.inside(z_shape[i], x_steps.of[permutation[i]], z_steps.of[i]);
    run(x, 0, z, 0, nest, element_size);
}

void broadcast_to(const void* x, void* z, const Shape& x_shape, const Shape& z_shape, std::size_t element_size) {
    const Steps x_steps = row_major(x_shape), z_steps = row_major(z_shape);
    const std::size_t added = z_shape.rank() - x_shape.rank();
    Nest nest;
    for (std::size_t i = 0; i < z_shape.rank(); ++i) {
        const bool repeats = i < added || x_shape[i - added] == 1;
        nest.inside(z_shape[i], repeats ? 0 : x_steps.of[i - added], z_steps.of[i]);
    }
    run(x, 0, z, 0, nest, element_size);
}

void slice(const void* x, void* z, const Shape& x_shape, const Shape& start, const Shape& step, const Shape& z_shape,
           std::size_t element_size) {
    const Steps x_steps = row_major(x_shape), z_steps = row_major(z_shape);
    Nest nest;
    int64_t offset = 0;
    for (std::size_t i = 0; i < z_shape.rank(); ++i) {
        nest.inside(z_shape[i], apart(z_shape[i], step[i], x_steps.of[i]), z_steps.of[i]);
        offset += start[i] * x_steps.of[i];
    }
    if (z_shape.elements() > 0) run(x, offset, z, 0, nest, element_size);
}

void unslice(const void* x, void* z, const Shape& x_shape, const Shape& start, const Shape& step, const Shape& z_shape,
             std::size_t element_size) {
    const Steps x_steps = row_major(x_shape), z_steps = row_major(z_shape);
    std::memset(z, 0, static_cast<std::size_t>(z_shape.elements()) * element_size);
    Nest nest;
    int64_t offset = 0;
    for (std::size_t i = 0; i < z_shape.rank(); ++i) {
        nest.inside(x_shape[i], x_steps.of[i], apart(x_shape[i], step[i], z_steps.of[i]));
        offset += start[i] * z_steps.of[i];
    }
    if (x_shape.elements() > 0) run(x, 0, z, offset, nest, element_size);
}

template <class T>
void add_slice(const T* x, T* z, const Shape& x_shape, std::span<const int64_t> start, std::span<const int64_t> step,
               const Shape& z_shape) {
    const Steps x_steps = row_major(x_shape), z_steps = row_major(z_shape);
    if (x_shape.elements() == 0) return;
    Nest nest;
    for (std::size_t i = 0; i < z_shape.rank(); ++i) {
        nest.inside(x_shape[i], x_steps.of[i], apart(x_shape[i], step[i], z_steps.of[i]));
        z += start[i] * z_steps.of[i];
    }
    const Nest::Axis line = nest.rank ? nest.axes[nest.rank - 1] : Nest::Axis{1, 1, 1};
    for_each_place(nest, nest.rank - 1, x, z, [&](const T* from, T* to) {
        if (line.z_step == 1)
            for (int64_t i = 0; i < line.extent; ++i) to[i] += from[i];
        else
            for (int64_t i = 0; i < line.extent; ++i) to[i * line.z_step] += from[i];
    });
}
template void add_slice(const float*, float*, const Shape&, std::span<const int64_t>, std::span<const int64_t>, const Shape&);
template void add_slice(const double*, double*, const Shape&, std::span<const int64_t>, std::span<const int64_t>, const Shape&);

void pad(const void* x, void* z, const Shape& x_shape, const Shape& before, const Shape& z_shape, const void* value,
         std::size_t element_size) {
    const Steps x_steps = row_major(x_shape), z_steps = row_major(z_shape);
    Nest fill, nest;
    fill.inside(z_shape.elements(), 0, 1);
    run(value, 0, z, 0, fill, element_size);
    int64_t offset = 0;
    for (std::size_t i = 0; i < z_shape.rank(); ++i) {
        nest.inside(x_shape[i], x_steps.of[i], z_steps.of[i]);
        offset += before[i] * z_steps.of[i];
    }
    if (x_shape.elements() > 0) run(x, 0, z, offset, nest, element_size);
}

void concatenate(std::span<const KernelCall::In> parts, void* z, const Shape& z_shape, std::size_t axis,
                 std::size_t element_size) {
    std::size_t outer = 1, inner = element_size;  // inner: bytes of one index along the axis
    for (std::size_t i = 0; i < axis; ++i) outer *= static_cast<std::size_t>(z_shape[i]);
    for (std::size_t i = axis + 1; i < z_shape.rank(); ++i) inner *= static_cast<std::size_t>(z_shape[i]);
    const std::size_t row = inner * static_cast<std::size_t>(z_shape[axis]);
    char* to = static_cast<char*>(z);
    for (const KernelCall::In& part : parts) {
        const std::size_t width = inner * static_cast<std::size_t>(part.type->shape[axis]);
        const char* from = static_cast<const char*>(part.data);
        for (std::size_t i = 0; width > 0 && i < outer; ++i) std::memcpy(to + i * row, from + i * width, width);
        to += width;
    }
}

}  // namespace gradtape::detail::GRADTAPE_ISA

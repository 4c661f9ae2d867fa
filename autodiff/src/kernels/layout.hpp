// Moving elements: transpose, broadcast, slice, pad, concatenate, on raw bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <gradtape/primitive.hpp>

namespace gradtape::detail::GRADTAPE_ISA {

// Arrays are contiguous and row-major; element_size is 1, 4 or 8. x and z do not overlap.

/// z.shape[i] == x_shape[permutation[i]].
void transpose(const void* x, void* z, const Shape& x_shape, const Shape& permutation, std::size_t element_size);

/// NumPy's rule: x_shape is aligned at the right, extents 1 repeat.
void broadcast_to(const void* x, void* z, const Shape& x_shape, const Shape& z_shape, std::size_t element_size);

/// z[i, …] = x[start + i step, …]; starts are in range, steps are not 0 and may be negative.
void slice(const void* x, void* z, const Shape& x_shape, const Shape& start, const Shape& step, const Shape& z_shape,
           std::size_t element_size);

/// The reverse of slice: z[start + i step, …] = x[i, …], and zero elsewhere.
void unslice(const void* x, void* z, const Shape& x_shape, const Shape& start, const Shape& step, const Shape& z_shape,
             std::size_t element_size);

/// z[start + i step, …] += x[i, …]; no window names an element twice.
template <class T>
void add_slice(const T* x, T* z, const Shape& x_shape, std::span<const std::int64_t> start, std::span<const std::int64_t> step,
               const Shape& z_shape);

/// x at offset `before` within z, and the element at `value` elsewhere.
void pad(const void* x, void* z, const Shape& x_shape, const Shape& before, const Shape& z_shape, const void* value,
         std::size_t element_size);

/// The parts side by side along `axis`; z_shape is the result's shape.
void concatenate(std::span<const KernelCall::In> parts, void* z, const Shape& z_shape, std::size_t axis,
                 std::size_t element_size);

}  // namespace gradtape::detail::GRADTAPE_ISA

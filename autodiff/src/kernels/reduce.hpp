// Reductions along one axis of a contiguous (outer, reduced, inner) array, in a fixed tree.
#pragma once

#include <cstdint>

namespace gradtape::detail::GRADTAPE_ISA {

// x is (outer, reduced, inner), z is (outer, inner), both row-major. Instantiated for float, double and int64.
// The order of combination depends on `reduced` and on whether inner == 1, on nothing else, and is the same on
// every instruction set: see reduce.cpp.

/// Sum; 0 where reduced == 0.
template <class T>
void reduce_sum(const T* x, T* z, std::int64_t outer, std::int64_t reduced, std::int64_t inner);

/// Product; 1 where reduced == 0.
template <class T>
void reduce_prod(const T* x, T* z, std::int64_t outer, std::int64_t reduced, std::int64_t inner);

/// Maximum; NaN if any element is NaN. Needs reduced > 0.
template <class T>
void reduce_max(const T* x, T* z, std::int64_t outer, std::int64_t reduced, std::int64_t inner);

/// Minimum; NaN if any element is NaN. Needs reduced > 0.
template <class T>
void reduce_min(const T* x, T* z, std::int64_t outer, std::int64_t reduced, std::int64_t inner);

}  // namespace gradtape::detail::GRADTAPE_ISA

// Means and lengths along one axis of a contiguous (outer, reduced, inner) array that do not overflow or vanish on the way.
#pragma once

#include <cstdint>

namespace gradtape::detail::GRADTAPE_ISA {

// Instantiated for float and double. Each is computed plainly, and again with elements scaled by a power of two where the
// sum left the range; so whatever stays within it has the bits of the plain form. Sums have the tree of reduce_sum.

/// z (outer, inner) = s / reduced, where s is the sum of x; nothing of x is read where all of s is finite. 0 / 0: NaN.
template <class T>
void mean(const T* s, const T* x, T* z, std::int64_t outer, std::int64_t reduced, std::int64_t inner);

/// z (outer, inner) = sqrt(sum x^2).
template <class T>
void norm(const T* x, T* z, std::int64_t outer, std::int64_t reduced, std::int64_t inner);

/// z = x / norm(x), of the shape of x. Of zeros: zeros. With k infinite elements: +-1 / sqrt(k) at those, 0 elsewhere.
template <class T>
void direction(const T* x, T* z, std::int64_t outer, std::int64_t reduced, std::int64_t inner);

}  // namespace gradtape::detail::GRADTAPE_ISA

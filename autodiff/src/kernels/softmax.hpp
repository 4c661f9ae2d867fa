// logsumexp, softmax and log_softmax along one axis of a contiguous (outer, reduced, inner) array.
#pragma once

#include <cstdint>

namespace gradtape::detail::GRADTAPE_ISA {

// Instantiated for float and double. The largest element is subtracted first, so nothing overflows; NaN spreads
// over its own reduced axis only. Sums are those of reduce_sum. A logarithm is that of 1 + the sum of all terms but the
// largest, which may be too small to show beside it. z may be x itself in softmax, without log_sums, and log_softmax.

/// z (outer, inner) = log sum exp x. All -inf, or nothing to reduce: -inf. Some +inf: +inf.
template <class T>
void logsumexp(const T* x, T* z, std::int64_t outer, std::int64_t reduced, std::int64_t inner);

/// z = exp(x) / sum exp x. All -inf: zeros. With k elements +inf: 1/k at those, 0 elsewhere. Where `log_sums` (outer, inner) is
/// not null, it becomes logsumexp x, bit for bit.
template <class T>
void softmax(const T* x, T* z, std::int64_t outer, std::int64_t reduced, std::int64_t inner, T* log_sums = nullptr);

/// z = x - logsumexp(x). All -inf: -inf. With k elements +inf: -log k at those, -inf elsewhere.
template <class T>
void log_softmax(const T* x, T* z, std::int64_t outer, std::int64_t reduced, std::int64_t inner);

}  // namespace gradtape::detail::GRADTAPE_ISA

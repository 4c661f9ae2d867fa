// Transposing a small square of elements in registers.
#pragma once

#include <cstdint>

#include "unroll.hpp"

namespace gradtape::detail::GRADTAPE_ISA {
namespace {

template <class E, int N>
struct TileRow {
    typedef E type __attribute__((vector_size(N * sizeof(E))));
};

#if defined(__AVX2__)
constexpr int edge_bytes = 32;
#else
constexpr int edge_bytes = 16;
#endif

/// Edge of the square for elements E.
template <class E>
inline constexpr int tile = sizeof(E) == 1 ? 8 : edge_bytes / static_cast<int>(sizeof(E));

/// Transpose of n registers of n elements: pairs of rows exchange single elements, then pairs of elements, then fours, ….
template <int step = 1, class V, int n>
GRADTAPE_INLINE void transpose_rows(V (&r)[n]) {
    if constexpr (step < n) {
        unroll<n / 2>([&](auto k) GRADTAPE_INLINE_LAMBDA {
            constexpr int i = k / step * 2 * step + k % step;
            const V a = r[i], b = r[i + step];
            [&]<int... j>(std::integer_sequence<int, j...>) GRADTAPE_INLINE_LAMBDA {
                r[i] = V(__builtin_shufflevector(a, b, (j & step ? n + j - step : j)...));
                r[i + step] = V(__builtin_shufflevector(a, b, (j & step ? n + j : j + step)...));
            }(std::make_integer_sequence<int, n>{});
        });
        transpose_rows<2 * step>(r);
    }
}

/// z[j * z_row + i] = x[i * x_row + j] for i, j < tile<E>.
template <class E>
GRADTAPE_INLINE void transpose_tile(const E* x, std::int64_t x_row, E* z, std::int64_t z_row) {
    constexpr int N = tile<E>;
    if constexpr (sizeof(E) == 1) {
        for (int j = 0; j < N; ++j)
            for (int i = 0; i < N; ++i) z[j * z_row + i] = x[i * x_row + j];
    } else {
        using V = typename TileRow<E, N>::type;
        V rows[N];
        unroll<N>([&](auto i) GRADTAPE_INLINE_LAMBDA { __builtin_memcpy(&rows[i], x + i * x_row, sizeof(V)); });
        transpose_rows(rows);
        unroll<N>([&](auto i) GRADTAPE_INLINE_LAMBDA { __builtin_memcpy(z + i * z_row, &rows[i], sizeof(V)); });
    }
}

}  // namespace
}  // namespace gradtape::detail::GRADTAPE_ISA

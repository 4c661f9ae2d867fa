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
constexpr int tile_bytes = 32;
#else
constexpr int tile_bytes = 16;
#endif

/// Edge of the square for elements E.
template <class E>
inline constexpr int tile = sizeof(E) == 1 ? 8 : tile_bytes / static_cast<int>(sizeof(E));

// Transpose of n registers of n elements: pairs of rows exchange single elements, then pairs of elements, then fours.
template <class V>
GRADTAPE_INLINE void transpose_rows(V (&r)[2]) {
    const V a = __builtin_shufflevector(r[0], r[1], 0, 2);
    r[1] = __builtin_shufflevector(r[0], r[1], 1, 3);
    r[0] = a;
}
template <class V>
GRADTAPE_INLINE void transpose_rows(V (&r)[4]) {
    V s[4];
    unroll<2>([&](auto i) GRADTAPE_INLINE_LAMBDA {
        s[2 * i] = __builtin_shufflevector(r[2 * i], r[2 * i + 1], 0, 4, 2, 6);
        s[2 * i + 1] = __builtin_shufflevector(r[2 * i], r[2 * i + 1], 1, 5, 3, 7);
    });
    unroll<2>([&](auto i) GRADTAPE_INLINE_LAMBDA {
        r[i] = __builtin_shufflevector(s[i], s[i + 2], 0, 1, 4, 5);
        r[i + 2] = __builtin_shufflevector(s[i], s[i + 2], 2, 3, 6, 7);
    });
}
template <class V>
GRADTAPE_INLINE void transpose_rows(V (&r)[8]) {
    V s[8];
    unroll<4>([&](auto i) GRADTAPE_INLINE_LAMBDA {
        s[2 * i] = __builtin_shufflevector(r[2 * i], r[2 * i + 1], 0, 8, 2, 10, 4, 12, 6, 14);
        s[2 * i + 1] = __builtin_shufflevector(r[2 * i], r[2 * i + 1], 1, 9, 3, 11, 5, 13, 7, 15);
    });
    unroll<4>([&](auto i) GRADTAPE_INLINE_LAMBDA {
        constexpr int j = i / 2 * 4 + i % 2;
        r[j] = __builtin_shufflevector(s[j], s[j + 2], 0, 1, 8, 9, 4, 5, 12, 13);
        r[j + 2] = __builtin_shufflevector(s[j], s[j + 2], 2, 3, 10, 11, 6, 7, 14, 15);
    });
    unroll<4>([&](auto i) GRADTAPE_INLINE_LAMBDA {
        s[i] = __builtin_shufflevector(r[i], r[i + 4], 0, 1, 2, 3, 8, 9, 10, 11);
        s[i + 4] = __builtin_shufflevector(r[i], r[i + 4], 4, 5, 6, 7, 12, 13, 14, 15);
    });
    unroll<8>([&](auto i) GRADTAPE_INLINE_LAMBDA { r[i] = s[i]; });
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

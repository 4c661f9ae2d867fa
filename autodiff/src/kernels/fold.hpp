// The fixed tree in which every reduction combines its elements.
#pragma once

#include <limits>

#include "simd.hpp"

// Rows of equal length are combined element by element: sequentially within blocks of 64 rows, and the blocks in pairs
// (0 1) (2 3), then pairs of pairs, as a binary counter does it; whatever is left at the end, from the right.
//
// Where inner > 1, a row is one step along the reduced axis. Where inner == 1, a row is 256 bytes of the reduced axis
// (64 floats, 32 doubles), the last one filled up with the identity; the lanes of the result are then combined by
// halving: lane i with lane i + 32, then with i + 16, … This is a function of the number of elements alone, not of the
// width of a register, and its error grows with log n, not n.

namespace gradtape::detail::GRADTAPE_ISA {
namespace {

// Combinations for registers, halves of registers and scalars alike. `a` has come first.
struct Sum {
    template <class T>
    static constexpr T identity = T(0);
    template <class V>
    static GRADTAPE_INLINE V combine(V a, V b) {
        return a + b;
    }
};
struct Prod {
    template <class T>
    static constexpr T identity = T(1);
    template <class V>
    static GRADTAPE_INLINE V combine(V a, V b) {
        return a * b;
    }
};
// A NaN in a stays, because nothing compares greater; a NaN in b is taken.
struct Max {
    template <class T>
    static constexpr T identity = -std::numeric_limits<T>::infinity();
    template <class V>
    static GRADTAPE_INLINE V combine(V a, V b) {
        V larger = b > a ? b : a;
        return b != b ? b : larger;
    }
};
struct Min {
    template <class T>
    static constexpr T identity = std::numeric_limits<T>::infinity();
    template <class V>
    static GRADTAPE_INLINE V combine(V a, V b) {
        V smaller = b < a ? b : a;
        return b != b ? b : smaller;
    }
};

template <class T, int N>
struct Row {
    Vec<T> at[N];
};

template <class Op, class T, int N>
GRADTAPE_INLINE Row<T, N> combine_rows(const Row<T, N>& a, const Row<T, N>& b) {
    Row<T, N> z;
    for (int j = 0; j < N; ++j) z.at[j] = Op::combine(a.at[j], b.at[j]);
    return z;
}

constexpr int64_t block_rows = 64;

/// `load(row, j)` gives register j of a row.
template <class Op, class T, int N, class Load>
GRADTAPE_INLINE Row<T, N> fold_block(int64_t begin, int64_t end, Load load) {
    Row<T, N> sum;
    for (int j = 0; j < N; ++j) sum.at[j] = all(Op::template identity<T>);
    for (int64_t row = begin; row < end; ++row) {
#pragma GCC unroll 16
        for (int j = 0; j < N; ++j) sum.at[j] = Op::combine(sum.at[j], load(row, j));
    }
    return sum;
}

/// Rows 0 to rows - 1; `finish(sum)` adds what there is of a last, incomplete row to the last block.
template <class Op, class T, int N, class Load, class Finish>
GRADTAPE_INLINE Row<T, N> fold_rows(int64_t rows, Load load, Finish finish) {
    if (rows < block_rows) {
        Row<T, N> sum = fold_block<Op, T, N>(0, rows, load);
        finish(sum);
        return sum;
    }
    Row<T, N> pending[48];  // one for each bit set in `blocks`: 2^48 blocks do not fit into memory
    int top = 0;
    int64_t blocks = 0, begin = 0;
    for (; begin + block_rows <= rows; begin += block_rows, ++blocks) {
        Row<T, N> sum = fold_block<Op, T, N>(begin, begin + block_rows, load);
        for (int64_t bit = blocks; bit & 1; bit >>= 1) sum = combine_rows<Op, T, N>(pending[--top], sum);
        pending[top++] = sum;
    }
    Row<T, N> sum = fold_block<Op, T, N>(begin, rows, load);  // perhaps nothing: the identity
    finish(sum);
    while (top > 0) sum = combine_rows<Op, T, N>(pending[--top], sum);
    return sum;
}

template <class Half, class V>
GRADTAPE_INLINE Half low_half(V v) {
    if constexpr (sizeof(V) / sizeof(v[0]) == 4)
        return Half(__builtin_shufflevector(v, v, 0, 1));
    else if constexpr (sizeof(V) / sizeof(v[0]) == 8)
        return Half(__builtin_shufflevector(v, v, 0, 1, 2, 3));
    else
        return Half(__builtin_shufflevector(v, v, 0, 1, 2, 3, 4, 5, 6, 7));
}
template <class Half, class V>
GRADTAPE_INLINE Half high_half(V v) {
    if constexpr (sizeof(V) / sizeof(v[0]) == 4)
        return Half(__builtin_shufflevector(v, v, 2, 3));
    else if constexpr (sizeof(V) / sizeof(v[0]) == 8)
        return Half(__builtin_shufflevector(v, v, 4, 5, 6, 7));
    else
        return Half(__builtin_shufflevector(v, v, 8, 9, 10, 11, 12, 13, 14, 15));
}

/// Lanes of one register, by halving.
template <class Op>
GRADTAPE_INLINE float fold_lanes(__m128 v) {
    v = Op::combine(v, __builtin_shufflevector(v, v, 2, 3, 2, 3));
    return Op::combine(v[0], v[1]);
}
template <class Op>
GRADTAPE_INLINE double fold_lanes(__m128d v) {
    return Op::combine(v[0], v[1]);
}
#if defined(__AVX2__)
template <class Op>
GRADTAPE_INLINE float fold_lanes(__m256 v) {
    return fold_lanes<Op>(Op::combine(low_half<__m128>(v), high_half<__m128>(v)));
}
template <class Op>
GRADTAPE_INLINE double fold_lanes(__m256d v) {
    return fold_lanes<Op>(Op::combine(low_half<__m128d>(v), high_half<__m128d>(v)));
}
#endif
#if defined(__AVX512F__)
template <class Op>
GRADTAPE_INLINE float fold_lanes(__m512 v) {
    return fold_lanes<Op>(Op::combine(low_half<__m256>(v), high_half<__m256>(v)));
}
template <class Op>
GRADTAPE_INLINE double fold_lanes(__m512d v) {
    return fold_lanes<Op>(Op::combine(low_half<__m256d>(v), high_half<__m256d>(v)));
}
#endif

template <class Op, class T, int N>
GRADTAPE_INLINE T fold_row(Row<T, N> row) {
    if constexpr (N > 1) {
        Row<T, N / 2> half;
        unroll<N / 2>([&](auto j) GRADTAPE_INLINE_LAMBDA { half.at[j] = Op::combine(row.at[j], row.at[j + N / 2]); });
        return fold_row<Op, T, N / 2>(half);
    } else {
        return fold_lanes<Op>(row.at[0]);
    }
}

/// Registers in a row of a contiguous reduction.
template <class T>
inline constexpr int row_registers = 256 / static_cast<int>(sizeof(Vec<T>));

/// Combines n contiguous elements. `at(i, count)` gives the register of elements i, i + 1, …: the first `count` of them
/// and the identity in the other lanes. It is called once for each register, in ascending order.
template <class Op, class T, class At>
GRADTAPE_INLINE T fold_contiguous(int64_t n, At at) {
    constexpr int width = lanes<T>;
    constexpr int N = row_registers<T>;
    const Vec<T> identity = all(Op::template identity<T>);
    constexpr int some = N / 4;
    if (n <= some * width) {  // the other registers of the row would hold the identity, which changes nothing
        Row<T, some> row;
        unroll<some>([&](auto j) GRADTAPE_INLINE_LAMBDA {
            const int64_t left = n - j * width;
            row.at[j] = identity;
            if (j == 0 || left > 0)
                row.at[j] = Op::combine(identity, at(j * width, static_cast<int>(left < width ? left : width)));
        });
        return fold_row<Op, T, some>(row);
    }
    const int64_t rows = n / (N * width);
    auto full = [&](int64_t row, int j) GRADTAPE_INLINE_LAMBDA { return at((row * N + j) * width, width); };
    auto last = [&](Row<T, N>& sum) GRADTAPE_INLINE_LAMBDA {
        int64_t i = rows * N * width;
        for (int j = 0; i < n; ++j, i += width) {
            const int64_t left = n - i;
            sum.at[j] = Op::combine(sum.at[j], at(i, static_cast<int>(left < width ? left : width)));
        }
    };
    return fold_row<Op, T, N>(fold_rows<Op, T, N>(rows, full, last));
}

}  // namespace
}  // namespace gradtape::detail::GRADTAPE_ISA

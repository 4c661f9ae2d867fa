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

// Combinations for registers, halves of registers and scalars alike. `a` has come first. `first(x)` is the combination of
// the identity with x.
struct Sum {
    template <class T>
    static constexpr T identity = T(0);
    template <class V>
    static GRADTAPE_INLINE V combine(V a, V b) {
        return a + b;
    }
    template <class V>
    static GRADTAPE_INLINE V first(V x) {
        return x + V{};  // −0 becomes 0
    }
};
struct Prod {
    template <class T>
    static constexpr T identity = T(1);
    template <class V>
    static GRADTAPE_INLINE V combine(V a, V b) {
        return a * b;
    }
    template <class V>
    static GRADTAPE_INLINE V first(V x) {
        return x;
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
    template <class V>
    static GRADTAPE_INLINE V first(V x) {
        return x;
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
    template <class V>
    static GRADTAPE_INLINE V first(V x) {
        return x;
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
GRADTAPE_INLINE float fold_lanes(Floats v) {
    v = Op::combine(v, Floats(__builtin_shufflevector(v, v, 2, 3, 2, 3)));
    return Op::combine(v[0], v[1]);
}
template <class Op>
GRADTAPE_INLINE double fold_lanes(Doubles v) {
    return Op::combine(v[0], v[1]);
}
#if defined(__AVX2__)
template <class Op>
GRADTAPE_INLINE float fold_lanes(__m256 v) {
    return fold_lanes<Op>(Op::combine(low_half<Floats>(v), high_half<Floats>(v)));
}
template <class Op>
GRADTAPE_INLINE double fold_lanes(__m256d v) {
    return fold_lanes<Op>(Op::combine(low_half<Doubles>(v), high_half<Doubles>(v)));
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

/// Registers of a row, by halving, down to one.
template <class Op, class T, int N>
GRADTAPE_INLINE Vec<T> fold_registers(const Row<T, N>& row) {
    if constexpr (N > 1) {
        Row<T, N / 2> half;
        unroll<N / 2>([&](auto j) GRADTAPE_INLINE_LAMBDA { half.at[j] = Op::combine(row.at[j], row.at[j + N / 2]); });
        return fold_registers<Op, T, N / 2>(half);
    } else {
        return row.at[0];
    }
}

/// Of groups of `size` lanes, the first half of each (or the second, of `from` = size / 2): those of a, then those of b.
template <int size, int from, class V>
GRADTAPE_INLINE V halves_of_groups(V a, V b) {
    constexpr int half = size / 2;
    return [&]<int... i>(std::integer_sequence<int, i...>) GRADTAPE_INLINE_LAMBDA {
        return V(__builtin_shufflevector(a, b, (i / half * size + i % half + from)...));
    }(std::make_integer_sequence<int, int(sizeof(V) / sizeof(a[0]))>{});
}

/// Lane r of the result is fold_lanes of register r of `rows`: each step halves the lanes of every row, and packs two
/// registers into one.
template <class Op, class T, int size = lanes<T>, int count>
GRADTAPE_INLINE Vec<T> fold_lanes_of_each(const Row<T, count>& rows) {
    if constexpr (count == 1) {
        return rows.at[0];
    } else {
        Row<T, count / 2> half;
        unroll<count / 2>([&](auto r) GRADTAPE_INLINE_LAMBDA {
            const Vec<T> a = rows.at[2 * r], b = rows.at[2 * r + 1];
            half.at[r] = Op::combine(halves_of_groups<size, 0>(a, b), halves_of_groups<size, size / 2>(a, b));
        });
        return fold_lanes_of_each<Op, T, size / 2>(half);
    }
}

/// Registers in a row of a contiguous reduction.
template <class T>
inline constexpr int row_registers = 256 / static_cast<int>(sizeof(Vec<T>));

/// Combines n contiguous elements down to one register. `at(i, count)` gives the register of elements i, i + 1, …: the
/// first `count` of them and the identity in the other lanes. It is called once for each register, in ascending order.
template <class Op, class T, class At>
GRADTAPE_INLINE Vec<T> fold_to_register(int64_t n, At at) {
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
                row.at[j] = Op::first(at(j * width, static_cast<int>(left < width ? left : width)));
        });
        return fold_registers<Op, T, some>(row);
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
    return fold_registers<Op, T, N>(fold_rows<Op, T, N>(rows, full, last));
}

/// Of `count` rows, at most as many as a register has lanes: lane r of the result is row r's. `row(r)` gives a row's one
/// register.
template <class Op, class T, class OfRow>
GRADTAPE_INLINE Vec<T> fold_each(int count, OfRow row) {
    Row<T, lanes<T>> rows;
    for (int r = 0; r < count; ++r) rows.at[r] = row(r);
    if (count == 1) return all(fold_lanes<Op>(rows.at[0]));
    for (int r = count; r < lanes<T>; ++r) rows.at[r] = rows.at[0];
    return fold_lanes_of_each<Op, T>(rows);
}

/// f(first, count) for each register of n elements.
template <class T, class F>
GRADTAPE_INLINE void for_each_register(int64_t n, F f) {
    int64_t i = 0;
    for (; i + lanes<T> <= n; i += lanes<T>) f(i, lanes<T>);
    if (i < n) f(i, static_cast<int>(n - i));
}

template <class T>
GRADTAPE_INLINE Vec<T> load_count(const T* p, int count, T fill) {
    return count == lanes<T> ? load(p) : load_first(p, count, fill);
}
template <class T>
GRADTAPE_INLINE void store_count(T* p, Vec<T> v, int count) {
    if (count == lanes<T>)
        store(p, v);
    else
        store_first(p, v, count);
}

/// What there is of a contiguous row, as `fold_to_register` takes it.
template <class Op, class T>
GRADTAPE_INLINE Vec<T> fold_row_to_register(const T* x, int64_t n) {
    return fold_to_register<Op, T>(n, [x](int64_t i, int count) GRADTAPE_INLINE_LAMBDA {
        return load_count(x + i, count, Op::template identity<T>);
    });
}

}  // namespace
}  // namespace gradtape::detail::GRADTAPE_ISA

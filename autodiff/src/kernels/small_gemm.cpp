// Register-blocked products: a block of c lives in registers while k runs through.
#include "small_gemm.hpp"

#include <type_traits>

#include "simd.hpp"
#include "tile.hpp"

namespace gradtape::detail::GRADTAPE_ISA {
namespace {

// Rows of c in a block that is two registers wide, or one: as many as the register file holds beside a row of b.
#if defined(__AVX512F__)
constexpr int block_height = 12, narrow_height = 16;
#elif defined(__AVX2__)
constexpr int block_height = 6, narrow_height = 12;
#else
constexpr int block_height = 4, narrow_height = 8;
#endif
constexpr int block_width = 2;
constexpr int64_t packed_depth = 256;  // rows of b that are packed at once: 32 KiB at most

/// Element (i, l) of an operand is at[i * row + l * column].
template <class T>
struct Operand {
    const T* at;
    int64_t row, column;
};

/// Part of b: `depth` rows, `row` elements apart, of which `count` columns exist (more than (width - 1) registers).
template <class T>
struct Panel {
    const T* at;
    int64_t row, depth;
    int count;
};

/// c block (height, panel.count) = (add to what is there, or 0) + a panel.
template <class T, int height, int width, bool whole>
void multiply_block(Operand<T> a, Panel<T> b, T* c, int64_t c_row, bool add) {
    constexpr int W = lanes<T>;
    [[maybe_unused]] const int last = whole ? W : b.count - (width - 1) * W;
    auto get = [=](const T* p, int j) GRADTAPE_INLINE_LAMBDA {
        return whole || j + 1 < width ? load(p + j * W) : load_first(p + j * W, last, T(0));
    };
    auto put = [=](T* p, int j, Vec<T> v) GRADTAPE_INLINE_LAMBDA {
        if (whole || j + 1 < width)
            store<T>(p + j * W, v);
        else
            store_first(p + j * W, v, last);
    };
    Vec<T> sum[height][width];
    auto each = [](auto f) GRADTAPE_INLINE_LAMBDA {
        unroll<height * width>([=](auto n) GRADTAPE_INLINE_LAMBDA { f(n / width, n % width); });
    };
    if (add)
        each([&](int i, int j) GRADTAPE_INLINE_LAMBDA { sum[i][j] = get(c + i * c_row, j); });
    else
        each([&](int i, int j) GRADTAPE_INLINE_LAMBDA { sum[i][j] = all(T(0)); });
    for (int64_t l = 0; l < b.depth; ++l) {
        Vec<T> row[width];
        unroll<width>([&](auto j) GRADTAPE_INLINE_LAMBDA { row[j] = get(b.at + l * b.row, j); });
        each([&](int i, int j) GRADTAPE_INLINE_LAMBDA {
            sum[i][j] = multiply_add(all(a.at[i * a.row + l * a.column]), row[j], sum[i][j]);
        });
    }
    each([&](int i, int j) GRADTAPE_INLINE_LAMBDA { put(c + i * c_row, j, sum[i][j]); });
}

/// Blocks of `height` rows while there are as many, then one of what is left.
template <class T, int height, int width, bool whole, bool top = true>
void multiply_rows(int64_t m, Operand<T> a, Panel<T> b, T* c, int64_t c_row, bool add) {
    if constexpr (top)
        for (; m >= height; m -= height, a.at += height * a.row, c += height * c_row)
            multiply_block<T, height, width, whole>(a, b, c, c_row, add);
    else if (m == height)
        return multiply_block<T, height, width, whole>(a, b, c, c_row, add);
    if constexpr (height > 1)
        if (m > 0) multiply_rows<T, height - 1, width, whole, false>(m, a, b, c, c_row, add);
}

/// All rows of c in the columns of one panel.
template <class T>
void multiply_panel(int64_t m, Operand<T> a, Panel<T> b, T* c, int64_t c_row, bool add) {
    constexpr int W = lanes<T>;
    if (b.count == 2 * W)
        multiply_rows<T, block_height, 2, true>(m, a, b, c, c_row, add);
    else if (b.count > W)
        multiply_rows<T, block_height, 2, false>(m, a, b, c, c_row, add);
    else if (b.count == W)
        multiply_rows<T, narrow_height, 1, true>(m, a, b, c, c_row, add);
    else
        multiply_rows<T, narrow_height, 1, false>(m, a, b, c, c_row, add);
}

/// packed[l * width + j] = b[j * b_row + l] for l < depth and j < count.
template <class T>
void pack_transposed(const T* b, int64_t b_row, int64_t depth, int64_t count, T* packed, int64_t width) {
    constexpr int N = tile<T>;
    int64_t j = 0;
    for (; j + N <= count; j += N) {
        int64_t l = 0;
        for (; l + N <= depth; l += N) transpose_tile(b + j * b_row + l, b_row, packed + l * width + j, width);
        for (; l < depth; ++l)
            for (int i = 0; i < N; ++i) packed[l * width + j + i] = b[(j + i) * b_row + l];
    }
    for (; j < count; ++j)
        for (int64_t l = 0; l < depth; ++l) packed[l * width + j] = b[j * b_row + l];
}

/// b stored (n, k): panels are transposed onto the stack, a stretch of k at a time.
template <class T>
void multiply_transposed(int64_t m, int64_t n, int64_t k, Operand<T> a, const T* b, T* c) {
    constexpr int64_t width = block_width * lanes<T>;
    alignas(64) T packed[packed_depth * width];
    for (int64_t j = 0; j < n; j += width) {
        const int count = static_cast<int>(n - j < width ? n - j : width);
        for (int64_t l = 0; l < k; l += packed_depth) {
            const int64_t depth = k - l < packed_depth ? k - l : packed_depth;
            pack_transposed(b + j * k + l, k, depth, count, packed, width);
            multiply_panel<T>(m, {a.at + l * a.column, a.row, a.column}, {packed, width, depth, count}, c + j, n, l > 0);
        }
    }
}

template <class T>
void multiply(bool ta, bool tb, int64_t m, int64_t n, int64_t k, const T* a, const T* b, T* c) {
    const Operand<T> left{a, ta ? 1 : k, ta ? m : 1};
    if (n == 1 && m > 1)  // c' = b' a': vectors run along c in any case
        return multiply(false, !ta, 1, m, k, b, a, c);
    if (tb && k > 0) return multiply_transposed(m, n, k, left, b, c);
    constexpr int64_t width = block_width * lanes<T>;
    for (int64_t j = 0; j < n; j += width) {
        const int count = static_cast<int>(n - j < width ? n - j : width);
        multiply_panel<T>(m, left, {b + j, n, k, count}, c + j, n, false);
    }
}

void multiply_integers(bool ta, bool tb, int64_t m, int64_t n, int64_t k, const int64_t* a, const int64_t* b,
                       int64_t* c) {
    using U = std::uint64_t;
    for (int64_t i = 0; i < m; ++i)
        for (int64_t j = 0; j < n; ++j) {
            U sum = 0;
            for (int64_t l = 0; l < k; ++l)
                sum += static_cast<U>(a[ta ? l * m + i : i * k + l]) * static_cast<U>(b[tb ? j * k + l : l * n + j]);
            c[i * n + j] = static_cast<int64_t>(sum);
        }
}

}  // namespace

template <class T>
void small_gemm(bool ta, bool tb, int64_t m, int64_t n, int64_t k, const T* a, const T* b, T* c) {
    if constexpr (std::is_integral_v<T>)
        multiply_integers(ta, tb, m, n, k, a, b, c);
    else
        multiply(ta, tb, m, n, k, a, b, c);
}

template <class T>
bool small_gemm_wins(bool, bool, int64_t m, int64_t n, int64_t k) {
    return m * n * k <= 64 * 64 * 64;
}

#define GRADTAPE_INSTANTIATE(T)                                                              \
    template void small_gemm(bool, bool, int64_t, int64_t, int64_t, const T*, const T*, T*); \
    template bool small_gemm_wins<T>(bool, bool, int64_t, int64_t, int64_t);
GRADTAPE_INSTANTIATE(float)
GRADTAPE_INSTANTIATE(double)
#undef GRADTAPE_INSTANTIATE
template void small_gemm(bool, bool, int64_t, int64_t, int64_t, const int64_t*, const int64_t*, int64_t*);

}  // namespace gradtape::detail::GRADTAPE_ISA

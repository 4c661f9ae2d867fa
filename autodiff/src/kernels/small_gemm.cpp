// Register-blocked products: a block of c lives in registers while k runs through.
#include "small_gemm.hpp"

#include <limits>
#include <type_traits>

#include "blas.hpp"
#include "simd.hpp"
#include "tile.hpp"

namespace gradtape::detail::GRADTAPE_ISA {
namespace {

// Rows of c in a block that is two registers wide, or one: as many as the register file holds beside a row of b. Under
// sanitizers, where speed is no matter, few: each height is a function of its own, and takes its time to compile.
#if defined(GRADTAPE_FEW_HEIGHTS)
constexpr int block_height = 3, narrow_height = 4;
#elif defined(__AVX512F__)
constexpr int block_height = 12, narrow_height = 16;
#elif defined(__AVX2__)
constexpr int block_height = 6, narrow_height = 12;
#elif defined(__ARM_NEON)  // 32 registers
constexpr int block_height = 8, narrow_height = 16;
#else
constexpr int block_height = 4, narrow_height = 8;
#endif
constexpr int block_width = 2;
constexpr int64_t packed_depth = 256;  // rows of b that are packed at once: 32 KiB at most

/// Some columns of c, at most two registers wide: c[i * c_row + j] = (what is there, or 0) + sum over l < depth of
/// a[i * a_row + l * a_column] * b[l * b_row + j]; or what is there + scale * that sum.
template <class T>
struct Panel {
    const T* a;
    int64_t a_row, a_column;
    const T* b;
    int64_t b_row, depth;
    T* c;
    int64_t c_row;
    int last;  ///< columns in the last register
    bool add;
    bool update;
    T scale;
    const T* bias;  ///< of these columns, once the sums are complete
    bool relu;
};

/// `height` rows of a panel of `width` registers, the last of which is whole, or has only `last` columns.
template <class T, int height, int width, bool whole>
void multiply_block(const Panel<T>& p, const T* a, T* c) {
    constexpr int W = lanes<T>;
    [[maybe_unused]] const int last = p.last;
    auto get = [=](const T* from, int j) GRADTAPE_INLINE_LAMBDA {
        return whole || j + 1 < width ? load(from + j * W) : load_first(from + j * W, last, T(0));
    };
    auto put = [=](T* to, int j, Vec<T> v) GRADTAPE_INLINE_LAMBDA {
        if (whole || j + 1 < width)
            store<T>(to + j * W, v);
        else
            store_first(to + j * W, v, last);
    };
    auto each = [](auto f) GRADTAPE_INLINE_LAMBDA {
        unroll<height * width>([=](auto n) GRADTAPE_INLINE_LAMBDA { f(n / width, n % width); });
    };
    const int64_t a_row = p.a_row, a_column = p.a_column, b_row = p.b_row, c_row = p.c_row;
    Vec<T> sum[height][width];
    if (p.add)
        each([&](int i, int j) GRADTAPE_INLINE_LAMBDA { sum[i][j] = get(c + i * c_row, j); });
    else
        each([&](int i, int j) GRADTAPE_INLINE_LAMBDA { sum[i][j] = all(T(0)); });
    const T* b = p.b;
    for (int64_t l = 0; l < p.depth; ++l, a += a_column, b += b_row) {
        Vec<T> row[width];
        unroll<width>([&](auto j) GRADTAPE_INLINE_LAMBDA { row[j] = get(b, j); });
        each([&](int i, int j) GRADTAPE_INLINE_LAMBDA {
            sum[i][j] = multiply_add(all(a[i * a_row]), row[j], sum[i][j]);
        });
    }
    if (p.update) {
        const Vec<T> scale = all(p.scale);
        each([&](int i, int j) GRADTAPE_INLINE_LAMBDA { sum[i][j] = get(c + i * c_row, j) + scale * sum[i][j]; });
    }
    if (p.bias) {
        const Vec<T> least = all(p.relu ? T(0) : -std::numeric_limits<T>::infinity());
        Vec<T> bias[width];
        unroll<width>([&](auto j) GRADTAPE_INLINE_LAMBDA { bias[j] = get(p.bias, j); });
        each([&](int i, int j) GRADTAPE_INLINE_LAMBDA {
            const Vec<T> z = sum[i][j] + bias[j];
            sum[i][j] = z <= least ? least : z;  // as relu has it: NaN stays
        });
    }
    each([&](int i, int j) GRADTAPE_INLINE_LAMBDA { put(c + i * c_row, j, sum[i][j]); });
}

/// All rows, in blocks of nearly equal height: a low block at the end would wait for its own few sums.
template <class T, int width, bool whole, int... heights>
GRADTAPE_INLINE void multiply_rows(int64_t m, const Panel<T>& p, std::integer_sequence<int, heights...>) {
    using Block = void (*)(const Panel<T>&, const T*, T*);
    static constexpr Block block_of_height[] = {multiply_block<T, heights + 1, width, whole>...};
    constexpr int64_t most = sizeof...(heights);
    if (m <= most) return block_of_height[m - 1](p, p.a, p.c);
    const int64_t blocks = (m + most - 1) / most, low = m / blocks, high_blocks = m % blocks;
    int64_t row = 0;
    auto next = [&](int64_t height) {
        block_of_height[height - 1](p, p.a + row * p.a_row, p.c + row * p.c_row);
        row += height;
    };
    for (int64_t i = 0; i < high_blocks; ++i) next(low + 1);
    while (row < m) next(low);
}

/// m rows of the `count` columns at p.c. By reference, as everywhere below: a copy would read, as one register, what has
/// just been written in words, and wait for that.
template <class T>
void multiply_panel(int64_t m, int64_t count, Panel<T>& p) {
    constexpr int W = lanes<T>;
    constexpr auto wide = std::make_integer_sequence<int, block_height>{};
    constexpr auto narrow = std::make_integer_sequence<int, narrow_height>{};
    p.last = static_cast<int>(count > W ? count - W : count);
    if (count == 2 * W)
        multiply_rows<T, 2, true>(m, p, wide);
    else if (count > W)
        multiply_rows<T, 2, false>(m, p, wide);
    else if (count == W)
        multiply_rows<T, 1, true>(m, p, narrow);
    else
        multiply_rows<T, 1, false>(m, p, narrow);
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
void multiply_transposed(const Product<T>& product, Panel<T>& p) {
    constexpr int64_t width = block_width * lanes<T>;
    alignas(64) T packed[packed_depth * width];
    const int64_t n = product.n, k = product.k;
    p.b = packed;
    p.b_row = width;
    for (int64_t j = 0; j < n; j += width) {
        const int64_t count = n - j < width ? n - j : width;
        p.c = product.c + j;
        for (int64_t l = 0; l < k; l += packed_depth) {
            p.depth = k - l < packed_depth ? k - l : packed_depth;
            p.a = product.a + l * p.a_column;
            p.add = l > 0 && !p.update;
            p.bias = product.bias && l + p.depth == k ? product.bias + j : nullptr;
            pack_transposed(product.b + j * product.b_row + l, product.b_row, p.depth, count, packed, width);
            multiply_panel(product.m, count, p);
        }
    }
}

/// c (n) = b x with b stored (n, k), where k is too short for anything but dot products: eight at a time.
template <class T>
void multiply_vector(int64_t n, int64_t k, const T* b, const T* x, T* c) {
    int64_t j = 0;
    auto dots = [=](auto count, int64_t j) GRADTAPE_INLINE_LAMBDA {
        T sum[count];
        unroll<count>([&](auto i) GRADTAPE_INLINE_LAMBDA { sum[i] = T(0); });
        for (int64_t l = 0; l < k; ++l)
            unroll<count>([&](auto i) GRADTAPE_INLINE_LAMBDA {
                sum[i] = multiply_add(b[(j + i) * k + l], x[l], sum[i]);
            });
        unroll<count>([&](auto i) GRADTAPE_INLINE_LAMBDA { c[j + i] = sum[i]; });
    };
    for (; j + 8 <= n; j += 8) dots(std::integral_constant<int, 8>{}, j);
    for (; j < n; ++j) dots(std::integral_constant<int, 1>{}, j);
}

/// Bias and relu where the product is complete in memory.
template <class T>
void finish(const Product<T>& p) {
    if (!p.bias) return;
    for (int64_t i = 0; i < p.m; ++i)
        for (int64_t j = 0; j < p.n; ++j) {
            T& c = p.c[i * p.c_row + j];
            c += p.bias[j];
            if (p.relu && c <= 0) c = 0;
        }
}

/// Whether c has less than a register of columns, and so many rows that turning it pays.
template <class T>
bool is_narrow(int64_t m, int64_t n, int64_t k) {
    return n > lanes<T> / 2 && n < lanes<T> && m >= 2 * lanes<T> && k >= 16;
}

template <class T>
void multiply_narrow(const Product<T>& p);

template <class T>
void multiply(const Product<T>& p) {
    if (p.m == 0 || p.n == 0) return;
    if (is_narrow<T>(p.m, p.n, p.k) && !p.add) return multiply_narrow(p);
    if (p.n == 1 && p.m > 1 && p.c_row == 1 && (p.tb || p.b_row == 1)) {  // vectors run along c in any case
        Product<T> row = transposed(p);
        row.ta = false;
        row.a_row = p.k;
        row.add = p.add;
        row.scale = p.scale;
        multiply<T>(row);
        return finish(p);
    }
    if (p.tb && p.m == 1 && p.k <= 16 && !p.add && p.b_row == p.k && (!p.ta || p.a_row == 1)) {
        multiply_vector(p.n, p.k, p.b, p.a, p.c);
        return finish(p);
    }
    Panel<T> panel{p.a, p.ta ? 1 : p.a_row, p.ta ? p.a_row : 1, p.b,     p.b_row, p.k,    p.c,
                   p.c_row, 0,              false,              p.add,   p.scale, p.bias, p.relu};
    if (p.tb && p.k > 0) return multiply_transposed(p, panel);
    constexpr int64_t width = block_width * lanes<T>;
    for (int64_t j = 0; j < p.n; j += width, panel.b += width, panel.c += width) {
        multiply_panel(p.m, p.n - j < width ? p.n - j : width, panel);
        if (panel.bias) panel.bias += width;
    }
}

/// c' = b' a' fills the lanes; a block of it at a time, which is turned into its place.
template <class T>
void multiply_narrow(const Product<T>& p) {
    constexpr int W = lanes<T>;
    constexpr int64_t block = block_width * W;
    alignas(64) T turned[W * block];
    const int n = static_cast<int>(p.n);
    const Vec<T> bias = p.bias ? load_first(p.bias, n, T(0)) : all(T(0));
    for (int64_t first = 0; first < p.m; first += block) {
        const int64_t count = p.m - first < block ? p.m - first : block;
        Product<T> some = transposed(rows(p, first, first + count));
        some.c = turned;
        some.c_row = block;
        multiply<T>(some);
        for (int64_t from = 0; from < count; from += W) {
            Vec<T> rows[W];
            unroll<W>([&](auto j) GRADTAPE_INLINE_LAMBDA { rows[j] = j < n ? load(turned + j * block + from) : all(T(0)); });
            transpose_rows(rows);
            T* c = p.c + (first + from) * p.c_row;
            for (int64_t i = 0; i < count - from && i < W; ++i, c += p.c_row) {
                Vec<T> z = rows[i];
                if (p.bias) z = z + bias;
                if (p.bias && p.relu) z = z <= all(T(0)) ? all(T(0)) : z;
                store_first(c, z, n);
            }
        }
    }
}

void multiply_integers(const Product<int64_t>& p) {
    using U = std::uint64_t;
    for (int64_t i = 0; i < p.m; ++i)
        for (int64_t j = 0; j < p.n; ++j) {
            U sum = 0;
            for (int64_t l = 0; l < p.k; ++l)
                sum += static_cast<U>(p.a[p.ta ? l * p.a_row + i : i * p.a_row + l]) *
                       static_cast<U>(p.b[p.tb ? j * p.b_row + l : l * p.b_row + j]);
            p.c[i * p.c_row + j] = static_cast<int64_t>(sum);
        }
}

}  // namespace

template <class T>
void small_gemm(const Product<T>& product) {
    if constexpr (std::is_integral_v<T>)
        multiply_integers(product);
    else
        multiply(product);
}

template <class T>
bool small_gemm_wins([[maybe_unused]] bool ta, [[maybe_unused]] bool tb, int64_t m, int64_t n, int64_t k) {
    const int64_t volume = m * n * k;
    if (m == 1 || n == 1) return volume <= 64 && k <= 16;
#if defined(__AVX512F__)
    if (!blas_uses_avx512()) {
        // Rows of c that lie more than 2 KiB apart share few places in the cache: with few sums, writing them is the work.
        const bool scattered = k < 16 && n * int64_t(sizeof(T)) > 2048;
        return !scattered && k <= 4096 && volume <= 1 << 30;  // longer sums round better in OpenBLAS's blocks
    }
    // Up to 100^3, OpenBLAS has small kernels of its own here, good ones where b is not transposed.
    if (volume <= 512) return k <= 32;
    if (is_narrow<T>(m, n, k)) return volume <= 1000000 && (ta || (tb && sizeof(T) == 4));
    if (m < 16 || n < 16) return false;
    return volume <= 1000000 ? tb : volume <= 8000000;
#elif defined(__AVX2__)
    return volume <= 128 * 128 * 128;
#else
    return volume <= (sizeof(T) == 4 ? 128 * 128 * 128 : 64 * 64 * 64);
#endif
}

#define GRADTAPE_INSTANTIATE(T)                    \
    template void small_gemm(const Product<T>&);   \
    template bool small_gemm_wins<T>(bool, bool, int64_t, int64_t, int64_t);
GRADTAPE_INSTANTIATE(float)
GRADTAPE_INSTANTIATE(double)
#undef GRADTAPE_INSTANTIATE
template void small_gemm(const Product<int64_t>&);

}  // namespace gradtape::detail::GRADTAPE_ISA

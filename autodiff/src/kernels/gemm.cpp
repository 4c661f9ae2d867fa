// The choice between the small kernel and BLAS, and the cuts between parts.
#include "gemm.hpp"

#include <algorithm>
#include <cstring>
#include <limits>
#include <type_traits>

#include "blas.hpp"
#include "small_gemm.hpp"

namespace gradtape::detail::GRADTAPE_ISA {
namespace {

using std::int64_t;

// Parts are cut at multiples of these, which are edges of the register blocks of most kernels.
constexpr int64_t cut = 64, cut_between_rows = 12;

// OpenBLAS 0.3.21 multiplies up to 100^3 by kernels of their own where there is AVX-512. Where neither operand is
// transposed, they turn the last columns of b, if these fill half a register at most, in a buffer that they take from
// malloc at each call (kernel/x86_64/sgemm_small_kernel_nn_skylakex.c and dgemm's; found by counting). Here they are
// turned before, on the stack, whatever kernels OpenBLAS has chosen.

constexpr int64_t half_register = 32;     // bytes
constexpr int64_t turned_depth = 1024;    // rows of b that are turned at once

/// How many columns that concerns.
template <class T>
int64_t last_columns(const Product<T>& p) {
    constexpr int64_t half = half_register / sizeof(T);
    const int64_t rest = p.n % (2 * half);
    const bool concerned = !p.ta && !p.tb && p.m > 1 && p.n > 1 && p.k >= 4 * half && rest <= half;
    return concerned && p.m * p.n * p.k <= 1000000 ? rest : 0;
}

template <class T>
[[maybe_unused]] void multiply_turned(const Product<T>& p) {
    alignas(64) T turned[half_register / sizeof(T) * turned_depth];
    for (int64_t l = 0; l < p.k; l += turned_depth) {
        Product<T> some = p;
        some.a += l;
        some.b = turned;
        some.tb = true;
        some.k = some.b_row = std::min(turned_depth, p.k - l);
        some.add = p.add || l > 0;
        for (int64_t r = 0; r < some.k; ++r)
            for (int64_t j = 0; j < p.n; ++j) turned[j * some.k + r] = p.b[(l + r) * p.b_row + j];
        blas_gemm(some);
    }
}

template <class T>
void run(const Product<T>& whole, const Product<T>& some) {
    if constexpr (with_blas && !std::is_integral_v<T>)
        if (!gemm_is_small<T>(whole.ta, whole.tb, whole.m, whole.n, whole.k)) {
            const int64_t rest = last_columns(some);
            if (rest < some.n) blas_gemm(columns(some, 0, some.n - rest));
            if (rest == 0) return;
            const Product<T> last = columns(some, some.n - rest, some.n);
            return last.m < 8 ? small_gemm(last) : multiply_turned(last);
        }
    small_gemm(some);
}

/// The rows or columns of c that are these of so many parts.
template <class T>
Product<T> part_of(const Product<T>& p, Parts range, int64_t parts) {
    if (range.begin == 0 && range.end == parts) return p;
    const bool between_rows = range.way == 1 || p.m >= p.n;
    const int64_t extent = between_rows ? p.m : p.n, unit = between_rows ? cut_between_rows : cut;
    const auto edge = [&](int64_t i) { return i == parts ? extent : extent * i / parts / unit * unit; };
    const int64_t begin = edge(range.begin), end = edge(range.end);
    return between_rows ? rows(p, begin, end) : columns(p, begin, end);
}

}  // namespace

template <class T>
bool gemm_is_small(bool ta, bool tb, int64_t m, int64_t n, int64_t k) {
    if (!with_blas) return true;
    constexpr int64_t largest = std::numeric_limits<int>::max();  // a BLAS counts in int
    const bool empty = m == 0 || n == 0 || k == 0;                // and complains of empty products
    const bool fits = !empty && m <= largest && n <= largest && k <= largest;
    return !fits || small_gemm_wins<T>(ta, tb, m, n, k);
}
template bool gemm_is_small<float>(bool, bool, int64_t, int64_t, int64_t);
template bool gemm_is_small<double>(bool, bool, int64_t, int64_t, int64_t);

// A part costs its thread a copy of the other operand in OpenBLAS's own order: measured at 1 to 4 % of the product for
// parts of this size, cut along the longer side; of our own kernel at less.
int64_t gemm_parts(int64_t m, int64_t n, int64_t k) {
    const int64_t volume = m * n * k, smallest = int64_t(1) << 20, good = int64_t(1) << 26;
    if (volume < 2 * smallest || m == 1 || n == 1) return 1;
    const int64_t most = std::min(volume / smallest, std::max(m, n) / cut);
    return std::max<int64_t>(1, std::min(most, std::clamp<int64_t>(volume / good, 4, 32)));
}

template <class T>
void gemm(const Product<T>& p, const Parts& range) {
    const int64_t parts = gemm_parts(p.m, p.n, p.k);
    if (parts == 1) return run(p, p);
    const Product<T> some = part_of(p, range, parts);
    const bool nothing = some.m == 0 || some.n == 0;
    if (!nothing) run(p, some);
}

template <class T>
void copy_part(const Product<T>& p, const T* from, const Parts& range) {
    const Product<T> some = part_of(p, range, gemm_parts(p.m, p.n, p.k));
    from += some.c - p.c;
    for (int64_t i = 0; i < some.m && some.n > 0; ++i)
        std::memcpy(some.c + i * some.c_row, from + i * p.n, std::size_t(some.n) * sizeof(T));
}

template <class T>
void gemm(const Product<T>& p) {
    run(p, p);
}

#define GRADTAPE_INSTANTIATE(T)                                \
    template void gemm(const Product<T>&, const Parts&);                  \
    template void gemm(const Product<T>&);                         \
    template void copy_part(const Product<T>&, const T*, const Parts&);
GRADTAPE_INSTANTIATE(float)
GRADTAPE_INSTANTIATE(double)
GRADTAPE_INSTANTIATE(std::int64_t)
#undef GRADTAPE_INSTANTIATE

}  // namespace gradtape::detail::GRADTAPE_ISA

// Means and lengths that do not overflow or vanish on the way.
#include "scaled.hpp"

#include <bit>
#include <cmath>

#include "fold.hpp"

namespace gradtape::detail::GRADTAPE_ISA {
namespace {

template <class T>
using Limits = std::numeric_limits<T>;

/// The mean of `reduced` elements that lie `inner` apart, whose sum is not finite. No sum of elements / 2^k, 2^k being at
/// least their number, leaves the range unless an element has.
template <class T>
T scaled_mean(const T* x, int64_t reduced, int64_t inner) {
    const T scale = std::ldexp(T(1), -static_cast<int>(std::bit_width(static_cast<std::uint64_t>(reduced - 1))));
    const auto load = [=](int64_t row, int) { return all(x[row * inner] * scale); };
    const T sum = fold_rows<Sum, T, 1>(reduced, load, [](Row<T, 1>&) {}).at[0][0];
    const T result = sum / (static_cast<T>(reduced) * scale);
    // A mean of the largest number is that number, whichever way the sum was rounded.
    return std::isinf(result) && !std::isinf(sum) ? std::copysign(Limits<T>::max(), result) : result;
}

// ---- lengths

/// The least sum of squares whose last digits no vanished square can change.
template <class T>
constexpr T least_sum = Limits<T>::min() / Limits<T>::epsilon();

/// What elements are multiplied by so that squares neither overflow nor vanish: 1, 2^100 or 2^-100 (double: 2^600, 2^-600),
/// as the plain sum of squares demands.
template <class T>
T scale_for(T plain_sum) {
    constexpr T up = sizeof(T) == 4 ? T(0x1p100) : T(0x1p600);
    return plain_sum < least_sum<T> ? up : plain_sum > Limits<T>::max() ? 1 / up : T(1);
}

template <class T>
GRADTAPE_INLINE Vec<T> squared(Vec<T> x, Vec<T> scale) {
    const Vec<T> scaled = x * scale;  // exact: a square that loses digits is too small to matter
    return scaled * scaled;
}

/// A length as what the elements are multiplied by, and the length of that.
template <class T>
struct Length {
    T scale, scaled;
    T value() const { return scaled / scale; }
};

template <class T>
__attribute__((noinline)) GRADTAPE_FLAT T squares_of_row(const T* x, int64_t n, T scale) {
    const Vec<T> factor = all(scale);
    return fold_lanes<Sum>(fold_to_register<Sum, T>(n, [=](int64_t i, int count) GRADTAPE_INLINE_LAMBDA {
        return squared<T>(load_count(x + i, count, T(0)), factor);
    }));
}

template <class T>
Length<T> length_of_row(const T* x, int64_t n) {
    const T sum = squares_of_row(x, n, T(1)), scale = scale_for(sum);
    return {scale, std::sqrt(scale == 1 ? sum : squares_of_row(x, n, scale))};
}

/// Of `count` columns.
template <class T>
__attribute__((noinline)) GRADTAPE_FLAT Vec<T> squares_of_columns(const T* x, int64_t n, int64_t inner, int count, Vec<T> scale) {
    auto load = [=](int64_t row, int) GRADTAPE_INLINE_LAMBDA { return squared<T>(load_count(x + row * inner, count, T(0)), scale); };
    return fold_rows<Sum, T, 1>(n, load, [](Row<T, 1>&) {}).at[0];
}

/// Writes the lengths of up to a register of columns.
template <class T>
void lengths_of_columns(const T* x, int64_t n, int64_t inner, int count, Length<T>* lengths) {
    alignas(64) T sums[lanes<T>], scales[lanes<T>];
    store<T>(sums, squares_of_columns(x, n, inner, count, all(T(1))));
    bool plain = true;
    for (int c = 0; c < lanes<T>; ++c) {
        scales[c] = c < count ? scale_for(sums[c]) : T(1);
        plain = plain && scales[c] == 1;
    }
    if (!plain) store<T>(sums, squares_of_columns(x, n, inner, count, load<T>(scales)));
    for (int c = 0; c < count; ++c) lengths[c] = {scales[c], std::sqrt(sums[c])};
}

/// f(lengths, their number, which of outer, which of inner the first is): up to a register of columns, or one row.
template <class T, class F>
void for_each_lengths(const T* x, int64_t outer, int64_t reduced, int64_t inner, F f) {
    Length<T> lengths[lanes<T>];
    for (int64_t o = 0; o < outer; ++o, x += reduced * inner) {
        if (inner == 1) {
            lengths[0] = length_of_row(x, reduced);
            f(lengths, 1, o, 0);
            continue;
        }
        for_each_register<T>(inner, [&](int64_t i, int count) {
            lengths_of_columns(x + i, reduced, inner, count, lengths);
            f(lengths, count, o, i);
        });
    }
}

/// One column, whose length may be 0 or infinite: k infinite elements have equal shares, as the limit has where they grow
/// alike.
template <class T>
void special_direction(const T* x, T* z, int64_t reduced, int64_t inner, const Length<T>& length) {
    int64_t infinite = 0;
    for (int64_t r = 0; r < reduced; ++r) infinite += std::isinf(x[r * inner]);
    const T share = 1 / std::sqrt(static_cast<T>(infinite));
    for (int64_t r = 0; r < reduced; ++r) {
        const T element = x[r * inner];
        T& its = z[r * inner];
        if (length.scaled == 0)
            its = 0;
        else if (std::isinf(length.scaled))
            its = std::isinf(element) ? std::copysign(share, element) : T(0);
        else
            its = element * length.scale / length.scaled;
    }
}

}  // namespace

template <class T>
void mean(const T* s, const T* x, T* z, int64_t outer, int64_t reduced, int64_t inner) {
    const T count = static_cast<T>(reduced);
    bool finite = true;
    for (int64_t i = 0; i < outer * inner; ++i) {
        z[i] = s[i] / count;
        finite = finite && std::isfinite(s[i]);
    }
    if (finite) return;
    for (int64_t o = 0; o < outer; ++o, s += inner, z += inner, x += reduced * inner)
        for (int64_t i = 0; i < inner; ++i)
            if (!std::isfinite(s[i])) z[i] = scaled_mean(x + i, reduced, inner);
}

template <class T>
void norm(const T* x, T* z, int64_t outer, int64_t reduced, int64_t inner) {
    for_each_lengths(x, outer, reduced, inner, [=](const Length<T>* lengths, int count, int64_t o, int64_t i) {
        for (int c = 0; c < count; ++c) z[o * inner + i + c] = lengths[c].value();
    });
}

template <class T>
void direction(const T* x, T* z, int64_t outer, int64_t reduced, int64_t inner) {
    for_each_lengths(x, outer, reduced, inner, [=](const Length<T>* lengths, int count, int64_t o, int64_t i) {
        const int64_t first = o * reduced * inner + i;
        bool plain = true;
        for (int c = 0; c < count; ++c)
            plain = plain && lengths[c].scaled != 0 && !std::isinf(lengths[c].scaled);
        if (!plain) {
            for (int c = 0; c < count; ++c) special_direction(x + first + c, z + first + c, reduced, inner, lengths[c]);
        } else if (inner == 1) {
            const Length<T> length = lengths[0];
            for (int64_t r = 0; r < reduced; ++r) z[first + r] = x[first + r] * length.scale / length.scaled;
        } else {
            for (int64_t r = 0; r < reduced; ++r)
                for (int c = 0; c < count; ++c)
                    z[first + r * inner + c] = x[first + r * inner + c] * lengths[c].scale / lengths[c].scaled;
        }
    });
}

#define GRADTAPE_INSTANTIATE(T)                                            \
    template void mean(const T*, const T*, T*, int64_t, int64_t, int64_t); \
    template void norm(const T*, T*, int64_t, int64_t, int64_t);           \
    template void direction(const T*, T*, int64_t, int64_t, int64_t);
GRADTAPE_INSTANTIATE(float)
GRADTAPE_INSTANTIATE(double)
#undef GRADTAPE_INSTANTIATE

}  // namespace gradtape::detail::GRADTAPE_ISA

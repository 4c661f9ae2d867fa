// logsumexp, softmax and log_softmax along one axis.
#include "softmax.hpp"

#include "fold.hpp"

namespace gradtape::detail::GRADTAPE_ISA {
namespace {

template <class T>
constexpr T infinity = std::numeric_limits<T>::infinity();

template <class T>
GRADTAPE_INLINE Vec<T> exp(Vec<T> x) {
    return xsimd::exp(xsimd::batch<T>(x)).data;
}
template <class T>
GRADTAPE_INLINE Vec<T> log(Vec<T> x) {
    return xsimd::log(xsimd::batch<T>(x)).data;
}

// x - max, and 0 at the maximum: where that is infinite too, so one +inf gets the whole weight.
template <class T>
GRADTAPE_INLINE Vec<T> shifted(Vec<T> x, Vec<T> max) {
    return x == max ? all(T(0)) : x - max;
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

// ---- inner == 1: one row at a time

/// f(i, count) for each register of a row.
template <class T, class F>
GRADTAPE_INLINE void for_each_register(int64_t n, F f) {
    int64_t i = 0;
    for (; i + lanes<T> <= n; i += lanes<T>) f(i, lanes<T>);
    if (i < n) f(i, static_cast<int>(n - i));
}

template <class T>
T row_max(const T* x, int64_t n) {
    return fold_contiguous<Max, T>(n, [x](int64_t i, int count) GRADTAPE_INLINE_LAMBDA {
        return load_count(x + i, count, Max::identity<T>);
    });
}

/// Sum of exp(x - max); the terms are kept in z, unless that is null.
template <bool keep, class T>
T row_sum(const T* x, T* z, int64_t n, T row_max) {
    const Vec<T> max = all(row_max);
    return fold_contiguous<Sum, T>(n, [=](int64_t i, int count) GRADTAPE_INLINE_LAMBDA {
        const Vec<T> term = exp<T>(shifted<T>(load_count(x + i, count, T(0)), max));
        if constexpr (keep) store_count<T>(z + i, term, count);
        return count == lanes<T> ? term : keep_first(term, count, T(0));
    });
}

template <class T>
void softmax_row(const T* x, T* z, int64_t n) {
    const T max = row_max(x, n);
    const T sum = row_sum<true>(x, z, n, max);
    const Vec<T> divisor = all(sum);
    const bool none = max == -infinity<T>;
    for_each_register<T>(n, [=](int64_t i, int count) GRADTAPE_INLINE_LAMBDA {
        const Vec<T> quotient = load_count(z + i, count, T(1)) / divisor;
        store_count<T>(z + i, none ? all(T(0)) : quotient, count);
    });
}

template <class T>
void log_softmax_row(const T* x, T* z, int64_t n, T row_max, T row_log) {
    const Vec<T> max = all(row_max), log = all(row_log);
    const bool none = row_max == -infinity<T>;
    for_each_register<T>(n, [=](int64_t i, int count) GRADTAPE_INLINE_LAMBDA {
        const Vec<T> value = shifted<T>(load_count(x + i, count, T(0)), max) - log;
        store_count<T>(z + i, none ? max : value, count);
    });
}

/// f(first row, rows, max of each, log of the sum of each): as many rows together as a register has lanes.
template <class T, class F>
GRADTAPE_INLINE void for_each_row_log(const T* x, int64_t rows, int64_t n, F f) {
    for (int64_t first = 0; first < rows; first += lanes<T>) {
        const int count = static_cast<int>(rows - first < lanes<T> ? rows - first : lanes<T>);
        T max[lanes<T>], log_sum[lanes<T>];
        for (int r = 0; r < lanes<T>; ++r) max[r] = log_sum[r] = T(1);
        for (int r = 0; r < count; ++r) {
            const T* row = x + (first + r) * n;
            max[r] = row_max(row, n);
            log_sum[r] = row_sum<false, T>(row, nullptr, n, max[r]);
        }
        store<T>(log_sum, log<T>(load(log_sum)));
        f(first, count, max, log_sum);
    }
}

// ---- inner > 1: a register of columns at a time

template <class T>
struct Columns {
    Vec<T> max, sum;
};

template <bool keep, class T>
GRADTAPE_INLINE Columns<T> fold_columns(const T* x, T* z, int64_t n, int64_t inner, int count) {
    auto none = [](Row<T, 1>&) {};
    auto value = [=](int64_t r, int) GRADTAPE_INLINE_LAMBDA { return load_count(x + r * inner, count, T(0)); };
    const Vec<T> max = fold_rows<Max, T, 1>(n, value, none).at[0];
    auto term = [=](int64_t r, int j) GRADTAPE_INLINE_LAMBDA {
        const Vec<T> e = exp<T>(shifted<T>(value(r, j), max));
        if constexpr (keep) store_count<T>(z + r * inner, e, count);
        return e;
    };
    return {max, fold_rows<Sum, T, 1>(n, term, none).at[0]};
}

/// f(offset of the first column in x, in z, count).
template <class T, class F>
GRADTAPE_INLINE void for_each_column_register(int64_t outer, int64_t n, int64_t inner, F f) {
    for (int64_t o = 0; o < outer; ++o)
        for_each_register<T>(inner, [=](int64_t i, int count) GRADTAPE_INLINE_LAMBDA {
            f(o * n * inner + i, o * inner + i, count);
        });
}

template <class T>
void softmax_columns(const T* x, T* z, int64_t n, int64_t inner, int count) {
    const Columns<T> columns = fold_columns<true>(x, z, n, inner, count);
    for (int64_t r = 0; r < n; ++r, z += inner) {
        const Vec<T> quotient = load_count(z, count, T(1)) / columns.sum;
        store_count<T>(z, columns.max == all(-infinity<T>) ? all(T(0)) : quotient, count);
    }
}

template <class T>
void log_softmax_columns(const T* x, T* z, int64_t n, int64_t inner, int count) {
    const Columns<T> columns = fold_columns<false, T>(x, nullptr, n, inner, count);
    const Vec<T> log_sum = log<T>(columns.sum);
    for (int64_t r = 0; r < n; ++r, x += inner, z += inner) {
        const Vec<T> value = shifted<T>(load_count(x, count, T(0)), columns.max) - log_sum;
        store_count<T>(z, columns.max == all(-infinity<T>) ? columns.max : value, count);
    }
}

template <class T>
void logsumexp_columns(const T* x, T* z, int64_t n, int64_t inner, int count) {
    const Columns<T> columns = fold_columns<false, T>(x, nullptr, n, inner, count);
    store_count<T>(z, columns.max + log<T>(columns.sum), count);
}

}  // namespace

template <class T>
void logsumexp(const T* x, T* z, int64_t outer, int64_t reduced, int64_t inner) {
    if (inner == 1)
        for_each_row_log(x, outer, reduced, [=](int64_t first, int count, const T* max, const T* log_sum) {
            for (int r = 0; r < count; ++r) z[first + r] = max[r] + log_sum[r];
        });
    else
        for_each_column_register<T>(outer, reduced, inner, [=](int64_t from, int64_t to, int count) {
            logsumexp_columns(x + from, z + to, reduced, inner, count);
        });
}

template <class T>
void softmax(const T* x, T* z, int64_t outer, int64_t reduced, int64_t inner) {
    if (inner == 1)
        for (int64_t o = 0; o < outer; ++o) softmax_row(x + o * reduced, z + o * reduced, reduced);
    else
        for_each_column_register<T>(outer, reduced, inner, [=](int64_t from, int64_t, int count) {
            softmax_columns(x + from, z + from, reduced, inner, count);
        });
}

template <class T>
void log_softmax(const T* x, T* z, int64_t outer, int64_t reduced, int64_t inner) {
    if (inner == 1)
        for_each_row_log(x, outer, reduced, [=](int64_t first, int count, const T* max, const T* log_sum) {
            for (int r = 0; r < count; ++r) {
                const int64_t i = (first + r) * reduced;
                log_softmax_row(x + i, z + i, reduced, max[r], log_sum[r]);
            }
        });
    else
        for_each_column_register<T>(outer, reduced, inner, [=](int64_t from, int64_t, int count) {
            log_softmax_columns(x + from, z + from, reduced, inner, count);
        });
}

#define GRADTAPE_INSTANTIATE(T)                                          \
    template void logsumexp(const T*, T*, int64_t, int64_t, int64_t);    \
    template void softmax(const T*, T*, int64_t, int64_t, int64_t);      \
    template void log_softmax(const T*, T*, int64_t, int64_t, int64_t);
GRADTAPE_INSTANTIATE(float)
GRADTAPE_INSTANTIATE(double)
#undef GRADTAPE_INSTANTIATE

}  // namespace gradtape::detail::GRADTAPE_ISA

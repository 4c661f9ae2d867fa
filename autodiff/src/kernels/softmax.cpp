// logsumexp, softmax and log_softmax along one axis.
#include "softmax.hpp"

#include "fold.hpp"
#include "tile.hpp"

namespace gradtape::detail::GRADTAPE_ISA {
namespace {

template <class T>
constexpr T infinity = std::numeric_limits<T>::infinity();

template <class T>
GRADTAPE_INLINE Vec<T> exp(Vec<T> x) {
    return xsimd::exp(xsimd::batch<T>(x)).data;
}
template <class T>
GRADTAPE_INLINE Vec<T> log1p(Vec<T> x) {
    return xsimd::log1p(xsimd::batch<T>(x)).data;
}

// x - max, and 0 at the maximum: where that is infinite too, so one +inf gets the whole weight.
template <class T>
GRADTAPE_INLINE Vec<T> shifted(Vec<T> x, Vec<T> max) {
    return x == max ? all(T(0)) : x - max;
}

/// What a row's terms exp(x - max) sum to, as a logarithm has to know it: those of the largest elements are 1 each, and the
/// others may be too small to show beside a 1.
template <class T>
struct Terms {
    Vec<T> others, largest;  ///< the sum of the others; the number of the largest

    GRADTAPE_INLINE Vec<T> log_of_sum() const { return log1p<T>(others + (largest - all(T(1)))); }
};
template <class T>
GRADTAPE_INLINE Vec<T> of_others(Vec<T> term, Vec<T> x, Vec<T> max) {
    return x == max ? all(T(0)) : term;
}
template <class T>
GRADTAPE_INLINE Vec<T> one_if_largest(Vec<T> x, Vec<T> max) {
    return x == max ? all(T(1)) : all(T(0));
}

// ---- inner == 1: as many rows together as a register has lanes

// Not inline: three functions would have copies of each.
template <class T>
__attribute__((noinline)) Vec<T> max_of_row(const T* x, int64_t n) {
    return fold_row_to_register<Max>(x, n);
}
/// Keeps the terms.
template <class T>
__attribute__((noinline)) GRADTAPE_FLAT Vec<T> sum_of_row(const T* x, T* terms, int64_t n, T largest) {
    const Vec<T> max = all(largest);
    return fold_to_register<Sum, T>(n, [=](int64_t i, int count) GRADTAPE_INLINE_LAMBDA {
        const Vec<T> term = exp<T>(shifted<T>(load_count(x + i, count, T(0)), max));
        store_count<T>(terms + i, term, count);
        return count == lanes<T> ? term : keep_first(term, count, T(0));
    });
}
/// `kept`: the terms have been computed.
template <bool kept, class T>
__attribute__((noinline)) GRADTAPE_FLAT Terms<T> terms_of_row(const T* x, const T* terms, int64_t n, T largest) {
    const Vec<T> max = all(largest);
    Vec<T> found = all(T(0));
    const Vec<T> others = fold_to_register<Sum, T>(n, [&found, x, terms, max](int64_t i, int count) GRADTAPE_INLINE_LAMBDA {
        const Vec<T> element = load_count(x + i, count, T(0)), one = one_if_largest<T>(element, max);
        const Vec<T> term = kept ? load_count(terms + i, count, T(0)) : exp<T>(shifted<T>(element, max));
        const Vec<T> other = of_others<T>(term, element, max);
        found = found + (count == lanes<T> ? one : keep_first(one, count, T(0)));
        return count == lanes<T> ? other : keep_first(other, count, T(0));
    });
    return {others, found};
}

/// f(first row, rows, the largest element of each).
template <class T, class F>
GRADTAPE_INLINE void for_each_rows(const T* x, int64_t outer, int64_t n, F f) {
    for_each_register<T>(outer, [=](int64_t first, int count) GRADTAPE_INLINE_LAMBDA {
        alignas(64) T max[lanes<T>];
        store<T>(max, fold_each<Max, T>(count, [=](int r) GRADTAPE_INLINE_LAMBDA {
            return max_of_row(x + (first + r) * n, n);
        }));
        f(first, count, max);
    });
}

/// The logarithms of the sums of exp(x - max) of some rows.
template <bool kept, class T>
GRADTAPE_INLINE Vec<T> log_sums_of_rows(const T* x, const T* terms, int64_t n, int count, const T* max) {
    Row<T, lanes<T>> found;
    const Vec<T> others = fold_each<Sum, T>(count, [&](int r) GRADTAPE_INLINE_LAMBDA {
        const Terms<T> its = terms_of_row<kept>(x + r * n, kept ? terms + r * n : nullptr, n, max[r]);
        found.at[r] = its.largest;
        return its.others;
    });
    const Vec<T> largest = fold_each<Sum, T>(count, [&](int r) GRADTAPE_INLINE_LAMBDA { return found.at[r]; });
    return Terms<T>{others, largest}.log_of_sum();
}

template <class T>
GRADTAPE_FLAT void softmax_rows(const T* x, T* z, T* log_sums, int64_t outer, int64_t n) {
    for_each_rows(x, outer, n, [=](int64_t first, int count, const T* max) GRADTAPE_INLINE_LAMBDA {
        alignas(64) T sum[lanes<T>];
        store<T>(sum, fold_each<Sum, T>(count, [&](int r) GRADTAPE_INLINE_LAMBDA {
            const int64_t row = (first + r) * n;
            return sum_of_row(x + row, z + row, n, max[r]);
        }));
        if (log_sums)
            store_count<T>(log_sums + first, load(max) + log_sums_of_rows<true, T>(x + first * n, z + first * n, n, count, max),
                           count);
        for (int r = 0; r < count; ++r) {
            T* row = z + (first + r) * n;
            const Vec<T> divisor = all(sum[r]);
            const bool none = max[r] == -infinity<T>;
            for_each_register<T>(n, [=](int64_t i, int count) GRADTAPE_INLINE_LAMBDA {
                const Vec<T> quotient = load_count(row + i, count, T(1)) / divisor;
                store_count<T>(row + i, none ? all(T(0)) : quotient, count);
            });
        }
    });
}

template <class T>
GRADTAPE_FLAT void log_softmax_rows(const T* x, T* z, int64_t outer, int64_t n) {
    for_each_rows(x, outer, n, [=](int64_t first, int count, const T* max) GRADTAPE_INLINE_LAMBDA {
        alignas(64) T logs[lanes<T>];
        store<T>(logs, log_sums_of_rows<false, T>(x + first * n, nullptr, n, count, max));
        for (int r = 0; r < count; ++r) {
            const int64_t row = (first + r) * n;
            const Vec<T> its_max = all(max[r]), its_log = all(logs[r]);
            const bool none = max[r] == -infinity<T>;
            for_each_register<T>(n, [=](int64_t i, int count) GRADTAPE_INLINE_LAMBDA {
                const Vec<T> value = shifted<T>(load_count(x + row + i, count, T(0)), its_max) - its_log;
                store_count<T>(z + row + i, none ? its_max : value, count);
            });
        }
    });
}

template <class T>
GRADTAPE_FLAT void logsumexp_rows(const T* x, T* z, int64_t outer, int64_t n) {
    for_each_rows(x, outer, n, [=](int64_t first, int count, const T* max) GRADTAPE_INLINE_LAMBDA {
        store_count<T>(z + first, load(max) + log_sums_of_rows<false, T>(x + first * n, nullptr, n, count, max), count);
    });
}

// ---- inner == 1, rows of 64 bytes at most: the same, turned, so that an element of all of them is in one register

template <class T>
inline constexpr int short_row = 64 / static_cast<int>(sizeof(T));

template <class T>
struct Turned {
    Vec<T> column[short_row<T>];

    /// `count` rows of n elements.
    void load(const T* x, int n, int count) {
        for (int from = 0; from < n; from += lanes<T>) {
            const int width = n - from < lanes<T> ? n - from : lanes<T>;
            Vec<T> rows[lanes<T>];
            for (int r = 0; r < count; ++r) rows[r] = load_count(x + r * n + from, width, T(0));
            for (int r = count; r < lanes<T>; ++r) rows[r] = all(T(0));
            transpose_rows(rows);
            unroll<lanes<T>>([&](auto j) GRADTAPE_INLINE_LAMBDA { column[from + j] = rows[j]; });
        }
    }
    void store(T* z, int n, int count) const {
        for (int from = 0; from < n; from += lanes<T>) {
            const int width = n - from < lanes<T> ? n - from : lanes<T>;
            Vec<T> rows[lanes<T>];
            unroll<lanes<T>>([&](auto j) GRADTAPE_INLINE_LAMBDA { rows[j] = column[from + j]; });
            transpose_rows(rows);
            for (int r = 0; r < count; ++r) store_count<T>(z + r * n + from, rows[r], width);
        }
    }
};

/// The tree of fold_to_register and fold_lanes over n columns, from the identity on. What it leaves out are identities.
template <class Op, class T>
GRADTAPE_INLINE Vec<T> fold_turned(const Vec<T>* columns, int n) {
    if (n == 0) return all(Op::template identity<T>);
    Vec<T> v[short_row<T>];
    unroll<short_row<T>>([&](auto j) GRADTAPE_INLINE_LAMBDA {
        if (j < n) v[j] = Op::first(columns[j]);
    });
    const auto halve = [&](auto half) GRADTAPE_INLINE_LAMBDA {
        unroll<half>([&](auto j) GRADTAPE_INLINE_LAMBDA {
            if (j + half < n) v[j] = Op::combine(v[j], v[j + half]);
        });
    };
    if constexpr (short_row<T> == 16) halve(std::integral_constant<int, 8>{});
    halve(std::integral_constant<int, 4>{});
    halve(std::integral_constant<int, 2>{});
    halve(std::integral_constant<int, 1>{});
    return v[0];
}

/// f(first row, rows, the rows turned, the largest of each, the terms exp(x - that)).
template <class T, class F>
GRADTAPE_INLINE void for_each_turned(const T* x, int64_t outer, int n, F f) {
    for_each_register<T>(outer, [=](int64_t first, int count) GRADTAPE_INLINE_LAMBDA {
        Turned<T> rows;
        Vec<T> terms[short_row<T>];
        rows.load(x + first * n, n, count);
        const Vec<T> max = fold_turned<Max, T>(rows.column, n);
        for (int j = 0; j < n; ++j) terms[j] = exp<T>(shifted<T>(rows.column[j], max));
        f(first, count, rows, max, terms);
    });
}

/// The logarithms of the sums of the terms.
template <class T>
GRADTAPE_INLINE Vec<T> log_sums_of_turned(const Turned<T>& rows, const Vec<T>* terms, int n, Vec<T> max) {
    Vec<T> others[short_row<T>], largest = all(T(0));
    for (int j = 0; j < n; ++j) {
        others[j] = of_others<T>(terms[j], rows.column[j], max);
        largest = largest + one_if_largest<T>(rows.column[j], max);
    }
    return Terms<T>{fold_turned<Sum, T>(others, n), largest}.log_of_sum();
}

template <class T>
GRADTAPE_FLAT void softmax_turned(const T* x, T* z, T* log_sums, int64_t outer, int n) {
    for_each_turned(x, outer, n, [=](int64_t first, int count, Turned<T>& rows, Vec<T> max, const Vec<T>* terms)
                                 GRADTAPE_INLINE_LAMBDA {
        if (log_sums) store_count<T>(log_sums + first, max + log_sums_of_turned(rows, terms, n, max), count);
        const Vec<T> sum = fold_turned<Sum, T>(terms, n);
        for (int j = 0; j < n; ++j) {
            const Vec<T> quotient = terms[j] / sum;
            rows.column[j] = max == all(-infinity<T>) ? all(T(0)) : quotient;
        }
        rows.store(z + first * n, n, count);
    });
}

template <class T>
GRADTAPE_FLAT void log_softmax_turned(const T* x, T* z, int64_t outer, int n) {
    for_each_turned(x, outer, n, [=](int64_t first, int count, Turned<T>& rows, Vec<T> max, const Vec<T>* terms)
                                 GRADTAPE_INLINE_LAMBDA {
        const Vec<T> log_sum = log_sums_of_turned(rows, terms, n, max);
        for (int j = 0; j < n; ++j) {
            const Vec<T> value = shifted<T>(rows.column[j], max) - log_sum;
            rows.column[j] = max == all(-infinity<T>) ? max : value;
        }
        rows.store(z + first * n, n, count);
    });
}

template <class T>
GRADTAPE_FLAT void logsumexp_turned(const T* x, T* z, int64_t outer, int n) {
    for_each_turned(x, outer, n, [=](int64_t first, int count, Turned<T>& rows, Vec<T> max, const Vec<T>* terms)
                                 GRADTAPE_INLINE_LAMBDA {
        store_count<T>(z + first, max + log_sums_of_turned(rows, terms, n, max), count);
    });
}

/// Turning pays where there are rows enough.
template <class T>
bool better_turned(int64_t outer, int64_t n) {
    return n <= short_row<T> && 4 * outer >= lanes<T>;
}

// ---- inner > 1: a register of columns at a time

/// The largest of each column.
template <class T>
GRADTAPE_INLINE Vec<T> max_of_columns(const T* x, int64_t n, int64_t inner, int count) {
    auto value = [=](int64_t r, int) GRADTAPE_INLINE_LAMBDA { return load_count(x + r * inner, count, T(0)); };
    return fold_rows<Max, T, 1>(n, value, [](Row<T, 1>&) {}).at[0];
}

/// The logarithms of the sums of exp(x - max).
template <bool kept, class T>
GRADTAPE_INLINE Vec<T> log_sums_of_columns(const T* x, const T* terms, int64_t n, int64_t inner, int count, Vec<T> max) {
    Vec<T> largest = all(T(0));
    auto term = [&largest, x, terms, inner, count, max](int64_t r, int) GRADTAPE_INLINE_LAMBDA {
        const Vec<T> element = load_count(x + r * inner, count, T(0));
        largest = largest + one_if_largest<T>(element, max);
        const Vec<T> its = kept ? load_count(terms + r * inner, count, T(0)) : exp<T>(shifted<T>(element, max));
        return of_others<T>(its, element, max);
    };
    const Vec<T> others = fold_rows<Sum, T, 1>(n, term, [](Row<T, 1>&) {}).at[0];
    return Terms<T>{others, largest}.log_of_sum();
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
void softmax_columns(const T* x, T* z, T* log_sums, int64_t n, int64_t inner, int count) {
    const Vec<T> max = max_of_columns(x, n, inner, count);
    auto term = [=](int64_t r, int) GRADTAPE_INLINE_LAMBDA {
        const Vec<T> e = exp<T>(shifted<T>(load_count(x + r * inner, count, T(0)), max));
        store_count<T>(z + r * inner, e, count);
        return e;
    };
    const Vec<T> sum = fold_rows<Sum, T, 1>(n, term, [](Row<T, 1>&) {}).at[0];
    if (log_sums) store_count<T>(log_sums, max + log_sums_of_columns<true, T>(x, z, n, inner, count, max), count);
    for (int64_t r = 0; r < n; ++r, z += inner) {
        const Vec<T> quotient = load_count(z, count, T(1)) / sum;
        store_count<T>(z, max == all(-infinity<T>) ? all(T(0)) : quotient, count);
    }
}

template <class T>
void log_softmax_columns(const T* x, T* z, int64_t n, int64_t inner, int count) {
    const Vec<T> max = max_of_columns(x, n, inner, count), log_sum = log_sums_of_columns<false, T>(x, nullptr, n, inner, count, max);
    for (int64_t r = 0; r < n; ++r, x += inner, z += inner) {
        const Vec<T> value = shifted<T>(load_count(x, count, T(0)), max) - log_sum;
        store_count<T>(z, max == all(-infinity<T>) ? max : value, count);
    }
}

template <class T>
void logsumexp_columns(const T* x, T* z, int64_t n, int64_t inner, int count) {
    const Vec<T> max = max_of_columns(x, n, inner, count);
    store_count<T>(z, max + log_sums_of_columns<false, T>(x, nullptr, n, inner, count, max), count);
}

}  // namespace

template <class T>
void logsumexp(const T* x, T* z, int64_t outer, int64_t reduced, int64_t inner) {
    if (inner == 1 && better_turned<T>(outer, reduced)) return logsumexp_turned(x, z, outer, static_cast<int>(reduced));
    if (inner == 1) return logsumexp_rows(x, z, outer, reduced);
    for_each_column_register<T>(outer, reduced, inner, [=](int64_t from, int64_t to, int count) {
        logsumexp_columns(x + from, z + to, reduced, inner, count);
    });
}

template <class T>
void softmax(const T* x, T* z, int64_t outer, int64_t reduced, int64_t inner, T* log_sums) {
    if (inner == 1 && better_turned<T>(outer, reduced))
        return softmax_turned(x, z, log_sums, outer, static_cast<int>(reduced));
    if (inner == 1) return softmax_rows(x, z, log_sums, outer, reduced);
    for_each_column_register<T>(outer, reduced, inner, [=](int64_t from, int64_t to, int count) {
        softmax_columns(x + from, z + from, log_sums ? log_sums + to : nullptr, reduced, inner, count);
    });
}

template <class T>
void log_softmax(const T* x, T* z, int64_t outer, int64_t reduced, int64_t inner) {
    if (inner == 1 && better_turned<T>(outer, reduced)) return log_softmax_turned(x, z, outer, static_cast<int>(reduced));
    if (inner == 1) return log_softmax_rows(x, z, outer, reduced);
    for_each_column_register<T>(outer, reduced, inner, [=](int64_t from, int64_t, int count) {
        log_softmax_columns(x + from, z + from, reduced, inner, count);
    });
}

#define GRADTAPE_INSTANTIATE(T)                                          \
    template void logsumexp(const T*, T*, int64_t, int64_t, int64_t);    \
    template void softmax(const T*, T*, int64_t, int64_t, int64_t, T*);  \
    template void log_softmax(const T*, T*, int64_t, int64_t, int64_t);
GRADTAPE_INSTANTIATE(float)
GRADTAPE_INSTANTIATE(double)
#undef GRADTAPE_INSTANTIATE

}  // namespace gradtape::detail::GRADTAPE_ISA

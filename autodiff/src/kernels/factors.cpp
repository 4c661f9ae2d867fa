#include "factors.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <utility>

namespace gradtape::detail::own {
namespace {

constexpr int most_turns = 60;  // ten are usual

template <class T>
void identity(std::int64_t n, T* a) {
    std::fill_n(a, n * n, T(0));
    for (std::int64_t i = 0; i < n; ++i) a[i * n + i] = 1;
}

template <class T>
T dot(std::int64_t n, const T* x, const T* y) {
    return std::inner_product(x, x + n, y, T(0));
}

/// y −= factor x.
template <class T>
void subtract(std::int64_t n, T factor, const T* x, T* y) {
    for (std::int64_t i = 0; i < n; ++i) y[i] -= factor * x[i];
}

/// A plane's rotation, by which what stands off the diagonal between two of a symmetric matrix's diagonal becomes 0.
template <class T>
struct Rotation {
    T c, s;

    Rotation(T first, T second, T off) {
        const T theta = (second - first) / (2 * off);
        const T t = (theta < 0 ? T(-1) : T(1)) / (std::abs(theta) + std::hypot(theta, T(1)));
        c = 1 / std::hypot(t, T(1));
        s = t * c;
    }
    /// Of n pairs, `step` apart.
    void turn(std::int64_t n, T* x, T* y, std::int64_t step = 1) const {
        for (std::int64_t k = 0; k < n * step; k += step) {
            const T old = x[k];
            x[k] = c * old - s * y[k];
            y[k] = s * old + c * y[k];
        }
    }
};

}  // namespace

// Row after row, from the end that no other row is needed for.
template <class T>
void triangular_solve(std::int64_t n, std::int64_t k, const T* a, Triangular t, T* b) {
    const bool forward = t.lower != t.transpose;
    for (std::int64_t step = 0; step < n; ++step) {
        const std::int64_t i = forward ? step : n - 1 - step;
        for (std::int64_t before = 0; before < step; ++before) {
            const std::int64_t j = forward ? before : n - 1 - before;
            subtract(k, t.transpose ? a[j * n + i] : a[i * n + j], b + j * k, b + i * k);
        }
        if (t.unit_diagonal) continue;
        for (std::int64_t c = 0; c < k; ++c) b[i * k + c] /= a[i * n + i];
    }
}

template <class T>
void cholesky(std::int64_t n, T* a) {
    for (std::int64_t j = 0; j < n; ++j)
        for (std::int64_t i = j; i < n; ++i) {
            const T rest = a[i * n + j] - dot(j, a + i * n, a + j * n);
            a[i * n + j] = i == j ? std::sqrt(rest) : rest / a[j * n + j];
        }
}

template <class T>
void lu(std::int64_t n, T* a, int* pivots) {
    for (std::int64_t k = 0; k < n; ++k) {
        std::int64_t pivot = k;
        for (std::int64_t i = k + 1; i < n; ++i)
            if (std::abs(a[i * n + k]) > std::abs(a[pivot * n + k])) pivot = i;
        pivots[k] = int(pivot) + 1;
        if (pivot != k) std::swap_ranges(a + k * n, a + (k + 1) * n, a + pivot * n);
        if (a[k * n + k] == 0) continue;
        for (std::int64_t i = k + 1; i < n; ++i) {
            const T factor = a[i * n + k] /= a[k * n + k];
            subtract(n - k - 1, factor, a + k * n + k + 1, a + i * n + k + 1);
        }
    }
}

namespace {

/// p a q = l u, by the largest of all elements that are left: if u has zeros on its diagonal they are at its end.
template <class T>
struct Complete {
    std::int64_t n;
    T* lu;
    std::int64_t *rows, *columns;  ///< of a
    T sign = 1;

    void exchange(std::int64_t k) {
        std::int64_t r = k, c = k;
        for (std::int64_t i = k; i < n; ++i)
            for (std::int64_t j = k; j < n; ++j)
                if (std::abs(lu[i * n + j]) > std::abs(lu[r * n + c])) r = i, c = j;
        if (r != k) {
            std::swap_ranges(lu + k * n, lu + k * n + n, lu + r * n);
            std::swap(rows[k], rows[r]);
            sign = -sign;
        }
        if (c != k) {
            for (std::int64_t i = 0; i < n; ++i) std::swap(lu[i * n + k], lu[i * n + c]);
            std::swap(columns[k], columns[c]);
            sign = -sign;
        }
    }
    void factor() {
        for (std::int64_t k = 0; k < n; ++k) {
            exchange(k);
            for (std::int64_t i = k + 1; i < n && lu[k * n + k] != 0; ++i) {
                const T by = lu[i * n + k] /= lu[k * n + k];
                subtract(n - k - 1, by, lu + k * n + k + 1, lu + i * n + k + 1);
            }
        }
    }
    /// x becomes l⁻¹ x, and then adj(u) x. With u = (v w; 0 m) that is det v (m v⁻¹ x − v⁻¹ w x_n; x_n), x_n the last.
    void solve(T* x) const {
        for (std::int64_t i = 0; i < n; ++i)
            for (std::int64_t j = 0; j < i; ++j) x[i] -= lu[i * n + j] * x[j];
        T det = sign;
        for (std::int64_t i = 0; i + 1 < n; ++i) det *= lu[i * n + i];
        for (std::int64_t i = 0; i + 1 < n; ++i) x[i] = lu[n * n - 1] * x[i] - lu[i * n + n - 1] * x[n - 1];
        for (std::int64_t i = n - 1; i-- > 0;) {
            for (std::int64_t j = i + 1; j + 1 < n; ++j) x[i] -= lu[i * n + j] * x[j];
            x[i] /= lu[i * n + i];
        }
        for (std::int64_t i = 0; i < n; ++i) x[i] *= det;
    }
};

}  // namespace

template <class T>
void adjugate(std::int64_t n, const T* a, T* z, T* work, std::int64_t* order) {
    Complete<T> its{n, work, order, order + n};
    std::copy_n(a, n * n, its.lu);
    for (std::int64_t i = 0; i < n; ++i) its.rows[i] = its.columns[i] = i;
    its.factor();
    if (n > 1 && its.lu[(n - 2) * n + n - 2] == 0) return std::fill_n(z, n * n, T(0)), void();
    T* const x = work + n * n;
    for (std::int64_t j = 0; j < n; ++j) {
        for (std::int64_t i = 0; i < n; ++i) x[i] = its.rows[i] == j ? T(1) : T(0);
        its.solve(x);
        for (std::int64_t i = 0; i < n; ++i) z[its.columns[i] * n + j] = x[i];
    }
}

namespace {

/// The reflections 1 − v vᵀ that make a (m, n) upper triangular: v of the i-th is column i of a, from the diagonal down.
template <class T>
struct Reflections {
    std::int64_t m, n;
    T* a;

    /// Of the columns behind i: x −= v (vᵀ x). `row` is room for one of what is left of a row.
    void apply(std::int64_t i, T* row) const {
        const std::int64_t left = n - i - 1;
        std::fill_n(row, left, T(0));
        for (std::int64_t k = i; k < m; ++k) subtract(left, -a[k * n + i], a + k * n + i + 1, row);
        for (std::int64_t k = i; k < m; ++k) subtract(left, a[k * n + i], row, a + k * n + i + 1);
    }
    /// Makes column i below the diagonal 0; v takes its place. Gives what is on the diagonal then.
    T make(std::int64_t i) {
        if (i == m - 1) return std::exchange(a[i * n + i], T(0));  // nothing is below
        T largest = 0;
        for (std::int64_t k = i; k < m; ++k) largest = std::max(largest, std::abs(a[k * n + i]));
        if (largest == 0) return 0;
        T sum = 0;  // of the squares of what is divided by the largest, for neither to overflow
        for (std::int64_t k = i; k < m; ++k) {
            const T x = a[k * n + i] /= largest;
            sum += x * x;
        }
        const T length = std::sqrt(sum), head = a[i * n + i], to = head > 0 ? -length : length;
        a[i * n + i] -= to;
        const T scale = std::sqrt(length * (length + std::abs(head)));  // |v|² / 2
        for (std::int64_t k = i; k < m; ++k) a[k * n + i] /= scale;
        return to * largest;
    }
};

}  // namespace

template <class T>
void qr(std::int64_t m, std::int64_t n, const T* a, T* q, T* r, T* work) {
    const std::int64_t k = std::min(m, n);
    Reflections<T> its{m, n, work};
    std::copy_n(a, m * n, work);
    std::fill_n(r, k * n, T(0));
    for (std::int64_t i = 0; i < k; ++i) {
        const T diagonal = its.make(i);
        its.apply(i, r + i * n + i + 1);
        r[i * n + i] = diagonal;
        std::copy_n(work + i * n + i + 1, n - i - 1, r + i * n + i + 1);
    }
    std::fill_n(q, m * k, T(0));
    for (std::int64_t i = k; i-- > 0;) {
        q[i * k + i] = 1;
        for (std::int64_t c = i; c < k; ++c) {
            T sum = 0;
            for (std::int64_t j = i; j < m; ++j) sum += work[j * n + i] * q[j * k + c];
            for (std::int64_t j = i; j < m; ++j) q[j * k + c] -= work[j * n + i] * sum;
        }
    }
}

template <class T>
bool symmetric_eigen(std::int64_t n, T* v, T* w, T* a) {
    for (std::int64_t i = 0; i < n; ++i)
        for (std::int64_t j = 0; j <= i; ++j) a[i * n + j] = a[j * n + i] = v[i * n + j];
    identity(n, v);
    bool done = false;
    for (int turn = 0; turn < most_turns && !done; ++turn) {
        done = true;
        for (std::int64_t p = 0; p < n; ++p)
            for (std::int64_t q = p + 1; q < n; ++q) {
                const T off = a[p * n + q], size = std::abs(a[p * n + p]) + std::abs(a[q * n + q]);
                if (size + std::abs(off) == size) continue;
                done = false;
                const Rotation<T> rotation(a[p * n + p], a[q * n + q], off);
                rotation.turn(n, a + p * n, a + q * n);
                rotation.turn(n, a + p, a + q, n);
                a[p * n + q] = a[q * n + p] = 0;
                rotation.turn(n, v + p * n, v + q * n);
            }
    }
    for (std::int64_t i = 0; i < n; ++i) w[i] = a[i * n + i];
    for (std::int64_t i = 0; i < n; ++i) {
        const std::int64_t least = std::min_element(w + i, w + n) - w;
        std::swap(w[i], w[least]);
        if (least != i) std::swap_ranges(v + i * n, v + i * n + n, v + least * n);
    }
    return done;
}

namespace {

/// Row i of x (k, n) becomes a unit vector at right angles to the rows before it: the unit vector that they leave most of.
template <class T>
void complete_row(std::int64_t i, std::int64_t n, T* x) {
    T* const row = x + i * n;
    std::int64_t best = 0;
    T most = -1;
    for (std::int64_t c = 0; c < n; ++c) {
        T left = 1;
        for (std::int64_t j = 0; j < i; ++j) left -= x[j * n + c] * x[j * n + c];
        if (left > most) most = left, best = c;
    }
    std::fill_n(row, n, T(0));
    row[best] = 1;
    for (int again = 0; again < 2; ++again)
        for (std::int64_t j = 0; j < i; ++j) subtract(n, dot(n, x + j * n, row), x + j * n, row);
    const T length = std::sqrt(dot(n, row, row));
    for (std::int64_t c = 0; c < n; ++c) row[c] /= length;
}

/// Rows of x (k, n) are turned among each other until they are at right angles, and those of turned (k, k) with them. What is
/// left of rows that depend on others is rounding, and not turned.
template <class T>
bool turn_rows(std::int64_t k, std::int64_t n, T* x, T* turned) {
    constexpr T eps = std::numeric_limits<T>::epsilon();
    T total = 0;
    for (std::int64_t i = 0; i < k * n; ++i) total += x[i] * x[i];
    const T least = total * (eps * eps);
    for (int turn = 0; turn < most_turns; ++turn) {
        bool done = true;
        for (std::int64_t p = 0; p < k; ++p)
            for (std::int64_t q = p + 1; q < k; ++q) {
                T *const a = x + p * n, *const b = x + q * n;
                const T off = dot(n, a, b), first = dot(n, a, a), second = dot(n, b, b);
                if (first <= least || second <= least || std::abs(off) <= 2 * eps * std::sqrt(first) * std::sqrt(second)) continue;
                done = false;
                const Rotation<T> rotation(first, second, off);
                rotation.turn(n, a, b);
                rotation.turn(k, turned + p * k, turned + q * k);
            }
        if (done) return true;
    }
    return false;
}

}  // namespace

// The shorter side's vectors are what the rotations have made of unit vectors, the longer's are the turned rows themselves.
template <class T>
bool singular_values(std::int64_t m, std::int64_t n, const T* a, T* u, T* s, T* vt, T* work) {
    const bool wide = m < n;
    const std::int64_t k = wide ? m : n, length = wide ? n : m;
    T *const rows = work, *const turned = work + k * length;
    T largest = 0;
    for (std::int64_t i = 0; i < m * n; ++i) largest = std::max(largest, std::abs(a[i]));
    int exponent = 0;  // squares neither overflow nor vanish
    std::frexp(largest, &exponent);
    for (std::int64_t i = 0; i < m; ++i)
        for (std::int64_t j = 0; j < n; ++j) rows[wide ? i * n + j : j * m + i] = std::ldexp(a[i * n + j], -exponent);
    identity(k, turned);
    const bool done = turn_rows(k, length, rows, turned);
    for (std::int64_t i = 0; i < k; ++i) s[i] = std::sqrt(dot(length, rows + i * length, rows + i * length));
    for (std::int64_t i = 0; i < k; ++i) {
        const std::int64_t at = std::max_element(s + i, s + k) - s;
        if (at != i) {
            std::swap(s[i], s[at]);
            std::swap_ranges(rows + i * length, rows + (i + 1) * length, rows + at * length);
            std::swap_ranges(turned + i * k, turned + (i + 1) * k, turned + at * k);
        }
        if (s[i] <= s[0] * T(k) * std::numeric_limits<T>::epsilon())
            complete_row(i, length, rows);
        else
            for (std::int64_t c = 0; c < length; ++c) rows[i * length + c] /= s[i];
    }
    for (std::int64_t i = 0; i < k; ++i) s[i] = std::ldexp(s[i], exponent);
    const T *const left = wide ? turned : rows, *const right = wide ? rows : turned;
    for (std::int64_t i = 0; i < k; ++i)
        for (std::int64_t j = 0; j < m; ++j) u[j * k + i] = left[i * m + j];
    std::copy_n(right, k * n, vt);
    return done;
}

#define INSTANTIATE(T)                                                                                  \
    template void triangular_solve(std::int64_t, std::int64_t, const T*, Triangular, T*);               \
    template void cholesky(std::int64_t, T*);                                                           \
    template void lu(std::int64_t, T*, int*);                                                           \
    template void adjugate(std::int64_t, const T*, T*, T*, std::int64_t*);                              \
    template void qr(std::int64_t, std::int64_t, const T*, T*, T*, T*);                                 \
    template bool symmetric_eigen(std::int64_t, T*, T*, T*);                                            \
    template bool singular_values(std::int64_t, std::int64_t, const T*, T*, T*, T*, T*);
INSTANTIATE(float)
INSTANTIATE(double)
#undef INSTANTIATE

}  // namespace gradtape::detail::own

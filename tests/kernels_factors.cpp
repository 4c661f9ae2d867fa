// Factorisations by loops of our own: what they give is what a LAPACK gives where there is one, else their products are the matrix.
#include "kernels/lapack.hpp"
#include "support/tensors.hpp"

#include <algorithm>
#include <cmath>
#include <doctest/doctest.h>

using namespace gradtape::test;
namespace own = gradtape::detail::own;
using std::int64_t;

namespace {

template <class T>
using Numbers = std::vector<T>;

template <class T>
Numbers<T> random_numbers(int64_t count, std::uint64_t seed, double scale = 1) {
    Random random(seed);
    Numbers<T> x;
    for (int64_t i = 0; i < count; ++i) x.push_back(T(scale * random.uniform(-1, 1)));
    return x;
}

template <class T>
Numbers<T> product(int64_t m, int64_t k, int64_t n, const Numbers<T>& a, const Numbers<T>& b) {
    Numbers<T> z(std::size_t(m * n));
    for (int64_t i = 0; i < m; ++i)
        for (int64_t j = 0; j < n; ++j)
            for (int64_t l = 0; l < k; ++l) z[std::size_t(i * n + j)] += a[std::size_t(i * k + l)] * b[std::size_t(l * n + j)];
    return z;
}

template <class T>
Numbers<T> transposed(int64_t m, int64_t n, const Numbers<T>& a) {
    Numbers<T> z(a.size());
    for (int64_t i = 0; i < m; ++i)
        for (int64_t j = 0; j < n; ++j) z[std::size_t(j * m + i)] = a[std::size_t(i * n + j)];
    return z;
}

template <class T>
Numbers<T> unit(int64_t n) {
    Numbers<T> z(std::size_t(n * n));
    for (int64_t i = 0; i < n; ++i) z[std::size_t(i * n + i)] = 1;
    return z;
}

/// The largest difference, in units of rounding of `scale`.
template <class T>
double apart(const Numbers<T>& a, const Numbers<T>& b, double scale) {
    double worst = 0;
    for (std::size_t i = 0; i < a.size(); ++i) worst = std::max(worst, std::abs(double(a[i]) - double(b[i])));
    return std::isfinite(worst) ? worst / scale / std::numeric_limits<T>::epsilon() : inf;
}

const int64_t extents[][2] = {{1, 1}, {1, 5}, {5, 1}, {3, 3}, {4, 9}, {9, 4}, {40, 25}, {25, 40}, {33, 33}};
const double scales[] = {1, 1e-30, 1e30};

TEST_CASE_TEMPLATE("own factorisations: qr", T, float, double) {
    for (const auto& [m, n] : extents)
        for (double scale : scales) {
            const int64_t k = std::min(m, n);
            const Numbers<T> a = random_numbers<T>(m * n, 1, scale);
            Numbers<T> q(std::size_t(m * k)), r(std::size_t(k * n)), work(std::size_t(m * n));
            own::qr(m, n, a.data(), q.data(), r.data(), work.data());
            CHECK(apart(product(m, k, n, q, r), a, scale) < 60);
            CHECK(apart(product(k, m, k, transposed(m, k, q), q), unit<T>(k), 1) < 60);
            for (int64_t i = 0; i < k; ++i)
                for (int64_t j = 0; j < i; ++j) CHECK(r[std::size_t(i * n + j)] == 0);
        }
}

TEST_CASE_TEMPLATE("own factorisations: singular values, of dependent rows too", T, float, double) {
    for (const auto& [m, n] : extents)
        for (double scale : scales)
            for (int64_t rank : {int64_t(1), std::min(m, n) / 2, std::min(m, n)}) {
                const int64_t k = std::min(m, n);
                const Numbers<T> a = rank == k ? random_numbers<T>(m * n, 2, scale)
                                               : product(m, rank, n, random_numbers<T>(m * rank, 3, scale), random_numbers<T>(rank * n, 4));
                Numbers<T> u(std::size_t(m * k)), s(std::size_t(k), T(0)), vt(std::size_t(k * n)), work(std::size_t(2 * m * n + k * k));
                CHECK(own::singular_values(m, n, a.data(), u.data(), s.data(), vt.data(), work.data()));
                Numbers<T> scaled = vt;
                for (int64_t i = 0; i < k * n; ++i) scaled[std::size_t(i)] *= s[std::size_t(i / n)];
                CHECK(apart(product(m, k, n, u, scaled), a, scale) < 100);
                CHECK(apart(product(k, m, k, transposed(m, k, u), u), unit<T>(k), 1) < 200);
                CHECK(apart(product(k, n, k, vt, transposed(k, n, vt)), unit<T>(k), 1) < 200);
                CHECK(std::is_sorted(s.rbegin(), s.rend()));
                CHECK(s.back() >= 0);
            }
}

TEST_CASE_TEMPLATE("own factorisations: eigenvalues, equal ones too", T, float, double) {
    for (int64_t n : {1, 2, 3, 10, 41})
        for (double scale : scales)
            for (bool equal : {false, true}) {
                const Numbers<T> m = random_numbers<T>(n * n, 5, equal ? 0 : scale);
                Numbers<T> a = transposed(n, n, m);
                for (int64_t i = 0; i < n * n; ++i) a[std::size_t(i)] += m[std::size_t(i)] + (i % (n + 1) == 0 ? T(scale) : T(0));
                Numbers<T> v = a, w(std::size_t(n), T(0)), work(std::size_t(n * n));
                CHECK(own::symmetric_eigen(n, v.data(), w.data(), work.data()));
                Numbers<T> scaled = v;  // rows
                for (int64_t i = 0; i < n * n; ++i) scaled[std::size_t(i)] *= w[std::size_t(i / n)];
                CHECK(apart(product(n, n, n, transposed(n, n, v), scaled), a, scale) < 300);
                CHECK(apart(product(n, n, n, v, transposed(n, n, v)), unit<T>(n), 1) < 100);
                CHECK(std::is_sorted(w.begin(), w.end()));
            }
}

TEST_CASE_TEMPLATE("own factorisations: the same as by LAPACK, but for rounding", T, float, double) {
    using namespace gradtape::detail;
    for (int64_t n : {1, 2, 5, 8, 9, 40}) {
        const Numbers<T> m = random_numbers<T>(n * n, 6), b = random_numbers<T>(n * 3, 7);
        Numbers<T> definite = product(n, n, n, m, transposed(n, n, m));
        for (int64_t i = 0; i < n; ++i) definite[std::size_t(i * n + i)] += T(n);
        Numbers<T> mine = definite, theirs = definite;
        own::cholesky(n, mine.data());
        CHECK(cholesky_factor(n, theirs.data()));
        CHECK(apart(mine, theirs, double(n)) < 20);
        for (int which = 0; which < 8; ++which) {
            const Triangular t{bool(which & 1), bool(which & 2), false};
            Numbers<T> x = b, y = b;
            own::triangular_solve(n, 3, definite.data(), t, x.data());
            CHECK(triangular_solve(n, 3, definite.data(), t, y.data()));
            CHECK(apart(x, y, 1) < 20);
        }
        mine = theirs = m;
        std::vector<int> pivots(std::size_t(n), 0);
        std::vector<int64_t> rows(std::size_t(n), 0), order = rows;
        own::lu(n, mine.data(), pivots.data());
        lu_factor(n, theirs.data(), rows.data());
        CHECK(apart(mine, theirs, double(n)) < 100);
        for (int64_t i = 0; i < n; ++i) order[std::size_t(i)] = i;
        for (int64_t i = 0; i < n; ++i) std::swap(order[std::size_t(i)], order[std::size_t(pivots[std::size_t(i)] - 1)]);
        CHECK(order == rows);
    }
}

}  // namespace

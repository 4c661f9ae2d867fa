// logsumexp, softmax and log_softmax: against long double, at the edges, and independent of position.
#include <algorithm>
#include <cmath>
#include <doctest/doctest.h>

#include "support/kernel_sets.hpp"

using namespace gradtape::test;
using std::int64_t;

namespace {

template <class T>
using Along = void(const T*, T*, int64_t, int64_t, int64_t);

template <class T>
struct Softmaxes {
    std::string isa;
    Along<T>*logsumexp, *softmax, *log_softmax;
    void (*both)(const T*, T*, int64_t, int64_t, int64_t, T*);  ///< softmax, and logsumexp
};

template <class T>
std::vector<Softmaxes<T>> softmaxes() {
    std::vector<Softmaxes<T>> sets;
#define MAKE(ISA)                                                                             \
    Softmaxes<T> {                                                                            \
        #ISA, gradtape::detail::ISA::logsumexp<T>,                                            \
            [](const T* x, T* z, int64_t outer, int64_t n, int64_t inner) {                   \
                gradtape::detail::ISA::softmax<T>(x, z, outer, n, inner, nullptr);            \
            },                                                                                \
            gradtape::detail::ISA::log_softmax<T>, gradtape::detail::ISA::softmax<T>          \
    }
    GRADTAPE_SETS(sets, MAKE);
#undef MAKE
    return sets;
}

struct Size {
    int64_t outer, n, inner;
};

template <class T>
std::vector<T> applied(Along<T>* f, const std::vector<T>& x, Size s, int64_t z_elements) {
    Buffer<T> from(x), to(z_elements);
    f(from.get(), to.get(), s.outer, s.n, s.inner);
    CHECK(from.intact());
    CHECK(to.intact());
    CHECK(same(from.elements(), x));
    return to.elements();
}
/// One row along the reduced axis: (1, n, inner) with the row in the last column and other numbers beside it. Or, where
/// inner is 0, the last of 21 rows, of which the others hold other numbers.
template <class T>
std::vector<T> row(Along<T>* f, const std::vector<T>& x, int64_t inner, bool summary) {
    const int64_t n = int64_t(x.size());
    if (inner == 0) {
        auto rows = random_elements<T>(21 * n, 99);
        std::copy(x.begin(), x.end(), rows.end() - n);
        const auto all = applied(f, rows, {21, n, 1}, summary ? 21 : 21 * n);
        return {all.end() - (summary ? 1 : n), all.end()};
    }
    auto spread = random_elements<T>(n * inner, 99);
    for (int64_t r = 0; r < n; ++r) spread[std::size_t((r + 1) * inner - 1)] = x[std::size_t(r)];
    const auto all = applied(f, spread, {1, n, inner}, summary ? inner : n * inner);
    std::vector<T> z;
    for (std::size_t i = std::size_t(inner) - 1; i < all.size(); i += std::size_t(inner)) z.push_back(all[i]);
    return z;
}

TEST_CASE_TEMPLATE("values agree with long double", T, float, double) {
    const long double ulp = std::numeric_limits<T>::epsilon();
    for (auto& set : softmaxes<T>())
        for (Size s : {Size{1, 1, 1}, {3, 2, 1}, {40, 10, 1}, {5, 17, 1}, {2, 1000, 1}, {1, 5000, 1}, {2, 3, 2},
                       {1, 10, 17}, {3, 100, 5}, {1, 7, 64}, {1, 300, 3}}) {
            INFO(set.isa);
            CAPTURE(s.n);
            CAPTURE(s.inner);
            const int64_t size = s.outer * s.n * s.inner;
            const auto x = random_elements<T>(size, 17);
            const auto lse = applied(set.logsumexp, x, s, s.outer * s.inner);
            const auto soft = applied(set.softmax, x, s, size), log_soft = applied(set.log_softmax, x, s, size);
            for (int64_t o = 0; o < s.outer; ++o)
                for (int64_t i = 0; i < s.inner; ++i) {
                    auto at = [&](int64_t r) { return std::size_t((o * s.n + r) * s.inner + i); };
                    long double sum = 0;
                    for (int64_t r = 0; r < s.n; ++r) sum += std::exp(static_cast<long double>(x[at(r)]));
                    const long double log_sum = std::log(sum);
                    CHECK(std::abs(lse[std::size_t(o * s.inner + i)] - log_sum) <= ulp * (8 + 4 * std::abs(log_sum)));
                    for (int64_t r = 0; r < s.n; ++r) {
                        const long double l = x[at(r)] - log_sum, p = std::exp(l);
                        const long double loss = 200 * ulp;  // x - max is rounded: an error of |x - max| ulp in exp
                        const long double tiny = std::numeric_limits<T>::min();  // exp flushes denormals
                        if (!(std::abs(soft[at(r)] - p) <= loss * p + tiny) || !(std::abs(log_soft[at(r)] - l) <= loss))
                            FAIL_CHECK("element " << at(r) << ": " << soft[at(r)] << ", " << log_soft[at(r)]);
                    }
                }
        }
}

TEST_CASE_TEMPLATE("a logarithm keeps what is small beside the largest term", T, float, double) {
    const long double ulp = std::numeric_limits<T>::epsilon();
    for (auto& set : softmaxes<T>())
        for (int64_t n : {2, 3, 10, 16, 17, 40, 1000})
            for (int64_t inner : {1, 3, 18})
                for (T gap : {T(1), T(5), T(20), T(60), T(80)}) {
                    INFO(set.isa);
                    std::vector<T> x(std::size_t(n), -gap);
                    x[std::size_t(n) / 2] = 0;
                    const long double exact = std::log1p((n - 1) * std::exp(-static_cast<long double>(gap)));
                    const T lse = row(set.logsumexp, x, inner, true)[0];
                    CHECK(std::abs(lse - exact) <= 8 * ulp * exact);
                    for (T& e : x) e += 3;  // exact: 3 - gap
                    const T log_p = row(set.log_softmax, x, inner, false)[std::size_t(n) / 2];
                    CHECK(std::abs(log_p + exact) <= 8 * ulp * exact);
                    x[0] = x[std::size_t(n) / 2];  // two largest
                    const long double two = std::log(2 + (n - 2) * std::exp(-static_cast<long double>(gap)));
                    CHECK(std::abs(row(set.log_softmax, x, inner, false)[0] + two) <= 8 * ulp * two);
                }
}

TEST_CASE_TEMPLATE("edges, along rows and along columns", T, float, double) {
    const T inf = std::numeric_limits<T>::infinity(), nan = std::numeric_limits<T>::quiet_NaN();
    using V = std::vector<T>;
    for (auto& set : softmaxes<T>())
        for (int64_t inner : {0, 1, 2, 18}) {
            INFO(set.isa);
            CAPTURE(inner);
            auto lse = [&](const V& x) { return row(set.logsumexp, x, inner, true)[0]; };
            auto soft = [&](const V& x) { return row(set.softmax, x, inner, false); };
            auto log_soft = [&](const V& x) { return row(set.log_softmax, x, inner, false); };
            CHECK(lse({}) == -inf);
            CHECK(soft({}).empty());
            CHECK(lse({5}) == 5);
            CHECK(soft({5}) == V{1});
            CHECK(log_soft({5}) == V{0});
            CHECK(lse({-inf, -inf, -inf}) == -inf);
            CHECK(soft({-inf, -inf, -inf}) == V{0, 0, 0});
            CHECK(log_soft({-inf, -inf}) == V{-inf, -inf});
            CHECK(lse({1, inf}) == inf);
            CHECK(soft({1, inf, -inf}) == V{0, 1, 0});
            CHECK(soft({inf, 3, inf}) == V{T(0.5), 0, T(0.5)});
            CHECK(log_soft({1, inf}) == V{-inf, 0});
            CHECK(soft({-inf, 0}) == V{0, 1});
            CHECK(log_soft({-inf, 0}) == V{-inf, 0});
            CHECK(soft({1e30f, -1e30f}) == V{1, 0});
            CHECK(lse({1000, 1000}) == doctest::Approx(1000 + std::log(2.0)));
            CHECK(lse({-1000, -1000}) == doctest::Approx(-1000 + std::log(2.0)));
            CHECK(std::isnan(lse({1, nan})));
            CHECK(std::isnan(lse({inf, nan})));
            CHECK(std::isnan(lse({-inf, nan, -inf})));
            for (const V& x : {V{1, nan, 2}, V{nan, inf, -inf}})
                for (const V& z : {soft(x), log_soft(x)})
                    for (T e : z) CHECK(std::isnan(e));
            V large(100, T(0));  // a NaN in the last of several registers, and all masked but one
            large[99] = nan;
            CHECK(std::isnan(soft(large)[0]));
            V masked(100, -inf);
            masked[70] = -3;
            CHECK(soft(masked)[70] == 1);
            CHECK(soft(masked)[0] == 0);
            CHECK(lse(masked) == -3);
        }
}

TEST_CASE_TEMPLATE("a row's values do not depend on the rows around it, and z may be x", T, float, double) {
    for (auto& set : softmaxes<T>())
        for (int64_t n : {1, 2, 3, 10, 15, 16, 17, 33, 100}) {
            const auto x = random_elements<T>(21 * n, 23);
            const Size s{21, n, 1};
            const auto lse = applied(set.logsumexp, x, s, 21);
            const auto soft = applied(set.softmax, x, s, 21 * n), log_soft = applied(set.log_softmax, x, s, 21 * n);
            for (int64_t o = 0; o < 21; ++o) {
                auto part = [&](const std::vector<T>& v) {
                    return std::vector<T>(v.begin() + o * n, v.begin() + (o + 1) * n);
                };
                CHECK(same(row(set.logsumexp, part(x), 1, true)[0], lse[std::size_t(o)]));
                CHECK(same(row(set.softmax, part(x), 1, false), part(soft)));
                CHECK(same(row(set.log_softmax, part(x), 1, false), part(log_soft)));
            }
            for (Size shape : {s, Size{1, n, 21}, Size{3, n, 7}})
                for (auto f : {set.softmax, set.log_softmax}) {
                    Buffer<T> both(x);
                    f(both.get(), both.get(), shape.outer, shape.n, shape.inner);
                    CHECK(same(both.elements(), applied(f, x, shape, 21 * n)));
                }
        }
}

TEST_CASE_TEMPLATE("softmax with logsumexp gives the bits of each alone", T, float, double) {
    for (auto& set : softmaxes<T>())
        for (Size s : {Size{1, 1, 1}, {21, 10, 1}, {3, 16, 1}, {5, 17, 1}, {2, 1000, 1}, {2, 3, 2}, {3, 100, 5}, {2, 7, 64}}) {
            auto x = random_elements<T>(s.outer * s.n * s.inner, 31);
            x[x.size() / 2] = -std::numeric_limits<T>::infinity();
            Buffer<T> from(x), to(int64_t(x.size())), sums(s.outer * s.inner);
            set.both(from.get(), to.get(), s.outer, s.n, s.inner, sums.get());
            CHECK(to.intact());
            CHECK(sums.intact());
            CHECK(same(to.elements(), applied(set.softmax, x, s, int64_t(x.size()))));
            CHECK(same(sums.elements(), applied(set.logsumexp, x, s, s.outer * s.inner)));
        }
}

TEST_CASE_TEMPLATE("a column's values do not depend on the columns beside it", T, float, double) {
    for (auto& set : softmaxes<T>())
        for (int64_t n : {1, 3, 70}) {
            const auto x = random_elements<T>(n, 29);
            for (auto f : {set.softmax, set.log_softmax}) {
                const auto z = row(f, x, 2, false);
                for (int64_t inner : {3, 8, 16, 17, 40}) CHECK(same(row(f, x, inner, false), z));
            }
        }
}

}  // namespace

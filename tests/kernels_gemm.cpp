// Matrix products: against long double, bit for bit against a sequential sum, and what lies around.
#include <algorithm>
#include <array>
#include <cmath>
#include <doctest/doctest.h>

#include "support/kernel_sets.hpp"

using namespace gradtape::test;
using gradtape::detail::Product;
using std::int64_t;

namespace {

struct Case {
    bool ta, tb;
    int64_t m, n, k;
};

template <class T>
struct Products {
    std::string isa;
    bool fused;
    void (*gemm)(const Product<T>&);
    void (*some)(const Product<T>&, const gradtape::detail::Parts&);
    void (*small)(const Product<T>&);
    int64_t (*parts)(int64_t, int64_t, int64_t);
    bool (*is_small)(Case);
};

template <class T>
std::vector<Products<T>> products() {
    std::vector<Products<T>> sets;
#define MAKE(ISA)                                                                                                  \
    Products<T> {                                                                                                  \
        #ISA, #ISA[0] == 'a' || base_is_fused, gradtape::detail::ISA::gemm<T>, gradtape::detail::ISA::gemm<T>,                      \
            gradtape::detail::ISA::small_gemm<T>, gradtape::detail::ISA::gemm_parts,                               \
            [](Case s) {                                                                                           \
                if constexpr (std::is_integral_v<T>) return true;                                                  \
                else return gradtape::detail::ISA::small_gemm_wins<T>(s.ta, s.tb, s.m, s.n, s.k);                  \
            }                                                                                                      \
    }
    GRADTAPE_SETS(sets, MAKE);
#undef MAKE
    return sets;
}

template <class T>
T a_at(Case s, const std::vector<T>& a, int64_t i, int64_t l) {
    return a[std::size_t(s.ta ? l * s.m + i : i * s.k + l)];
}
template <class T>
T b_at(Case s, const std::vector<T>& b, int64_t l, int64_t j) {
    return b[std::size_t(s.tb ? j * s.k + l : l * s.n + j)];
}

template <class T, class F>
std::vector<T> product(F f, Case s, const std::vector<T>& a, const std::vector<T>& b) {
    Buffer<T> from_a(a), from_b(b), to(s.m * s.n);
    f({s.ta, s.tb, s.m, s.n, s.k, from_a.get(), from_b.get(), to.get()});
    CHECK(from_a.intact());
    CHECK(from_b.intact());
    CHECK(to.intact());
    CHECK(same(from_a.elements(), a));
    CHECK(same(from_b.elements(), b));
    return to.elements();
}

template <class T>
bool is_close(Case s, const std::vector<T>& a, const std::vector<T>& b, const std::vector<T>& c) {
    for (int64_t i = 0; i < s.m; ++i)
        for (int64_t j = 0; j < s.n; ++j) {
            long double sum = 0, magnitude = 0;
            for (int64_t l = 0; l < s.k; ++l) {
                const long double term = static_cast<long double>(a_at(s, a, i, l)) * b_at(s, b, l, j);
                sum += term;
                magnitude += std::abs(term);
            }
            const long double bound = static_cast<long double>(s.k + 1) * magnitude * std::numeric_limits<T>::epsilon();
            if (!(std::abs(c[std::size_t(i * s.n + j)] - sum) <= bound)) return false;
        }
    return true;
}

template <class T>
std::vector<T> sequential(Case s, bool fused, const std::vector<T>& a, const std::vector<T>& b) {
    std::vector<T> c;
    for (int64_t i = 0; i < s.m; ++i)
        for (int64_t j = 0; j < s.n; ++j) {
            T sum = 0;
            for (int64_t l = 0; l < s.k; ++l) {
                const T x = a_at(s, a, i, l), y = b_at(s, b, l, j);
                sum = fused ? std::fma(x, y, sum) : x * y + sum;
            }
            c.push_back(sum);
        }
    return c;
}

std::vector<Case> cases() {
    const int64_t extents[] = {0, 1, 2, 3, 4, 5, 7, 8, 9, 10, 13, 16, 17, 24, 31, 32, 33, 40, 65};
    std::vector<Case> list;
    std::uint64_t state = 11;
    auto pick = [&](auto& from) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        return from[(state >> 33) % std::size(from)];
    };
    for (int i = 0; i < 400; ++i) {
        const Case s{i % 2 == 1, i / 2 % 2 == 1, pick(extents), pick(extents), pick(extents)};
        list.push_back(s);
    }
    for (bool ta : {false, true})
        for (bool tb : {false, true})
            for (Case s : {Case{ta, tb, 10, 3, 3}, {ta, tb, 10, 1, 3}, {ta, tb, 3, 3, 10}, {ta, tb, 1, 3, 10},
                           {ta, tb, 5, 9, 256}, {ta, tb, 7, 37, 257}, {ta, tb, 1, 70, 600}, {ta, tb, 70, 1, 600},
                           {ta, tb, 1, 1, 1000}})
                list.push_back(s);
    return list;
}

/// Every size with and without each operand transposed.
std::vector<Case> transposed(std::initializer_list<std::array<int64_t, 3>> sizes) {
    std::vector<Case> list;
    for (bool ta : {false, true})
        for (bool tb : {false, true})
            for (const auto& [m, n, k] : sizes) list.push_back({ta, tb, m, n, k});
    return list;
}

std::vector<Case> operator+(std::vector<Case> a, const std::vector<Case>& b) {
    a.insert(a.end(), b.begin(), b.end());
    return a;
}

/// f(kernels, case) for every instruction set and every case.
template <class T, class F>
void for_each_case(const std::vector<Case>& list, F f) {
    for (auto& set : products<T>())
        for (Case s : list) {
            INFO(set.isa);
            CAPTURE(s.ta);
            CAPTURE(s.tb);
            CAPTURE(s.m);
            CAPTURE(s.n);
            CAPTURE(s.k);
            f(set, s);
        }
}

TEST_CASE_TEMPLATE("the small product is one sequential sum for each element", T, float, double) {
    for_each_case<T>(cases(), [](auto& set, Case s) {
        const auto a = random_elements<T>(s.m * s.k, 1), b = random_elements<T>(s.k * s.n, 2);
        CHECK(same(product<T>(set.small, s, a, b), sequential(s, set.fused, a, b)));
    });
}

TEST_CASE_TEMPLATE("the small product adds a bias, and applies relu, as loops after it would", T, float, double) {
    const T inf = std::numeric_limits<T>::infinity(), nan = std::numeric_limits<T>::quiet_NaN();
    for_each_case<T>(cases(), [=](auto& set, Case s) {
        const auto a = random_elements<T>(s.m * s.k, 1), b = random_elements<T>(s.k * s.n, 2);
        auto bias = random_elements<T>(s.n, 3);
        const T edges[] = {nan, -inf, inf, T(-0.0)};
        for (std::size_t j = 0; j < bias.size(); j += 3) bias[j] = edges[j / 3 % 4];
        const auto plain = product<T>(set.small, s, a, b);
        for (bool relu : {false, true}) {
            auto expected = plain;
            for (std::size_t i = 0; i < expected.size(); ++i) {
                T& z = expected[i];
                z += bias[i % bias.size()];
                if (relu && z <= 0) z = 0;
            }
            Buffer<T> row(bias);
            const auto finished = [&](gradtape::detail::Product<T> p) {
                p.bias = row.get();
                p.relu = relu;
                set.small(p);
            };
            CHECK(same(product<T>(finished, s, a, b), expected));
            CHECK(row.intact());
        }
    });
}

TEST_CASE_TEMPLATE("gemm agrees with long double on either side of the threshold", T, float, double) {
    const auto list = cases() + transposed({{64, 64, 64}, {128, 100, 70}, {1, 300, 400}, {300, 1, 400}, {64, 10, 784},
                                            {200, 3, 300}, {8, 7, 9000}, {7, 1001, 100}, {30, 17, 1025}});
    for_each_case<T>(list, [](auto& set, Case s) {
        const auto a = random_elements<T>(s.m * s.k, 3), b = random_elements<T>(s.k * s.n, 4);
        const auto c = product<T>(set.gemm, s, a, b);
        CHECK(is_close(s, a, b, c));
        CHECK(same(c, product<T>(set.gemm, s, a, b)));
    });
}

TEST_CASE_TEMPLATE("a NaN or infinity stays in its row and column", T, float, double) {
    const T nan = std::numeric_limits<T>::quiet_NaN(), inf = std::numeric_limits<T>::infinity();
    for (auto& set : products<T>())
        for (bool ta : {false, true})
            for (bool tb : {false, true})
                for (int64_t size : {3, 7, 19, 100}) {
                    const Case s{ta, tb, size, size, size};
                    auto a = random_elements<T>(size * size, 5), b = random_elements<T>(size * size, 6);
                    a[std::size_t(ta ? 1 : size)] = nan;  // row 1
                    b[std::size_t(tb ? 2 * size : 2)] = inf;  // column 2
                    const auto c = product<T>(set.gemm, s, a, b);
                    for (int64_t i = 0; i < size; ++i)
                        for (int64_t j = 0; j < size; ++j) {
                            const T value = c[std::size_t(i * size + j)];
                            CHECK(std::isnan(value) == (i == 1));
                            if (i != 1) CHECK(std::isinf(value) == (j == 2));
                        }
                }
}

TEST_CASE_TEMPLATE("k == 0 gives zeros", T, float, double, int64_t) {
    for (auto& set : products<T>())
        for (bool tb : {false, true})
            for (int64_t m : {1, 3, 20})
                CHECK(product<T>(set.gemm, {false, tb, m, 70, 0}, {}, {}) == std::vector<T>(std::size_t(m * 70), T(0)));
}

/// NaN where an element is.
template <class T>
T distance(const std::vector<T>& a, const std::vector<T>& b) {
    REQUIRE(a.size() == b.size());
    T worst = 0;
    for (std::size_t i = 0; i < a.size(); ++i)
        if (const T one = std::abs(a[i] - b[i]); !(one <= worst) && worst == worst) worst = one;
    return worst;
}

/// What two orders of summation may differ by: elements are within 64.
template <class T>
T rounding(Case s) {
    return 4 * std::numeric_limits<T>::epsilon() * T(s.k + 1) * 4096;
}

TEST_CASE_TEMPLATE("the parts of a product make up the whole", T, float, double) {
    const auto list =
        transposed({{128, 128, 128}, {192, 195, 197}, {128, 70, 1200}, {70, 260, 300}, {257, 300, 129}, {300, 300, 400}});
    int to_the_bit = 0;
    for_each_case<T>(list, [&](auto& set, Case s) {
        const int64_t parts = set.parts(s.m, s.n, s.k);
        CHECK(parts > 1);
        const auto a = random_elements<T>(s.m * s.k, 9), b = random_elements<T>(s.k * s.n, 10);
        const auto whole = product<T>(set.gemm, s, a, b);
        for (int64_t way : {0, 1}) {
            const auto in_parts = [&](const Product<T>& p) {
                for (int64_t part = parts; part-- > 0;) set.some(p, {part, part + 1, way});
            };
            const bool exactly = set.is_small(s);
            CHECK(distance(whole, product<T>(in_parts, s, a, b)) <= (exactly ? 0 : rounding<T>(s)));
            to_the_bit += exactly;
        }
    });
    CHECK((to_the_bit > 0 || products<T>().size() == 1));  // base has none such of doubles
    for (auto& set : products<T>()) CHECK(set.parts(64, 64, 64) == 1);
}

TEST_CASE_TEMPLATE("a scaled product is added to what is there", T, float, double) {
    const auto list = cases() + transposed({{128, 100, 200}, {1, 300, 400}, {300, 1, 400}});
    for_each_case<T>(list, [](auto& set, Case s) {
        const auto a = random_elements<T>(s.m * s.k, 11), b = random_elements<T>(s.k * s.n, 12);
        const auto old = random_elements<T>(s.m * s.n, 13);
        for (auto f : {set.gemm, set.small}) {
            Buffer<T> from_a(a), from_b(b), to(old);
            gradtape::detail::Product<T> p(s.ta, s.tb, s.m, s.n, s.k, from_a.get(), from_b.get(), to.get());
            p.add = true;
            p.scale = T(-0.5);
            f(p);
            CHECK(to.intact());
            std::vector<T> added = to.elements();
            for (std::size_t i = 0; i < added.size(); ++i) added[i] = (added[i] - old[i]) * T(-2);
            CHECK(distance(added, product<T>(set.small, s, a, b)) <= rounding<T>(s));
        }
    });
}

TEST_CASE("integer products are exact, and wrap around") {
    for (auto& set : products<int64_t>()) {
        CHECK(product<int64_t>(set.gemm, {false, false, 2, 2, 3}, {1, 2, 3, 4, 5, 6}, {1, 2, 3, 4, 5, 6}) ==
              std::vector<int64_t>{22, 28, 49, 64});
        CHECK(product<int64_t>(set.gemm, {true, true, 2, 2, 3}, {1, 2, 3, 4, 5, 6}, {1, 2, 3, 4, 5, 6}) ==
              std::vector<int64_t>{22, 49, 28, 64});
        const int64_t high = std::numeric_limits<int64_t>::max();
        CHECK(product<int64_t>(set.gemm, {false, false, 1, 1, 2}, {high, 1}, {1, 1}) ==
              std::vector<int64_t>{std::numeric_limits<int64_t>::min()});
    }
}

}  // namespace

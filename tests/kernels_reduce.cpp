// Reductions: the documented tree bit for bit on every instruction set, accuracy, NaN, and what lies around.
#include <algorithm>
#include <cmath>
#include <doctest/doctest.h>

#include "support/kernel_sets.hpp"

using namespace gradtape::test;
using std::int64_t;

namespace {

template <class T>
using Reduction = void(const T*, T*, int64_t, int64_t, int64_t);

template <class T>
struct Reductions {
    std::string isa;
    Reduction<T>*sum, *prod, *max, *min;
};

template <class T>
std::vector<Reductions<T>> reductions() {
    std::vector<Reductions<T>> sets;
#define MAKE(ISA)                                                                            \
    Reductions<T> {                                                                          \
        #ISA, gradtape::detail::ISA::reduce_sum<T>, gradtape::detail::ISA::reduce_prod<T>,   \
            gradtape::detail::ISA::reduce_max<T>, gradtape::detail::ISA::reduce_min<T>       \
    }
    GRADTAPE_SETS(sets, MAKE);
#undef MAKE
    return sets;
}

template <class T>
std::vector<T> reduced(Reduction<T>* f, const std::vector<T>& x, int64_t outer, int64_t n, int64_t inner) {
    Buffer<T> from(x), to(outer * inner);
    f(from.get(), to.get(), outer, n, inner);
    CHECK(from.intact());
    CHECK(to.intact());
    CHECK(same(from.elements(), x));
    return to.elements();
}

/// The tree as docs/numerics.md has it: rows of `width` lanes, blocks of 64 rows, pairs of blocks, halves of lanes.
template <class T, class F>
T tree(const std::vector<T>& x, std::size_t width, T identity, F combine) {
    using Row = std::vector<T>;
    auto join = [&](Row a, const Row& b) {
        for (std::size_t i = 0; i < a.size(); ++i) a[i] = combine(a[i], b[i]);
        return a;
    };
    const std::size_t rows = (x.size() + width - 1) / width;
    std::vector<Row> level;
    for (std::size_t first = 0; first < rows; first += 64) {
        Row block(width, identity);
        for (std::size_t i = first * width; i < std::min((first + 64) * width, x.size()); ++i)
            block[i % width] = combine(block[i % width], x[i]);
        level.push_back(block);
    }
    if (level.empty()) return identity;
    while (level.size() > 1) {  // an odd block at the end waits, and joins what is left from the right
        std::vector<Row> next;
        for (std::size_t i = 0; i + 1 < level.size(); i += 2) next.push_back(join(level[i], level[i + 1]));
        if (level.size() % 2) next.push_back(level.back());
        level = next;
    }
    Row row = level[0];
    for (; row.size() > 1; row.resize(row.size() / 2))
        for (std::size_t i = 0; i < row.size() / 2; ++i) row[i] = combine(row[i], row[i + row.size() / 2]);
    return row[0];
}

const int64_t lengths[] = {0, 1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 100, 127, 128, 129, 1000,
                           4095, 4096, 4097, 8192, 12288, 12289, 20000, 40001, 100003};

TEST_CASE_TEMPLATE("a contiguous sum or product is the documented tree on every instruction set", T, float, double) {
    for (auto& set : reductions<T>())
        for (int64_t n : lengths) {
            INFO(set.isa);
            CAPTURE(n);
            const auto x = random_elements<T>(n, std::uint64_t(n));
            const auto add = [](T a, T b) { return a + b; };
            CHECK(same(reduced(set.sum, x, 1, n, 1)[0], tree<T>(x, 256 / sizeof(T), T(0), add)));
            std::vector<T> near_one = x;
            for (T& e : near_one) e = 1 + e / 4096;
            const auto multiply = [](T a, T b) { return a * b; };
            CHECK(same(reduced(set.prod, near_one, 1, n, 1)[0], tree<T>(near_one, 256 / sizeof(T), T(1), multiply)));
        }
}

TEST_CASE_TEMPLATE("a sum down the columns is the documented tree with one lane a column", T, float, double) {
    for (auto& set : reductions<T>())
        for (int64_t n : {0, 1, 2, 5, 63, 64, 65, 128, 200, 1000})
            for (int64_t inner : {2, 3, 5, 8, 15, 16, 17, 33, 64, 70, 131, 301})
                for (int64_t outer : {1, 3}) {
                    INFO(set.isa);
                    CAPTURE(n);
                    CAPTURE(inner);
                    const auto x = random_elements<T>(outer * n * inner, std::uint64_t(n + inner));
                    std::vector<T> expected;
                    for (int64_t o = 0; o < outer; ++o)
                        for (int64_t i = 0; i < inner; ++i) {
                            std::vector<T> column;
                            for (int64_t r = 0; r < n; ++r) column.push_back(x[std::size_t((o * n + r) * inner + i)]);
                            expected.push_back(tree<T>(column, 1, T(0), [](T a, T b) { return a + b; }));
                        }
                    CHECK(same(reduced(set.sum, x, outer, n, inner), expected));
                }
}

TEST_CASE_TEMPLATE("sums are as accurate as pairwise summation", T, float, double) {
    for (auto& set : reductions<T>())
        for (int64_t n : {1000, 100003, 1000000}) {
            const auto x = random_elements<T>(n, 7);
            long double sum = 0, magnitude = 0;
            for (T e : x) sum += e, magnitude += std::abs(e);
            const long double bound = 80 * magnitude * std::numeric_limits<T>::epsilon();
            CHECK(std::abs(reduced(set.sum, x, 1, n, 1)[0] - sum) <= bound);
        }
}

TEST_CASE_TEMPLATE("the rows of a matrix reduce as they do alone", T, float, double) {
    for (auto& set : reductions<T>())
        for (int64_t n : {1, 3, 7, 10, 16, 17, 50, 65, 130}) {
            const auto x = random_elements<T>(9 * n, 3);
            const auto sums = reduced(set.sum, x, 9, n, 1), maxima = reduced(set.max, x, 9, n, 1);
            for (int64_t row = 0; row < 9; ++row) {
                const std::vector<T> alone(x.begin() + row * n, x.begin() + (row + 1) * n);
                CHECK(same(sums[std::size_t(row)], reduced(set.sum, alone, 1, n, 1)[0]));
                CHECK(maxima[std::size_t(row)] == *std::max_element(alone.begin(), alone.end()));
            }
        }
}

TEST_CASE_TEMPLATE("max and min find the extreme wherever it is, and a NaN wherever it is", T, float, double) {
    const T nan = std::numeric_limits<T>::quiet_NaN(), inf = std::numeric_limits<T>::infinity();
    for (auto& set : reductions<T>())
        for (int64_t inner : {1, 3})
            for (int64_t n : {1, 2, 5, 16, 17, 70, 129, 300}) {
                INFO(set.isa);
                CAPTURE(n);
                for (int64_t at = 0; at < n; at += n > 20 ? 7 : 1) {
                    auto x = random_elements<T>(n * inner, 5);
                    auto put = [&](T value) { x[std::size_t(at * inner + inner / 2)] = value; };
                    const std::size_t column = std::size_t(inner / 2);
                    put(1000);
                    CHECK(reduced(set.max, x, 1, n, inner)[column] == 1000);
                    put(-1000);
                    CHECK(reduced(set.min, x, 1, n, inner)[column] == -1000);
                    put(inf);
                    CHECK(reduced(set.max, x, 1, n, inner)[column] == inf);
                    put(nan);
                    for (auto f : {set.max, set.min, set.sum, set.prod}) {
                        const auto z = reduced(f, x, 1, n, inner);
                        CHECK(std::isnan(z[column]));
                        if (inner > 1) CHECK_FALSE(std::isnan(z[0]));
                    }
                }
                const std::vector<T> lowest(std::size_t(n * inner), -inf);
                CHECK(reduced(set.max, lowest, 1, n, inner)[0] == -inf);
            }
}

TEST_CASE_TEMPLATE("nothing to reduce: sum 0, product 1; no rows: nothing is written", T, float, double, int64_t) {
    for (auto& set : reductions<T>())
        for (int64_t inner : {1, 5}) {
            CHECK(reduced(set.sum, {}, 2, 0, inner) == std::vector<T>(std::size_t(2 * inner), T(0)));
            CHECK(reduced(set.prod, {}, 2, 0, inner) == std::vector<T>(std::size_t(2 * inner), T(1)));
            CHECK(reduced(set.max, {}, 0, 4, inner).empty());
        }
    for (auto& set : reductions<T>()) CHECK(reduced(set.sum, {}, 3, 4, 0).empty());
}

TEST_CASE("integers reduce exactly and wrap around") {
    const int64_t low = std::numeric_limits<int64_t>::min(), high = std::numeric_limits<int64_t>::max();
    for (auto& set : reductions<int64_t>()) {
        CHECK(reduced(set.sum, {1, 2, 3, 4, 5, 6}, 2, 3, 1) == std::vector<int64_t>{6, 15});
        CHECK(reduced(set.prod, {1, 2, 3, 4, 5, 6}, 1, 3, 2) == std::vector<int64_t>{15, 48});
        CHECK(reduced(set.max, {low, -7, high, 3}, 2, 2, 1) == std::vector<int64_t>{-7, high});
        CHECK(reduced(set.min, {low, -7, high, 3}, 2, 2, 1) == std::vector<int64_t>{low, 3});
        CHECK(reduced(set.sum, {high, 1}, 1, 2, 1) == std::vector<int64_t>{low});
    }
}

}  // namespace

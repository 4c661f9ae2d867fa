// The generator, the point sets, the initial weights and the schedules, against numbers from another implementation.
#include "examples/support/post_data.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <numeric>

using gradtape::Tensor;

namespace {

double entry(const Tensor& M, std::int64_t row, std::int64_t column) {
    return M.data<double>()[std::size_t(row * M.shape()[1] + column)];
}

double column_sum(const Tensor& M, std::int64_t column) {
    double sum = 0;
    for (std::int64_t row = 0; row < M.shape()[0]; ++row) sum += entry(M, row, column);
    return sum;
}

void check_set(const post::DataSet& set, std::int64_t n, std::int64_t positive) {
    REQUIRE(set.X.shape() == gradtape::Shape{n, 3});
    REQUIRE(set.y.shape() == gradtape::Shape{n});
    const auto y = set.y.data<double>();
    for (std::int64_t i = 0; i < n; ++i) {
        CHECK(y[std::size_t(i)] == (i < positive ? 1 : -1));
        CHECK(entry(set.X, i, 2) == 1);
    }
}

}  // namespace

TEST_CASE("post: SplitMix64 gives the published outputs of seed 1") {
    post::SplitMix64 g(1);
    CHECK(g.next() == 0x910a2dec89025cc1u);
    CHECK(g.next() == 0xbeeb8da1658eec67u);
    CHECK(g.next() == 0xf893a2eefb32555eu);

    post::SplitMix64 h(1);
    CHECK(h.u() == 0.5665615751722809);
    CHECK(h.u() == 0.74578175726270113);
}

TEST_CASE("post: draws stay in their ranges and reach all of them") {
    post::SplitMix64 g(7);
    std::vector<int> counts(10, 0);
    for (int i = 0; i < 10000; ++i) ++counts.at(g.below(10));
    // 1000 expected, standard deviation 30: six of them.
    for (int count : counts) CHECK(std::abs(count - 1000) < 180);
    for (int i = 0; i < 1000; ++i) {
        const double v = g.u(-1.5, 1.5);
        CHECK(v >= -1.5);
        CHECK(v < 1.5);
        const auto [a, b] = g.disc();
        CHECK(a * a + b * b <= 1);
    }
}

TEST_CASE("post: shuffle is a permutation, the same for the same seed, and moves things") {
    std::vector<std::int64_t> order(160);
    std::iota(order.begin(), order.end(), 0);
    const auto sorted = order;
    post::SplitMix64 g(3), h(3);
    auto other = order;
    g.shuffle(order);
    h.shuffle(other);
    CHECK(order == other);
    CHECK(order != sorted);
    // The first swap is of the last element with below(n).
    post::SplitMix64 first(3);
    CHECK(order.back() == std::int64_t(first.below(160)));
    std::sort(order.begin(), order.end());
    CHECK(order == sorted);
}

TEST_CASE("post: data 1") {
    const auto set = post::data_1();
    check_set(set, 200, 100);
    CHECK(entry(set.X, 0, 0) == 1.4665615751722809);
    CHECK(entry(set.X, 0, 1) == 1.5563293034590695);
    CHECK(entry(set.X, 199, 0) == 1.7357512496371297);
    CHECK(entry(set.X, 199, 1) == 0.25036324935934046);
    CHECK(std::abs(column_sum(set.X, 0) - 296.297413666083) < 1e-11);
    CHECK(std::abs(column_sum(set.X, 1) - 201.602997087320) < 1e-11);
}

TEST_CASE("post: data 2") {
    const auto set = post::data_2();
    check_set(set, 160, 80);
    CHECK(entry(set.X, 0, 0) == 0.23962167062021122);
    CHECK(entry(set.X, 0, 1) == 0.88481432614572408);
    CHECK(entry(set.X, 159, 0) == -1.5880076687715086);
    CHECK(entry(set.X, 159, 1) == -1.9197635132208877);
    CHECK(std::abs(column_sum(set.X, 0) + 26.660641520282) < 1e-11);
    CHECK(std::abs(column_sum(set.X, 1) + 12.947171719001) < 1e-11);
}

TEST_CASE("post: data 2c") {
    const auto set = post::data_2c();
    check_set(set, 160, 80);
    CHECK(entry(set.X, 0, 0) == 0.10942768103769529);
    CHECK(entry(set.X, 0, 1) == 0.29897962064858957);
    CHECK(entry(set.X, 159, 0) == 3.140277786143097);
    CHECK(entry(set.X, 159, 1) == -2.6601404087562415);
}

TEST_CASE("post: bounds and rows") {
    const auto set = post::data_2c();
    const auto box = post::bounds(set);
    for (std::int64_t i = 0; i < 160; ++i) {
        CHECK(entry(set.X, i, 0) >= box[0]);
        CHECK(entry(set.X, i, 0) <= box[1]);
        CHECK(entry(set.X, i, 1) >= box[2]);
        CHECK(entry(set.X, i, 1) <= box[3]);
    }
    const auto batch = post::rows(set, {5, 159, 0, 80}, 1, 3);
    CHECK(batch.X.shape() == gradtape::Shape{3, 3});
    CHECK(batch.y.data<double>()[0] == -1);
    CHECK(batch.y.data<double>()[1] == 1);
    CHECK(entry(batch.X, 0, 0) == entry(set.X, 159, 0));
    CHECK(entry(batch.X, 1, 1) == entry(set.X, 0, 1));
    CHECK(entry(batch.X, 2, 0) == entry(set.X, 80, 0));
}

TEST_CASE("post: a run draws W^0 by rows, then W^1, and shuffles with the same generator") {
    post::Run run(1, {3, 5, 1}, 160);
    REQUIRE(run.weights.size() == 2);
    CHECK(run.weights[0].shape() == gradtape::Shape{5, 3});
    CHECK(run.weights[1].shape() == gradtape::Shape{1, 5});
    post::SplitMix64 g(1);
    for (const Tensor& W : run.weights)
        for (double w : W.data<double>()) CHECK(w == -1.5 + 3 * g.u());
    CHECK(run.generator.next() == g.next());
    for (std::size_t i = 0; i < 160; ++i) CHECK(run.order[i] == std::int64_t(i));
}

TEST_CASE("post: schedules have the post's lengths") {
    const auto epochs = [](const std::vector<post::Phase>& phases) {
        return std::accumulate(phases.begin(), phases.end(), 0, [](int n, const auto& p) { return n + p.epochs; });
    };
    CHECK(epochs(post::separable().phases) == 46);
    CHECK(epochs(post::bounded().phases) == 56);
    CHECK(epochs(post::plain_phases()) == 56);
    CHECK(post::bounded().phases[0].select == post::Select::best);
    CHECK(post::bounded().phases[3].select == post::Select::average);
}

TEST_CASE("post: the published weights") {
    const auto constructed = post::constructed_weights();
    REQUIRE(constructed.size() == 2);
    CHECK(constructed[0].shape() == gradtape::Shape{5, 3});
    CHECK(constructed[1].shape() == gradtape::Shape{1, 5});
    CHECK(entry(constructed[1], 0, 4) == -3);
    CHECK(entry(post::constructed_weights(3.9)[1], 0, 4) == -3.9);
    const auto trained = post::trained_weights();
    CHECK(trained[0].shape() == gradtape::Shape{5, 3});
    CHECK(trained[1].shape() == gradtape::Shape{1, 5});
    CHECK(entry(trained[0], 2, 1) == 13.4);
    CHECK(post::tabulated_points().shape() == gradtape::Shape{12, 3});
}

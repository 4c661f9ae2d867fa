// Data sets, batches and the SGD update.
#include <gradtape/nn/data.hpp>
#include <gradtape/nn/init.hpp>
#include <gradtape/nn/optimizers.hpp>

#include "support/tensors.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <numeric>
#include <set>

using namespace gradtape;
using gradtape::nn::Labels;
using gradtape::test::inf;
using gradtape::test::contains;
using gradtape::test::make;
using gradtape::test::values;

namespace {

/// Row i holds (i, −i), label 1 for every third row.
nn::Dataset numbered(std::int64_t n) {
    std::vector<double> x, y;
    for (std::int64_t i = 0; i < n; ++i) {
        x.insert(x.end(), {double(i), -double(i)});
        y.push_back(i % 3 == 0);
    }
    return {make(x, {n, 2}), make(y), Labels::zero_one};
}

std::vector<std::vector<std::int64_t>> epoch(nn::Batches& batches) {
    std::vector<std::vector<std::int64_t>> result;
    batches.start_epoch();
    while (const nn::Batch* batch = batches.next()) {
        result.emplace_back(batch->rows.begin(), batch->rows.end());
        REQUIRE(batch->inputs.shape() == Shape{std::int64_t(batch->rows.size()), 2});
        const auto x = values(batch->inputs), y = values(batch->labels);
        for (std::size_t i = 0; i < batch->rows.size(); ++i) {
            CHECK(x[2 * i] == double(batch->rows[i]));
            CHECK(x[2 * i + 1] == -double(batch->rows[i]));
            CHECK(y[i] == double(batch->rows[i] % 3 == 0));
        }
        CHECK(batch->index == std::int64_t(result.size()));
    }
    return result;
}

std::vector<std::int64_t> joined(const std::vector<std::vector<std::int64_t>>& batches) {
    std::vector<std::int64_t> all;
    for (const auto& b : batches) all.insert(all.end(), b.begin(), b.end());
    return all;
}

bool is_permutation_of_rows(std::vector<std::int64_t> rows, std::size_t n) {
    std::sort(rows.begin(), rows.end());
    for (std::size_t i = 0; i < rows.size(); ++i)
        if (rows[i] != std::int64_t(i)) return false;
    return rows.size() == n;
}

std::string message(const nn::Dataset& data) {
    try {
        nn::check(data);
    } catch (const Error& error) {
        return error.what();
    }
    return "accepted";
}
}  // namespace

TEST_CASE("data are refused before training, with row and column") {
    CHECK(message(numbered(6)) == "accepted");
    CHECK(contains(message({make({1, 2, 3}, {3, 1}), make({1, 0})}), "3 samples, labels (2,) have 2"));
    CHECK(contains(message({make({}, {0, 2}), make({})}), "no samples"));
    CHECK(contains(message({Tensor(1.0), Tensor(1.0)}), "axis of samples"));
    CHECK(contains(message({make({1, 2, 3, test::nan}, {2, 2}), make({1, 0})}), "inputs row 1, column 1: nan"));
    CHECK(contains(message({make({1, -inf, 3, test::nan}, {2, 2}), make({1, 0})}), "inputs row 0, column 1: -inf"));
    CHECK(contains(message({make({1, 2}, {2, 1}), make({1, inf})}), "labels row 1, column 0: inf"));
    CHECK(contains(message({make({1, 2}, {2, 1}), make({1, 2}), Labels::zero_one}), "row 1: label 2; need 0 or 1"));
    CHECK(contains(message({make({1, 2}, {2, 1}), make({1, 2}), Labels::classes}), "need int64"));
    CHECK(message({make({1, 2}, {2, 1}), make({1, 2}).as(DType::int64), Labels::classes}) == "accepted");
}

TEST_CASE("one class only is a warning") {
    CHECK(nn::check(numbered(6)).empty());
    const auto warnings = nn::check({make({1, 2}, {2, 1}), make({-1, -1}), Labels::plus_minus_one});
    REQUIRE(warnings.size() == 1);
    CHECK(contains(warnings[0], "all 2 labels are -1"));
    CHECK(nn::check({make({1, 2}, {2, 1}), make({5, 5}), Labels::real}).empty());
}

TEST_CASE("every epoch deals every sample once, in a fresh order") {
    nn::Batches batches(numbered(23), {.size = 5, .seed = 4});
    CHECK(batches.next() == nullptr);
    CHECK(batches.count() == 5);
    std::set<std::vector<std::int64_t>> orders;
    for (int e = 0; e < 6; ++e) {
        const auto dealt = epoch(batches);
        REQUIRE(dealt.size() == 5);
        CHECK(dealt.back().size() == 3);
        CHECK(is_permutation_of_rows(joined(dealt), 23));
        orders.insert(joined(dealt));
    }
    CHECK(orders.size() == 6);
    CHECK(batches.next() == nullptr);
}

TEST_CASE("the first sample may land anywhere: the shuffle is over the whole set") {
    nn::Batches batches(numbered(40), {.size = 10, .seed = 1});
    std::vector<int> batch_of_row_0(4, 0);
    for (int e = 0; e < 400; ++e) {
        const auto dealt = epoch(batches);
        for (std::size_t b = 0; b < 4; ++b)
            batch_of_row_0[b] += int(std::count(dealt[b].begin(), dealt[b].end(), 0));
    }
    for (int count : batch_of_row_0) CHECK(std::abs(count - 100) < 45);
}

TEST_CASE("an epoch's order depends on seed and epoch alone") {
    nn::Batches a(numbered(23), {.size = 5, .seed = 4}), b(numbered(23), {.size = 7, .seed = 4}),
        c(numbered(23), {.size = 5, .seed = 5});
    epoch(a);
    b.start_epoch();
    b.next();  // an epoch left early
    epoch(c);
    const auto second = joined(epoch(a));
    CHECK(second == joined(epoch(b)));
    std::vector<std::int64_t> expected(23);
    std::iota(expected.begin(), expected.end(), 0);
    nn::Stream(4, "batches", std::uint64_t(2) << 40).shuffle(expected);
    CHECK(second == expected);
    CHECK(second != joined(epoch(c)));
}

TEST_CASE("the last batch is kept, dropped or refused") {
    nn::Batches drop(numbered(23), {.size = 5, .last = nn::LastBatch::drop});
    CHECK(drop.count() == 4);
    for (const auto& rows : epoch(drop)) CHECK(rows.size() == 5);
    CHECK_THROWS_WITH_AS(nn::Batches(numbered(23), {.size = 5, .last = nn::LastBatch::error}),
                         doctest::Contains("leave 3 of 23"), ValueError);
    nn::Batches even(numbered(20), {.size = 5, .last = nn::LastBatch::error});
    CHECK(even.count() == 4);
    CHECK(is_permutation_of_rows(joined(epoch(even)), 20));
}

TEST_CASE("a batch larger than the set is clipped, with a warning") {
    for (nn::LastBatch last : {nn::LastBatch::keep, nn::LastBatch::drop, nn::LastBatch::error}) {
        nn::Batches batches(numbered(7), {.size = 100, .last = last});
        REQUIRE(batches.warnings().size() == 1);
        CHECK(contains(batches.warnings()[0], "100"));
        CHECK(joined(epoch(batches)).size() == 7);
    }
    CHECK_THROWS_AS(nn::Batches(numbered(7), {.size = 0}), ValueError);
    CHECK_THROWS_AS(nn::Batches(numbered(7), {.size = -3}), ValueError);
}

TEST_CASE("an order of the user's own is used as it is, and kept from epoch to epoch") {
    std::vector<int> epochs;
    nn::Batches batches(numbered(6), {.size = 4, .reorder = [&](int e, std::span<std::int64_t> order) {
                                          epochs.push_back(e);
                                          std::rotate(order.begin(), order.begin() + 1, order.end());
                                      }});
    CHECK(joined(epoch(batches)) == std::vector<std::int64_t>{1, 2, 3, 4, 5, 0});
    CHECK(joined(epoch(batches)) == std::vector<std::int64_t>{2, 3, 4, 5, 0, 1});
    CHECK(epochs == std::vector<int>{1, 2});
    nn::Batches twice(numbered(6), {.reorder = [](int, std::span<std::int64_t> order) { order[0] = order[1]; }});
    CHECK_THROWS_WITH_AS(twice.start_epoch(), doctest::Contains("row 1 twice"), ValueError);
    nn::Batches missing(numbered(6), {.reorder = [](int, std::span<std::int64_t> order) { order[0] = 6; }});
    CHECK_THROWS_WITH_AS(missing.start_epoch(), doctest::Contains("row 6, which does not exist"), ValueError);
}

TEST_CASE("batches reuse their memory, and never under someone who still holds it") {
    nn::Batches batches(numbered(20), {.size = 5, .reorder = [](int, std::span<std::int64_t>) {}});
    batches.start_epoch();
    const void* first = batches.next()->inputs.raw();
    CHECK(batches.next()->inputs.raw() == first);
    const Tensor held = batches.next()->inputs;
    CHECK(batches.next()->inputs.raw() != first);
    CHECK(values(held)[0] == 10);
}

TEST_CASE("a split is stratified, seeded, and loses nothing") {
    const nn::Dataset data = numbered(90);  // 30 positive
    const auto [train, held_out] = nn::split(data, 0.2, 1);
    CHECK(train.size() == 72);
    CHECK(held_out.size() == 18);
    const auto positives = values(held_out.labels);
    CHECK(std::accumulate(positives.begin(), positives.end(), 0.0) == 6);
    std::vector<std::int64_t> rows;
    for (const auto& part : {train, held_out}) {
        const auto x = values(part.inputs), y = values(part.labels);
        CHECK(part.convention == Labels::zero_one);
        for (std::size_t i = 0; i < y.size(); ++i) {
            rows.push_back(std::int64_t(x[2 * i]));
            CHECK(y[i] == double(rows.back() % 3 == 0));
        }
    }
    CHECK(is_permutation_of_rows(rows, 90));
    CHECK(same_bits(nn::split(data, 0.2, 1).held_out.inputs, held_out.inputs));
    CHECK_FALSE(same_bits(nn::split(data, 0.2, 2).held_out.inputs, held_out.inputs));
    // Sorted by class, as data often come: a split before the shuffle would hold out one class.
    const nn::Dataset sorted{make(std::vector<double>(10, 0), {10, 1}), make({0, 0, 0, 0, 0, 1, 1, 1, 1, 1}),
                             Labels::zero_one};
    const auto two = values(nn::split(sorted, 0.4, 3).held_out.labels);
    CHECK(std::count(two.begin(), two.end(), 1.0) == 2);
    CHECK(two.size() == 4);
    CHECK(nn::split(data, 0, 1).train.size() == 90);
    CHECK_THROWS_AS(nn::split(data, 1.5, 1), ValueError);
}

TEST_CASE("rows are taken in order, of any dtype and rank") {
    const Tensor x = make({0, 1, 2, 3, 4, 5, 6, 7}, {2, 2, 2}).as(DType::int64);
    const std::int64_t rows[] = {1, 0, 1};
    const Tensor taken = nn::take_rows(x, rows);
    CHECK(taken.shape() == Shape{3, 2, 2});
    CHECK(taken.dtype() == DType::int64);
    CHECK(values(taken) == std::vector<double>{4, 5, 6, 7, 0, 1, 2, 3, 4, 5, 6, 7});
    const std::int64_t bad[] = {2};
    CHECK_THROWS_AS(nn::take_rows(x, bad), ValueError);
    CHECK_THROWS_AS(nn::take_rows(Tensor(1.0), {}), ShapeError);
}

TEST_CASE("SGD is w − η g to the bit, product first") {
    test::Random random(1);
    for (DType dtype : test::floating)
        for (std::int64_t n : {0, 1, 7, 16, 17, 1000}) {
            const Tensor w = random.tensor({n}, -2, 2, dtype), g = random.tensor({n}, -2, 2, dtype);
            nn::Parameter parameter(w);
            nn::Parameter* const list[] = {&parameter};
            nn::Sgd(0.3).step(list, std::span(&g, 1));
            for (std::int64_t i = 0; i < n; ++i) {
                const auto at = std::size_t(i);
                if (dtype == DType::float32) {
                    const volatile float product = 0.3f * g.data<float>()[at];
                    CHECK(parameter.value().data<float>()[at] == w.data<float>()[at] - product);
                } else {
                    const volatile double product = 0.3 * g.data<double>()[at];
                    CHECK(parameter.value().data<double>()[at] == w.data<double>()[at] - product);
                }
            }
        }
}

TEST_CASE("SGD swaps two buffers, and never writes where someone looks") {
    nn::Parameter parameter(make({1, 2, 3}));
    nn::Parameter* const list[] = {&parameter};
    const Tensor g = make({1, 1, 1});
    nn::Sgd sgd(1);
    std::set<const void*> buffers;
    for (int i = 0; i < 10; ++i) {
        sgd.step(list, std::span(&g, 1));
        buffers.insert(parameter.value().raw());
    }
    CHECK(buffers.size() <= 2);
    CHECK(values(parameter.value()) == std::vector<double>{-9, -8, -7});
    const Tensor snapshot = parameter.value();
    for (int i = 0; i < 3; ++i) sgd.step(list, std::span(&g, 1));
    CHECK(values(snapshot) == std::vector<double>{-9, -8, -7});
    sgd.learning_rate = 0.5;
    sgd.step(list, std::span(&g, 1));
    CHECK(values(parameter.value()) == std::vector<double>{-12.5, -11.5, -10.5});
}

TEST_CASE("SGD refuses gradients that do not fit, before it changes anything") {
    nn::Parameter a(make({1, 2})), b(make({1, 2, 3}));
    nn::Parameter* const list[] = {&a, &b};
    nn::Sgd sgd(1);
    const std::vector<Tensor> wrong{make({1, 1}), make({1, 1})};
    CHECK_THROWS_AS(sgd.step(list, wrong), ShapeError);
    CHECK(values(a.value()) == std::vector<double>{1, 2});
    CHECK_THROWS_AS(sgd.step(list, std::vector<Tensor>{make({1, 1})}), ValueError);
    CHECK_THROWS_AS(sgd.step(list, std::vector<Tensor>{make({1, 1}), make({1, 1, 1}, DType::float32)}), DTypeError);
    for (double rate : {-1.0, test::nan, inf}) {
        sgd.learning_rate = rate;
        CHECK_THROWS_AS(sgd.step(list, std::vector<Tensor>{make({1, 1}), make({1, 1, 1})}), ValueError);
    }
}

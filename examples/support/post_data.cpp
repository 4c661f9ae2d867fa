#include "post_data.hpp"

#include <algorithm>
#include <numeric>

namespace post {

using gradtape::DType;
using gradtape::Tensor;

std::uint64_t SplitMix64::next() {
    state_ += 0x9E3779B97F4A7C15;
    std::uint64_t z = state_;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
    return z ^ (z >> 31);
}

double SplitMix64::u(double a, double b) { return a + (b - a) * (double(next() >> 11) * 0x1p-53); }

std::uint64_t SplitMix64::below(std::uint64_t n) { return ((next() >> 32) * n) >> 32; }

std::array<double, 2> SplitMix64::disc() {
    while (true) {
        // Two statements: the order in which arguments are evaluated is not specified.
        const double a = u(-1, 1);
        const double b = u(-1, 1);
        if (a * a + b * b <= 1) return {a, b};
    }
}

void SplitMix64::shuffle(std::vector<std::int64_t>& order) {
    for (std::size_t i = order.size(); i-- > 1;) std::swap(order[i], order[below(i + 1)]);
}

namespace {

struct Points {
    std::vector<double> x, y;

    void add(double x1, double x2, double label) {
        x.insert(x.end(), {x1, x2, 1});
        y.push_back(label);
    }
    DataSet finish() const {
        const auto n = std::int64_t(y.size());
        return {Tensor::from<double>(x, {n, 3}), Tensor::from<double>(y, {n})};
    }
};

}  // namespace

DataSet data_1() {
    SplitMix64 g(1);
    Points points;
    const auto group = [&](double c1, double c2, double label) {
        for (int i = 0; i < 100; ++i) {
            const auto [a, b] = g.disc();
            points.add(c1 + 0.5 * a, (c2 - 0.5 * a) + 0.25 * b, label);
        }
    };
    group(1.4, 1.5, 1);
    group(1.6, 0.5, -1);
    return points.finish();
}

DataSet data_2() {
    SplitMix64 g(1);
    Points points;
    for (int i = 0; i < 80; ++i) {
        const auto [a, b] = g.disc();
        points.add(1.8 * a, 1.8 * b, 1);
    }
    for (int i = 0; i < 80;) {
        const auto [a, b] = g.disc();
        if (a * a + b * b < 0.55 * 0.55) continue;
        points.add(4 * a, 4 * b, -1);
        ++i;
    }
    return points.finish();
}

DataSet data_2c() {
    SplitMix64 g(2);
    Points points;
    for (int i = 0; i < 80; ++i) {
        const auto [a, b] = g.disc();
        points.add(0.6 * a, 0.6 * b, 1);
    }
    constexpr double corners[4][2] = {{3, 3}, {-3, 3}, {-3, -3}, {3, -3}};
    for (const auto& corner : corners)
        for (int i = 0; i < 20; ++i) {
            const auto [a, b] = g.disc();
            points.add(corner[0] + 0.75 * a, corner[1] + 0.75 * b, -1);
        }
    return points.finish();
}

std::array<double, 4> bounds(const DataSet& data) {
    const auto x = data.X.data<double>();
    std::array<double, 4> box{x[0], x[0], x[1], x[1]};
    for (std::size_t i = 0; i < x.size(); i += 3) {
        box[0] = std::min(box[0], x[i]), box[1] = std::max(box[1], x[i]);
        box[2] = std::min(box[2], x[i + 1]), box[3] = std::max(box[3], x[i + 1]);
    }
    return box;
}

DataSet rows(const DataSet& data, const std::vector<std::int64_t>& order, std::size_t first, std::size_t count) {
    const auto n = std::int64_t(count);
    const std::int64_t width = data.X.shape()[1];
    DataSet batch{Tensor::uninitialised({DType::float64, {n, width}}), Tensor::uninitialised({DType::float64, {n}})};
    const auto X = data.X.data<double>(), y = data.y.data<double>();
    const auto batch_X = batch.X.mutable_data<double>(), batch_y = batch.y.mutable_data<double>();
    for (std::size_t i = 0; i < count; ++i) {
        const std::int64_t row = order.at(first + i);
        std::copy_n(X.begin() + row * width, width, batch_X.begin() + std::int64_t(i) * width);
        batch_y[i] = y[std::size_t(row)];
    }
    return batch;
}

Example separable() {
    return {data_1(), {3, 3, 1}, {{10, 1, Select::last}, {10, 2, Select::last}, {6, 1, Select::last},
                                  {20, 2, Select::last}}};
}

Example bounded() {
    return {data_2(), {3, 5, 1}, {{1, 5, Select::best}, {10, 2, Select::last}, {30, 1, Select::best},
                                  {5, 0.5, Select::average}, {10, 0.5, Select::last}}};
}

std::vector<Phase> plain_phases() { return {{56, 1, Select::last}}; }

Run::Run(std::uint64_t w, const std::vector<std::int64_t>& widths, std::int64_t samples)
    : generator(w), order(std::size_t(samples)) {
    for (std::size_t t = 0; t + 1 < widths.size(); ++t) {
        Tensor W = Tensor::uninitialised({DType::float64, {widths[t + 1], widths[t]}});
        for (double& entry : W.mutable_data<double>()) entry = generator.u(-1.5, 1.5);
        weights.push_back(std::move(W));
    }
    std::iota(order.begin(), order.end(), std::int64_t(0));
}

std::vector<Tensor> constructed_weights(double c) {
    return {Tensor{{1, 0, 2}, {0, 1, 2}, {-1, 0, 2}, {0, -1, 2}, {0, 0, 1}}, Tensor{{1, 1, 1, 1, -c}}};
}

std::vector<Tensor> trained_weights() {
    return {Tensor{{-12.1, -4, 11.8}, {5.1, 9.3, 7}, {-4.8, 13.4, -9.1}, {12.5, -2.7, -7.6}, {10.7, 13.5, -12}},
            Tensor{{-2.1, 5.9, -5.5, -3.2, -4.6}}};
}

Tensor tabulated_points() {
    return Tensor{{0, 0, 1},  {1, 0, 1},      {0, 1, 1}, {-1, 0, 1}, {0, -1, 1}, {1, 1, 1},
                  {2, 2, 1},  {-2, 1, 1},     {0.5, -0.5, 1}, {3, 0, 1}, {10, 0, 1}, {0, -10, 1}};
}

}  // namespace post

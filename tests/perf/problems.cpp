// Seeded data for the works that are timed.
#include "problems.hpp"

#include <algorithm>
#include <cmath>
#include <stdexcept>

namespace perf {
namespace {

// SplitMix64: the same data on every platform.
class Generator {
public:
    explicit Generator(std::uint64_t seed) : state_(seed) {}
    double uniform(double low, double high) {
        return low + (high - low) * (double(next() >> 11) * 0x1p-53);
    }
    int below(int n) { return int(((next() >> 32) * std::uint64_t(n)) >> 32); }
    template <class T>
    std::vector<T> fill(std::size_t count, double low, double high) {
        std::vector<T> values(count);
        for (T& value : values) value = T(uniform(low, high));
        return values;
    }

private:
    std::uint64_t next() {
        std::uint64_t z = state_ += 0x9E3779B97F4A7C15u;
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
        return z ^ (z >> 31);
    }
    std::uint64_t state_;
};

}  // namespace

PostProblem post_problem(int hidden, int batch) {
    Generator g(1);
    PostProblem p{hidden, batch, 2.0, 1e-3, g.fill<double>(std::size_t(3 * batch), -1.5, 1.5), {}, {}, {}};
    for (int i = 0; i < p.batch; ++i) {
        p.x[3 * i + 2] = 1.0;
        p.y.push_back(p.x[3 * i] > p.x[3 * i + 1] ? 1.0 : -1.0);
    }
    p.w0 = g.fill<double>(std::size_t(hidden) * 3, -1.5, 1.5);
    p.w1 = g.fill<double>(std::size_t(hidden), -1.5, 1.5);
    return p;
}

MlpProblem mlp_problem(std::vector<int> widths, int batch) {
    Generator g(2);
    MlpProblem p{std::move(widths), batch, 1e-4f, {}, {}, {}, {}};
    p.x = g.fill<float>(std::size_t(batch) * p.widths[0], 0.0, 1.0);
    for (int i = 0; i < batch; ++i) p.labels.push_back(g.below(p.widths.back()));
    for (std::size_t l = 0; l < p.layers(); ++l) {
        const double bound = std::sqrt(6.0 / p.widths[l]);
        p.w.push_back(g.fill<float>(std::size_t(p.widths[l]) * p.widths[l + 1], -bound, bound));
        p.b.push_back(g.fill<float>(std::size_t(p.widths[l + 1]), -0.1, 0.1));
    }
    return p;
}

namespace {

/// Throws where a value of the chain, or a cotangent on the way back, is not far from what float underflows or overflows
/// to: processors take many times as long for subnormal numbers, and the time would be theirs.
void require_normal(const ChainProblem& p) {
    const auto normal = [](double v) {
        if (!(std::abs(v) > 1e-34 && std::abs(v) < 1e34)) throw std::logic_error("the chain's data runs out of float's range");
    };
    for (std::size_t i = 0; i < p.x.size(); ++i) {
        double y = p.x[i], y_bar = 1;
        for (int o = 0; o < p.operations; ++o) {
            y = o % 3 == 0 ? std::tanh(y) : o % 3 == 1 ? y * p.a[i] : y + p.b[i];
            if (o % 3 == 0) y_bar *= 1 - y * y;  // backwards the factors come in the other order, and are the same
            if (o % 3 == 1) y_bar *= p.a[i];
            normal(y);
            normal(y_bar);
        }
    }
}

}  // namespace

/// Each element is drawn to a place between 0.7 and 1, where one round (tanh, a, b) has the slope that leaves e^−50 of the
/// gradient after all of them.
ChainProblem chain_problem(int operations, int elements, bool all) {
    Generator g(3);
    ChainProblem p{operations, all, {}, {}, {}};
    const double slope = std::max(0.7, std::exp(-150.0 / operations));
    for (int i = 0; i < elements; ++i) {
        const double end = g.uniform(0.7, 1), t = std::tanh(end), a = slope / (1 - t * t);
        p.x.push_back(float(end + g.uniform(0, 0.2)));
        p.a.push_back(float(a));
        p.b.push_back(float(end - a * t));
    }
    require_normal(p);
    return p;
}

std::vector<float> numbers(int elements) { return Generator(4).fill<float>(std::size_t(elements), -3, 3); }

RowsProblem rows_problem(RowsProblem::Kind kind, int rows, int columns) {
    Generator g(7);
    const auto all = std::size_t(rows) * std::size_t(columns), row = std::size_t(columns);
    return {kind, rows, columns, g.fill<float>(all, -1, 1), g.fill<float>(all, -1, 1), g.fill<float>(row, 0.5, 1.5), g.fill<float>(row, -1, 1)};
}

template <class T>
MatmulProblem<T> matmul_problem(int m, int n, int k) {
    Generator g(5);
    return {m, n, k, g.fill<T>(std::size_t(m) * k, -1, 1), g.fill<T>(std::size_t(k) * n, -1, 1)};
}
template MatmulProblem<float> matmul_problem(int, int, int);
template MatmulProblem<double> matmul_problem(int, int, int);

SumProblem sum_problem(int rows, int columns, int axis) {
    return {rows, columns, axis, Generator(6).fill<float>(std::size_t(rows) * columns, 0, 1)};
}

}  // namespace perf

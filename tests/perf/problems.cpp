// Seeded data for the works that are timed.
#include "problems.hpp"

#include <cmath>

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

PostProblem post_problem(int hidden) {
    Generator g(1);
    PostProblem p{hidden, 10, 2.0, 1e-3, g.fill<double>(30, -1.5, 1.5), {}, {}, {}};
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

ChainProblem chain_problem(int operations, int elements, bool all) {
    Generator g(3);
    const auto n = std::size_t(elements);
    return {operations, all, g.fill<float>(n, -1, 1), g.fill<float>(n, 1.2, 1.6), g.fill<float>(n, -0.1, 0.1)};
}

std::vector<float> numbers(int elements) { return Generator(4).fill<float>(std::size_t(elements), -3, 3); }

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

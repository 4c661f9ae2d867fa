// The data of the works that are timed. Plain vectors: every contender copies them into its own form.
#pragma once

#include <cstdint>
#include <vector>

namespace perf {

/// The post's network: inputs (x1, x2, 1), one hidden layer, one output, sigmoids of slope k, labels ±1, log-loss.
struct PostProblem {
    int hidden;
    int batch;
    double k;
    double rate;             ///< small, so that thousands of repeats stay near the start
    std::vector<double> x;   ///< (batch, 3)
    std::vector<double> y;   ///< (batch), ±1
    std::vector<double> w0;  ///< (hidden, 3)
    std::vector<double> w1;  ///< (1, hidden)
};
PostProblem post_problem(int hidden, int batch = 10);

/// Dense layers with bias, relu between them, softmax cross-entropy at the end.
struct MlpProblem {
    std::vector<int> widths;
    int batch;
    float rate;
    std::vector<float> x;                   ///< (batch, widths[0])
    std::vector<std::int64_t> labels;       ///< (batch)
    std::vector<std::vector<float>> w;      ///< (out, in) of each layer
    std::vector<std::vector<float>> b;      ///< (out) of each layer

    std::size_t layers() const { return widths.size() - 1; }
};
MlpProblem mlp_problem(std::vector<int> widths, int batch);

/// y = tanh(y), y = y a, y = y + b, and again, `operations` in all; then the gradient of sum(y).
struct ChainProblem {
    int operations;
    bool all;  ///< gradients for a and b too, not only for x
    std::vector<float> x, a, b;
};
ChainProblem chain_problem(int operations, int elements, bool all);

/// `elements` numbers of U(−3, 3).
std::vector<float> numbers(int elements);

/// x (m, k) times y (k, n).
template <class T>
struct MatmulProblem {
    int m, n, k;
    std::vector<T> x, y;
};
template <class T>
MatmulProblem<T> matmul_problem(int m, int n, int k);

/// A matrix to be summed over `axis`; −1 means over everything.
struct SumProblem {
    int rows, columns, axis;
    std::vector<float> x;
};
SumProblem sum_problem(int rows, int columns, int axis);

/// A function along the rows of x, times a row and plus another; then the sum of that times `weights`, and the gradients for
/// x and both rows.
struct RowsProblem {
    enum class Kind { layer_norm, rms_norm, softmax };
    Kind kind;
    int rows, columns;
    std::vector<float> x, weights, scale, shift;
};
RowsProblem rows_problem(RowsProblem::Kind kind, int rows, int columns);
inline constexpr double rows_epsilon = 1e-5;

/// How many products or sums one run does, so that the cost of starting a tape does not count as theirs.
inline constexpr int small_repeats = 100;

}  // namespace perf

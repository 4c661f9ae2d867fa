// Central differences against recorded gradients (the method of Baydin et al. 2018, section 2.1, in double).
#include <gradtape/check.hpp>
#include <gradtape/ops.hpp>

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace gradtape {
namespace {

using Function = std::function<Node(std::span<const Node>)>;

/// Reproducible numbers in [−1, 1]; SplitMix64.
double uniform(std::uint64_t& state) {
    state += 0x9E3779B97F4A7C15u;
    std::uint64_t z = state;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return double((z ^ z >> 31) >> 11) * 0x1p-52 - 1.0;
}

Tensor random_like(const Tensor& tensor, std::uint64_t& state) {
    Tensor result = Tensor::uninitialised({DType::float64, tensor.shape()});
    for (double& element : result.mutable_data<double>()) element = uniform(state);
    return result;
}

/// Σ y c for a fixed random c: one number whose gradient meets every element of y.
Node weigh(Tape& tape, Node y, const Tensor& weights) { return sum(y * tape.constant(weights)); }

struct Scalar {
    double value;
    std::vector<Tensor> gradients;
};

/// The weighed function and its gradients; `order` 2 weighs the gradients once more.
class Probe {
public:
    Probe(const Function& function, std::span<const Tensor> at, int order, std::uint64_t seed)
        : function_(function), order_(order) {
        Tape tape;
        std::vector<Node> x = leaves(tape, at);
        weights_.push_back(random_like(function_(x).value(), seed));
        if (order_ == 2)
            for (const Tensor& tensor : at) weights_.push_back(random_like(tensor, seed));
    }

    Scalar operator()(std::span<const Tensor> at, bool with_gradients) const {
        Tape tape;
        const std::vector<Node> x = leaves(tape, at);
        Node y = weigh(tape, function_(x), weights_[0]);
        if (order_ == 2) {
            const std::vector<Node> g = grad(y, x);
            Node total = weigh(tape, g[0], weights_[1]);
            for (std::size_t k = 1; k < g.size(); ++k) total = total + weigh(tape, g[k], weights_[k + 1]);
            y = total;
        }
        Scalar result{y.item(), {}};
        if (with_gradients)
            for (Node g : grad(y, x)) result.gradients.push_back(g.value());
        return result;
    }

private:
    static std::vector<Node> leaves(Tape& tape, std::span<const Tensor> at) {
        std::vector<Node> x;
        for (const Tensor& tensor : at) x.push_back(tape.parameter(tensor));
        return x;
    }

    const Function& function_;
    int order_;
    std::vector<Tensor> weights_;
};

double central_difference(const Probe& probe, std::span<const Tensor> at, std::size_t k, std::size_t i, double step) {
    std::vector<Tensor> moved(at.begin(), at.end());
    const auto value_at = [&](double by) {
        Tensor x = Tensor::from<double>(at[k].data<double>(), at[k].shape());
        x.mutable_data<double>()[i] += by;
        moved[k] = x;
        return probe(moved, false).value;
    };
    return (value_at(step) - value_at(-step)) / (2 * step);
}

void compare(CheckResult& result, const CheckOptions& options, int order, std::size_t k, std::size_t i, double gradient,
             double numeric, double step) {
    const double allowed = options.absolute + options.relative * std::max(std::abs(gradient), std::abs(numeric));
    const double difference = std::abs(gradient - numeric);
    const double excess = std::isnan(difference) ? std::numeric_limits<double>::infinity() : difference / allowed;
    if (excess <= result.worst) return;
    result.worst = excess;
    result.ok = excess <= 1;
    char text[256];
    std::snprintf(text, sizeof text,
                  "order %d, x%zu[%zu]: gradient %.17g, numeric %.17g (difference %.3g, allowed %.3g, step %.3g)", order, k,
                  i, gradient, numeric, difference, allowed, step);
    result.report = text;
}

}  // namespace

CheckResult check_gradient(const Function& function, std::span<const Tensor> at, const CheckOptions& options) {
    for (const Tensor& tensor : at)
        if (tensor.dtype() != DType::float64)
            throw DTypeError(std::string("points must be float64, not ") + to_string(tensor.dtype()),
                             {"check_gradient", {tensor.shape()}, {}, {}});
    if (at.empty()) throw ValueError("needs at least one point", {"check_gradient", {}, {}, {}});
    if (options.order < 1 || options.order > 2 || !(options.step > 0))
        throw ValueError("needs order 1 or 2 and a positive step", {"check_gradient", {}, {}, {}});
    CheckResult result;
    for (int order = 1; order <= options.order; ++order) {
        const Probe probe(function, at, order, options.seed);
        const Scalar exact = probe(at, true);
        for (std::size_t k = 0; k < at.size(); ++k) {
            const auto x = at[k].data<double>();
            const auto gradient = exact.gradients[k].data<double>();
            for (std::size_t i = 0; i < x.size(); ++i) {
                const double step = options.step * std::max(1.0, std::abs(x[i]));
                compare(result, options, order, k, i, gradient[i], central_difference(probe, at, k, i, step), step);
            }
        }
    }
    return result;
}

CheckResult check_gradient(const Function& function, std::initializer_list<Tensor> at, const CheckOptions& options) {
    return check_gradient(function, std::span(at.begin(), at.size()), options);
}

}  // namespace gradtape

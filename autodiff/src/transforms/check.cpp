// Central differences against recorded gradients (the method of Baydin et al. 2018, section 2.1, in double).
#include <gradtape/check.hpp>
#include <gradtape/ops.hpp>

#include "../support/number.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace gradtape {

using detail::shortest;

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
Node weigh(Tape& tape, Node y, const Tensor& weights, Where where) {
    return sum({multiply({y, where}, {tape.constant(weights, where), where}), where});
}

/// What is differentiated: the elements of the function's result, weighed; of `order` 2, those of its gradients.
class Probe {
public:
    Probe(const Function& function, std::span<const Tensor> at, int order, std::uint64_t seed, Where where)
        : function_(function), order_(order), where_(where) {
        Tape tape;
        first_ = random_like(function_(leaves(tape, at)).value(where_), seed);
        if (order_ == 1) weights_ = {first_};
        else
            for (const Tensor& tensor : at) weights_.push_back(random_like(tensor, seed));
    }

    const std::vector<Tensor>& weights() const noexcept { return weights_; }

    std::vector<Tensor> values(std::span<const Tensor> at) const {
        Tape tape;
        std::vector<Tensor> values = values_of(recorded(tape, leaves(tape, at)));
        for (std::size_t t = 0; t < values.size(); ++t)
            if (values[t].type() != weights_[t].type())
                throw ValueError("the function gave " + to_string(weights_[t].type()) + " at one point, and " +
                                     to_string(values[t].type()) + " beside it; needs one float64 type",
                                 {"check_gradient", {weights_[t].shape(), values[t].shape()}, {}, where_});
        return values;
    }

    std::vector<Tensor> gradients(std::span<const Tensor> at) const {
        Tape tape;
        const std::vector<Node> x = leaves(tape, at), y = recorded(tape, x);
        Node total = weigh(tape, y[0], weights_[0], where_);
        for (std::size_t k = 1; k < y.size(); ++k) total = add({total, where_}, {weigh(tape, y[k], weights_[k], where_), where_});
        return values_of(grad(total, x, where_));
    }

private:
    std::vector<Node> leaves(Tape& tape, std::span<const Tensor> at) const {
        std::vector<Node> x;
        for (const Tensor& tensor : at) x.push_back(tape.parameter(tensor, where_));
        return x;
    }
    std::vector<Tensor> values_of(const std::vector<Node>& nodes) const {
        std::vector<Tensor> result;
        for (Node node : nodes) result.push_back(node.value(where_));
        return result;
    }
    std::vector<Node> recorded(Tape& tape, const std::vector<Node>& x) const {
        const Node y = function_(x);
        if (order_ == 1) return {y};
        return grad(weigh(tape, y, first_, where_), x, where_);
    }

    const Function& function_;
    int order_;
    Where where_;
    Tensor first_;
    std::vector<Tensor> weights_;
};

/// A numeric derivative, and how far the rounding of what it was computed from may have moved it.
struct Estimate {
    double value, rounding, step;
    bool of_nans;  ///< elements that are NaN at both points were met, and left out
};

Estimate central_difference(const Probe& probe, const CheckOptions& options, std::span<const Tensor> at, std::size_t k,
                            std::size_t i, double step) {
    std::vector<Tensor> moved(at.begin(), at.end());
    const double x = at[k].data<double>()[i], above = x + step, below = x - step;
    const auto values_at = [&](double there) {
        Tensor tensor = Tensor::from<double>(at[k].data<double>(), at[k].shape());
        tensor.mutable_data<double>()[i] = there;
        moved[k] = tensor;
        return probe.values(moved);
    };
    const std::vector<Tensor> high = values_at(above), low = values_at(below);
    // Each element is subtracted before they are summed: what x does not move cancels exactly, whatever its size.
    double difference = 0, size = 0;
    bool of_nans = false;
    for (std::size_t t = 0; t < high.size(); ++t) {
        const auto weights = probe.weights()[t].data<double>(), a = high[t].data<double>(), b = low[t].data<double>();
        for (std::size_t j = 0; j < weights.size(); ++j) {
            if (options.equal_nan && std::isnan(a[j]) && std::isnan(b[j])) {
                of_nans = true;
                continue;
            }
            difference += weights[j] * (a[j] - b[j]);
            size += std::abs(weights[j]) * (std::abs(a[j]) + std::abs(b[j]));
        }
    }
    const double width = above - below;
    return {difference / width, size * std::numeric_limits<double>::epsilon() / width, step, of_nans};
}

double allowed(const CheckOptions& options, double gradient, const Estimate& numeric) {
    return options.absolute + options.relative * std::max(std::abs(gradient), std::abs(numeric.value));
}

/// The difference in units of what is allowed: more than 1 is too much. `rounding` is allowed as well.
double excess(const CheckOptions& options, double gradient, const Estimate& numeric, double rounding = 0) {
    if (gradient == numeric.value || (std::isnan(gradient) && numeric.of_nans)) return 0;
    const double worst = std::abs(gradient - numeric.value) / (allowed(options, gradient, numeric) + rounding);
    return std::isnan(worst) ? std::numeric_limits<double>::infinity() : worst;
}

/// By the given step. Where that disagrees it may be the step's fault: larger ones round less, smaller ones follow a
/// curve more closely. Then the step decides whose value rounding and the next smaller step change least, in proportion;
/// the recorded gradient has no say in it.
Estimate estimate(const Probe& probe, const CheckOptions& options, std::span<const Tensor> at, std::size_t k, std::size_t i,
                  double step, double gradient) {
    const Estimate first = central_difference(probe, options, at, k, i, step);
    if (excess(options, gradient, first) <= 1 || std::isnan(gradient)) return first;
    Estimate best = first, before = first;
    double least = std::numeric_limits<double>::infinity();
    for (int power = -8; power <= 8; ++power) {
        const Estimate here = central_difference(probe, options, at, k, i, step * std::pow(10.0, power));
        const double doubt = (here.rounding + std::abs(here.value - before.value)) / std::abs(here.value);
        if (power > -8 && doubt < least) {
            least = doubt;
            best = here;
        }
        before = here;
    }
    return best;
}

/// What a step is relative to: the element; of 0, the largest of its tensor; or 1.
double scale(std::span<const double> x, std::size_t i) {
    if (x[i] != 0 && std::isfinite(x[i])) return std::abs(x[i]);
    double largest = 0;
    for (double element : x)
        if (std::isfinite(element)) largest = std::max(largest, std::abs(element));
    return largest > 0 ? largest : 1;
}

void compare(CheckResult& result, const CheckOptions& options, const std::string& element, double gradient,
             const Estimate& numeric) {
    // Where rounding hides the last digits at every step they cannot be asked for; but one digit must be left to compare.
    const double size = std::max(std::abs(gradient), std::abs(numeric.value));
    const double worst = excess(options, gradient, numeric, numeric.rounding <= 0.1 * size ? numeric.rounding : 0);
    if (worst <= result.worst) return;
    result.worst = worst;
    result.ok = worst <= 1;
    result.report = element + ": gradient " + shortest(gradient) + ", numeric " + shortest(numeric.value) + " (difference " +
                    shortest(float(std::abs(gradient - numeric.value))) + ", allowed " +
                    shortest(float(allowed(options, gradient, numeric))) + ", step " + shortest(numeric.step) +
                    ", rounding " + shortest(float(numeric.rounding)) + ")";
}

}  // namespace

CheckResult check_gradient(const Function& function, std::span<const Tensor> at, const CheckOptions& options,
                           Where where) {
    for (const Tensor& tensor : at)
        if (tensor.dtype() != DType::float64)
            throw DTypeError(std::string("points must be float64, not ") + to_string(tensor.dtype()),
                             {"check_gradient", {tensor.shape()}, {}, where});
    if (!function) throw ValueError("there is no function to check: it is empty", {"check_gradient", {}, {}, where});
    if (at.empty()) throw ValueError("needs at least one point", {"check_gradient", {}, {}, where});
    if (options.order < 1 || options.order > 2 || !(options.step > 0))
        throw ValueError("needs order 1 or 2 and a positive step", {"check_gradient", {}, {}, where});
    CheckResult result;
    for (int order = 1; order <= options.order; ++order) {
        const Probe probe(function, at, order, options.seed, where);
        const std::vector<Tensor> exact = probe.gradients(at);
        for (std::size_t k = 0; k < at.size(); ++k) {
            const auto x = at[k].data<double>(), gradient = exact[k].data<double>();
            for (std::size_t i = 0; i < x.size(); ++i)
                compare(result, options,
                        "order " + std::to_string(order) + ", x" + std::to_string(k) + "[" + std::to_string(i) + "]", gradient[i],
                        estimate(probe, options, at, k, i, options.step * scale(x, i), gradient[i]));
        }
    }
    return result;
}

}  // namespace gradtape

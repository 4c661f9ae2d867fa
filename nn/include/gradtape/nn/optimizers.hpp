// Optimizers: from gradients to new parameter values.
#pragma once

#include <gradtape/nn/parameter.hpp>

namespace gradtape::nn {

/// A gradient with a NaN or an infinity. No parameter has changed.
struct NonFiniteGradient : Error {
    NonFiniteGradient(const std::string& problem, ErrorFacts facts, std::size_t number)
        : Error(problem, std::move(facts)), parameter(number) {}
    std::size_t parameter;  ///< which, in the order in which they were given: that of the model's `visit`
};

/// Stochastic gradient descent: w − η g, elementwise, the product rounded before the difference (no fma).
/// New values are written into the tensors that the last step replaced, so steps in a steady state allocate nothing.
class Sgd {
public:
    double learning_rate;  ///< η; may be changed at any time

    explicit Sgd(double rate) : learning_rate(rate) {}

    /// ShapeError or DTypeError where a gradient does not fit its parameter; then no parameter has changed.
    /// ValueError where the learning rate is not a number ≥ 0; NonFiniteGradient where a gradient is not finite.
    void step(std::span<Parameter* const> parameters, std::span<const Tensor> gradients, Where where = Where::here());

private:
    std::vector<Tensor> spare_;
};

}  // namespace gradtape::nn

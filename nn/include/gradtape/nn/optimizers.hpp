// Optimizers: from gradients to new parameter values.
#pragma once

#include <gradtape/nn/parameter.hpp>

namespace gradtape::nn {

/// Stochastic gradient descent: w − η g, elementwise, the product rounded before the difference (no fma).
/// New values are written into the tensors that the last step replaced, so steps in a steady state allocate nothing.
class Sgd {
public:
    double learning_rate;  ///< η; may be changed at any time

    explicit Sgd(double rate) : learning_rate(rate) {}

    /// ShapeError or DTypeError where a gradient does not fit its parameter; then no parameter has changed.
    /// ValueError where the learning rate is not a number ≥ 0.
    void step(std::span<Parameter* const> parameters, std::span<const Tensor> gradients, Where where = Where::here());

private:
    std::vector<Tensor> spare_;
};

}  // namespace gradtape::nn

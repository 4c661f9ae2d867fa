// Random fully connected networks, their loss on the tape, and a naive forward pass in complex numbers.
#pragma once

#include "tensors.hpp"

#include <gradtape/nn/explicit_backprop.hpp>

#include <complex>

namespace gradtape::test {

struct RandomNetwork {
    nn::explicit_backprop::Network network;
    Tensor X, y;
    nn::explicit_backprop::Labels labels;
    std::string text;  ///< widths, activations, slopes, batch
};

struct NetworkLimits {
    int layers = 6, width = 64, batch = 64;
    double largest_z = 0;  ///< where set, weights are scaled so that |z| comes near this: saturated networks
};

/// Layers, widths, batch, slopes in {0.5, 1, 2, 5}, activations and label convention drawn from `seed`; one output.
RandomNetwork random_network(std::uint64_t seed, DType dtype, const NetworkLimits& limits = {});

/// Mean log-loss of the network with weights `W`, recorded from raw operations only.
Node loss_on_tape(const RandomNetwork& example, const std::vector<Node>& W);

/// The tape's value and gradient.
struct TapeGradient {
    double loss;
    std::vector<Tensor> W;
};
TapeGradient tape_gradient(const RandomNetwork& example);

/// d loss / d W[layer][row, column] by a complex step, from a naive forward pass.
double complex_step(const RandomNetwork& example, std::size_t layer, std::int64_t entry);

}  // namespace gradtape::test

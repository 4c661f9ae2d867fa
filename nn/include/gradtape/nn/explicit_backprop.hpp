// Backpropagation derived by hand for a fully connected network: the witness the tape is compared with.
// It knows nothing of tapes or primitives. The letters are those of docs/backpropagation.md.
#pragma once

#include <gradtape/error.hpp>
#include <gradtape/tensor.hpp>

namespace gradtape::nn::explicit_backprop {

enum class Function { sigmoid, tanh, relu };

/// The activation of one layer with slope k: a(z) = f(k z), so a′(z) = k f′(k z).
struct Activation {
    Function function = Function::sigmoid;
    double k = 1;
};

/// W[t] is W^t, of shape (k_{t+1}, k_t): entry (i, j) is the weight of the edge from vertex j of layer t to vertex i of
/// layer t+1. a[t] is the activation of layer t+1. There are no biases: a network that wants one gets a constant 1 as
/// an input. All weights are float32, or all are float64.
struct Network {
    std::vector<Tensor> W;
    std::vector<Activation> a;
};

/// What the vertices take when the rows of X pass through: O[t] is O^t, of shape (batch, k_t), and O[0] is X;
/// z[t] is z^t for t = 1 … L, and z[0] is empty (0,).
struct Forward {
    std::vector<Tensor> O;
    std::vector<Tensor> z;
};

enum class Labels {
    zero_one,       ///< y in {0, 1}, ẙ = y
    plus_minus_one  ///< y in {−1, 1}, ẙ = (1 + y)/2
};

/// How the backward pass starts.
enum class FirstPartial {
    stable,  ///< ∂ℓ/∂z^L = k((1 − ẙ) σ(kz) − ẙ σ(−kz)): finite for every finite z
    post     ///< ∂ℓ/∂o^L = (o − ẙ)/(o(1 − o)), then a′ = k o(1 − o): not finite once o rounds to 1 (or to 0)
};

/// The equations in components, one sample after the other, or in matrices, the whole batch at once.
enum class Form { batch, sample };

struct Options {
    Labels labels = Labels::zero_one;
    FirstPartial first_partial = FirstPartial::stable;
    Form form = Form::batch;
};

/// W[t] is ∂ℓ/∂W^t, where ℓ, in log_loss, is the mean log-loss over the batch.
struct Gradient {
    double log_loss = 0;
    std::vector<Tensor> W;
};

/// O^t = a(z^t), z^t = W^{t−1} O^{t−1}, for each row of X (batch, k_0); X has the dtype of the weights.
/// Throws ShapeError, DTypeError, and ValueError for a slope that is not positive and finite.
Forward forward(const Network& network, const Tensor& X, Where where = Where::here());

/// The mean of −(ẙ log o + (1 − ẙ) log(1 − o)) over the rows of X, computed from kz without cancellation.
/// y is (batch,) or (batch, 1), of any dtype. Needs one output vertex and a sigmoid as the last activation.
/// Throws what forward throws, and ValueError naming the first label outside the convention and its row.
double log_loss(const Network& network, const Tensor& X, const Tensor& y, Labels labels = Labels::zero_one,
                Where where = Where::here());

/// The mean log-loss and its gradient by backpropagation. Needs, and throws, what log_loss does.
Gradient gradient(const Network& network, const Tensor& X, const Tensor& y, const Options& options = {},
                  Where where = Where::here());

/// W^t ← W^t − η ∂ℓ/∂W^t, in place where no other tensor shares the weights.
/// Throws ShapeError or DTypeError where the gradient does not fit the network.
void step(Network& network, const Gradient& gradient, double eta, Where where = Where::here());

}  // namespace gradtape::nn::explicit_backprop

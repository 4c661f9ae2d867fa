// Layers and activation functions. A model of your own is a plain struct with an operator() and a visit.
#pragma once

#include <gradtape/nn/init.hpp>
#include <gradtape/nn/parameter.hpp>
#include <gradtape/ops.hpp>

namespace gradtape::nn {

struct DenseOptions {
    bool bias = true;
    Initialiser weight = xavier_uniform();  ///< the bias starts at zero
    DType dtype = DType::float64;
};

/// z = x Wᵀ + b, one sample in each row: x (n, in) → z (n, out); also (in) → (out).
struct Dense {
    Parameter weight;               ///< (out, in)
    std::optional<Parameter> bias;  ///< (out)

    Dense() = default;
    /// `nn::Dense fc1(3, 5, {seed, "fc1"}, {.bias = false});`
    Dense(std::int64_t in, std::int64_t out, Stream random, const DenseOptions& options = {},
          Where where = Where::here());
    /// Given weights; ShapeError where they are not (out, in) and (out).
    explicit Dense(Tensor weight, Where where = Where::here());
    Dense(Tensor weight, Tensor bias, Where where = Where::here());

    /// ShapeError where x has not `in` columns, DTypeError where its dtype is not the weight's.
    Node operator()(Node x, Where where = Where::here()) const;
    void visit(Visitor& v) {
        v("weight", weight);
        v("bias", bias);
    }
};

using gradtape::relu;
using gradtape::sigmoid;
/// 1 / (1 + e^(−k z)): the sigmoid with slope k.
inline Node sigmoid(Operand z, double k) {
    return k == 1 ? gradtape::sigmoid(z) : gradtape::sigmoid(Operand(multiply(Operand(k, z.where()), z), z.where()));
}
using gradtape::softmax;
using gradtape::tanh;

}  // namespace gradtape::nn

#include <gradtape/nn/optimizers.hpp>

#include "elements.hpp"
#include "parameters.hpp"

#include <cmath>

namespace gradtape::nn {

namespace {

/// w − η g in whole 64-byte blocks: tensors are aligned and padded to them, so there is no tail, and the constant inner
/// count is vectorised at -O2 already. False where g may not be finite: that of g − g, 0 or NaN, costs next to nothing here.
template <class T>
bool descend(std::size_t count, const T* __restrict w, const T* __restrict g, T rate, T* __restrict out) {
    constexpr std::size_t block = 64 / sizeof(T);
    w = static_cast<const T*>(__builtin_assume_aligned(w, 64));
    g = static_cast<const T*>(__builtin_assume_aligned(g, 64));
    out = static_cast<T*>(__builtin_assume_aligned(out, 64));
    T doubts[block] = {};
    for (std::size_t i = 0; i < count; i += block)
        for (std::size_t j = 0; j < block; ++j) {
            out[i + j] = w[i + j] - rate * g[i + j];
            doubts[j] += g[i + j] - g[i + j];
        }
    T doubt = 0;
    for (T d : doubts) doubt += d;
    return doubt == 0;
}

void check_gradient(const Tensor& w, const Tensor& g, std::size_t i, Where where) {
    if (!is_floating(w.dtype()) || w.dtype() != g.dtype())
        throw DTypeError("parameter " + std::to_string(i) + " is " + to_string(w.dtype()) + ", its gradient " +
                             to_string(g.dtype()) + "; need one floating dtype",
                         {"sgd", {w.shape(), g.shape()}, {}, where});
    if (w.shape() != g.shape())
        throw ShapeError("parameter " + std::to_string(i) + " has shape " + to_string(w.shape()) + ", its gradient " +
                             to_string(g.shape()) + "; need equal shapes",
                         {"sgd", {w.shape(), g.shape()}, {}, where});
}

void refuse_non_finite(const Tensor& gradient, std::size_t i, Where where) {
    const std::string found = non_finite_in(gradient, where);
    if (!found.empty())
        throw NonFiniteGradient("the gradient of parameter " + std::to_string(i) + " has " + found + "; no parameter was changed",
                                {"sgd", {gradient.shape()}, {}, where}, i);
}

}  // namespace

void Sgd::step(std::span<Parameter* const> parameters, std::span<const Tensor> gradients, Where where) {
    if (parameters.size() != gradients.size())
        throw ValueError(std::to_string(parameters.size()) + " parameters and " + std::to_string(gradients.size()) +
                             " gradients; need one for each",
                         {"sgd", {}, {}, where});
    if (!(learning_rate >= 0) || std::isinf(learning_rate))
        throw ValueError("learning rate " + number(learning_rate) + "; need a finite number >= 0",
                         {"sgd", {}, {}, where});
    require_parameters(parameters, "sgd", where);
    for (std::size_t i = 0; i < parameters.size(); ++i) check_gradient(parameters[i]->value(), gradients[i], i, where);

    spare_.resize(parameters.size());
    for (std::size_t i = 0; i < parameters.size(); ++i) {
        const Tensor& w = parameters[i]->value();
        Tensor& next = reuse(spare_[i], w.type());
        const std::size_t count = std::size_t(w.elements());
        const bool finite =
            w.dtype() == DType::float32
                ? descend(count, w.data<float>(where).data(), gradients[i].data<float>(where).data(), float(learning_rate),
                          next.mutable_data<float>().data())
                : descend(count, w.data<double>(where).data(), gradients[i].data<double>(where).data(), learning_rate,
                          next.mutable_data<double>().data());
        if (!finite) refuse_non_finite(gradients[i], i, where);  // not for what pads the last block
    }
    for (std::size_t i = 0; i < parameters.size(); ++i) parameters[i]->exchange(spare_[i], where);
}

}  // namespace gradtape::nn

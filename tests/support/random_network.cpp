#include "random_network.hpp"

#include <algorithm>
#include <cmath>

namespace gradtape::test {

namespace eb = nn::explicit_backprop;

namespace {

Tensor random_labels(Random& random, std::int64_t batch, eb::Labels labels, DType dtype) {
    std::vector<double> y;
    for (std::int64_t i = 0; i < batch; ++i)
        y.push_back(random.chance(0.5) ? 1 : labels == eb::Labels::zero_one ? 0 : -1);
    return make(y, dtype);
}

/// Weights scaled so that the last z of one sample comes near `largest`.
void saturate(eb::Network& network, const Tensor& X, double largest, DType dtype) {
    const eb::Forward forward = eb::forward(network, X);
    for (std::size_t t = 0; t < network.W.size(); ++t) {
        double met = 1e-9;
        for (double z : values(forward.z[t + 1])) met = std::max(met, std::abs(z));
        if (network.a[t].function == eb::Function::relu && t + 1 < network.W.size()) continue;
        std::vector<double> w = values(network.W[t]);
        for (double& e : w) e *= largest / met;
        network.W[t] = make(w, network.W[t].shape(), dtype);
    }
}

}  // namespace

RandomNetwork random_network(std::uint64_t seed, DType dtype, const NetworkLimits& limits) {
    Random random(seed);
    RandomNetwork result;
    const int layers = 1 + random.below(limits.layers);
    const std::int64_t batch = 1 + random.below(limits.batch);
    const double slopes[] = {0.5, 1, 2, 5};
    std::int64_t width = 1 + random.below(limits.width);
    result.X = random.tensor({batch, width}, -2, 2, dtype);
    result.text = "batch " + std::to_string(batch) + ", widths " + std::to_string(width);
    for (int t = 0; t < layers; ++t) {
        const bool last = t + 1 == layers;
        const std::int64_t next = last ? 1 : 1 + random.below(limits.width);
        const double scale = 2 / std::sqrt(double(width));
        result.network.W.push_back(random.tensor({next, width}, -scale, scale, dtype));
        const eb::Function functions[] = {eb::Function::sigmoid, eb::Function::tanh, eb::Function::relu};
        const eb::Activation a{last ? eb::Function::sigmoid : functions[random.below(3)], slopes[random.below(4)]};
        result.network.a.push_back(a);
        width = next;
        result.text += " " + std::to_string(width) + "smr"[std::size_t(a.function)] + std::to_string(a.k);
    }
    result.labels = random.chance(0.5) ? eb::Labels::zero_one : eb::Labels::plus_minus_one;
    result.y = random_labels(random, batch, result.labels, dtype);
    if (limits.largest_z > 0) saturate(result.network, result.X, limits.largest_z, dtype);
    return result;
}

Node loss_on_tape(const RandomNetwork& example, const std::vector<Node>& W) {
    Node o = sibling_constant(W[0], example.X), z;
    for (std::size_t t = 0; t < W.size(); ++t) {
        const eb::Activation a = example.network.a[t];
        z = a.k * matmul(o, W[t], {.y = true});
        if (t + 1 == W.size()) break;
        o = a.function == eb::Function::sigmoid ? sigmoid(z) : a.function == eb::Function::tanh ? tanh(z) : relu(z);
    }
    const Node y = sibling_constant(W[0], example.y);
    const Node logits = reshape(z, y.shape());
    if (example.labels == eb::Labels::zero_one) return mean(softplus(logits) - y * logits);
    return mean(softplus(-y * logits));
}

TapeGradient tape_gradient(const RandomNetwork& example) {
    Tape tape;
    std::vector<Node> W;
    for (const Tensor& w : example.network.W) W.push_back(tape.parameter(w));
    const Node loss = loss_on_tape(example, W);
    TapeGradient result{loss.item(), {}};
    for (Node g : grad(loss, W)) result.W.push_back(g.value());
    return result;
}

namespace {

using Complex = std::complex<double>;

Complex activate(eb::Activation a, Complex z) {
    z *= a.k;
    switch (a.function) {
        case eb::Function::sigmoid:
            return z.real() >= 0 ? 1.0 / (1.0 + std::exp(-z)) : std::exp(z) / (1.0 + std::exp(z));
        case eb::Function::tanh: return std::tanh(z);
        default: return z.real() > 0 ? z : 0;
    }
}

/// log(1 + e^z), by the larger exponent.
Complex softplus_of(Complex z) { return z.real() > 0 ? z + std::log(1.0 + std::exp(-z)) : std::log(1.0 + std::exp(z)); }

}  // namespace

double complex_step(const RandomNetwork& example, std::size_t layer, std::int64_t entry) {
    const double h = 1e-30;
    const std::vector<double> X = values(example.X), y = values(example.y);
    const std::size_t batch = y.size();
    Complex total = 0;
    for (std::size_t n = 0; n < batch; ++n) {
        const std::size_t inputs = X.size() / batch;
        std::vector<Complex> o(X.begin() + std::ptrdiff_t(n * inputs), X.begin() + std::ptrdiff_t((n + 1) * inputs));
        Complex last = 0;
        for (std::size_t t = 0; t < example.network.W.size(); ++t) {
            const std::vector<double> w = values(example.network.W[t]);
            std::vector<Complex> next(w.size() / o.size());
            for (std::size_t i = 0; i < next.size(); ++i) {
                Complex z = 0;
                for (std::size_t j = 0; j < o.size(); ++j) {
                    Complex weight = w[i * o.size() + j];
                    if (t == layer && std::int64_t(i * o.size() + j) == entry) weight += Complex(0, h);
                    z += weight * o[j];
                }
                last = example.network.a[t].k * z;
                next[i] = activate(example.network.a[t], z);
            }
            o = next;
        }
        const double label = example.labels == eb::Labels::zero_one ? 2 * y[n] - 1 : y[n];
        total += softplus_of(-label * last);
    }
    return total.imag() / h / double(batch);
}

}  // namespace gradtape::test

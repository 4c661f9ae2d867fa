// The post's equations by hand: each stands, in the post's letters, beside the line that computes it.
#include <gradtape/nn/explicit_backprop.hpp>

#include <algorithm>
#include <cmath>

namespace gradtape::nn::explicit_backprop {
namespace {

constexpr const char* name = "explicit_backprop";

// ---- activations: plain libm, one element at a time, so that no rounding is shared with the library's kernels

template <class T>
T sigmoid(T u) {
    const T e = std::exp(-std::abs(u));
    return (u >= 0 ? T(1) : e) / (T(1) + e);
}

/// a(z)
template <class T>
T value(const Activation& a, T z) {
    const T u = T(a.k) * z;
    switch (a.function) {
        case Function::sigmoid: return sigmoid(u);
        case Function::tanh: return std::tanh(u);
        default: return u < 0 ? T(0) : u;
    }
}

// [slope]
/// a′(z). For the sigmoid this is k a(1 − a), the factor k included, written as k σ(u) σ(−u) = k e/(1 + e)², which keeps
/// its relative precision where a is near 1; likewise k(1 − a²) for tanh. The relu has a′(0) = 0.
template <class T>
T slope(const Activation& a, T z) {
    const T k = T(a.k), u = k * z;
    switch (a.function) {
        case Function::sigmoid: {
            const T e = std::exp(-std::abs(u));
            return k * e / ((T(1) + e) * (T(1) + e));
        }
        case Function::tanh: {
            const T e = std::exp(-2 * std::abs(u));
            return 4 * k * e / ((T(1) + e) * (T(1) + e));
        }
        default: return u > 0 ? k : T(0);
    }
}
// [/slope]

// ---- the loss at the output vertex

// [log_loss]
/// ℓ_L = −(ẙ log o + (1 − ẙ) log(1 − o)) with o = σ(u), u = kz: log(1 + e^(−u)) for ẙ = 1 and log(1 + e^u) for ẙ = 0.
template <class T>
T log_loss_of(T u, T y) {
    const T v = y == 1 ? -u : u;
    return (v > 0 ? v : T(0)) + std::log1p(std::exp(-std::abs(v)));
}
// [/log_loss]

// [output_delta]
/// ∂ℓ_L/∂z^L = ∂ℓ_L/∂o^L · a′(z^L)
template <class T>
T output_delta(T z, T o, T y, T k, FirstPartial first) {
    if (first == FirstPartial::post) {
        const T dl_do = (o - y) / (o * (T(1) - o));  // ∂ℓ_L/∂o^L = (o − ẙ)/(o(1 − o))
        return dl_do * (k * o * (T(1) - o));         // a′(z) = k o(1 − o)
    }
    return k * ((T(1) - y) * sigmoid(k * z) - y * sigmoid(-k * z));  // the two factors multiplied out: k(o − ẙ)
}
// [/output_delta]

// ---- tensors as matrices

std::size_t rows(const Tensor& M) { return std::size_t(M.shape()[0]); }
std::size_t columns(const Tensor& M) { return std::size_t(M.shape()[1]); }

template <class T>
Tensor empty(std::size_t n, std::size_t m) {
    return Tensor::uninitialised({dtype_of<T>, {std::int64_t(n), std::int64_t(m)}});
}

enum Transposed : bool { no, yes };

/// C = scale · A B, where A or B may be read as its transpose; C_ij = scale · Σ_l A_il B_lj as it stands.
template <class T>
Tensor product(const Tensor& A, Transposed At, const Tensor& B, Transposed Bt, T scale = 1) {
    const std::size_t n = At ? columns(A) : rows(A), depth = At ? rows(A) : columns(A), m = Bt ? rows(B) : columns(B);
    const std::size_t A_i = At ? 1 : depth, A_l = At ? n : 1, B_l = Bt ? 1 : m, B_j = Bt ? depth : 1;  // steps
    Tensor C = empty<T>(n, m);
    const auto a = A.data<T>(), b = B.data<T>();
    const auto c = C.mutable_data<T>();
    for (std::size_t i = 0; i < n; ++i)
        for (std::size_t j = 0; j < m; ++j) {
            T sum = 0;
            for (std::size_t l = 0; l < depth; ++l) sum += a[i * A_i + l * A_l] * b[l * B_l + j * B_j];
            c[i * m + j] = scale * sum;
        }
    return C;
}

// ---- what is asked for must fit together

std::string digits(double number) { return to_string(Tensor(number)).substr(std::string("float64() ").size()); }

std::string W_(std::size_t t) { return "W^" + std::to_string(t); }

void check_elements(const Tensor& tensor, const std::string& its_name, Where where) {
    if (!tensor.raw()) throw TapeError(its_name + " has no elements: it was moved from", {name, {}, {}, where});
}

void check_network(const Network& network, Where where) {
    const auto& W = network.W;
    for (std::size_t t = 0; t < W.size(); ++t) check_elements(W[t], W_(t), where);
    if (W.empty()) throw ValueError("a network without weights; need at least W^0", {name, {}, {}, where});
    if (network.a.size() != W.size())
        throw ValueError(std::to_string(network.a.size()) + " activations for " + std::to_string(W.size()) +
                             " weight matrices; need one each",
                         {name, {}, {}, where});
    if (!is_floating(W[0].dtype()))
        throw DTypeError("W^0 is " + std::string(to_string(W[0].dtype())) + "; need float32 or float64",
                         {name, {W[0].shape()}, {}, where});
    for (std::size_t t = 0; t < W.size(); ++t) {
        if (W[t].dtype() != W[0].dtype())
            throw DTypeError(W_(t) + " is " + to_string(W[t].dtype()) + " and W^0 " + to_string(W[0].dtype()) +
                                 "; need one dtype",
                             {name, {W[t].shape(), W[0].shape()}, {}, where});
        if (W[t].shape().rank() != 2 || W[t].elements() == 0)
            throw ShapeError(W_(t) + " has shape " + to_string(W[t].shape()) + "; need (k_{t+1}, k_t), both at least 1",
                             {name, {W[t].shape()}, {}, where});
        if (t > 0 && columns(W[t]) != rows(W[t - 1]))
            throw ShapeError("widths differ: " + W_(t - 1) + " " + to_string(W[t - 1].shape()) + ", " + W_(t) + " " +
                                 to_string(W[t].shape()) + "; need as many columns in " + W_(t) + " as rows in " +
                                 W_(t - 1),
                             {name, {W[t - 1].shape(), W[t].shape()}, 1, where});
        if (!(network.a[t].k > 0) || std::isinf(network.a[t].k))
            throw ValueError("the activation of layer " + std::to_string(t + 1) + " has slope k = " +
                                 digits(network.a[t].k) + "; need a positive, finite k",
                             {name, {}, {}, where});
    }
}

void check_input(const Network& network, const Tensor& X, Where where) {
    const Tensor& W0 = network.W[0];
    check_elements(X, "X", where);
    if (X.dtype() != W0.dtype())
        throw DTypeError("X is " + std::string(to_string(X.dtype())) + " and the weights are " + to_string(W0.dtype()) +
                             "; need one dtype",
                         {name, {X.shape(), W0.shape()}, {}, where});
    if (X.shape().rank() != 2 || columns(X) != columns(W0))
        throw ShapeError("the input does not fit: X " + to_string(X.shape()) + ", W^0 " + to_string(W0.shape()) +
                             "; need X of shape (batch, " + std::to_string(columns(W0)) + ")",
                         {name, {X.shape(), W0.shape()}, 1, where});
    if (rows(X) == 0) throw ShapeError("a batch without samples", {name, {X.shape()}, 0, where});
}

void check_output(const Network& network, Where where) {
    const Tensor& W = network.W.back();
    if (rows(W) != 1)
        throw ShapeError("the log-loss needs one output vertex: " + W_(network.W.size() - 1) + " " +
                             to_string(W.shape()) + " has " + std::to_string(rows(W)) + " rows; need 1",
                         {name, {W.shape()}, 0, where});
    if (network.a.back().function != Function::sigmoid)
        throw ValueError("the log-loss needs a probability as output; need a sigmoid as the last activation",
                         {name, {}, {}, where});
}

/// ẙ for each row: 0 or 1.
template <class T>
std::vector<T> ring_y(const Tensor& X, const Tensor& labels, Labels convention, Where where) {
    const Shape& shape = labels.shape();
    if (!(shape.rank() == 1 || (shape.rank() == 2 && shape[1] == 1)) || shape[0] != X.shape()[0])
        throw ShapeError("one label for each row of X: X " + to_string(X.shape()) + ", y " + to_string(shape) +
                             "; need y of shape (" + std::to_string(rows(X)) + ",)",
                         {name, {X.shape(), shape}, 0, where});
    check_elements(labels, "y", where);
    const double negative = convention == Labels::zero_one ? 0 : -1;
    const Tensor wide = labels.as(DType::float64);
    const auto y = wide.data<double>();
    std::vector<T> ring(y.size());
    for (std::size_t row = 0; row < y.size(); ++row) {
        if (y[row] != negative && y[row] != 1)
            throw ValueError("label " + digits(y[row]) +
                                 " in row " + std::to_string(row) + "; need " +
                                 (negative == 0 ? "0 or 1" : "-1 or 1"),
                             {name, {shape}, 0, where});
        ring[row] = y[row] == 1 ? T(1) : T(0);
    }
    return ring;
}

// ---- forward

template <class T>
Forward pass(const Network& network, const Tensor& X) {
    const std::size_t L = network.W.size();
    Forward f;
    f.O.reserve(L + 1);
    f.z.reserve(L + 1);
    f.O.push_back(X);  // O^0 = x
    f.z.push_back(Tensor::uninitialised({dtype_of<T>, {0}}));
    // [forward]
    for (std::size_t t = 1; t <= L; ++t) {
        // z^t = W^{t−1} O^{t−1}. Samples are rows here, so both sides are transposed.
        f.z.push_back(product<T>(f.O[t - 1], no, network.W[t - 1], yes));
        // O^t = a(z^t)
        f.O.push_back(empty<T>(rows(X), columns(f.z[t])));
        const auto z = f.z[t].data<T>();
        const auto O = f.O[t].template mutable_data<T>();
        const Activation a = network.a[t - 1];
        std::transform(z.begin(), z.end(), O.begin(), [a](T zi) { return value(a, zi); });
    }
    // [/forward]
    return f;
}

template <class T>
double mean_log_loss(const Tensor& z, const std::vector<T>& y, T k) {
    const auto zs = z.data<T>();
    double sum = 0;
    for (std::size_t i = 0; i < y.size(); ++i) sum += double(log_loss_of(k * zs[i], y[i]));
    return sum / double(y.size());
}

// ---- backward, the whole batch at once

template <class T>
std::vector<Tensor> batch_gradient(const Network& network, const Forward& f, const std::vector<T>& y,
                                   FirstPartial first) {
    const std::size_t L = network.W.size(), n = y.size();
    std::vector<Tensor> dW(L);

    // Row s of delta is ∇_o ℓ_t Δ(a′(z^t)) for sample s, which is ∇_z ℓ_t; it starts at t = L.
    Tensor delta = empty<T>(n, 1);
    {
        const auto z = f.z[L].data<T>(), o = f.O[L].data<T>();
        const auto d = delta.mutable_data<T>();
        for (std::size_t s = 0; s < n; ++s) d[s] = output_delta(z[s], o[s], y[s], T(network.a[L - 1].k), first);
    }
    // [backward]
    for (std::size_t t = L;; --t) {
        // ∂ℓ_t/∂w^{t−1}_{i,j} = ∂ℓ_t/∂o^t_i · a′(z^t_i) · o^{t−1}_j: an outer product for each sample, averaged.
        dW[t - 1] = product<T>(delta, yes, f.O[t - 1], no, T(1) / T(n));
        if (t == 1) return dW;

        // ∇_o ℓ_{t−1} = ∇_o ℓ_t Δ(a′(z^t)) W^{t−1}
        Tensor grad_o = product<T>(delta, no, network.W[t - 1], no);
        // … Δ(a′(z^{t−1})): a diagonal matrix on the right scales column by column.
        const auto z = f.z[t - 1].data<T>();
        const auto d = grad_o.mutable_data<T>();
        const Activation a = network.a[t - 2];
        for (std::size_t i = 0; i < d.size(); ++i) d[i] *= slope(a, z[i]);
        delta = std::move(grad_o);
    }
    // [/backward]
}

// ---- forward and backward in components, one sample after the other

template <class T>
struct Sample {
    const Network& network;
    std::vector<std::vector<T>> o, z, dl_do;  // [t][i]: o^t_i, z^t_i, ∂ℓ_t/∂o^t_i

    explicit Sample(const Network& net) : network(net) {
        const std::size_t L = net.W.size();
        o.resize(L + 1), z.resize(L + 1), dl_do.resize(L + 1);
        for (std::size_t t = 0; t <= L; ++t) {
            const std::size_t width = t ? rows(net.W[t - 1]) : columns(net.W[0]);
            o[t].resize(width), z[t].resize(width), dl_do[t].resize(width);
        }
    }

    void forward(const T* x) {
        std::copy_n(x, o[0].size(), o[0].begin());
        for (std::size_t t = 1; t < o.size(); ++t) {
            const auto w = network.W[t - 1].template data<T>();
            for (std::size_t i = 0; i < o[t].size(); ++i) {
                T sum = 0;  // z^t_i = Σ_j w^{t−1}_{i,j} o^{t−1}_j
                for (std::size_t j = 0; j < o[t - 1].size(); ++j) sum += w[i * o[t - 1].size() + j] * o[t - 1][j];
                z[t][i] = sum;
                o[t][i] = value(network.a[t - 1], sum);  // o^t_i = a(z^t_i)
            }
        }
    }

    /// Adds this sample's ∂ℓ/∂w^t_{i,j} to dW[t].
    void backward(T y, FirstPartial first, std::vector<Tensor>& dW) {
        const std::size_t L = network.W.size();
        for (std::size_t t = L; t >= 1; --t) {
            const auto w = network.W[t - 1].template data<T>();
            const auto dw = dW[t - 1].template mutable_data<T>();
            const std::size_t width = o[t - 1].size();
            std::fill(dl_do[t - 1].begin(), dl_do[t - 1].end(), T(0));
            for (std::size_t k = 0; k < o[t].size(); ++k) {
                // ∂ℓ_t/∂o^t_k · a′(z^t_k); at the output vertex both factors together, see output_delta.
                const Activation a = network.a[t - 1];
                // [components]
                const T delta = t == L ? output_delta(z[t][k], o[t][k], y, T(a.k), first)
                                       : dl_do[t][k] * slope(a, z[t][k]);
                for (std::size_t i = 0; i < width; ++i) {
                    // ∂ℓ_t/∂w^{t−1}_{k,i} = ∂ℓ_t/∂o^t_k · a′(z^t_k) · o^{t−1}_i
                    dw[k * width + i] += delta * o[t - 1][i];
                    // ∂ℓ_{t−1}/∂o^{t−1}_i = Σ_k ∂ℓ_t/∂o^t_k · a′(z^t_k) · w^{t−1}_{k,i}
                    dl_do[t - 1][i] += delta * w[k * width + i];
                }
                // [/components]
            }
        }
    }
};

template <class T>
Gradient sample_gradient(const Network& network, const Tensor& X, const std::vector<T>& y, FirstPartial first) {
    Gradient g;
    for (const Tensor& W : network.W) g.W.push_back(Tensor::zeros(W.shape(), dtype_of<T>));
    Sample<T> sample(network);
    const T k = T(network.a.back().k), n = T(y.size());
    for (std::size_t s = 0; s < y.size(); ++s) {
        sample.forward(X.data<T>().data() + s * columns(X));
        g.log_loss += double(log_loss_of(k * sample.z.back()[0], y[s]));
        sample.backward(y[s], first, g.W);
    }
    g.log_loss /= double(n);
    for (Tensor& dW : g.W)
        for (T& entry : dW.mutable_data<T>()) entry /= n;
    return g;
}

template <class T>
Gradient gradient_of(const Network& network, const Tensor& X, const Tensor& labels, const Options& options,
                     Where where) {
    const std::vector<T> y = ring_y<T>(X, labels, options.labels, where);
    if (options.form == Form::sample) return sample_gradient<T>(network, X, y, options.first_partial);
    const Forward f = pass<T>(network, X);
    return {mean_log_loss<T>(f.z.back(), y, T(network.a.back().k)),
            batch_gradient<T>(network, f, y, options.first_partial)};
}

template <class T>
void step_of(Tensor& W, const Tensor& dW, T eta) {
    if (!W.unique()) W = Tensor::from(W.data<T>(), W.shape());
    const auto w = W.mutable_data<T>();
    const auto g = dW.data<T>();
    for (std::size_t i = 0; i < w.size(); ++i) w[i] -= eta * g[i];
}

}  // namespace

Forward forward(const Network& network, const Tensor& X, Where where) {
    check_network(network, where);
    check_input(network, X, where);
    return X.dtype() == DType::float32 ? pass<float>(network, X) : pass<double>(network, X);
}

double log_loss(const Network& network, const Tensor& X, const Tensor& y, Labels labels, Where where) {
    check_network(network, where);
    check_output(network, where);
    const Forward f = forward(network, X, where);
    const double k = network.a.back().k;
    return X.dtype() == DType::float32 ? mean_log_loss<float>(f.z.back(), ring_y<float>(X, y, labels, where), float(k))
                                       : mean_log_loss<double>(f.z.back(), ring_y<double>(X, y, labels, where), k);
}

Gradient gradient(const Network& network, const Tensor& X, const Tensor& y, const Options& options, Where where) {
    check_network(network, where);
    check_output(network, where);
    check_input(network, X, where);
    return X.dtype() == DType::float32 ? gradient_of<float>(network, X, y, options, where)
                                       : gradient_of<double>(network, X, y, options, where);
}

void step(Network& network, const Gradient& gradient, double eta, Where where) {
    check_network(network, where);
    if (gradient.W.size() != network.W.size())
        throw ShapeError("a gradient of " + std::to_string(gradient.W.size()) + " matrices for a network of " +
                             std::to_string(network.W.size()),
                         {name, {}, {}, where});
    for (std::size_t t = 0; t < network.W.size(); ++t) {
        const Tensor &W = network.W[t], &dW = gradient.W[t];
        check_elements(dW, "the gradient of " + W_(t), where);
        if (dW.shape() != W.shape())
            throw ShapeError("the gradient of " + W_(t) + " has shape " + to_string(dW.shape()) + "; need " +
                                 to_string(W.shape()),
                             {name, {W.shape(), dW.shape()}, {}, where});
        if (dW.dtype() != W.dtype())
            throw DTypeError("the gradient of " + W_(t) + " is " + to_string(dW.dtype()) + "; need " +
                                 to_string(W.dtype()),
                             {name, {W.shape(), dW.shape()}, {}, where});
    }
    for (std::size_t t = 0; t < network.W.size(); ++t) {
        if (network.W[t].dtype() == DType::float32) step_of(network.W[t], gradient.W[t], float(eta));
        else step_of(network.W[t], gradient.W[t], eta);
    }
}

}  // namespace gradtape::nn::explicit_backprop

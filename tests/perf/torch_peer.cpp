// libtorch doing the same works, eagerly, in the shortest form its C++ interface has: tensors, no modules.
#include "torch_peer.hpp"

#include <torch/torch.h>

namespace perf {
namespace {

using torch::Tensor;

template <class T>
Tensor tensor(const std::vector<T>& values, at::IntArrayRef shape) {
    return torch::tensor(at::ArrayRef<T>(values), c10::CppTypeToScalarType<T>::value).reshape(shape).contiguous();
}

void append(std::vector<double>& all, const Tensor& t) {
    const Tensor flat = t.detach().to(torch::kDouble).contiguous();
    all.insert(all.end(), flat.data_ptr<double>(), flat.data_ptr<double>() + flat.numel());
}

// Gradients and SGD update of weights, common to the training steps.
class Step {
public:
    std::vector<double> result() const {
        std::vector<double> all;
        append(all, loss_);
        for (const Tensor& g : gradients_) append(all, g);
        for (const Tensor& w : weights_) append(all, w);
        return all;
    }

protected:
    void descend(Tensor loss, double rate) {
        loss_ = std::move(loss);
        gradients_ = torch::autograd::grad({loss_}, weights_);
        torch::NoGradGuard no_grad;
        for (std::size_t i = 0; i < weights_.size(); ++i) weights_[i].sub_(gradients_[i], rate);
    }

    std::vector<Tensor> weights_, gradients_;
    Tensor loss_;
};

class Post : public Step {
public:
    explicit Post(const PostProblem& p) : k_(p.k), rate_(p.rate), x_(tensor(p.x, {p.batch, 3})) {
        y_ = (tensor(p.y, {p.batch, 1}) + 1) / 2;
        weights_ = {tensor(p.w0, {p.hidden, 3}).requires_grad_(), tensor(p.w1, {1, p.hidden}).requires_grad_()};
    }
    void run() {
        const Tensor h = torch::sigmoid(k_ * torch::linear(x_, weights_[0]));
        descend(torch::binary_cross_entropy_with_logits(k_ * torch::linear(h, weights_[1]), y_), rate_);
    }

private:
    double k_, rate_;
    Tensor x_, y_;
};

class Mlp : public Step {
public:
    explicit Mlp(const MlpProblem& p)
        : rate_(p.rate), layers_(p.layers()), x_(tensor(p.x, {p.batch, p.widths[0]})),
          labels_(tensor(p.labels, {p.batch})) {
        for (std::size_t l = 0; l < layers_; ++l)
            weights_.push_back(tensor(p.w[l], {p.widths[l + 1], p.widths[l]}).requires_grad_());
        for (std::size_t l = 0; l < layers_; ++l)
            weights_.push_back(tensor(p.b[l], {p.widths[l + 1]}).requires_grad_());
    }
    void run() {
        Tensor z = x_;
        for (std::size_t l = 0; l < layers_; ++l) {
            z = torch::linear(z, weights_[l], weights_[layers_ + l]);
            if (l + 1 < layers_) z = torch::relu(z);
        }
        descend(torch::cross_entropy_loss(z, labels_), rate_);
    }

private:
    double rate_;
    std::size_t layers_;
    Tensor x_, labels_;
};

class Chain {
public:
    explicit Chain(const ChainProblem& p) : operations_(p.operations) {
        const auto n = std::int64_t(p.x.size());
        for (const auto* values : {&p.x, &p.a, &p.b}) leaves_.push_back(tensor(*values, {n}));
        for (std::size_t i = 0; i < (p.all ? 3u : 1u); ++i) wrt_.push_back(leaves_[i].requires_grad_());
    }
    void run() {
        Tensor y = leaves_[0];
        for (int o = 0; o < operations_; ++o)
            y = o % 3 == 0 ? torch::tanh(y) : o % 3 == 1 ? y * leaves_[1] : y + leaves_[2];
        sum_ = y.sum();
        gradients_ = torch::autograd::grad({sum_}, wrt_);
    }
    std::vector<double> result() const {
        std::vector<double> all;
        append(all, sum_);
        for (const Tensor& g : gradients_) append(all, g);
        return all;
    }

private:
    int operations_;
    std::vector<Tensor> leaves_, wrt_, gradients_;
    Tensor sum_;
};

class Fused {
public:
    explicit Fused(const std::vector<float>& x) : x_(tensor(x, {std::int64_t(x.size())}).requires_grad_()) {}
    void run() {
        sum_ = (torch::tanh(x_) * torch::sigmoid(x_) + 0.5 * torch::exp(-torch::square(x_))).sum();
        gradient_ = torch::autograd::grad({sum_}, {x_})[0];
    }
    std::vector<double> result() const {
        std::vector<double> all;
        append(all, gradient_);
        append(all, sum_ / double(x_.numel()));
        return all;
    }

private:
    Tensor x_, sum_, gradient_;
};

/// With libtorch's own kernels for a layer norm and a softmax.
class Rows {
public:
    explicit Rows(const RowsProblem& p)
        : kind_(p.kind), columns_(p.columns), weights_(tensor(p.weights, {p.rows, p.columns})),
          wrt_{tensor(p.x, {p.rows, p.columns}).requires_grad_(), tensor(p.scale, {p.columns}).requires_grad_(),
               tensor(p.shift, {p.columns}).requires_grad_()} {}
    void run() {
        loss_ = (along_rows() * weights_).sum();
        gradients_ = torch::autograd::grad({loss_}, wrt_);
    }
    std::vector<double> result() const {
        std::vector<double> all;
        append(all, loss_);
        for (const Tensor& g : gradients_) append(all, g);
        return all;
    }

private:
    Tensor along_rows() const {
        const Tensor &x = wrt_[0], &scale = wrt_[1], &shift = wrt_[2];
        switch (kind_) {
            case RowsProblem::Kind::layer_norm: return torch::layer_norm(x, {columns_}, scale, shift, rows_epsilon);
            case RowsProblem::Kind::softmax: return torch::softmax(x * scale + shift, -1);
            default: return x * torch::rsqrt(torch::square(x).mean(-1, true) + rows_epsilon) * scale + shift;
        }
    }

    RowsProblem::Kind kind_;
    std::int64_t columns_;
    Tensor weights_, loss_;
    std::vector<Tensor> wrt_, gradients_;
};

// A function of tensors that need no gradient, many times over.
template <class Function>
Contender repeated(Function once) {
    auto last = std::make_shared<Tensor>();
    return {[=] {
                torch::NoGradGuard no_grad;
                for (int i = 0; i < small_repeats; ++i) *last = once();
            },
            [=] {
                std::vector<double> all;
                append(all, *last);
                return all;
            }};
}

}  // namespace

std::string start_torch() {
    at::set_num_threads(1);
    at::set_num_interop_threads(1);
    return "libtorch " + std::to_string(TORCH_VERSION_MAJOR) + "." + std::to_string(TORCH_VERSION_MINOR) + "." +
           std::to_string(TORCH_VERSION_PATCH);
}

Contender torch_post(const PostProblem& problem) { return contender(std::make_shared<Post>(problem)); }
Contender torch_mlp(const MlpProblem& problem) { return contender(std::make_shared<Mlp>(problem)); }
Contender torch_chain(const ChainProblem& problem) { return contender(std::make_shared<Chain>(problem)); }
Contender torch_fused(const std::vector<float>& x) { return contender(std::make_shared<Fused>(x)); }

Contender torch_rows(const RowsProblem& problem) { return contender(std::make_shared<Rows>(problem)); }

Contender torch_sum(const SumProblem& p) {
    const Tensor x = tensor(p.x, {p.rows, p.columns});
    const int axis = p.axis;
    return repeated([x, axis] { return axis < 0 ? x.sum() : x.sum(axis); });
}

template <class T>
Contender torch_matmul(const MatmulProblem<T>& p) {
    const Tensor x = tensor(p.x, {p.m, p.k}), y = tensor(p.y, {p.k, p.n});
    return repeated([x, y] { return torch::mm(x, y); });
}
template Contender torch_matmul(const MatmulProblem<float>&);
template Contender torch_matmul(const MatmulProblem<double>&);

}  // namespace perf

// gradtape doing the works, eagerly: every run clears the tape and records anew.
#include "ours.hpp"
#include "tensors.hpp"

#include <gradtape/gradtape.hpp>
#include <gradtape/nn/explicit_backprop.hpp>
#include <gradtape/nn/nn.hpp>

namespace perf {
namespace {

namespace gt = gradtape;
namespace nn = gradtape::nn;
using gt::Node;
using gt::Tensor;

// The user's own loop: record on the cleared tape, gradients, SGD update. Common to the training steps.
class Step {
public:
    std::vector<double> result() const {
        std::vector<double> all{loss_};
        for (const Tensor& g : shown_) append(all, g);
        for (const nn::Parameter& w : weights_) append(all, w.value());
        return all;
    }

protected:
    explicit Step(double rate) : optimizer_(rate) {}

    void add(Tensor weight) { weights_.emplace_back(std::move(weight)); }
    Node leaf(std::size_t i) { return weights_[i].on(tape_); }

    void descend(Node loss) {
        if (pointers_.empty())
            for (nn::Parameter& w : weights_) pointers_.push_back(&w);
        const std::vector<Tensor> gradients = nn::gradients(loss, pointers_);
        if (shown_.empty()) shown_ = gradients;  // of the first run only: a kept tensor keeps the tape's memory
        optimizer_.step(pointers_, gradients);
        loss_ = loss.item();
    }

    gt::Tape tape_;

private:
    std::vector<nn::Parameter> weights_;
    std::vector<nn::Parameter*> pointers_;
    std::vector<Tensor> shown_;
    nn::Sgd optimizer_;
    double loss_ = 0;
};

class Post : public Step {
public:
    explicit Post(const PostProblem& p) : Step(p.rate), k_(p.k), x_(tensor(p.x, {p.batch, 3})) {
        std::vector<double> zero_one;
        for (double y : p.y) zero_one.push_back((1 + y) / 2);
        y_ = tensor(zero_one, {p.batch, 1});
        add(tensor(p.w0, {p.hidden, 3}));
        add(tensor(p.w1, {1, p.hidden}));
    }

    void run() {
        tape_.clear();
        const Node x = tape_.input(x_), y = tape_.input(y_);
        const Node h = gt::sigmoid(k_ * gt::matmul(x, leaf(0), {.y = true}));
        const Node z = k_ * gt::matmul(h, leaf(1), {.y = true});
        descend(gt::mean(gt::softplus(z) - y * z));
    }

private:
    double k_;
    Tensor x_, y_;
};

class Mlp : public Step {
public:
    explicit Mlp(const MlpProblem& p)
        : Step(p.rate), layers_(p.layers()), x_(tensor(p.x, {p.batch, p.widths[0]})) {
        std::vector<float> one_hot(std::size_t(p.batch) * p.widths.back());
        for (int i = 0; i < p.batch; ++i) one_hot[std::size_t(i) * p.widths.back() + p.labels[i]] = 1;
        labels_ = tensor(one_hot, {p.batch, p.widths.back()});
        for (std::size_t l = 0; l < layers_; ++l) add(tensor(p.w[l], {p.widths[l + 1], p.widths[l]}));
        for (std::size_t l = 0; l < layers_; ++l) add(tensor(p.b[l], {p.widths[l + 1]}));
    }

    void run() {
        tape_.clear();
        Node z = tape_.input(x_);
        for (std::size_t l = 0; l < layers_; ++l) {
            z = gt::matmul(z, leaf(l), {.y = true}) + leaf(layers_ + l);
            if (l + 1 < layers_) z = gt::relu(z);
        }
        descend(gt::mean(gt::logsumexp(z, -1) - gt::sum(tape_.input(labels_) * z, -1)));
    }

private:
    std::size_t layers_;
    Tensor x_, labels_;
};

class Chain {
public:
    explicit Chain(const ChainProblem& p) : operations_(p.operations), all_(p.all) {
        for (const auto* values : {&p.x, &p.a, &p.b}) leaves_.push_back(tensor(*values, {std::int64_t(p.x.size())}));
    }

    void run() {
        tape_.clear();
        const Node x = tape_.input(leaves_[0]), a = tape_.input(leaves_[1]), b = tape_.input(leaves_[2]);
        Node y = x;
        for (int o = 0; o < operations_; ++o) y = o % 3 == 0 ? gt::tanh(y) : o % 3 == 1 ? y * a : y + b;
        sum_ = gt::sum(y);
        gradients_ = all_ ? gt::grad(sum_, {x, a, b}) : gt::grad(sum_, {x});
    }

    std::vector<double> result() const {
        std::vector<double> all;
        append(all, sum_.value());
        for (const Node& g : gradients_) append(all, g.value());
        return all;
    }

private:
    int operations_;
    bool all_;
    std::vector<Tensor> leaves_;
    gt::Tape tape_;
    Node sum_;
    std::vector<Node> gradients_;
};

class Fused {
public:
    explicit Fused(const std::vector<float>& x) : x_(tensor(x, {std::int64_t(x.size())})) {}

    void run() {
        tape_.clear();
        const Node x = tape_.input(x_);
        sum_ = gt::sum(gt::tanh(x) * gt::sigmoid(x) + 0.5 * gt::exp(-gt::square(x)));
        gradient_ = gt::grad(sum_, x);
    }

    std::vector<double> result() const {
        std::vector<double> all;
        append(all, gradient_.value());
        all.push_back(sum_.item() / double(x_.elements()));
        return all;
    }

private:
    Tensor x_;
    gt::Tape tape_;
    Node sum_, gradient_;
};

// A function of one or two inputs, recorded many times on one tape.
template <class Function>
class Repeated {
public:
    Repeated(Tensor x, Tensor y, Function once) : x_(std::move(x)), y_(std::move(y)), once_(once) {}

    void run() {
        tape_.clear();
        const Node x = tape_.input(x_), y = tape_.input(y_);
        for (int i = 0; i < small_repeats; ++i) last_ = once_(x, y);
    }

    std::vector<double> result() const {
        std::vector<double> all;
        append(all, last_.value());
        return all;
    }

private:
    Tensor x_, y_;
    Function once_;
    gt::Tape tape_;
    Node last_;
};

template <class Function>
Contender repeated(Tensor x, Tensor y, Function once) {
    return contender(std::make_shared<Repeated<Function>>(std::move(x), std::move(y), once));
}

namespace witness = nn::explicit_backprop;

class Explicit {
public:
    explicit Explicit(const PostProblem& p)
        : rate_(p.rate), x_(tensor(p.x, {p.batch, 3})), y_(tensor(p.y, {p.batch})) {
        const witness::Activation sigmoid{witness::Function::sigmoid, p.k};
        network_ = {{tensor(p.w0, {p.hidden, 3}), tensor(p.w1, {1, p.hidden})}, {sigmoid, sigmoid}};
    }

    void run() {
        gradient_ = witness::gradient(network_, x_, y_, {.labels = witness::Labels::plus_minus_one});
        witness::step(network_, gradient_, rate_);
    }

    std::vector<double> result() const {
        std::vector<double> all{gradient_.log_loss};
        for (const Tensor& g : gradient_.W) append(all, g);
        for (const Tensor& w : network_.W) append(all, w);
        return all;
    }

private:
    double rate_;
    Tensor x_, y_;
    witness::Network network_;
    witness::Gradient gradient_;
};

}  // namespace

Contender ours_post(const PostProblem& problem) { return contender(std::make_shared<Post>(problem)); }
Contender ours_mlp(const MlpProblem& problem) { return contender(std::make_shared<Mlp>(problem)); }
Contender ours_chain(const ChainProblem& problem) { return contender(std::make_shared<Chain>(problem)); }
Contender ours_fused(const std::vector<float>& x) { return contender(std::make_shared<Fused>(x)); }
Contender explicit_post(const PostProblem& problem) { return contender(std::make_shared<Explicit>(problem)); }

Contender ours_sum(const SumProblem& p) {
    const gt::Axes axes = p.axis < 0 ? gt::Axes() : gt::Axes(p.axis);
    return repeated(tensor(p.x, {p.rows, p.columns}), Tensor(0.0), [axes](Node x, Node) { return gt::sum(x, axes); });
}

template <class T>
Contender ours_matmul(const MatmulProblem<T>& p) {
    return repeated(tensor(p.x, {p.m, p.k}), tensor(p.y, {p.k, p.n}), [](Node x, Node y) { return gt::matmul(x, y); });
}
template Contender ours_matmul(const MatmulProblem<float>&);
template Contender ours_matmul(const MatmulProblem<double>&);

}  // namespace perf

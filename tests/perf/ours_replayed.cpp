// gradtape doing the works by replay: recorded and compiled once, when the contender is made.
#include "ours.hpp"
#include "tensors.hpp"

#include <gradtape/compile.hpp>
#include <gradtape/gradtape.hpp>

namespace perf {
namespace {

namespace gt = gradtape;
using gt::Node;
using gt::Tensor;

std::vector<Tensor> outputs_of(const gt::Compiled& compiled) {
    gt::Replay replay(compiled);
    replay.run();
    std::vector<Tensor> outputs;
    for (std::size_t i = 0; i < compiled.output_count(); ++i) outputs.push_back(replay.output(i));
    return outputs;
}

struct Recorded {
    Node loss;
    std::vector<Node> weights;
};

// Loss, gradients and updates in one program; the learning rate is a parameter, so that it can change.
struct RecordedStep : Recorded {
    gt::Tape tape;
    std::vector<Node> gradients;
    std::vector<gt::Update> updates;
    std::size_t gradient_bytes;  ///< what the tape held when loss and gradients were on it

    template <class Record>
    RecordedStep(const std::vector<Tensor>& batch, double rate, gt::DType dtype, Record record) {
        std::vector<Node> inputs;
        for (const Tensor& b : batch) inputs.push_back(tape.input(b));
        static_cast<Recorded&>(*this) = record(tape, inputs);
        gradients = gt::grad(loss, weights);
        gradient_bytes = tape.bytes();
        const Node rate_leaf = tape.parameter(Tensor::full({}, rate, dtype));
        for (std::size_t i = 0; i < weights.size(); ++i)
            updates.push_back({weights[i], weights[i] - rate_leaf * gradients[i]});
    }

    gt::Compiled compiled(const gt::CompileOptions& options = {}) const {
        return gt::compile(tape, std::span<const Node>(&loss, 1), updates, options);
    }
};

// A step, replayed. Each run binds the batch anew. The gradients, which a training loop does not look at, are shown by
// a second program.
class Training {
public:
    template <class Record>
    Training(std::vector<Tensor> batch, double rate, gt::DType dtype, Record record,
             const gt::CompileOptions& options = {})
        : batch_(std::move(batch)) {
        const RecordedStep step(batch_, rate, dtype, record);
        const gt::Compiled compiled = step.compiled(options);
        for (Node w : step.weights) numbers_.push_back(*compiled.parameter_number(w));
        replay_ = std::make_unique<gt::Replay>(compiled);
        gradients_ = outputs_of(gt::compile(step.tape, step.gradients));
    }

    void run() {
        for (std::size_t i = 0; i < batch_.size(); ++i) replay_->set_input(i, batch_[i]);
        replay_->run();
    }

    std::vector<double> result() const {
        std::vector<double> all;
        append(all, replay_->output(0));
        for (const Tensor& g : gradients_) append(all, g);
        for (std::size_t number : numbers_) append(all, replay_->parameter(number));
        return all;
    }

private:
    std::vector<Tensor> batch_, gradients_;
    std::vector<std::size_t> numbers_;
    std::unique_ptr<gt::Replay> replay_;
};

Recorded record_mlp(const MlpProblem& p, gt::Tape& tape, const std::vector<Node>& inputs) {
    Recorded r;
    const std::size_t layers = p.layers();
    for (std::size_t l = 0; l < layers; ++l)
        r.weights.push_back(tape.parameter(tensor(p.w[l], {p.widths[l + 1], p.widths[l]})));
    for (std::size_t l = 0; l < layers; ++l) r.weights.push_back(tape.parameter(tensor(p.b[l], {p.widths[l + 1]})));
    Node z = inputs[0];
    for (std::size_t l = 0; l < layers; ++l) {
        z = gt::matmul(z, r.weights[l], {.y = true}) + r.weights[layers + l];
        if (l + 1 < layers) z = gt::relu(z);
    }
    r.loss = gt::mean(gt::logsumexp(z, -1) - gt::sum(inputs[1] * z, -1));
    return r;
}

std::vector<Tensor> mlp_batch(const MlpProblem& p) {
    std::vector<float> one_hot(std::size_t(p.batch) * p.widths.back());
    for (int i = 0; i < p.batch; ++i) one_hot[std::size_t(i) * p.widths.back() + p.labels[i]] = 1;
    return {tensor(p.x, {p.batch, p.widths[0]}), tensor(one_hot, {p.batch, p.widths.back()})};
}

// Any program without updates: replayed with its inputs bound anew.
class Function {
public:
    Function(std::vector<Tensor> inputs, const gt::Compiled& compiled)
        : inputs_(std::move(inputs)), compiled_(compiled), replay_(compiled) {}

    void run() {
        for (std::size_t i = 0; i < inputs_.size(); ++i) replay_.set_input(i, inputs_[i]);
        replay_.run();
    }

    std::vector<double> result() const {
        std::vector<double> all;
        for (std::size_t i = 0; i < compiled_.output_count(); ++i) append(all, replay_.output(i));
        return all;
    }

private:
    std::vector<Tensor> inputs_;
    gt::Compiled compiled_;
    gt::Replay replay_;
};

Contender function(std::vector<Tensor> inputs, const gt::Tape& tape, const std::vector<Node>& outputs,
                   const gt::CompileOptions& options = {}) {
    return contender(std::make_shared<Function>(std::move(inputs), gt::compile(tape, outputs, {}, options)));
}

/// Made of primitives, as one writes it.
Node along_rows(RowsProblem::Kind kind, Node x, Node scale, Node shift) {
    if (kind == RowsProblem::Kind::softmax) {
        const Node z = x * scale + shift, e = gt::exp(z - gt::stop_gradient(gt::max(z, -1, true)));
        return e / gt::sum(e, -1, true);
    }
    const Node centred = kind == RowsProblem::Kind::layer_norm ? x - gt::mean(x, -1, true) : x;
    return centred * gt::rsqrt(gt::mean(gt::square(centred), -1, true) + rows_epsilon) * scale + shift;
}

struct RecordedChain {
    gt::Tape tape;
    std::vector<Tensor> leaves;
    std::vector<Node> outputs;

    explicit RecordedChain(const ChainProblem& p) {
        for (const auto* values : {&p.x, &p.a, &p.b}) leaves.push_back(tensor(*values, {std::int64_t(p.x.size())}));
        const Node x = tape.input(leaves[0]), a = tape.input(leaves[1]), b = tape.input(leaves[2]);
        Node y = x;
        for (int o = 0; o < p.operations; ++o) y = o % 3 == 0 ? gt::tanh(y) : o % 3 == 1 ? y * a : y + b;
        outputs = {gt::sum(y)};
        for (Node g : p.all ? gt::grad(outputs[0], {x, a, b}) : gt::grad(outputs[0], {x})) outputs.push_back(g);
    }
};

}  // namespace

Contender replayed_post(const PostProblem& p) {
    std::vector<double> zero_one;
    for (double y : p.y) zero_one.push_back((1 + y) / 2);
    const auto record = [&p](gt::Tape& tape, const std::vector<Node>& inputs) {
        const Node w0 = tape.parameter(tensor(p.w0, {p.hidden, 3})), w1 = tape.parameter(tensor(p.w1, {1, p.hidden}));
        const Node h = gt::sigmoid(p.k * gt::matmul(inputs[0], w0, {.y = true}));
        const Node z = p.k * gt::matmul(h, w1, {.y = true});
        return Recorded{gt::mean(gt::softplus(z) - inputs[1] * z), {w0, w1}};
    };
    std::vector<Tensor> batch{tensor(p.x, {p.batch, 3}), tensor(zero_one, {p.batch, 1})};
    return contender(std::make_shared<Training>(std::move(batch), p.rate, gt::DType::float64, record));
}

Contender replayed_mlp(const MlpProblem& p, const gt::CompileOptions& options) {
    const auto record = [&p](gt::Tape& tape, const std::vector<Node>& inputs) { return record_mlp(p, tape, inputs); };
    return contender(std::make_shared<Training>(mlp_batch(p), p.rate, gt::DType::float32, record, options));
}

StepBytes bytes_of_mlp(const MlpProblem& p) {
    const auto record = [&p](gt::Tape& tape, const std::vector<Node>& inputs) { return record_mlp(p, tape, inputs); };
    const RecordedStep step(mlp_batch(p), p.rate, gt::DType::float32, record);
    const gt::Compiled planned = step.compiled(), without_reuse = step.compiled({.reuse = false});
    return {double(step.gradient_bytes), double(without_reuse.arena_bytes()), double(planned.arena_bytes()),
            double(planned.peak_bytes() - planned.arena_bytes())};
}

Contender replayed_fused(const std::vector<float>& numbers) {
    gt::Tape tape;
    const Tensor values = tensor(numbers, {std::int64_t(numbers.size())});
    const Node x = tape.input(values);
    const Node each = gt::tanh(x) * gt::sigmoid(x) + 0.5 * gt::exp(-gt::square(x)), sum = gt::sum(each);
    // The mean is shown beside the gradient, being of its order of magnitude.
    return function({values}, tape, {gt::grad(sum, x), sum / double(numbers.size())});
}

Contender replayed_rows(const RowsProblem& p, bool in_loops) {
    gt::Tape tape;
    const std::vector<Tensor> inputs{tensor(p.x, {p.rows, p.columns}), tensor(p.weights, {p.rows, p.columns}),
                                     tensor(p.scale, {p.columns}), tensor(p.shift, {p.columns})};
    std::vector<Node> v;
    for (const Tensor& input : inputs) v.push_back(tape.input(input));
    const Node loss = gt::sum(along_rows(p.kind, v[0], v[2], v[3]) * v[1]);
    std::vector<Node> outputs{loss};
    for (Node g : gt::grad(loss, {v[0], v[2], v[3]})) outputs.push_back(g);
    return function(inputs, tape, outputs, {.rows = in_loops});
}

Counted replayed_chain(const ChainProblem& p) {
    const RecordedChain chain(p);
    return {function(chain.leaves, chain.tape, chain.outputs), double(chain.tape.size() - chain.leaves.size())};
}

Counted compiled_chain(const ChainProblem& p) {
    struct Compiling {
        RecordedChain chain;
        std::optional<gt::Compiled> compiled;
        void run() { compiled = gt::compile(chain.tape, chain.outputs); }
        std::vector<double> result() const {
            std::vector<double> all;
            for (const Tensor& output : outputs_of(*compiled)) append(all, output);
            return all;
        }
    };
    auto compiling = std::make_shared<Compiling>(Compiling{RecordedChain(p), {}});
    const double instructions = double(compiling->chain.tape.size());
    return {contender(std::move(compiling)), instructions};
}

HessianVector hessian_vector(const MlpProblem& p) {
    gt::Tape tape;
    const std::vector<Tensor> batch = mlp_batch(p);
    std::vector<Node> inputs;
    for (const Tensor& b : batch) inputs.push_back(tape.input(b));
    const Recorded r = record_mlp(p, tape, inputs);
    // Along the weights themselves, as constants of the program.
    std::vector<Node> along;
    for (Node w : r.weights) along.push_back(tape.constant(w.value()));
    const std::vector<Node> gradients = gt::grad(r.loss, r.weights);
    const std::vector<Node> products = gt::jvp(gradients, r.weights, along);
    Node slope = gt::sum(gradients[0] * along[0]);
    for (std::size_t i = 1; i < along.size(); ++i) slope = slope + gt::sum(gradients[i] * along[i]);
    const std::vector<Node> reversed = gt::grad(slope, r.weights);
    Contender gradient = function(batch, tape, gradients);
    gradient.result = {};
    return {function(batch, tape, products), std::move(gradient), function(batch, tape, reversed)};
}

}  // namespace perf

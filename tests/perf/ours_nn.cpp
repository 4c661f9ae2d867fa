// The training steps through nn, as a user writes them: layers, losses and a Trainer's step.
#include "ours.hpp"
#include "tensors.hpp"

#include <gradtape/gradtape.hpp>
#include <gradtape/nn/nn.hpp>

namespace perf {
namespace {

namespace gt = gradtape;
namespace nn = gradtape::nn;
using gt::Node;
using gt::Tensor;

struct PostModel {
    nn::Dense hidden, output;
    double k;

    Node operator()(Node x) const { return k * output(nn::sigmoid(hidden(x), k)); }
    void visit(nn::Visitor& v) {
        v("hidden", hidden);
        v("output", output);
    }
};
Node loss(const PostModel& model, Node x, Node y) { return nn::log_loss(model(x), y, nn::Labels::plus_minus_one); }

struct MlpModel {
    std::vector<nn::Dense> layers;

    Node operator()(Node x) const {
        for (std::size_t l = 0; l < layers.size(); ++l) {
            x = layers[l](x);
            if (l + 1 < layers.size()) x = nn::relu(x);
        }
        return x;
    }
    // Weights first, then biases: the order in which the contenders show their results.
    void visit(nn::Visitor& v) {
        for (auto& layer : layers) v("weight" + std::to_string(&layer - layers.data()), layer.weight);
        for (auto& layer : layers) v("bias" + std::to_string(&layer - layers.data()), layer.bias);
    }
};
Node loss(const MlpModel& model, Node x, Node y) { return nn::cross_entropy(model(x), y); }

PostModel post_model(const PostProblem& p) {
    return {nn::Dense(tensor(p.w0, {p.hidden, 3})), nn::Dense(tensor(p.w1, {1, p.hidden})), p.k};
}
MlpModel mlp_model(const MlpProblem& p) {
    MlpModel model;
    for (std::size_t l = 0; l < p.layers(); ++l)
        model.layers.emplace_back(tensor(p.w[l], {p.widths[l + 1], p.widths[l]}), tensor(p.b[l], {p.widths[l + 1]}));
    return model;
}

template <class Model>
class TrainerStep {
public:
    TrainerStep(Model model, nn::Batch batch, double rate)
        : model_(std::move(model)), batch_(std::move(batch)),
          trainer_(model_, [](const Model& m, Node x, Node y) { return loss(m, x, y); }, nn::Sgd(rate)) {}

    void run() {
        if (gradients_.empty()) {  // the first run shows its gradients; the others are timed
            loss_ = trainer_.step(batch_, [this](const nn::StepView& view) {
                gradients_.assign(view.gradients.begin(), view.gradients.end());
            }).loss;
            return;
        }
        trainer_.step(batch_);
    }

    std::vector<double> result() {
        std::vector<double> all{loss_};
        for (const Tensor& g : gradients_) append(all, g);
        for (const Tensor& w : trainer_.weights()) append(all, w);
        return all;
    }

private:
    Model model_;
    nn::Batch batch_;
    nn::Trainer trainer_;
    double loss_ = 0;
    std::vector<Tensor> gradients_;
};

}  // namespace

Contender trainer_post(const PostProblem& p) {
    nn::Batch batch{tensor(p.x, {p.batch, 3}), tensor(p.y, {p.batch}), nn::Labels::plus_minus_one};
    return contender(std::make_shared<TrainerStep<PostModel>>(post_model(p), std::move(batch), p.rate));
}

Contender trainer_mlp(const MlpProblem& p) {
    nn::Batch batch{tensor(p.x, {p.batch, p.widths[0]}), tensor(p.labels, {p.batch}), nn::Labels::classes};
    return contender(std::make_shared<TrainerStep<MlpModel>>(mlp_model(p), std::move(batch), p.rate));
}

}  // namespace perf

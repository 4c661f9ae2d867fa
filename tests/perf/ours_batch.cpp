// Per-sample gradients: by vmap, and by a loop over the samples.
#include "ours.hpp"
#include "tensors.hpp"

#include <gradtape/gradtape.hpp>

namespace perf {
namespace {

namespace gt = gradtape;
using gt::Node;
using gt::Tensor;

/// The gradients of each sample's loss by the post's weights, every run on a cleared tape.
class PerSample {
public:
    PerSample(const PostProblem& p, bool mapped)
        : mapped_(mapped), k_(p.k), x_(tensor(p.x, {p.batch, 3})), y_(tensor(p.y, {p.batch})),
          w0_(tensor(p.w0, {p.hidden, 3})), w1_(tensor(p.w1, {p.hidden})) {
        for (int b = 0; b < p.batch; ++b) {
            const auto row = std::size_t(3 * b);
            each_.push_back({Tensor{p.x[row], p.x[row + 1], p.x[row + 2]}, Tensor(p.y[std::size_t(b)])});
        }
    }

    void run() {
        tape_.clear();
        gradients_.clear();
        const auto one = [this](std::span<const Node> at) { return gradients(at); };
        const Node w0 = tape_.parameter(w0_), w1 = tape_.parameter(w1_);
        if (mapped_) {
            const auto both = gt::vmap(one, {tape_.input(x_), tape_.input(y_), w0, w1}, {{0, 0, gt::unmapped, gt::unmapped}, 0});
            for (const Node& g : both) gradients_.push_back(gt::peek(g));
            return;
        }
        for (const auto& [x, y] : each_) {
            const Node at[] = {tape_.input(x), tape_.input(y), w0, w1};
            for (const Node& g : gradients(at)) gradients_.push_back(gt::peek(g));
        }
    }
    /// All gradients by the first weights, then all by the second.
    std::vector<double> result() const {
        std::vector<double> all;
        for (std::size_t first : {0, 1})
            for (std::size_t i = first; i < gradients_.size(); i += 2) append(all, gradients_[i]);
        return all;
    }

private:
    std::vector<Node> gradients(std::span<const Node> at) const {
        const Node z = gt::matmul(at[3], gt::sigmoid(k_ * gt::matmul(at[2], at[0])));
        return gt::grad(gt::softplus(-at[1] * k_ * z), {at[2], at[3]});
    }

    bool mapped_;
    double k_;
    Tensor x_, y_, w0_, w1_;
    std::vector<std::pair<Tensor, Tensor>> each_;
    gt::Tape tape_;
    std::vector<Tensor> gradients_;
};

}  // namespace

Contender per_sample(const PostProblem& problem, bool mapped) { return contender(std::make_shared<PerSample>(problem, mapped)); }

}  // namespace perf

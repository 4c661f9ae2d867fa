#include "post_network.hpp"

#include <gradtape/nn/explicit_backprop.hpp>

#include <algorithm>
#include <cmath>

namespace post {

namespace gt = gradtape;
namespace hand = gradtape::nn::explicit_backprop;

Node output_z(Node x, std::span<const Node> W, double k) {
    Node z;
    for (std::size_t t = 0; t < W.size(); ++t) {
        const Node O = t == 0 ? x : gt::sigmoid(k * z);
        z = gt::matmul(O, W[t], {.y = true});   // samples are rows, so O Wᵀ
    }
    return z;
}

std::vector<double> output_z(std::span<const Tensor> W, const Tensor& x, double k) {
    gt::Tape tape;
    std::vector<Node> nodes;
    for (const Tensor& w : W) nodes.push_back(tape.parameter(w));
    const Tensor z = output_z(tape.input(x), nodes, k).value();
    return {z.data<double>().begin(), z.data<double>().end()};
}

int mislabelled(std::span<const double> z, const Tensor& y) {
    const auto labels = y.data<double>();
    int wrong = 0;
    for (std::size_t i = 0; i < z.size(); ++i) wrong += labels[i] > 0 ? !(z[i] > 0) : !(z[i] <= 0);
    return wrong;
}

// The larger; NaN where either is, unlike std::max.
static double worse(double a, double b) { return std::isnan(a) || a > b ? a : b; }

void Witness::compare(std::span<const Tensor> W, const Tensor& X, const Tensor& y, std::span<const Tensor> gradients) {
    const hand::Network network{{W.begin(), W.end()},
                                std::vector<hand::Activation>(W.size(), {hand::Function::sigmoid, k_})};
    const hand::Gradient expected = hand::gradient(network, X, y, {.labels = hand::Labels::plus_minus_one});
    double difference = 0, largest = 0;
    for (std::size_t t = 0; t < W.size(); ++t) {
        const auto ours = gradients[t].data<double>(), theirs = expected.W[t].data<double>();
        for (std::size_t i = 0; i < theirs.size(); ++i) {
            const double d = std::fabs(ours[i] - theirs[i]);
            difference = worse(difference, d);
            largest = std::max(largest, std::fabs(theirs[i]));
        }
    }
    const double relative = difference == 0 ? 0 : difference / largest;
    worst_ = worse(worst_, relative);
    ++compared_;
}

std::optional<int> RunResult::first_all_right() const {
    const auto found = std::find(mislabelled.begin(), mislabelled.end(), 0);
    if (found == mislabelled.end()) return {};
    return int(found - mislabelled.begin());
}

}  // namespace post

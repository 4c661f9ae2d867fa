// What a user's first file looks like: a model, a loss, a training loop. tests/perf/run times its compilation.
#include <gradtape/gradtape.hpp>
#include <gradtape/nn/nn.hpp>

#include <cstdio>

namespace gt = gradtape;
namespace nn = gradtape::nn;

struct Model {
    nn::Dense hidden{2, 8, {1, "hidden"}};
    nn::Dense output{8, 1, {1, "output"}};

    gt::Node operator()(gt::Node x) const { return output(gt::tanh(hidden(x))); }
    void visit(nn::Visitor& v) {
        v("hidden", hidden);
        v("output", output);
    }
};

gt::Node loss(const Model& model, gt::Node x, gt::Node y) { return nn::log_loss(model(x), y, nn::Labels::zero_one); }

int main() {
    const gt::Tensor x{{0, 0}, {0, 1}, {1, 0}, {1, 1}}, y{0, 1, 1, 0};
    Model model;
    gt::Tape tape;
    nn::Sgd optimizer(0.5);
    double last = 0;
    for (int step = 0; step < 2000; ++step) {
        tape.clear();
        const gt::Node l = loss(model, tape.input(x), tape.input(y));
        const auto parameters = nn::parameters(model);
        optimizer.step(parameters, nn::gradients(l, parameters));
        last = l.item();
    }
    std::printf("log-loss after 2000 steps: %.4f\n", last);
    return last < 0.1 ? 0 : 1;
}

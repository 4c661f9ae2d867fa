// A training loop of one's own, replayed: a small network learns x².
#include <gradtape/nn/nn.hpp>

#include <cstdio>

namespace gt = gradtape;
namespace nn = gradtape::nn;

// [model]
struct Network {
    nn::Dense hidden{1, 8, {1, "hidden"}}, out{8, 1, {1, "out"}};

    void visit(nn::Visitor& v) {
        v("hidden", hidden);
        v("out", out);
    }
    gt::Node operator()(gt::Node x) const { return out(tanh(hidden(x))); }
};
// [/model]

int main() {
    const gt::Tensor inputs{{-1}, {-0.5}, {0}, {0.5}, {1}}, targets{{1}, {0.25}, {0}, {0.25}, {1}};
    // [loop]
    Network network;
    gt::Tape tape;
    const gt::Node x = tape.input(inputs), y = tape.input(targets);
    const gt::Node loss = nn::mean_squared_error(network(x), y);
    nn::ModelReplay step(network, tape, loss, nn::updates(loss, network, [](gt::Node w, gt::Node g) { return w - 0.2 * g; }));

    for (int i = 0; i < 2000; ++i) step.run({inputs, targets});
    std::printf("loss %.4f\n", step.output(0).item());

    gt::Tape fresh;  // the network has the trained values, here and everywhere
    std::printf("at 0.5: %.3f\n", network(fresh.input(gt::Tensor{{0.5}})).item());
    // [/loop]
}

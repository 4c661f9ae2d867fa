// The constructed network of the second example on the tape: the numbers of docs/backpropagation.md, and its program.
#include <gradtape/gradtape.hpp>

#include <cstdio>

namespace gt = gradtape;

int main() {
    // [record]
    const double k = 2;
    gt::Tape tape;
    const gt::Node O0 = tape.input(gt::Tensor{{0.5, -0.5, 1}});  // the third input is the constant 1
    const gt::Node W0 = tape.parameter(gt::Tensor{{1, 0, 2}, {0, 1, 2}, {-1, 0, 2}, {0, -1, 2}, {0, 0, 1}});
    const gt::Node W1 = tape.parameter(gt::Tensor{{1, 1, 1, 1, -3}});

    const gt::Node z1 = matmul(O0, W0, {.y = true});
    const gt::Node O1 = sigmoid(k * z1);
    const gt::Node z2 = matmul(O1, W1, {.y = true});
    const gt::Node loss = mean(softplus(-(k * z2)));  // log(1 + e^(-kz)): the label is +1
    const auto bars = grad(loss, {W0, W1});
    // [/record]
    std::printf("z^2 = %.12g, loss %.12g, last entry of dl/dW^1 = %.12g\n\n", z2.item(), loss.item(),
                bars[1].value().data<double>()[4]);
    std::fputs(to_text(gt::Program(tape, {loss, bars[0], bars[1]})).c_str(), stdout);
}

// The first program: a loss, its gradient, and a derivative of the gradient.
#include <gradtape/gradtape.hpp>

#include <cstdio>

namespace gt = gradtape;

void print(const char* name, gt::Node node) {
    std::printf("%-5s", name);
    for (double element : node.value().data<double>()) std::printf(" %9.6f", element);
    std::printf("\n");
}

int main() {
    // [example]
    gt::Tape tape;
    const gt::Node x = tape.input(gt::Tensor{{1, 0}, {0, 1}, {1, 1}});  // three samples, one in each row
    const gt::Node y = tape.input(gt::Tensor{1, -1, 1});                // their labels
    const gt::Node w = tape.parameter(gt::Tensor{0.5, -0.5});

    const gt::Node z = matmul(x, w);               // computed at once, and recorded
    const gt::Node loss = mean(softplus(-y * z));  // log-loss
    const gt::Node g = grad(loss, w);              // recorded on the same tape, so that
    const gt::Node Hg = hvp(loss, w, g);           // it can be differentiated again

    print("z", z);
    print("loss", loss);
    print("grad", g);
    print("H g", Hg);
    // [/example]
}

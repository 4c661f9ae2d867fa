// A training step recorded once, compiled, and replayed; then a function that is compiled at its first call.
#include <gradtape/compile.hpp>
#include <gradtape/gradtape.hpp>

#include <cstdio>

namespace gt = gradtape;

int main() {
    // [step]
    gt::Tape tape;
    const gt::Node x = tape.input(gt::Tensor{{1, 0}, {0, 1}, {1, 1}});
    const gt::Node y = tape.input(gt::Tensor{1, -1, 1});
    const gt::Node w = tape.parameter(gt::Tensor{0.5, -0.5});
    const gt::Node rate = tape.parameter(gt::Tensor(1.0));
    const gt::Node loss = mean(softplus(-y * matmul(x, w)));

    const gt::Compiled step = gt::compile(tape, {loss}, {{w, w - rate * grad(loss, w)}});
    gt::Replay replay(step);
    for (int i = 1; i <= 3; ++i) {
        replay.run();  // computes the loss, then gives w its new value
        std::printf("step %d: loss %.6f\n", i, replay.output(0).item());
    }
    replay.set_parameter(1, gt::Tensor(0.1));  // another learning rate needs no new recording
    replay.run();
    std::printf("step 4: loss %.6f\n", replay.output(0).item());
    // [/step]
    std::fputs(step.explain().c_str(), stdout);

    // [function]
    auto f = gt::compile([](std::span<const gt::Node> v) {
        gt::Node total = sum(v[0]);
        if ((total > 1.0).item() != 0) total = log(total);  // control flow: guarded
        return std::vector<gt::Node>{total, grad(total, v[0])};
    });
    for (double value : {0.1, 0.2, 3.0, 4.0, 0.3}) {
        const auto results = f({gt::Tensor{value, value}});
        std::printf("f(%.1f, %.1f) = %.6f, recorded %zu times\n", value, value, results[0].item(), f.recordings());
    }
    // [/function]
}

// Random numbers as values: keys, children, and a compiled step with dropout whose mask differs from step to step.
#include <gradtape/gradtape.hpp>

#include <cstdio>

namespace gt = gradtape;

int main() {
    // [keys]
    gt::Tape tape;
    const gt::Node key = tape.input(gt::random_key(7));
    const std::vector<gt::Node> keys = split(key, 2);
    std::printf("uniform %s\n", to_string(uniform(keys[0], {3}).value()).c_str());
    std::printf("again   %s\n", to_string(uniform(keys[0], {3}).value()).c_str());
    std::printf("other   %s\n", to_string(uniform(keys[1], {3}).value()).c_str());
    // [/keys]

    // [step]
    gt::Tape training;
    const gt::Node run = training.input(gt::random_key(2026)), number = training.input(gt::Tensor(std::int64_t(0)));
    const gt::Node x = training.input(gt::Tensor{1, 2, 3, 4, 5, 6}), w = training.parameter(gt::Tensor(1.0));
    const gt::Node kept = dropout(fold_in(run, number), 0.5, w * x);
    gt::Replay replay(gt::compile(training, {kept, grad(sum(kept), w)}));
    for (const std::int64_t i : {0, 1, 2, 1}) {
        replay.set_input(1, gt::Tensor(i));
        replay.run();
        std::printf("step %d: %s, w_bar %g\n", int(i), to_string(replay.output(0)).c_str(), replay.output(1).item());
    }
    // [/step]
}

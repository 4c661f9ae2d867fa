// Both of the post's examples, whole training runs of raw operations: compiled steps give the weights of recorded ones,
// bit for bit, after every step.
#include "support/tensors.hpp"

#include "examples/support/post_data.hpp"

#include <gradtape/compile.hpp>

#include <doctest/doctest.h>

#include <map>

namespace gradtape::test {
namespace {

/// Everything that a step records.
struct Step {
    Node x, y, rate, loss;
    std::vector<Node> W, next;

    Step(Tape& tape, const std::vector<Tensor>& weights, const post::DataSet& batch, double rate_value, double k) {
        for (const Tensor& w : weights) W.push_back(tape.parameter(w));
        x = tape.input(batch.X);
        y = tape.input(batch.y);
        rate = tape.input(Tensor(rate_value));
        Node O = x, z;
        for (std::size_t t = 0; t < W.size(); ++t) {
            z = matmul(O, W[t], {.y = true});
            O = sigmoid(k * z);
        }
        loss = mean(softplus(-reshape(y, {-1, 1}) * (k * z)));
        const std::vector<Node> gradient = grad(loss, W);
        for (std::size_t t = 0; t < W.size(); ++t) next.push_back(W[t] - rate * gradient[t]);
    }
    Replay compiled(const Tape& tape) const {
        std::vector<Update> updates;
        for (std::size_t t = 0; t < W.size(); ++t) updates.push_back({W[t], next[t]});
        return Replay(compile(tape, std::span(&loss, 1), updates));
    }
};

/// Trains by recorded and by compiled steps side by side; the number of steps, negative from the first that differs.
long train(const post::Example& example, std::uint64_t seed, std::int64_t batch_size) {
    post::Run run(seed, example.widths, example.data.y.elements());
    std::vector<Tensor> eager = run.weights, ours = run.weights;
    std::map<std::int64_t, Replay> replays;  // by size of the batch: the last one may be smaller
    Tape tape;
    long steps = 0;
    for (const post::Phase& phase : example.phases)
        for (int epoch = 0; epoch < phase.epochs; ++epoch) {
            run.generator.shuffle(run.order);
            for (std::size_t first = 0; first < run.order.size(); first += std::size_t(batch_size)) {
                const std::size_t count = std::min(std::size_t(batch_size), run.order.size() - first);
                const post::DataSet batch = post::rows(example.data, run.order, first, count);
                tape.clear();
                const Step step(tape, eager, batch, phase.rate, example.k);
                for (std::size_t t = 0; t < eager.size(); ++t) eager[t] = step.next[t].value();

                auto found = replays.find(std::int64_t(count));
                if (found == replays.end()) found = replays.emplace(std::int64_t(count), step.compiled(tape)).first;
                Replay& replay = found->second;
                replay.set_input(0, batch.X);
                replay.set_input(1, batch.y);
                replay.set_input(2, Tensor(phase.rate));
                for (std::size_t t = 0; t < ours.size(); ++t) replay.set_parameter(t, ours[t]);
                replay.run();
                for (std::size_t t = 0; t < ours.size(); ++t) ours[t] = replay.parameter(t);

                ++steps;
                bool same = same_bits(step.loss.value(), replay.output(0));
                for (std::size_t t = 0; t < ours.size(); ++t) same = same && same_bits(eager[t], ours[t]);
                if (!same) return -steps;
            }
        }
    return steps;
}

#if defined(GRADTAPE_SANITIZED)
constexpr std::uint64_t runs = 1;
#else
constexpr std::uint64_t runs = 6;
#endif

TEST_CASE("replay: the post's first example, every step of whole runs") {
    for (std::uint64_t seed = 1; seed <= runs; ++seed) CHECK(train(post::separable(), seed, 10) == 46 * 20);
}
TEST_CASE("replay: the post's second example, every step of whole runs") {
    for (std::uint64_t seed = 1; seed <= runs; ++seed) CHECK(train(post::bounded(), seed, 10) == 56 * 16);
}
TEST_CASE("replay: the post's examples with a smaller batch at the end of each epoch") {
    CHECK(train(post::separable(), 1, 37) == 46 * 6);
    CHECK(train(post::bounded(), 1, 37) == 56 * 5);
}

}  // namespace
}  // namespace gradtape::test

// Long programs: compiled and replayed in linear time, on a thread whose stack is small.
#include "support/small_stack.hpp"
#include "support/tensors.hpp"

#include <gradtape/compile.hpp>

#include <doctest/doctest.h>

#include <ctime>

namespace gradtape::test {
namespace {

/// Processor time of this thread: other programs on the machine do not count.
double seconds() {
    timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return double(now.tv_sec) + 1e-9 * double(now.tv_nsec);
}

struct Outcome {
    std::size_t instructions = 0;
    double compile = 0, run = 0;
    bool same = false;
};

/// Records what `program` makes of x and p, compiles it with gradient and update, replays it twice, and frees it all.
Outcome outcome(const std::function<Node(Tape&, Node, Node)>& program, const CompileOptions& options = {}) {
    Outcome result;
    on_a_small_stack([&] {
        Tape tape;
        const Node x = tape.input(make({0.3, 0.2})), p = tape.parameter(make({0.5, 0.4}));
        const Node y = program(tape, x, p), g = grad(sum(y), p), next = p - 0.1 * g;
        result.instructions = tape.size();
        const double start = seconds();
        const Compiled compiled = compile(tape, {y, g}, {{p, next}}, options);
        Replay replay(compiled);
        const double compiled_at = seconds();
        replay.run();
        replay.set_parameter(0, p.value());
        replay.run();
        result.run = seconds() - compiled_at;
        result.compile = compiled_at - start;
        result.same = same_bits(replay.output(0), y.value()) && same_bits(replay.output(1), g.value()) &&
                      same_bits(replay.parameter(0), next.value());
    });
    return result;
}

Node chain(Node x, Node p, int links) {
    Node y = x;
    for (int i = 0; i < links; ++i) y = i % 2 ? sin(y) : y * p;
    return y;
}

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr int links = 24000;
#else
constexpr int links = 300000;
#endif

TEST_CASE("replay: a million instructions are compiled and replayed on a small stack") {
    const Outcome found = outcome([](Tape&, Node x, Node p) { return chain(x, p, links); });
    CHECK(found.same);
    CHECK(found.instructions > 3 * std::size_t(links));
    MESSAGE(found.instructions, " instructions: ", found.compile, " s to compile, ", found.run, " s for two replays");
}

using Long = Node (*)(Tape&, Node, Node, int);

/// Compiles and replays `program` at a length and at four times that, which takes four times as long; sixteen times would
/// be a square.
void check_linear(Long program, int length) {
    for (const CompileOptions& options : {CompileOptions{}, CompileOptions{.fuse = false}, CompileOptions{.reuse = false}}) {
        const auto best_of_three = [&](int n) {
            Outcome best;
            for (int i = 0; i < 3; ++i) {
                const Outcome found = outcome([&](Tape& tape, Node x, Node p) { return program(tape, x, p, n); }, options);
                CHECK(found.same);
                best.compile = i ? std::min(best.compile, found.compile) : found.compile;
                best.run = i ? std::min(best.run, found.run) : found.run;
            }
            return best;
        };
        const Outcome small = best_of_three(length), large = best_of_three(4 * length);
        CHECK(large.compile < 8 * small.compile + 0.01);
        CHECK(large.run < 8 * small.run + 0.01);
    }
}

TEST_CASE("replay: compiling a chain is linear") {
    check_linear([](Tape&, Node x, Node p, int n) { return chain(x, p, n); }, 5000);
}

TEST_CASE("replay: compiling many uses of one value is linear") {
    check_linear([](Tape&, Node x, Node p, int n) {
        Node y = x;
        for (int i = 0; i < n; ++i) y = y + sin(p * double(i));
        return y;
    }, 3000);
}

TEST_CASE("replay: compiling values of many sizes that live together is linear") {
    check_linear([](Tape&, Node x, Node p, int n) {
        std::vector<Node> alive;
        for (int i = 0; i < n; ++i) alive.push_back(concatenate({x * p, broadcast_to(sum(x), {1 + i % 50})}, 0));
        Node y = p;
        for (const Node& z : alive) y = y * 0.5 + sum(z);
        return y;
    }, 1000);
}

TEST_CASE("replay: compiling products one after another is linear") {
    check_linear([](Tape&, Node x, Node p, int n) {
        Node y = reshape(x, {1, 2});
        const Node w = matmul(reshape(p, {2, 1}), reshape(p, {1, 2}));
        for (int i = 0; i < n; ++i) y = matmul(y, w) + x;
        return y;
    }, 1000);
}

TEST_CASE("replay: many parameters, each updated and each an output") {
    const auto time = [](int n) {
        Tape tape;
        std::vector<Node> outputs;
        std::vector<Update> updates;
        for (int i = 0; i < n; ++i) {
            const Node p = tape.parameter(Tensor(double(i)));
            updates.push_back({p, p * 2});
            outputs.push_back(i % 2 ? p : updates.back().value);
        }
        const double start = seconds();
        Replay replay(compile(tape, outputs, updates));
        replay.run();
        const double taken = seconds() - start;
        CHECK(replay.parameter(std::size_t(n - 1)).item() == 2.0 * (n - 1));
        CHECK(replay.output(std::size_t(n - 1)).item() == n - 1);
        return taken;
    };
    const double small = std::min(time(4000), time(4000)), large = std::min(time(16000), time(16000));
    CHECK(large < 8 * small + 0.01);
}

}  // namespace
}  // namespace gradtape::test

// Long programs: compiled and replayed in linear time, on a thread whose stack is small.
#include "support/small_stack.hpp"
#include "support/tensors.hpp"

#include <gradtape/compile.hpp>

#include <doctest/doctest.h>

namespace gradtape::test {
namespace {

struct Outcome {
    std::size_t instructions = 0;
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
        Replay replay(compile(tape, {y, g}, {{p, next}}, options));
        replay.run();
        replay.set_parameter(0, p.value());
        replay.run();
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

#if defined(GRADTAPE_SANITIZED)
constexpr int links = 24000, shorter = 4;
#else
constexpr int links = 300000, shorter = 1;
#endif

TEST_CASE("replay: a million instructions are compiled and replayed on a small stack") {
    const Outcome found = outcome([](Tape&, Node x, Node p) { return chain(x, p, links); });
    CHECK(found.same);
    CHECK(found.instructions > 3 * std::size_t(links));
}

TEST_CASE("replay: a broadcast of a broadcast, and so on, is compiled on a small stack") {
    const auto nested = [](Tape&, Node x, Node p) {
        Node y = sum(x * p);
        for (int i = 0; i < links / 4; ++i) y = reshape(broadcast_to(y, {1, 1}), {1});
        return y;
    };
    for (const bool simplify : {true, false}) CHECK(outcome(nested, {.simplify = simplify}).same);
}

using Long = Node (*)(Tape&, Node, Node, int);

/// Compiles and replays at a length at which quadratic time would be minutes.
void check_linear(Long program, int length) {
    for (const CompileOptions& options :
         {CompileOptions{}, CompileOptions{.fuse = false}, CompileOptions{.reuse = false}}) {
        const Outcome found = outcome([&](Tape& tape, Node x, Node p) { return program(tape, x, p, length / shorter); }, options);
        CHECK(found.same);
    }
}

TEST_CASE("replay: compiling a chain is linear") {
    check_linear([](Tape&, Node x, Node p, int n) { return chain(x, p, n); }, 20000);
}

TEST_CASE("replay: compiling operations that hand their results on in registers is linear") {
    const auto program = [](Tape&, Node x, Node p, int n) {
        Node y = x;
        for (int i = 0; i < n; ++i) y = i % 2 ? tanh(y) : y * p;
        return y;
    };
    check_linear(program, 20000);
    CHECK(outcome([&](Tape& tape, Node x, Node p) { return program(tape, x, p, links); }).same);
}

TEST_CASE("replay: compiling many uses of one value is linear") {
    check_linear(
        [](Tape&, Node x, Node p, int n) {
            Node y = x;
            for (int i = 0; i < n; ++i) y = y + sin(p * double(i));
            return y;
        },
        12000);
}

TEST_CASE("replay: compiling values of many sizes that live together is linear") {
    check_linear(
        [](Tape&, Node x, Node p, int n) {
            std::vector<Node> alive;
            for (int i = 0; i < n; ++i) alive.push_back(concatenate({x * p, broadcast_to(sum(x), {1 + i % 50})}, 0));
            Node y = p;
            for (const Node& z : alive) y = y * 0.5 + sum(z);
            return y;
        },
        4000);
}

TEST_CASE("replay: compiling products one after another is linear") {
    check_linear(
        [](Tape&, Node x, Node p, int n) {
            Node y = reshape(x, {1, 2});
            const Node w = matmul(reshape(p, {2, 1}), reshape(p, {1, 2}));
            for (int i = 0; i < n; ++i) y = matmul(y, w) + x;
            return y;
        },
        4000);
}

TEST_CASE("replay: many parameters, each updated and each an output") {
    const int n = 16000;
    Tape tape;
    std::vector<Node> outputs;
    std::vector<Update> updates;
    for (int i = 0; i < n; ++i) {
        const Node p = tape.parameter(Tensor(double(i)));
        updates.push_back({p, p * 2});
        outputs.push_back(i % 2 ? p : updates.back().value);
    }
    Replay replay(compile(tape, outputs, updates));
    replay.run();
    CHECK(replay.parameter(std::size_t(n - 1)).item() == 2.0 * (n - 1));
    CHECK(replay.output(std::size_t(n - 1)).item() == n - 1);
}

}  // namespace
}  // namespace gradtape::test

// The opt-in rewrite of updates: what becomes one product, what must not, and how far its bits may stray.
#include "support/tensors.hpp"

#include "passes/passes.hpp"
#include "primitives/catalogue.hpp"

#include <gradtape/compile.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

namespace gradtape::test {
namespace {

using detail::Body;
using detail::Op;

std::size_t joined(const Tape& tape, std::initializer_list<Node> outputs) {
    const Body body = detail::remove_dead(detail::gemm_updates(Program(tape, outputs).body()));
    const auto is_joined = [](const auto& i) { return i.primitive == &detail::primitive(Op::addmm); };
    return std::size_t(std::count_if(body.instructions.begin(), body.instructions.end(), is_joined));
}

TEST_CASE("gemm_updates: a scaled product that is added to or taken off a matrix") {
    Tape tape;
    Random random(1);
    const Node w = tape.parameter(random.tensor({4, 5}, -1, 1)), r = tape.parameter(Tensor(0.1));
    const Node x = tape.input(random.tensor({4, 3}, -1, 1)), y = tape.input(random.tensor({3, 5}, -1, 1));
    CHECK(joined(tape, {w - r * matmul(x, y)}) == 1);
    CHECK(joined(tape, {w - matmul(x, y) * r}) == 1);
    CHECK(joined(tape, {w - 0.5 * matmul(x, y)}) == 1);
    CHECK(joined(tape, {w + matmul(x, y)}) == 1);
    CHECK(joined(tape, {matmul(x, y) + w}) == 1);
    CHECK(joined(tape, {matmul(x, y) - w}) == 0);
    CHECK(joined(tape, {w - w * matmul(x, y)}) == 0);  // no number
    const Node used = matmul(x, y);
    CHECK(joined(tape, {w - r * used, used}) == 0);  // somebody else needs the product
    const Node bias = tape.parameter(random.tensor({5}, -1, 1));
    CHECK(joined(tape, {bias + matmul(x, y)}) == 0);  // cheaper in passing
}

/// Weights after a few steps of a small network, by one of the ways of compiling it.
std::vector<double> trained(DType dtype, const CompileOptions& options, bool swap = false) {
    Random random(3);
    Tape tape;
    const Node x = tape.input(random.tensor({130, 120}, -1, 1, dtype)), y = tape.input(random.tensor({130, 90}, -1, 1, dtype));
    const Node v = tape.parameter(random.tensor({110, 120}, -1, 1, dtype));
    const Node w = tape.parameter(random.tensor({90, 110}, -1, 1, dtype));
    const Node rate = tape.parameter(Tensor::full({}, 0.05, dtype));
    const Node loss = mean(square(matmul(tanh(matmul(x, v, {.y = true})), w, {.y = true}) - y));
    const std::vector<Node> g = grad(loss, {v, w});
    std::vector<Update> updates{{v, v - rate * g[0]}, {w, w - rate * g[1]}};
    if (swap) updates.push_back({rate, rate * 0.5});
    Replay replay(compile(tape, std::span(&loss, 1), updates, options));
    for (int step = 0; step < 4; ++step) replay.run();
    std::vector<double> all = values(replay.parameter(0));
    for (double e : values(replay.parameter(1))) all.push_back(e);
    for (double e : values(replay.output(0))) all.push_back(e);
    return all;
}

TEST_CASE("gemm_updates: training is the same but for rounding, on any number of threads") {
    for (DType dtype : {DType::float32, DType::float64})
        for (bool swap : {false, true}) {
            const double small = dtype == DType::float32 ? 2e-6 : 4e-15;
            const std::vector<double> plain = trained(dtype, {}, swap);
            for (bool reuse : {true, false})
                for (std::size_t threads : {1, 2}) {
                    const auto ours = trained(dtype, {.reuse = reuse, .gemm_updates = true, .threads = threads}, swap);
                    REQUIRE(ours.size() == plain.size());
                    double worst = 0;
                    for (std::size_t i = 0; i < ours.size(); ++i) {
                        CHECK(!std::isnan(ours[i]));
                        worst = std::max(worst, std::abs(ours[i] - plain[i]));
                    }
                    CHECK(worst <= small);
                    CHECK(ours == trained(dtype, {.gemm_updates = true, .debug = true}, swap));
                }
        }
}

TEST_CASE("gemm_updates: weights that are read again later are not written over") {
    Tape tape;
    Random random(5);
    const Node w = tape.parameter(random.tensor({6, 7}, -1, 1)), x = tape.input(random.tensor({6, 3}, -1, 1));
    const Node y = tape.input(random.tensor({3, 7}, -1, 1));
    const Node next = w - matmul(x, y), later = sum(w * next);
    const Tensor wanted_next = next.value(), wanted_later = later.value();
    Replay replay(compile(tape, {later, w}, {{w, next}}, {.gemm_updates = true}));
    replay.run();
    CHECK(std::abs(replay.output(0).item() - wanted_later.item()) < 1e-14);
    CHECK(values(replay.output(1)) == values(w.value()));
    const auto found = values(replay.parameter(0)), expected = values(wanted_next);
    for (std::size_t i = 0; i < found.size(); ++i) CHECK(std::abs(found[i] - expected[i]) < 1e-14);
}

}  // namespace
}  // namespace gradtape::test

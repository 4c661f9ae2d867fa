// Recording without computing: the same types, derivatives, programs and memory as an eager recording.
#include "support/awkward_program.hpp"
#include "support/pass_check.hpp"
#include "support/replay_program.hpp"

#include <doctest/doctest.h>

#include <algorithm>

namespace gradtape::test {
namespace {

std::string program_text(const Recording& recording) { return to_text(Program(recording.tape, recording.outputs)); }

/// Only leaves that hold tensors differ between the two: nothing else may.
void compare_modes(Case its) {
    const Recording eager(its.body, its.recorded), abstract(its.body, {}, gradtape::Recording::abstract);
    CHECK(program_text(eager) == program_text(abstract));
    CHECK(abstract.tape.bytes() == 0);
    for (const NamedOptions& options : option_sets()) {
        CAPTURE(options.name);
        const Compiled one = eager.compiled(options.options), two = abstract.compiled(options.options);
        CHECK(one.arena_bytes() == two.arena_bytes());
        CHECK(one.peak_bytes() == two.peak_bytes());
        CHECK(one.explain() == two.explain());
    }
}

/// An abstract recording, given leaves, replays like any other.
void replay_abstract(const Case& its) {
    const Recording abstract(its.body, {}, gradtape::Recording::abstract);
    Replay replay(abstract.compiled({}));
    for (const Leaves* leaves : {&its.recorded, &its.fresh}) {
        for (std::size_t i = 0; i < leaves->inputs.size(); ++i) replay.set_input(i, leaves->inputs[i]);
        for (std::size_t i = 0; i < leaves->parameters.size(); ++i) replay.set_parameter(i, leaves->parameters[i]);
        const Expected plain = expected(its.body, *leaves);
        if (!plain.failing.empty()) {
            CHECK_THROWS_AS(replay.run(), GuardFailed);
            continue;
        }
        replay.run();
        std::vector<Tensor> outputs;
        for (std::size_t i = 0; i < plain.outputs.size(); ++i) outputs.push_back(replay.output(i));
        CHECK(different(plain.outputs, outputs) == "");
    }
}

TEST_CASE("replay: abstract recordings of random programs compile to the same plans and replay") {
    for (std::uint64_t seed = 0; seed < 60; ++seed) {
        CAPTURE(seed);
        compare_modes(replay_program(seed));
        replay_abstract(replay_program(seed));
    }
    for (std::uint64_t seed = 0; seed < 200; ++seed) {
        CAPTURE(seed);
        Case its{awkward_program(seed), {}, {}};
        Random random(seed);
        its.recorded.inputs = awkward_leaves(its.body, its.body.inputs, random);
        its.recorded.parameters = awkward_leaves(its.body, its.body.parameters, random);
        settle_guards(its.body, its.recorded);
        its.fresh = its.recorded;
        compare_modes(its);
        replay_abstract(its);
    }
}

struct Network {
    Tape tape;
    Node x, w1, w2, loss;
    std::vector<Node> gradients;

    explicit Network(gradtape::Recording mode, std::int64_t batch) : tape(mode) {
        x = tape.input(Type{DType::float32, {batch, 64}});
        w1 = tape.parameter(Type{DType::float32, {64, 32}});
        w2 = tape.parameter(Type{DType::float32, {32, 10}});
        loss = mean(logsumexp(matmul(tanh(matmul(x, w1)), w2), Axes(1)));
        gradients = grad(loss, {w1, w2});
    }
    Compiled compiled() const {
        return compile(tape, {loss}, {{w1, w1 - 0.1 * gradients[0]}, {w2, w2 - 0.1 * gradients[1]}});
    }
};

TEST_CASE("replay: types and derivatives are recorded abstractly as they are eagerly") {
    const Network eager(gradtape::Recording::eager, 16), abstract(gradtape::Recording::abstract, 16);
    CHECK(eager.tape.size() == abstract.tape.size());
    CHECK(to_text(Program(eager.tape, {eager.loss})) == to_text(Program(abstract.tape, {abstract.loss})));
    for (std::size_t k = 0; k < 2; ++k) CHECK(eager.gradients[k].type() == abstract.gradients[k].type());
    CHECK(eager.compiled().peak_bytes() == abstract.compiled().peak_bytes());
    CHECK(abstract.tape.bytes() == 0);
    CHECK(eager.tape.bytes() > 0);
}

TEST_CASE("replay: memory of a batch that no machine holds is known before anything runs") {
    const Network one(gradtape::Recording::abstract, 1 << 10),
        huge(gradtape::Recording::abstract, std::int64_t(1) << 32);
    const double grown = double(huge.compiled().peak_bytes()) / double(one.compiled().peak_bytes());
    CHECK(grown > double(1 << 22) * 0.5);
    CHECK(huge.compiled().peak_bytes() > std::size_t(64) * 4 << 32);  // x alone
}

TEST_CASE("replay: compiling computes and allocates nothing large") {
    Tape tape(gradtape::Recording::abstract);
    const std::int64_t n = std::int64_t(1) << 20;
    const Node x = tape.input(Type{DType::float32, {n, n}});
    CHECK(compile(tape, {sum(matmul(x, x))}, {}, {.threads = 2}).peak_bytes() > std::size_t(4) << 40);
    const Node ones = tape.full({n, n}, 1, DType::float32);
    CHECK(compile(tape, {sum(ones * 3), sum(matmul(x, ones))}).peak_bytes() > std::size_t(16) << 40);
}

TEST_CASE("replay: an abstract recording takes shapes up to a size that can be counted on") {
    Tape tape(gradtape::Recording::abstract);
    const std::int64_t tera = std::int64_t(1) << 40;
    const Node x = tape.input(Type{DType::float32, {tera}});
    CHECK_THROWS_AS((void)tape.input(Type{DType::float32, {tera + 1}}), ShapeError);
    CHECK_THROWS_AS((void)tape.parameter(Type{DType::float32, {tera, 2}}), ShapeError);
    CHECK_THROWS_AS((void)tape.input(Type{DType::float32, {0, tera, tera}}), ShapeError);
    CHECK_THROWS_AS((void)tape.full({tera, tera, tera}, 1), ShapeError);
    CHECK_THROWS_AS((void)matmul(reshape(x, {tera, 1}), reshape(x, {1, tera})), ShapeError);
    CHECK(tape.size() == 3);  // x, and x reshaped
}

TEST_CASE("replay: an abstract recording has no values to read") {
    Tape tape(gradtape::Recording::abstract);
    const Node x = tape.input(Type{DType::float64, {}}), y = x * 2;
    CHECK_THROWS_AS((void)y.item(), TapeError);
    CHECK_THROWS_AS((void)y.value(), TapeError);
    CHECK_THROWS_AS((void)x.item(), TapeError);
    CHECK_THROWS_AS((void)tape.full({}, 1.0).item(), TapeError);
    tape.guard_reads(true);
    CHECK_THROWS_AS((void)y.item(), TapeError);
    CHECK(tape.size() == 4);  // and no guard was recorded: x, 2, y and 1
    CHECK_THROWS_AS(matmul(x, y), ShapeError);
    CHECK_THROWS_AS(logical_not(x), DTypeError);
    CHECK_THROWS_AS((void)tape.input(Type{DType::float64, {-1}}), ShapeError);
}

}  // namespace
}  // namespace gradtape::test

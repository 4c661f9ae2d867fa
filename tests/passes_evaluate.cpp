// Plain evaluation, the oracle of compiled forms: it gives what recording gave, on any leaves that fit.
#include "tape/evaluate.hpp"

#include "support/awkward_program.hpp"
#include "support/pass_check.hpp"
#include "support/random_program.hpp"

#include <doctest/doctest.h>

namespace gradtape::test {
namespace {

using detail::evaluate;
using detail::Evaluation;
using detail::Index;

TEST_CASE("evaluate: on the recorded leaves it gives the recorded values, instruction by instruction") {
    for (std::uint64_t seed = 0; seed < 300; ++seed) {
        Random random(seed);
        Tape tape;
        std::vector<Node> x;
        std::vector<Tensor> inputs, parameters;
        for (const Shape& shape : leaf_shapes(seed)) {
            const Tensor value = random.tensor(shape, -1.5, 1.5, seed % 2 ? DType::float32 : DType::float64);
            x.push_back(x.size() % 2 ? tape.parameter(value) : tape.input(value));
            (x.size() % 2 ? inputs : parameters).push_back(value);
        }
        const Node y = run_program<TapeEngine>(seed, x);
        std::vector<Node> all;
        const Node g = grad(y, x[0]);
        const Program program(tape, {y, g});
        const std::vector<Tensor> results = evaluate(program.body(), inputs, parameters);
        REQUIRE(results.size() == 2);
        CHECK(same_bits(results[0], y.value()));
        CHECK(same_bits(results[1], g.value()));
        Evaluation evaluation(program.body(), inputs, parameters);
        std::size_t steps = 0;
        while (evaluation.step()) ++steps;
        CHECK(steps == program.size());
        CHECK(same_bits(evaluation.value(y.index()), y.value()));
        CHECK(same_bits(evaluation.value(x[0].index()), x[0].value()));
    }
}

TEST_CASE("evaluate: other leaves give what recording with them gives") {
    const auto f = [](Node x, Node p) { return sum(tanh(x * p) / 3.0 + where(x > 0.0, x, 0.5 * p)); };
    const Tensor x{1, -2}, p{0.5, 3}, x2{-4, 0.1}, p2{7, -1};
    Tape tape;
    const Node nx = tape.input(x), np = tape.parameter(p);
    const Node y = f(nx, np);
    const Node g = grad(y, np);
    Body body = Program(tape, {y}).body();
    body.updates.push_back({np.index(), g.index()});
    const std::vector<Tensor> results = evaluate(body, std::vector{x2}, std::vector{p2});
    Tape other;
    const Node ox = other.input(x2), op = other.parameter(p2);
    const Node oy = f(ox, op);
    REQUIRE(results.size() == 2);
    CHECK(same_bits(results[0], oy.value()));
    CHECK(same_bits(results[1], grad(oy, op).value()));
}

TEST_CASE("evaluate: leaves that do not fit are refused") {
    Tape tape;
    const Node x = tape.input(Tensor{1, 2}), p = tape.parameter(Tensor{1, 2});
    const Body body = Program(tape, {x + p}).body();
    const std::vector<Tensor> fits = {Tensor{3, 4}}, none, longer = {Tensor{1, 2, 3}},
                              single = {make({1, 2}, DType::float32)};
    CHECK_THROWS_AS(evaluate(body, none, fits), ValueError);
    CHECK_THROWS_AS(evaluate(body, fits, none), ValueError);
    CHECK_THROWS_AS(evaluate(body, longer, fits), ShapeError);
    CHECK_THROWS_AS(evaluate(body, fits, longer), ShapeError);
    CHECK_THROWS_AS(evaluate(body, single, fits), DTypeError);
    CHECK(same_bits(evaluate(body, fits, fits)[0], Tensor{6, 8}));
}

}  // namespace
}  // namespace gradtape::test

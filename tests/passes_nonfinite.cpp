// find_nonfinite: the first instruction with a NaN or an infinity, its line, its figures and its operands'.
#include "support/awkward_program.hpp"
#include "support/tensors.hpp"

#include <gradtape/nonfinite.hpp>

#include "tape/evaluate.hpp"

#include <doctest/doctest.h>

#include <cmath>

namespace gradtape::test {
namespace {

TEST_CASE("nonfinite: names the instruction, its line, its counts and the ranges of what it read") {
    Tape tape;
    const Node x = tape.input(Tensor{1, 2, 3}), p = tape.parameter(Tensor{1, 1, 1});
    const Node shifted = x - p;
    const unsigned line = __LINE__ + 1;
    const Node y = log(shifted);
    const Node z = sum(exp(y));
    const Program program(tape, {z, grad(z, p)});
    const std::vector<Tensor> good = {Tensor{4, 5, 6}}, parameters = {Tensor{1, 2, 0.5}};
    CHECK_FALSE(find_nonfinite(program, good, parameters));

    const std::vector<Tensor> bad = {Tensor{0.5, 2, 4.5}};
    const auto found = find_nonfinite(program, bad, parameters);
    REQUIRE(found);
    CHECK(std::string(found->made_by.primitive) == "log");
    CHECK(found->made_by.where.line == line);
    CHECK(found->value.index == y.index());
    CHECK(found->value.nans == 1);
    CHECK(found->value.infinities == 1);
    CHECK(found->value.finite() == 1);
    CHECK(found->value.low == std::log(4.0));
    CHECK_FALSE(found->leaf());
    REQUIRE(found->operands.size() == 1);
    CHECK(found->operands[0].index == shifted.index());
    CHECK(found->operands[0].low == -0.5);
    CHECK(found->operands[0].high == 4);
    CHECK(found->operands[0].nans + found->operands[0].infinities == 0);
    CHECK(to_string(*found) == "[log] gives 1 NaN, 1 infinite, others in [1.38629, 1.38629]: %3 : float64(3,); operand "
                               "%2 : float64(3,) in [-0.5, 4] (passes_nonfinite.cpp:" + std::to_string(line) + ")");
}

TEST_CASE("nonfinite: a leaf is reported as one") {
    Tape tape;
    const unsigned line = __LINE__ + 1;
    const Node x = tape.input(Tensor{1, 2});
    const Node p = tape.parameter(make({1, 2}, DType::float32));
    const Node z = sum(cast(x, DType::float32) * p);
    const Program program(tape, {z});
    const std::vector<Tensor> inputs = {Tensor{nan, 2}}, parameters = {make({1, -inf}, DType::float32)};
    auto found = find_nonfinite(program, inputs, parameters);
    REQUIRE(found);
    CHECK(found->leaf());
    CHECK(std::string(found->made_by.primitive) == "input");
    CHECK(found->made_by.where.line == line);
    CHECK(to_string(*found).find("[input] has 1 NaN, others in [2, 2]: %0 : float64(2,)") == 0);
    found = find_nonfinite(program, std::vector{Tensor{1, 2}}, parameters);
    REQUIRE(found);
    CHECK(std::string(found->made_by.primitive) == "parameter");
    CHECK(found->value.infinities == 1);
    Tape second;
    const Node c = second.full({3}, -inf);
    found = find_nonfinite(Program(second, {c}), {}, {});
    REQUIRE(found);
    CHECK(std::string(found->made_by.primitive) == "constant");
    CHECK(found->value.finite() == 0);
    CHECK(to_string(*found).find("others") == std::string::npos);
}

TEST_CASE("nonfinite: an overflow inside a gradient is found on the line it belongs to") {
    Tape tape;
    const Node p = tape.parameter(Tensor{4, 9});
    const unsigned line = __LINE__ + 1;
    const Node root = sqrt(p);
    const Program program(tape, {grad(sum(root), p)});
    const auto found = find_nonfinite(program, {}, std::vector{Tensor{4, 0}});
    REQUIRE(found);
    CHECK(std::string(found->made_by.primitive) == "divide_no_nan");
    CHECK(found->made_by.where.line == line);
}

TEST_CASE("nonfinite: agrees with a search through every value of random programs") {
    std::size_t finite = 0;
    for (std::uint64_t seed = 0; seed < 600; ++seed) {
        const Program::Body body = awkward_program(seed);
        Tape nothing;
        Program program(nothing, {});
        const_cast<Program::Body&>(program.body()) = body;
        Random random(seed + 9);
        const std::vector<Tensor> inputs = awkward_leaves(body, body.inputs, random);
        const std::vector<Tensor> parameters = awkward_leaves(body, body.parameters, random);
        detail::Evaluation evaluation(body, inputs, parameters);
        while (evaluation.step()) {}
        std::optional<detail::Index> first;
        for (detail::Index i = 0; i < body.instructions.size() && !first; ++i)
            for (double v : values(evaluation.value(i)))
                if (!std::isfinite(v)) first = i;
        const auto found = find_nonfinite(program, inputs, parameters);
        CAPTURE(seed);
        CHECK(bool(found) == bool(first));
        if (found && first) CHECK(found->value.index == *first);
        finite += !first;
    }
    CHECK(finite > 5);
}

TEST_CASE("nonfinite: leaves that do not fit are refused") {
    Tape tape;
    const Program program(tape, {tape.input(Tensor{1, 2})});
    CHECK_THROWS_AS(find_nonfinite(program, {}, {}), ValueError);
    CHECK_THROWS_AS(find_nonfinite(program, std::vector{Tensor{1}}, {}), ShapeError);
}

}  // namespace
}  // namespace gradtape::test

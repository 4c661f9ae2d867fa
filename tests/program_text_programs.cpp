// Programs as values, as graphs, and what verify refuses.
#include "support/refusals.hpp"

#include "ir/program.hpp"
#include "ir/verify.hpp"

#include <gradtape/program.hpp>

#include <doctest/doctest.h>

#include <algorithm>

namespace gradtape::test {
namespace {

std::size_t count(const std::string& text, const std::string& part) {
    std::size_t found = 0;
    for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + part.size())) ++found;
    return found;
}

TEST_CASE("program: a copy of the tape, which goes on without it") {
    std::optional<Program> kept;
    std::string text;
    {
        Tape tape;
        const Node x = tape.parameter(Tensor{1, 2});
        const Node y = sum(x * x);
        const Program program(tape, {y});
        CHECK(program.size() == tape.size());
        (void)(y * 2);  // later recordings are not in it
        CHECK(program.size() == tape.size() - 2);
        text = to_text(program);
        kept = program;
        tape.clear();
        CHECK(to_text(program) == text);
    }
    CHECK(to_text(*kept) == text);
    Program other = *kept;
    const Program moved = std::move(other);
    CHECK(to_text(moved) == text);
    verify(moved);
}

TEST_CASE("program: an exact printout") {
    Tape tape;
    const Node x = tape.input(Tensor{{1, 2, 3}, {4, 5, 6}}), w = tape.parameter(make({1, 2, 3}, DType::float64));
    const Node y = max(x * w - 1.5, 1, true);
    std::string text = to_text(Program(tape, {y, x}));
    for (std::size_t at; (at = text.find("  #")) != std::string::npos;) text.erase(at, text.find('\n', at) - at);
    CHECK(text == "%0 = input : float64(2, 3)\n"
                  "%1 = parameter : float64(3,)\n"
                  "%2 = broadcast_to %1 shape=(2, 3) : float64(2, 3)\n"
                  "%3 = multiply %0 %2 : float64(2, 3)\n"
                  "%4 = constant value=1.5 : float64(2, 3)\n"
                  "%5 = subtract %3 %4 : float64(2, 3)\n"
                  "%6 = max %5 axes=(1,) keepdims=true : float64(2, 1)\n"
                  "return %6 %0\n");
}

TEST_CASE("program: the same recording prints the same text") {
    const auto record = [] {
        Tape tape;
        const Node x = tape.parameter(Tensor{0.25, -1e-300});
        const Node y = logsumexp(where(x > 0, tanh(x), clamp(x, -1, 0.1)));
        return to_text(Program(tape, {y, grad(y, x)}));
    };
    CHECK(record() == record());
}

TEST_CASE("program: dot has a box for every instruction and an arrow for every use") {
    Tape tape;
    const Node x = tape.parameter(Tensor{1, 2});
    const Node y = sum(x * x);
    const std::string dot = to_dot(Program(tape, {y}));
    CHECK(dot.rfind("digraph", 0) == 0);
    CHECK(count(dot, "{") == count(dot, "}"));
    for (const char* name : {"parameter", "multiply", "sum"}) CHECK(count(dot, name) == 1);
    CHECK(count(dot, " -> ") == 2 + 1 + 1);  // x twice, the product once, the result
    CHECK(count(dot, "\"") % 2 == 0);
}

TEST_CASE("program: nodes know what made them") {
    Tape tape;
    const Node x = tape.parameter(Tensor{1, 2}), unused = tape.parameter(Tensor(1.0));
    const Node y = sum(exp(x));
    CHECK(std::string(origin(y).primitive) == "sum");
    CHECK(origin(y).where.line == __LINE__ - 2);
    const auto reached = parameters_reached(y);
    REQUIRE(reached.size() == 1);
    CHECK(reached[0].leaf.index() == x.index());
    CHECK(std::string(origin(reached[0].user).primitive) == "exp");
    CHECK(parameters_reached(unused).size() == 1);
    CHECK_FALSE(first_non_finite(tape).is_valid());
    const Node bad = log(x - 1);
    (void)(bad * 2);
    CHECK(first_non_finite(tape).index() == bad.index());
}

/// A good program's instructions, for tests to break.
std::vector<detail::Instruction> good_instructions() {
    Tape tape;
    const Node x = tape.parameter(Tensor{1, 2});
    const Node y = sum(x * x);
    return Program(tape, {y}).body().instructions;
}

TEST_CASE("verify: accepts what was recorded, names the first instruction that breaks a rule") {
    const std::vector<detail::Index> last = {2};
    CHECK_NOTHROW(detail::verify(good_instructions(), last));
    const auto broken = [&](const char* name, const std::function<void(std::vector<detail::Instruction>&)>& change) {
        auto instructions = good_instructions();
        change(instructions);
        return refused_anywhere<Error>([&] { detail::verify(instructions, last, Where::here()); }, {name});
    };
    CHECK(broken("multiply", [](auto& i) { i[1].operands[0] = 1; }) == "");  // itself
    CHECK(broken("multiply", [](auto& i) { i[1].operands[1] = 2; }) == "");  // a later one
    CHECK(broken("multiply", [](auto& i) { i[1].operands[1] = 77; }) == "");
    CHECK(broken("multiply", [](auto& i) { i[1].type.shape = Shape{3}; }) == "");
    CHECK(broken("multiply", [](auto& i) { i[1].type.dtype = DType::float32; }) == "");
    CHECK(broken("multiply", [](auto& i) { i[0].type.dtype = DType::boolean; }) == "");
    CHECK(broken("sum", [](auto& i) { i[2].type.shape = Shape{1}; }) == "");
    CHECK(broken("sum", [](auto& i) { i[2].attributes = {{"axes", Shape{4}}, {"keepdims", false}}; }) == "");
    CHECK(broken("sum", [](auto& i) { i[2].operands = i[1].operands; }) == "");
    CHECK_THROWS_AS(detail::verify(good_instructions(), std::vector<detail::Index>{3}), Error);
}

}  // namespace
}  // namespace gradtape::test

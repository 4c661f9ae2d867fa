// The text form of programs, against the grammar that docs/program_text.md shows.
#include "support/grammar.hpp"
#include "support/random_program.hpp"
#include "support/samples.hpp"
#include "support/source_tree.hpp"

#include "ir/program.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <cstdlib>

namespace gradtape::test {
namespace {

/// The document's ```ebnf block.
std::string grammar_of_document() {
    const std::string text = house::read("docs/program_text.md"), open = "```ebnf\n";
    const std::size_t first = text.find(open);
    REQUIRE(first != std::string::npos);
    const std::size_t begin = first + open.size();
    return text.substr(begin, text.find("```", begin) - begin);
}

const Grammar& grammar() {
    static const Grammar read(grammar_of_document());
    return read;
}

std::vector<std::string> parts_of(const Grammar::Match& match, const std::string& rule) {
    std::vector<std::string> found;
    for (const Grammar::Part& part : match.parts)
        if (part.rule == rule) found.push_back(part.text);
    return found;
}

/// What the text says of one instruction, compared with the instruction; "" where it is the same.
std::string compare(const std::string& line, std::size_t index, const detail::Instruction& instruction) {
    const Grammar::Match match = grammar().match("instruction", line);
    if (!match.whole) return "no instruction from column " + std::to_string(match.end) + " on: " + line;
    std::vector<std::string> values{"%" + std::to_string(index)};
    for (detail::Index operand : instruction.operands) values.push_back("%" + std::to_string(operand));
    if (parts_of(match, "value") != values) return "other operands: " + line;
    using Texts = std::vector<std::string>;
    if (parts_of(match, "primitive") != Texts{instruction.primitive->name}) return "other name: " + line;
    if (parts_of(match, "type") != Texts{to_string(instruction.type)}) return "other type: " + line;
    const auto settings = parts_of(match, "setting");
    const auto attributes = instruction.attributes.list();
    if (settings.size() != attributes.size()) return "other attributes: " + line;
    for (std::size_t i = 0; i < settings.size(); ++i)
        if (const double* number = std::get_if<double>(&attributes[i].value))
            if (std::isnan(*number) ? settings[i] != "nan" : !same_bits(std::strtod(settings[i].c_str(), nullptr), *number))
                return "another number: " + line;
    return "";
}

/// Checks a whole printout: the grammar, and line by line what it says.
void check(const Tape& tape, std::initializer_list<Node> outputs) {
    const Program program(tape, outputs);
    const std::string text = to_text(program);
    const Grammar::Match match = grammar().match("program", text);
    CHECK_MESSAGE(match.whole, "not in the grammar from here on: " << text.substr(match.end, 200));
    const auto lines = house::lines_of(text);
    const auto& instructions = program.body().instructions;
    REQUIRE(lines.size() >= instructions.size() + 1);
    for (std::size_t i = 0; i < instructions.size(); ++i) CHECK(compare(lines[i] + "\n", i, instructions[i]) == "");
}

TEST_CASE("program text: every primitive, and what its derivative records, is in the grammar") {
    for (const Primitive* p : operations())
        for (const Sample& sample : samples(*p)) {
            CAPTURE(std::string(p->name));
            Tape tape;
            const Node z = record_with_derivative(tape, *p, sample);
            check(tape, {z});
        }
}

TEST_CASE("program text: random programs with their gradients are in the grammar") {
    for (std::uint64_t seed = 1; seed <= 100; ++seed) {
        CAPTURE(seed);
        Random random(seed);
        Tape tape;
        std::vector<Node> leaves;
        for (const Shape& shape : leaf_shapes(seed)) leaves.push_back(tape.parameter(random.tensor(shape, -1, 1)));
        const Node y = run_program<TapeEngine>(seed, leaves);
        check(tape, {y, grad(y, leaves[0])});
    }
}

TEST_CASE("program text: numbers read back as the same numbers") {
    Tape tape;
    for (double v : {0.0, -0.0, 1.0 / 3, -2.5, 1e300, 5e-324, 1e-7, 123456789.0, inf, -inf, nan}) tape.full({2}, v);
    for (DType dtype : {DType::float32, DType::int64, DType::boolean}) tape.full({}, 1, dtype);
    check(tape, {});
}

TEST_CASE("program text: the grammar refuses what is none") {
    const std::string good =
        "%0 = input : float64(2, 3)  # a.cpp:12\n%1 = sum %0 axes=(0,) keepdims=true : float64(1, 3)\nreturn %1\n";
    CHECK(grammar().match("program", good).whole);
    CHECK(grammar().match("program", "return\n").whole);
    CHECK(grammar().match("program", good + "update %0 %1\n").whole);
    CHECK_FALSE(grammar().match("program", "update %0 %1\n" + good).whole);
    const std::pair<std::string, std::string> breaks[] = {
        {"%0 =", "0 ="},        {"float64(2", "double(2"}, {"(2, 3)", "(2,3)"}, {"(0,)", "(0)"},
        {" # a.cpp", " a.cpp"}, {":12", ""},               {"true", "yes"},     {"return", "returns"},
        {" : ", ": "},          {"axes=", "axes "},        {"%1\n", "%1"},      {"input", ""},
        {"(1, 3)", "(1, 3,)"},  {"%0 axes", "%x axes"},
    };
    for (const auto& [from, to] : breaks) {
        std::string bad = good;
        bad.replace(bad.rfind(from), from.size(), to);
        CHECK_MESSAGE(!grammar().match("program", bad).whole, bad);
    }
}

TEST_CASE("program text: the grammar's own notation") {
    const Grammar g("a = \"x\" { b } [ \"!\" ] ; b = ( \"0\" … \"9\" | \"-\\n\" ) ;");
    CHECK(g.match("a", "x12!").whole);
    CHECK(g.match("a", "x-\n3").whole);
    CHECK_FALSE(g.match("a", "x12?").whole);
    CHECK(g.match("a", "x12?").end == 3);
    CHECK_THROWS(Grammar("a = b ;"));
    CHECK_THROWS(Grammar("a = \"x\""));
}

}  // namespace
}  // namespace gradtape::test

// Bad input to compile and to a replay: which class, which facts, what the message says.
#include "support/refusals.hpp"

#include <gradtape/compile.hpp>

#include <doctest/doctest.h>

#include <cmath>

namespace gradtape::test {
namespace {

struct Setup {
    Tape tape;
    Node x = tape.input(make({1, 2, 3})), p = tape.parameter(make({1, 2}, {2, 1})), b = tape.input(Tensor(true));
    Replay replay{compile(tape, {x * 2}, {{p, p * 2}})};
};

std::string message(const std::function<void()>& call) {
    try {
        call();
    } catch (const Error& error) {
        return error.what();
    }
    return "";
}

bool says(const std::string& text, std::initializer_list<const char*> parts) {
    for (const char* part : parts)
        if (text.find(part) == std::string::npos) return false;
    return true;
}

TEST_CASE("replay: an input or parameter of another type, or that does not exist, is refused") {
    Setup s;
    CHECK(refused<ShapeError>([&] { s.replay.set_input(0, make({1, 2})); }, {"replay", {{3}, {2}}}) == "");
    CHECK(refused<ShapeError>([&] { s.replay.set_input(0, make({1, 2, 3}, {3, 1})); }, {"replay", {{3}, {3, 1}}}) == "");
    CHECK(refused<DTypeError>([&] { s.replay.set_input(0, make({1, 2, 3}, DType::float32)); }, {"replay", {{3}, {3}}}) == "");
    CHECK(refused<DTypeError>([&] { s.replay.set_input(1, Tensor(1.0)); }, {"replay", {{}, {}}}) == "");
    CHECK(refused<ValueError>([&] { s.replay.set_input(2, Tensor(1.0)); }, {"replay"}) == "");
    CHECK(refused<ValueError>([&] { s.replay.set_input(std::size_t(-1), Tensor(1.0)); }, {"replay"}) == "");
    CHECK(refused<ShapeError>([&] { s.replay.set_parameter(0, make({1, 2})); }, {"replay", {{2, 1}, {2}}}) == "");
    CHECK(refused<ValueError>([&] { s.replay.set_parameter(1, make({1, 2})); }, {"replay"}) == "");
    CHECK(refused<ValueError>([&] { (void)s.replay.output(1); }, {"replay"}) == "");
    CHECK(refused<ValueError>([&] { (void)s.replay.parameter(1); }, {"replay"}) == "");
    CHECK(says(message([&] { s.replay.set_input(0, make({1, 2})); }), {"[replay] ", "input 0", "(3,)", "(2,)"}));
    CHECK(says(message([&] {
                   s.replay.set_input(0, make({1, 2, 3}, DType::float32));
               }),
               {"input 0", "float64", "float32"}));
    CHECK(says(message([&] { (void)s.replay.output(7); }), {"output 7", "1"}));
    s.replay.run();  // all of that changed nothing
    CHECK(values(s.replay.output(0)) == std::vector<double>{2, 4, 6});
    CHECK(values(s.replay.parameter(0)) == std::vector<double>{2, 4});
}

TEST_CASE("replay: compile refuses nodes that are not on its tape") {
    Setup s, other;
    Tape cleared;
    const Node gone = cleared.input(Tensor(1.0));
    cleared.clear();
    CHECK(refused<TapeError>([&] { compile(s.tape, {other.x}); }, {"program"}) == "");
    CHECK(refused<TapeError>([&] { compile(s.tape, {Node()}); }, {"program"}) == "");
    CHECK(refused<TapeError>([&] { compile(cleared, {gone}); }, {"program"}) == "");
    CHECK(refused<TapeError>([&] { compile(s.tape, {}, {{other.p, s.p}}); }, {"program"}) == "");
    CHECK(refused<TapeError>([&] { compile(s.tape, {}, {{s.p, other.p}}); }, {"program"}) == "");
    CHECK(refused<TapeError>([&] { compile(s.tape, {}, {{Node(), s.p}}); }, {"program"}) == "");
    CHECK(refused<TapeError>([&] { compile(s.tape, {}, {{s.p, Node()}}); }, {"program"}) == "");
}

TEST_CASE("replay: compile refuses updates of what is no parameter, of another type, or twice") {
    Setup s;
    const Node twice = s.p * 2, flat = reshape(s.p, {2}), narrow = cast(s.p, DType::float32);
    CHECK(refused<ValueError>([&] { compile(s.tape, {}, {{s.x, s.x}}); }, {"program", {{3}}}) == "");
    CHECK(refused<ValueError>([&] { compile(s.tape, {}, {{twice, s.p}}); }, {"program", {{2, 1}}}) == "");
    CHECK(refused<ValueError>([&] { compile(s.tape, {}, {{s.p, s.p}, {s.p, twice}}); }, {"program"}) == "");
    CHECK(refused<ShapeError>([&] { compile(s.tape, {}, {{s.p, flat}}); }, {"program", {{2, 1}, {2}}}) == "");
    CHECK(refused<DTypeError>([&] { compile(s.tape, {}, {{s.p, narrow}}); }, {"program", {{2, 1}, {2, 1}}}) == "");
    CHECK(says(message([&] {
                   compile(s.tape, {}, {{s.p, reshape(s.p, {2})}});
               }),
               {"[program] ", "float64(2,)", "float64(2, 1)"}));
}

TEST_CASE("replay: there are no outputs before a run, nor after a failed guard") {
    Tape tape;
    tape.guard_reads(true);
    const Node x = tape.input(Tensor(0.1));
    (void)x.item();
    Replay replay(compile(tape, {x * 2}));
    CHECK(refused<ValueError>([&] { (void)replay.output(0); }, {"replay"}) == "");
    replay.run();
    CHECK(replay.output(0).item() == 0.2);
    replay.set_input(0, Tensor(std::nextafter(0.1, 1)));
    const std::string failure = message([&] { replay.run(); });
    CHECK(says(failure, {"[guard] ", "was 0.1,", "is now 0.10000000000000002;"}));
    CHECK(refused<ValueError>([&] { (void)replay.output(0); }, {"replay"}) == "");
    replay.set_input(0, Tensor(0.1));
    replay.run();
    CHECK(replay.output(0).item() == 0.2);
}

TEST_CASE("replay: nothing to compute is a program too") {
    Tape empty;
    Replay none(compile(empty, {}));
    none.run();
    Tape tape;
    const Node x = tape.input(Tensor::zeros({0, 3}));
    const Node z = sum(sin(x) * 2);
    Replay replay(compile(tape, {z, exp(x), grad(z, x)}));
    replay.run();
    CHECK(replay.output(0).item() == 0);
    CHECK(replay.output(1).shape() == Shape{0, 3});
}

TEST_CASE("replay: counts, numbers of parameters, and what explain says") {
    Tape tape;
    const Node x = tape.input(make({1, 2})), p = tape.parameter(make({3, 4})), unused = tape.parameter(Tensor(1.0));
    const Node dead = exp(x), twice = tanh(x * p) + tanh(x * p);
    (void)dead;
    const Compiled compiled = compile(tape, {twice, x}, {{p, p - tape.constant(make({1, 2}))}});
    CHECK(compiled.input_count() == 1);
    CHECK(compiled.parameter_count() == 2);
    CHECK(compiled.output_count() == 2);
    CHECK(compiled.parameter_number(p) == 0);
    CHECK(compiled.parameter_number(unused) == 1);
    CHECK(compiled.parameter_number(x) == std::nullopt);
    CHECK(compiled.parameter_number(Node()) == std::nullopt);
    const std::string text = compiled.explain();
    for (const char* part :
         {"recorded: 11 instructions", "remove_dead: 11 -> 10", "merge: 10 -> 8", "fused: ", "memory: ", "constants: "})
        CHECK_MESSAGE(text.find(part) != std::string::npos, std::string(part), " is not in\n", text);
    Tape other;
    (void)other.parameter(Tensor(1.0));
    CHECK(compiled.parameter_number(other.parameter(Tensor(1.0))) == std::nullopt);  // of p's index, on another tape
}

}  // namespace
}  // namespace gradtape::test

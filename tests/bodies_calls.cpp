// Programs as attributes: what they are, calls of them, and what is refused.
#include "support/body_check.hpp"
#include "support/program_file.hpp"
#include "support/refusals.hpp"

#include "ir/program.hpp"

#include <gradtape/compile.hpp>
#include <gradtape/serialise.hpp>

#include <doctest/doctest.h>

namespace gradtape::test {
namespace {

using Nodes = std::span<const Node>;

std::vector<Node> layer(Nodes x) { return {tanh(matmul(x[0], x[1]) + 0.5), sum(x[1] * x[1])}; }
std::vector<Node> mixed(Nodes x) {
    const Node steps = x[0] + 1;  // int64
    return {steps, x[1] * cast(steps, DType::float64), x[1]};
}

std::vector<BodyCase> cases() {
    Random random(5);
    const Tensor a = random.tensor({2, 3}, -1, 1), b = random.tensor({3, 4}, -1, 1), n = Tensor::full({}, 3, DType::int64);
    const Tensor f = random.tensor({5}, -1, 1, DType::float32);
    std::vector<BodyCase> all;
    all.push_back({"a layer", [](Nodes x) { return call(layer, x); }, layer, {a, b}});
    all.push_back({"one operand is shared", [](Nodes x) { return call(layer, x); }, layer, {a, b}, true, true, {1}});
    all.push_back({"integers first", [](Nodes x) { return call(mixed, x); }, mixed, {n, random.tensor({4}, -1, 1)}});
    all.push_back({"a call in a call", [](Nodes x) {
        const auto twice = [](Nodes y) { return call([](Nodes w) { return sin(w[0]) * 2.0; }, {call([](Nodes v) { return exp(v[0]); }, y)[0]}); };
        return call(twice, x);
    }, [](Nodes x) { return sin(exp(x[0])) * 2.0; }, {f}});
    all.push_back({"a tensor within", [](Nodes x) { return call([](Nodes y) { return y[0] * Tensor{1, 2, 3}; }, x); },
                   [](Nodes x) { return x[0] * Tensor{1, 2, 3}; }, {Tensor{1, 0.5, -1}}});
    all.push_back({"an operand as a result, twice", [](Nodes x) { return call([](Nodes y) { return std::vector<Node>{y[0], y[0], y[1]}; }, x); },
                   [](Nodes x) { return std::vector<Node>{x[0], x[0], x[1]}; }, {a, b}});
    all.push_back({"nothing", [](Nodes x) { return call([](Nodes y) { return exp(y[0]); }, x); }, [](Nodes x) { return exp(x[0]); }, {Tensor::zeros({0, 3})}});
    return all;
}

TEST_CASE("bodies: a call is its function, in values and all derivatives") {
    for (const BodyCase& its : cases()) {
        CAPTURE(its.name);
        CHECK(check_derivatives(its) == "");
    }
}

TEST_CASE("bodies: a call compiled has the bits of recording, and so has a file of it") {
    for (const BodyCase& its : cases()) {
        CAPTURE(its.name);
        CHECK(check_compiled(its) == "");
    }
}

TEST_CASE("bodies: calls are inlined, and what they repeat is computed once") {
    const auto f = [](Nodes y) { return sum(exp(y[0] * y[0])); };
    const auto explained = [](const BodyFunction& its) {
        Tape tape;
        const Node x = tape.input(Tensor{1, 2, 3}), z = its(std::vector{x}).all()[0];
        return compile(tape, {z, grad(z, x)}).explain();
    };
    const std::string called = explained([&](Nodes x) { return call(f, x); }), written = explained(f);
    const auto end_of = [](const std::string& text) { return text.substr(text.find("fused: ")); };
    CHECK(end_of(called) == end_of(written));
    CHECK(called.find("inline_calls: ") != std::string::npos);
    CHECK(written.find("inline_calls: ") == std::string::npos);
}

TEST_CASE("bodies: a program is equal to one of the same content") {
    const Type types[] = {{DType::float64, {3}}};
    const auto scaled = [](double by) { return [by](Nodes x) { return x[0] * by; }; };
    const Subprogram a = record_body(scaled(2), types), b = record_body(scaled(2), types), c = record_body(scaled(-0.0), types), d = record_body(scaled(0.0), types);
    CHECK(a == b);
    CHECK(a.hash() == b.hash());
    CHECK_FALSE(a == c);
    CHECK_FALSE(c == d);
    const auto with = [&](double e) { return record_body([=](Nodes x) { return x[0] + Tensor{1, 2, e}; }, types); };
    CHECK(with(nan) == with(nan));
    CHECK_FALSE(with(3) == with(4));
    const Type others[] = {{DType::float32, {3}}};
    CHECK_FALSE(a == record_body(scaled(2), others));
    CHECK(a.inputs()[0] == types[0]);
    CHECK(a.depth() == 1);
    // what no result needs is not there
    const Subprogram trimmed = record_body([](Nodes x) { return (void)exp(x[0]), x[0] * 2.0; }, types);
    CHECK(trimmed == a);
}

TEST_CASE("bodies: as text, each once and before its use") {
    Tape tape;
    const Node x = tape.input(Tensor{1, 2});
    const auto inner = [](Nodes y) { return exp(y[0]); };
    const auto outer = [&](Nodes y) { return call(inner, {call(inner, y)[0]})[0]; };
    const Program program(tape, {call(outer, {x})[0], call(inner, {x})[0]});
    std::string text = to_text(program);
    for (std::size_t at; (at = text.find("  #")) != text.npos;) text.erase(at, text.find('\n', at) - at);
    CHECK(text == "function @f0\n%0 = input : float64(2,)\n%1 = exp %0 : float64(2,)\nreturn %1\n"
                  "function @f1\n%0 = input : float64(2,)\n%1 = call %0 body=@f0 : float64(2,)\n%2 = call %1 body=@f0 : float64(2,)\nreturn %2\n"
                  "%0 = input : float64(2,)\n%1 = call %0 body=@f1 : float64(2,)\n%2 = call %0 body=@f0 : float64(2,)\nreturn %1 %2\n");
    CHECK(to_dot(program).find("body=@f1") != std::string::npos);
    CHECK(to_bytes(program).substr(0, 33) == "gradtape program 2\nfunction @f0\n%");
    CHECK(to_bytes(Program(tape, x)).find("function @f") != std::string::npos);  // all that is on the tape
}

TEST_CASE("bodies: what is refused names the user's line") {
    Tape tape, other;
    const Node x = tape.input(Tensor{1, 2, 3}), i = tape.input(Tensor::zeros({3}, DType::int64)), foreign = other.input(Tensor(1.0));
    CHECK(refused<TapeError>([&] { call([&](Nodes y) { return y[0] * x; }, {x}); }, {.name = "multiply"}) == "");
    CHECK(refused<TapeError>([&] { call([&](Nodes y) { return matmul(y[0], x); }, {x}); }, {.name = "matmul"}) == "");
    CHECK(refused<TapeError>([&] { call([&](Nodes) { return x; }, {x}); }, {.name = "record_body"}) == "");
    CHECK(refused<TapeError>([&] { call([](Nodes y) { return y[0] * sum(y[0]).item(); }, {x}); }, {.name = "value"}) == "");
    CHECK(refused<TapeError>([&] { call([](Nodes y) { return y[0]; }, {x, foreign}); }, {.name = "call"}) == "");
    CHECK(refused<ValueError>([&] { call([](Nodes y) { return sibling_parameter(y[0], Tensor(1.0)) * y[0]; }, {x}); }, {.name = "subprogram"}) == "");
    CHECK(refused<ValueError>([&] { call([](Nodes) { return std::vector<Node>(); }, {x}); }, {.name = "record_body"}) == "");
    CHECK(refused<ValueError>([&] { call([](Nodes y) { return y[0]; }, {}); }, {.name = "call"}) == "");
    CHECK(refused<ValueError>([&] { call(BodyFunction(), {x}); }, {.name = "record_body"}) == "");
    const Subprogram body = record_body([](Nodes y) { return exp(y[0]); }, std::vector{x.type()});
    CHECK(refused<DTypeError>([&] { call(body, {i}); }, {.name = "call"}) == "");
    CHECK(refused<ShapeError>([&] { call(body, {sum(x)}); }, {.name = "call"}) != "");  // (the sum is recorded)
    CHECK(refused<ValueError>([&] { call(body, {x, x}); }, {.name = "call"}) == "");
    CHECK(refused<DTypeError>([&] { expand(body, {i}); }, {.name = "expand"}) == "");
    CHECK(refused<NotDifferentiable>([&] { grad(call(body, {i})[0], i); }, {.name = "call"}) != "");
    try {
        call([&](Nodes y) { return y[0] * x; }, {x});
    } catch (const TapeError& error) {
        CHECK(std::string(error.what()).find("give it to the operation as an operand") != std::string::npos);
    }
}

TEST_CASE("bodies: programs are nested 32 deep at most") {
    const Type types[] = {{DType::float64, {}}};
    Subprogram body = record_body([](Nodes x) { return x[0] + 1.0; }, types);
    for (int depth = 2; depth <= 32; ++depth) body = record_body([&](Nodes x) { return call(body, x); }, types);
    CHECK(body.depth() == 32);
    CHECK(refused<ValueError>([&] { record_body([&](Nodes x) { return call(body, x); }, types); }, {.name = "subprogram"}) == "");
    Tape tape;
    const Node x = tape.input(Tensor(1.0)), z = call(body, {x})[0];
    CHECK(z.item() == 2);
    CHECK(grad(z, x).item() == 1);
    Replay replay(compile(tape, z)), nested(compile(tape, z, {}, {.inline_calls = false}));
    replay.run();
    nested.run();
    CHECK(replay.output(0).item() == 2);
    CHECK(nested.output(0).item() == 2);
    CHECK(to_bytes(from_bytes(to_bytes(Program(tape, z)))) == to_bytes(Program(tape, z)));
}

/// Calls of calls, `by` each: by^depth instructions.
Subprogram tower(int by, int depth) {
    const Type types[] = {{DType::float64, {}}};
    Subprogram body = record_body([](Nodes x) { return x[0] + 1.0; }, types);
    for (int d = 1; d < depth; ++d)
        body = record_body([&](Nodes x) {
            Node y = x[0];
            for (int k = 0; k < by; ++k) y = call(body, {y})[0];
            return y;
        }, types);
    return body;
}

TEST_CASE("bodies: a short program of very many calls is compiled in bounded memory") {
    gradtape::Tape tape(Recording::abstract);
    const Node z = call(tower(10, 20), {tape.input(Type{DType::float64, {}})})[0];
    CHECK(compile(tape, z).arena_bytes() < (1u << 20));
    const std::string bytes = to_bytes(Program(tape, z));
    CHECK(bytes.size() < 20000);
    CHECK(to_bytes(from_bytes(bytes)) == bytes);
}

TEST_CASE("bodies: files are refused where a function is missing, doubled, unused or out of order") {
    Tape tape;
    const Node x = tape.input(Tensor{1, 2});
    const Node z = call([](Nodes y) { return y[0] * Tensor{3, 4}; }, {call([](Nodes y) { return exp(y[0]); }, {x})[0]})[0];
    const std::string bytes = to_bytes(Program(tape, z));
    const auto refuses = [&](const std::string& from, const std::string& to) {
        std::string changed = bytes;
        const std::size_t at = changed.find(from);
        REQUIRE(at != changed.npos);
        changed.replace(at, from.size(), to);
        try {
            from_bytes(sealed(changed));
        } catch (const FormatError& error) {
            return std::string(error.what());
        }
        return std::string("accepted");
    };
    CHECK(refuses("program 2", "program 1").find("line 2, column 1") != std::string::npos);
    CHECK(refuses("program 2", "program 3").find("unknown version") != std::string::npos);
    CHECK(refuses("function @f0", "function @f1").find("functions are numbered in order") != std::string::npos);
    CHECK(refuses("body=@f0", "body=@f7").find("does not come before its use") != std::string::npos);
    CHECK(refuses("body=@f0", "body=@f1").find("the function is not used") != std::string::npos);
    CHECK(refuses("value @f1 %1", "value @f0 %1").find("expected the value of @f1 %1") != std::string::npos);
    CHECK(refuses("return %1\nfunction", "return %0\nfunction").find("no result needs") != std::string::npos);
}

}  // namespace
}  // namespace gradtape::test

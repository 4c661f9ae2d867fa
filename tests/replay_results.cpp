// Primitives with several results: those that nobody wants cost nothing, and derivatives of all orders run through each.
#include "support/refusals.hpp"
#include "support/replay_check.hpp"

#include <gradtape/check.hpp>
#include <gradtape/primitive.hpp>
#include <gradtape/serialise.hpp>

#include <doctest/doctest.h>

#include <cmath>

namespace gradtape::test {
namespace {

int computed[3] = {};

/// sin x, cos x and their integer parts in one kernel, which counts what is asked of it. `rounded` is of another type.
const Primitive trigonometry{
    .name = "trigonometry",
    .arity = 1,
    .shape = [](const ShapeCall& call) { return Type{call.result == 2 ? DType::int64 : DType::float64, call[0].shape}; },
    .kernel =
        [](const KernelCall& call) {
            const auto x = call.input<double>(0);
            const auto sine = call.result<double>(0), cosine = call.result<double>(1);
            const auto rounded = call.result<std::int64_t>(2);
            computed[0] += !sine.empty(), computed[1] += !cosine.empty(), computed[2] += !rounded.empty();
            for (std::size_t i = 0; i < x.size(); ++i) {
                if (!sine.empty()) sine[i] = std::sin(x[i]);
                if (!cosine.empty()) cosine[i] = std::cos(x[i]);
                if (!rounded.empty()) rounded[i] = std::int64_t(2 * std::sin(x[i]));
            }
        },
    .vjp =
        [](const VjpCall& call) {
            Node x_bar;
            if (call.z_bars[0].is_valid()) x_bar = call.results[1] * call.z_bars[0];
            if (call.z_bars[1].is_valid()) {
                const Node share = -call.results[0] * call.z_bars[1];
                x_bar = x_bar.is_valid() ? x_bar + share : share;
            }
            call.give(0, x_bar);
        },
    .jvp =
        [](const JvpCall& call) {
            if (call.wants(0)) call.give(0, call.results[1] * call.x_dot[0]);
            if (call.wants(1)) call.give(1, -call.results[0] * call.x_dot[0]);
        },
    .dtypes = {DType::float64},
    .results = 3,
};
std::vector<Node> trigonometric(Node x) { return apply_all(trigonometry, std::span(&x, 1)); }

Tensor ramp(std::int64_t n) { return Random(1).tensor({n}, -1, 1); }

/// A function of the results of a few of them in a row.
Node mixed(Node x, int which) {
    const auto z = trigonometric(x * 2.0);
    switch (which) {
        case 0: return z[0];
        case 1: return z[1];
        case 2: return z[0] * z[1];
        case 3: return trigonometric(z[1])[0] + z[0];
        case 4: return cast(z[2], DType::float64) * x;
        default: return sum(trigonometric(z[0] * z[1])[1]) * z[1] + cast(z[2], DType::float64);
    }
}

TEST_CASE("results: derivatives in both modes and of second order, through each result") {
    for (int which : {0, 1, 2, 3, 5}) {
        CAPTURE(which);
        const CheckResult checked = check_gradient([&](std::span<const Node> x) { return mixed(x[0], which); }, {ramp(5)});
        CHECK_MESSAGE(checked.ok, checked.report);
    }
    Tape tape;
    const Node x = tape.parameter(Tensor{0.5, 2}), v = tape.constant(Tensor{1, -1});
    const auto z = trigonometric(x);
    CHECK(mismatch(hvp(sum(z[0]), x, v), {-std::sin(0.5), std::sin(2.0)}, {.relative = 1e-15}) == "");
    CHECK(mismatch(hvp(sum(z[1]), x, v), {-std::cos(0.5), std::cos(2.0)}, {.relative = 1e-15}) == "");
    CHECK_THROWS_AS(grad(sum(z[2]), x), NotDifferentiable);
    CHECK(z[2].dtype() == DType::int64);
}

TEST_CASE("results: replays have the bits of recording, whichever results are wanted") {
    for (int which = 0; which < 6; ++which) {
        CAPTURE(which);
        Case its;
        Tape tape;
        const Node x = tape.input(ramp(130));
        its.recorded.inputs = {ramp(130)};
        its.fresh.inputs = {(x * 1.5).value()};
        const Node y = sum(mixed(x, which)), g = grad(y, x);
        its.body = Program(tape, {y, g, jvp(y, x, x), mixed(x, which), grad(sum(square(g)), x)}).body();
        CHECK(check_replay(its) == "");
    }
}

TEST_CASE("results: a replay asks a kernel for what is wanted only") {
    for (std::size_t wanted : {0, 1, 2}) {
        Tape tape;
        const Node x = tape.input(ramp(4)), z = trigonometric(x)[wanted];
        Replay replay(compile(tape, z));
        std::fill(std::begin(computed), std::end(computed), 0);
        replay.run();
        for (std::size_t k : {0, 1, 2}) CHECK(computed[k] == (k == wanted));
    }
    Tape tape;
    const Node x = tape.input(ramp(1000));
    const std::size_t one = compile(tape, sum(trigonometric(x)[1])).arena_bytes();
    CHECK(one < 2 * 8000);
}

TEST_CASE("results: as text and as a file; what is no result is refused") {
    const Primitive* const own[] = {&trigonometry};
    Tape tape;
    const Node x = tape.input(Tensor{0.25});
    const auto z = trigonometric(x);
    const Program program(tape, {z[1], z[2]});
    const std::string text = to_text(program);
    CHECK(text.find("%2 = result %1 index=1 : float64(1,)") != std::string::npos);
    CHECK(text.find("%3 = result %1 index=2 : int64(1,)") != std::string::npos);
    verify(program);
    const std::string bytes = to_bytes(program);
    Replay replay(compile(from_bytes(bytes, own)));
    replay.run();
    CHECK(replay.output(0).item() == std::cos(0.25));
    CHECK(to_text(from_bytes(bytes, own)) == text);
    for (const char* index : {"0", "3", "-1"}) {
        std::string wrong = text.substr(0, text.find("return"));
        wrong.replace(wrong.find("index=1"), 7, "index=" + std::string(index));
        CHECK_THROWS_AS(from_bytes("gradtape program 1\n" + wrong + "return %1\nvalue %0\ndata 8 0000000000000000", own),
                        FormatError);
    }
    for (const Primitive* p : primitive_table())
        if (p->takes_result)
            CHECK(refused<ValueError>([&] { (void)gradtape::apply(*p, {x}, {{"index", std::int64_t(1)}}); }, {"result"}) == "");
}

TEST_CASE("results: a result that is named twice, as passes that are off may leave it, is one") {
    Tape tape;
    const Node x = tape.input(ramp(3));
    const auto z = trigonometric(x);
    Program::Body body = Program(tape, {z[1], z[1]}).body();
    body.instructions.push_back(body.instructions[z[1].index()]);
    body.outputs[1] = detail::Index(body.instructions.size() - 1);
    const Program program(std::make_unique<Program::Body>(body));
    for (const NamedOptions& its : option_sets()) {
        CAPTURE(its.name);
        Replay replay(compile(program, its.options));
        replay.run();
        for (std::size_t k : {0, 1}) CHECK(same_bits(replay.output(k), z[1].value()));
    }
}

TEST_CASE("results: logsumexp gives its slope along, which a gradient takes and a loss alone does not pay for") {
    Tape tape;
    const Node x = tape.input(Random(2).tensor({40, 10}, -1, 1));
    const Node y = sum(logsumexp(x, 1)), g = grad(y, x);
    CHECK(to_text(Program(tape, {y, g})).find("softmax") == std::string::npos);
    CHECK(same_bits(g.value(), softmax(x, 1).value()));
    const std::size_t loss = compile(tape, y).arena_bytes(), both = compile(tape, {y, g}).arena_bytes();
    CHECK(loss < 1000);
    CHECK(both >= loss);
}

}  // namespace
}  // namespace gradtape::test

// Small programs that once compiled wrongly, or nearly; and the shrinker, where the smallest program is known.
#include "support/pass_check.hpp"
#include "support/replay_program.hpp"

#include <gradtape/check.hpp>

#include <doctest/doctest.h>

#include <algorithm>

namespace gradtape::test {
namespace {

/// The case of a function of inputs; fresh leaves are the recorded ones plus 0.25.
Case of(const std::function<std::vector<Node>(Tape&, std::span<const Node>)>& function,
        const std::vector<Tensor>& inputs) {
    Case its;
    Tape tape;
    std::vector<Node> x;
    for (const Tensor& input : inputs) {
        its.recorded.inputs.push_back(input);
        its.fresh.inputs.push_back((tape.constant(input) + 0.25).value());
        x.push_back(tape.input(input));
    }
    const std::vector<Node> outputs = function(tape, x);
    its.body = Program(tape, outputs).body();
    return its;
}

Tensor ramp(const Shape& shape) { return Random(1).tensor(shape, -1, 1); }

TEST_CASE("replay: a broadcast of a broadcast is written out before it is read") {
    // The product is of the size of tanh's group, which comes before the first broadcast.
    const Case its = of(
        [](Tape&, std::span<const Node> x) {
            const Node early = tanh(x[0]);
            const Node row = broadcast_to(x[1], {2});
            return std::vector<Node>{early, x[2] * broadcast_to(row, {5, 2})};
        },
        {ramp({5, 2, 1}), Tensor(0.5), ramp({5, 2})});
    CHECK(check_replay(its) == "");
}

TEST_CASE("replay: a broadcast through a reshape of a broadcast is kept as long as it is read") {
    const Case its = of(
        [](Tape&, std::span<const Node> x) {
            const Node row = reshape(broadcast_to(x[0], {1, 40}), {40});
            Node y = x[1];
            for (int i = 0; i < 6; ++i) y = sum(y * broadcast_to(row, {30, 40}), Axes(0)) + x[1];
            return std::vector<Node>{y};
        },
        {Tensor(0.5), ramp({30, 40})});
    CHECK(check_replay(its) == "");
}

TEST_CASE("replay: an empty product is zero") {
    for (DType dtype : floating) {
        const Case its = of(
            [](Tape&, std::span<const Node> x) {
                return std::vector<Node>{matmul(x[0], x[1]), matmul(x[1], x[0]), matmul(x[0], x[2]),
                                         matmul(x[0], x[0], {.y = true})};
            },
            {Tensor::zeros({3, 0}, dtype), Tensor::zeros({0, 3}, dtype), Tensor::zeros({0, 1}, dtype)});
        CHECK(check_replay(its) == "");
    }
}

TEST_CASE("replay: a value read at its own place and as a row in one group") {
    const Case its = of(
        [](Tape&, std::span<const Node> x) {
            const Node a = sum(x[0], Axes(0));  // (60)
            const Node b = tanh(a) * 2.0;       // may not take a's place: a is a row below
            return std::vector<Node>{b, sin(x[0] * a) + b, a - b};
        },
        {ramp({30, 60})});
    CHECK(check_replay(its) == "");
}

TEST_CASE("replay: sizes of elements change within a group over several blocks") {
    const Case its = of(
        [](Tape&, std::span<const Node> x) {
            const Node narrow = cast(x[0], DType::float32) * 0.5f;
            const Node positive = greater(narrow, 0.0), whole = cast(x[0] * 8.0, DType::int64);
            const Node back = where(positive, cast(narrow, DType::float64), cast(whole, DType::float64));
            return std::vector<Node>{back, sum(back * x[0]), cast(positive, DType::int64) + whole, narrow};
        },
        {ramp({4097})});
    CHECK(check_replay(its) == "");
}

/// z = x² + offset, a kernel of the user's.
const Primitive own{
    .name = "own",
    .arity = 1,
    .shape = [](const ShapeCall& call) { return call[0]; },
    .kernel =
        [](const KernelCall& call) {
            const auto x = call.input<double>(0);
            const auto z = call.result<double>();
            for (std::size_t i = 0; i < x.size(); ++i) z[i] = x[i] * x[i] + call.attributes.get<double>("offset");
        },
    .vjp = [](const VjpCall& call) { call.give(0, call.z_bar * 2 * call.x[0]); },
};

/// z = x y + 1: an elementwise kernel of the user's, which is called for the whole tensor, also among loops of the library's.
const Primitive own_elementwise{
    .name = "own_elementwise",
    .arity = 2,
    .shape = [](const ShapeCall& call) { return call[0]; },
    .kernel =
        [](const KernelCall& call) {
            const auto x = call.input<double>(0), y = call.input<double>(1);
            const auto z = call.result<double>();
            for (std::size_t i = 0; i < x.size(); ++i) z[i] = x[i] * y[i] + 1;
        },
    .vjp = vjp_by_operand([](const Operands& x, Node, Node z_bar) { return z_bar * x[1]; },
                          [](const Operands& x, Node, Node z_bar) { return z_bar * x[0]; }),
    .elementwise = true,
    .dtypes = {DType::float64},
};

TEST_CASE("replay: an elementwise primitive of one's own, in both modes") {
    const auto f = [](std::span<const Node> x) {
        const Node z = gradtape::apply(own_elementwise, {exp(x[0]) + 1.0, full_like(x[0], 2.0)});
        return gradtape::apply(own_elementwise, {z * x[1], gradtape::apply(own_elementwise, {x[1], x[1]})});
    };
    CHECK(check_gradient(f, {ramp({5}), ramp({5})}));
    for (std::int64_t n : {1, 7, 4097})
        CHECK(check_replay(of(
                  [&](Tape&, std::span<const Node> x) {
                      const Node z = f(x);
                      return std::vector<Node>{sum(z), z, grad(sum(z), x[0]), jvp(z, x[1], x[0])};
                  },
                  {ramp({n}), ramp({n})})) == "");
    Tape tape;
    const Node x = tape.input(Tensor{1, 2});
    CHECK_THROWS_AS(gradtape::apply(own_elementwise, {x, tape.input(Tensor{1})}), ShapeError);
    CHECK_THROWS_AS(gradtape::apply(own_elementwise, {x, cast(x, DType::float32)}), DTypeError);
    CHECK_THROWS_AS(gradtape::apply(own_elementwise, {cast(x, DType::float32), cast(x, DType::float32)}), DTypeError);
}

/// Layers whose bias, or relu, may or may not join the product; and what reads the values in between.
std::vector<Node> layers(Node x, Node w, Node b, int which) {
    const Node product = matmul(x, w, {.y = true}), z = which % 2 ? b + product : product + b, y = relu(z);
    switch (which / 2) {
        case 0: return {sum(y), y};
        case 1: return {y * product};
        case 2: return {y, z};
        case 3: return {z - tanh(z)};
        case 4: return {grad(sum(square(y)), {x, w, b})[0], grad(sum(square(y)), {x, w, b})[2]};
        case 5: return {relu(reshape(z, {-1}))};
        case 6: return {relu(product + reshape(b, {1, -1})), product * 2.0};
        // Rows that are computed after the product.
        case 7: return {product + sum(w, Axes(1)), relu(matmul(x, w + 1.0, {.y = true}) + sum(w + 1.0, Axes(1)))};
        case 8: return {relu(product + tanh(b)), exp(matmul(x, w + 1.0, {.y = true}) + tanh(b))};
        case 9: return {matmul(x, w, {.y = true}) + sum(product, Axes(0)), z + sum(z, Axes(0))};
        default: return {matmul(relu(product + b), w) + broadcast_to(sum(b), x.shape())};
    }
}

bool has_joined(const Case& its) {
    return compile(Program(std::make_unique<Program::Body>(its.body))).explain().find(" along)") != std::string::npos;
}

TEST_CASE("replay: biases and relu join small products where nothing else reads these") {
    int joined = 0;
    for (DType dtype : floating)
        for (std::int64_t rows : {1, 2, 3, 16, 33})
            for (std::int64_t columns : {1, 3, 16, 40})
                for (int which = 0; which < 22; ++which) {
                    CAPTURE(rows);
                    CAPTURE(columns);
                    CAPTURE(which);
                    const auto leaf = [&](const Shape& shape) { return Random(7).tensor(shape, -1, 1, dtype); };
                    const Case its = of([&](Tape&, std::span<const Node> x) { return layers(x[0], x[1], x[2], which); },
                                        {leaf({rows, 5}), leaf({columns, 5}), leaf({columns})});
                    CHECK(check_replay(its) == "");
                    joined += has_joined(its);
                }
    CHECK(joined > 100);
}

TEST_CASE("replay: logsumexp with and without its slope, and softmax, along every axis") {
    for (DType dtype : floating)
        for (const Shape& shape : {Shape{1, 3}, Shape{20, 10}, Shape{33, 40}, Shape{3, 0}, Shape{0, 3}, Shape{4, 5, 6}})
            for (int axis = 0; axis < int(shape.rank()); ++axis)
                for (int which = 0; which < 4; ++which) {
                    CAPTURE(to_string(shape));
                    CAPTURE(axis);
                    CAPTURE(which);
                    const auto function = [&](Tape&, std::span<const Node> x) -> std::vector<Node> {
                        const Node y = which % 2 ? tanh(x[0]) : x[0], z = logsumexp(y, axis);
                        if (which < 2) return {softmax(y, axis), z};
                        return {grad(sum(square(z)), x[0]), softmax(y, axis) * y};
                    };
                    CHECK(check_replay(of(function, {Random(3).tensor(shape, -4, 4, dtype)})) == "");
                }
}

TEST_CASE("replay: a layer's result may become its weight") {
    for (bool join : {true, false}) {
        Tape tape;
        const Node w = tape.parameter(ramp({40, 40})), b = tape.parameter(ramp({40}));
        const Node next = relu(matmul(w, w, {.y = true}) + b);
        const Compiled compiled = compile(tape, {sum(next)}, {{w, next}}, {.join = join});
        CHECK((compiled.explain().find("(with 2 operations along)") != std::string::npos) == join);
        Replay replay(compiled);
        replay.run();
        CHECK(same_bits(replay.parameter(0), next.value()));
    }
}

/// 150 operations in a row, of which each reads the one before and one that is up to 90 places back.
std::vector<Node> far_and_near(Node x, Node y) {
    std::vector<Node> values{x, y};
    for (std::size_t i = 2; i < 152; ++i) {
        const Node last = values[i - 1], old = values[i - 2 - i * i % std::min<std::size_t>(i - 1, 90)];
        values.push_back(i % 7 == 0   ? tanh(last)
                         : i % 7 == 1 ? old - last
                         : i % 7 == 2 ? last * last
                         : i % 7 == 3 ? 0.5 * last
                         : i % 7 == 4 ? -last
                                      : last + 0.25 * old);
    }
    return {values[150], values[60], sum(values[151]), values[151]};
}

TEST_CASE("replay: chains of all lengths, with values read in registers, by later links, by other chains and outside") {
    for (std::int64_t size : {0, 1, 3, 16, 17, 63, 64, 65, 200, 1024, 1025, 2500}) {
        CAPTURE(size);
        const Case its = of([](Tape&, std::span<const Node> x) { return far_and_near(x[0], x[1]); },
                            {ramp({size}), ramp({size})});
        CHECK(check_replay(its) == "");
        // Of two dtypes, with what is no link between them.
        const Case mixed = of(
            [](Tape&, std::span<const Node> x) {
                const std::vector<Node> narrow = far_and_near(cast(x[0], DType::float32), cast(x[1], DType::float32));
                const Node chosen = where(narrow[0] > narrow[1], x[0], cast(narrow[3], DType::float64));
                return far_and_near(chosen, x[1] * cast(narrow[2], DType::float64));
            },
            {ramp({size}), ramp({size})});
        CHECK(check_replay(mixed) == "");
    }
}

TEST_CASE("replay: explain tells what was chained") {
    Tape tape;
    const Node x = tape.input(ramp({65}));
    const auto report = [&](const CompileOptions& options) {
        return compile(tape, {sum(tanh(x) * exp(-x) + x), reshape(square(sin(x)) + x, {5, 13})}, {}, options).explain();
    };
    // One group, in which sin, the C library's, and the sum are no links.
    CHECK(report({}).find("fused: 9 operations in 1 groups, 7 of them in 2 chains\n") != std::string::npos);
    CHECK(report({.chain = false}).find("fused: 9 operations in 1 groups\n") != std::string::npos);
}

TEST_CASE("replay: a primitive of the user's among others, on inputs and on constants") {
    for (const Shape& shape : {Shape{3}, Shape{4097}, Shape{}, Shape{0, 2}}) {
        const Case its = of(
            [&](Tape& tape, std::span<const Node> x) {
                const auto mine = [](Node y, double offset) { return gradtape::apply(own, {y}, {{"offset", offset}}); };
                const Node y = mine(tanh(x[0]), 1) * x[0] + mine(tanh(x[0]), 2), z = mine(tape.full(shape, 3), 1);
                return std::vector<Node>{y + z, mine(broadcast_to(sum(x[0]), shape), 1), grad(sum(y), x[0])};
            },
            {ramp(shape)});
        CHECK(check_replay(its) == "");
    }
}

TEST_CASE("replay: the shrinker finds the smallest program with a complaint") {
    // The complaint: a tanh of something that is a sum.
    const Complaint complaint = [](const Case& its) -> std::string {
        if (!check_replay(its, option_sets()[0]).empty()) return "";  // every candidate is a valid program
        for (const auto& instruction : its.body.instructions)
            if (std::string_view("tanh") == instruction.primitive->name &&
                std::string_view("sum") == its.body.instructions[instruction.operands[0]].primitive->name)
                return "tanh of a sum";
        return "";
    };
    int found = 0;
    for (std::uint64_t seed = 0; seed < 400 && found < 3; ++seed) {
        Case its = replay_program(seed);
        if (complaint(its).empty() || its.body.instructions.size() < 20) continue;
        ++found;
        const Case small = shrunk(its, complaint);
        INFO(report(small, complaint(small)));
        CHECK(complaint(small) == "tanh of a sum");
        CHECK(small.body.instructions.size() == 3);  // input, sum, tanh
        CHECK(small.body.outputs.empty());
        CHECK(small.body.updates.empty());
        CHECK(broken_rule(small.body) == "");
    }
    CHECK(found == 3);
}

}  // namespace
}  // namespace gradtape::test

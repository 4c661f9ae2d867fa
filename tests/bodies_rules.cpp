// Recomputation, and derivatives of one's own.
#include "support/body_check.hpp"
#include "support/refusals.hpp"

#include <gradtape/compile.hpp>

#include <doctest/doctest.h>

#include <cmath>

namespace gradtape::test {
namespace {

using Nodes = std::span<const Node>;

std::vector<Node> dense(Nodes x) { return {tanh(matmul(x[0], x[1]) + 0.5), sum(x[1] * x[1])}; }
std::vector<Node> counting(Nodes x) {
    const Node steps = x[0] + 1;  // int64
    return {steps, exp(x[1]) * cast(steps, DType::float64), x[1]};
}
Node waves(Nodes x) { return sin(x[0] * x[1]); }
std::vector<Node> slopes_of_waves(Nodes x, Nodes, Nodes z_bar) {
    const Node share = z_bar[0] * cos(x[0] * x[1]);
    return {share * x[1], share * x[0]};
}
Node slope_along(Nodes x, Nodes, Nodes x_dot) { return cos(x[0] * x[1]) * (x_dot[0] * x[1] + x[0] * x_dot[1]); }

std::vector<BodyCase> rule_cases() {
    Random random(6);
    const Tensor a = random.tensor({2, 3}, -1, 1), b = random.tensor({3, 4}, -1, 1), n = Tensor::full({}, 3, DType::int64);
    const Tensor v = random.tensor({4}, -1, 1), w = random.tensor({4}, -1, 1), f = random.tensor({4}, -1, 1, DType::float32);
    const auto own = [](Nodes x) { return custom_vjp(waves, slopes_of_waves, x); };
    const auto pushed = [](Nodes x) { return custom_jvp(waves, slope_along, x); };
    std::vector<BodyCase> all;
    all.push_back({"checkpoint", [](Nodes x) { return checkpoint(dense, x); }, dense, {a, b}, true, true, {1}});
    all.push_back({"checkpoint, integers first", [](Nodes x) { return checkpoint(counting, x); }, counting, {n, v}});
    all.push_back({"checkpoints within one", [](Nodes x) {
        const auto half = [](Nodes y) { return checkpoint([](Nodes q) { return tanh(exp(q[0])); }, y); };
        return checkpoint([&](Nodes y) { return half(half(y)); }, x);
    }, [](Nodes x) { return tanh(exp(tanh(exp(x[0])))); }, {f}});
    all.push_back({"a vjp of one's own", own, waves, {v, w}});
    all.push_back({"a vjp of one's own, float32", own, waves, {f, f}, true, true, {1}});
    all.push_back({"a vjp of one's own, the other shared", own, waves, {v, w}, true, true, {0}});
    all.push_back({"a vjp by the results", [](Nodes x) {
        return custom_vjp([](Nodes y) { return exp(y[0]); }, [](Nodes, Nodes z, Nodes z_bar) { return z[0] * z_bar[0]; }, x);
    }, [](Nodes x) { return exp(x[0]); }, {v}});
    all.push_back({"a vjp, integers among them", [](Nodes x) {
        return custom_vjp(counting, [](Nodes y, Nodes z, Nodes z_bar) {
            CHECK_FALSE(z_bar[0].is_valid());
            return std::vector<Node>{Node(), z_bar[1] * exp(y[1]) * cast(z[0], DType::float64) + z_bar[2]};
        }, x);
    }, counting, {n, v}});
    all.push_back({"a jvp of one's own", pushed, waves, {v, w}});
    all.push_back({"a jvp of one's own, one shared", pushed, waves, {v, w}, true, true, {1}});
    all.push_back({"a rule that leaves one out", [](Nodes x) {
        return custom_vjp([](Nodes y) { return y[0] * stop_gradient(y[1]); }, [](Nodes y, Nodes, Nodes z_bar) { return std::vector<Node>{z_bar[0] * y[1], Node()}; }, x);
    }, [](Nodes x) { return x[0] * stop_gradient(x[1]); }, {v, w}});
    return all;
}

TEST_CASE("bodies: checkpoints and rules of one's own have the derivatives of the function written out") {
    for (const BodyCase& its : rule_cases()) {
        CAPTURE(its.name);
        // (where the second factor is held, so is its slope's)
        if (its.name != "a rule that leaves one out") CHECK(check_derivatives(its) == "");
        CHECK(check_compiled(its) == "");
    }
}

constexpr int layers = 64;

/// A chain of layers in segments, each as `segment` calls it; its loss and the gradient of the first operand.
template <class Segment>
Compiled chain(int per_segment, const Segment& segment, const CompileOptions& options = {}) {
    gradtape::Tape tape(Recording::abstract);
    const Node w = tape.parameter(Type{DType::float64, {32, 32}});
    Node h = tape.input(Type{DType::float64, {32, 32}});
    const Node x = h;
    for (int done = 0; done < layers; done += per_segment) {
        const auto part = [&](Nodes at) {
            Node y = at[0];
            for (int k = 0; k < per_segment; ++k) y = tanh(matmul(y, at[1]));
            return y;
        };
        h = segment(part, std::vector<Node>{h, w});
    }
    const Node loss = sum(h);
    return compile(tape, {loss, grad(loss, {x, w})}, {}, options);
}

TEST_CASE("bodies: checkpoints of segments save memory, and no pass undoes that") {
    const auto plain = [](const auto& part, const std::vector<Node>& at) -> Node { return part(at); };
    const auto kept = [](const auto& part, const std::vector<Node>& at) { return checkpoint(part, at)[0]; };
    const std::size_t value = 32 * 32 * 8, all = chain(8, plain).arena_bytes();
    CHECK(all >= layers * value);
    const std::size_t by_root = chain(8, kept).arena_bytes();
    CHECK(by_root <= 28 * value);  // 8 between the segments, two for each layer of one, and a few
    CHECK(chain(8, kept, {.inline_calls = false}).arena_bytes() <= 32 * value);
    MESSAGE("bytes of 64 layers: " << all << ", in segments of 8: " << by_root << ", of 2: " << chain(2, kept).arena_bytes() << ", of 32: "
                                   << chain(32, kept).arena_bytes());
}

/// 2^depth layers, halved again and again.
std::vector<Node> halved(Nodes x, int depth) {
    if (depth == 0) return {tanh(matmul(x[0], x[1])), x[1]};
    return checkpoint([=](Nodes at) { return halved(checkpoint([=](Nodes half) { return halved(half, depth - 1); }, at), depth - 1); }, x);
}

TEST_CASE("bodies: checkpoints within checkpoints need memory that grows as the logarithm of the depth") {
    const auto bytes = [](int depth) {
        gradtape::Tape tape(Recording::abstract);
        const Node x = tape.input(Type{DType::float64, {32, 32}}), w = tape.input(Type{DType::float64, {32, 32}});
        return compile(tape, {grad(sum(halved(std::vector{x, w}, depth)[0]), x)}).arena_bytes();
    };
    const std::size_t value = 32 * 32 * 8, four = bytes(2), sixteen = bytes(4), sixty_four = bytes(6);
    CHECK(sixteen <= four + 6 * value);
    CHECK(sixty_four <= sixteen + 6 * value);
}

TEST_CASE("bodies: a tape holds nothing of what is within a checkpoint") {
    const auto bytes = [](bool kept) {
        Tape tape;
        const Node x = tape.input(Tensor::full({1000}, 0.5));
        const auto part = [](Nodes y) {
            Node z = y[0];
            for (int k = 0; k < 1000; ++k) z = sin(z);
            return z;
        };
        const Node z = kept ? checkpoint(part, {x})[0] : part(std::vector{x});
        (void)z.value();
        return tape.bytes();
    };
    CHECK(bytes(true) * 10 < bytes(false));
}

TEST_CASE("bodies: a gradient that is better than that of the formula, clipped, or straight through") {
    Tape tape;
    const Node x = tape.input(Tensor{-2, 3, 800});
    const auto formula = [](Nodes y) { return log(1.0 + exp(y[0])); };
    CHECK(values(grad(sum(formula(std::vector{x})), x))[2] == 0);  // 1 is true
    const auto log1pexp = [&](Node at) { return custom_vjp(formula, [](Nodes y, Nodes, Nodes z_bar) { return z_bar[0] * sigmoid(y[0]); }, {at})[0]; };
    CHECK(mismatch(grad(sum(log1pexp(x)), x), {1 / (1 + std::exp(2)), 1 / (1 + std::exp(-3)), 1}, {.relative = 1e-15}) == "");
    const Node slope = grad(sum(log1pexp(x)), x);
    CHECK(mismatch(grad(sum(slope), x), values(sigmoid(x) * (1.0 - sigmoid(x))), {.relative = 1e-13}) == "");
    const auto clipped = [](Node at) {
        return custom_vjp([](Nodes y) { return y[0]; }, [](Nodes, Nodes, Nodes z_bar) { return clamp(z_bar[0], -1, 1); }, {at})[0];
    };
    CHECK(values(grad(sum(clipped(x) * Tensor{0.5, -7, 3}), x)) == std::vector<double>{0.5, -1, 1});
    const auto straight = [](Node at) {
        return custom_jvp([](Nodes y) { return sign(y[0]); }, [](Nodes, Nodes, Nodes dot) { return dot[0]; }, {at})[0];
    };
    CHECK(values(straight(x)) == std::vector<double>{-1, 1, 1});
    CHECK(values(grad(sum(straight(x) * 2.0), x)) == std::vector<double>{2, 2, 2});
    CHECK(values(jvp(straight(x), x, full_like(x, 3))) == std::vector<double>{3, 3, 3});
}

TEST_CASE("bodies: rules that do not fit are refused") {
    Tape tape;
    const Node x = tape.input(Tensor{1, 2, 3}), n = tape.input(Tensor::zeros({}, DType::int64));
    const auto same = [](Nodes y) { return y[0]; };
    CHECK(refused<ShapeError>([&] { custom_vjp(same, [](Nodes, Nodes, Nodes z_bar) { return sum(z_bar[0]); }, {x}); }, {.name = "custom_vjp"}) == "");
    CHECK(refused<DTypeError>([&] { custom_vjp(same, [](Nodes, Nodes, Nodes z_bar) { return cast(z_bar[0], DType::float32); }, {x}); }, {.name = "custom_vjp"}) == "");
    CHECK(refused<ValueError>([&] { custom_jvp(same, [](Nodes, Nodes, Nodes) { return std::vector<Node>(); }, {x}); }, {.name = "custom_jvp"}) == "");
    CHECK(refused<ValueError>([&] { custom_vjp(same, VjpFunction(), {x}); }, {.name = "custom_vjp"}) == "");
    CHECK(refused<ValueError>([&] { custom_vjp([](Nodes y) { return y[0] + 1; }, [](Nodes, Nodes, Nodes) { return Node(); }, {n}); }, {.name = "custom_vjp"}) == "");
}

}  // namespace
}  // namespace gradtape::test

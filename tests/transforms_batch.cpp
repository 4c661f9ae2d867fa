// vmap against a loop over the examples, for every primitive; per-sample gradients, Jacobians, Hessians; what is refused.
#include "support/refusals.hpp"
#include "support/samples.hpp"

#include <gradtape/compile.hpp>
#include <gradtape/vmap.hpp>

#include <doctest/doctest.h>

#include <cmath>

namespace gradtape::test {
namespace {

bool may_be_mapped(const Primitive& p) { return !p.effect; }

TEST_CASE("batch: every primitive has a batching rule, or is elementwise, or has an effect") {
    for (const Primitive* p : operations()) {
        CAPTURE(std::string(p->name));
        CHECK((p->batch || p->elementwise || p->effect));
    }
}

/// Example b of a batch.
Node example(Node batch, std::int64_t b) {
    Shape shape;
    for (std::size_t i = 1; i < batch.shape().rank(); ++i) shape.push_back(batch.shape()[i]);
    return reshape(slice(batch, {{b, b + 1}}), shape);
}

/// "" where vmap of the primitive gives what a loop gives; operand k is mapped where bit k of `which` is set.
std::string against_loop(const Primitive& p, const Sample& sample, DType dtype, unsigned which, std::int64_t size, Random& random) {
    Tape tape;
    std::vector<Node> inputs;
    MapAxes axes;
    std::vector<std::vector<Tensor>> examples;
    for (std::int64_t b = 0; b < std::max<std::int64_t>(1, size); ++b) examples.push_back(sample_operands(p, sample, dtype, random));
    for (std::size_t k = 0; k < sample.shapes.size(); ++k) {
        const bool mapped = k >= 31 || (which >> k & 1);
        std::vector<Node> each;
        for (const auto& operands : examples) each.push_back(tape.input(operands[k]));
        Shape none{0};
        for (std::int64_t extent : sample.shapes[k]) none.push_back(extent);
        inputs.push_back(!mapped ? each[0] : size == 0 ? tape.input(Tensor::zeros(none, each[0].dtype())) : stack(each, 0));
        axes.in.push_back(mapped ? 0 : unmapped);
    }
    const auto one = [&](std::span<const Node> x) { return apply_all(p, x, sample.attributes); };
    const std::vector<Node> z = vmap(one, inputs, axes);
    for (std::size_t k = 0; k < z.size(); ++k)
        if (z[k].shape()[0] != size) return "result " + std::to_string(k) + " is " + to_string(z[k].type());
    for (std::int64_t b = 0; b < size; ++b) {
        std::vector<Node> x;
        for (std::size_t k = 0; k < inputs.size(); ++k) x.push_back(axes.in[k] == unmapped ? inputs[k] : example(inputs[k], b));
        const std::vector<Node> expected = one(x);
        for (std::size_t k = 0; k < z.size(); ++k) {
            const double near = dtype == DType::float32 ? 1e-5 : 1e-13;
            const std::string why = mismatch(example(z[k], b), values(expected[k]), {.relative = near, .absolute = near});
            if (!why.empty()) return "example " + std::to_string(b) + ", result " + std::to_string(k) + ": " + why;
        }
    }
    return "";
}

TEST_CASE("batch: vmap of every primitive is a loop over the examples, whichever operands are mapped") {
    Random random(91);
    for (const Primitive* p : operations()) {
        if (!may_be_mapped(*p)) continue;
        for (DType dtype : {DType::float32, DType::float64, DType::int64, DType::boolean}) {
            if (!p->dtypes.contains(dtype)) continue;
            for (const Sample& sample : samples(*p)) {
                if (sample.result > 0) continue;
                bool fits = true;  // tensors have eight axes at most
                std::int64_t elements = 0;
                for (const Shape& shape : sample.shapes) fits = fits && shape.rank() < 5, elements += shape.elements();
                if (!fits || elements > 500) continue;
                const unsigned all = sample.shapes.size() < 5 ? (1u << sample.shapes.size()) - 1 : ~0u;
                for (unsigned which = 1; which <= (all == ~0u ? 1u : all); ++which)
                    for (std::int64_t size : {1, 3, 0}) {
                        CAPTURE(name_of(*p, sample) + " " + to_string(dtype) + ", operands " + std::to_string(which) + ", " +
                                std::to_string(size) + " examples of " + to_string(sample.shapes[0]));
                        CHECK(against_loop(*p, sample, dtype, all == ~0u ? all : which, size, random) == "");
                    }
            }
        }
    }
}

/// The post's network and loss for one example: x (3), y ().
Node loss_of(Node w1, Node w2, Node x, Node y) { return softplus(-y * 2.0 * matmul(w2, sigmoid(2.0 * matmul(w1, x)))); }

TEST_CASE("batch: per-sample gradients are those of a loop") {
    Random random(3);
    Tape tape;
    const Node w1 = tape.parameter(random.tensor({5, 3}, -1, 1)), w2 = tape.parameter(random.tensor({5}, -1, 1));
    const Node x = tape.input(random.tensor({7, 3}, -1, 1)), y = tape.input(Tensor{1, -1, 1, 1, -1, -1, 1});
    const auto gradients = [](std::span<const Node> at) { return grad(sum(loss_of(at[0], at[1], at[2], at[3])), {at[0], at[1]}); };
    const std::vector<Node> all = vmap(gradients, {w1, w2, x, y}, {{unmapped, unmapped, 0, 0}, 0});
    CHECK(all[0].shape() == Shape{7, 5, 3});
    CHECK(all[1].shape() == Shape{7, 5});
    for (std::int64_t b = 0; b < 7; ++b) {
        const Node at[] = {w1, w2, example(x, b), example(y, b)};
        const std::vector<Node> one = gradients(at);
        CHECK(mismatch(example(all[0], b), values(one[0]), {.relative = 1e-13}) == "");
        CHECK(mismatch(example(all[1], b), values(one[1]), {.relative = 1e-13}) == "");
    }
    // Their sum is the gradient of the sum; and they are differentiated and replayed like anything else.
    const Node total = sum(square(all[0]));
    const Node second = grad(total, w1);
    Replay replay(compile(tape, {all[0], second}));
    replay.run();
    CHECK(same_bits(replay.output(0), all[0].value()));
    CHECK(same_bits(replay.output(1), second.value()));
}

TEST_CASE("batch: axes of inputs and results, negative ones, nested maps, what does not depend on the batch") {
    Tape tape;
    const Node a = tape.input(Random(4).tensor({2, 3, 4}, -1, 1)), b = tape.input(Random(5).tensor({3}, -1, 1));
    const auto f = [](std::span<const Node> x) { return Several<Node>{x[0] * sum(x[1]), x[1] + 1.0}; };
    const auto z = vmap(f, {a, b}, {{1, 0}, -1});
    CHECK(z[0].shape() == Shape{2, 4, 3});
    CHECK(mismatch(z[0], values(transpose(transpose(a, {0, 2, 1}) * b, {0, 1, 2})), {.relative = 1e-15}) == "");
    CHECK(mismatch(z[1], values(b + 1.0)) == "");
    const auto shared = vmap(f, {a, b}, {{-1, unmapped}, 0});
    CHECK(shared[0].shape() == Shape{4, 2, 3});
    CHECK(shared[1].shape() == Shape{4, 3});
    CHECK(mismatch(example(shared[1], 2), values(b + 1.0)) == "");
    // All pairs of rows, by two maps.
    const auto pair = [](std::span<const Node> x) { return sum(square(x[0] - x[1])); };
    const auto with_all = [&](std::span<const Node> x) { return vmap(pair, {x[0], x[1]}, {{unmapped, 0}, 0}); };
    const Node rows = tape.input(Tensor{{0, 0}, {3, 4}, {0, 1}});
    CHECK(mismatch(vmap(with_all, {rows, rows}, {{0, unmapped}, 0})[0], {0, 25, 1, 25, 0, 18, 1, 18, 0}) == "");
}

TEST_CASE("batch: Jacobians by either mode, and Hessians") {
    for (DType dtype : floating) {
        Tape tape;
        const Node x = cast(tape.input(Tensor{0.5, -1, 2}), dtype);
        const auto wide = [](Node at) { return concatenate({square(at), sin(at)}, 0); };     // forward
        const auto narrow = [](Node at) { return reshape(sum(at * square(at)), {1, 1}); };   // reverse
        const double near = dtype == DType::float32 ? 1e-6 : 1e-14;
        CHECK(jacobian(wide, x).shape() == Shape{6, 3});
        CHECK(mismatch(jacobian(wide, x), {1, 0, 0, 0, -2, 0, 0, 0, 4, std::cos(0.5), 0, 0, 0, std::cos(1.0), 0, 0, 0, std::cos(2.0)},
                       {.relative = near}) == "");
        CHECK(jacobian(narrow, x).shape() == Shape{1, 1, 3});
        CHECK(mismatch(jacobian(narrow, x), {0.75, 3, 12}, {.relative = near}) == "");
        CHECK(mismatch(hessian(narrow, x), {3, 0, 0, 0, -6, 0, 0, 0, 12}, {.relative = near}) == "");
        const Node m = reshape(x, {3, 1});
        const auto product = [](Node at) { return sum(matmul(at, at, {.x = true})); };
        CHECK(hessian(product, m).shape() == Shape{3, 1, 3, 1});
        CHECK(mismatch(hessian(product, m), {2, 0, 0, 0, 2, 0, 0, 0, 2}, {.relative = near}) == "");
        CHECK(jacobian([](Node at) { return at; }, tape.input(Tensor::zeros({0}, dtype))).shape() == Shape{0, 0});
    }
}

const Primitive no_rule{
    .name = "no_rule",
    .arity = 1,
    .shape = [](const ShapeCall& call) { return call[0]; },
    .kernel = [](const KernelCall& call) { std::copy_n(call.input<double>(0).data(), call.result<double>().size(), call.result<double>().data()); },
};
const Primitive wrong_rule = [] {
    Primitive p = no_rule;
    p.name = "wrong_rule";
    p.batch = [](const BatchCall& call) { call.give(0, sum(call.x[0])); };
    return p;
}();

TEST_CASE("batch: refusals") {
    Tape tape, other;
    const Node x = tape.input(Tensor{{1, 2}, {3, 4}}), y = tape.input(Tensor{1, 2, 3}), foreign = other.input(Tensor{1, 2});
    const auto same = [](std::span<const Node> at) { return at[0]; };
    CHECK(refused<ValueError>([&] { (void)vmap(same, {}); }, {"vmap"}) == "");
    CHECK(refused<ValueError>([&] { (void)vmap(nullptr, {x}); }, {"vmap"}) == "");
    CHECK(refused<ValueError>([&] { (void)vmap(same, {x}, {{unmapped}, 0}); }, {"vmap"}) == "");
    CHECK(refused<ValueError>([&] { (void)vmap(same, {x, y}, {{0}, 0}); }, {"vmap"}) == "");
    CHECK(refused<ShapeError>([&] { (void)vmap(same, {x, y}); }, {"vmap"}) == "");
    CHECK(refused<ShapeError>([&] { (void)vmap(same, {x}, {{2}, 0}); }, {"vmap"}) == "");
    CHECK(refused<ShapeError>([&] { (void)vmap(same, {x}, {{0}, 3}); }, {"vmap"}) == "");
    CHECK(refused<ShapeError>([&] { (void)vmap(same, {tape.input(Tensor(1.0))}); }, {"vmap"}).ends_with("(transforms_batch.cpp:" + std::to_string(__LINE__) + ")"));
    CHECK(refused<TapeError>([&] { (void)vmap(same, {x, foreign}); }, {"vmap"}) == "");
    CHECK(refused<TapeError>([&] { (void)vmap([&](auto at) { return at[0] + x; }, {x}); }, {"add"}) == "");
    CHECK(refused<TapeError>([&] { (void)vmap([&](auto at) { return at[0] * sum(at[0]).item(); }, {x}); }, {"value"}) == "");
    CHECK(refused<ValueError>([&] { (void)vmap([&](auto at) { return gradtape::apply(no_rule, {at[0]}); }, {x}); }, {"no_rule"}) == "");
    CHECK(refused<ShapeError>([&] { (void)vmap([&](auto at) { return gradtape::apply(wrong_rule, {at[0]}); }, {x}); }, {"wrong_rule"}) == "");
    CHECK(refused<ShapeError>([&] { (void)hessian([](Node at) { return at; }, y); }, {"hessian"}) == "");
    CHECK(refused<NotDifferentiable>([&] { (void)jacobian([](Node at) { return at > 0.0; }, y); }, {"jacobian"}) == "");
}

}  // namespace
}  // namespace gradtape::test

// What derivatives record: in proportion to the way from wrt to y, at each call anew, and nothing of what y does not use.
#include "support/own_primitive.hpp"
#include "support/refusals.hpp"
#include "support/tensors.hpp"

#include <gradtape/check.hpp>

#include <doctest/doctest.h>

#include <functional>

namespace gradtape::test {
namespace {

/// Instructions that each of some calls records.
std::vector<std::size_t> recorded(const Tape& tape, int calls, const std::function<void()>& call) {
    std::vector<std::size_t> result;
    for (int i = 0; i < calls; ++i) {
        const std::size_t before = tape.size();
        call();
        result.push_back(tape.size() - before);
    }
    return result;
}

struct Transform {
    const char* name;
    std::function<Node(Node y, Node x, Node v)> apply;
};

const std::vector<Transform> transforms = {
    {"grad", [](Node y, Node x, Node) { return grad(y, x); }},
    {"vjp", [](Node y, Node x, Node) { return vjp(y, x, full_like(y, 2.0)); }},
    {"jvp", [](Node y, Node x, Node v) { return jvp(y, x, v); }},
    {"hvp", [](Node y, Node x, Node v) { return hvp(y, x, v); }},
    {"grad of grad", [](Node y, Node x, Node v) { return grad(sum(grad(y, x) * v), x); }},
    {"grad of jvp", [](Node y, Node x, Node v) { return grad(jvp(y, x, v), x); }},
    {"jvp of jvp", [](Node y, Node x, Node v) { return jvp(jvp(y, x, v), x, v); }},
    {"grad of hvp", [](Node y, Node x, Node v) { return grad(sum(hvp(y, x, v) * v), x); }},
    {"jvp of hvp", [](Node y, Node x, Node v) { return jvp(hvp(y, x, v), x, v); }},
};

TEST_CASE("transforms: each of many calls on one tape records as much as the first") {
    for (const Transform& transform : transforms) {
        CAPTURE(std::string(transform.name));
        Tape tape;
        const Node w = tape.parameter(Tensor{0.3, -0.2, 0.1});
        const Node x = tape.constant(Tensor{{1, 2, 3}, {-1, 0.5, 2}, {0.2, 0.1, -3}, {1, 1, 1}});
        const Node v = tape.constant(Tensor{1, -1, 0.5});
        const Node y = mean(softplus(matmul(x, w))) + 0.5 * sum(square(w)) + norm(tanh(w));
        const std::vector<std::size_t> added = recorded(tape, 12, [&] { transform.apply(y, w, v); });
        for (std::size_t a : added) CHECK(a <= added[0]);
        CHECK(added[0] > 5);
    }
}

TEST_CASE("transforms: all of them in turn, again and again, record the same each time") {
    Tape tape;
    const Node x = tape.parameter(Tensor{0.3, -0.2, 0.1}), v = tape.constant(Tensor{1, -1, 0.5});
    const Node y = sum(exp(sin(x)) * square(x));
    const std::vector<std::size_t> added =
        recorded(tape, 8, [&] { for (const Transform& transform : transforms) transform.apply(y, x, v); });
    for (std::size_t a : added) CHECK(a <= added[0]);
}

TEST_CASE("transforms: what y does not use adds nothing, in either mode") {
    for (const Transform& transform : transforms) {
        CAPTURE(std::string(transform.name));
        std::size_t added[2];
        for (int unused : {0, 1000}) {
            Tape tape;
            const Node x = tape.parameter(Tensor{0.3, -0.2}), v = tape.constant(Tensor{1, -1});
            const Node z = tanh(x);
            for (int i = 0; i < unused; ++i) (void)sin(x);
            const Node y = sum(z * x);
            added[unused > 0] = recorded(tape, 1, [&] { transform.apply(y, x, v); })[0];
        }
        CHECK(added[0] == added[1]);
    }
}

TEST_CASE("transforms: what does not depend on wrt adds nothing, in either mode") {
    for (const Transform& transform : transforms) {
        CAPTURE(std::string(transform.name));
        std::size_t added[2];
        for (int steps : {1, 1000}) {
            Tape tape;
            const Node x = tape.parameter(Tensor{0.3, -0.2}), v = tape.constant(Tensor{1, -1});
            Node other = tape.parameter(Tensor{1, 2});
            for (int i = 0; i < steps; ++i) other = sin(other);
            const Node y = sum(tanh(x) * other);
            added[steps > 1] = recorded(tape, 1, [&] { transform.apply(y, x, v); })[0];
        }
        CHECK(added[0] == added[1]);
    }
}

TEST_CASE("transforms: a short way through a long tape gives what it gives on a tape of its own") {
    Tape tape;
    const Node x = tape.parameter(Tensor{0.3, -0.2}), v = tape.constant(Tensor{1, -1});
    const auto f = [](Node at) { return sum(exp(at) * square(at)); };
    std::vector<Tensor> expected;
    for (const Transform& transform : transforms) expected.push_back(transform.apply(f(x), x, v).value());
    Node y = f(x);
    for (int round = 0; round < 3; ++round) {
        for (int i = 0; i < 5000; ++i) (void)sin(x);
        for (std::size_t k = 0; k < transforms.size(); ++k) {
            CHECK(same_bits(transforms[k].apply(y, x, v).value(), expected[k]));
            CHECK(same_bits(transforms[k].apply(f(x), x, v).value(), expected[k]));
        }
    }
    tape.clear();
    const Node again = tape.parameter(Tensor{0.3, -0.2}), w = tape.constant(Tensor{1, -1});
    CHECK(same_bits(hvp(f(again), again, w).value(), expected[3]));
}

const Primitive ruleless = user_primitive("ruleless");

TEST_CASE("transforms: a primitive without a rule is refused only where the derivative runs through it") {
    for (const Transform& transform : transforms) {
        CAPTURE(std::string(transform.name));
        Tape tape;
        const Node x = tape.parameter(Tensor{0.3, -0.2}), w = tape.parameter(Tensor{1, 2});
        const Node v = tape.constant(Tensor{1, -1});
        const Node unused = apply(ruleless, {square(x)});  // depends on x, and y does not need it
        const Node y = sum(exp(x) * apply(ruleless, {w})); // needed, and does not depend on x
        CHECK(transform.apply(y, x, v).on(tape));
        const Node through = sum(exp(x) * unused);
        CHECK(refused_anywhere<NotDifferentiable>([&] { transform.apply(through, x, v); }, {"ruleless"}) == "");
    }
}

/// A rule that differentiates, on the tape that is being differentiated.
void cubed_rule(const VjpCall& call) {
    call.give(0, vjp(call.x[0] * square(call.x[0]), call.x[0], call.z_bar));
}
void cube_kernel(const KernelCall& call) {
    const auto x = call.input<double>(0);
    const auto z = call.result<double>();
    for (std::size_t i = 0; i < x.size(); ++i) z[i] = x[i] * x[i] * x[i];
}
const Primitive cube = [] {
    Primitive p = ruleless;
    p.name = "cube";
    p.kernel = cube_kernel;
    p.vjp = cubed_rule;
    return p;
}();

TEST_CASE("transforms: a rule may differentiate") {
    Tape tape;
    const Node x = tape.parameter(Tensor{0.5, -2});
    const Node y = sum(exp(apply(cube, {sin(x)})) * x);
    const Node same = sum(exp(sin(x) * square(sin(x))) * x);
    CHECK(mismatch(grad(y, x), values(grad(same, x)), {.relative = 1e-14}) == "");
    CHECK(mismatch(grad(sum(grad(y, x)), x), values(grad(sum(grad(same, x)), x)), {.relative = 1e-13}) == "");
}

TEST_CASE("transforms: check_gradient calls the function in proportion to the elements") {
    std::size_t calls[2];
    for (int n : {4, 8}) {
        std::size_t& count = calls[n == 8] = 0;
        const auto f = [&](std::span<const Node> x) {
            ++count;
            return sum(square(x[0]) * x[0]);
        };
        CHECK(check_gradient(f, {Tensor::full({n}, 0.5)}));
    }
    CHECK(calls[1] <= 2 * calls[0]);
}

}  // namespace
}  // namespace gradtape::test

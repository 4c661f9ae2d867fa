// Long and nested programs: no recursion, linear time, on a thread whose stack is small.
#include "support/tensors.hpp"

#include <doctest/doctest.h>
#include <pthread.h>

#include <cmath>

namespace gradtape::test {
namespace {

#if defined(GRADTAPE_SANITIZED)
constexpr std::size_t small_stack = 1024 * 1024;  // instrumented frames are larger
#else
constexpr std::size_t small_stack = 256 * 1024;
#endif

/// Runs `work` on a thread with a small stack: recursion over a long chain would overflow it.
void on_a_small_stack(const std::function<void()>& work) {
    pthread_attr_t attributes;
    REQUIRE(pthread_attr_init(&attributes) == 0);
    REQUIRE(pthread_attr_setstacksize(&attributes, small_stack) == 0);
    pthread_t thread;
    const auto enter = [](void* argument) -> void* {
        (*static_cast<const std::function<void()>*>(argument))();
        return nullptr;
    };
    REQUIRE(pthread_create(&thread, &attributes, enter, const_cast<std::function<void()>*>(&work)) == 0);
    pthread_join(thread, nullptr);
    pthread_attr_destroy(&attributes);
}

TEST_CASE("tape: a chain of a million nodes records, differentiates and is freed on a small stack") {
    double value = 0, gradient = 0;
    std::size_t size = 0;
    on_a_small_stack([&] {
        Tape tape;
        const Node x = tape.parameter(Tensor(1.0));
        Node y = x;
        for (int i = 0; i < 1000000; ++i) y = y * 1.000001;
        value = y.item();
        gradient = grad(y, x).item();
        size = tape.size();
        tape.clear();
        const Node again = tape.parameter(Tensor(2.0));
        CHECK(grad(square(again), again).item() == 4);
    });
    CHECK(value == doctest::Approx(std::exp(1000000 * std::log1p(1e-6))).epsilon(1e-9));
    CHECK(gradient == doctest::Approx(value).epsilon(1e-9));
    CHECK(size >= 2000000);
}

TEST_CASE("tape: forward mode and printing of a long chain on a small stack") {
    double tangent = 0;
    std::size_t length = 0;
    on_a_small_stack([&] {
        Tape tape;
        const Node x = tape.parameter(Tensor(0.5));
        Node y = x;
        for (int i = 0; i < 20000; ++i) y = sin(y);
        tangent = jvp(y, x, tape.constant(1.0)).item();
        const Program program(tape, {y});
        verify(program);
        length = to_text(program).size();
    });
    double y = 0.5, expected = 1;
    for (int i = 0; i < 20000; ++i) {
        expected *= std::cos(y);
        y = std::sin(y);
    }
    CHECK(tangent == doctest::Approx(expected).epsilon(1e-9));
    CHECK(length > 20000);
}

TEST_CASE("tape: y = y/2 + y/2, nested: the derivative is linear in the depth, not exponential") {
    const auto nested = [](int depth) {
        Tape tape;
        const Node x = tape.parameter(Tensor(3.0));
        Node y = x;
        for (int i = 0; i < depth; ++i) y = 0.5 * y + 0.5 * y;
        const std::size_t before = tape.size();
        CHECK(grad(y, x).item() == 1);
        return tape.size() - before;
    };
    const std::size_t thirty = nested(30), sixty = nested(60);
    CHECK(thirty < 30 * 12);
    CHECK(sixty <= 2 * thirty + 8);
}

TEST_CASE("tape: fan-out of one node into many is linear") {
    Tape tape;  // quadratic work would take minutes here
    const int n = 200000;
    const Node x = tape.parameter(Tensor(3.0));
    Node y = x;
    for (int i = 0; i < n; ++i) y = y + x;
    const std::size_t before = tape.size();
    CHECK(grad(y, x).item() == n + 1);
    CHECK(tape.size() - before < 4 * std::size_t(n));
}

TEST_CASE("tape: gradients of gradients of a long chain stay linear") {
    const auto instructions = [](int depth) {
        Tape tape;
        const Node x = tape.parameter(Tensor(0.3));
        Node y = x;
        for (int i = 0; i < depth; ++i) y = tanh(y);
        const Node g = grad(y, x);
        (void)grad(g, x).item();
        return double(tape.size());
    };
    CHECK(instructions(400) < 2.2 * instructions(200));
}

}  // namespace
}  // namespace gradtape::test

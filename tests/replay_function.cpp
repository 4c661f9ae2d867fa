// The functional form: recorded for each combination of types and each way that control flow takes.
#include "support/tensors.hpp"

#include <gradtape/compile.hpp>

#include <doctest/doctest.h>

namespace gradtape::test {
namespace {

std::size_t count(const std::string& text, const std::string& part) {
    std::size_t found = 0;
    for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++found;
    return found;
}

TEST_CASE("replay: a function is recorded twice for each type, to compare, and replayed after") {
    int calls = 0;
    auto f = compile([&](std::span<const Node> x) {
        ++calls;
        return std::vector<Node>{sum(x[0] * x[1]), x[0] - x[1]};
    });
    for (int i = 0; i < 5; ++i) {
        const auto z = f({make({1.0 + i, 2}), make({3, 4})});
        CHECK(values(z[0]) == std::vector<double>{3.0 * (1 + i) + 8});
        CHECK(values(z[1]) == std::vector<double>{i - 2.0, -2});
    }
    CHECK(calls == 2);
    f({make({1, 2, 3}), make({1, 2, 3})});
    f({make({1, 2}, DType::float32), make({1, 2}, DType::float32)});
    CHECK(calls == 4);
    f({make({1, 2}), make({3, 4})});
    CHECK(calls == 4);
    CHECK(f.warnings().empty());
    CHECK(f.recordings() == 3);
    CHECK(count(f.explain(), "first call for these input types") == 3);
    CHECK(count(f.explain(), "compiled for") == 3);
    CHECK(f.explain().find("float32(2,)") != std::string::npos);
}

TEST_CASE("replay: branches on a boolean are recorded on each side, and both are kept") {
    auto f = compile([](std::span<const Node> x) {
        const Node y = x[0] * 2;
        if ((y > 1.0).item() != 0) return std::vector<Node>{y};
        return std::vector<Node>{-y};
    });
    for (int round = 0; round < 3; ++round)
        for (double x : {3.0, -3.0, 0.5, 0.6, -1.0}) CHECK(f({Tensor(x)})[0].item() == (2 * x > 1 ? 2 * x : -2 * x));
    CHECK(f.recordings() == 2);
    CHECK(f.explain().find("replay_function.cpp") != std::string::npos);  // the line of the guard that failed
}

TEST_CASE("replay: loops whose length is data") {
    auto halvings = compile([](std::span<const Node> x) {
        Node y = x[0];
        double n = 0;
        while ((y > 1.0).item() != 0) y = y * 0.5, ++n;
        return std::vector<Node>{y, y * 0 + n};
    });
    for (int round = 0; round < 2; ++round)
        for (double x : {1.0, 3.0, 10.0, 100.0, 5.0}) {
            double y = x, n = 0;
            while (y > 1) y *= 0.5, ++n;
            const auto z = halvings({Tensor(x)});
            CHECK(z[0].item() == y);
            CHECK(z[1].item() == n);
        }
    CHECK(halvings.recordings() == 5);
}

TEST_CASE("replay: the cache is bounded, and what was used last is kept") {
    int calls = 0;
    CompiledFunction f([&](std::span<const Node> x) { return ++calls, std::vector<Node>{x[0] + 1}; }, {}, 3);
    const auto call = [&](std::int64_t n) {
        CHECK(values(f({Tensor::full({n}, 1)})[0]) == std::vector<double>(std::size_t(n), 2));
    };
    for (std::int64_t n : {1, 2, 3, 1, 2, 3, 1, 2, 3}) call(n);
    CHECK(calls == 6);
    call(1);
    call(4);  // 2 has not been used for longest
    CHECK(calls == 7);
    call(1), call(3), call(4);
    CHECK(calls == 8);
    call(1), call(3), call(4);
    CHECK(calls == 8);
    call(2);
    CHECK(calls == 9);
    CHECK(count(f.explain(), "compiled for") == 3);
    CHECK(f.recordings() == 5);
    CHECK(count(f.explain(), "first call for these input types") == 4);
    CHECK(f.explain().find("recording 5: none of the 3 recordings kept is for these input types\n") != std::string::npos);
}

TEST_CASE("replay: explain keeps the last reasons, and counts the others") {
    CompiledFunction f([](std::span<const Node> x) { return std::vector<Node>{x[0] + 1}; }, {}, 1);
    for (std::int64_t n = 1; n <= 100; ++n) f({Tensor::zeros({n})});
    CHECK(f.explain().starts_with("68 earlier recordings\nrecording 69: none of the 1 recordings kept"));
    CHECK(count(f.explain(), "\nrecording ") == 32);
}

TEST_CASE("replay: a cache of one, and control flow that never repeats") {
    CompiledFunction f([](std::span<const Node> x) { return std::vector<Node>{x[0] * x[0].item()}; }, {}, 1);
    for (double x : {1.0, 2.0, 2.0, 3.0, 1.0}) CHECK(f({Tensor(x)})[0].item() == x * x);
    CHECK(f.recordings() == 4);
}

/// The function's one warning, or all of them where there is not one.
std::string warning(const CompiledFunction& f) {
    if (f.warnings().size() == 1) return f.warnings()[0];
    std::string all = std::to_string(f.warnings().size()) + " warnings";
    for (const std::string& text : f.warnings()) all += "\n" + text;
    return all;
}

std::string line_before(unsigned line) { return "(replay_function.cpp:" + std::to_string(line - 1) + ")"; }

TEST_CASE("replay: a number that is another at each call is read by plain calls after a few, with a warning") {
    int calls = 0;
    CompiledFunction f([&](std::span<const Node> x) {
        ++calls;
        const double scale = sum(x[0]).item();
        return std::vector<Node>{x[0] * scale};
    });
    const std::string line = line_before(__LINE__ - 2);
    for (int i = 1; i <= 50; ++i) CHECK(values(f({make({double(i), 1})})[0]) == std::vector<double>{double(i * (i + 1)), i + 1.0});
    CHECK(calls == 50);
    CHECK(f.recordings() <= 4);
    CHECK(warning(f).find(line) != std::string::npos);
    CHECK(f.explain().find(line) != std::string::npos);
    CHECK(count(f.explain(), "compiled for") == 0);  // what is not used again is not kept
}

TEST_CASE("replay: numbers that come again are worth their recordings") {
    int calls = 0;
    CompiledFunction f([&](std::span<const Node> x) {
        ++calls;
        return std::vector<Node>{x[0] * x[0].item()};
    });
    for (int round = 0; round < 20; ++round)
        for (double x : {1.0, 2.0, 3.0}) CHECK(f({Tensor(x)})[0].item() == x * x);
    CHECK(calls == 6);
    CHECK(f.warnings().empty());
}

TEST_CASE("replay: what C++ code makes otherwise at the second call is seen, and every call is recorded") {
    const auto check = [](const char* what, const std::string& line, auto function) {
        CAPTURE(std::string(what));
        int compiled_step = 0, plain_step = 0;
        CompiledFunction f([&](std::span<const Node> x) { return function(x, ++compiled_step); });
        for (int i = 1; i <= 12; ++i) {
            const Tensor x{1.0 * i, 2, -1, 0.5};
            Tape tape;
            const std::vector<Node> leaves = {tape.input(x)};
            CHECK(same_bits(f({x})[0], function(leaves, ++plain_step)[0].value()));
        }
        CHECK(warning(f).find(line) != std::string::npos);
        CHECK(f.recordings() == 1);
    };
    using Nodes = std::vector<Node>;
    using In = std::span<const Node>;
    check("a constant", line_before(__LINE__ + 2), [](In x, int step) {
        return Nodes{x[0] * sibling_constant(x[0], Tensor{1, 0, 1, 1.0 * step})}; });
    check("a number", line_before(__LINE__ + 2), [](In x, int step) {
        return Nodes{x[0] * double(step % 3)}; });
    check("an attribute", line_before(__LINE__ + 2), [](In x, int step) {
        return Nodes{slice(x[0], {{step % 3, 4}})}; });
    check("an operation", line_before(__LINE__ + 2), [](In x, int step) {
        return Nodes{step % 2 ? sin(x[0]) : cos(x[0])}; });
    check("operands", line_before(__LINE__ + 2), [](In x, int step) {
        const Node a = sin(x[0]), b = cos(x[0]); return Nodes{step % 2 ? a - b : b - a}; });
    check("a longer loop", line_before(__LINE__ + 3), [](In x, int step) {
        Node y = x[0];
        for (int i = 0; i < step; ++i) y = sin(y);
        return Nodes{y};
    });
    check("another result", line_before(__LINE__ + 3), [](In x, int step) {
        const Node a = sin(x[0]);
        const Node b = cos(x[0]);
        return Nodes{step % 2 ? a : b};
    });
}

TEST_CASE("replay: control flow that goes another way at the second call is no change of the code") {
    int calls = 0;
    CompiledFunction f([&](std::span<const Node> x) {
        ++calls;
        if ((sum(x[0]) > 1.0).item() != 0) return std::vector<Node>{x[0] * 3.0 + sin(x[0])};
        return std::vector<Node>{x[0] * 2.0};
    });
    for (double x : {0.5, 3.0, 0.5, 3.0, 4.0, 0.25, 5.0}) (void)f({Tensor(x)});
    CHECK(calls == 4);
    CHECK(f.warnings().empty());
}

TEST_CASE("replay: the last partial batch works") {
    auto step = compile([](std::span<const Node> x) {
        const Node loss = mean(square(matmul(x[0], x[1]) - x[2]));
        return std::vector<Node>{loss, x[1] - 0.1 * grad(loss, x[1])};
    });
    Random random(3);
    Tensor w = random.tensor({3, 1}, -1, 1), eager = w;
    for (std::int64_t batch : {8, 8, 5, 8, 8, 5}) {
        const Tensor x = random.tensor({batch, 3}, -1, 1), y = random.tensor({batch, 1}, -1, 1);
        w = step({x, w, y})[1];
        Tape tape;
        const Node p = tape.parameter(eager);
        const Node loss = mean(square(matmul(tape.input(x), p) - tape.input(y)));
        eager = (p - 0.1 * grad(loss, p)).value();
        CHECK(same_bits(w, eager));
    }
    CHECK(step.recordings() == 2);
}

TEST_CASE("replay: a function that reads a tensor is refused, at the line that reads it; peek may") {
    auto frozen = compile([](std::span<const Node> x) {
        if (x[0].value().item() > 0) return std::vector<Node>{x[0] * 2};
        return std::vector<Node>{x[0] * -1};
    });
    CHECK_THROWS_WITH_AS(frozen({Tensor(1.0)}), doctest::Contains("replay_function.cpp"), TapeError);
    CHECK(frozen.recordings() == 0);
    auto inner = compile([](std::span<const Node> x) {
        const auto [y, slopes] = value_and_grad([](auto v) { return v[0] * v[0] * v[0]; }, {x[0].value()});
        return std::vector<Node>{x[0] * slopes[0].item()};
    });
    CHECK_THROWS_AS(inner({Tensor(2.0)}), TapeError);
    double seen = 0;
    auto watched = compile([&](std::span<const Node> x) {
        seen += peek(x[0]).item();
        return std::vector<Node>{x[0] * 2};
    });
    for (double x : {3.0, 4.0, 5.0}) CHECK(watched({Tensor(x)})[0].item() == 2 * x);
    CHECK(seen == 7);  // while recording only
}

TEST_CASE("replay: results of a function stay when it is called again") {
    auto f = compile([](std::span<const Node> x) { return std::vector<Node>{x[0] * 2, x[0]}; });
    const auto one = f({make({1, 2})}), two = f({make({3, 4})});
    CHECK(values(one[0]) == std::vector<double>{2, 4});
    CHECK(values(one[1]) == std::vector<double>{1, 2});
    CHECK(values(two[0]) == std::vector<double>{6, 8});
    CHECK(values(f(two)[0]) == std::vector<double>{12, 16});  // its own results as inputs
    CHECK(values(two[1]) == std::vector<double>{3, 4});
}

TEST_CASE("replay: a function lets go of its inputs, so that their owner may write them") {
    auto f = compile([](std::span<const Node> x) { return std::vector<Node>{sum(x[0])}; });
    Tensor batch = make({1, 2});
    for (int i = 0; i < 3; ++i) {
        CHECK(f({batch})[0].item() == 3 + i);
        REQUIRE(batch.unique());
        batch.mutable_data<double>()[0] += 1;
    }
}

TEST_CASE("replay: a function that throws leaves the compiled ones as they are") {
    auto f = compile([](std::span<const Node> x) {
        if (x[0].item() < 0) throw std::logic_error("negative");
        return std::vector<Node>{sqrt(x[0])};
    });
    CHECK(f({Tensor(4.0)})[0].item() == 2);
    CHECK_THROWS_AS(f({Tensor(-1.0)}), std::logic_error);
    CHECK(f({Tensor(4.0)})[0].item() == 2);
    CHECK(f.recordings() == 1);
    auto wrong = compile([](std::span<const Node> x) { return std::vector<Node>{matmul(x[0], x[0])}; });
    CHECK_THROWS_AS(wrong({Tensor::zeros({2, 3})}), ShapeError);
    Tape other;
    const Node elsewhere = other.input(Tensor(1.0));
    auto stray = compile([&](std::span<const Node>) { return std::vector<Node>{elsewhere}; });
    CHECK_THROWS_AS(stray({Tensor(1.0)}), TapeError);
}

TEST_CASE("replay: a parameter within a function would be frozen, and is refused") {
    Tensor w = make({1, 2});
    const unsigned line = __LINE__ + 1;
    auto f = compile([&](std::span<const Node> x) { return std::vector<Node>{x[0] * sibling_parameter(x[0], w)}; });
    try {
        f({make({3, 4})});
        FAIL("no error");
    } catch (const ValueError& error) {
        CHECK(error.primitive() == "compile");
        CHECK(error.where().line == line);
        const std::string text = error.what();
        CHECK(text.find("give its value to the function as one of its inputs") != std::string::npos);
    }
    // what the message asks for
    auto g = compile([](std::span<const Node> x) { return std::vector<Node>{x[0] * x[1]}; });
    CHECK(values(g({make({3, 4}), w})[0]) == std::vector<double>{3, 8});
    w = make({5, 6});
    CHECK(values(g({make({3, 4}), w})[0]) == std::vector<double>{15, 24});
}

}  // namespace
}  // namespace gradtape::test

// Derivatives through many slices of one tensor: in proportion to the slices, not to slices times the tensor.
#include "support/tensors.hpp"

#include <gradtape/compile.hpp>
#include <gradtape/primitive.hpp>
#include <gradtape/serialise.hpp>

#include <doctest/doctest.h>

#include <functional>

namespace gradtape::test {
namespace {

/// Elements of all results on a tape from `first` on: what they take where each has its own memory.
std::int64_t elements(const Tape& tape, Node y, std::size_t first) {
    (void)tape;
    std::int64_t total = 0;
    const std::string text = to_text(Program(tape, {y}));
    std::size_t line = 0;
    for (std::size_t at = 0; at < text.size() && text[at] == '%'; at = text.find('\n', at) + 1, ++line) {
        if (line < first) continue;
        const std::string type = text.substr(text.rfind(" : ", text.find('\n', at)) + 3);
        std::int64_t product = 1;
        for (std::size_t p = type.find('('); type[p] != ')'; ) {
            ++p;
            if (type[p] >= '0' && type[p] <= '9') product *= std::stoll(type.substr(p));
            p = type.find_first_of(",)", p);
        }
        total += product;
    }
    return total;
}

Node element(Node x, std::int64_t i) { return slice(x, {{i, i + 1}}); }

struct Loop {
    const char* name;
    std::int64_t width;  ///< elements of x for each step
    std::function<Node(Node x, std::int64_t n)> record;
};

const std::vector<Loop> loops = {
    {"elements", 1,
     [](Node x, std::int64_t n) {
         Node y = element(x, 0);
         for (std::int64_t i = 1; i < n; ++i) y = sin(y * element(x, i));
         return sum(y);
     }},
    {"neighbours", 1,
     [](Node x, std::int64_t n) {
         Node y = element(x, 0) * 0.0;
         for (std::int64_t i = 1; i + 1 < n; ++i) y = y + square(element(x, i + 1) - element(x, i - 1)) * element(x, i);
         return sum(y);
     }},
    {"rows", 3,
     [](Node x, std::int64_t n) {
         const Node m = reshape(x, {n, 3});
         Node h = tanh(element(m, 0));
         for (std::int64_t i = 1; i < n; ++i) h = tanh(h * 0.5 + element(m, i));
         return sum(h);
     }},
    {"stacked", 1,
     [](Node x, std::int64_t n) {
         std::vector<Node> parts;
         for (std::int64_t i = 0; i < n; ++i) parts.push_back(exp(element(x, n - 1 - i)));
         return sum(square(concatenate(parts, 0)));
     }},
    {"one of them again and again", 1,
     [](Node x, std::int64_t n) {
         Node y = element(x, 0);
         for (std::int64_t i = 1; i < n; ++i) y = sin(y + element(x, n / 2));
         return sum(y);
     }},
};

Tensor start(std::int64_t n) {
    Random random(3);
    return random.tensor({n}, -1, 1);
}

TEST_CASE("transforms: a loop over n slices records, computes and keeps in proportion to n") {
    for (const Loop& loop : loops) {
        CAPTURE(std::string(loop.name));
        std::size_t instructions[2];
        std::int64_t size[2];
        for (int k : {0, 1}) {
            const std::int64_t n = 200 << k;
            Tape tape;
            const Node x = tape.parameter(start(n * loop.width));
            const Node y = loop.record(x, n);
            const std::size_t before = tape.size();
            const Node g = grad(y, x);
            instructions[k] = tape.size() - before;
            size[k] = elements(tape, g, before);
        }
        CHECK(double(instructions[1]) <= 2.1 * double(instructions[0]));
        CHECK(double(size[1]) <= 2.1 * double(size[0]));
        CHECK(size[1] <= std::int64_t(40 * 400) * loop.width);
    }
}

TEST_CASE("transforms: so do hvp, forward mode, and what is replayed") {
    for (const Loop& loop : loops) {
        CAPTURE(std::string(loop.name));
        std::size_t instructions[2], arena[2];
        std::int64_t size[2];
        for (int k : {0, 1}) {
            const std::int64_t n = 100 << k;
            Tape tape;
            const Node x = tape.parameter(start(n * loop.width)), v = tape.constant(start(n * loop.width));
            const Node y = loop.record(x, n);
            const std::size_t before = tape.size();
            const Node h = hvp(y, x, v), d = jvp(y, x, v);
            instructions[k] = tape.size() - before;
            size[k] = elements(tape, h, before);
            arena[k] = compile(tape, {h, d}).arena_bytes();
        }
        CHECK(double(instructions[1]) <= 2.1 * double(instructions[0]));
        CHECK(double(size[1]) <= 2.1 * double(size[0]));
        CHECK(double(arena[1]) <= 2.2 * double(arena[0]));
    }
}

TEST_CASE("transforms: slices' cotangents add up to those of the whole") {
    const std::int64_t n = 12;
    for (const Loop& loop : loops) {
        CAPTURE(std::string(loop.name));
        const Tensor at = start(n * loop.width), direction = Random(5).tensor({n * loop.width}, -1, 1);
        Tape tape;
        const Node x = tape.parameter(at), v = tape.constant(direction);
        const Node y = loop.record(x, n), g = grad(y, x), h = hvp(y, x, v);
        const auto y_at = [&](double step) {
            std::vector<double> moved = values(at), d = values(direction);
            for (std::size_t i = 0; i < moved.size(); ++i) moved[i] += step * d[i];
            Tape other;
            const Node p = other.parameter(make(moved, at.shape()));
            const Node z = loop.record(p, n);
            return std::pair(z.item(), sum(grad(z, p) * other.constant(direction)).item());
        };
        const double step = 1e-5, slope = sum(g * v).item(), bend = sum(h * v).item();
        CHECK(std::abs(slope - (y_at(step).first - y_at(-step).first) / (2 * step)) <= 1e-8 * (1 + std::abs(slope)));
        CHECK(std::abs(bend - (y_at(step).second - y_at(-step).second) / (2 * step)) <= 1e-7 * (1 + std::abs(bend)));
        CHECK(jvp(y, x, v).item() == doctest::Approx(slope).epsilon(1e-12));
        CHECK(sum(grad(sum(g * v), x) * v).item() == doctest::Approx(bend).epsilon(1e-10));
        // replayed, and saved: the same bits
        Replay replay(compile(from_bytes(to_bytes(Program(tape, {g, h})))));
        replay.run();
        CHECK(same_bits(replay.output(0), g.value()));
        CHECK(same_bits(replay.output(1), h.value()));
    }
}

TEST_CASE("transforms: slices among other uses of a tensor, windows that overlap, with steps, and of nothing") {
    Tape tape;
    const Node x = tape.parameter(Tensor{{1, 2, 3}, {4, 5, 6}});
    const Node row = slice(x, {{0, 1}}), column = slice(x, {{}, {1, 2}}), back = slice(x, {{{}, {}, -1}, {{}, {}, -2}});
    const Node none = slice(x, {{1, 1}});
    const Node y = 2.0 * sum(row) + 3.0 * sum(column) + sum(square(x)) + 5.0 * sum(back) + 7.0 * sum(none) + 11.0 * sum(row);
    // 2x, and 13 in the first row, 3 in the second column, 5 in the first and third one
    CHECK(mismatch(grad(y, x), {20, 20, 24, 13, 13, 17}) == "");
    CHECK(mismatch(grad(sum(none), x), {0, 0, 0, 0, 0, 0}) == "");
    CHECK(mismatch(grad(sum(slice(x, {{0, 2}})) + sum(x), x), {2, 2, 2, 2, 2, 2}) == "");
    const auto both = grad(sum(row) + sum(x), {x, row});
    CHECK(mismatch(both[0], {2, 2, 2, 1, 1, 1}) == "");
    CHECK(mismatch(both[1], {1, 1, 1}) == "");
    CHECK(mismatch(grad(sum(square(row)), row), {2, 4, 6}) == "");  // x is not on the way
}

TEST_CASE("transforms: a rule is asked about the operands of one instruction in a time proportional to them") {
    // concatenate's offsets are counted on from operand to operand, also where some are left out
    Tape tape;
    std::vector<Node> x;
    for (int i = 0; i < 6; ++i) x.push_back(tape.parameter(Tensor::full({i}, i)));
    const Node z = concatenate(x, 0);
    std::vector<double> weights;
    for (std::int64_t i = 0; i < z.shape()[0]; ++i) weights.push_back(double(i));
    const Node y = sum(z * tape.constant(make(weights)));
    for (const std::vector<int>& which : {std::vector<int>{0, 1, 2, 3, 4, 5}, {5}, {2, 4}, {3}}) {
        std::vector<Node> wrt;
        for (int k : which) wrt.push_back(x[std::size_t(k)]);
        const auto bars = grad(y, wrt);
        for (std::size_t j = 0; j < which.size(); ++j) {
            const int k = which[j];
            std::vector<double> expected;
            for (int i = 0; i < k; ++i) expected.push_back(k * (k - 1) / 2 + i);
            CHECK(mismatch(bars[j], expected) == "");
        }
    }
}

}  // namespace
}  // namespace gradtape::test

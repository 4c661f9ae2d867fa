// Loops and branches against the same written out.
#include "support/body_check.hpp"
#include "support/refusals.hpp"

#include <gradtape/compile.hpp>
#include <gradtape/loops.hpp>
#include <gradtape/vmap.hpp>

#include <doctest/doctest.h>

namespace gradtape::test {
namespace {

using Nodes = std::span<const Node>;

Node row(Node x, std::int64_t t) {
    Shape shape;
    for (std::size_t i = 1; i < x.shape().rank(); ++i) shape.push_back(x.shape()[i]);
    return reshape(slice(x, {{t, t + 1}}), shape);
}

/// A scan written out: the last carry, then what the steps give.
std::vector<Node> written_out(const ScanFunction& f, Nodes init, Nodes xs, Nodes shared, std::int64_t length, bool reverse) {
    std::vector<Node> carry(init.begin(), init.end());
    std::vector<std::vector<Node>> rows;
    for (std::int64_t n = 0; n < length; ++n) {
        const std::int64_t t = reverse ? length - 1 - n : n;
        std::vector<Node> x;
        for (const Node& its : xs) x.push_back(row(its, t));
        const ScanStep step = f(carry, x, shared);
        carry = step.carry.all();
        rows.resize(step.rows.all().size());
        for (std::size_t k = 0; k < rows.size(); ++k) rows[k].insert(reverse ? rows[k].begin() : rows[k].end(), step.rows.all()[k]);
    }
    for (const auto& its : rows) carry.push_back(stack(its, 0));
    return carry;
}

std::vector<Node> flat(const Scanned& its) {
    std::vector<Node> all = its.carry;
    all.insert(all.end(), its.rows.begin(), its.rows.end());
    return all;
}

/// Of a scan whose operands are its shared ones, its carries and its rows, in this order.
BodyCase scan_case(const std::string& name, const ScanFunction& f, std::size_t shared, std::size_t carry, std::int64_t length, std::vector<Tensor> at,
                   bool reverse = false, std::vector<std::size_t> unmapped = {}) {
    const auto scanned = [=](Nodes x) {
        return flat(scan(f, x.subspan(shared, carry), x.subspan(shared + carry), {.shared = x.first(shared), .length = length, .reverse = reverse}));
    };
    const auto plain = [=](Nodes x) { return written_out(f, x.subspan(shared, carry), x.subspan(shared + carry), x.first(shared), length, reverse); };
    return {name, scanned, plain, std::move(at), true, true, std::move(unmapped)};
}

ScanStep cell(Nodes carry, Nodes x, Nodes w) {
    const Node h = tanh(matmul(carry[0], w[0]) + x[0]);
    return {h, {h * 2.0, sum(h)}};
}
ScanStep counted(Nodes carry, Nodes x, Nodes) {
    const Node n = carry[0] + 1;  // int64
    return {{n, carry[1] * 0.5 + x[0] * cast(n, DType::float64)}, {n, carry[1]}};
}
ScanStep squared(Nodes, Nodes x) { return {{}, {square(x[0])}}; }
ScanStep grown(Nodes carry, Nodes) { return {{sin(carry[0]) * carry[1], carry[1] * 0.9}, {}}; }
ScanStep summed(Nodes carry, Nodes x) { return {carry[0] + x[0], carry[0] * x[0]}; }
ScanStep nested(Nodes carry, Nodes x, Nodes shared) {
    const auto inner = scan(summed, {carry[0]}, {x[0]});
    const auto kept = checkpoint([](Nodes y) { return exp(y[0] * 0.1) * y[1]; }, {inner.carry[0], shared[0]});
    return {kept[0] * 0.3, inner.rows};
}

std::vector<BodyCase> loop_cases() {
    Random random(8);
    const auto t = [&](const Shape& shape, DType dtype = DType::float64) { return random.tensor(shape, -1, 1, dtype); };
    const Tensor n = Tensor::full({}, 3, DType::int64);
    std::vector<BodyCase> all;
    all.push_back(scan_case("a cell", cell, 1, 1, 4, {t({3, 3}), t({2, 3}), t({4, 2, 3})}, false, {0}));
    all.push_back(scan_case("a cell, backwards", cell, 1, 1, 4, {t({3, 3}), t({2, 3}), t({4, 2, 3})}, true));
    all.push_back(scan_case("a cell, float32", cell, 1, 1, 3, {t({3, 3}, DType::float32), t({2, 3}, DType::float32), t({3, 2, 3}, DType::float32)}));
    all.push_back(scan_case("a cell of whole blocks", cell, 1, 1, 3, {t({8, 8}), t({2, 8}), t({3, 2, 8})}));
    all.push_back(scan_case("one step", cell, 1, 1, 1, {t({3, 3}), t({2, 3}), t({1, 2, 3})}));
    all.push_back(scan_case("an integer carry", counted, 0, 2, 4, {n, t({3}), t({4, 3})}));
    all.push_back(scan_case("no carry", squared, 0, 0, 3, {t({3, 5})}));
    all.push_back(scan_case("no rows", grown, 0, 2, 5, {t({3}), t({3})}, false, {1}));
    all.push_back(scan_case("numbers", summed, 0, 1, 6, {t({}), t({6})}, true));
    all.push_back(scan_case("a scan and a checkpoint in a scan", nested, 1, 1, 3, {t({2}), t({2}), t({3, 4, 2})}));
    return all;
}

TEST_CASE("bodies: a scan is the loop written out, in values, both modes, any order, and batches") {
    for (const BodyCase& its : loop_cases()) {
        CAPTURE(its.name);
        CHECK(check_derivatives(its) == "");
    }
}

TEST_CASE("bodies: a scan compiled has the bits of recording, and so has a file of it") {
    for (const BodyCase& its : loop_cases()) {
        CAPTURE(its.name);
        CHECK(check_compiled(its) == "");
    }
}

TEST_CASE("bodies: a scan of no steps gives what it begins with") {
    Tape tape;
    const Node w = tape.input(Tensor{{1, 2}, {3, 4}}), h = tape.input(Tensor{{5, 6}}), x = tape.input(Tensor::zeros({0, 1, 2}));
    const Scanned z = scan(cell, h, x, {.shared = w});
    CHECK(same_bits(z.carry[0].value(), h.value()));
    CHECK(z.rows[0].shape() == Shape{0, 1, 2});
    CHECK(z.rows[1].shape() == Shape{0});
    const std::vector<Node> g = grad(sum(z.carry[0] * 3.0), {w, h, x});
    CHECK(values(g[0]) == std::vector<double>{0, 0, 0, 0});
    CHECK(values(g[1]) == std::vector<double>{3, 3});
    CHECK(g[2].shape() == Shape{0, 1, 2});
    Replay replay(compile(tape, {z.carry[0], g}));
    replay.run();
    CHECK(same_bits(replay.output(1), g[0].value()));
    CHECK(same_bits(replay.output(2), g[1].value()));
    CHECK(values(fori_loop(3, -2, [](Node, Nodes at) { return at[0] * 2.0; }, {h})[0]) == std::vector<double>{5, 6});
}

TEST_CASE("bodies: compiled, a scan is one step however long it is, and keeps carries only for a reverse pass") {
    const auto compiled = [](std::int64_t length, bool reverse) {
        gradtape::Tape tape(Recording::abstract);
        const Node w = tape.parameter(Type{DType::float64, {16, 16}}), h = tape.input(Type{DType::float64, {4, 16}});
        const Node x = tape.input(Type{DType::float64, {length, 4, 16}});
        const Node y = sum(scan(cell, h, x, {.shared = w}).carry[0]);
        return reverse ? compile(tape, {y, grad(y, w)}) : compile(tape, {y});
    };
    const auto steps = [](const Compiled& its) { return its.explain().substr(its.explain().find("steps: "), 14); };
    CHECK(steps(compiled(10, true)) == steps(compiled(1000, true)));
    CHECK(compiled(10, false).arena_bytes() == compiled(1000, false).arena_bytes());
    const std::size_t carry = 4 * 16 * 8;
    CHECK(compiled(1000, true).arena_bytes() - compiled(10, true).arena_bytes() == 990 * carry);
}

TEST_CASE("bodies: of a branch only one is computed, and derivatives are those of the one") {
    for (bool yes : {true, false}) {
        const auto then = [](Nodes x) { return std::vector<Node>{sin(x[0]) * x[1], x[1] + 1.0}; };
        const auto other = [](Nodes x) { return std::vector<Node>{exp(x[0]), x[0] * x[1]}; };
        const BodyCase its{"cond", [&](Nodes x) { return cond(x[0], then, other, x.subspan(1)); },
                           [&](Nodes x) { return yes ? then(x.subspan(1)) : other(x.subspan(1)); },
                           {Tensor(yes), Tensor{0.3, -0.4}, Tensor{1, 2}}};
        CHECK(check_derivatives(its) == "");
        CHECK(check_compiled(its) == "");
    }
}

TEST_CASE("bodies: a branch that is not taken computes nothing, and a NaN in it stays there") {
    Tape tape;
    const Node x = tape.input(Tensor{4, -9}), yes = tape.input(Tensor(false)), places = tape.input(make({7}, DType::int64));
    const Node z = cond(yes, [](Nodes y) { return sum(take(y[0], y[1], 0)); }, [](Nodes y) { return sum(y[0]); }, {x, places})[0];
    CHECK(z.item() == -5);  // no index is refused
    const Node mask = tape.input(make({1, 0}, DType::boolean));
    const auto root = [](Nodes at) { return cond(at[0], [](Nodes y) { return sqrt(y[0]); }, [](Nodes y) { return y[0] * 2.0; }, {at[1]}); };
    const Node both = vmap(root, {mask, x})[0];
    CHECK(values(both) == std::vector<double>{2, -18});
    CHECK(values(grad(sum(both), x)) == std::vector<double>{0.25, 2});
}

/// Doubles until it is at least 100, and counts.
std::vector<Node> doubled(Nodes x) {
    return while_loop([](Nodes s) { return s[0] < 100.0; }, [](Nodes s, Nodes w) { return std::vector<Node>{s[0] * w[0], s[1] + 1}; },
                      x.first(2), x.subspan(2));
}

TEST_CASE("bodies: while_loop goes on as long as its condition says, with derivatives forwards") {
    const auto six_times = [](Nodes x) {
        Node s = x[0];
        for (int k = 0; k < 6; ++k) s = s * x[2];
        return std::vector<Node>{s, x[1] + 6};
    };
    const BodyCase its{"while", doubled, six_times, {Tensor(3.0), Tensor(std::int64_t(0)), Tensor(2.0)}, true, false, {2}};
    Tape tape;
    const Node x = tape.input(its.at[0]), n = tape.input(its.at[1]), w = tape.input(its.at[2]);
    const Node at[] = {x, n, w};
    const std::vector<Node> z = doubled(at), expected = six_times(at);
    CHECK(same_bits(z[0].value(), expected[0].value()));
    CHECK(z[1].item() == 6);
    const Node wrt[] = {x, w}, dots[] = {full_like(x, 1), full_like(w, 0.5)};
    const Node slope = jvp({&z[0], 1}, wrt, dots)[0], written = jvp({&expected[0], 1}, wrt, dots)[0];
    CHECK(slope.item() == doctest::Approx(written.item()).epsilon(1e-14));
    Replay replay(compile(tape, {z, slope}));
    replay.run();
    CHECK(same_bits(replay.output(0), z[0].value()));
    CHECK(same_bits(replay.output(2), slope.value()));
    replay.set_input(0, Tensor(60.0));
    replay.run();
    CHECK(replay.output(0).item() == 120);
    CHECK(replay.output(1).item() == 1);
    CHECK(refused_anywhere<NotDifferentiable>([&] { grad(z[0], x); }, {.name = "while_loop"}) == "");
    try {
        grad(z[0], x);
    } catch (const NotDifferentiable& error) {
        CHECK(std::string(error.what()).find("use scan") != std::string::npos);
    }
    // each example as long as it needs
    const Node many = tape.input(Tensor{1, 50, 200});
    const std::vector<Node> batch = vmap(doubled, {many, tape.input(Tensor::zeros({3}, DType::int64)), w}, {{0, 0, unmapped}, 0});
    CHECK(values(batch[0]) == std::vector<double>{128, 100, 200});
    CHECK(values(batch[1]) == std::vector<double>{7, 1, 0});
}

TEST_CASE("bodies: fori_loop is a loop over integers, with its reverse pass") {
    const auto power = [](Node i, Nodes s, Nodes w) { return s[0] * w[0] + cast(i, DType::float64); };
    const BodyCase its{"fori", [&](Nodes x) { return fori_loop(2, 5, power, x.first(1), x.subspan(1)); },
                       [](Nodes x) { return ((x[0] * x[1] + 2.0) * x[1] + 3.0) * x[1] + 4.0; }, {Tensor(0.5), Tensor(1.5)}};
    CHECK(check_derivatives(its) == "");
    CHECK(check_compiled(its) == "");
}

TEST_CASE("bodies: what loops and branches cannot take names the user's line") {
    Tape tape;
    const Node x = tape.input(Tensor{{1, 2}, {3, 4}}), h = tape.input(Tensor{1, 2}), yes = tape.input(Tensor(true));
    const auto step = [](Nodes c, Nodes r) { return ScanStep{c[0] + r[0], {}}; };
    CHECK(refused<ShapeError>([&] { scan([](Nodes c, Nodes) { return ScanStep{sum(c[0]), {}}; }, h, x); }, {.name = "scan"}) == "");
    CHECK(refused<DTypeError>([&] { scan([](Nodes c, Nodes) { return ScanStep{cast(c[0], DType::float32), {}}; }, h, x); }, {.name = "scan"}) == "");
    CHECK(refused<ValueError>([&] { scan([](Nodes, Nodes r) { return ScanStep{{}, r[0]}; }, h, x); }, {.name = "scan"}) == "");
    CHECK(refused<ValueError>([&] { scan(step, h, {}); }, {.name = "scan"}) == "");
    CHECK(refused<ShapeError>([&] { scan(step, h, x, {.length = 3}); }, {.name = "scan", .axis = 0}) == "");
    CHECK(refused<ShapeError>([&] { scan(step, h, {x, yes}); }, {.name = "scan"}) == "");
    CHECK(refused<TapeError>([&] { scan([&](Nodes c, Nodes) { return ScanStep{c[0] * h, {}}; }, h, x); }, {.name = "multiply"}) == "");
    CHECK(refused<ValueError>([&] { scan(std::function<ScanStep(Nodes, Nodes)>(), h, x); }, {.name = "scan"}) == "");
    const auto same = [](Nodes y) { return y[0]; };
    CHECK(refused<ShapeError>([&] { cond(yes, same, [](Nodes y) { return sum(y[0]); }, h); }, {.name = "cond"}) == "");
    CHECK(refused<ValueError>([&] { cond(yes, same, [](Nodes y) { return std::vector<Node>{y[0], y[0]}; }, h); }, {.name = "cond"}) == "");
    CHECK(refused<DTypeError>([&] { cond(h, same, same, h); }, {.name = "cond"}) == "");
    CHECK(refused<ValueError>([&] { cond(yes, same, same, {}); }, {.name = "cond"}) == "");
    CHECK(refused<DTypeError>([&] { while_loop([](Nodes s) { return sum(s[0]); }, same, h); }, {.name = "while_loop"}) == "");
    CHECK(refused<ShapeError>([&] { while_loop([](Nodes s) { return s[0] < 1.0; }, same, h); }, {.name = "while_loop"}) == "");
    CHECK(refused<ValueError>([&] { while_loop([](Nodes s) { return sum(s[0]) < 1.0; }, [](Nodes) { return std::vector<Node>(); }, h); }, {.name = "while_loop"}) == "");
}

}  // namespace
}  // namespace gradtape::test

// Edges of indexing and order: negative, repeated and refused places, ties, NaN, and what a replay does with places that are none.
#include "support/refusals.hpp"
#include "support/replay_check.hpp"
#include "support/samples.hpp"

#include <gradtape/check.hpp>

#include <doctest/doctest.h>

namespace gradtape::test {
namespace {

Tensor places(const std::vector<double>& elements) { return make(elements, DType::int64); }
Tensor places(const std::vector<double>& elements, const Shape& shape) { return make(elements, shape, DType::int64); }

struct Leaves {
    Tape tape;
    const Node x = tape.parameter(make({1, 2, 3, 4, 5, 6}, {3, 2})), v = tape.parameter(Tensor{10, 20, 30});
};

TEST_CASE("edge: take, with indices that repeat and count from the end") {
    Leaves t;
    CHECK(mismatch(take(t.v, places({2, 0, -1, -3}), 0), {30, 10, 30, 10}) == "");
    CHECK(mismatch(take(t.v, 1, 0), {20}) == "");
    CHECK(take(t.v, -1, 0).shape() == Shape{});
    const Node rows = take(t.x, places({2, 2, 0, 1}, {2, 2}), 0);
    CHECK(rows.shape() == Shape({2, 2, 2}));
    CHECK(mismatch(rows, {5, 6, 5, 6, 1, 2, 3, 4}) == "");
    CHECK(mismatch(grad(sum(square(rows)), t.x), {2, 4, 6, 8, 20, 24}) == "");
    const Node columns = take(t.x, places({1}), -1);
    CHECK(columns.shape() == Shape({3, 1}));
    CHECK(mismatch(grad(sum(columns), t.x), {0, 1, 0, 1, 0, 1}) == "");
    CHECK(take(t.x, places({}), 0).shape() == Shape({0, 2}));
    CHECK(mismatch(take(Tensor{5, 6, 7}, t.tape.input(places({1, 1})), 0), {6, 6}) == "");
}

TEST_CASE("edge: take_along_axis, each row at places of its own") {
    Leaves t;
    const Node z = take_along_axis(t.x, places({1, 0, -1}, {3, 1}), 1);
    CHECK(mismatch(z, {2, 3, 6}) == "");
    CHECK(mismatch(grad(sum(square(z)), t.x), {0, 4, 6, 0, 0, 12}) == "");
    CHECK(mismatch(take_along_axis(t.x, places({0, 0, 2, 1, 2, 1, 2, 1}, {4, 2}), 0), {1, 2, 5, 4, 5, 4, 5, 4}) == "");
}

TEST_CASE("edge: scatter_add adds what is meant for one place in its order") {
    Leaves t;
    const Node updates = t.tape.parameter(Tensor{1e16, 1, -1e16, 5});
    const Node z = scatter_add(t.v, places({1, 1, 1, -1}), updates, 0);
    CHECK(mismatch(z, {10, (20 + 1e16 + 1) - 1e16, 35}) == "");
    CHECK(mismatch(grad(sum(square(z)), updates), {2 * 20, 2 * 20, 2 * 20, 70}, {.relative = 1e-1}) == "");
    CHECK(mismatch(scatter_add(t.v, places({0, 0, 2}), 1.0, 0), {12, 20, 31}) == "");
    CHECK(mismatch(scatter_add_along_axis(t.x, places({1, 1, 1}, {3, 1}), 0.5, 1), {1, 2.5, 3, 4.5, 5, 6.5}) == "");
    const Node most = t.tape.input(Tensor::full({1}, INT64_MAX, DType::int64));
    CHECK(scatter_add(most, 0, 1, 0).value().data<std::int64_t>()[0] == INT64_MIN);  // as add wraps around
}

TEST_CASE("edge: of several updates for one place the last stays, and it alone has a derivative") {
    Leaves t;
    const Node updates = t.tape.parameter(Tensor{1, 2, 3, 4});
    const Node z = scatter(t.v, places({1, 1, -2, 0}), updates, 0);
    CHECK(mismatch(z, {4, 3, 30}) == "");
    const auto bars = grad(sum(square(z)), {t.v, updates});
    CHECK(mismatch(bars[0], {0, 0, 60}) == "");
    CHECK(mismatch(bars[1], {0, 0, 6, 8}) == "");
    const Node rows = t.tape.parameter(make({7, 8, 9, 10}, {2, 2}));
    const auto of_rows = grad(sum(square(scatter(t.x, places({2, 2}), rows, 0))), {t.x, rows});
    CHECK(mismatch(of_rows[0], {2, 4, 6, 8, 0, 0}) == "");
    CHECK(mismatch(of_rows[1], {0, 0, 18, 20}) == "");
    CHECK(mismatch(scatter_along_axis(t.x > 2, places({0, 0, 0}, {3, 1}), false, 1), {0, 0, 0, 1, 0, 1}) == "");
}

TEST_CASE("edge: windows whose place is computed") {
    Leaves t;
    const Node starts = t.tape.input(places({1, -2}));
    CHECK(mismatch(dynamic_slice(t.x, starts, {2, 2}), {3, 4, 5, 6}) == "");
    CHECK(mismatch(dynamic_slice(t.x, places({-1, 1}), {1, 1}), {6}) == "");
    CHECK(mismatch(grad(sum(square(dynamic_slice(t.x, starts, {2, 1}))), t.x), {0, 0, 6, 0, 10, 0}) == "");
    const Node update = t.tape.parameter(make({7, 8}, {2, 1})), z = dynamic_update_slice(t.x, update, places({1, 1}));
    CHECK(mismatch(z, {1, 2, 3, 7, 5, 8}) == "");
    const auto bars = grad(sum(square(z)), {t.x, update});
    CHECK(mismatch(bars[0], {2, 4, 6, 0, 10, 0}) == "");
    CHECK(mismatch(bars[1], {14, 16}) == "");
    CHECK(dynamic_slice(t.x, places({3, 0}), {0, 2}).shape() == Shape({0, 2}));
}

TEST_CASE("edge: one_hot, flip, roll") {
    Leaves t;
    const Node classes = t.tape.input(places({2, 0, -1}));
    CHECK(mismatch(one_hot(classes, 3), {0, 0, 1, 1, 0, 0, 0, 0, 1}) == "");
    CHECK(one_hot(classes, 4, DType::boolean).type() == Type{DType::boolean, {3, 4}});
    CHECK(mismatch(one_hot(t.tape.input(places({1}, {})), 2, DType::float32), {0, 1}) == "");
    CHECK(mismatch(flip(t.x, 0), {5, 6, 3, 4, 1, 2}) == "");
    CHECK(mismatch(grad(sum(flip(t.v, 0) * Tensor{1, 2, 3}), t.v), {3, 2, 1}) == "");
    for (std::int64_t shift : {1, -2, 4, -5}) CHECK(mismatch(roll(t.v, shift, 0), {30, 10, 20}) == "");
    for (std::int64_t shift : {std::int64_t(0), std::int64_t(3), INT64_MIN + 2}) CHECK(mismatch(roll(t.v, shift, 0), {10, 20, 30}) == "");
    CHECK(mismatch(grad(sum(roll(t.v, 1, -1) * Tensor{1, 2, 3}), t.v), {2, 3, 1}) == "");
    const Node none = t.tape.input(Tensor::zeros({0, 2}));
    CHECK(flip(none, 0).shape() == Shape({0, 2}));
    CHECK(roll(none, 3, 0).shape() == Shape({0, 2}));
}

TEST_CASE("edge: order with ties, zeros of both signs, infinities and NaN") {
    for (DType dtype : floating) {
        Tape tape;
        const Node x = tape.parameter(make({0.0, inf, nan, -0.0, -1, nan, -inf, 2, -1}, dtype));
        const Sorted s = sort(x);
        CHECK(mismatch(s.indices, {6, 4, 8, 0, 3, 7, 1, 2, 5}) == "");
        CHECK(mismatch(s.values, {-inf, -1, -1, 0, -0.0, 2, inf, nan, nan}) == "");
        CHECK(same_bits(argsort(x).value(), s.indices.value()));
        const Sorted top = topk(x, 5);
        CHECK(mismatch(top.indices, {2, 5, 1, 7, 0}) == "");
        CHECK(mismatch(top.values, {nan, nan, inf, 2, 0}) == "");
        CHECK(argmax(x, 0).item() == 2);
        CHECK(argmin(x, 0).item() == 2);
        const Node weights = tape.constant(make({1, 2, 3, 4, 5}, dtype));
        CHECK(mismatch(grad(sum(where(top.values == top.values, top.values, 0.0) * weights), x), {5, 3, 0, 0, 0, 0, 0, 4, 0}) == "");
    }
    Tape tape;
    const Node i = tape.input(make({3, -1, 3, -1}, {2, 2}, DType::int64));
    CHECK(mismatch(argmax(i, 0), {0, 0}) == "");
    CHECK(mismatch(argmin(i, 1, true), {1, 1}) == "");
    CHECK(argmin(i, 1, true).shape() == Shape({2, 1}));
    CHECK(mismatch(sort(i, 0).indices, {0, 0, 1, 1}) == "");
    const Node extreme = tape.input(Tensor::from({INT64_MIN, INT64_MAX, std::int64_t(0)}, {3}));
    CHECK(mismatch(argsort(extreme), {0, 2, 1}) == "");
    CHECK(argmin(extreme, 0).item() == 0);
    CHECK(argmax(extreme, 0).item() == 1);
}

TEST_CASE("edge: cumsum from either end") {
    Leaves t;
    CHECK(mismatch(cumsum(t.v, 0), {10, 30, 60}) == "");
    CHECK(mismatch(cumsum(t.v, 0, true), {60, 50, 30}) == "");
    CHECK(mismatch(cumsum(t.x, 1), {1, 3, 3, 7, 5, 11}) == "");
    CHECK(mismatch(grad(sum(cumsum(t.v, 0) * Tensor{1, 10, 100}), t.v), {111, 110, 100}) == "");
}

/// A composite of most of them, with places that depend on the numbers.
Node mixed(Node x) {
    const Sorted s = sort(x, 0);
    const Node picked = take(square(x), take(s.indices, places({0, -1, 0}), 0), 0);
    const Node window = dynamic_slice(exp(x), reshape(argmin(x, 0), {1}) * 0 + 1, {2});
    return scatter_add(s.values * s.values, argsort(x), cumsum(x, 0) * x, 0) * sum(picked) + sum(window * topk(x, 2).values);
}

TEST_CASE("edge: derivatives of both modes and of second order run through places that are computed") {
    const auto f = [](std::span<const Node> x) { return mixed(x[0]); };
    const CheckResult first = check_gradient(f, {Tensor{0.3, -0.7, 1.1, 0.2}});
    CHECK_MESSAGE(first.ok, first.report);
    const auto g = [](std::span<const Node> x) { return grad(sum(mixed(x[0])), x[0]); };
    const CheckResult second = check_gradient(g, {Tensor{0.3, -0.7, 1.1, 0.2}});
    CHECK_MESSAGE(second.ok, second.report);
}

TEST_CASE("edge: a replay follows its places, in the bits of recording") {
    Case its;
    its.recorded.inputs = {Tensor{0.3, -0.7, 1.1, 0.2}, places({0, 3, 3})};
    its.fresh.inputs = {Tensor{-2, 5, 0.5, -3}, places({-1, 1, 2})};
    its.recorded.parameters = {Tensor{1, 2, 3, 4}};
    its.fresh.parameters = {Tensor{-1, 0, 7, 2}};
    Tape tape;
    const Node x = tape.input(its.recorded.inputs[0]), at = tape.input(its.recorded.inputs[1]), table = tape.parameter(its.recorded.parameters[0]);
    const Node picked = take(table, at, 0), z = mixed(x) + sum(picked * take(scatter(x * 2.0, at, picked * picked, 0), at, 0));
    const auto bars = grad(sum(z), {x, table});
    const Node into = scatter_add(table * 1.5, at, -0.1 * take(bars[1], at, 0), 0);
    its.body = Program(tape, {z, bars[0], dynamic_slice(into, take(at, Tensor::full({1}, 0, DType::int64), 0) * 0, {2})}, {{table, into}}).body();
    const std::string wrong = check_replay(its);
    if (!wrong.empty()) FAIL_CHECK(report(its, wrong));
}

TEST_CASE("edge: a replay scatters into its operand where nobody else reads it, and into a copy where somebody does") {
    for (const bool read_later : {false, true}) {
        Case its;
        its.recorded.inputs = its.fresh.inputs = {Random(3).tensor({1000}, -1, 1), places({0, 999, 5}), Tensor{1, 2, 3}};
        Tape tape;
        const Node x = tape.input(its.recorded.inputs[0]), at = tape.input(its.recorded.inputs[1]), updates = tape.input(its.recorded.inputs[2]);
        const Node base = x * 2.0, once = scatter_add(base, at, updates, 0), twice = scatter(once, at, updates * 3.0, 0);
        const Node z = dynamic_update_slice(twice, updates, take(at, Tensor::full({1}, 2, DType::int64), 0));
        std::vector<Node> outputs{cumsum(z, 0)};
        if (read_later) outputs.push_back(base + once + twice + z);
        its.body = Program(tape, outputs).body();
        const std::string wrong = check_replay(its);
        if (!wrong.empty()) FAIL_CHECK(report(its, wrong));
        const std::size_t bytes = compile(tape, outputs).arena_bytes();
        CHECK(bytes >= 8000);
        CHECK((bytes < 2 * 8000) == !read_later);
    }
}

/// An operand that is out of range in its first element.
Tensor outside(const Tensor& indices, std::int64_t by) {
    std::vector<double> elements = values(indices);
    elements[0] = double(by);
    return make(elements, indices.shape(), DType::int64);
}

TEST_CASE("edge: places outside are refused where they are recorded") {
    for (const Primitive* p : operations()) {
        if (!is_index(*p, 1)) continue;  // those of lu at others say which rows
        for (const Sample& sample : samples(*p))
            for (std::int64_t by : {std::int64_t(1000), std::int64_t(-1000), INT64_MAX, INT64_MIN}) {
                CAPTURE(std::string(p->name));
                Random random(5);
                Tape tape;
                std::vector<Tensor> operands = sample_operands(*p, sample, DType::float64, random);
                if (operands[1].elements() == 0) continue;
                operands[1] = outside(operands[1], by);
                std::vector<Node> x;
                for (const Tensor& operand : operands) x.push_back(tape.input(operand));
                CHECK(refused<ValueError>([&] { gradtape::apply(*p, x, sample.attributes); }, {p->name, {operands[0].shape()}}) == "");
            }
    }
}

TEST_CASE("edge: indices of another dtype are refused") {
    for (const Primitive* p : operations())
        for (const DType dtype : {DType::float32, DType::float64, DType::boolean}) {
            if (!is_index(*p, 1)) continue;  // those of lu at others say which rows
            CAPTURE(std::string(p->name));
            Random random(6);
            Tape tape;
            std::vector<Node> x;
            for (const Tensor& operand : sample_operands(*p, samples(*p)[0], DType::float64, random)) x.push_back(tape.input(operand));
            x[1] = cast(x[1], dtype);
            CHECK(refused<DTypeError>([&] { gradtape::apply(*p, x, samples(*p)[0].attributes); }, {p->name}) == "");
        }
}

TEST_CASE("edge: a replay refuses places outside, names the line, and leaves parameters as they were") {
    for (const Primitive* p : operations())
        for (const bool reuse : {true, false}) {
            if (!is_index(*p, 1)) continue;  // those of lu at others say which rows
            CAPTURE(std::string(p->name));
            const Sample sample = samples(*p)[0];
            Random random(7);
            Tape tape;
            const std::vector<Tensor> operands = sample_operands(*p, sample, DType::float64, random);
            std::vector<Node> x{tape.parameter(operands[0])};
            for (std::size_t k = 1; k < operands.size(); ++k) x.push_back(tape.input(operands[k]));
            const Node early = x[0] * 2.0;
            const Node z = gradtape::apply(*p, x, sample.attributes);
            const unsigned line = __LINE__ - 1;
            Replay replay(compile(tape, {z}, {{x[0], early}}, {.reuse = reuse}));
            replay.run();
            const Tensor before = replay.parameter(0).copy();
            replay.set_input(0, outside(operands[1], 77));
            CHECK(refused<ValueError>([&] { replay.run(); }, {p->name, {operands[0].shape()}}, line) == "");
            CHECK(same_bits(replay.parameter(0), before));
            replay.set_input(0, operands[1]);
            CHECK_NOTHROW(replay.run());
        }
}

TEST_CASE("edge: a parameter is scattered into where it is, and stays as it was where an index is refused") {
    Tape tape;
    const Node table = tape.parameter(Tensor::full({1000}, 1.0)), at = tape.input(places({0, 1})), y = tape.input(Tensor{1, 2});
    const Node picked = take(table, at, 0), into = scatter_add(table, at, y * picked, 0);
    Replay replay(compile(tape, {sum(picked)}, {{table, into}}));
    CHECK(compile(tape, {sum(picked)}, {{table, into}}).arena_bytes() < 8000);
    replay.run();
    replay.run();
    CHECK(mismatch(take(tape.constant(replay.parameter(0)), places({0, 1, 2}), 0), {4, 9, 1}) == "");
    const Tensor before = replay.parameter(0).copy();
    replay.set_input(0, places({0, 1000}));
    CHECK_THROWS_AS(replay.run(), ValueError);
    CHECK(same_bits(replay.parameter(0), before));
}

TEST_CASE("edge: what an abstract tape has not seen is refused by its replay") {
    Tape tape(gradtape::Recording::abstract);
    const Node x = tape.input(Type{DType::float64, {3}}), i = tape.input(Type{DType::int64, {2}});
    const Node z = take(x, i, 0);
    const unsigned line = __LINE__ - 1;
    Replay replay(compile(tape, {z}));
    replay.set_input(0, Tensor{1, 2, 3});
    replay.set_input(1, places({0, 3}));
    CHECK(refused<ValueError>([&] { replay.run(); }, {"gather", {{3}}, 0}, line) == "");
    replay.set_input(1, places({0, 2}));
    replay.run();
    CHECK(mismatch(replay.output(0), {1, 3}) == "");
}

TEST_CASE("edge: what operations at places refuse, in words") {
    Leaves t;
    const Node three = t.tape.input(places({3})), flags = t.x > 1, none = t.tape.input(Tensor::zeros({2, 0}));
    try {
        (void)take(t.x, places({0, 1, 5, 2}, {2, 2}), 0);
        FAIL("accepted");
    } catch (const ValueError& error) {
        CHECK(std::string(error.what()).rfind("[gather] index 5 at (1, 0) is out of range for axis 0 of shape (3, 2); needs -3 to 2 (edge_indexing.cpp:", 0) == 0);
        CHECK(error.axis() == 0);
    }
    CHECK(refused<ValueError>([&] { (void)dynamic_slice(t.x, places({2, 0}), {2, 1}); }, {"dynamic_slice", {{3, 2}}, 0}) == "");
    CHECK(refused<ValueError>([&] { (void)dynamic_update_slice(t.x, t.x, places({0, 1})); }, {"dynamic_update_slice", {{3, 2}}, 1}) == "");
    CHECK(refused<ValueError>([&] { (void)one_hot(three, 3); }, {"scatter"}) == "");
    CHECK(refused<ShapeError>([&] { (void)take(t.x, 0, 2); }, {"take", {{3, 2}}, 2}) == "");
    CHECK(refused<ShapeError>([&] { (void)take_along_axis(t.x, places({0}), 0); }, {"gather", {{3, 2}, {1}}, 0}) == "");
    CHECK(refused<ShapeError>([&] { (void)take(t.x, places({0}, {1, 1, 1, 1, 1, 1, 1, 1}), 0); }, {"gather", {{3, 2}}}) == "");
    CHECK(refused<ShapeError>([&] { (void)scatter(t.x, places({0}), t.v, 0); }, {"scatter", {{3, 2}, {1}, {3}}}) == "");
    CHECK(refused<DTypeError>([&] { (void)scatter(t.x, 0, Tensor::zeros({2}, DType::float32), 0); }, {"scatter"}) == "");
    CHECK(refused<DTypeError>([&] { (void)take(t.x, 0.5, 0); }, {"take"}) == "");
    CHECK(refused<DTypeError>([&] { (void)scatter_add(flags, 0, true, 0); }, {"scatter_add"}) == "");
    CHECK(refused<ShapeError>([&] { (void)dynamic_slice(t.x, places({0}), {1, 1}); }, {"dynamic_slice", {{3, 2}, {1}}}) == "");
    CHECK(refused<ShapeError>([&] { (void)dynamic_slice(t.x, places({0, 0}), {4, 1}); }, {"dynamic_slice", {{3, 2}}}) == "");
    CHECK(refused<ShapeError>([&] { (void)dynamic_slice(t.x, places({0, 0}), {-1, 1}); }, {"dynamic_slice", {{3, 2}}}) == "");
    CHECK(refused<ShapeError>([&] { (void)topk(t.v, 4); }, {"sort", {{3}}, 0}) == "");
    CHECK(refused<ShapeError>([&] { (void)topk(t.v, -1); }, {"sort", {{3}}, 0}) == "");
    CHECK(refused<ShapeError>([&] { (void)argmax(none, 1); }, {"argmax", {{2, 0}}, 1}) == "");
    CHECK(refused<DTypeError>([&] { (void)sort(flags); }, {"sort"}) == "");
    CHECK(refused<DTypeError>([&] { (void)one_hot(t.v, 3); }, {"one_hot"}) == "");
    CHECK(refused<TapeError>([&] { (void)take(Tensor{1, 2}, 0, 0); }, {"take"}) == "");
    CHECK_THROWS_AS(grad(sum(cast(argmax(t.v, 0), DType::float64)), t.tape.input(places({1}))), NotDifferentiable);
}

}  // namespace
}  // namespace gradtape::test

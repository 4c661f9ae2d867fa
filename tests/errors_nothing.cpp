// What a refused operation leaves behind: nothing. And what becomes of nodes whose tape is gone.
#include "support/own_primitive.hpp"
#include "support/refusals.hpp"

#include <doctest/doctest.h>

namespace gradtape::test {
namespace {

void refusing_rule(const VjpCall& call) { call.give(0, matmul(call.z_bar + 1, sum(call.x[0]))); }
Tape* cleared = nullptr;
void cleared_by_rule(const VjpCall& call) {
    cleared->clear();
    call.give(0, call.z_bar);
}
std::unique_ptr<Tape> destroyed;
void destroyed_by_rule(const VjpCall& call) {
    destroyed.reset();
    call.give(0, call.z_bar);
}

TEST_CASE("errors: operations that are made of several record nothing when they are refused") {
    Tape tape;
    const Node v = tape.parameter(Tensor{1, 2, 3}), m = tape.parameter(Tensor::full({2, 3}, 1));
    const Node f = tape.parameter(Tensor::full({3}, 1, DType::float32)), i = tape.input(Tensor::full({3}, 1, DType::int64));
    const Node cube = tape.parameter(Tensor::full({2, 3, 3}, 1)), none = tape.parameter(Tensor::full({2, 0, 2}, 1));
    const Node total = sum(v), whole = cast(none, DType::int64);
    CHECK(refused<ShapeError>([&] { (void)matmul(v, m); }, {"matmul"}) == "");
    CHECK(refused<DTypeError>([&] { (void)matmul(v, f); }, {"matmul"}) == "");
    CHECK(refused<DTypeError>([&] { (void)matmul(m, f); }, {"matmul"}) == "");
    CHECK(refused<DTypeError>([&] { (void)matmul(cube, i); }, {"matmul"}) == "");
    CHECK(refused<DTypeError>([&] { (void)stack({v, f}); }, {"stack"}) == "");
    CHECK(refused<DTypeError>([&] { (void)where(v, v, 7.5); }, {"where"}) == "");
    CHECK(refused<DTypeError>([&] { (void)where(v, m, 7.5); }, {"where"}) == "");
    CHECK(refused<DTypeError>([&] { (void)(i / 17.0); }, {"divide"}) == "");
    CHECK(refused<DTypeError>([&] { (void)(tape.full({}, 0.25) - f); }, {"subtract"})
              .starts_with("something has been recorded: [subtract] dtypes float64 and float32 differ; cast one of them ("));
    CHECK(refused<DTypeError>([&] { (void)power(i, 3.0); }, {"power"}) == "");
    CHECK(refused<DTypeError>([&] { (void)logical_and(v, m); }, {"logical_and"}) == "");
    CHECK(refused<DTypeError>([&] { (void)xlogy(i, 17.0); }, {"xlogy"}) == "");
    CHECK(refused<ShapeError>([&] { (void)max(none, {0, 1}); }, {"max"}) == "");
    CHECK(refused<ShapeError>([&] { (void)min(none, {-1, 1}, true); }, {"min"}) == "");
    CHECK(refused<DTypeError>([&] { (void)logsumexp(whole, {0, 2}); }, {"logsumexp"}) == "");
    CHECK(refused<ShapeError>([&] { (void)hvp(v, v, m); }, {"hvp"}) == "");
    CHECK(refused<ShapeError>([&] { (void)hvp(total, v, m); }, {"hvp"}) == "");
}

TEST_CASE("errors: what has been taken back is recorded again as if it had never been") {
    Tape tape, fresh;
    const auto leaves = [](Tape& on) { return std::pair(on.parameter(Tensor::full({2, 3}, 1)), on.parameter(Tensor{1, 2, 3})); };
    const auto [m, v] = leaves(tape);
    const auto [m2, v2] = leaves(fresh);
    for (int k = 0; k < 3; ++k) CHECK_THROWS_AS(all_or_nothing(v, [&, m = m, v = v] { return matmul(v, m + exp(v) * 17.0); }), ShapeError);
    CHECK(to_text(Program(tape, {})) == to_text(Program(fresh, {})));
    const Node z = sum(17.0 * v * m), z2 = sum(17.0 * v2 * m2);
    CHECK(to_text(Program(tape, {z})) == to_text(Program(fresh, {z2})));
    CHECK(z.item() == z2.item());
    CHECK(tape.bytes() == fresh.bytes());
}

TEST_CASE("errors: what is taken out before the refusal keeps its elements") {
    Tape tape;
    const Node v = tape.parameter(Tensor{1, 2, 3});
    Tensor kept;
    CHECK_THROWS_AS(all_or_nothing(v, [&] {
        kept = exp(v).value();
        return matmul(v, tape.constant(Tensor{1.0, 2.0}));
    }), ShapeError);
    const Tensor before = Tensor::from<double>(kept.data<double>(), {3});
    for (int k = 0; k < 10; ++k) (void)(v * double(k)).value();
    CHECK(same_bits(kept, before));
    CHECK(tape.size() > 1);
}

TEST_CASE("errors: a derivative whose rule is refused records nothing, and its tape goes on") {
    static const Primitive refusing = user_primitive("refusing", refusing_rule), clearing = user_primitive("clearing", cleared_by_rule),
                           destroying = user_primitive("destroying", destroyed_by_rule);
    Tape tape;
    cleared = &tape;
    const Node x = tape.parameter(Tensor{1, 2}), v = tape.constant(Tensor{1, 1});
    const Node y = sum(apply(refusing, {square(x)})), z = sum(apply(clearing, {square(x)}));
    CHECK(refused_anywhere<ShapeError>([&] { (void)grad(y, x); }, {"matmul"}) == "");
    CHECK(refused_anywhere<ShapeError>([&] { (void)hvp(y, x, v); }, {"matmul"}) == "");
    CHECK(refused_anywhere<TapeError>([&] { (void)grad(z, x); }, {"clear"}) == "");
    CHECK(mismatch(grad(sum(square(x)), x), {2, 4}) == "");
    destroyed = std::make_unique<Tape>();
    const Node w = destroyed->parameter(Tensor{1, 2});
    const Node last = sum(apply(destroying, {w}));
    CHECK_THROWS_AS(grad(last, w), TapeError);
    CHECK_THROWS_AS(w.shape(), TapeError);
}

TEST_CASE("errors: a node whose tape is gone is refused, as one of a cleared tape is") {
    Node z, w;
    {
        Tape tape;
        z = tape.parameter(Tensor{1, 2}) * 2;
        w = sum(z);
    }
    const auto check = [&] {
        CHECK(refused<TapeError>([&] { (void)exp(z); }, {"exp"}) == "");
        CHECK(refused<TapeError>([&] { (void)(2 * z); }, {"multiply"}) == "");
        CHECK(refused<TapeError>([&] { (void)z.value(); }, {"value"}) == "");
        CHECK(refused<TapeError>([&] { (void)w.item(); }, {"item"}) == "");
        CHECK(refused<TapeError>([&] { (void)grad(w, z); }, {"grad"}) == "");
        CHECK(refused<TapeError>([&] { (void)peek(z); }, {"peek"}) == "");
        CHECK(refused<TapeError>([&] { (void)full_like(z, 1); }, {"full_like"}) == "");
        CHECK(refused<TapeError>([&] { (void)sibling_constant(z, Tensor(1.0)); }, {"constant"}) == "");
        CHECK_THROWS_AS(z.shape(), TapeError);
        CHECK_THROWS_AS(z.dtype(), TapeError);
        CHECK_THROWS_AS(z.type(), TapeError);
        CHECK_THROWS_AS(z.where(), TapeError);
        CHECK_THROWS_AS(origin(z), TapeError);
        CHECK_THROWS_AS(parameters_reached(z), TapeError);
        CHECK_THROWS_AS(producer_operand(z, "multiply"), TapeError);
        CHECK(!same_recording(z, w));
    };
    check();
    Tape next, other;  // one of them has the gone tape's place
    for (Tape* tape : {&next, &other})
        for (int k = 0; k < 8; ++k) (void)(tape->parameter(Tensor{3, 4}) * 2);
    check();
    CHECK(!z.on(next));
    CHECK_THROWS_AS(Program(next, {z}), TapeError);
    gradtape::Tape moved;
    const Node here = moved.parameter(Tensor{1, 2});
    const gradtape::Tape target = std::move(moved);
    CHECK(here.on(target));
    CHECK(mismatch(here * 2, {2, 4}) == "");
    CHECK_THROWS_AS(moved.clear(), TapeError);
    CHECK_THROWS_AS(moved.input(Tensor(1.0)), TapeError);
    CHECK_THROWS_AS(moved.full({}, 1), TapeError);
    CHECK(moved.size() == 0);
    CHECK(moved.bytes() == 0);
}

}  // namespace
}  // namespace gradtape::test

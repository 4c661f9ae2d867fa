// What tensors, tapes, programs and derivatives refuse.
#include "support/own_primitive.hpp"
#include "support/refusals.hpp"

#include <gradtape/check.hpp>

#include <doctest/doctest.h>

namespace gradtape::test {
namespace {

TEST_CASE("errors: tensors") {
    CHECK_THROWS_AS((Tensor{{1, 2}, {3}}), ShapeError);
    const Tensor pair{1, 2};
    CHECK_THROWS_AS((Tensor{1, 2}.item()), ShapeError);
    CHECK_THROWS_AS((Tensor::full({0}, 1).item()), ShapeError);
    CHECK_THROWS_AS((pair.data<float>()), DTypeError);
    CHECK_THROWS_AS((pair.data<std::int64_t>()), DTypeError);
    CHECK_THROWS_AS(Tensor::full({2, -1}, 0), ShapeError);
    CHECK_THROWS_AS(Tensor::uninitialised({DType::float64, {-1}}), ShapeError);
    const std::vector<double> three = {1, 2, 3};
    CHECK_THROWS_AS(Tensor::from(std::span<const double>(three), {2, 2}), ShapeError);
    CHECK_THROWS_AS((Shape{1, 1, 1, 1, 1, 1, 1, 1, 1}), ShapeError);
    Tensor shared{1, 2};
    const Tensor other = shared;
    CHECK_THROWS_AS(shared.mutable_data<double>(), ValueError);
    CHECK_THROWS_AS(Tensor::full({std::int64_t(1) << 40, std::int64_t(1) << 40}, 0), ShapeError);  // overflows
}

TEST_CASE("errors: item, other tapes, cleared tapes") {
    Tape tape, second;
    const Node x = tape.parameter(Tensor{1, 2}), z = second.parameter(Tensor{1, 2}), total = sum(x);
    CHECK(refused<ShapeError>([&] { (void)x.item(); }, {"item", {{2}}}) == "");
    CHECK(refused<TapeError>([&] { (void)(x + z); }, {"add"}) == "");
    CHECK(refused<TapeError>([&] { (void)matmul(x, z); }, {"matmul"}) == "");
    CHECK(refused<TapeError>([&] { (void)concatenate({x, z}); }, {"concatenate"}) == "");
    CHECK(refused<TapeError>([&] { (void)grad(total, z); }, {"grad"}) == "");
    CHECK(refused<TapeError>([&] { (void)grad(total, Node()); }, {"grad"}) == "");
    CHECK(refused<TapeError>([&] { (void)vjp(x, x, z); }, {"vjp"}) == "");
    CHECK(refused<TapeError>([&] { (void)jvp(x, x, z); }, {"jvp"}) == "");
    CHECK_THROWS_AS(Program(tape, {z}), TapeError);
    tape.clear();
    CHECK(refused<TapeError>([&] { (void)exp(x); }, {"exp"}) == "");
    CHECK(refused<TapeError>([&] { (void)(2 * x); }, {"multiply"}) == "");
    CHECK(refused<TapeError>([&] { (void)x.item(); }, {"item"}) == "");
    CHECK(refused<TapeError>([&] { (void)grad(x, x); }, {"grad"}) == "");
    CHECK_THROWS_AS(Program(tape, {x}), TapeError);
}

TEST_CASE("errors: grad and value_and_grad") {
    Tape tape;
    const Node x = tape.parameter(Tensor{1, 2}), i = tape.input(make({1, 2}, DType::int64));
    const Node b = x > 0, total = sum(x), count = sum(i), nothing = tape.full({0}, 1);
    CHECK(refused<ShapeError>([&] { (void)grad(x, x); }, {"grad", {{2}}}) == "");
    CHECK(refused<ShapeError>([&] { (void)grad(nothing, x); }, {"grad", {{0}}}) == "");
    CHECK(refused<NotDifferentiable>([&] { (void)grad(count, x); }, {"grad"}) == "");
    CHECK(refused<NotDifferentiable>([&] { (void)grad(total, i); }, {"grad"}) == "");
    CHECK(refused<NotDifferentiable>([&] { (void)grad(total, b); }, {"grad"}) == "");
    CHECK(grad(reshape(sum(x), {1, 1}), x).shape() == Shape{2});  // one element is enough, whatever the rank
    CHECK_THROWS_AS(value_and_grad([](auto v) { return exp(v[0]); }, {Tensor{1, 2}}), ShapeError);
}

TEST_CASE("errors: vjp, jvp and hvp") {
    Tape tape;
    const Node x = tape.parameter(Tensor{1, 2}), y = square(x), three = tape.constant(Tensor{1, 2, 3});
    const Node narrow = tape.constant(make({1, 2}, DType::float32)), i = tape.input(make({1, 2}, DType::int64));
    const Node total = sum(y);
    CHECK(refused<ShapeError>([&] { (void)vjp(y, x, three); }, {"vjp", {{3}, {2}}}) == "");
    CHECK(refused<ShapeError>([&] { (void)jvp(y, x, three); }, {"jvp", {{3}, {2}}}) == "");
    CHECK(refused<DTypeError>([&] { (void)vjp(y, x, narrow); }, {"vjp"}) == "");
    CHECK(refused<DTypeError>([&] { (void)jvp(y, x, narrow); }, {"jvp"}) == "");
    CHECK(refused<ValueError>([&] { (void)vjp(std::vector{y, y}, std::vector{x}, std::vector{x}); }, {"vjp"}) == "");
    CHECK(refused<ValueError>([&] { (void)jvp(std::vector{y}, std::vector{x}, std::vector{x, x}); }, {"jvp"}) == "");
    CHECK(refused<NotDifferentiable>([&] { (void)vjp(y, i, y); }, {"vjp"}) == "");
    CHECK(refused<NotDifferentiable>([&] { (void)jvp(y, i, x); }, {"jvp"}) == "");
    CHECK(refused<ShapeError>([&] { (void)hvp(y, x, x); }, {"hvp", {{2}}}) == "");
    CHECK(refused<ShapeError>([&] { (void)hvp(total, x, three); }, {"hvp", {{3}, {2}}}) == "");
    CHECK(refused<DTypeError>([&] { (void)hvp(total, x, narrow); }, {"hvp"}) == "");
}

const Primitive ruleless = user_primitive("ruleless");
const Primitive misshapen = user_primitive("misshapen", [](const VjpCall& call) { call.give(0, sum(call.z_bar)); });

TEST_CASE("errors: primitives of the user's") {
    Tape tape;
    const Node x = tape.parameter(Tensor{1, 2});
    CHECK(refused<ValueError>([&] { (void)apply(ruleless, {x, x}); }, {"ruleless"}) == "");
    const Node y = sum(apply(ruleless, {x}));
    CHECK(refused_anywhere<NotDifferentiable>([&] { (void)grad(y, x); }, {"ruleless"}) == "");
    CHECK(grad(sum(x) + 0 * sum(stop_gradient(apply(ruleless, {x}))), x).shape() == Shape{2});  // not on the way
    const Node z = sum(apply(misshapen, {x}));
    CHECK(refused_anywhere<ShapeError>([&] { (void)grad(z, x); }, {"misshapen"}) == "");
    const Attributes attributes{{"axis", std::int64_t(1)}};
    CHECK(attributes.get<std::int64_t>("axis") == 1);
    CHECK_THROWS_AS(attributes.get<std::int64_t>("axes"), ValueError);
    CHECK_THROWS_AS(attributes.get<double>("axis"), ValueError);
}

// x − 2y, whose author forgot the rule of y
const Primitive x_minus_2y = [] {
    Primitive p = user_primitive("x_minus_2y");
    p.arity = 2;
    p.kernel = [](const KernelCall& call) {
        const auto x = call.input<double>(0), y = call.input<double>(1);
        for (std::size_t i = 0; i < x.size(); ++i) call.result<double>()[i] = x[i] - 2 * y[i];
    };
    p.vjp = [](const VjpCall& call) { call.give(0, call.z_bar); };
    return p;
}();

TEST_CASE("errors: an operand without a rule has no derivative, and does not take another one's") {
    Tape tape;
    const Node x = tape.parameter(Tensor{1, 2}), y = tape.parameter(Tensor{3, 4});
    const Node z = sum(apply(x_minus_2y, {x, y}));
    CHECK(mismatch(grad(z, x), {1, 1}) == "");
    CHECK(refused_anywhere<NotDifferentiable>([&] { (void)grad(z, y); }, {"x_minus_2y"}) == "");
    CHECK(refused_anywhere<NotDifferentiable>([&] { (void)grad(z, {x, y}); }, {"x_minus_2y"}) == "");
    Primitive whole = x_minus_2y;
    whole.vjp = vjp_by_operand([](const Operands&, Node, Node z_bar) { return z_bar; },
                               [](const Operands&, Node, Node z_bar) { return -2 * z_bar; });
    CHECK(mismatch(grad(sum(apply(whole, {x, y})), y), {-2, -2}) == "");
    // Forward mode as well: by rules for operands, and by one rule that gives nothing.
    whole.jvp = jvp_by_operand([](const Operands&, Node, Node x_dot) { return x_dot; });
    const Node v = apply(whole, {x, y});
    CHECK(mismatch(jvp(v, x, x), {1, 2}) == "");
    CHECK(refused_anywhere<NotDifferentiable>([&] { (void)jvp(v, y, y); }, {"x_minus_2y"}) == "");
    whole.jvp = [](const JvpCall&) {};
    const Node none = apply(whole, {x, y});
    CHECK(refused_anywhere<NotDifferentiable>([&] { (void)jvp(none, x, x); }, {"x_minus_2y"}) == "");
}

TEST_CASE("errors: all are gradtape::Error and std::runtime_error") {
    Tape tape;
    const Node x = tape.parameter(Tensor{1, 2});
    CHECK_THROWS_AS(reshape(x, {3}), Error);
    CHECK_THROWS_AS(reshape(x, {3}), std::runtime_error);
    CHECK_THROWS_AS(clamp(x, 1, 0), Error);
    CHECK_THROWS_AS(exp(x > 0), Error);
    CHECK_THROWS_AS(exp(Node()), Error);
    CHECK_THROWS_AS(grad(sum(x), x > 0), Error);
}

}  // namespace
}  // namespace gradtape::test

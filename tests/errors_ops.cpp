// What each operation refuses: class, fields, form of the message, and the caller's own line.
#include "support/refusals.hpp"

#include <doctest/doctest.h>

namespace gradtape::test {
namespace {

struct Leaves {
    Tape tape;
    Node x = tape.parameter(Tensor::full({3, 4}, 1)), y = tape.parameter(Tensor::full({5, 6}, 1));
    Node v = tape.parameter(Tensor::full({4}, 1)), s = tape.parameter(Tensor(1.0));
    Node f = tape.parameter(Tensor::full({3, 4}, 1, DType::float32));
    Node i = tape.input(Tensor::full({3, 4}, 1, DType::int64)), b = tape.input(Tensor::full({3, 4}, 1, DType::boolean));
    Node none = tape.parameter(Tensor::full({0, 3}, 1));
};

TEST_CASE("errors: shapes that do not broadcast") {
    Leaves t;
    const Refusal both{"", {{3, 4}, {5, 6}}};
    const auto named = [&](const char* name) { return Refusal{name, both.shapes}; };
    CHECK(refused<ShapeError>([&] { (void)(t.x + t.y); }, named("add")) == "");
    CHECK(refused<ShapeError>([&] { (void)(t.x - t.y); }, named("subtract")) == "");
    CHECK(refused<ShapeError>([&] { (void)(t.x * t.y); }, named("multiply")) == "");
    CHECK(refused<ShapeError>([&] { (void)(t.x / t.y); }, named("divide")) == "");
    CHECK(refused<ShapeError>([&] { (void)power(t.x, t.y); }, named("power")) == "");
    CHECK(refused<ShapeError>([&] { (void)maximum(t.x, t.y); }, named("maximum")) == "");
    CHECK(refused<ShapeError>([&] { (void)minimum(t.x, t.y); }, named("minimum")) == "");
    CHECK(refused<ShapeError>([&] { (void)xlogy(t.x, t.y); }, named("xlogy")) == "");
    CHECK(refused<ShapeError>([&] { (void)multiply_no_nan(t.x, t.y); }, named("multiply_no_nan")) == "");
    CHECK(refused<ShapeError>([&] { (void)(t.x < t.y); }, named("less")) == "");
    CHECK(refused<ShapeError>([&] { (void)(t.x <= t.y); }, named("less_equal")) == "");
    CHECK(refused<ShapeError>([&] { (void)(t.x > t.y); }, named("greater")) == "");
    CHECK(refused<ShapeError>([&] { (void)(t.x >= t.y); }, named("greater_equal")) == "");
    CHECK(refused<ShapeError>([&] { (void)equal(t.x, t.y); }, named("equal")) == "");
    CHECK(refused<ShapeError>([&] { (void)not_equal(t.x, t.y); }, named("not_equal")) == "");
    CHECK(refused<ShapeError>([&] { (void)where(t.b, t.x, t.y); }, Refusal{"where"}) == "");
    CHECK(refused<ShapeError>([&] { (void)(t.none + t.x); }, {"add", {{0, 3}, {3, 4}}}) == "");
    const Node p = t.x > t.x, q = t.y > t.y;
    CHECK(refused<ShapeError>([&] { (void)logical_and(p, q); }, named("logical_and")) == "");
    CHECK(refused<ShapeError>([&] { (void)logical_or(p, q); }, named("logical_or")) == "");
}

TEST_CASE("errors: element types that an operation does not take") {
    Leaves t;
    CHECK(refused<DTypeError>([&] { (void)(t.x + t.f); }, {"add"}) == "");
    CHECK(refused<DTypeError>([&] { (void)(t.f * t.i); }, {"multiply"}) == "");
    CHECK(refused<DTypeError>([&] { (void)(t.b + t.b); }, {"add"}) == "");
    CHECK(refused<DTypeError>([&] { (void)(t.i / t.i); }, {"divide"}) == "");
    CHECK(refused<DTypeError>([&] { (void)power(t.i, t.i); }, {"power"}) == "");
    CHECK(refused<DTypeError>([&] { (void)exp(t.i); }, {"exp"}) == "");
    CHECK(refused<DTypeError>([&] { (void)sigmoid(t.b); }, {"sigmoid"}) == "");
    CHECK(refused<DTypeError>([&] { (void)relu(t.b); }, {"relu"}) == "");
    CHECK(refused<DTypeError>([&] { (void)(-t.b); }, {"negative"}) == "");
    CHECK(refused<DTypeError>([&] { (void)(t.x < t.f); }, {"less"}) == "");
    CHECK(refused<DTypeError>([&] { (void)equal(t.x, t.b); }, {"equal"}) == "");
    // a number that the dtype does not hold, which would silently be another one
    CHECK(refused<DTypeError>([&] { (void)(t.f * 1e300); }, {"multiply"}) == "");
    CHECK(refused<DTypeError>([&] { (void)maximum(-3.5e38, t.f); }, {"maximum"}) == "");
    CHECK(refused<DTypeError>([&] { (void)clamp(t.f, -1e300, 1e300); }, {"clamp"}) == "");
    CHECK(refused<DTypeError>([&] { (void)where(t.b, t.f, 1e39); }, {"where"}) == "");
    CHECK(values(t.f * 3.4e38 * 0.0)[0] == 0);
    CHECK(values(maximum(t.f, inf))[0] == inf);
    CHECK(refused<DTypeError>([&] { (void)where(t.x, t.x, t.x); }, {"where"}) == "");
    CHECK(refused<DTypeError>([&] { (void)where(t.b, t.x, t.f); }, {"where"}) == "");
    CHECK(refused<DTypeError>([&] { (void)logical_and(t.x, t.x); }, {"logical_and"}) == "");
    CHECK(refused<DTypeError>([&] { (void)logical_or(t.b, t.x); }, {"logical_or"}) == "");
    CHECK(refused<DTypeError>([&] { (void)logical_not(t.i); }, {"logical_not"}) == "");
    CHECK(refused<DTypeError>([&] { (void)mean(t.i); }, {"mean"}) == "");
    CHECK(refused<DTypeError>([&] { (void)norm(t.i); }, {"norm"}) == "");
    CHECK(refused<DTypeError>([&] { (void)variance(t.i); }, {"variance"}) == "");
    CHECK(refused<DTypeError>([&] { (void)stddev(t.i); }, {"stddev"}) == "");
    CHECK(refused<DTypeError>([&] { (void)logsumexp(t.i); }, {"logsumexp"}) == "");
    CHECK(refused<DTypeError>([&] { (void)softmax(t.i); }, {"softmax"}) == "");
    CHECK(refused<DTypeError>([&] { (void)log_softmax(t.b); }, {"log_softmax"}) == "");
    CHECK(refused<DTypeError>([&] { (void)matmul(t.i, t.i, {.y = true}); }, {"matmul"}) == "");
    CHECK(refused<DTypeError>([&] { (void)matmul(t.x, t.f, {.y = true}); }, {"matmul"}) == "");
    CHECK(refused<DTypeError>([&] { (void)concatenate({t.x, t.f}); }, {"concatenate"}) == "");
    CHECK(refused<DTypeError>([&] { (void)stack({t.x, t.i}); }, {"stack"}) == "");
    CHECK(refused<DTypeError>([&] { (void)clamp(t.b, 0, 1); }, {"clamp"}) == "");
}

TEST_CASE("errors: axes of reductions") {
    Leaves t;
    CHECK(refused<ShapeError>([&] { (void)sum(t.x, 2); }, {"sum", {{3, 4}}, 2}) == "");
    CHECK(refused<ShapeError>([&] { (void)sum(t.x, -3); }, {"sum", {{3, 4}}, -3}) == "");
    CHECK(refused<ShapeError>([&] { (void)sum(t.x, {0, 0}); }, {"sum", {{3, 4}}, 0}) == "");
    CHECK(refused<ShapeError>([&] { (void)sum(t.x, {1, -1}); }, {"sum", {{3, 4}}}) == "");
    CHECK(refused<ShapeError>([&] { (void)mean(t.x, 7); }, {"mean", {{3, 4}}, 7}) == "");
    CHECK(refused<ShapeError>([&] { (void)mean(t.x, {1, 1}); }, {"mean", {{3, 4}}, 1}) == "");
    CHECK(refused<ShapeError>([&] { (void)norm(t.x, 7); }, {"norm", {{3, 4}}, 7}) == "");
    CHECK(refused<ShapeError>([&] { (void)stddev(t.x, {1, 1}); }, {"stddev", {{3, 4}}, 1}) == "");
    CHECK(refused<ShapeError>([&] { (void)prod(t.x, 2); }, {"prod", {{3, 4}}, 2}) == "");
    CHECK(refused<ShapeError>([&] { (void)max(t.x, {0, 5}); }, {"max", {{3, 4}}, 5}) == "");
    CHECK(refused<ShapeError>([&] { (void)min(t.x, -9); }, {"min", {{3, 4}}, -9}) == "");
    CHECK(refused<ShapeError>([&] { (void)logsumexp(t.x, 2); }, {"logsumexp", {{3, 4}}, 2}) == "");
    CHECK(refused<ShapeError>([&] { (void)softmax(t.x, 2); }, {"softmax", {{3, 4}}, 2}) == "");
    CHECK(refused<ShapeError>([&] { (void)log_softmax(t.x, -3); }, {"log_softmax", {{3, 4}}, -3}) == "");
    CHECK(refused<ShapeError>([&] { (void)softmax(t.s); }, {"softmax", {Shape{}}}) == "");
    CHECK(refused<ShapeError>([&] { (void)sum(t.s, 0); }, {"sum", {Shape{}}, 0}) == "");
    CHECK(refused<ShapeError>([&] { (void)max(t.none); }, {"max", {{0, 3}}}) == "");
    CHECK(refused<ShapeError>([&] { (void)max(t.none, 0); }, {"max", {{0, 3}}, 0}) == "");
    CHECK(refused<ShapeError>([&] { (void)min(t.none, {0, 1}); }, {"min", {{0, 3}}}) == "");
}

TEST_CASE("errors: shapes of shape operations") {
    Leaves t;
    const std::vector<Shape> x = {{3, 4}};
    CHECK(refused<ShapeError>([&] { (void)broadcast_to(t.x, {3, 5}); }, {"broadcast_to", x}) == "");
    CHECK(refused<ShapeError>([&] { (void)broadcast_to(t.x, {4}); }, {"broadcast_to", x}) == "");
    CHECK(refused<ShapeError>([&] { (void)broadcast_to(t.x, {3, -4}); }, {"broadcast_to", x}) == "");
    CHECK(refused<ShapeError>([&] { (void)sum_to(t.x, {2, 4}); }, {"sum_to", x}) == "");
    CHECK(refused<ShapeError>([&] { (void)sum_to(t.v, {3, 4}); }, {"sum_to", {{4}}}) == "");
    CHECK(refused<ShapeError>([&] { (void)reshape(t.x, {5, 2}); }, {"reshape", x}) == "");
    CHECK(refused<ShapeError>([&] { (void)reshape(t.x, {-1, 5}); }, {"reshape", x}) == "");
    CHECK(refused<ShapeError>([&] { (void)reshape(t.x, {-1, -1}); }, {"reshape", x}) == "");
    CHECK(refused<ShapeError>([&] { (void)reshape(t.x, {-3, -4}); }, {"reshape", x}) == "");
    CHECK(refused<ShapeError>([&] { (void)reshape(t.none, {0, -1}); }, {"reshape", {{0, 3}}}) == "");
    CHECK(refused<ShapeError>([&] { (void)transpose(t.x, {0}); }, {"transpose", x}) == "");
    CHECK(refused<ShapeError>([&] { (void)transpose(t.x, {0, 0}); }, {"transpose", x}) == "");
    CHECK(refused<ShapeError>([&] { (void)transpose(t.x, {0, 2}); }, {"transpose", x, 2}) == "");
    CHECK(refused<ShapeError>([&] { (void)slice(t.v, {Range{}, Range{}}); }, {"slice", {{4}}}) == "");
    CHECK(refused<ShapeError>([&] { (void)slice(t.s, {Range{}}); }, {"slice", {Shape{}}}) == "");
    CHECK(refused<ShapeError>([&] { (void)slice(t.v, {Range{0, 1, 0}}); }, {"slice", {{4}}, 0}) == "");
    CHECK(refused<ShapeError>([&] { (void)pad(t.x, {1}, {1, 1}); }, {"pad", x}) == "");
    CHECK(refused<ShapeError>([&] { (void)pad(t.x, {1, 1}, {1}); }, {"pad", x}) == "");
    CHECK(refused<ShapeError>([&] { (void)pad(t.x, {1, -1}, {0, 0}); }, {"pad", x}) == "");
}

TEST_CASE("errors: joins") {
    Leaves t;
    CHECK(refused<ShapeError>([&] { (void)concatenate({t.x, t.y}); }, {"concatenate", {{3, 4}, {5, 6}}}) == "");
    CHECK(refused<ShapeError>([&] { (void)concatenate({t.x, t.v}); }, {"concatenate", {{3, 4}, {4}}}) == "");
    CHECK(refused<ShapeError>([&] { (void)concatenate({t.x, t.x}, 2); }, {"concatenate", {{3, 4}}, 2}) == "");
    CHECK(refused<ShapeError>([&] { (void)concatenate({t.s, t.s}); }, {"concatenate", {Shape{}}}) == "");
    CHECK(refused<ShapeError>([&] { (void)concatenate(std::span<const Node>()); }, {"concatenate"}) == "");
    CHECK(refused<ShapeError>([&] { (void)stack({t.x, t.v}); }, {"stack", {{3, 4}, {4}}}) == "");
    CHECK(refused<ShapeError>([&] { (void)stack({t.x, t.x}, 3); }, {"stack", {{3, 4}}, 3}) == "");
    CHECK(refused<ShapeError>([&] { (void)stack({t.x, t.x}, -4); }, {"stack", {{3, 4}}, -4}) == "");
    CHECK(refused<ShapeError>([&] { (void)stack(std::span<const Node>()); }, {"stack"}) == "");
}

TEST_CASE("errors: matmul") {
    Leaves t;
    CHECK(refused<ShapeError>([&] { (void)matmul(t.x, t.y); }, {"matmul", {{3, 4}, {5, 6}}}) == "");
    CHECK(refused<ShapeError>([&] { (void)matmul(t.v, t.x); }, {"matmul", {{4}, {3, 4}}}) == "");
    CHECK(refused<ShapeError>([&] { (void)matmul(t.x, t.x); }, {"matmul", {{3, 4}, {3, 4}}}) == "");
    CHECK(refused<ShapeError>([&] { (void)matmul(t.x, t.v, {.x = true}); }, {"matmul", {{3, 4}, {4}}}) == "");
    CHECK(refused<ShapeError>([&] { (void)matmul(t.s, t.x); }, {"matmul", {Shape{}, {3, 4}}}) == "");
    CHECK(refused<ShapeError>([&] { (void)matmul(t.x, t.s); }, {"matmul", {{3, 4}, Shape{}}}) == "");
    const Node p = t.tape.parameter(Tensor::full({2, 3, 4}, 1)), q = t.tape.parameter(Tensor::full({5, 4, 3}, 1));
    CHECK(refused<ShapeError>([&] { (void)matmul(p, q); }, {"matmul", {{2, 3, 4}, {5, 4, 3}}}) == "");
}

TEST_CASE("errors: values out of range") {
    Leaves t;
    CHECK(refused<ValueError>([&] { (void)clamp(t.x, 2, 1); }, {"clamp"}) == "");
    CHECK(refused<DTypeError>([&] { (void)(t.i + 0.5); }, {"add"}) == "");  // not cut to 0 in silence
    CHECK(refused<DTypeError>([&] { (void)pad(t.i, {0, 0}, {0, 1}, 0.5); }, {"pad"}) == "");
    CHECK_THROWS_AS(add(1, 2), Error);                                      // on which tape?
}

TEST_CASE("errors: the blamed line is the user's, also through operators and numbers") {
    Leaves t;
    const Node twice = 2.0 * t.x;
    CHECK(refused<ShapeError>([&] { (void)sum(twice + t.y); }, {"add"}) == "");
    const auto model = [](Node a, Node b) { return a * b; };  // here
    const unsigned here = __LINE__ - 1;
    CHECK(refused<ShapeError>([&] { (void)model(t.x, t.y); }, {"multiply"}, here) == "");
}

TEST_CASE("errors: a refused operation records nothing") {
    Leaves t;
    const Node z = t.x * 2;
    const std::size_t size = t.tape.size();
    CHECK_THROWS_AS(matmul(t.x, t.y), ShapeError);
    CHECK_THROWS_AS(max(t.none), ShapeError);
    CHECK_THROWS_AS(exp(t.i), DTypeError);
    CHECK(t.tape.size() == size);
    CHECK(mismatch(grad(sum(z), t.x), std::vector<double>(12, 2)) == "");
}

}  // namespace
}  // namespace gradtape::test

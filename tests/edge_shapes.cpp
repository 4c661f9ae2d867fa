// Edges of shapes: size 0 and 1, 0-d, broadcasting, slices, joins, matrix products with empty extents.
#include "support/tensors.hpp"

#include <doctest/doctest.h>

namespace gradtape::test {
namespace {

const Shape scalar = {};

TEST_CASE("edge: gradients of broadcast operands have the operands' shapes") {
    struct Row {
        Shape x, y, z;
        double x_bar, y_bar;  // every element of the gradient of sum(x + y)
    };
    const Row rows[] = {
        {{0, 3}, {1, 3}, {0, 3}, 1, 0}, {{3, 1}, {1, 0}, {3, 0}, 0, 1},  {scalar, {2, 3}, {2, 3}, 6, 1},
        {{3}, {2, 1}, {2, 3}, 2, 3},    {{1}, {0}, {0}, 0, 1},           {scalar, scalar, scalar, 1, 1},
        {{1, 1}, {1}, {1, 1}, 1, 1},    {{2, 1, 4}, {3, 1}, {2, 3, 4}, 3, 8}, {scalar, {0}, {0}, 0, 1},
    };
    for (DType dtype : floating)
        for (const Row& row : rows) {
            CAPTURE(to_string(row.x) + " with " + to_string(row.y));
            Tape tape;
            const Node x = tape.parameter(Tensor::full(row.x, 2, dtype));
            const Node y = tape.parameter(Tensor::full(row.y, 3, dtype));
            const auto expected = [](const Shape& shape, double each) {
                return std::vector<double>(std::size_t(shape.elements()), each);
            };
            CHECK((x + y).shape() == row.z);
            const auto bars = grad(sum(x + y), {x, y});
            CHECK(bars[0].shape() == row.x);
            CHECK(bars[1].shape() == row.y);
            CHECK(mismatch(bars[0], expected(row.x, row.x_bar)) == "");
            CHECK(mismatch(bars[1], expected(row.y, row.y_bar)) == "");
            const auto product = grad(sum(y * x), {x, y});
            CHECK(mismatch(product[0], expected(row.x, 3 * row.x_bar)) == "");
            CHECK(mismatch(product[1], expected(row.y, 2 * row.y_bar)) == "");
            CHECK(product[0].dtype() == dtype);
        }
}

TEST_CASE("edge: broadcast_to and sum_to undo each other's shapes") {
    Tape tape;
    const Node x = tape.parameter(make({1, 2, 3}, {3, 1}));
    const Node wide = broadcast_to(x, {2, 3, 4});
    CHECK(wide.shape() == Shape({2, 3, 4}));
    CHECK(mismatch(sum_to(wide, {3, 1}), {8, 16, 24}) == "");
    CHECK(mismatch(sum_to(wide, scalar), {48}) == "");
    CHECK(mismatch(sum_to(wide, {2, 3, 4}), values(wide)) == "");
    CHECK(mismatch(broadcast_to(x, {3, 0}), {}) == "");
    CHECK(mismatch(sum_to(broadcast_to(x, {3, 0}), {3, 1}), {0, 0, 0}) == "");
    CHECK(mismatch(grad(sum(wide), x), {8, 8, 8}) == "");
    CHECK(mismatch(broadcast_to(tape.parameter(Tensor(7.0)), {2, 2}), {7, 7, 7, 7}) == "");
}

TEST_CASE("edge: reshape and transpose") {
    Tape tape;
    const Node x = tape.parameter(make({1, 2, 3, 4, 5, 6}, {2, 3}));
    CHECK(reshape(x, {-1}).shape() == Shape{6});
    CHECK(reshape(x, {3, -1}).shape() == Shape({3, 2}));
    CHECK(reshape(x, {1, 6, 1}).shape() == Shape({1, 6, 1}));
    CHECK(mismatch(transpose(x), {1, 4, 2, 5, 3, 6}) == "");
    CHECK(mismatch(transpose(transpose(x)), values(x)) == "");
    CHECK(mismatch(transpose(x, {-1, 0}), {1, 4, 2, 5, 3, 6}) == "");
    CHECK(transpose(tape.parameter(Tensor(1.0))).shape() == scalar);
    CHECK(transpose(tape.parameter(make({1, 2}))).shape() == Shape{2});
    const Node empty = tape.parameter(make({}, {0, 3}));
    CHECK(reshape(empty, {3, 0}).shape() == Shape({3, 0}));
    CHECK(transpose(empty).shape() == Shape({3, 0}));
    CHECK(grad(sum(transpose(empty)), empty).shape() == Shape({0, 3}));
    const Node cube = tape.parameter(make({0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}, {2, 3, 2}));
    CHECK(mismatch(transpose(cube, {2, 0, 1}), {0, 2, 4, 6, 8, 10, 1, 3, 5, 7, 9, 11}) == "");
    const Node weights = tape.constant(make({0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}, {2, 2, 3}));
    const Node turned = transpose(cube, {2, 0, 1});
    CHECK(mismatch(grad(sum(turned * weights), cube), {0, 6, 1, 7, 2, 8, 3, 9, 4, 10, 5, 11}) == "");
}

TEST_CASE("edge: slices count as Python's") {
    struct Row {
        Range range;
        std::vector<double> elements;
    };
    const Row rows[] = {
        {{}, {0, 1, 2, 3, 4, 5}},
        {{1, 3}, {1, 2}},
        {{-2, {}}, {4, 5}},
        {{{}, -4}, {0, 1}},
        {{{}, {}, 2}, {0, 2, 4}},
        {{1, {}, 3}, {1, 4}},
        {{{}, {}, -1}, {5, 4, 3, 2, 1, 0}},
        {{4, 1, -2}, {4, 2}},
        {{{}, -3, -2}, {5}},
        {{3, 3}, {}},
        {{5, 2}, {}},
        {{-100, 100}, {0, 1, 2, 3, 4, 5}},
        {{100, -100, -5}, {5, 0}},
        {{7, {}}, {}},
    };
    for (const Row& row : rows) {
        Tape tape;
        const Node x = tape.parameter(make({0, 1, 2, 3, 4, 5}));
        const Node z = slice(x, {row.range});
        CHECK(mismatch(z, row.elements) == "");
        std::vector<double> x_bar(6, 0);
        for (double e : row.elements) x_bar[std::size_t(e)] = 10 + e;
        CHECK(mismatch(grad(sum((x + 10) * x), x).value(), {10, 12, 14, 16, 18, 20}) == "");
        CHECK(mismatch(vjp(z, x, z + 10), x_bar) == "");
    }
    Tape tape;
    const Node m = tape.parameter(make({0, 1, 2, 3, 4, 5}, {2, 3}));
    CHECK(mismatch(slice(m, {Range{1, 2}}), {3, 4, 5}) == "");
    CHECK(slice(m, {Range{1, 2}}).shape() == Shape({1, 3}));
    CHECK(mismatch(slice(m, {Range{}, Range{{}, {}, -2}}), {2, 0, 5, 3}) == "");
    CHECK(mismatch(grad(sum(slice(m, {Range{}, Range{{}, {}, -2}})), m), {1, 0, 1, 1, 0, 1}) == "");
}

TEST_CASE("edge: concatenate, stack and pad") {
    Tape tape;
    const Node a = tape.parameter(make({1, 2}, {1, 2})), b = tape.parameter(make({3, 4, 5, 6}, {2, 2}));
    const Node none = tape.parameter(make({}, {0, 2}));
    const Node joined = concatenate({a, none, b});
    CHECK(joined.shape() == Shape({3, 2}));
    CHECK(mismatch(joined, {1, 2, 3, 4, 5, 6}) == "");
    const Node weights = tape.constant(make({1, 2, 3, 4, 5, 6}, {3, 2}));
    const auto bars = grad(sum(joined * weights), {a, none, b});
    CHECK(mismatch(bars[0], {1, 2}) == "");
    CHECK(bars[1].shape() == Shape({0, 2}));
    CHECK(mismatch(bars[2], {3, 4, 5, 6}) == "");
    CHECK(mismatch(concatenate({b, b}, 1), {3, 4, 3, 4, 5, 6, 5, 6}) == "");
    CHECK(mismatch(concatenate({b, b}, -1), {3, 4, 3, 4, 5, 6, 5, 6}) == "");
    CHECK(mismatch(grad(sum(concatenate({b, b}, 1) * concatenate({b, 2.0 * b}, 1)), b), {18, 24, 30, 36}) == "");
    CHECK(mismatch(concatenate({a}), {1, 2}) == "");

    const Node s = tape.parameter(Tensor(7.0)), t = tape.parameter(Tensor(8.0));
    CHECK(stack({s, t}).shape() == Shape{2});
    CHECK(mismatch(stack({s, t, s}), {7, 8, 7}) == "");
    CHECK(mismatch(grad(sum(stack({s, t, s})), s), {2}) == "");
    const Node u = tape.parameter(make({1, 2})), v = tape.parameter(make({3, 4}));
    CHECK(mismatch(stack({u, v}, 1), {1, 3, 2, 4}) == "");
    CHECK(mismatch(stack({u, v}, -1), {1, 3, 2, 4}) == "");
    CHECK(stack({u, v}, -1).shape() == Shape({2, 2}));

    CHECK(mismatch(pad(u, {1}, {2}, 9), {9, 1, 2, 9, 9}) == "");
    CHECK(mismatch(pad(u, {0}, {0}), {1, 2}) == "");
    CHECK(mismatch(grad(sum(square(pad(u, {1}, {2}, 9))), u), {2, 4}) == "");
    CHECK(mismatch(pad(none, {1, 0}, {0, 1}), {0, 0, 0}) == "");
    CHECK(mismatch(pad(b, {0, 1}, {1, 0}), {0, 3, 4, 0, 5, 6, 0, 0, 0}) == "");
    CHECK(mismatch(pad(s, {}, {}), {7}) == "");
    CHECK(mismatch(pad(u, {0}, {1}, -inf), {1, 2, -inf}) == "");
}

TEST_CASE("edge: matmul of vectors, batches, transposes and empty extents") {
    for (DType dtype : floating) {
        Tape tape;
        const Node a = tape.parameter(make({1, 2, 3, 4, 5, 6}, {2, 3}, dtype));
        const Node v = tape.parameter(make({1, 0, -1}, dtype)), w = tape.parameter(make({1, 2}, dtype));
        CHECK(mismatch(matmul(a, v), {-2, -2}) == "");
        CHECK(mismatch(matmul(w, a), {9, 12, 15}) == "");
        CHECK(matmul(v, v).shape() == scalar);
        CHECK(matmul(v, v).item() == 2);
        CHECK(mismatch(grad(matmul(v, v), v), {2, 0, -2}) == "");
        CHECK(mismatch(matmul(a, a, {.y = true}), {14, 32, 32, 77}) == "");
        CHECK(mismatch(matmul(a, a, {.x = true}), {17, 22, 27, 22, 29, 36, 27, 36, 45}) == "");
        CHECK(mismatch(matmul(a, transpose(a)), {14, 32, 32, 77}) == "");
        const Node square_matrix = tape.parameter(make({1, 2, 3, 4}, {2, 2}, dtype));
        const Node xx = matmul(square_matrix, square_matrix);  // one node twice
        CHECK(mismatch(xx, {7, 10, 15, 22}) == "");
        CHECK(mismatch(grad(sum(xx), square_matrix), {7, 11, 9, 13}) == "");

        const auto shape_of = [&](const Shape& x, const Shape& y) {
            const Node p = tape.parameter(Tensor::full(x, 1, dtype)), q = tape.parameter(Tensor::full(y, 1, dtype));
            const Node z = matmul(p, q);
            const auto bars = grad(sum(z), {p, q});
            CHECK(bars[0].shape() == x);
            CHECK(bars[1].shape() == y);
            return z.shape();
        };
        CHECK(shape_of({0, 3}, {3, 2}) == Shape({0, 2}));
        CHECK(shape_of({2, 0}, {0, 3}) == Shape({2, 3}));
        CHECK(shape_of({2, 3}, {3, 0}) == Shape({2, 0}));
        CHECK(shape_of({0}, {0}) == scalar);
        CHECK(shape_of({5, 2, 3}, {3, 4}) == Shape({5, 2, 4}));
        CHECK(shape_of({5, 1, 2, 3}, {4, 3, 2}) == Shape({5, 4, 2, 2}));
        CHECK(shape_of({3}, {5, 3, 4}) == Shape({5, 4}));
        CHECK(shape_of({5, 2, 3}, {3}) == Shape({5, 2}));
        CHECK(shape_of({0, 2, 3}, {3, 4}) == Shape({0, 2, 4}));
        const Node p = tape.parameter(Tensor::full({2, 0}, 1, dtype));
        const Node q = tape.parameter(Tensor::full({0, 3}, 1, dtype));
        CHECK(mismatch(matmul(p, q), {0, 0, 0, 0, 0, 0}) == "");
    }
}

}  // namespace
}  // namespace gradtape::test

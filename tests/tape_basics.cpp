// The tape: leaves, eager values, numbers and operators, clearing, moving, stale nodes, the life of tensors.
#include "support/tensors.hpp"

#include <doctest/doctest.h>

namespace gradtape::test {
namespace {

TEST_CASE("tape: values are there as soon as they are recorded") {
    Tape tape;
    const Node x = tape.parameter(Tensor{1, 2, 3});
    const Node y = 2.0 * x + 1;
    CHECK(mismatch(y, {3, 5, 7}) == "");
    CHECK(sum(y).item() == 15);
    CHECK(y.on(tape));
    CHECK_FALSE(Node().on(tape));
    CHECK_FALSE(Node().is_valid());
    CHECK(tape.size() > 0);
}

TEST_CASE("tape: leaves take nested lists, scalars and every dtype") {
    Tape tape;
    CHECK(tape.input(Tensor{{1, 2}, {3, 4}}).shape() == Shape({2, 2}));
    CHECK(tape.input(Tensor{{{1, 2}, {3, 4}}}).shape() == Shape({1, 2, 2}));
    CHECK(tape.constant(2.5).item() == 2.5);
    CHECK(tape.constant(2.5).shape() == Shape{});
    CHECK(tape.constant(2.5f).dtype() == DType::float32);
    CHECK(tape.constant(true).dtype() == DType::boolean);
    CHECK(tape.constant(std::int64_t(7)).dtype() == DType::int64);
    CHECK(tape.constant(7).dtype() == DType::float64);
    for (DType dtype : {DType::float32, DType::float64, DType::int64, DType::boolean}) {
        const Node ones = tape.full({2, 3}, 1, dtype);
        CHECK(ones.dtype() == dtype);
        CHECK(mismatch(ones, {1, 1, 1, 1, 1, 1}) == "");
        CHECK(tape.full({0}, 1, dtype).shape() == Shape{0});
    }
}

TEST_CASE("tape: numbers take the dtype of the other operand") {
    for (DType dtype : floating) {
        Tape tape;
        const Node x = tape.parameter(make({1, -2, 4}, dtype));
        CHECK(mismatch(2 - x, {1, 4, -2}) == "");
        CHECK(mismatch(x - 2, {-1, -4, 2}) == "");
        CHECK(mismatch(2 / x, {2, -1, 0.5}) == "");
        CHECK(mismatch(x / 2, {0.5, -1, 2}) == "");
        CHECK(mismatch(x * 0.5 + 1, {1.5, 0, 3}) == "");
        CHECK(mismatch(-x, {-1, 2, -4}) == "");
        CHECK(mismatch(power(2, x), {2, 0.25, 16}) == "");
        CHECK((2 - x).dtype() == dtype);
        CHECK(mismatch(x > 0, {1, 0, 1}) == "");
        CHECK(mismatch(0 >= x, {0, 1, 0}) == "");
        CHECK(mismatch(x < x, {0, 0, 0}) == "");
        CHECK(mismatch(x <= 1, {1, 1, 0}) == "");
        CHECK((x > 0).dtype() == DType::boolean);
        CHECK(mismatch(where(x > 0, x, 0), {1, 0, 4}) == "");
        CHECK(mismatch(where(x > 0, 1, x), {1, -2, 1}) == "");
    }
}

TEST_CASE("tape: a number as a condition is boolean, whatever it chooses from") {
    Tape tape;
    const Node x = tape.input(Tensor{1, 2}), y = tape.input(Tensor{3, 4});
    CHECK(same_bits(where(1.0, x, y).value(), x.value()));
    CHECK(same_bits(where(0.0, x, y).value(), y.value()));
    CHECK(same_bits(where(x > 1.0, 5.0, y).value(), Tensor{3, 5}));
    CHECK_THROWS_AS(where(0.5, x, y), DTypeError);
}

TEST_CASE("tape: integers and booleans compute, compare and select") {
    Tape tape;
    const Node i = tape.input(make({-3, 0, 5}, DType::int64)), j = tape.input(make({2, 0, -1}, DType::int64));
    CHECK(mismatch(i + j, {-1, 0, 4}) == "");
    CHECK(mismatch(i * j - 1, {-7, -1, -6}) == "");
    CHECK(mismatch(abs(i), {3, 0, 5}) == "");
    CHECK(mismatch(sign(i), {-1, 0, 1}) == "");
    CHECK(mismatch(-i, {3, 0, -5}) == "");
    CHECK(mismatch(equal(i, j), {0, 1, 0}) == "");
    CHECK(mismatch(not_equal(i, j), {1, 0, 1}) == "");
    CHECK(mismatch(logical_and(i > 0, j < 0), {0, 0, 1}) == "");
    CHECK(mismatch(logical_or(i > 0, j > 0), {1, 0, 1}) == "");
    CHECK(mismatch(logical_not(i > 0), {1, 1, 0}) == "");
    CHECK(mismatch(cast(i > 0, DType::float32), {0, 0, 1}) == "");
    CHECK(sum(cast(i > 0, DType::int64)).item() == 1);
    const Node x = tape.input(make({-1.9, 1.9, nan, inf, -inf, 1e300, -0.0}));
    const std::vector<double> integers = values(cast(x, DType::int64));
    CHECK(integers[0] == -1);
    CHECK(integers[1] == 1);
    CHECK(integers[2] == 0);
    CHECK(integers[3] == 0x1p63);
    CHECK(integers[4] == -0x1p63);
    CHECK(integers[5] == 0x1p63);
    CHECK(mismatch(cast(x, DType::boolean), {1, 1, 1, 1, 1, 1, 0}) == "");
    CHECK(mismatch(cast(x, DType::float32), values(x.value().as(DType::float32))) == "");
    const std::int64_t big = (std::int64_t(1) << 62) + 1;  // beyond double's 53 bits
    const Node k = tape.input(Tensor(big));
    CHECK((k + k - k).value().data<std::int64_t>()[0] == big);
}

TEST_CASE("tape: values outlive clear() and the tape") {
    Tensor kept, kept_leaf;
    {
        Tape tape;
        const Node x = tape.parameter(Tensor{1, 2, 3});
        kept = (x * x).value();
        kept_leaf = x.value();
        tape.clear();
        CHECK(tape.size() == 0);
        for (int i = 0; i < 50; ++i) {  // overwrite what was freed
            const Node y = tape.parameter(Tensor{-7, -7, -7});
            (void)(y * y + y);
        }
        CHECK(mismatch(kept, {1, 4, 9}) == "");
    }
    CHECK(mismatch(kept, {1, 4, 9}) == "");
    CHECK(mismatch(kept_leaf, {1, 2, 3}) == "");
}

TEST_CASE("tape: a leaf does not change when the caller's data do") {
    std::vector<double> mine = {1, 2};
    Tape tape;
    const Node x = tape.parameter(Tensor::from(std::span<const double>(mine), {2}));
    mine[0] = 100;
    CHECK(mismatch(x, {1, 2}) == "");
    Tensor own = Tensor::zeros({2});
    own.mutable_data<double>()[0] = 5;
    const Node y = tape.parameter(own);
    CHECK_THROWS_AS(own.mutable_data<double>(), ValueError);  // the tape shares it
    CHECK(mismatch(y, {5, 0}) == "");
}

TEST_CASE("tape: nodes of a cleared, moved or other tape") {
    Tape first, second;
    const Node x = first.parameter(Tensor{1, 2});
    const Node other = second.parameter(Tensor{3, 4});
    CHECK_FALSE(x.on(second));
    CHECK_THROWS_AS(x + other, TapeError);
    CHECK_THROWS_AS(grad(sum(x), other), TapeError);

    Tape moved = std::move(first);
    CHECK(x.on(moved));
    CHECK(mismatch(x + 1, {2, 3}) == "");

    moved.clear();
    CHECK_FALSE(x.on(moved));
    CHECK_THROWS_AS(x.value(), TapeError);
    CHECK_THROWS_AS(x + 1, TapeError);
    CHECK_THROWS_AS(x.shape(), TapeError);
    const Node again = moved.parameter(Tensor{5, 6, 7});  // takes the old index; the old handle stays stale
    CHECK(again.index() == x.index());
    CHECK_THROWS_AS(x.value(), TapeError);
    CHECK_THROWS_AS(again * x, TapeError);
    CHECK(mismatch(again, {5, 6, 7}) == "");
}

TEST_CASE("tape: default-made nodes are refused") {
    Tape tape;
    const Node x = tape.parameter(Tensor{1, 2});
    CHECK_THROWS_AS(Node().value(), TapeError);
    CHECK_THROWS_AS(Node().shape(), TapeError);
    CHECK_THROWS_AS(grad(sum(x), Node()), TapeError);
    CHECK_THROWS_AS(grad(Node(), x), TapeError);
}

TEST_CASE("tape: clear() keeps the memory for the next recording") {
    Tape tape;
    const Tensor data = Tensor::full({100, 100}, 1);
    const auto record = [&] {
        const Node x = tape.parameter(data);
        (void)grad(sum(tanh(x) * x), x);
    };
    record();
    tape.clear();
    record();
    const std::size_t bytes = tape.bytes();
    for (int i = 0; i < 100; ++i) {
        tape.clear();
        record();
    }
    CHECK(tape.bytes() <= bytes);
}

TEST_CASE("tape: full stores nothing per element") {
    Tape tape;
    const std::size_t before = tape.bytes();
    const Node x = tape.full({1000, 1000}, 3);
    CHECK(x.shape() == Shape({1000, 1000}));
    CHECK(tape.bytes() - before < 1000000);
}

TEST_CASE("tape: 0-d in, 0-d out") {
    for (DType dtype : floating) {
        Tape tape;
        const Node x = tape.parameter(make({2}, Shape{}, dtype));
        const Node y = x * x * x;
        CHECK(y.shape() == Shape{});
        CHECK(y.item() == 8);
        const Node g = grad(y, x);
        CHECK(g.shape() == Shape{});
        CHECK(g.item() == 12);
        CHECK(grad(g, x).item() == 12);
        CHECK(grad(grad(g, x), x).item() == 6);
        CHECK(g.dtype() == dtype);
    }
}

TEST_CASE("tape: numbers asked for again on a cleared tape are written down as they are") {
    Tape tape;
    for (int round = 0; round < 3; ++round) {
        tape.clear();
        for (const auto& [number, text] : {std::pair(0.0, "0"), {-0.0, "-0"}, {1.0, "1"}, {-2.5, "-2.5"}, {1e30, "1e+30"}})
            for (DType dtype : {DType::float64, DType::float32})
                for (int n = 0; n < 9; ++n) {  // more than are remembered
                    const std::string program = to_text(Program(tape, {tape.full(n == 0 ? Shape{} : Shape{n}, number, dtype)}));
                    CHECK_MESSAGE(program.find(" value=" + std::string(text) + " : ") != std::string::npos, program);
                }
    }
}

}  // namespace
}  // namespace gradtape::test

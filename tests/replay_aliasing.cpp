// Tensors that share memory with a replay: inputs, outputs and parameters keep their values, or are computed from them.
#include "support/tensors.hpp"

#include <gradtape/compile.hpp>

#include <doctest/doctest.h>

namespace gradtape::test {
namespace {

Tensor vec(std::initializer_list<double> x) { return make(x); }

/// Every way to compile that the memory plan depends on.
std::vector<CompileOptions> plans() {
    std::vector<CompileOptions> result(4);
    result[1].debug = true;
    result[2].fuse = false;
    result[3].fuse = result[3].reuse = false;
    return result;
}

TEST_CASE("replay: one tensor as two inputs and as a parameter") {
    for (const CompileOptions& options : plans()) {
        Tape tape;
        const Node x = tape.input(vec({1, 2})), y = tape.input(vec({3, 4})), p = tape.parameter(vec({5, 6}));
        Replay replay(compile(tape, {x - 2 * y}, {{p, p + x * y}}, options));
        const Tensor same = vec({7, 8});
        replay.set_input(0, same);
        replay.set_input(1, same);
        replay.set_parameter(0, same);
        replay.run();
        CHECK(values(replay.output(0)) == std::vector<double>{-7, -8});
        CHECK(values(replay.parameter(0)) == std::vector<double>{56, 72});
        CHECK(values(same) == std::vector<double>{7, 8});
    }
}

TEST_CASE("replay: an output fed back as an input") {
    for (const CompileOptions& options : plans()) {
        Tape tape;
        const Node x = tape.input(vec({1, 2, 3}));
        const Node next = x * 2 + sum(x);
        Replay replay(compile(tape, {next, x * x}, {}, options));
        std::vector<double> expected = {1, 2, 3};
        for (int i = 0; i < 5; ++i) {
            replay.run();
            const double total = expected[0] + expected[1] + expected[2];
            for (double& e : expected) e = e * 2 + total;
            CHECK(values(replay.output(0)) == expected);
            replay.set_input(0, replay.output(0));
        }
    }
}

TEST_CASE("replay: outputs and parameters swap memory with inputs, and with each other") {
    for (const CompileOptions& options : plans()) {
        Tape tape;
        const Node x = tape.input(vec({1, 2})), p = tape.parameter(vec({3, 4}));
        Replay replay(compile(tape, {x + p, x * p}, {{p, x - p}}, options));
        std::vector<double> a = {1, 2}, b = {3, 4};
        for (int i = 0; i < 6; ++i) {
            replay.run();
            std::vector<double> both(2), product(2), difference(2);
            for (int k = 0; k < 2; ++k) both[k] = a[k] + b[k], product[k] = a[k] * b[k], difference[k] = a[k] - b[k];
            CHECK(values(replay.output(0)) == both);
            CHECK(values(replay.output(1)) == product);
            CHECK(values(replay.parameter(0)) == difference);
            a = difference, b = product;
            replay.set_input(0, replay.parameter(0));   // the input is the parameter's memory
            replay.set_parameter(0, replay.output(1));  // and the parameter an output's
        }
    }
}

TEST_CASE("replay: results that were taken out keep their values") {
    for (const CompileOptions& options : plans()) {
        Tape tape;
        const Node x = tape.input(vec({1, 2})), p = tape.parameter(vec({3, 4}));
        Replay replay(compile(tape, {x * p, reshape(x, {1, 2}), p}, {{p, p + 1}}, options));
        std::vector<std::vector<Tensor>> kept;
        for (int i = 0; i < 5; ++i) {
            replay.set_input(0, vec({double(i), double(i + 1)}));
            replay.run();
            kept.push_back({replay.output(0), replay.output(1), replay.output(2), replay.parameter(0)});
        }
        for (int i = 0; i < 5; ++i) {
            CHECK(values(kept[i][0]) == std::vector<double>{double(i * (3 + i)), double((i + 1) * (4 + i))});
            CHECK(values(kept[i][1]) == std::vector<double>{double(i), double(i + 1)});
            CHECK(values(kept[i][2]) == std::vector<double>{3.0 + i, 4.0 + i});
            CHECK(values(kept[i][3]) == std::vector<double>{4.0 + i, 5.0 + i});
        }
    }
}

TEST_CASE("replay: results outlive the replay, the program and the tape") {
    Tensor output, parameter;
    {
        Tape tape;
        const Node x = tape.input(vec({1, 2})), p = tape.parameter(vec({3, 4}));
        Replay replay(compile(tape, {x * p}, {{p, p + x}}));
        tape.clear();
        replay.run();
        output = replay.output(0);
        parameter = replay.parameter(0);
    }
    CHECK(values(output) == std::vector<double>{3, 8});
    CHECK(values(parameter) == std::vector<double>{4, 6});
}

TEST_CASE("replay: the recorded tensors and other replays are not written to") {
    Tape tape;
    const Tensor start = vec({3, 4});
    const Node p = tape.parameter(start);
    const Compiled compiled = compile(tape, {p * 2}, {{p, p * 10}});
    Replay one(compiled), two(compiled);
    one.run();
    one.run();
    two.run();
    CHECK(values(start) == std::vector<double>{3, 4});
    CHECK(values(p) == std::vector<double>{3, 4});
    CHECK(values(one.parameter(0)) == std::vector<double>{300, 400});
    CHECK(values(two.parameter(0)) == std::vector<double>{30, 40});
    Replay moved = std::move(one);
    moved.run();
    CHECK(values(moved.parameter(0)) == std::vector<double>{3000, 4000});
    two = std::move(moved);
    CHECK(values(two.parameter(0)) == std::vector<double>{3000, 4000});
}

/// Three parameters, an input, and a plan with these updates.
struct Three {
    Tape tape;
    Node x = tape.input(vec({1, 2})), p = tape.parameter(vec({1, 2})), q = tape.parameter(vec({3, 4})),
         r = tape.parameter(vec({5, 6}));
};
using Values = std::vector<double>;

TEST_CASE("replay: parameters that are swapped, or go round in a ring") {
    for (const CompileOptions& options : plans()) {
        Three n;
        Replay swap(compile(n.tape, {n.p - n.q}, {{n.p, n.q}, {n.q, n.p}}, options));
        for (int i = 0; i < 3; ++i) {
            swap.run();
            CHECK(values(swap.output(0)) == (i % 2 ? Values{2, 2} : Values{-2, -2}));
            CHECK(values(swap.parameter(i % 2 ? 0 : 1)) == Values{1, 2});
            CHECK(values(swap.parameter(i % 2 ? 1 : 0)) == Values{3, 4});
        }
        const Node q = reshape(reshape(n.q, {2, 1}), {2});
        Replay ring(compile(n.tape, {}, {{n.p, q}, {n.q, stop_gradient(n.r)}, {n.r, n.p}}, options));
        for (int i = 0; i < 3; ++i) ring.run();
        CHECK(values(ring.parameter(0)) == Values{1, 2});
        CHECK(values(ring.parameter(1)) == Values{3, 4});
        CHECK(values(ring.parameter(2)) == Values{5, 6});
    }
}

TEST_CASE("replay: a parameter that takes another's old value, or its own") {
    for (const CompileOptions& options : plans()) {
        Three n;
        Replay old(compile(n.tape, {n.p}, {{n.p, n.p + 1}, {n.q, n.p}}, options));
        for (int i = 0; i < 3; ++i) {
            old.run();
            CHECK(values(old.output(0)) == Values{1.0 + i, 2.0 + i});
            CHECK(values(old.parameter(0)) == Values{2.0 + i, 3.0 + i});
            CHECK(values(old.parameter(1)) == Values{1.0 + i, 2.0 + i});
        }
        Replay itself(compile(n.tape, {n.p + n.q}, {{n.p, n.p}, {n.q, n.q * 1}}, options));
        itself.run();
        itself.run();
        CHECK(values(itself.output(0)) == Values{4, 6});
        CHECK(values(itself.parameter(0)) == Values{1, 2});
        CHECK(values(itself.parameter(1)) == Values{3, 4});
    }
}

TEST_CASE("replay: a new value that is an output, twice, and another parameter's too") {
    for (const CompileOptions& options : plans()) {
        Three n;
        const Node v = n.p + n.x;
        Replay replay(compile(n.tape, {v, v, reshape(v, {1, 2})}, {{n.p, v}, {n.q, v}}, options));
        for (int i = 1; i <= 3; ++i) {
            replay.run();
            for (std::size_t k = 0; k < 3; ++k) CHECK(values(replay.output(k)) == Values{1.0 + i, 2.0 + 2 * i});
            for (std::size_t k = 0; k < 2; ++k) CHECK(values(replay.parameter(k)) == Values{1.0 + i, 2.0 + 2 * i});
        }
    }
}

TEST_CASE("replay: the old value is read after the new one was computed") {
    for (const CompileOptions& options : plans()) {
        Three n;
        const Node v = n.q * 2;
        const Node late = sum(v * v) * n.q + matmul(reshape(v, {1, 2}), reshape(n.q, {2, 1}));
        Replay whole(compile(n.tape, {late}, {{n.q, v}}, options));
        whole.run();  // 100 q + (6·3 + 8·4)
        CHECK(values(whole.output(0)) == Values{350, 450});
        CHECK(values(whole.parameter(1)) == Values{6, 8});
        const Node table = broadcast_to(n.q, {3, 2}) * sum(n.q) + v;
        Replay row(compile(n.tape, {table, v - n.q}, {{n.q, v}, {n.r, n.q - v}}, options));
        row.run();
        CHECK(values(row.output(0)) == Values{27, 36, 27, 36, 27, 36});
        CHECK(values(row.output(1)) == Values{3, 4});
        CHECK(values(row.parameter(1)) == Values{6, 8});
        CHECK(values(row.parameter(2)) == Values{-3, -4});
    }
}

TEST_CASE("replay: a new value that is an input, a constant, a broadcast") {
    for (const CompileOptions& options : plans()) {
        Three n;
        const Node nine = broadcast_to(n.tape.constant(vec({9})), {2});
        Replay replay(compile(n.tape, {}, {{n.p, n.x}, {n.q, nine}, {n.r, n.tape.full({2}, 8)}}, options));
        replay.set_input(0, vec({7, 8}));
        replay.run();
        CHECK(values(replay.parameter(0)) == Values{7, 8});
        CHECK(values(replay.parameter(1)) == Values{9, 9});
        CHECK(values(replay.parameter(2)) == Values{8, 8});
    }
}

TEST_CASE("replay: outputs that are leaves, constants and aliases") {
    for (const CompileOptions& options : plans()) {
        Tape tape;
        const Node x = tape.input(vec({1, 2})), p = tape.parameter(vec({3, 4}));
        const Node c = tape.constant(vec({5, 6})), n = tape.full({2}, 7), row = broadcast_to(x, {2, 2});
        Replay replay(
            compile(tape, {x, p, c, n, reshape(x, {2, 1}), stop_gradient(p), row, row, c + n, n * 2}, {}, options));
        replay.set_input(0, vec({-1, -2}));
        replay.run();
        const std::vector<std::vector<double>> expected = {
            {-1, -2}, {3, 4}, {5, 6}, {7, 7}, {-1, -2}, {3, 4}, {-1, -2, -1, -2}, {-1, -2, -1, -2}, {12, 13}, {14, 14}};
        for (std::size_t k = 0; k < expected.size(); ++k) CHECK(values(replay.output(k)) == expected[k]);
        CHECK(replay.output(4).shape() == Shape{2, 1});
    }
}

TEST_CASE("replay: memory that a tensor has adopted is not written") {
    alignas(64) double mine[8] = {1, 2};
    const auto adopted = [&] {
        return Tensor::adopt({DType::float64, {2}}, std::make_shared<int>(), mine);  // nobody else has this owner
    };
    CHECK(!adopted().unique());
    Tensor foreign = adopted();
    CHECK_THROWS_AS((void)foreign.mutable_data<double>(), ValueError);
    Tape tape;
    const Node x = tape.input(Type{DType::float64, {2}}), p = tape.parameter(Type{DType::float64, {2}});
    Replay replay(compile(tape, {x + p}, {{p, p * 2}}));
    replay.set_parameter(0, adopted());
    replay.set_input(0, adopted());
    for (int i = 0; i < 3; ++i) replay.run();
    CHECK(values(replay.output(0)) == std::vector<double>{1 + 4, 2 + 8});
    CHECK(values(replay.parameter(0)) == std::vector<double>{8, 16});
    CHECK((mine[0] == 1 && mine[1] == 2));
}

TEST_CASE("replay: let go, inputs can be written by their owners, and must be set again") {
    Tape tape;
    const Node x = tape.input(Type{DType::float64, {2}}), p = tape.parameter(vec({3, 4}));
    Replay replay(compile(tape, {x + p}, {{p, p * 2}}, {.keep_values = false}));
    CHECK_THROWS_AS(replay.run(), ValueError);
    Tensor mine = vec({1, 2});
    replay.set_input(0, mine);
    CHECK_THROWS_AS(replay.run(), ValueError);
    replay.set_parameter(0, vec({3, 4}));
    replay.run();
    replay.release();
    CHECK(mine.unique());
    mine.mutable_data<double>()[0] = 10;
    CHECK_THROWS_AS(replay.run(), ValueError);
    replay.set_input(0, mine);
    replay.run();  // the parameter is the replay's own: it was updated
    CHECK(values(replay.output(0)) == std::vector<double>{16, 10});
    CHECK(values(replay.parameter(0)) == std::vector<double>{12, 16});
}

}  // namespace
}  // namespace gradtape::test

// Guards: what control flow read while recording is read again at each replay, and must be the same.
#include "support/tensors.hpp"

#include <gradtape/compile.hpp>

#include <doctest/doctest.h>

#include <cmath>

namespace gradtape::test {
namespace {

std::vector<CompileOptions> switched() {
    constexpr bool CompileOptions::*passes[] = {&CompileOptions::fold,  &CompileOptions::simplify,
                                                &CompileOptions::merge, &CompileOptions::remove_dead,
                                                &CompileOptions::fuse,  &CompileOptions::reuse};
    CompileOptions none;
    for (auto pass : passes) none.*pass = false;
    std::vector<CompileOptions> result = {{}, none};
    for (auto pass : passes) {
        CompileOptions only = none, without;
        only.*pass = true;
        without.*pass = false;
        result.push_back(only);
        result.push_back(without);
    }
    return result;
}

TEST_CASE("replay: a failed guard says where, what was expected and what was found") {
    for (const CompileOptions& options : switched()) {
        Tape tape;
        tape.guard_reads(true);
        const Node x = tape.input(Tensor(3.0));
        const unsigned line = __LINE__ + 1;
        CHECK((x * 2).item() == 6);
        Replay replay(compile(tape, {x + 1}, {}, options));
        replay.run();
        CHECK(replay.output(0).item() == 4);
        replay.set_input(0, Tensor(3.5));
        bool failed = false;
        try {
            replay.run();
        } catch (const GuardFailed& failure) {
            failed = true;
            CHECK(failure.expected() == 6);
            CHECK(failure.found() == 7);
            CHECK(failure.primitive() == "guard");
            CHECK(failure.where().line == line);
            CHECK(std::string(failure.where().file).find("replay_guards.cpp") != std::string::npos);
            const std::string text = failure.what();
            CHECK(text.find("replay_guards.cpp:" + std::to_string(line)) != std::string::npos);
            CHECK(text.find("6") != std::string::npos);
            CHECK(text.find("7") != std::string::npos);
        }
        CHECK(failed);
        replay.set_input(0, Tensor(3.0));
        replay.run();
        CHECK(replay.output(0).item() == 4);
    }
}

TEST_CASE("replay: after a failed guard parameters are as they were, wherever the guard stands") {
    for (const CompileOptions& options : switched()) {
        for (int place = 0; place < 3; ++place) {
            Tape tape;
            tape.guard_reads(true);
            const Node x = tape.input(Tensor(1.0)), p = tape.parameter(make({1, 2, 3})),
                       q = tape.parameter(make({4, 5, 6}));
            if (place == 0) (void)x.item();
            const Node v = p - x;
            if (place == 1) (void)sum(v).item();
            const Node w = q * v;
            const Node late = sum(w + p);
            if (place == 2) (void)late.item();
            Replay replay(compile(tape, {late}, {{p, v}, {q, w}}, options));
            replay.set_input(0, Tensor(2.0));
            for (int attempt = 0; attempt < 2; ++attempt) {
                CHECK_THROWS_AS(replay.run(), GuardFailed);
                CHECK(values(replay.parameter(0)) == std::vector<double>{1, 2, 3});
                CHECK(values(replay.parameter(1)) == std::vector<double>{4, 5, 6});
            }
            replay.set_input(0, Tensor(1.0));
            replay.run();
            CHECK(values(replay.parameter(0)) == std::vector<double>{0, 1, 2});
            CHECK(values(replay.parameter(1)) == std::vector<double>{0, 5, 12});
        }
    }
}

TEST_CASE("replay: guards compare bits, of every dtype") {
    struct Read {
        Tensor recorded, same, other;
    };
    const Read reads[] = {{Tensor(0.0), Tensor(0.0), Tensor(-0.0)},
                          {Tensor(nan), Tensor(nan), Tensor(1.0)},
                          {Tensor(0.1f), Tensor(0.1f), Tensor(std::nextafter(0.1f, 1.0f))},
                          {Tensor(std::int64_t(-3)), Tensor(std::int64_t(-3)), Tensor(std::int64_t(-4))},
                          {Tensor(true), Tensor(true), Tensor(false)},
                          {Tensor::full({1, 1}, 2), Tensor::full({1, 1}, 2), Tensor::full({1, 1}, 3)}};
    for (const Read& read : reads) {
        CAPTURE(to_string(read.recorded));
        Tape tape;
        tape.guard_reads(true);
        const Node x = tape.input(read.recorded);
        (void)x.item();
        Replay replay(compile(tape, {}));
        replay.set_input(0, read.same);
        replay.run();
        replay.set_input(0, read.other);
        CHECK_THROWS_AS(replay.run(), GuardFailed);
    }
}

// Simplified to 1 − x, whose NaN has another sign.
TEST_CASE("replay: any NaN is as good as the one that a guard expects") {
    const auto read = [](Tape& tape, const Tensor& from) {
        const Node z = 1.0 + (-sum(tape.input(from)));
        return z.item() > 0 ? z * 2.0 : z;
    };
    Tape tape;
    tape.guard_reads(true);
    const Node z = read(tape, Tensor{nan, 1.0});
    Replay replay(compile(tape, {z}));
    for (double sign : {1.0, -1.0}) {
        replay.set_input(0, Tensor{std::copysign(nan, sign), 1.0});
        replay.run();
        CHECK(std::isnan(replay.output(0).item()));
    }
    replay.set_input(0, Tensor{1.0, 1.0});
    CHECK_THROWS_AS(replay.run(), GuardFailed);

    CompiledFunction f = compile([](std::span<const Node> x) {
        const Node y = 1.0 + (-sum(x[0]));
        return std::vector<Node>{y.item() > 0 ? y * 2.0 : y};
    });
    CHECK(f({Tensor{2.0, 1.0}})[0].item() == -2);
    CHECK(std::isnan(f({Tensor{nan, 1.0}})[0].item()));
    CHECK(std::isnan(f({Tensor{1.0, -nan}})[0].item()));
    CHECK(f.recordings() == 2);
}

TEST_CASE("replay: values that are read without guards may change") {
    Tape tape;
    const Node x = tape.input(Tensor(3.0));
    (void)x.item();
    tape.guard_reads(true);
    (void)peek(x).item();
    Replay replay(compile(tape, {x + 1}));
    replay.set_input(0, Tensor(4.0));
    replay.run();
    CHECK(replay.output(0).item() == 5);
}

TEST_CASE("replay: a guard holds although no result needs what it read, which may have chosen the result") {
    for (const CompileOptions& options : switched()) {
        const auto larger = [&](double from) {
            Tape tape;
            tape.guard_reads(true);
            const Node x = tape.input(Tensor(from)), w = tape.parameter(Tensor(1.0));
            const Node a = x + 1, b = x - 1, sign = x * 3;  // all recorded before the read
            const Node chosen = sign.item() > 0 ? a : b;
            return compile(tape, {chosen}, {{w, chosen}}, options);
        };
        Replay replay(larger(2));
        replay.run();
        CHECK(replay.output(0).item() == 3);
        CHECK(replay.parameter(0).item() == 3);
        replay.set_input(0, Tensor(-2.0));  // recorded with this one, the result is -3; this recording would give -1
        CHECK_THROWS_AS(replay.run(), GuardFailed);
        CHECK(replay.parameter(0).item() == 3);
        Replay other(larger(-2));
        other.run();
        CHECK(other.output(0).item() == -3);
    }
}

TEST_CASE("replay: a tensor, for which no guard stands, is not read where reads are guarded") {
    Tape tape;
    const Node x = tape.input(make({1, 2})), y = x * 2, c = tape.constant(make({3, 4})), n = tape.full({2}, 5);
    tape.guard_reads(true);
    const std::size_t size = tape.size();
    CHECK_THROWS_WITH_AS((void)x.value(), doctest::Contains("replay_guards.cpp"), TapeError);
    CHECK_THROWS_WITH_AS((void)y.value(), doctest::Contains("peek()"), TapeError);
    CHECK(values(c.value()) == std::vector<double>{3, 4});
    CHECK(values(n.value()) == std::vector<double>{5, 5});
    CHECK(values(peek(y)) == std::vector<double>{2, 4});
    CHECK(tape.size() == size);
    tape.guard_reads(false);
    CHECK(values(y.value()) == std::vector<double>{2, 4});
}

TEST_CASE("replay: guards on constants hold, whatever is folded") {
    for (const CompileOptions& options : switched()) {
        Tape tape;
        tape.guard_reads(true);
        const Node x = tape.input(Tensor(3.0));
        (void)(tape.constant(2.0) * 3).item();
        (void)sum(tape.full({5000}, 1.0)).item();
        Replay replay(compile(tape, {x}, {}, options));
        replay.set_input(0, Tensor(4.0));
        replay.run();
        CHECK(replay.output(0).item() == 4);
    }
}

TEST_CASE("replay: a guard after a derivative guards the derivative") {
    for (const CompileOptions& options : switched()) {
        Tape tape;
        tape.guard_reads(true);
        const Node x = tape.parameter(make({1, 2}));
        const Node g = grad(sum(square(x)), x);
        (void)max(g).item();
        Replay replay(compile(tape, {g}, {}, options));
        replay.run();
        replay.set_parameter(0, make({2, 2}));
        replay.run();
        CHECK(values(replay.output(0)) == std::vector<double>{4, 4});
        replay.set_parameter(0, make({2, 3}));
        CHECK_THROWS_AS(replay.run(), GuardFailed);
    }
}

}  // namespace
}  // namespace gradtape::test

// Runs that fail: kernels that throw, threads that cannot be started, uses from within, objects that were moved from.
#include "replay/team.hpp"
#include "support/own_primitive.hpp"
#include "support/refusals.hpp"

#include <gradtape/compile.hpp>

#include <doctest/doctest.h>

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

namespace gradtape::test {
namespace {

struct Mine : std::runtime_error {
    using std::runtime_error::runtime_error;
};
bool fails = false;
std::function<void()> meanwhile;

void failing_kernel(const KernelCall& call) {
    if (meanwhile) meanwhile();
    if (fails) throw Mine("mine");
    copy_kernel(call);
}
const Primitive failing = user_primitive("failing", nullptr, failing_kernel);

struct Reset {
    ~Reset() {
        fails = false;
        meanwhile = nullptr;
    }
};

/// A step that updates p early and reads it through a kernel of somebody's late.
struct Late {
    Tape tape;
    Node p = tape.parameter(Tensor{1, 2, 3}), q = tape.parameter(Tensor{4, 5, 6});
    Compiled compiled;

    explicit Late(const Primitive& last, CompileOptions options = {}) : compiled(make(last, options)) {}
    Compiled make(const Primitive& last, const CompileOptions& options) {
        const Node p2 = p * 2, q2 = q * 3, late = apply(last, {q2 + 1});
        return compile(tape, {sum(late)}, {{p, p2}, {q, q2}}, options);
    }
};

TEST_CASE("replay: a kernel that throws leaves the parameters as they were and no outputs") {
    const Reset reset;
    for (bool fuse : {true, false}) {
        Late s(failing, {.fuse = fuse});
        Replay replay(s.compiled);
        replay.run();
        CHECK(mismatch(replay.parameter(0), {2, 4, 6}) == "");
        fails = true;
        CHECK_THROWS_AS(replay.run(), Mine);
        CHECK(mismatch(replay.parameter(0), {2, 4, 6}) == "");
        CHECK(mismatch(replay.parameter(1), {12, 15, 18}) == "");
        CHECK_THROWS_AS(replay.output(0), ValueError);
        fails = false;
        replay.run();
        CHECK(mismatch(replay.parameter(0), {4, 8, 12}) == "");
        CHECK(replay.output(0).item() == 36 + 45 + 54 + 3);
    }
}

TEST_CASE("replay: an exception crosses threads, and the team goes on") {
    detail::Team team(3, Where::here());
    for (std::size_t failing : {0, 17, 63, 64}) {
        std::atomic<std::size_t> done = 0;
        const auto work = [&](std::size_t, std::size_t part) {
            if (part == failing) throw Mine("part");
            ++done;
        };
        if (failing < 64)
            CHECK_THROWS_AS(team.share(64, work), Mine);
        else
            team.share(64, work);
        CHECK(done == (failing < 64 ? 63 : 64));
    }
}

TEST_CASE("replay: a replay that is running is not used from within, and may be destroyed there") {
    const Reset reset;
    Late s(failing);
    auto replay = std::make_unique<Replay>(s.compiled);
    int refusals = 0;
    const auto refuses = [&](auto call) {
        try {
            call();
        } catch (const TapeError&) {
            ++refusals;
        }
    };
    meanwhile = [&] {
        refuses([&] { replay->run(); });
        refuses([&] { replay->set_parameter(0, Tensor{1, 2, 3}); });
        refuses([&] { replay->release(); });
        refuses([&] { (void)replay->output(0); });
        refuses([&] { (void)replay->parameter(0); });
    };
    replay->run();
    CHECK(refusals == 5);
    meanwhile = [&] { replay.reset(); };
    replay->run();
    CHECK(!replay);
}

TEST_CASE("replay: a compiled function that is at work is not called from within, and may be destroyed there") {
    const Reset reset;
    std::unique_ptr<CompiledFunction> f;
    bool recurse = true;
    f = std::make_unique<CompiledFunction>([&](std::span<const Node> x) {
        if (recurse) CHECK_THROWS_AS((*f)({Tensor{1, 2}}), TapeError);
        return std::vector<Node>{apply(failing, {x[0] * 2})};
    });
    int refusals = 0;
    meanwhile = [&] {
        try {
            (*f)({Tensor{1, 2}});
        } catch (const TapeError&) {
            ++refusals;
        }
    };
    CHECK(mismatch((*f)({Tensor{1, 2}})[0], {2, 4}) == "");
    CHECK(refusals == 2);  // as it records, and as it runs
    meanwhile = nullptr;
    CHECK(mismatch((*f)({Tensor{3, 4}})[0], {6, 8}) == "");
    fails = true;
    CHECK_THROWS_AS((*f)({Tensor{3, 4}}), Mine);
    fails = false;
    CHECK(mismatch((*f)({Tensor{3, 4}})[0], {6, 8}) == "");
    meanwhile = [&] { f.reset(); };
    CHECK(mismatch((*f)({Tensor{3, 4}})[0], {6, 8}) == "");
    CHECK(!f);
}

/// Where no more processes may be started; 0 where all went as it should.
int without_threads(const Compiled& compiled) {
    rlimit all{};
    if (getrlimit(RLIMIT_NPROC, &all) != 0) return 1;
    all.rlim_cur = all.rlim_max;
    const rlimit none{0, all.rlim_max};
    if (setrlimit(RLIMIT_NPROC, &none) != 0) return 1;
    if (getuid() == 0 && setuid(54321) != 0) return 2;  // the limit does not bind the superuser
    try {
        Replay replay(compiled);
        return 3;
    } catch (const Error& error) {
        if (std::string(error.what()).find("thread 2 of 3 cannot be started") == std::string::npos) return 4;
        if (std::string(error.what()).find("(replay_failures.cpp:") == std::string::npos) return 7;
    }
    if (setrlimit(RLIMIT_NPROC, &all) != 0) return 5;
    Replay replay(compiled);
    replay.run();
    return replay.output(0).item() == 512.0 * 512 * 512 ? 0 : 6;
}

TEST_CASE("replay: threads that cannot be started are an error, and the next replay works") {
    Tape tape;
    const Node x = tape.input(Tensor::full({512, 512}, 1));
    const Compiled compiled = compile(tape, {sum(matmul(x, x))}, {}, {.threads = 3});
    const pid_t child = fork();
    REQUIRE(child >= 0);
    if (child == 0) _exit(without_threads(compiled));
    int status = 0;
    REQUIRE(waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status));
    CHECK(WEXITSTATUS(status) == 0);
}

TEST_CASE("replay: what was moved from says so") {
    Late s(failing);
    Compiled compiled = s.compiled;
    const Compiled kept = std::move(compiled);
    CHECK_THROWS_AS(compiled.input_count(), TapeError);
    CHECK_THROWS_AS(compiled.parameter_count(), TapeError);
    CHECK_THROWS_AS(compiled.output_count(), TapeError);
    CHECK_THROWS_AS(compiled.parameter_number(s.p), TapeError);
    CHECK_THROWS_AS(compiled.arena_bytes(), TapeError);
    CHECK_THROWS_AS(compiled.peak_bytes(), TapeError);
    CHECK_THROWS_AS(compiled.explain(), TapeError);
    CHECK_THROWS_AS(Replay{compiled}, TapeError);
    Replay replay(kept);
    const Replay other = std::move(replay);
    CHECK_THROWS_AS(replay.run(), TapeError);
    CHECK_THROWS_AS(replay.set_input(0, Tensor(1.0)), TapeError);
    CHECK_THROWS_AS(replay.set_parameter(0, Tensor(1.0)), TapeError);
    CHECK_THROWS_AS(replay.release(), TapeError);
    CHECK_THROWS_AS((void)replay.output(0), TapeError);
    CHECK_THROWS_AS((void)replay.parameter(0), TapeError);
    Program program(s.tape, {s.p});
    const Program whole = std::move(program);
    CHECK(whole.size() == s.tape.size());
    CHECK_THROWS_AS(program.size(), TapeError);
    CHECK_THROWS_AS(program.body(), TapeError);
    CHECK_THROWS_AS(to_text(program), TapeError);
    CHECK_THROWS_AS(to_dot(program), TapeError);
    CHECK_THROWS_AS(verify(program), TapeError);
    CHECK_THROWS_AS(compile(program), TapeError);
    CHECK_THROWS_AS(Program{program}, TapeError);
    CompiledFunction f([](std::span<const Node> x) { return std::vector<Node>{x[0]}; });
    CompiledFunction g = std::move(f);
    CHECK_THROWS_AS(f({Tensor(1.0)}), TapeError);
    CHECK_THROWS_AS(f.explain(), TapeError);
    CHECK_THROWS_AS(f.recordings(), TapeError);
    CHECK(g({Tensor(1.0)})[0].item() == 1);
    Tensor t{1, 2};
    const Tensor u = std::move(t);
    CHECK_THROWS_AS(t.data<double>(), TapeError);
    CHECK_THROWS_AS(t.mutable_data<double>(), TapeError);
    CHECK_THROWS_AS(t.item(), Error);
    CHECK_THROWS_AS(t.as(DType::float32), TapeError);
    CHECK_THROWS_AS(t.as(DType::float64), TapeError);
    CHECK_THROWS_AS(same_bits(t, u), TapeError);
    CHECK_THROWS_AS(to_string(t), TapeError);
    CHECK(!t.unique());
    CHECK(!t.raw());
    Tape tape;
    CHECK(refused<TapeError>([&] { (void)tape.input(t); }, {"input"}) == "");
    CHECK(refused<TapeError>([&] { (void)tape.parameter(t); }, {"parameter"}) == "");
    CHECK(refused<TapeError>([&] { (void)tape.constant(t); }, {"constant"}) == "");
    Replay third(kept);
    Tensor p{1, 2, 3};
    const Tensor q = std::move(p);
    CHECK_THROWS_AS(third.set_parameter(0, p), TapeError);
}

template <class T>
concept GivesElements = requires(T&& tensor) { static_cast<T&&>(tensor).template data<double>(); };
static_assert(GivesElements<Tensor&> && GivesElements<const Tensor&> && GivesElements<const Tensor>);
static_assert(!GivesElements<Tensor>, "the elements of a temporary are gone with it");

}  // namespace
}  // namespace gradtape::test

// One compiled program, a replay for each of eight threads: all get the bits of plain evaluation, all the time.
#include "support/pass_check.hpp"
#include "support/replay_program.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <deque>
#include <mutex>
#include <thread>

namespace gradtape::test {
namespace {

/// How long threads replay: GRADTAPE_THREAD_SECONDS, else two seconds.
std::chrono::milliseconds duration() {
    const char* seconds = std::getenv("GRADTAPE_THREAD_SECONDS");
    return std::chrono::milliseconds(seconds ? long(1000 * std::atof(seconds)) : 2000);
}

/// A step of a network whose products are OpenBLAS's, and one of random matrices.
Case network(std::int64_t batch) {
    Case its;
    Random random(std::uint64_t(batch) + 1);
    Tape tape;
    its.recorded.inputs = {random.tensor({batch, 50}, -1, 1), random.tensor({batch, 7}, 0, 1)};
    its.fresh.inputs = {random.tensor({batch, 50}, -1, 1), random.tensor({batch, 7}, 0, 1)};
    its.recorded.parameters = {random.tensor({50, 90}, -1, 1), random.tensor({90, 7}, -1, 1)};
    its.fresh.parameters = {random.tensor({50, 90}, -1, 1), random.tensor({90, 7}, -1, 1)};
    const Node x = tape.input(its.recorded.inputs[0]), y = tape.input(its.recorded.inputs[1]);
    const Node v = tape.parameter(its.recorded.parameters[0]), w = tape.parameter(its.recorded.parameters[1]);
    const Node loss = mean(-sum(y * log_softmax(matmul(tanh(matmul(x, v)), w), 1), Axes(1)));
    const std::vector<Node> g = grad(loss, {v, w});
    const Node next_v = v - 0.1 * g[0], next_w = w - 0.1 * g[1];
    its.body = Program(tape, {loss, g[1]}).body();
    its.body.updates = {{v.index(), next_v.index()}, {w.index(), next_w.index()}};
    return its;
}

/// Whatever is shared out among threads: fused loops with sums, reductions of rows, products of several kinds.
Case large(DType dtype, std::int64_t rows, std::int64_t columns) {
    Case its;
    Random random{std::uint64_t(rows)};
    Tape tape;
    for (auto* leaves : {&its.recorded, &its.fresh}) {
        leaves->inputs = {random.tensor({rows, columns}, -1, 1, dtype), random.tensor({columns}, -1, 1, dtype)};
        leaves->parameters = {random.tensor({columns, 300}, -1, 1, dtype)};
    }
    const Node x = tape.input(its.recorded.inputs[0]), bias = tape.input(its.recorded.inputs[1]);
    const Node w = tape.parameter(its.recorded.parameters[0]);
    const Node y = sigmoid(x * 2.0 + bias) * x - tanh(x) / (bias * bias + 1.0);
    const Node z = softmax(matmul(y, w), 1), stack = reshape(concatenate({x, x}, 0), {2, rows, columns});
    const Node products = matmul(stack, stack, {.y = true});
    const Node loss = sum(square(y)) + mean(square(z)) + mean(logsumexp(x, 1)) + mean(products);
    const std::vector<Node> g = grad(loss, {x, bias, w});
    const Node next = w - 0.01 * g[2];
    its.body = Program(tape, {loss, g[0], g[1], sum(g[0]), sum(x, 1), max(x, 1)}).body();
    its.body.updates = {{w.index(), next.index()}};
    return its;
}

struct Shared {
    explicit Shared(Case case_of, const CompileOptions& options = {})
        : its(std::move(case_of)), compiled(Recording(its.body, its.recorded).compiled(options)) {
        expectations = {expected(its.body, its.recorded), expected(its.body, its.fresh)};
    }
    Case its;
    Compiled compiled;
    std::vector<Expected> expectations;
};

/// Runs on recorded and on fresh leaves in turn; false where a bit is another.
bool agrees(Replay& replay, const Shared& shared, bool fresh) {
    const Leaves& leaves = fresh ? shared.its.fresh : shared.its.recorded;
    const Expected& wanted = shared.expectations[fresh];
    for (std::size_t i = 0; i < leaves.inputs.size(); ++i) replay.set_input(i, leaves.inputs[i]);
    for (std::size_t i = 0; i < leaves.parameters.size(); ++i) replay.set_parameter(i, leaves.parameters[i]);
    try {
        replay.run();
    } catch (const GuardFailed&) {
        return !wanted.failing.empty();
    }
    bool same = wanted.failing.empty();
    for (std::size_t i = 0; i < wanted.outputs.size(); ++i)
        same = same && same_bits(wanted.outputs[i], replay.output(i));
    for (std::size_t i = 0; i < wanted.parameters.size(); ++i)
        same = same && same_bits(wanted.parameters[i], replay.parameter(i));
    return same;
}

TEST_CASE("replay: eight threads, one compiled program each time, the same bits") {
    std::vector<Shared> programs;
    for (std::int64_t batch : {8, 128}) programs.emplace_back(network(batch));
    for (std::uint64_t seed = 0; seed < 12; ++seed) programs.emplace_back(replay_program(seed));
    std::atomic<long> replays{0}, wrong{0};
    const auto end = std::chrono::steady_clock::now() + duration();
    std::vector<std::thread> threads;
    for (int t = 0; t < 8; ++t)
        threads.emplace_back([&] {
            std::vector<Replay> mine;
            for (const Shared& shared : programs) mine.emplace_back(shared.compiled);
            do {
                for (std::size_t k = 0; k < programs.size(); ++k)
                    for (bool fresh : {false, true}) {
                        wrong += !agrees(mine[k], programs[k], fresh);
                        ++replays;
                    }
            } while (std::chrono::steady_clock::now() < end);
        });
    for (std::thread& thread : threads) thread.join();
    CHECK(wrong == 0);
    CHECK(replays >= 8 * 2 * long(programs.size()));
    MESSAGE(replays.load(), " replays on 8 threads");
}

TEST_CASE("replay: any number of threads within a replay gives the same bits") {
    for (DType dtype : {DType::float32, DType::float64})
        for (std::int64_t rows : {129, 301})
            for (std::size_t threads : {1, 2, 3, 8}) {
                CAPTURE(threads);
                CAPTURE(rows);
                const Shared shared(large(dtype, rows, 517), {.threads = threads});
                Replay replay(shared.compiled);
                for (int round = 0; round < 3; ++round)
                    for (bool fresh : {false, true}) CHECK(agrees(replay, shared, fresh));
                const std::string report = shared.compiled.explain();
                CHECK((report.find("shared out") != std::string::npos) == (threads > 1));
            }
    for (std::size_t threads : {2, 3, 8})
        for (std::uint64_t seed = 0; seed < 40; ++seed) {
            CAPTURE(seed);
            const Shared shared(replay_program(seed), {.threads = threads});
            Replay replay(shared.compiled);
            for (bool fresh : {false, true}) CHECK(agrees(replay, shared, fresh));
        }
}

TEST_CASE("replay: threads that no step is worth are not started") {
    const Shared small(network(8), {.threads = 8});
    CHECK(small.compiled.explain().find("shared out") == std::string::npos);
    CHECK_THROWS_AS(Shared(network(8), {.threads = 0}), ValueError);
    CHECK_THROWS_AS(Shared(network(8), {.threads = 257}), ValueError);
}

TEST_CASE("replay: results handed to another thread stay as they are while replays go on") {
    Tape tape;
    const Node x = tape.input(Tensor::zeros({500})), n = tape.parameter(Tensor::zeros({500}));
    Replay replay(compile(tape, {x + n}, {{n, n + 1}}));
    std::mutex mutex;
    std::condition_variable ready;
    std::deque<std::pair<double, std::vector<Tensor>>> handed;
    std::atomic<long> seen{0};
    long wrong = 0;
    constexpr long rounds = 3000;
    std::thread reader([&] {
        for (long i = 0; i < rounds; ++i) {
            std::unique_lock lock(mutex);
            ready.wait(lock, [&] { return !handed.empty(); });
            auto [number, results] = std::move(handed.front());
            handed.pop_front();
            lock.unlock();
            for (double e : results[0].data<double>()) wrong += e != number;
            for (double e : results[1].data<double>()) wrong += e != number + 1;
            results.clear();
            seen.store(i + 1, std::memory_order_relaxed);
        }
    });
    for (long i = 0; i < rounds; ++i) {
        replay.run();
        {
            const std::lock_guard lock(mutex);
            handed.push_back({double(i), {replay.output(0), replay.parameter(0)}});
        }
        ready.notify_one();
        // Every other time the reader has let go, and the next run may write into the same memory. (Fences order the
        // two; ThreadSanitizer does not know them.)
#if !defined(GRADTAPE_SANITIZED)
        while (i % 2 && seen.load(std::memory_order_relaxed) <= i) std::this_thread::yield();
#endif
    }
    reader.join();
    CHECK(wrong == 0);
    CHECK(seen == rounds);
}

}  // namespace
}  // namespace gradtape::test

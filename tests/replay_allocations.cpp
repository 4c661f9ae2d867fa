// A replay allocates nothing, OpenBLAS's work included: this program's malloc counts its calls. (operator new calls malloc.)
#include "support/awkward_program.hpp"
#include "support/pass_check.hpp"
#include "support/replay_program.hpp"
#include "support/samples.hpp"

#include "examples/support/post_data.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <cstdlib>

#if defined(__GLIBC__) && !defined(GRADTAPE_SANITIZED)

namespace {
std::atomic<bool> counting{false};
std::atomic<long> allocations{0};
void note() { allocations += counting; }
}  // namespace

extern "C" {
void* __libc_malloc(std::size_t);
void* __libc_calloc(std::size_t, std::size_t);
void* __libc_realloc(void*, std::size_t);
void* __libc_memalign(std::size_t, std::size_t);

void* malloc(std::size_t bytes) noexcept { return note(), __libc_malloc(bytes); }
void* calloc(std::size_t count, std::size_t bytes) noexcept {
    return note(), __libc_calloc(count, bytes);
}
void* realloc(void* memory, std::size_t bytes) noexcept {
    return note(), __libc_realloc(memory, bytes);
}
void* memalign(std::size_t alignment, std::size_t bytes) noexcept {
    return note(), __libc_memalign(alignment, bytes);
}
void* aligned_alloc(std::size_t alignment, std::size_t bytes) noexcept {
    return note(), __libc_memalign(alignment, bytes);
}
int posix_memalign(void** memory, std::size_t alignment, std::size_t bytes) noexcept {
    note();
    *memory = __libc_memalign(alignment, bytes);
    return *memory ? 0 : 12;
}
}

namespace gradtape::test {
namespace {

/// Allocations of all threads while `work` runs.
template <class Work>
long count_in(Work&& work) {
    allocations = 0;
    counting = true;
    work();
    counting = false;
    return allocations;
}

TEST_CASE("replay: allocations are counted, in the library as well as here") {
    CHECK(count_in([] { (void)Tensor::zeros({3}); }) > 0);
    CHECK(count_in([] { delete new std::string(100, 'x'); }) > 0);
    CHECK(count_in([] { std::free(std::calloc(1, 1)); }) == 1);
    CHECK(count_in([] {}) == 0);
    Tape tape;
    CHECK(count_in([&] { (void)tape.full({}, 2.0); }) > 0);
}

/// Allocations in so many steps, each with a batch of its own set.
long in_steps(Replay& replay, const std::vector<std::vector<Tensor>>& batches, std::size_t steps = 1000) {
    const auto step = [&](std::size_t n) {
        for (std::size_t i = 0; i < batches[n % batches.size()].size(); ++i)
            replay.set_input(i, batches[n % batches.size()][i]);
        replay.run();
    };
    step(0);  // OpenBLAS takes its buffers at its first product
    return count_in([&] {
        for (std::size_t n = 0; n < steps; ++n) step(n);
    });
}

TEST_CASE("replay: loops and calls that stay calls allocate nothing, however long they are") {
    Tape tape;
    Random random(2);
    const Node w = tape.parameter(random.tensor({9, 9}, -1, 1)), h = tape.parameter(random.tensor({2, 9}, -1, 1)), x = tape.input(random.tensor({50, 2, 9}, -1, 1));
    const auto step = [](std::span<const Node> carry, std::span<const Node> row, std::span<const Node> shared) {
        const Node next = tanh(matmul(carry[0], shared[0]) + row[0]);
        return ScanStep{next, {softmax(next, 1), sum(next)}};
    };
    const Scanned z = scan(step, h, x, {.shared = w});
    const Node total = sum(z.carry[0]) + sum(square(z.rows[0])) + sum(z.rows[1]);
    const Node scaled = call([](std::span<const Node> at) { return exp(at[0]) * 2.0; }, total)[0];
    const Node chosen = cond(total > 0.0, [](std::span<const Node> at) { return sin(at[0]); }, [](std::span<const Node> at) { return cos(at[0]); }, {total})[0];
    const Node last = while_loop([](std::span<const Node> s) { return s[0] < 1e6; }, [](std::span<const Node> s) { return square(s[0]) + 2.0; }, {total})[0];
    for (bool inlined : {true, false}) {
        Replay replay(compile(tape, {total, scaled, chosen, last, grad(scaled + chosen, w), grad(total, h)}, {}, {.inline_calls = inlined}));
        CHECK(in_steps(replay, {{random.tensor({50, 2, 9}, -1, 1)}, {random.tensor({50, 2, 9}, -1, 1)}}, 20) == 0);
    }
}

TEST_CASE("replay: the post's training step allocates nothing") {
    const post::Example example = post::separable();
    post::Run run(1, example.widths, 200);
    std::vector<std::vector<Tensor>> batches;
    for (std::size_t first = 0; first < 200; first += 10) {
        const post::DataSet batch = post::rows(example.data, run.order, first, 10);
        batches.push_back({batch.X, batch.y, Tensor(0.5)});
    }
    Tape tape;
    std::vector<Node> W;
    for (const Tensor& w : run.weights) W.push_back(tape.parameter(w));
    const Node x = tape.input(batches[0][0]), y = tape.input(batches[0][1]), rate = tape.input(batches[0][2]);
    const Node z = matmul(sigmoid(2 * matmul(x, W[0], {.y = true})), W[1], {.y = true});
    const Node loss = mean(softplus(-reshape(y, {-1, 1}) * (2 * z)));
    const std::vector<Node> g = grad(loss, W);
    Replay replay(compile(tape, {loss}, {{W[0], W[0] - rate * g[0]}, {W[1], W[1] - rate * g[1]}}));
    CHECK(in_steps(replay, batches) == 0);
    CHECK(replay.output(0).item() < 0.1);  // and it did train
}

TEST_CASE("replay: a training step of a larger network allocates nothing") {
    for (std::int64_t batch : {32, 128}) {
        Random random(1);
        Tape tape;
        const Node x = tape.input(random.tensor({batch, 64}, -1, 1, DType::float32));
        const Node y = tape.input(random.tensor({batch, 10}, 0, 1, DType::float32));
        std::vector<Node> W;
        for (const Shape& shape : {Shape{64, 128}, Shape{128}, Shape{128, 32}, Shape{32}, Shape{32, 10}, Shape{10}})
            W.push_back(tape.parameter(random.tensor(shape, -0.3, 0.3, DType::float32)));
        Node h = x;
        for (std::size_t t = 0; t < W.size(); t += 2) {
            h = matmul(h, W[t]) + W[t + 1];
            if (t + 2 < W.size()) h = relu(h);
        }
        const Node loss = mean(-sum(y * log_softmax(h, 1), Axes(1)));
        std::vector<Update> updates;
        const std::vector<Node> g = grad(loss, W);
        for (std::size_t t = 0; t < W.size(); ++t) updates.push_back({W[t], W[t] - 0.01 * g[t]});
        for (bool fuse : {true, false}) {
            Replay replay(compile(tape, std::span(&loss, 1), updates, {.fuse = fuse}));
            CHECK(in_steps(replay, {{x.value(), y.value()}}) == 0);
        }
    }
}

TEST_CASE("replay: several threads and guards allocate nothing") {
    for (std::size_t threads : {1, 2, 3}) {
        Random random(2);
        Tape tape;
        tape.guard_reads(true);
        const Node x = tape.input(random.tensor({256, 300}, 1, 2)), w = tape.parameter(random.tensor({300, 200}, 0, 1));
        const Node h = relu(matmul(x, w)), loss = mean(logsumexp(h, 1));
        const double shift = (loss > 0.0).item() + (loss * 0).item();
        tape.guard_reads(false);
        Replay replay(compile(tape, {loss + shift}, {{w, w - 1e-3 * grad(loss, w)}}, {.threads = threads}));
        CHECK(in_steps(replay, {{x.value()}}, 20) == 0);
    }
}

TEST_CASE("replay: products of all sizes and orders of operands allocate nothing") {
    for (DType dtype : floating)
        for (auto [tx, ty] : {std::pair(false, false), {false, true}, {true, false}, {true, true}})
            for (std::int64_t m : {1, 2, 7, 8, 33})
                for (std::int64_t k : {3, 15, 16, 31, 32, 100, 1030})
                    for (std::int64_t n = 1; n < 40; ++n) {
                        Tape tape;
                        const Node x = tape.input(Tensor::full(tx ? Shape{k, m} : Shape{m, k}, 0.5, dtype));
                        const Node y = tape.input(Tensor::full(ty ? Shape{n, k} : Shape{k, n}, 0.5, dtype));
                        Replay replay(compile(tape, {matmul(x, y, {tx, ty})}));
                        const long found = count_in([&] { replay.run(); });
                        if (found) FAIL_CHECK(found << " allocations: " << tx << ty << ' ' << m << ' ' << n << ' ' << k);
                    }
}

TEST_CASE("replay: factorisations allocate nothing") {
    const std::pair<const char*, Node (*)(Node)> all[] = {
        {"cholesky", [](Node a) { return cholesky(matmul(a, a, {.x = true})); }}, {"lu", [](Node a) { return lu(a).factors; }},
        {"solve", [](Node a) { return solve(a, a); }}, {"qr", [](Node a) { return qr(a).q; }}, {"eigh", [](Node a) { return eigh(a).vectors; }},
        {"svd", [](Node a) { return svd(a).s; }}, {"triangular_solve", [](Node a) { return triangular_solve(a, a); }}};
    for (const auto& [name, f] : all)
        for (std::int64_t n : {9, 33, 64, 95, 130, 170, 256})
            for (DType dtype : floating) {
                if (n > 64 && (name == std::string("eigh") || name == std::string("svd"))) continue;  // see docs/linear_algebra.md
                Tape tape;
                Replay replay(compile(tape, {f(tape.input(Random(3).tensor({n, n}, -1, 1, dtype)))}));
                replay.run();
                const long found = count_in([&] { replay.run(); });
                if (found) FAIL_CHECK(found << " allocations: " << std::string(name) << ' ' << n);
            }
}

TEST_CASE("replay: every primitive allocates nothing") {
    for (const Primitive* p : operations())
        for (const Sample& sample : samples(*p)) {
            if (p->effect) continue;  // a guard of other numbers
            Tape tape;
            Replay replay(compile(tape, {record_with_derivative(tape, *p, sample)}, {}, {.fold = false}));
            replay.run();
            const long found = count_in([&] { replay.run(); });
            if (found) FAIL_CHECK(found << " allocations: " << p->name);
        }
}

TEST_CASE("replay: random programs allocate nothing, however compiled") {
    int checked = 0;
    const auto check = [&](Case its) {
        if (count(its.body, "guard")) return;  // a failing guard may allocate its message
        const Recording recording(its.body, its.recorded);
        for (const NamedOptions& options : option_sets()) {
            Replay replay(recording.compiled(options.options));
            replay.run();
            const long found = count_in([&] {
                for (int i = 0; i < 3; ++i) {
                    replay.run();
                    for (std::size_t k = 0; k < recording.outputs.size(); ++k) (void)replay.output(k);
                }
            });
            if (found) FAIL_CHECK(report(its, options.name + ": " + std::to_string(found) + " allocations"));
            ++checked;
        }
    };
    for (std::uint64_t seed = 0; seed < 60; ++seed) check(replay_program(seed));
    for (std::uint64_t seed = 0; seed < 400; ++seed) {
        Case its{awkward_program(seed), {}, {}};
        Random random(seed);
        its.recorded.inputs = awkward_leaves(its.body, its.body.inputs, random);
        its.recorded.parameters = awkward_leaves(its.body, its.body.parameters, random);
        check(std::move(its));
    }
    CHECK(checked > 3000);
}

}  // namespace
}  // namespace gradtape::test

#endif

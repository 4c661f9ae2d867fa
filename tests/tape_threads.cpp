// A tape for each thread: the same results as one after the other.
#include "support/random_program.hpp"

#include <doctest/doctest.h>

#include <thread>

namespace gradtape::test {
namespace {

/// Value and gradients of random programs first … last, each on a tape of its own.
std::vector<Tensor> results(std::uint64_t first, std::uint64_t last) {
    std::vector<Tensor> found;
    for (std::uint64_t seed = first; seed < last; ++seed) {
        Random random(seed);
        Tape tape;
        std::vector<Node> x;
        for (const Shape& shape : leaf_shapes(seed)) x.push_back(tape.parameter(random.tensor(shape, -1, 1)));
        const Node y = run_program<TapeEngine>(seed, x);
        found.push_back(y.value());
        for (Node g : grad(y, x)) found.push_back(g.value());
    }
    return found;
}

TEST_CASE("tape: tapes on several threads do not disturb each other") {
    constexpr std::size_t threads = 4;
    std::vector<std::vector<Tensor>> together(threads);
    std::vector<std::thread> running;
    for (std::size_t t = 0; t < threads; ++t)
        running.emplace_back([t, &together] { together[t] = results(100 * t, 100 * t + 60); });
    for (std::thread& thread : running) thread.join();
    for (std::size_t t = 0; t < threads; ++t) {
        const std::vector<Tensor> alone = results(100 * t, 100 * t + 60);
        REQUIRE(alone.size() == together[t].size());
        std::size_t same = 0;
        for (std::size_t i = 0; i < alone.size(); ++i) same += same_bits(alone[i], together[t][i]);
        CHECK(same == alone.size());
    }
}

}  // namespace
}  // namespace gradtape::test

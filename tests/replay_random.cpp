// Random programs give the bits of plain evaluation, however compiled; one that does not is shrunk and printed.
#include "support/awkward_program.hpp"
#include "support/random_program.hpp"
#include "support/replay_program.hpp"

#include <doctest/doctest.h>
#include <malloc.h>

namespace gradtape::test {
namespace {

// Each program is compiled into many arenas: keep their pages instead of fetching new ones from the system each time.
const bool pages_kept = mallopt(M_MMAP_THRESHOLD, 1 << 30) && mallopt(M_TRIM_THRESHOLD, 1 << 30);

using Body = Program::Body;

/// Checks programs first … last, and shrinks the first that fails.
void check(std::uint64_t first, std::uint64_t last, const std::function<Case(std::uint64_t)>& make_case) {
    for (std::uint64_t seed = first; seed < last; ++seed) {
        const Complaint complaint = [seed](const Case& its) -> std::string {
            try {
                return check_replay(its, seed);
            } catch (const std::exception& error) {
                return std::string("threw: ") + error.what();
            }
        };
        const Case its = make_case(seed);
        std::string wrong = complaint(its);
        if (wrong.empty()) continue;
        CAPTURE(seed);
        const Case small = shrunk(its, complaint);
        FAIL(report(small, complaint(small)));
    }
}

Case awkward(std::uint64_t seed) {
    Case its{awkward_program(seed), {}, {}};
    Random random(seed + 5);
    for (Leaves* leaves : {&its.recorded, &its.fresh}) {
        leaves->inputs = awkward_leaves(its.body, its.body.inputs, random);
        leaves->parameters = awkward_leaves(its.body, its.body.parameters, random);
    }
    settle_guards(its.body, its.recorded);
    return its;
}

/// Program `seed` of the other tests' generator, its leaves now inputs, now parameters, with first and second
/// derivatives.
Case smooth(std::uint64_t seed, DType dtype) {
    Case its;
    Tape tape;
    Random random(seed + 7);
    std::vector<Node> x;
    for (const Shape& shape : leaf_shapes(seed)) {
        Leaves& leaves = its.recorded;
        auto& recorded = x.size() % 2 ? leaves.inputs : leaves.parameters;
        auto& fresh = x.size() % 2 ? its.fresh.inputs : its.fresh.parameters;
        recorded.push_back(random.tensor(shape, -1.5, 1.5, dtype));
        fresh.push_back(random.tensor(shape, -1.5, 1.5, dtype));
        x.push_back(x.size() % 2 ? tape.input(recorded.back()) : tape.parameter(recorded.back()));
    }
    std::vector<Node> outputs = {run_program<TapeEngine>(seed, x)};
    for (Node g : grad(outputs[0], x)) outputs.push_back(g);
    if (seed % 3 == 0)
        for (Node g : grad(sum(square(outputs[1])), x)) outputs.push_back(g);
    const Node next = x[0] - 0.1 * outputs[1];
    its.body = Program(tape, outputs).body();
    if (seed % 2 == 0) its.body.updates.push_back({x[0].index(), next.index()});
    return its;
}

// Under sanitizers a tenth of them.
#if defined(GRADTAPE_SANITIZED)
constexpr std::uint64_t share = 10;
#else
constexpr std::uint64_t share = 1;
#endif

TEST_CASE("replay: random programs of awkward values and dtypes, with guards and updates") {
    check(0, 4750 / share, awkward);
}
TEST_CASE("replay: random programs and their derivatives, double") {
    check(0, 3000 / share, [](std::uint64_t seed) { return smooth(seed, DType::float64); });
}
TEST_CASE("replay: random programs and their derivatives, float") {
    check(20000, 20000 + 2000 / share, [](std::uint64_t seed) { return smooth(seed, DType::float32); });
}
TEST_CASE("replay: random programs over many blocks, with updates from updates") {
    check(0, 250 / share, replay_program);
}

}  // namespace
}  // namespace gradtape::test

// Random programs: every pass, alone and with the others, keeps every bit of every result, on leaves not seen before.
#include "support/awkward_program.hpp"
#include "support/pass_check.hpp"
#include "support/random_program.hpp"

#include "passes/passes.hpp"

#include <doctest/doctest.h>

namespace gradtape::test {
namespace {

std::vector<Tensor> leaves(std::uint64_t seed, DType dtype) {
    Random random(seed);
    std::vector<Tensor> result;
    for (const Shape& shape : leaf_shapes(seed)) result.push_back(random.tensor(shape, -1.5, 1.5, dtype));
    return result;
}

/// Program `seed` of the other tests' generator, with gradients and, for some, gradients of these.
Body smooth_program(std::uint64_t seed, DType dtype) {
    Tape tape;
    std::vector<Node> x;
    for (const Tensor& tensor : leaves(seed, dtype)) x.push_back(x.size() % 2 ? tape.input(tensor) : tape.parameter(tensor));
    std::vector<Node> outputs = {run_program<TapeEngine>(seed, x)};
    for (Node g : grad(outputs[0], x)) outputs.push_back(g);
    if (seed % 3 == 0)
        for (Node g : grad(sum(square(outputs[1])), x)) outputs.push_back(g);
    return Program(tape, outputs).body();
}

void check_smooth(std::uint64_t first, std::uint64_t last, DType dtype) {
    for (std::uint64_t seed = first; seed < last; ++seed) {
        const Body body = smooth_program(seed, dtype);
        Random random(seed + 5);
        const auto fresh = [&](const std::vector<detail::Index>& which) {
            std::vector<Tensor> result;
            for (detail::Index i : which)
                result.push_back(random.tensor(body.instructions[i].type.shape, -1.5, 1.5, dtype));
            return result;
        };
        const std::vector<Tensor> inputs = fresh(body.inputs), parameters = fresh(body.parameters);
        const std::string wrong = check_passes(body, inputs, parameters);
        CAPTURE(seed);
        CHECK(wrong == "");
        if (!wrong.empty()) return;  // one printed program is enough
    }
}

TEST_CASE("passes: random programs and their derivatives, double") { check_smooth(0, 800, DType::float64); }
TEST_CASE("passes: random programs and their derivatives, float") { check_smooth(20000, 20600, DType::float32); }

TEST_CASE("passes: random programs of awkward values and dtypes, with guards and updates") {
    std::size_t guards = 0, updates = 0, before = 0, after = 0;
    for (std::uint64_t seed = 0; seed < 4000; ++seed) {
        CAPTURE(seed);
        const Body body = awkward_program(seed);
        Random random(seed + 5);
        const std::vector<Tensor> inputs = awkward_leaves(body, body.inputs, random);
        const std::vector<Tensor> parameters = awkward_leaves(body, body.parameters, random);
        const std::string wrong = check_passes(body, inputs, parameters);
        CHECK(wrong == "");
        if (!wrong.empty()) return;
        guards += count(body, "guard");
        updates += body.updates.size();
        before += body.instructions.size();
        after += passes().back().run(body).instructions.size();
    }
    CHECK(guards > 50);
    CHECK(updates > 50);
    CHECK(after < before * 3 / 4);  // the passes have something to do
}

TEST_CASE("passes: what they make has nothing left for them to do") {
    for (std::uint64_t seed = 0; seed < 300; ++seed) {
        const Body once = passes().back().run(awkward_program(seed));
        const Body twice = passes().back().run(once), thrice = passes().back().run(twice);
        CAPTURE(seed);
        CHECK(twice.instructions.size() <= once.instructions.size());
        CHECK(thrice.instructions.size() <= twice.instructions.size());
    }
}

}  // namespace
}  // namespace gradtape::test

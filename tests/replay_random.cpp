// Random programs, however compiled, give the bits of plain evaluation; a program that does not is printed at its smallest.
#include "support/awkward_program.hpp"
#include "support/random_program.hpp"
#include "support/replay_check.hpp"

#include <doctest/doctest.h>

namespace gradtape::test {
namespace {

using Body = Program::Body;

/// Checks programs first … last, and shrinks the first that fails.
void check(std::uint64_t first, std::uint64_t last, const std::function<Case(std::uint64_t)>& make_case) {
    const Complaint complaint = [](const Case& its) -> std::string {
        try {
            return check_replay(its);
        } catch (const std::exception& error) {
            return std::string("threw: ") + error.what();
        }
    };
    for (std::uint64_t seed = first; seed < last; ++seed) {
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

TEST_CASE("replay: random programs of awkward values and dtypes, with guards and updates") {
    check(0, 4000, awkward);
}

}  // namespace
}  // namespace gradtape::test

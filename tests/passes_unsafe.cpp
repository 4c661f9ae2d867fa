// The checks must be able to fail: passes that are wrong in one bit, in a guard or in an index are caught.
#include "support/awkward_program.hpp"
#include "support/pass_check.hpp"

#include "passes/rewrite.hpp"
#include "primitives/catalogue.hpp"
#include "tape/evaluate.hpp"

#include <doctest/doctest.h>

namespace gradtape::test {
namespace {

using detail::Index;
using detail::Instruction;
using detail::Op;
using detail::primitive;
using detail::repeated_number;
using detail::Rewriter;

/// For an instruction in new numbers, the earlier value that stands for it, or none.
using Replacement = std::optional<Index> (*)(const Rewriter& rewriter, const Instruction& z);

Body rewritten(const Body& body, Replacement rule) {
    Rewriter rewriter(body);
    for (Index i = 0; i < body.instructions.size(); ++i) {
        const std::optional<Index> earlier = rule(rewriter, rewriter.renumbered(i));
        if (earlier)
            rewriter.replace(i, *earlier);
        else
            rewriter.keep(i);
    }
    return std::move(rewriter).finish();
}

bool is(const Instruction& z, Op op) { return z.primitive == &primitive(op); }
bool repeats(const Rewriter& rewriter, Index i, double value) {
    const double* number = repeated_number(rewriter.made(i));
    return number && *number == value;  // 0 and -0 alike
}

/// An instruction made before that `same` says is as good as z.
std::optional<Index> earlier(const Rewriter& rewriter, const Instruction& z,
                             bool (*same)(const Instruction& before, const Instruction& z)) {
    for (Index i = 0; i < rewriter.size(); ++i)
        if (rewriter.made(i).type == z.type && same(rewriter.made(i), z)) return i;
    return {};
}

const Replacement unsafe[] = {
    // x + 0 = x
    [](const Rewriter& r, const Instruction& z) {
        return is(z, Op::add) && repeats(r, z.operands[1], 0) ? std::optional(z.operands[0]) : std::nullopt;
    },
    // x · 0 = 0
    [](const Rewriter& r, const Instruction& z) {
        return is(z, Op::multiply) && repeats(r, z.operands[1], 0) ? std::optional(z.operands[1]) : std::nullopt;
    },
    // a double as float as double is the double
    [](const Rewriter& r, const Instruction& z) -> std::optional<Index> {
        if (!is(z, Op::cast) || !is(r.made(z.operands[0]), Op::cast)) return {};
        const Index x = r.made(z.operands[0]).operands[0];
        return r.made(x).type == z.type ? std::optional(x) : std::nullopt;
    },
    // max(x, y) = max(y, x)
    [](const Rewriter& r, const Instruction& z) -> std::optional<Index> {
        if (!is(z, Op::maximum)) return {};
        return earlier(r, z, [](const Instruction& before, const Instruction& now) {
            return is(before, Op::maximum) && before.operands[0] == now.operands[1] &&
                   before.operands[1] == now.operands[0];
        });
    },
    // 0 = −0
    [](const Rewriter& r, const Instruction& z) -> std::optional<Index> {
        if (!repeated_number(z)) return {};
        return earlier(r, z, [](const Instruction& before, const Instruction& now) {
            return repeated_number(before) && *repeated_number(before) == *repeated_number(now);
        });
    },
};

TEST_CASE("unsafe rewrites are caught by the random programs") {
    for (std::size_t k = 0; k < std::size(unsafe); ++k) {
        std::size_t caught = 0, well_formed = 0;
        for (std::uint64_t seed = 0; seed < 3000; ++seed) {
            Body body = awkward_program(seed);
            for (Index i = 0; i < body.instructions.size(); ++i) body.outputs.push_back(i);
            Random random(seed + 5);
            const std::vector<Tensor> inputs = awkward_leaves(body, body.inputs, random);
            const std::vector<Tensor> parameters = awkward_leaves(body, body.parameters, random);
            const Body after = rewritten(body, unsafe[k]);
            well_formed += broken_rule(after).empty();
            caught += !different(detail::evaluate(body, inputs, parameters), detail::evaluate(after, inputs, parameters)).empty();
        }
        CAPTURE(k);
        CHECK(well_formed == 3000);  // so that only the values tell
        CHECK(caught > 0);
    }
}

TEST_CASE("x + 0 is not x, and the comparison sees it at x = -0 only") {
    Tape tape;
    const Node x = tape.input(Tensor{1.0, 2.0});
    const Body body = Program(tape, {x + 0.0}).body();
    const Body after = rewritten(body, unsafe[0]);
    CHECK(after.instructions.size() < body.instructions.size());
    const auto differs = [&](const Tensor& at) {
        return !different(detail::evaluate(body, std::vector{at}, {}), detail::evaluate(after, std::vector{at}, {})).empty();
    };
    CHECK(differs(Tensor{1.0, -0.0}));
    CHECK_FALSE(differs(Tensor{1.0, 0.0}));
}

TEST_CASE("a lost guard, a lost leaf and broken lists are caught") {
    Tape tape;
    const Node x = tape.input(Tensor(1.0));
    const Node p = tape.parameter(Tensor(2.0)), c = tape.constant(Tensor{1, 2});
    const Node g = gradtape::apply(primitive(Op::guard), {x}, {{"expected", 1.0}});
    Body body = Program(tape, {g + p, c}).body();
    body.updates.push_back({p.index(), x.index()});
    CHECK(broken_rule(body) == "");
    const Body unguarded = rewritten(body, [](const Rewriter&, const Instruction& z) {
        return z.primitive->effect ? std::optional(z.operands[0]) : std::nullopt;
    });
    CHECK(lost(body, unguarded) == "an effect is lost");
    Body changed = body;
    changed.inputs.clear();
    CHECK(lost(body, changed) == "a leaf is lost");
    changed = body;
    changed.constants[0].index = x.index();
    CHECK(broken_rule(changed) != "");
    changed = body;
    changed.constants.clear();
    CHECK(broken_rule(changed) != "");
    changed = body;
    changed.parameters[0] = x.index();
    CHECK(broken_rule(changed) != "");
    changed = body;
    changed.updates[0].parameter = x.index();
    CHECK(broken_rule(changed) != "");
}

}  // namespace
}  // namespace gradtape::test

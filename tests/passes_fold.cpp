// Constant folding: by the same kernels, every bit, without blowing numbers up into tensors.
#include "support/pass_check.hpp"

#include "passes/passes.hpp"
#include "tape/evaluate.hpp"

#include <doctest/doctest.h>

#include <bit>
#include <cmath>
#include <limits>

namespace gradtape::test {
namespace {

using detail::fold_constants;
using detail::remove_dead;

/// What folding makes of a program that has one result; dead code is removed.
Body folded(const Tape& tape, Node z) {
    const Body body = Program(tape, {z}).body();
    const Body after = remove_dead(fold_constants(body));
    CHECK(broken_rule(after) == "");
    CHECK(different(detail::evaluate(body, {}, {}), detail::evaluate(after, {}, {})) == "");
    return after;
}
bool is_number(const Body& body) {
    return body.instructions.size() == 1 && body.constants.empty() &&
           !body.instructions[0].attributes.list().empty();
}
bool is_tensor(const Body& body) { return body.instructions.size() == 1 && body.constants.size() == 1; }

TEST_CASE("fold: numbers stay numbers, however large the tensor they stand for") {
    Tape tape;
    const Node a = tape.full({1000, 1000}, 3.0), b = tape.full({1000, 1000}, 0.1);
    const Body body = folded(tape, reshape(sqrt(a) * b + 1.0, {1000000}));
    CHECK(is_number(body));
    CHECK(body.instructions[0].type.shape == Shape{1000000});
    Tape second;
    CHECK(is_number(folded(second, broadcast_to(second.constant(2.5), {7, 9}))));
    CHECK(is_number(folded(second, broadcast_to(second.constant(2.5), {1000, 1000}) * 2.0)));
    CHECK(is_number(folded(second, broadcast_to(sum(second.constant(Tensor{1, 2})), {1000, 1000}) + 1.0)));
    CHECK(is_number(folded(second, broadcast_to(second.full({1, 1000}, 2.5), {1000, 1000}) * 2.0)));
    CHECK(is_number(folded(second, sum(second.full({9}, 0.5)))));
    CHECK(is_number(folded(second, less(second.full({9}, 0.5), 1.0))));
    CHECK(is_number(folded(second, cast(second.full({9}, 2.5), DType::int64))));
}

TEST_CASE("fold: tensors fold where the result is small, and are shared where only the shape changes") {
    Tape tape;
    const Tensor x{1, 2, 3, 4};
    const Body body = folded(tape, exp(reshape(tape.constant(x), {2, 2})));
    CHECK(is_tensor(body));
    Tape second;
    const Body shape = folded(second, reshape(second.constant(x), {2, 2}));
    REQUIRE(is_tensor(shape));
    CHECK(shape.constants[0].value.raw() == x.raw());
    Tape third;  // 8 MiB would come of 8 KiB
    const Node row = third.constant(make(std::vector<double>(1024, 0.5)));
    const Node wide = broadcast_to(reshape(row, {1, 1024}), {1024, 1024});
    const Body large = folded(third, sum(wide));
    CHECK(large.instructions.size() > 1);
    for (const auto& constant : large.constants) CHECK(constant.value.bytes() <= 8192);
    Tape fourth;  // nor is a large number written out to be reduced
    const Body reduced = folded(fourth, sum(fourth.full({1 << 20}, 0.5)));
    CHECK(reduced.instructions.size() == 2);
}

TEST_CASE("fold: NaN, infinities, signed zeros and integers keep their bits") {
    const auto bits = [](const Body& body) {
        return std::bit_cast<std::uint64_t>(detail::evaluate(body, {}, {})[0].data<double>()[0]);
    };
    for (std::uint64_t payload : {0x7ff8000000000000u, 0x7ff8000000000123u, 0xfff8000000000001u}) {
        Tape tape;
        const Body body = folded(tape, reshape(tape.constant(Tensor{std::bit_cast<double>(payload)}), Shape{}) * 3.0);
        CHECK(is_tensor(body));  // as a number, its text would not say which NaN it is
        CHECK(bits(body) == payload);
    }
    {
        Tape tape;
        const Body body = folded(tape, sqrt(tape.full({3}, -1.0)));
        CHECK(body.instructions.size() == 1);
    }
    {
        Tape tape;
        const Body body = folded(tape, tape.full({3}, -0.0) * 2.0);
        REQUIRE(is_number(body));
        CHECK(std::signbit(body.instructions[0].attributes.get<double>("value")));
    }
    {
        Tape tape;
        const Body body = folded(tape, 1.0 / tape.full({3}, -0.0));
        CHECK(is_number(body));
    }
    for (std::int64_t large : {(std::int64_t(1) << 53) + 1, std::numeric_limits<std::int64_t>::max(),
                               std::numeric_limits<std::int64_t>::min(), std::int64_t(-1)}) {
        Tape tape;  // the first two are no double
        const Body body = folded(tape, reshape(tape.constant(Tensor(large)), {1}));
        CHECK(body.instructions.size() == 1);
        CHECK(detail::evaluate(body, {}, {})[0].data<std::int64_t>()[0] == large);
    }
}

TEST_CASE("fold: what depends on a leaf stays, and reads folded constants") {
    Tape tape;
    const Node x = tape.input(Tensor{1, 2}), p = tape.parameter(Tensor{3, 4});
    const Node c = tape.constant(Tensor{5, 6});
    const unsigned line = __LINE__ + 1;
    const Node scaled = exp(c) * 2.0;
    const Body body = Program(tape, {x * scaled + p, scaled}).body();
    const Body after = remove_dead(fold_constants(body));
    CHECK(broken_rule(after) == "");
    CHECK(count(after, "multiply") == 1);
    CHECK(count(after, "add") == 1);
    CHECK(count(after, "exp") == 0);
    CHECK(after.constants.size() == 1);
    CHECK(after.instructions[after.outputs[1]].where.line == line);
    const std::vector<Tensor> inputs = {Tensor{7, 8}}, parameters = {Tensor{9, 10}};
    CHECK(check_passes(body, inputs, parameters) == "");
}

TEST_CASE("fold: a user's primitive is folded by its kernel, one with an effect is not run") {
    static int runs = 0;
    static const Primitive counting = [] {
        Primitive p;
        p.name = "counting";
        p.arity = 1;
        p.shape = [](const ShapeCall& call) { return call[0]; };
        p.kernel = [](const KernelCall& call) {
            ++runs;
            const auto x = call.input<double>(0);
            for (std::size_t i = 0; i < x.size(); ++i) call.result<double>()[i] = 2 * x[i];
        };
        return p;
    }();
    static const Primitive effective = [] {
        Primitive p = counting;
        p.effect = true;
        return p;
    }();
    Tape tape;
    const Node c = tape.constant(Tensor{1, 2});
    CHECK(is_tensor(folded(tape, gradtape::apply(counting, {c}))));
    const Body body = Program(tape, {gradtape::apply(effective, {c})}).body();
    runs = 0;
    const Body after = remove_dead(fold_constants(body));
    CHECK(runs == 0);
    CHECK(after.instructions.size() == 2);
}

TEST_CASE("fold: constants that nothing reads are not computed") {
    static int runs = 0;
    static const Primitive counting = [] {
        Primitive p;
        p.name = "counting";
        p.arity = 1;
        p.shape = [](const ShapeCall& call) { return call[0]; };
        p.kernel = [](const KernelCall& call) {
            ++runs;
            call.result<double>()[0] = call.input<double>(0)[0];
        };
        return p;
    }();
    Tape tape;
    const Node c = tape.constant(1.0);
    (void)gradtape::apply(counting, {gradtape::apply(counting, {c})});
    const Body body = Program(tape, {c}).body();
    runs = 0;
    (void)fold_constants(body);
    CHECK(runs == 0);
}

}  // namespace
}  // namespace gradtape::test

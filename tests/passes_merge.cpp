// What may become one instruction, what must stay two, and what is dead.
#include "support/pass_check.hpp"

#include "passes/passes.hpp"
#include "primitives/catalogue.hpp"
#include "tape/evaluate.hpp"

#include <doctest/doctest.h>

#include <bit>
#include <cmath>

namespace gradtape::test {
namespace {

using detail::merge_common;
using detail::Op;
using detail::primitive;
using detail::remove_dead;
using detail::share_parts;

/// A primitive of a user's: one elementwise function by a plain kernel.
template <double (*function)(double)>
Primitive of_user(const char* name) {
    Primitive p;
    p.name = name;
    p.arity = 1;
    p.shape = [](const ShapeCall& call) { return call[0]; };
    p.kernel = [](const KernelCall& call) {
        const auto x = call.input<double>(0);
        const auto z = call.result<double>();
        for (std::size_t i = 0; i < x.size(); ++i) z[i] = function(x[i]);
    };
    return p;
}
const Primitive user_log = of_user<std::log>("user_log");
const Primitive user_log2 = of_user<std::log2>("user_log");  // the same name: they are told apart by what they are

/// Instructions that are left of two results after merging.
std::size_t merged(const Node& a, const Node& b, const Tape& tape) {
    const Body body = Program(tape, {a, b}).body();
    const Body after = merge_common(body);
    CHECK(broken_rule(after) == "");
    CHECK(lost(body, after) == "");
    return body.instructions.size() - after.instructions.size();
}

Tensor nan_of(std::uint64_t bits) { return Tensor(std::bit_cast<double>(bits)); }

TEST_CASE("merge: equal instructions on equal operands") {
    Tape tape;
    const Node x = tape.input(Tensor{1, 2, 3}), y = tape.input(Tensor{4, 5, 6});
    CHECK(merged(exp(x + y), exp(x + y), tape) == 2);
    tape.clear();
    const Node u = tape.input(Tensor{1, 2, 3});
    CHECK(merged(sum(u, 0, true), sum(u, 0, false), tape) == 0);
    CHECK(merged(cast(u, DType::float32), cast(u, DType::int64), tape) == 0);
    CHECK(merged(sin(u), cos(u), tape) == 0);
}

TEST_CASE("parts: a value and its slope share their exponential; of one alone nothing is taken apart") {
    struct Function {
        const char *name, *slope, *part;
        Node (*apply)(Operand);
    };
    for (const Function& f : {Function{"tanh", "tanh_slope", "tanh_tail", tanh}, {"sigmoid", "sigmoid_slope", "sigmoid_tail", sigmoid}}) {
        Tape tape;
        const Node x = tape.input(Tensor{1, -2, 3}), y = tape.input(Tensor{4, 5, 6}), z = f.apply(x), other = f.apply(y);
        const Body value = share_parts(Program(tape, {z, other, exp(z)}).body());
        CHECK(count(value, f.name) == 2);
        CHECK(count(value, f.part) == 0);
        const Body before = Program(tape, {z, other, grad(sum(z), x), sigmoid(y), tanh(y)}).body(), after = share_parts(before);
        CHECK(broken_rule(after) == "");
        CHECK(lost(before, after) == "");
        CHECK(count(before, f.slope) == 1);
        CHECK(count(after, f.slope) == 0);
        CHECK(count(after, f.part) == 1);
        CHECK(count(after, f.name) == count(before, f.name) - 1);  // those of y stay
        CHECK(after.instructions.size() == before.instructions.size() + 1);
    }
}

TEST_CASE("merge: the first of the equals stays, with its source line") {
    Tape tape;
    const Node x = tape.input(Tensor{1, 2, 3});
    const unsigned line = __LINE__ + 1;
    const Node a = exp(x);
    const Node b = exp(x);
    const Body after = merge_common(Program(tape, {b, a}).body());
    CHECK(after.outputs[0] == after.outputs[1]);
    CHECK(after.instructions[after.outputs[0]].where.line == line);
}

TEST_CASE("merge: primitives of users are the same where they are one object, whatever they are called") {
    Tape tape;
    const Node x = tape.input(Tensor{1, 2, 3});
    CHECK(merged(gradtape::apply(user_log, {x}), gradtape::apply(user_log2, {x}), tape) == 0);
    CHECK(merged(gradtape::apply(user_log, {x}), gradtape::apply(user_log, {x}), tape) == 2);  // with the one above
}

TEST_CASE("merge: operands are swapped only where every bit stays") {
    const Tensor numbers = make({1, 2, 3}, DType::int64);
    {
        Tape tape;
        const Node x = tape.input(numbers), y = tape.input(numbers);
        CHECK(merged(x * y, y * x, tape) == 1);
    }
    {
        Tape tape;
        const Node x = tape.input(Tensor{1, 2, 3}), y = tape.input(Tensor{1, 2, 3});
        CHECK(merged(equal(x, y), equal(y, x), tape) == 1);
        CHECK(merged(x * 2.0, 2.0 * x, tape) == 2);  // the comparisons again
    }
    {
        Tape tape;  // of two NaNs, x + y keeps the first
        const Node x = tape.input(nan_of(0x7ff8000000000001)), y = tape.input(nan_of(0x7ff8000000000002));
        CHECK_FALSE(same_bits((x + y).value(), (y + x).value()));
        CHECK(merged(x + y, y + x, tape) == 2);  // each with its equal above, not with the other
    }
    {
        Tape tape;  // and so with a number that is NaN
        const Node x = tape.input(nan_of(0x7ff8000000000001)), c = tape.full({}, std::bit_cast<double>(0x7ff8000000000002));
        CHECK(merged(x + c, c + x, tape) == 0);
    }
    {
        Tape tape;  // of 0 and -0, the second is taken
        const Node x = tape.input(Tensor{0.0, -0.0});
        CHECK(merged(maximum(x, 0.0), maximum(0.0, x), tape) == 0);
    }
    {
        Tape tape;
        const Node x = tape.input(Tensor{1, 2, 3}), y = tape.input(Tensor{1, 2, 3});
        CHECK(merged(x - y, y - x, tape) == 0);
    }
}

TEST_CASE("merge: constants are equal where every bit is, and of one type") {
    struct Case {
        Tensor a, b;
        bool equal;
    };
    const Case cases[] = {
        {Tensor{1, 2}, Tensor{1, 2}, true},
        {Tensor{0.0, 1}, Tensor{-0.0, 1}, false},
        {nan_of(0x7ff8000000000001), nan_of(0x7ff8000000000001), true},
        {nan_of(0x7ff8000000000001), nan_of(0x7ff8000000000002), false},
        {nan_of(0x7ff8000000000001), nan_of(0xfff8000000000001), false},
        {make({1, 2}), make({1, 2}, DType::float32), false},
        {make({0, 0}, DType::int64), make({0, 0}), false},
        {make({1, 2, 3, 4}, {2, 2}), make({1, 2, 3, 4}), false},
        {make({}, {0, 2}), make({}, {0, 2}), true},
        {make({}, {0, 2}), make({}, {2, 0}), false},
        {Tensor::zeros({2000}), Tensor::zeros({2000}), true},
    };
    for (const Case& c : cases) {
        Tape tape;
        CAPTURE(to_string(c.a) + " and " + to_string(c.b));
        CHECK(merged(tape.constant(c.a), tape.constant(c.b), tape) == std::size_t(c.equal));
    }
    Tape tape;
    CHECK(merged(tape.full({3}, 0.0), tape.full({3}, -0.0), tape) == 0);
    CHECK(merged(tape.full({3}, 0.5), tape.full({1, 3}, 0.5), tape) == 0);
    std::vector<double> long_one(5000, 1.0);
    std::vector<double> long_other = long_one;
    long_other.back() = 2;
    Tape second;  // equal for longer than is hashed
    CHECK(merged(second.constant(make(long_one)), second.constant(make(long_other)), second) == 0);
}

TEST_CASE("merge: leaves that are bound at each replay stay apart") {
    Tape tape;
    const Node a = tape.input(Tensor{1, 2}), b = tape.input(Tensor{1, 2});
    const Node p = tape.parameter(Tensor{1, 2}), q = tape.parameter(Tensor{1, 2});
    CHECK(merged(a + p, b + q, tape) == 0);
}

Node guard(Node x) { return gradtape::apply(primitive(Op::guard), {x}, {{"expected", 1.0}}); }

TEST_CASE("guards survive every pass, in order, with their lines") {
    Tape tape;
    const Node x = tape.input(Tensor(1.0)), two = tape.constant(2.0);
    guard(x);
    guard(x);                 // an equal of the first
    guard(two * two);         // of constants
    guard(guard(x * 1.0));    // of a guard, and of what is simplified
    guard(stop_gradient(x));
    const Body body = Program(tape, {x}).body();
    const std::vector<Tensor> inputs = {Tensor(3.0)};
    CHECK(check_passes(body, inputs, {}) == "");
    for (const NamedPass& pass : passes()) {
        CAPTURE(std::string(pass.name));
        CHECK(count(pass.run(body), "guard") == 6);
    }
}

TEST_CASE("dead code goes; leaves, updates and what they need stay, in order") {
    Tape tape;
    const Node unused = tape.input(Tensor{1, 2});
    const Node x = tape.input(Tensor{1, 2});
    const Node p = tape.parameter(Tensor{1, 2});
    tape.constant(Tensor{7, 8});
    const Node kept = tape.constant(Tensor{3, 4});
    const Node dead = exp(x) + 1.0;
    (void)sin(dead);
    const Node z = x * kept;
    const Node next = p - 0.5 * x;
    const Node guarded = guard(sum(cos(x)));
    (void)guarded;
    Body body = Program(tape, {z, z, x}).body();
    body.updates.push_back({p.index(), next.index()});
    const Body after = remove_dead(body);
    CHECK(broken_rule(after) == "");
    CHECK(lost(body, after) == "");
    CHECK(after.inputs.size() == 2);
    CHECK(after.constants.size() == 1);
    CHECK(same_bits(after.constants[0].value, Tensor{3, 4}));
    std::vector<std::string> names;
    for (const auto& instruction : after.instructions) names.push_back(instruction.primitive->name);
    const std::vector<std::string> expected = {"input",    "input",    "parameter", "constant", "multiply", "constant",
                                               "multiply", "subtract", "cos",       "sum",      "guard"};
    CHECK(names == expected);
    CHECK(after.outputs[0] == after.outputs[1]);
    CHECK(after.outputs[2] == after.inputs[1]);
    (void)unused;
    const std::vector<Tensor> inputs = {Tensor{1, 2}, Tensor{5, 6}}, parameters = {Tensor{9, 9}};
    CHECK(check_passes(body, inputs, parameters) == "");
    const std::vector<Tensor> results = detail::evaluate(after, inputs, parameters);
    CHECK(results.size() == 4);
    CHECK(same_bits(results[3], Tensor{6.5, 6}));
}

}  // namespace
}  // namespace gradtape::test

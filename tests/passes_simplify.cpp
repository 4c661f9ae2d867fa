// Each rewrite alone, and what looks like one but changes a bit.
#include "support/pass_check.hpp"

#include "passes/passes.hpp"
#include "primitives/catalogue.hpp"
#include "tape/evaluate.hpp"

#include <gradtape/compile.hpp>

#include <doctest/doctest.h>

#include <bit>
#include <cmath>

namespace gradtape::test {
namespace {

using detail::evaluate;
using detail::merge_common;
using detail::remove_dead;
using detail::simplify;

/// Zeros, denormals, extremes, infinities, and NaNs of either sign with payloads.
Tensor edges(DType dtype, int rotation = 0) {
    std::vector<double> d = {0, -0.0, 1, -1, 1.5, -3, 0.1, 0x1p-1074, -0x1p-1074, 0x1p-1022, 1.7e308, -1.7e308, inf, -inf,
                             std::bit_cast<double>(0x7ff8000000000000), std::bit_cast<double>(0xfff8000000000000),
                             std::bit_cast<double>(0x7ff8000000000123), std::bit_cast<double>(0xfff80000000abc00)};
    std::rotate(d.begin(), d.begin() + rotation, d.end());
    if (dtype == DType::float64) return make(d);
    if (dtype == DType::boolean || dtype == DType::int64) {
        for (double& e : d) e = std::isfinite(e) ? std::trunc(std::fmod(e, 100)) : 7;
        return make(d, dtype);
    }
    std::vector<float> f = {0, -0.0f, 1, -1, 1.5f, -3, 0.1f, 0x1p-149f, -0x1p-149f, 0x1p-126f, 3e38f, -3e38f,
                            float(inf), float(-inf), std::bit_cast<float>(0x7fc00000u), std::bit_cast<float>(0xffc00000u),
                            std::bit_cast<float>(0x7fc00123u), std::bit_cast<float>(0xffcabc00u)};
    std::rotate(f.begin(), f.begin() + rotation, f.end());
    return Tensor::from(std::span<const float>(f), {std::int64_t(f.size())});
}

/// x and y of the rule's dtype, c a boolean.
using Rule = Node (*)(Node x, Node y, Node c);
struct Expected {
    const char* name;
    Rule rule;
    std::vector<std::string> remaining;  ///< the operations that are left, in order
    std::vector<DType> dtypes = {DType::float64, DType::float32};
};

struct Recorded {
    Body body;
    std::vector<Tensor> inputs;
};
Recorded record(Rule rule, DType dtype) {
    Tape tape;
    const Tensor x = edges(dtype), y = edges(dtype, 5), c = edges(DType::boolean, 3);
    const Node nodes[] = {tape.input(x), tape.input(y), tape.input(c)};
    return {Program(tape, {rule(nodes[0], nodes[1], nodes[2])}).body(), {x, y, c}};
}

std::vector<std::string> operations(const Body& body) {
    std::vector<std::string> result;
    for (const auto& instruction : body.instructions)
        if (!instruction.primitive->leaf) result.push_back(instruction.primitive->name);
    return result;
}

void check(const Expected& expected) {
    for (DType dtype : expected.dtypes) {
        CAPTURE(std::string(expected.name));
        CAPTURE(std::string(to_string(dtype)));
        const Recorded recorded = record(expected.rule, dtype);
        CHECK(check_passes(recorded.body, recorded.inputs, {}) == "");
        const Body after = remove_dead(simplify(merge_common(recorded.body)));
        CAPTURE(text(after));
        CHECK(operations(after) == expected.remaining);
    }
}

const std::vector<DType> numbers = {DType::float64, DType::float32, DType::int64};
const std::vector<DType> integers = {DType::int64};
using Nodes = std::initializer_list<Node>;

/// x written from `start` on, three places apart; and `extent` of such places read back.
Node spread_out(Node x, std::int64_t start) {
    return gradtape::apply(detail::primitive(detail::Op::unslice), {x},
                           {{"start", Shape{start}}, {"step", Shape{3}}, {"shape", Shape{60}}});
}
Node gathered(Node x, std::int64_t start, std::int64_t extent) {
    return gradtape::apply(detail::primitive(detail::Op::slice), {x},
                           {{"start", Shape{start}}, {"step", Shape{3}}, {"shape", Shape{extent}}});
}

const Expected rewrites[] = {
    {"x * 1", [](Node x, Node, Node) { return x * 1.0; }, {}, numbers},
    {"1 * x", [](Node x, Node, Node) { return 1.0 * x; }, {}, numbers},
    {"x / 1", [](Node x, Node, Node) { return x / 1.0; }, {}},
    {"x * x", [](Node x, Node, Node) { return x * x; }, {"square"}, numbers},
    {"x / 4", [](Node x, Node, Node) { return x / 4.0; }, {"multiply"}},
    {"x / -2^126", [](Node x, Node, Node) { return x / -0x1p126; }, {"multiply"}},
    {"x / 2^-126", [](Node x, Node, Node) { return x / 0x1p-126; }, {"multiply"}},
    {"1 / x", [](Node x, Node, Node) { return 1.0 / x; }, {"reciprocal"}},
    {"x + -0", [](Node x, Node, Node) { return x + -0.0; }, {}},
    {"-0 + x", [](Node x, Node, Node) { return -0.0 + x; }, {}},
    {"integer x + 0", [](Node x, Node, Node) { return x + 0.0; }, {}, integers},
    {"x - 0", [](Node x, Node, Node) { return x - 0.0; }, {}, numbers},
    {"-(-x)", [](Node x, Node, Node) { return -(-x); }, {}, numbers},
    {"-(-(-x))", [](Node x, Node, Node) { return -(-(-x)); }, {"negative"}},
    {"x + -y", [](Node x, Node y, Node) { return x + -y; }, {"subtract"}},
    {"-x + y", [](Node x, Node y, Node) { return -x + y; }, {"subtract"}},
    {"x - -y", [](Node x, Node y, Node) { return x - -y; }, {"add"}},
    {"-x * -y", [](Node x, Node y, Node) { return -x * -y; }, {"multiply"}},
    {"-x * 3", [](Node x, Node, Node) { return -x * 3.0; }, {"multiply"}},
    {"0.1 * -x", [](Node x, Node, Node) { return 0.1 * -x; }, {"multiply"}},
    {"(-x)^2", [](Node x, Node, Node) { return square(-x); }, {"square"}},
    {"x + (-y) x", [](Node x, Node y, Node) { return x + -y * x; }, {"multiply", "subtract"}},
    {"x (-y) + y", [](Node x, Node y, Node) { return x * -y + y; }, {"multiply", "subtract"}},
    {"x - (-y) x", [](Node x, Node y, Node) { return x - -y * x; }, {"multiply", "add"}},
    {"|-x|", [](Node x, Node, Node) { return abs(-x); }, {"abs"}},
    {"||x||", [](Node x, Node, Node) { return abs(abs(x)); }, {"abs"}},
    {"max(x, x)", [](Node x, Node, Node) { return maximum(x, x); }, {}},
    {"min(x, x)", [](Node x, Node, Node) { return minimum(x, x); }, {}},
    {"multiply_no_nan(x, 3)", [](Node x, Node, Node) { return multiply_no_nan(x, 3.0); }, {"multiply"}},
    {"multiply_no_nan(x, inf)", [](Node x, Node, Node) { return multiply_no_nan(x, inf); }, {"multiply"}},
    {"multiply_no_nan(x, 1)", [](Node x, Node, Node) { return multiply_no_nan(x, 1.0); }, {}},
    {"multiply_no_nan(x, -0)", [](Node x, Node, Node) { return multiply_no_nan(x, -0.0); }, {}},
    {"multiply_no_nan(1, y)", [](Node, Node y, Node) { return multiply_no_nan(1.0, y); }, {}},
    {"multiply_no_nan(0.3, y)", [](Node, Node y, Node) { return multiply_no_nan(0.3, y); }, {"multiply"}},
    {"multiply_or_zero(x, 3)", [](Node x, Node, Node) { return multiply_or_zero(x, 3.0); }, {"multiply"}},
    {"divide_no_nan(x, 3)", [](Node x, Node, Node) { return divide_no_nan(x, 3.0); }, {"divide"}},
    {"divide_no_nan(2, y)", [](Node, Node y, Node) { return divide_no_nan(2.0, y); }, {"divide"}},
    {"divide_no_nan(0, y)", [](Node, Node y, Node) { return divide_no_nan(0.0, y); }, {}},
    {"multiply_no_nan(x, constant without zeros)",
     [](Node x, Node, Node) { return multiply_no_nan(x, sibling_constant(x, Tensor::full({18}, 2, x.dtype()))); },
     {"multiply"}},
    {"c ? x : x", [](Node x, Node, Node c) { return where(c, x, x); }, {}, numbers},
    {"true ? x : y", [](Node x, Node y, Node c) { return where(full_like(c, 1), x, y); }, {}, numbers},
    {"false ? x : y", [](Node x, Node y, Node c) { return where(full_like(c, 0), x, y); }, {}, numbers},
    {"!c ? x : y", [](Node x, Node y, Node c) { return where(logical_not(c), x, y); }, {"where"}, numbers},
    {"!!c", [](Node, Node, Node c) { return logical_not(logical_not(c)); }, {}},
    {"c and true", [](Node, Node, Node c) { return logical_and(c, 1); }, {}},
    {"false and c", [](Node, Node, Node c) { return logical_and(0, c); }, {}},
    {"c or false", [](Node, Node, Node c) { return logical_or(c, 0); }, {}},
    {"true or c", [](Node, Node, Node c) { return logical_or(1, c); }, {}},
    {"c and c", [](Node, Node, Node c) { return logical_and(c, c); }, {}},
    {"stop_gradient", [](Node x, Node, Node) { return stop_gradient(x); }, {}, numbers},
    {"cast to the same", [](Node x, Node, Node) { return cast(x, x.dtype()); }, {}, numbers},
    {"float as double as float",
     [](Node x, Node, Node) { return cast(cast(x, DType::float64), DType::float32); }, {}, {DType::float32}},
    {"float as double as int64",
     [](Node x, Node, Node) { return cast(cast(x, DType::float64), DType::int64); }, {"cast"}, {DType::float32}},
    {"boolean as float as double",
     [](Node, Node, Node c) { return cast(cast(c, DType::float32), DType::float64); }, {"cast"}},
    {"boolean and back", [](Node, Node, Node c) { return cast(cast(c, DType::int64), DType::boolean); }, {}},
    {"reshape, reshape", [](Node x, Node, Node) { return reshape(reshape(x, {2, 9}), {3, 6}); }, {"reshape"}},
    {"reshape and back", [](Node x, Node, Node) { return reshape(reshape(x, {2, 9}), {18}); }, {}},
    {"broadcast to the same", [](Node x, Node, Node) { return broadcast_to(x, {18}); }, {}},
    {"broadcast, broadcast",
     [](Node x, Node, Node) { return broadcast_to(broadcast_to(x, {2, 18}), {3, 2, 18}); }, {"broadcast_to"}},
    {"broadcast to an axis of 1", [](Node x, Node, Node) { return broadcast_to(x, {1, 18}); }, {"reshape"}},
    {"broadcast of a number", [](Node x, Node, Node) { return broadcast_to(full_like(x, 2), {9, 18}); }, {}},
    {"transpose, transpose", [](Node x, Node, Node) { return transpose(transpose(reshape(x, {3, 6}))); }, {"reshape"}},
    {"transpose, permuted",
     [](Node x, Node, Node) { return transpose(transpose(reshape(x, {3, 2, 3}), {1, 2, 0}), {1, 0, 2}); },
     {"reshape", "transpose"}},
    {"transpose of a row", [](Node x, Node, Node) { return transpose(reshape(x, {1, 18})); }, {"reshape"}},
    {"slice of all", [](Node x, Node, Node) { return slice(x, {{}}); }, {}},
    {"slice, slice", [](Node x, Node, Node) { return slice(slice(x, {{2, 17, 3}}), {{-1, 0, -2}}); }, {"slice"}},
    {"slice, to one index", [](Node x, Node, Node) { return slice(slice(x, {{17, 2, -5}}), {{2, 3}}); }, {"slice"}},
    {"slice of its unslice", [](Node x, Node, Node) { return gathered(spread_out(x, 2), 2, 18); }, {}},
    {"pad by nothing", [](Node x, Node, Node) { return pad(x, {0}, {0}, 3); }, {}},
    {"concatenate one", [](Node x, Node, Node) { return concatenate(Nodes{x}, 0); }, {}},
};

TEST_CASE("simplify: what is rewritten, on every edge value") {
    for (const Expected& rewrite : rewrites) check(rewrite);
}

const Expected stay[] = {
    {"x + 0", [](Node x, Node, Node) { return x + 0.0; }, {"add"}},
    {"x - -0", [](Node x, Node, Node) { return x - -0.0; }, {"subtract"}},
    {"0 - x", [](Node x, Node, Node) { return 0.0 - x; }, {"subtract"}},
    {"-0 - x: the sign of NaN", [](Node x, Node, Node) { return -0.0 - x; }, {"subtract"}},
    {"x * 0", [](Node x, Node, Node) { return x * 0.0; }, {"multiply"}},
    {"x * -1: the sign of NaN", [](Node x, Node, Node) { return x * -1.0; }, {"multiply"}},
    {"x - x", [](Node x, Node, Node) { return x - x; }, {"subtract"}},
    {"x / x", [](Node x, Node, Node) { return x / x; }, {"divide"}},
    {"x / 3", [](Node x, Node, Node) { return x / 3.0; }, {"divide"}},
    {"x / 0", [](Node x, Node, Node) { return x / 0.0; }, {"divide"}},
    {"x / 2^127: 2^-127 is no normal float", [](Node x, Node, Node) { return x / 0x1p127; }, {"divide"}, {DType::float32}},
    {"x / 2^1023", [](Node x, Node, Node) { return x / 0x1p1023; }, {"divide"}, {DType::float64}},
    {"x / 2^-1030", [](Node x, Node, Node) { return x / 0x1p-1030; }, {"divide"}, {DType::float64}},
    {"(x + y) - y", [](Node x, Node y, Node) { return (x + y) - y; }, {"add", "subtract"}},
    {"integer x + -y, which may overflow", [](Node x, Node y, Node) { return x + -y; }, {"negative", "add"}, integers},
    {"x + (-y) z, read twice",
     [](Node x, Node y, Node) {
         const Node z = -y * x;
         return (x + z) / z;
     },
     {"negative", "multiply", "add", "divide"}},
    {"multiply_no_nan(x, y)", [](Node x, Node y, Node) { return multiply_no_nan(x, y); }, {"multiply_no_nan"}},
    {"multiply_no_nan(x, constant with zeros)",
     [](Node x, Node, Node) { return multiply_no_nan(x, sibling_constant(x, edges(x.dtype(), 2))); },
     {"multiply_no_nan"}},
    {"multiply_no_nan(-2, y)", [](Node, Node y, Node) { return multiply_no_nan(-2.0, y); }, {"multiply_no_nan"}},
    {"multiply_no_nan(inf, y)", [](Node, Node y, Node) { return multiply_no_nan(inf, y); }, {"multiply_no_nan"}},
    {"multiply_or_zero(x, -2)", [](Node x, Node, Node) { return multiply_or_zero(x, -2.0); }, {"multiply_or_zero"}},
    {"multiply_or_zero(x, inf)", [](Node x, Node, Node) { return multiply_or_zero(x, inf); }, {"multiply_or_zero"}},
    {"divide_no_nan(x, y)", [](Node x, Node y, Node) { return divide_no_nan(x, y); }, {"divide_no_nan"}},
    {"divide_no_nan(x, -3)", [](Node x, Node, Node) { return divide_no_nan(x, -3.0); }, {"divide_no_nan"}},
    {"divide_no_nan(x, 0)", [](Node x, Node, Node) { return divide_no_nan(x, 0.0); }, {"divide_no_nan"}},
    {"multiply_no_nan(x, a number too small for float)",
     [](Node x, Node, Node) { return multiply_no_nan(x, 1e-60) + multiply_no_nan(x, x); },
     {"multiply_no_nan", "add"}, {DType::float32}},
    {"sum of one element: -0 + 0", [](Node x, Node, Node) { return sum(reshape(x, {18, 1}), 1); }, {"reshape", "sum"}},
    {"double as float as double",
     [](Node x, Node, Node) { return cast(cast(x, DType::float32), DType::float64); }, {"cast", "cast"}, {DType::float64}},
    {"int64 as double as int64",
     [](Node x, Node, Node) { return cast(cast(x, DType::float64), DType::int64); }, {"cast", "cast"}, integers},
    {"slice of fewer", [](Node x, Node, Node) { return gathered(spread_out(x, 2), 2, 7); }, {"unslice", "slice"}},
    {"slice of more", [](Node x, Node, Node) { return gathered(spread_out(x, 2), 2, 19); }, {"unslice", "slice"}},
    {"slice beside", [](Node x, Node, Node) { return gathered(spread_out(x, 2), 3, 18); }, {"unslice", "slice"}},
    {"x == x", [](Node x, Node, Node) { return equal(x, x); }, {"equal"}},
    {"power(x, 1)", [](Node x, Node, Node) { return power(x, 1.0); }, {"power"}},
};

TEST_CASE("simplify: what looks like a rewrite and is none") {
    for (const Expected& one : stay) check(one);
}

TEST_CASE("simplify: a number that its dtype cannot hold is converted as recording converts it") {
    for (DType dtype : {DType::int64, DType::boolean, DType::float32, DType::float64})
        for (double value : {1e300, -1e300, 0x1p63, -0x1p63, 0x1.8p62, 2.5, -0.5, -0.0, inf, -inf, nan}) {
            Tape tape;
            const auto number = [&](const Shape& shape) { return detail::Recorder::in(tape).number({dtype, shape}, value, {}); };
            const Node x = number({2, 1});
            std::vector<Node> all{broadcast_to(x, {40, 2, 100}), reshape(x, {1, 2}), transpose(number({2, 3})),
                                  slice(number({5}), {{1, 4}}), cast(x, DType::float64)};
            if (dtype != DType::boolean) all.push_back(number({7}) * 1.0);
            CAPTURE(value);
            CAPTURE(std::string(to_string(dtype)));
            CHECK(check_passes(Program(tape, all).body(), {}, {}) == "");
            Replay replay(compile(tape, all));
            replay.run();
            for (std::size_t i = 0; i < all.size(); ++i) CHECK(same_bits(replay.output(i), all[i].value()));
        }
}

TEST_CASE("simplify: a rewritten instruction keeps its own source line") {
    Tape tape;
    const Node x = tape.input(Tensor{1.0, 2.0});
    const Node inner = reshape(x, {2, 1});
    const unsigned line = __LINE__ + 1;
    const Node outer = reshape(inner, {1, 2});
    const Node half = x / 2.0;
    const Body after = remove_dead(simplify(Program(tape, {outer, half}).body()));
    CHECK(after.instructions[after.outputs[0]].where.line == line);
    CHECK(after.instructions[after.outputs[0]].operands[0] == after.inputs[0]);
    CHECK(after.instructions[after.outputs[1]].where.line == line + 1);
    CHECK(std::string(after.instructions[after.outputs[1]].primitive->name) == "multiply");
}

TEST_CASE("simplify: the gradient of a mean over a power of two multiplies instead of dividing") {
    Tape tape;
    const Node x = tape.parameter(edges(DType::float32));
    const Node g = grad(mean(slice(square(x), {{0, 16}})), x);
    const Body body = Program(tape, {g}).body();
    CHECK(check_passes(body, {}, std::vector<Tensor>{edges(DType::float32, 7)}) == "");
    CHECK(count(passes().back().run(body), "divide") == 0);
}

}  // namespace
}  // namespace gradtape::test

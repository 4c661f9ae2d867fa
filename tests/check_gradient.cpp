// check_gradient: passes right rules of any order, and names the element where a rule is wrong.
#include "support/own_primitive.hpp"
#include "support/refusals.hpp"

#include <gradtape/check.hpp>

#include <doctest/doctest.h>

#include <cmath>

namespace gradtape::test {
namespace {

using Nodes = std::span<const Node>;

void cube_kernel(const KernelCall& call) {
    const auto x = call.input<double>(0);
    const auto z = call.result<double>();
    for (std::size_t i = 0; i < x.size(); ++i) z[i] = x[i] * x[i] * x[i];
}

Primitive cube_with(const char* name, VjpRule rule) { return user_primitive(name, rule, cube_kernel); }

const Primitive right_cube = cube_with("cube", [](const VjpCall& call) {
    call.give(0, 3.0 * call.z_bar * square(call.x[0]));
});
const Primitive wrong_factor = cube_with("wrong_factor", [](const VjpCall& call) {
    call.give(0, 2.0 * call.z_bar * square(call.x[0]));
});
/// Wrong above 2 only.
const Primitive wrong_there = cube_with("wrong_there", [](const VjpCall& call) {
    call.give(0, where(call.x[0] > 2.0, 3.001, 3.0) * call.z_bar * square(call.x[0]));
});
/// Right values, but a path is cut: the second derivative is wrong.
const Primitive wrong_second = cube_with("wrong_second", [](const VjpCall& call) {
    call.give(0, 3.0 * call.z_bar * stop_gradient(square(call.x[0])));
});
const Primitive gives_nan = cube_with("gives_nan", [](const VjpCall& call) {
    call.give(0, call.z_bar * log(-square(call.x[0])));
});

Node use(const Primitive& primitive, Node x) { return gradtape::apply(primitive, {x}); }

TEST_CASE("check_gradient: right functions pass, whatever the shape of their result") {
    Random random(3);
    const CheckResult one = check_gradient([](Nodes x) { return sum(tanh(x[0]) * x[1]); },
                                           {random.tensor({2, 3}, -1, 1), random.tensor({3}, -1, 1)});
    CHECK_MESSAGE(one.ok, one.report);
    CHECK(bool(one));
    const CheckResult matrix = check_gradient([](Nodes x) { return matmul(x[0], x[1], {.y = true}); },
                                              {random.tensor({2, 3}, -1, 1), random.tensor({4, 3}, -1, 1)});
    CHECK_MESSAGE(matrix.ok, matrix.report);
    const CheckResult mine = check_gradient([](Nodes x) { return use(right_cube, x[0]); }, {Tensor{1, -2, 3}});
    CHECK_MESSAGE(mine.ok, mine.report);
    CHECK(mine.worst <= 1);
    CHECK(check_gradient([](Nodes x) { return exp(x[0]); }, {Tensor(0.3)}).ok);
    CHECK(check_gradient([](Nodes x) { return x[0] * 2; }, {Tensor::full({0}, 1)}).ok);
}

TEST_CASE("check_gradient: a wrong factor is found, and said") {
    const CheckResult result = check_gradient([](Nodes x) { return use(wrong_factor, x[0]); }, {Tensor{1, 2}});
    CHECK_FALSE(result.ok);
    CHECK_FALSE(bool(result));
    CHECK(result.worst > 1);
    CAPTURE(result.report);
    for (const char* part : {"order 1", "x0[", "gradient", "numeric", "difference", "allowed", "step"})
        CHECK(result.report.find(part) != std::string::npos);
}

TEST_CASE("check_gradient: the element is named") {
    const Tensor good{0.5, 1.0, 1.5}, bad{0.5, 1.0, 1.5, 2.5, 0.1};
    CHECK(check_gradient([](Nodes x) { return use(wrong_there, x[0]); }, {good}).ok);
    const CheckResult result = check_gradient([](Nodes x) { return sum(x[0]) * use(wrong_there, x[1]); }, {good, bad});
    CHECK_FALSE(result.ok);
    CAPTURE(result.report);
    CHECK(result.report.find("x1[3]") != std::string::npos);
}

TEST_CASE("check_gradient: a rule that is right once and wrong twice") {
    const auto f = [](Nodes x) { return use(wrong_second, x[0]); };
    CHECK(check_gradient(f, {Tensor{1, 2}}, {.order = 1}).ok);
    const CheckResult result = check_gradient(f, {Tensor{1, 2}});
    CHECK_FALSE(result.ok);
    CAPTURE(result.report);
    CHECK(result.report.find("order 2") != std::string::npos);
}

TEST_CASE("check_gradient: NaN is never right") {
    const auto f = [](Nodes x) { return use(gives_nan, x[0]); };
    CHECK_FALSE(check_gradient(f, {Tensor{1, 2}}, {.order = 1}).ok);
}

TEST_CASE("check_gradient: stop_gradient is a deliberate difference, and shows") {
    CHECK_FALSE(check_gradient([](Nodes x) { return stop_gradient(x[0]) * x[0]; }, {Tensor{1, 2}}).ok);
}

TEST_CASE("check_gradient: the tolerance is the user's") {
    const auto f = [](Nodes x) { return use(wrong_there, x[0]); };
    CHECK_FALSE(check_gradient(f, {Tensor{3}}, {.order = 1}).ok);
    CHECK(check_gradient(f, {Tensor{3}}, {.relative = 1e-2, .order = 1}).ok);
    // Far from 0 the step grows with x, so rounding does not swamp the difference.
    CHECK(check_gradient([](Nodes x) { return square(x[0]); }, {Tensor{1e6, -1e6}}).ok);
}

TEST_CASE("check_gradient: steps are relative to each element, so every size is checked") {
    const auto passes = [](const auto& f, std::vector<Tensor> at) {
        const CheckResult result = check_gradient(f, at);
        CHECK_MESSAGE(result.ok, result.report);
    };
    const Tensor sizes{1e-6, 3e-12, 1e-100, 1, 2e6, 1e100};
    passes([](Nodes x) { return log(x[0]); }, {sizes});
    passes([](Nodes x) { return sqrt(x[0]); }, {sizes});
    passes([](Nodes x) { return xlogy(x[1], x[0]); }, {Tensor{1e-6, 1e6, 1, 0.5}, Tensor{1e6, 1e-6, 0, -2}});
    // Together: what one input adds must not drown another's derivative.
    const Tensor small{1e-6, 2e-6}, large{1e6, -3e6};
    passes([](Nodes x) { return sum(x[0]) + sum(x[1]); }, {small, large});
    passes([](Nodes x) { return sum(square(x[0])) + sum(log(x[1])); }, {large, small});
    passes([](Nodes x) { return x[0] * x[1]; }, {large, small});
    passes([](Nodes x) { return log(x[1]) * square(x[0]); }, {large, small});
    passes([](Nodes x) { return concatenate({x[0] * x[0], x[1] * x[1]}); }, {large, small});
    passes([](Nodes x) { return sin(x[0]); }, {large});  // a step of 10 would be longer than a period
    passes([](Nodes x) { return sum(exp(x[0])); }, {Tensor{0, 0}});
    passes([](Nodes x) { return log1p(1e6 * x[0]); }, {Tensor{0, 1e-6}});
}

TEST_CASE("check_gradient: wrong rules are found at every size") {
    const auto f = [](Nodes x) { return use(wrong_factor, x[0]); };
    for (double at : {1e-40, 1e-6, 1.0, 1e6, 1e40})
        CHECK_FALSE(check_gradient(f, {Tensor{at}}, {.absolute = 0, .order = 1}).ok);
    const auto hidden = [](Nodes x) { return sum(1e7 * x[1]) + use(wrong_there, x[0]); };
    CHECK_FALSE(check_gradient(hidden, {Tensor{5.0}, Tensor{1e3}}).ok);
}

TEST_CASE("check_gradient: what rounding hides altogether is not called right") {
    const auto f = [](Nodes x) { return sum(square(x[0])) + sum(1e8 * square(x[1])); };
    CHECK_FALSE(check_gradient(f, {Tensor{1e12}, Tensor{1e-6}}).ok);
}

TEST_CASE("check_gradient: two NaNs agree where that is asked for") {
    const auto f = [](Nodes x) { return sqrt(x[0]); };
    CHECK_FALSE(check_gradient(f, {Tensor{4, -1}}).ok);
    CHECK(check_gradient(f, {Tensor{4, -1}}, {.equal_nan = true}).ok);
    CHECK_FALSE(check_gradient([](Nodes x) { return use(gives_nan, x[0]); }, {Tensor{1, 2}}, {.equal_nan = true}).ok);
}

TEST_CASE("check_gradient: refuses what it cannot check") {
    const auto f = [](Nodes x) { return sum(x[0]); };
    CHECK_THROWS_AS(check_gradient(f, {make({1, 2}, DType::float32)}), DTypeError);
    CHECK_THROWS_AS(check_gradient(f, std::span<const Tensor>()), ValueError);
    CHECK_THROWS_AS(check_gradient(f, {Tensor{1}}, {.order = 3}), ValueError);
    CHECK_THROWS_AS(check_gradient(f, {Tensor{1}}, {.step = 0}), ValueError);
}

}  // namespace
}  // namespace gradtape::test

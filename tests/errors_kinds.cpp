// Every public function, given what it cannot take: whatever is thrown is a gradtape::Error that blames the caller's line.
// tests/errors_public.cpp reads this table, and the headers, and misses what is not in it.
#include "support/refusals.hpp"

#include <gradtape/check.hpp>
#include <gradtape/control.hpp>
#include <gradtape/linalg.hpp>
#include <gradtape/loops.hpp>
#include <gradtape/nn/explicit_backprop.hpp>
#include <gradtape/nn/nn.hpp>
#include <gradtape/nonfinite.hpp>
#include <gradtape/primitive.hpp>
#include <gradtape/serialise.hpp>
#include <gradtape/watch.hpp>
#include <gradtape/xtensor.hpp>

#include <doctest/doctest.h>

#include <sstream>

namespace gradtape::test {
namespace {

namespace by_hand = nn::explicit_backprop;
using Nodes = std::span<const Node>;

struct Model {
    nn::Parameter w = Tensor(1.0);
    void visit(nn::Visitor& v) { v("w", w); }
};
struct Twice : Model {
    void visit(nn::Visitor& v) { v("a", w), v("b", w); }
};

template <class T>
T left_of(T value) {
    const T moved = std::move(value);
    return value;  // NOLINT: what is left of it
}

/// What the calls are made on: good things, and things that nobody should hold.
struct Things {
    Tape tape, other, cleared;
    gradtape::Tape abstract{Recording::abstract}, moved_tape;
    const gradtape::Tape taken = std::move(moved_tape);
    Tensor t{{1, 2, 3}, {4, 5, 6}}, moved{1, 2};
    const Tensor stolen = std::move(moved);
    const Node x = tape.input(t), w = tape.parameter(Tensor{1, 2, 3}), y = sum(x * w), foreign = other.input(t);
    const Node counts = tape.input(t.as(DType::int64)), single = tape.input(t.as(DType::float32)), flags = x > 2.0, yes = sum(x) > 2.0;
    const Node key = tape.input(random_key(1)), nothing = tape.input(Tensor::zeros({0, 3})), type_only = abstract.input(Type{DType::float64, {2, 3}});
    const Node unset{};
    Node stale = cleared.input(t), gone;
    Shape pair{2, 3}, full{1, 2, 3, 4, 5, 6, 7, 8}, negative{-1, 3}, huge{INT64_MAX, 3};
    Program program{tape, y}, spent{tape, y};
    const Subprogram body = record_body([](Nodes v) { return exp(v[0]); }, std::vector{Type{DType::float64, {2, 2}}});
    const Program other_program = std::move(spent);
    Compiled compiled = compile(program, {.keep_values = false}), spent_compiled = compiled;
    const Compiled other_compiled = std::move(spent_compiled);
    Replay replay{compiled}, spent_replay{compiled};
    const Replay other_replay = std::move(spent_replay);
    CompiledFunction function{[](Nodes v) { return std::vector<Node>{sum(v[0])}; }}, spent_function = compile(one);
    const CompiledFunction other_function = std::move(spent_function);
    const std::vector<Tensor> ones{Tensor(1.0)}, narrow{Tensor(1.f)}, left{moved};
    const std::function<Node(Nodes)> empty{};
    Node (*const null)(Nodes) = nullptr;
    Attributes attributes{{"axis", std::int64_t(1)}};
    const Primitive nameless{.name = nullptr}, shapeless{.name = "mine", .arity = 1};
    const Primitive* const no_primitive[1] = {nullptr};

    Model model;
    Twice twice;
    nn::Stream random{1, "r"};
    nn::Parameter parameter = Tensor{1, 2};
    nn::Parameter* const no_parameter[1] = {nullptr};
    nn::Parameter* const parameters[1] = {&model.w};
    nn::Dataset data{t, Tensor{0, 1}, nn::Labels::zero_one}, uneven{t, Tensor{1}}, undefined{Tensor{{nan}}, Tensor{1}};
    nn::Dataset empty_inputs{moved, Tensor{0, 1}}, empty_labels{Tensor{0, 1}, moved};
    nn::Dense layer{3, 1, {1, "l"}}, no_layer{};
    nn::Evaluation evaluation;
    by_hand::Network network{{Tensor{{1, 2, 3}}}, {{}}}, no_network{}, spent_network{{moved}, {{}}}, flat{{Tensor{{1}}}, {{by_hand::Function::tanh, nan}}};

    static Node one(Nodes v) { return v[0]; }
    static Node loss_of(const Model& m, Node a, Node) { return mean(m.w.on(a) * a); }
    nn::Trainer trainer{model, loss_of, nn::Sgd(0.1)}, aimless{model, loss_of, nn::Sgd(nan)};
    nn::Trainer lost{model, [](const Model&, Node, Node) { return Node(); }, nn::Sgd(0.1)};
    Node (*const no_loss)(const Model&, Node, Node) = nullptr;
    Tensor moved_like_t = left_of(t.copy());
    gradtape::Tape model_tape;
    const Node model_y = sum(model.w.on(model_tape) * model_tape.input(t));
    nn::ModelReplay model_replay{model, model_tape, model_y};
    nn::Trainer wide{model, [](const Model&, Node a, Node) { return a; }, nn::Sgd(0.1)};

    /// The first step is compiled, the second compared, the third replayed.
    static void again(nn::Trainer& trainer, const std::function<void(nn::Trainer&)>& good, const std::function<void(nn::Trainer&)>& bad) {
        good(trainer);
        good(trainer);
        bad(trainer);
    }

    Things() {
        cleared.clear();
        gone = gradtape::Tape().input(t);
    }
};

struct Case {
    const char* name;
    unsigned line;
    void (*call)(Things& o, Node z);
};
#define CASE(NAME, ...) {NAME, __LINE__, [](Things & o, Node z) { (void)o, (void)z, (void)(__VA_ARGS__); }}

/// Called with nodes that cannot be used; and with some of which it takes a few.
const Case of_a_node[] = {
    CASE("dtype", z.dtype()), CASE("shape", z.shape()), CASE("shape", z.shape(0)), CASE("type", z.type()), CASE("where", z.where()),
    CASE("value", z.value()), CASE("item", z.item()), CASE("peek", peek(z)), CASE("origin", origin(z)),
    CASE("parameters_reached", parameters_reached(z)), CASE("producer_operand", producer_operand(z, "add")),
    CASE("sibling_parameter", sibling_parameter(z, o.t)), CASE("sibling_constant", sibling_constant(z, o.t)), CASE("full_like", full_like(z, 1)),
    CASE("all_or_nothing", all_or_nothing(z, [=] { return exp(z); })), CASE("Program", Program(o.tape, z)), CASE("Program", Program(o.tape, o.y, Update{z, z})),
    CASE("compile", compile(o.tape, z)), CASE("grad", grad(z, z)), CASE("grad", grad(o.y, {o.x, z})), CASE("vjp", vjp(z, z, z)), CASE("vjp", vjp(o.y, o.x, z.is_valid() ? z : o.stale)),
    CASE("jvp", jvp(z, z, z)), CASE("jvp", jvp(o.y, o.x, z.is_valid() ? z : o.stale)), CASE("hvp", hvp(z, z, z)), CASE("hvp", hvp(o.y, o.x, z)), CASE("as_xtensor", as_xtensor<double>(z)),
    CASE("add", add(z, 1)), CASE("add", add(o.x, z)), CASE("operator+", z + o.x), CASE("operator+", 1 + z), CASE("operator+", o.t + z),
    CASE("subtract", subtract(z, 1)), CASE("operator-", z - 1), CASE("operator-", -z), CASE("multiply", multiply(z, 1)), CASE("operator*", 2 * z),
    CASE("divide", divide(z, 1)), CASE("operator/", z / 2), CASE("operator+=", z += 1), CASE("operator-=", z -= 1), CASE("operator*=", z *= 2), CASE("operator/=", z /= 2),
    CASE("negative", negative(z)), CASE("power", power(z, 2)), CASE("power_slope", power_slope(z, 2)), CASE("power_log", power_log(z, 2, 1)), CASE("square", square(z)),
    CASE("multiply_no_nan", multiply_no_nan(z, 1)), CASE("multiply_or_zero", multiply_or_zero(z, 1)), CASE("divide_no_nan", divide_no_nan(z, 1)),
    CASE("sqrt", sqrt(z)), CASE("rsqrt", rsqrt(z)), CASE("reciprocal", reciprocal(z)), CASE("exp", exp(z)), CASE("expm1", expm1(z)), CASE("log", log(z)),
    CASE("log1p", log1p(z)), CASE("sin", sin(z)), CASE("cos", cos(z)), CASE("tan", tan(z)), CASE("tanh", tanh(z)), CASE("tanh_slope", tanh_slope(z)),
    CASE("sigmoid", sigmoid(z)), CASE("sigmoid_slope", sigmoid_slope(z)),
    CASE("sigmoid", nn::sigmoid(z, 2)), CASE("softplus", softplus(z)), CASE("log_sigmoid", log_sigmoid(z)), CASE("relu", relu(z)), CASE("abs", abs(z)),
    CASE("sign", sign(z)), CASE("maximum", maximum(z, 1)), CASE("minimum", minimum(z, 1)), CASE("clamp", clamp(z, 0, 1)), CASE("clamp", clamp(z, 0, 0.5)), CASE("xlogy", xlogy(z, 1)),
    CASE("where", where(z, 1, o.x)), CASE("where", where(o.flags, z, 1)), CASE("where_positive", where_positive(z, 1)), CASE("equal", equal(z, 1)), CASE("operator==", z == 1),
    CASE("not_equal", not_equal(z, 1)), CASE("operator!=", z != 1), CASE("less", less(z, 1)), CASE("operator<", z < 1), CASE("less_equal", less_equal(z, 1)),
    CASE("operator<=", z <= 1), CASE("greater", greater(z, 1)), CASE("operator>", z > 1), CASE("greater_equal", greater_equal(z, 1)), CASE("operator>=", z >= 1),
    CASE("logical_and", logical_and(z, o.flags)), CASE("logical_or", logical_or(z, true)), CASE("logical_not", logical_not(z)), CASE("cast", cast(z, DType::int64)),
    CASE("stop_gradient", stop_gradient(z)), CASE("sum", sum(z)), CASE("mean", mean(z, 0)), CASE("norm", norm(z, {0, 1})), CASE("variance", variance(z)), CASE("stddev", stddev(z)),
    CASE("prod", prod(z)), CASE("max", max(z)), CASE("min", min(z)), CASE("logsumexp", logsumexp(z)), CASE("softmax", softmax(z)), CASE("log_softmax", log_softmax(z)),
    CASE("broadcast_to", broadcast_to(z, {4, 2, 3})), CASE("sum_to", sum_to(z, {3})), CASE("reshape", reshape(z, {-1})), CASE("transpose", transpose(z)),
    CASE("transpose", transpose(z, {1, 0})), CASE("slice", slice(z, {{0, 1}})), CASE("concatenate", concatenate(o.x, z)), CASE("concatenate", gradtape::concatenate({z, o.x})),
    CASE("stack", stack(o.x, z)), CASE("stack", stack(z, o.x, o.x, o.x)), CASE("pad", pad(z, {1, 1}, {0, 0})), CASE("matmul", matmul(z, o.t)), CASE("matmul", matmul(o.x, z)),
    CASE("take", take(z, 0, 0)), CASE("take", take(o.x, z, 0)), CASE("take_along_axis", take_along_axis(z, o.counts, 0)), CASE("scatter", scatter(z, 0, 1, 0)),
    CASE("scatter_along_axis", scatter_along_axis(o.x, z, 0, 1)), CASE("scatter_add", scatter_add(o.x, 0, z, 0)), CASE("scatter_add_along_axis", scatter_add_along_axis(z, o.counts, 1, 0)),
    CASE("dynamic_slice", dynamic_slice(z, Tensor::zeros({2}, DType::int64), {1, 1})), CASE("dynamic_slice", dynamic_slice(o.x, z, {1, 1})),
    CASE("dynamic_update_slice", dynamic_update_slice(o.x, z, Tensor::zeros({2}, DType::int64))), CASE("one_hot", one_hot(z, 3)), CASE("argmax", argmax(z, 0)),
    CASE("argmin", argmin(z, 0, true)), CASE("sort", sort(z)), CASE("argsort", argsort(z, 0)), CASE("topk", topk(z, 1)), CASE("cumsum", cumsum(z, 0)), CASE("flip", flip(z, 1)), CASE("roll", roll(z, 1, 0)),
    CASE("vmap", vmap([](auto at) { return at[0]; }, {z})), CASE("jacobian", jacobian([](Node at) { return at; }, z)), CASE("hessian", hessian([](Node at) { return sum(at); }, z)),
    CASE("tril", tril(z)), CASE("triu", triu(z, 1)), CASE("cholesky", cholesky(z)), CASE("triangular_solve", triangular_solve(z, o.t)),
    CASE("triangular_solve", triangular_solve(o.x, z)), CASE("lu", lu(z)), CASE("eigh", eigh(z)), CASE("qr", qr(z)), CASE("svd", svd(z)), CASE("lstsq", lstsq(z, o.x)), CASE("lstsq", lstsq(o.x, z)), CASE("solve", solve(z, o.x)), CASE("solve", solve(o.x, z)), CASE("solve", solve(Lu{z, z, z}, o.x)),
    CASE("inv", inv(z)), CASE("inv", inv(Lu{z, z, z})), CASE("det", det(z)), CASE("det", det(Lu{z, z, z})), CASE("slogdet", slogdet(z)), CASE("slogdet", slogdet(Lu{z, z, z})),
    CASE("call", call([](auto at) { return exp(at[0]); }, {z})), CASE("call", call([](auto at) { return exp(at[0]); }, {o.x, z})), CASE("call", call(o.body, {z})), CASE("expand", expand(o.body, {z})),
    CASE("scan", scan([](auto c, auto) { return ScanStep{c[0], {}}; }, o.y, z)), CASE("scan", scan([](auto c, auto) { return ScanStep{c[0] * 2.0, {}}; }, z, o.x)),
    CASE("cond", cond(z, [](auto at) { return at[0]; }, [](auto at) { return at[0]; }, {o.x})), CASE("cond", cond(o.yes, [](auto at) { return at[0]; }, [](auto at) { return at[0]; }, {z})),
    CASE("while_loop", while_loop([](auto s) { return sum(s[0]) > 100.0; }, [](auto s) { return s[0] * 2.0; }, {z})), CASE("fori_loop", fori_loop(0, 2, [](Node, auto s) { return s[0]; }, {z})),
    CASE("checkpoint", checkpoint([](auto at) { return exp(at[0]); }, {z})), CASE("custom_vjp", custom_vjp([](auto at) { return exp(at[0]); }, [](auto, auto at, auto bar) { return at[0] * bar[0]; }, {z})),
    CASE("custom_jvp", custom_jvp([](auto at) { return exp(at[0]); }, [](auto, auto at, auto dot) { return at[0] * dot[0]; }, {z})),
    CASE("apply", gradtape::apply(*primitive_table()[9], {z, z, z})), CASE("apply_all", gradtape::apply_all(*primitive_table()[9], std::vector<Node>{z, z, z})), CASE("on", o.parameter.on(z)), CASE("operator()", o.layer(z)),
    CASE("log_loss", nn::log_loss(z, o.x, nn::Labels::zero_one)), CASE("log_loss", nn::log_loss(o.x, z, nn::Labels::zero_one)),
    CASE("log_loss_from_probabilities", nn::log_loss_from_probabilities(z, z, nn::Labels::plus_minus_one)),
    CASE("log_loss_from_probabilities", nn::log_loss_from_probabilities(sigmoid(o.x), z, nn::Labels::plus_minus_one)),
    CASE("cross_entropy", nn::cross_entropy(z, o.x)), CASE("cross_entropy", nn::cross_entropy(o.x, z)), CASE("mean_squared_error", nn::mean_squared_error(z, o.x)),
    CASE("mean_squared_error", nn::mean_squared_error(o.x, z)), CASE("gradient_nodes", nn::gradient_nodes(z, o.parameters)), CASE("gradients", nn::gradients(z, o.parameters)),
    CASE("random_bits", random_bits(z, {3})), CASE("split", split(z, 2)), CASE("fold_in", fold_in(z, 1)), CASE("fold_in", fold_in(o.key, z)),
    CASE("uniform", uniform(z, {3})), CASE("normal", normal(z, {3})), CASE("exponential", exponential(z, {3})), CASE("gumbel", gumbel(z, {3})),
    CASE("bernoulli", bernoulli(z, 0.5, {3})), CASE("bernoulli", bernoulli(o.key, z, {2, 3})), CASE("categorical", categorical(z, o.x)),
    CASE("categorical", categorical(o.key, z)), CASE("permutation", permutation(z, 3)), CASE("dropout", dropout(z, 0.5, o.x)), CASE("dropout", dropout(o.key, 0.5, z)),
    CASE("check_reach", nn::check_reach(z, {})), CASE("updates", nn::updates(z, o.model, [](Node a, Node b) { return a - b; })),
};

const Case of_values[] = {
    CASE("Shape", Shape{1, 2, 3, 4, 5, 6, 7, 8, 9}), CASE("Shape", Shape(std::vector<std::int64_t>(99))), CASE("operator[]", o.pair[2]), CASE("operator[]", o.pair[-1]),
    CASE("operator[]", std::as_const(o.pair)[2]), CASE("back", Shape().back()), CASE("push_back", o.full.push_back(1)), CASE("pop_back", [] { Shape s; s.pop_back(); }()),
    CASE("Tensor", Tensor(UINT64_MAX)), CASE("Tensor", Tensor{{1, 2}, {3}}), CASE("Tensor", Tensor{{{1}}, {{2, 3}}}), CASE("from", Tensor::from({1, 2}, {3})),
    CASE("from", Tensor::from({UINT64_MAX}, {1})), CASE("from", Tensor::from(std::span<const double>(), {1})), CASE("from", Tensor::from<double>({}, o.negative)),
    CASE("full", Tensor::full(o.huge, 1)), CASE("full", Tensor::full({1}, nan, DType::int64)), CASE("full", Tensor::full({1}, 1e300, DType::float32)),
    CASE("full", Tensor::full({1}, 1, DType(9))), CASE("zeros", Tensor::zeros(o.negative)), CASE("zeros", Tensor::zeros({1}, DType(77))),
    CASE("uninitialised", Tensor::uninitialised({DType::float64, o.huge})), CASE("uninitialised", Tensor::uninitialised({DType(4), {1}})),
    CASE("adopt", Tensor::adopt({DType::float64, o.negative}, nullptr, nullptr)), CASE("adopt", Tensor::adopt({DType::float64, {1}}, nullptr, reinterpret_cast<void*>(8))),
    CASE("adopt", Tensor::adopt({DType::float64, {1}}, nullptr, nullptr).item()), CASE("shape", o.t.shape(2)), CASE("shape", o.t.shape(INT64_MIN)),
    CASE("data", o.t.data<float>()), CASE("data", o.moved.data<double>()), CASE("mutable_data", o.t.mutable_data<double>()), CASE("mutable_data", o.moved.mutable_data<double>()),
    CASE("item", o.t.item()), CASE("item", left_of(Tensor(1.0)).item()), CASE("as", o.moved.as(DType::int64)), CASE("as", o.t.as(DType(200))), CASE("copy", o.moved.copy()),
    CASE("same_bits", same_bits(o.t, o.moved)), CASE("same_bits", same_bits(o.moved, o.t)), CASE("to_string", to_string(o.moved)), CASE("as_xtensor", as_xtensor<float>(o.t)),
    CASE("as_xtensor", as_xtensor<double>(o.moved)), CASE("convert", Tensor(xt::xtensor<std::uint64_t, 1>{UINT64_MAX})),
    CASE("Attributes", Attributes(std::vector<Attribute>(5))), CASE("Attributes", Attributes{{nullptr, true}}), CASE("get", o.attributes.get<double>("axis")),
    CASE("get", o.attributes.get<bool>("")), CASE("apply", gradtape::apply(o.nameless, {o.x})), CASE("apply", gradtape::apply(o.shapeless, {o.x})),
    CASE("apply", gradtape::apply(*primitive_table()[9], {})), CASE("apply", gradtape::apply(*primitive_table()[9], {o.x, o.foreign})),
    CASE("refuse", ShapeCall{{}, o.attributes, "mine", Where::here()}.refuse("no")), CASE("refuse_dtype", ShapeCall{{}, o.attributes, "mine", Where::here()}.refuse_dtype("no")),
};

const Case of_tapes[] = {
    CASE("input", o.tape.input(o.moved)), CASE("input", o.moved_tape.input(o.t)), CASE("input", o.tape.input(Type{DType::float64, o.negative})),
    CASE("input", o.abstract.input(Type{DType::float64, o.huge})), CASE("input", o.tape.input(Type{DType(9), {1}})), CASE("input", o.abstract.input(Type{DType(9), {1}})),
    CASE("parameter", o.tape.parameter(o.moved)), CASE("parameter", o.moved_tape.parameter(o.t)), CASE("parameter", o.abstract.parameter(Type{DType::int64, o.negative})),
    CASE("constant", o.tape.constant(o.moved)), CASE("constant", o.moved_tape.constant(o.t)), CASE("full", o.tape.full(o.negative, 1)), CASE("full", o.moved_tape.full({}, 1)),
    CASE("full", o.tape.full({}, nan, DType::boolean)), CASE("full", o.tape.full({}, 1, DType(9))), CASE("full", o.abstract.full(o.huge, 1)), CASE("clear", o.moved_tape.clear()),
    CASE("shape", o.x.shape(2)), CASE("value", o.type_only.value()), CASE("item", sum(o.type_only).item()), CASE("item", o.x.item()), CASE("peek", peek(o.type_only)),
    CASE("sibling_parameter", sibling_parameter(o.x, o.moved)), CASE("sibling_constant", sibling_constant(o.x, o.moved)), CASE("full_like", full_like(o.counts, 0.5)),
    CASE("all_or_nothing", all_or_nothing(o.x, std::function<Node()>())), CASE("to_string", to_string(o.stale)), CASE("to_string", to_string(o.gone)),
    CASE("Program", Program(o.moved_tape, {})), CASE("Program", Program(o.spent)), CASE("Program", Program(o.tape, o.y, Update{o.x, o.x})), CASE("size", o.spent.size()),
    CASE("body", o.spent.body()), CASE("Subprogram", Subprogram(o.spent)), CASE("Subprogram", Subprogram(o.program)), CASE("record_body", record_body({}, {})), CASE("checkpoint", checkpoint({}, {o.x})),
    CASE("scan", scan(std::function<ScanStep(Nodes, Nodes)>(), o.y, o.x)), CASE("scan", scan([](auto c, auto) { return ScanStep{c[0], {}}; }, o.y, o.y)), CASE("scan", scan([](auto c, auto) { return ScanStep{c[0], {}}; }, o.y, {})),
    CASE("cond", cond(o.x, [](auto at) { return at[0]; }, [](auto at) { return at[0]; }, {o.x})), CASE("cond", cond(o.yes, BodyFunction(), [](auto at) { return at[0]; }, {o.x})),
    CASE("while_loop", while_loop([](auto s) { return s[0]; }, [](auto s) { return s[0]; }, {o.x})), CASE("while_loop", while_loop(std::function<Node(Nodes)>(), [](auto s) { return s[0]; }, {o.x})),
    CASE("fori_loop", fori_loop(0, INT64_MAX, [](Node, auto s) { return s[0]; }, {o.x})), CASE("fori_loop", fori_loop(INT64_MIN, INT64_MAX, [](Node, auto s) { return s[0]; }, {o.x})), CASE("fori_loop", fori_loop(0, 1, [](Node, auto s) { return sum(s[0]); }, {o.x})), CASE("custom_vjp", custom_vjp({}, {}, {o.x})),
    CASE("custom_vjp", custom_vjp([](auto at) { return at[0]; }, [](auto, auto, auto bar) { return sum(bar[0]); }, {o.x})), CASE("custom_vjp", custom_vjp([](auto at) { return at[0]; }, [](auto, auto, auto) { return std::vector<Node>(); }, {o.x})),
    CASE("custom_jvp", custom_jvp([](auto at) { return at[0]; }, {}, {o.x})), CASE("custom_jvp", custom_jvp([](auto at) { return at[0] + 1; }, [](auto, auto, auto dot) { return dot[0]; }, {o.counts})),
    CASE("record_body", record_body([](Nodes) { return Node(); }, std::vector{o.y.type()})), CASE("expand", expand(o.body, {})), CASE("call", call(o.body, {})), CASE("call", call(BodyFunction(), {o.x})), CASE("call", call([](auto at) { return at[0]; }, {o.x, o.foreign})), CASE("call", call([&](auto at) { return at[0] * o.x; }, {o.x})), CASE("to_text", to_text(o.spent)), CASE("to_dot", to_dot(o.spent)), CASE("verify", verify(o.spent)), CASE("origins", origins(o.moved_tape)),
    CASE("first_non_finite", first_non_finite(o.moved_tape)), CASE("first_non_finite", first_non_finite(o.abstract)), CASE("Trace", Trace(o.moved_tape)),
    CASE("to_bytes", to_bytes(o.spent)), CASE("from_bytes", from_bytes("")), CASE("from_bytes", from_bytes(to_text(o.program))), CASE("from_bytes", from_bytes(to_bytes(o.program), o.no_primitive)),
    CASE("save", save("", o.program)), CASE("save", save("/", o.program)), CASE("save", save("/no/such/folder/p", o.program)), CASE("save", save(std::string("a\0b", 3), o.program)),
    CASE("save", save("spent", o.spent)), CASE("load", load("")), CASE("load", load("/")), CASE("load", load("/no/such/file")), CASE("load", load(std::string("a\0b", 3))),
    CASE("load", load("/dev/null")), CASE("find_nonfinite", find_nonfinite(o.spent, {}, {})), CASE("find_nonfinite", find_nonfinite(o.program, {}, {})),
    CASE("find_nonfinite", find_nonfinite(Program(o.other, o.foreign), o.left, {})),
    CASE("operator+", o.x + o.moved), CASE("operator*", o.moved * o.x), CASE("operator+=", [&] { Node v = o.x; v += o.moved; }()), CASE("matmul", matmul(o.moved, o.x)),
    CASE("maximum", maximum(o.x, o.foreign)), CASE("power_log", power_log(o.x, o.counts, 1)), CASE("where", where(o.x, o.x, 1)), CASE("clamp", clamp(o.x, nan, 1)), CASE("clamp", clamp(o.x, 1, 0)),
    CASE("Axes", Axes{0, 1, 2, 3, 4, 5, 6, 7, 8}), CASE("cast", cast(o.x, DType(9))), CASE("cast", cast(o.type_only, DType(255))), CASE("sum", sum(o.x, {0, 1, 2, 3, 4, 5, 6, 7, 8})), CASE("sum", sum(o.x, {0, 0})), CASE("mean", mean(o.x, 2)),
    CASE("norm", norm(o.x, INT64_MIN)), CASE("max", max(o.nothing, 0)), CASE("softmax", softmax(o.x, INT64_MAX)), CASE("broadcast_to", broadcast_to(o.x, o.negative)),
    CASE("sum_to", sum_to(o.x, {4})), CASE("reshape", reshape(o.x, o.huge)), CASE("transpose", transpose(o.x, {0, 0})), CASE("slice", slice(o.x, {{0, 1, 0}})),
    CASE("slice", slice(o.x, std::vector<Range>(3))), CASE("concatenate", gradtape::concatenate(Nodes())), CASE("concatenate", concatenate(o.x, o.x, 2)), CASE("stack", gradtape::stack(Nodes())),
    CASE("stack", stack(o.x, o.x, 3)), CASE("pad", pad(o.x, {INT64_MAX, 0}, {1, 0})), CASE("pad", pad(o.counts, {1, 1}, {1, 1}, nan)), CASE("matmul", matmul(o.x, o.x)),
    CASE("tril", tril(o.moved)), CASE("triu", triu(o.counts)), CASE("cholesky", cholesky(o.t)), CASE("lu", lu(o.x)), CASE("eigh", eigh(1)), CASE("qr", qr(o.flags)), CASE("svd", svd(o.moved)),
    CASE("lstsq", lstsq(o.x, o.x)), CASE("lstsq", lstsq(o.x, o.moved)), CASE("solve", solve(o.x, o.foreign)), CASE("solve", solve(o.x, 1)), CASE("solve", solve(o.moved, o.x)), CASE("inv", inv(o.x)),
    CASE("det", det(o.counts)), CASE("slogdet", slogdet(o.t)), CASE("slogdet", slogdet(Lu{o.x, o.x, o.x})), CASE("triangular_solve", triangular_solve(o.x, o.x)),
    CASE("random_bits", random_bits(o.key, o.huge)), CASE("random_bits", random_bits(o.key, {1}, 65)), CASE("random_bits", random_bits(1, {1})),
    CASE("permutation", permutation(o.key, -1)), CASE("split", split(o.key, -1)), CASE("split", split(o.key, INT64_MAX)), CASE("fold_in", fold_in(o.key, nan)), CASE("fold_in", fold_in(o.key, o.moved)), CASE("uniform", uniform(o.key, o.negative)),
    CASE("uniform", uniform(o.key, {1}, DType(9))), CASE("uniform", uniform(o.key, {1}, DType::float32, 0, 1e300)), CASE("normal", normal(o.key, {1}, DType(9))), CASE("bernoulli", bernoulli(o.key, nan, {1})),
    CASE("bernoulli", bernoulli(o.key, o.moved, {1})), CASE("categorical", categorical(o.key, o.moved)), CASE("categorical", categorical(o.key, o.nothing, 0)), CASE("dropout", dropout(o.key, 1, o.x)),
    CASE("dropout", dropout(o.key, 0.5, o.moved)), CASE("dropout", dropout(o.key, 0.5, 1)), CASE("exponential", exponential(o.key, o.negative)), CASE("gumbel", gumbel(o.key, o.huge)),
    CASE("grad", grad(o.x, o.x)), CASE("grad", grad(o.y, Nodes())), CASE("grad", grad(o.y, o.counts)), CASE("grad", grad(o.y, o.foreign)), CASE("vjp", vjp(Nodes(), {}, {})),
    CASE("vjp", vjp(o.y, o.x, o.x)), CASE("jvp", jvp(Nodes(), {}, {})), CASE("jvp", jvp(o.y, o.x, o.y)), CASE("hvp", hvp(o.y, o.x, o.y)), CASE("hvp", hvp(o.x, o.x, o.x)),
    CASE("vmap", vmap(nullptr, {o.x})), CASE("vmap", vmap([](auto at) { return at[0]; }, {})), CASE("vmap", vmap([](auto at) { return at[0]; }, {o.x, o.foreign})),
    CASE("vmap", vmap([](auto at) { return at[0]; }, {o.x}, {{INT_MAX}, 0})), CASE("jacobian", jacobian(nullptr, o.x)), CASE("jacobian", jacobian([](Node at) { return at; }, o.counts)),
    CASE("hessian", hessian(nullptr, o.x)), CASE("hessian", hessian([](Node at) { return at; }, o.x)),
    CASE("value_and_grad", value_and_grad(o.empty, o.ones)), CASE("value_and_grad", value_and_grad(o.null, o.ones)), CASE("value_and_grad", value_and_grad(Things::one, o.left)),
    CASE("value_and_grad", value_and_grad(Things::one, {o.t})), CASE("value_and_grad", value_and_grad([&](Nodes) { return o.x; }, o.ones)),
    CASE("check_gradient", check_gradient(o.empty, o.ones)), CASE("check_gradient", check_gradient(o.null, {o.t})), CASE("check_gradient", check_gradient(Things::one, std::span<const Tensor>())),
    CASE("check_gradient", check_gradient(Things::one, o.narrow)), CASE("check_gradient", check_gradient(Things::one, o.left)), CASE("check_gradient", check_gradient(Things::one, o.ones, {.step = nan})),
    CASE("check_gradient", check_gradient([](Nodes v) { return cast(v[0], DType::int64); }, o.ones)), CASE("check_gradient", check_gradient([&](Nodes) { return o.x; }, o.ones)),
    CASE("check_gradient", check_gradient([](Nodes v) { return sin(v[0]).item() > std::sin(1.0) ? v[0] : v[0] + Tensor{1, 2}; }, o.ones)),
};

const Case of_replays[] = {
    CASE("input_count", o.spent_compiled.input_count()), CASE("parameter_count", o.spent_compiled.parameter_count()), CASE("output_count", o.spent_compiled.output_count()),
    CASE("parameter_number", o.spent_compiled.parameter_number(o.w)), CASE("arena_bytes", o.spent_compiled.arena_bytes()), CASE("peak_bytes", o.spent_compiled.peak_bytes()),
    CASE("explain", o.spent_compiled.explain()), CASE("compile", compile(o.spent)), CASE("compile", compile(o.moved_tape, {})), CASE("compile", compile(o.program, {.threads = 0})),
    CASE("compile", compile(o.tape, o.y, {}, {.threads = SIZE_MAX})), CASE("compile", compile(o.empty)), CASE("compile", compile(o.null)), CASE("Replay", Replay(o.spent_compiled)),
    CASE("set_input", o.replay.set_input(0, o.moved)), CASE("set_input", o.replay.set_input(SIZE_MAX, o.t)), CASE("set_input", o.spent_replay.set_input(0, o.t)),
    CASE("set_input", o.replay.set_input(0, o.narrow[0])), CASE("set_parameter", o.replay.set_parameter(0, o.t)), CASE("set_parameter", o.replay.set_parameter(9, o.t)),
    CASE("set_parameter", o.spent_replay.set_parameter(0, o.t)), CASE("run", o.replay.run()), CASE("run", o.spent_replay.run()), CASE("release", o.spent_replay.release()),
    CASE("output", o.replay.output(0)), CASE("output", o.replay.output(7)), CASE("output", o.spent_replay.output(0)), CASE("parameter", o.replay.parameter(0)),
    CASE("parameter", o.replay.parameter(7)), CASE("parameter", o.spent_replay.parameter(0)), CASE("CompiledFunction", CompiledFunction(nullptr)),
    CASE("operator()", o.spent_function({o.t})), CASE("operator()", o.function({o.moved})), CASE("operator()", (o.function({o.t}), o.function({o.t}), o.function({left_of(o.t)}))),
    CASE("operator()", compile([&](Nodes) { return o.x; })({o.t})), CASE("operator()", compile(Things::one, {.threads = 0})({o.t})),
    CASE("explain", o.spent_function.explain()), CASE("recordings", o.spent_function.recordings()), CASE("warnings", o.spent_function.warnings()),
};

const Case of_nn[] = {
    CASE("check", check(o.uneven)), CASE("check", check(o.undefined)), CASE("check", check(o.empty_inputs)), CASE("check", check(o.empty_labels)), CASE("check", check(nn::Dataset{})),
    CASE("take_rows", nn::take_rows(o.t, std::vector<std::int64_t>{INT64_MIN})), CASE("take_rows", nn::take_rows(o.moved, std::vector<std::int64_t>{0})), CASE("take_rows", nn::take_rows(Tensor(1.0), {})),
    CASE("split", split(o.data, nan, 1)), CASE("split", split(o.data, -1, 1)), CASE("split", split(o.empty_inputs, 0.5, 1)), CASE("split", split(o.empty_labels, 0.5, 1)),
    CASE("Batches", nn::Batches(o.data, {.size = 0})), CASE("Batches", nn::Batches(o.data, {.size = INT64_MIN})), CASE("Batches", nn::Batches(o.empty_labels, {})), CASE("Batches", nn::Batches(o.uneven, {})),
    CASE("start_epoch", nn::Batches(o.data, {.reorder = [](int, std::span<std::int64_t> order) { order[0] = -1; }}).start_epoch()), CASE("below", o.random.below(0)),
    CASE("uniform", nn::uniform(nan, 1)), CASE("uniform", nn::uniform(-1e308, 1e308)), CASE("normal", nn::normal(0, -inf)), CASE("constant", nn::constant(1)({DType::int64, {1}}, o.random)),
    CASE("constant", nn::constant(1)({DType::float64, o.negative}, o.random)), CASE("xavier_uniform", nn::xavier_uniform(nan)({DType::float64, {1, 1}}, o.random)),
    CASE("xavier_normal", nn::xavier_normal(-1)({DType::float64, {1, 1}}, o.random)), CASE("kaiming_uniform", nn::kaiming_uniform()({DType::float64, {1}}, o.random)),
    CASE("kaiming_normal", nn::kaiming_normal()({DType::boolean, {1, 1}}, o.random)), CASE("check_labels", nn::check_labels(o.t, nn::Labels::zero_one)),
    CASE("check_labels", nn::check_labels(o.t, nn::Labels::zero_one, nullptr)), CASE("check_labels", nn::check_labels(o.moved, nn::Labels::real)), CASE("check_labels", nn::check_labels(o.t, nn::Labels::classes)),
    CASE("count_mislabelled", nn::count_mislabelled(o.t, o.moved, nn::Labels::zero_one)), CASE("count_mislabelled", nn::count_mislabelled(o.moved, Tensor{0, 1}, nn::Labels::zero_one)),
    CASE("count_mislabelled", nn::count_mislabelled(left_of(Tensor{{1, 2}}), Tensor::zeros({1}, DType::int64), nn::Labels::classes)),
    CASE("count_mislabelled", nn::count_mislabelled(o.t, o.t, nn::Labels::real)), CASE("count_mislabelled", nn::count_mislabelled(o.t, Tensor{0}, nn::Labels::zero_one)),
    CASE("Dense", nn::Dense(0, 1, o.random)), CASE("Dense", nn::Dense(INT64_MAX, INT64_MAX, o.random, {.weight = nn::constant(1)})), CASE("Dense", nn::Dense(1, 1, o.random, {.weight = nullptr})),
    CASE("Dense", nn::Dense(1, 1, o.random, {.dtype = DType::int64})), CASE("Dense", nn::Dense(INT64_MAX, 1, o.random)), CASE("Dense", nn::Dense(Tensor{1})), CASE("Dense", nn::Dense(o.t, o.t)),
    CASE("operator()", o.no_layer(o.x)), CASE("operator()", o.layer(o.single)), CASE("operator()", nn::Dense(left_of(Tensor{{1, 2, 3}}))(o.x)),
    CASE("set", o.parameter.set(o.t)), CASE("set", o.parameter.set(o.moved.as(DType::float64))), CASE("exchange", o.parameter.exchange(o.t)), CASE("on", o.parameter.on(o.moved_tape)),
    CASE("on", nn::Parameter(o.moved).on(o.tape)), CASE("on", nn::Parameter(o.moved).on(o.x)), CASE("named", [&] { nn::Visitor v(false); o.model.visit(v); (void)v.named(); }()),
    CASE("named_parameters", nn::named_parameters(o.twice)), CASE("gradient_nodes", nn::gradient_nodes(o.y, o.no_parameter)), CASE("gradient_nodes", nn::gradient_nodes(o.x, o.parameters)),
    CASE("gradient_values", nn::gradient_values({}, o.parameters)), CASE("gradient_values", nn::gradient_values({&o.y, 1}, {})), CASE("gradient_values", nn::gradient_values({&o.stale, 1}, o.parameters)),
    CASE("gradient_values", nn::gradient_values({&o.unset, 1}, o.no_parameter)), CASE("gradients", nn::gradients(o.y, o.no_parameter)), CASE("check_reach", nn::check_reach(o.y, {})),
    CASE("check_reach", nn::check_reach(o.y, std::vector<nn::NamedParameter>{{"w", nullptr}})), CASE("updates", nn::updates(o.y, o.model, std::function<Node(Node, Node)>())),
    CASE("updates", nn::updates(o.y, o.model, [](Node a, Node) { return a; })), CASE("updates", nn::updates(o.y, o.twice, [](Node a, Node) { return a; })),
    CASE("ModelReplay", nn::ModelReplay(o.model, o.moved_tape, {})), CASE("ModelReplay", nn::ModelReplay(o.model, o.tape, o.stale)), CASE("ModelReplay", nn::ModelReplay(o.model, o.tape, o.y, Update{o.w, o.w})),
    CASE("run", o.model_replay.run({o.moved})), CASE("run", o.model_replay.run({o.t, o.t, o.t, o.t, o.t, o.t})), CASE("run", (o.model.w = Tensor(1.f), o.model_replay.run())),
    CASE("run", (o.model.w = Tensor{1, 2}, o.model_replay.run({}))), CASE("output", o.model_replay.output(0)), CASE("accuracy", o.evaluation.accuracy()),
    CASE("Trainer", nn::Trainer(o.model, std::function<Node(const Model&, Node, Node)>(), nn::Sgd(1))), CASE("Trainer", nn::Trainer(o.model, o.no_loss, nn::Sgd(1))),
    CASE("step", o.trainer.step({o.moved, o.t})), CASE("step", o.trainer.step({o.t, o.moved})), CASE("step", o.trainer.step({o.t, Tensor{1}})), CASE("step", o.trainer.step({Tensor(), Tensor()})),
    CASE("step", o.trainer.step({Tensor{nan}, Tensor{1}})), CASE("step", o.aimless.step({o.t, o.data.labels})), CASE("step", o.lost.step({o.t, o.data.labels})), CASE("step", o.wide.step({o.t, o.data.labels})),
    CASE("step", o.again(o.trainer, [&](nn::Trainer& t) { t.step({o.t, o.data.labels}); }, [&](nn::Trainer& t) { t.step({o.moved_like_t, o.data.labels}); })),
    CASE("step", o.again(o.trainer, [&](nn::Trainer& t) { t.threads = 0, t.step({o.t, o.data.labels}); }, [&](nn::Trainer& t) { t.step({o.t, o.data.labels}); })),
    CASE("evaluate", o.trainer.evaluate({o.moved, o.t})), CASE("evaluate", o.trainer.evaluate({})), CASE("evaluate", o.lost.evaluate(o.data)), CASE("evaluate", o.trainer.evaluate({Tensor::zeros({9000, 1}), Tensor(1.0)})),
    CASE("evaluate", o.trainer.evaluate({Tensor::zeros({9000, 1}), left_of(Tensor::zeros({9000}))})),
    CASE("fit", o.trainer.fit(o.data, {})), CASE("fit", o.trainer.fit(o.data, {.phases = {{-1, 0.1}}})), CASE("fit", o.trainer.fit(o.data, {.phases = {{1, nan}}})), CASE("fit", o.trainer.fit(o.empty_labels, {.phases = {{}}})),
    CASE("fit", o.trainer.fit(o.data, {.phases = {{}}, .batches = {.size = 0}})), CASE("fit", o.trainer.fit(o.data, {.phases = {{}}, .threads = SIZE_MAX})), CASE("fit", nn::fit(o.model, o.no_loss, o.data, {.phases = {{}}})),
    CASE("fit", o.trainer.fit(o.data, {.phases = {{}}, .batches = {.reorder = [](int, std::span<std::int64_t> order) { order[1] = order[0]; }}})), CASE("set_weights", o.trainer.set_weights({})),
    CASE("set_weights", o.trainer.set_weights(std::vector<Tensor>{o.t})), CASE("step", nn::Sgd(nan).step(o.parameters, o.ones)), CASE("step", nn::Sgd(-1).step(o.parameters, o.ones)),
    CASE("step", nn::Sgd(1).step(o.parameters, {})), CASE("step", nn::Sgd(1).step(o.no_parameter, o.ones)), CASE("step", nn::Sgd(1).step(o.parameters, o.narrow)), CASE("step", nn::Sgd(1).step(o.parameters, o.left)),
    CASE("step", nn::Sgd(1).step(o.parameters, std::vector<Tensor>{left_of(Tensor(1.0))})), CASE("step", nn::Sgd(1).step(o.parameters, std::vector<Tensor>{Tensor(inf)})),
    CASE("forward", by_hand::forward(o.no_network, o.t)), CASE("forward", by_hand::forward(o.spent_network, o.t)), CASE("forward", by_hand::forward(o.flat, Tensor{{1}})), CASE("forward", by_hand::forward(o.network, o.moved)),
    CASE("forward", by_hand::forward({{Tensor{{1}}, Tensor{{1, 2}}}, {{}, {}}}, Tensor{{1}})), CASE("log_loss", by_hand::log_loss(o.network, o.t, o.moved)), CASE("log_loss", by_hand::log_loss(o.network, o.t, Tensor(1.0))),
    CASE("log_loss", by_hand::log_loss(o.network, o.t, Tensor{0, nan})), CASE("gradient", by_hand::gradient(o.network, o.t, left_of(Tensor{0, 1}))), CASE("gradient", by_hand::gradient(o.network, Tensor::zeros({0, 3}), Tensor::zeros({0}))),
    CASE("step", by_hand::step(o.network, {}, 1)), CASE("step", by_hand::step(o.network, {0, {left_of(Tensor{{1, 2, 3}})}}, 1)), CASE("step", by_hand::step(o.spent_network, {0, {o.t}}, nan)),
};
#undef CASE

/// "" where the call throws a gradtape::Error whose message ends with its own line. `free`: it may succeed as well.
std::string kept(const Case& its, Things& o, Node z, bool free = false) {
    try {
        its.call(o, z);
    } catch (const Error& error) {
        const Where where = error.where();
        const std::string text = error.what(), place = " (errors_kinds.cpp:" + std::to_string(its.line) + ")";
        if (error.primitive().empty() || text.rfind("[" + error.primitive() + "] ", 0) != 0) return "names nobody: " + text;
        if (!where.file || where.line != its.line || !text.ends_with(place)) return "blames another line: " + text;
        return "";
    } catch (const std::exception& error) {
        return std::string("another class of error: ") + error.what();
    }
    return free ? "" : "nothing was thrown";
}

TEST_CASE("errors: nodes that cannot be used, in every function that takes one") {
    for (const Case& its : of_a_node) {
        CAPTURE(std::string(its.name));
        CAPTURE(its.line);
        Things o;
        for (Node z : {o.unset, o.stale, o.gone}) CHECK(kept(its, o, z) == "");
        for (Node z : {o.foreign, o.counts, o.single, o.flags, o.nothing, o.type_only}) CHECK(kept(its, o, z, true) == "");
    }
}

TEST_CASE("errors: arguments that cannot be taken, in every function that refuses some") {
    for (std::span<const Case> cases : {std::span<const Case>(of_values), std::span<const Case>(of_tapes), std::span<const Case>(of_replays), std::span<const Case>(of_nn)})
        for (const Case& its : cases) {
            CAPTURE(std::string(its.name));
            CAPTURE(its.line);
            Things o;
            CHECK(kept(its, o, {}) == "");
        }
}

TEST_CASE("errors: a stream, which has no line to blame, prints what cannot be used") {
    Things o;
    std::ostringstream out;
    out << o.moved << ", " << o.unset << ", " << o.stale << ", " << o.gone << ", " << o.t;
    CHECK(out.str() == "float64(2,) moved from, none, %0 : stale, %0 : stale, float64(2, 3) [[1, 2, 3], [4, 5, 6]]");
}

}  // namespace
}  // namespace gradtape::test

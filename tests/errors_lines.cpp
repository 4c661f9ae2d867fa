// Every refusal names the caller's line: those of tensors, shapes, programs, replays, checks, and what nn is given.
#include <gradtape/check.hpp>
#include <gradtape/nn/nn.hpp>
#include <gradtape/nonfinite.hpp>
#include <gradtape/primitive.hpp>
#include <gradtape/serialise.hpp>

#include "support/refusals.hpp"

#include <doctest/doctest.h>

namespace gradtape::test {
namespace {

TEST_CASE("errors: tensors and shapes name the caller's line") {
    const Tensor t{{1, 2}, {3, 4}};
    Tensor shared = t;
    CHECK(refused<ShapeError>([&] { (void)Tensor{{1, 2}, {3}}; }, {"tensor"}) == "");
    CHECK(refused<ShapeError>([&] { (void)Tensor{{{1, 1}, {2, 2}}, {{3, 3}}}; }, {"tensor"}) == "");
    CHECK(refused<ShapeError>([&] { (void)Tensor::from({1, 2}, {3}); }, {"tensor", {{3}}}) == "");
    CHECK(refused<ShapeError>([&] { (void)Tensor::zeros({-1}); }, {"tensor", {{-1}}}) == "");
    CHECK(refused<ShapeError>([&] { (void)Tensor::full({-2}, 1); }, {"tensor", {{-2}}}) == "");
    CHECK(refused<ShapeError>([&] { (void)Tensor::uninitialised({DType::int64, {-3}}); }, {"tensor", {{-3}}}) == "");
    CHECK(refused<DTypeError>([&] { (void)t.data<float>(); }, {"tensor"}) == "");
    CHECK(refused<DTypeError>([&] { (void)shared.mutable_data<float>(); }, {"tensor"}) == "");
    CHECK(refused<ValueError>([&] { (void)shared.mutable_data<double>(); }, {"tensor"}) == "");
    CHECK(refused<ShapeError>([&] { (void)t.item(); }, {"item", {{2, 2}}}) == "");
    CHECK(refused<ShapeError>([&] { (void)Shape{1, 2, 3, 4, 5, 6, 7, 8, 9}; }, {"shape"}) == "");
    Shape full{1, 2, 3, 4, 5, 6, 7, 8};
    CHECK(refused<ShapeError>([&] { full.push_back(9); }, {"shape"}) == "");
    CHECK(refused<ShapeError>([&] { (void)Shape(std::vector<std::int64_t>(9, 1)); }, {"shape"}) == "");
    Tape tape;
    const Node deep = tape.input(Tensor::zeros(full));
    CHECK(refused<ShapeError>([&] { (void)stack(deep, deep); }, {"shape"}) == "");
}

TEST_CASE("errors: nodes and tapes name the caller's line") {
    Tape tape, gone;
    const Node stale = gone.input(Tensor{1, 2});
    gone.clear();
    for (const Node& node : {Node(), stale}) {
        CHECK(refused<TapeError>([&] { (void)node.dtype(); }, {"node"}) == "");
        CHECK(refused<TapeError>([&] { (void)node.shape(); }, {"node"}) == "");
        CHECK(refused<TapeError>([&] { (void)node.shape(0); }, {"shape"}) == "");
        CHECK(refused<TapeError>([&] { (void)node.type(); }, {"node"}) == "");
        CHECK(refused<TapeError>([&] { (void)node.where(); }, {"node"}) == "");
        CHECK(refused<TapeError>([&] { (void)node.value(); }, {"value"}) == "");
        CHECK(refused<TapeError>([&] { (void)node.item(); }, {"item"}) == "");
        CHECK(refused<TapeError>([&] { (void)peek(node); }, {"peek"}) == "");
        CHECK(refused<TapeError>([&] { (void)origin(node); }, {"origin"}) == "");
        CHECK(refused<TapeError>([&] { (void)parameters_reached(node); }, {"parameters_reached"}) == "");
        CHECK(refused<TapeError>([&] { (void)producer_operand(node, "add"); }, {"producer_operand"}) == "");
        CHECK(refused<TapeError>([&] { (void)Program(tape, node); }, {"program"}) == "");
    }
    gradtape::Tape abstract(Recording::abstract);
    const Node nothing = abstract.input(Type{DType::float64, {2}});
    CHECK(refused<TapeError>([&] { (void)nothing.value(); }, {"value"}) == "");
    CHECK(refused<TapeError>([&] { (void)sum(nothing).item(); }, {"value"}) == "");
    CHECK(refused<TapeError>([&] { (void)first_non_finite(abstract); }, {"value"}) == "");
    const gradtape::Tape moved = std::move(abstract);
    CHECK(refused<TapeError>([&] { (void)abstract.input(Tensor(1.0)); }, {"tape"}) == "");
    CHECK(refused<TapeError>([&] { (void)abstract.full({}, 1); }, {"tape"}) == "");
    CHECK(refused<TapeError>([&] { abstract.clear(); }, {"tape"}) == "");
    CHECK(refused<TapeError>([&] { (void)Program(abstract, {}); }, {"tape"}) == "");
    CHECK(refused<TapeError>([&] { (void)first_non_finite(abstract); }, {"tape"}) == "");
}

TEST_CASE("errors: programs, replays and checks name the caller's line") {
    Tape tape;
    const Node x = tape.input(Tensor{1, 2}), w = tape.parameter(Tensor(1.0));
    const Program program(tape, sum(x * w));
    const Compiled compiled = compile(program, {.keep_values = false});
    Replay replay(compiled);
    CHECK(refused<ValueError>([&] { (void)compile(program, {.threads = 0}); }, {"compile"}) == "");
    CHECK(refused<ValueError>([&] { (void)compile(tape, x, {}, {.threads = 257}); }, {"compile"}) == "");
    CHECK(refused<ValueError>([&] { replay.run(); }, {"replay"}) == "");
    CHECK(refused<ValueError>([&] { (void)replay.output(0); }, {"replay"}) == "");
    CHECK(refused<ValueError>([&] { (void)replay.parameter(0); }, {"replay"}) == "");
    CHECK(refused<ShapeError>([&] { replay.set_input(0, Tensor{1, 2, 3}); }, {"replay"}) == "");
    CHECK(refused<DTypeError>([&] { replay.set_parameter(0, Tensor(1.f)); }, {"replay"}) == "");
    CHECK(refused<ValueError>([&] { (void)find_nonfinite(program, {}, {}); }, {"evaluate"}) == "");
    const std::vector<Tensor> narrow{Tensor(1.f)}, one{Tensor(1.0)};
    CHECK(refused<ShapeError>([&] { (void)find_nonfinite(program, one, one); }, {"evaluate"}) == "");
    const auto f = [](auto v) { return sum(v[0]); };
    CHECK(refused<DTypeError>([&] { (void)check_gradient(f, narrow); }, {"check_gradient"}) == "");
    CHECK(refused<ValueError>([&] { (void)check_gradient(f, std::span<const Tensor>()); }, {"check_gradient"}) == "");
    CHECK(refused<ValueError>([&] { (void)check_gradient(f, one, {.order = 3}); }, {"check_gradient"}) == "");
    CHECK(refused<TapeError>([&] { (void)check_gradient([](auto) { return Node(); }, one); }, {"value"}) == "");
    CHECK(refused<TapeError>([&] { (void)value_and_grad([](auto) { return Node(); }, one); }, {"value"}) == "");
    const Attributes attributes{{"axis", std::int64_t(1)}};
    CHECK(refused<ValueError>([&] { (void)attributes.get<double>("axis"); }, {"attributes"}) == "");
    CHECK(refused<ValueError>([&] { (void)attributes.get<double>("axes"); }, {"attributes"}) == "");
    CHECK(refused<ValueError>([&] { (void)Attributes(std::vector<Attribute>(5)); }, {"attributes"}) == "");
}

TEST_CASE("errors: what nn is given names the caller's line") {
    nn::Stream random(1, "r");
    const nn::Initialiser flat = nn::kaiming_normal();
    CHECK(refused<ValueError>([&] { (void)random.below(0); }, {"below"}) == "");
    CHECK(refused<ValueError>([&] { (void)nn::uniform(1, 0); }, {"uniform"}) == "");
    CHECK(refused<ValueError>([&] { (void)nn::normal(0, -1); }, {"normal"}) == "");
    CHECK(refused_anywhere<ShapeError>([&] { (void)flat({DType::float64, {3}}, random); }, {"kaiming_normal"}) == "");
    CHECK(refused<DTypeError>([&] { (void)nn::constant(1)({DType::int64, {3}}, random); }, {"initialise"}) == "");
    struct Twice {
        nn::Parameter w = Tensor(1.0);
        void visit(nn::Visitor& v) { v("a", w), v("b", w); }
    } twice;
    CHECK(refused<ValueError>([&] { (void)nn::named_parameters(twice); }, {"visit"}) == "");
    nn::BatchOptions options;
    options.reorder = [](int, std::span<std::int64_t> order) { order[0] = 7; };
    nn::Batches batches({Tensor{1, 2}, Tensor{1, 2}}, options);
    CHECK(refused<ValueError>([&] { batches.start_epoch(); }, {"batches"}) == "");
}

TEST_CASE("errors: a function that is empty is refused where it is given") {
    const std::function<Node(std::span<const Node>)> one;
    const std::function<std::vector<Node>(std::span<const Node>)> several;
    CHECK(refused<ValueError>([&] { (void)check_gradient(one, {Tensor{1, 2}}); }, {"check_gradient"}) == "");
    CHECK(refused<ValueError>([&] { (void)compile(one); }, {"compile"}) == "");
    CHECK(refused<ValueError>([&] { (void)compile(several); }, {"compile"}) == "");
    CHECK(refused<ValueError>([&] { (void)CompiledFunction(several); }, {"compile"}) == "");
    nn::Dense layer(2, 1, {1, "layer"});
    const std::function<Node(const nn::Dense&, Node, Node)> loss;
    CHECK(refused<ValueError>([&] { (void)nn::Trainer(layer, loss, nn::Sgd(0.1)); }, {"train"}) == "");
    CHECK(refused<ValueError>([&] { (void)nn::Dense(2, 1, {1, "layer"}, {.weight = nullptr}); }, {"dense"}) == "");
}

}  // namespace
}  // namespace gradtape::test

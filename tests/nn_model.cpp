// Parameters, how they are found, and the dense layer.
#include <gradtape/nn/layers.hpp>
#include <gradtape/nn/losses.hpp>
#include <gradtape/program.hpp>
#include <gradtape/transforms.hpp>

#include "support/tensors.hpp"

#include <doctest/doctest.h>

using namespace gradtape;
using gradtape::test::contains;
using gradtape::test::make;
using gradtape::test::values;

namespace {

struct Scale {
    nn::Parameter factor{Tensor(2.0)};
    void visit(nn::Visitor& v) { v("factor", factor); }
};

struct Mixed {
    nn::Dense fc1{2, 3, {1, "fc1"}}, fc2{3, 1, {1, "fc2"}, {.bias = false}};
    std::vector<nn::Dense> layers;
    std::vector<Scale> scales = std::vector<Scale>(2);

    Node operator()(Node x) const { return fc2(tanh(fc1(x))); }
    void visit(nn::Visitor& v) {
        v("fc1", fc1);
        v("fc2", fc2);
        v("layers", layers);
        v("scales", scales);
    }
};

std::vector<std::string> names(auto& model) {
    std::vector<std::string> result;
    for (const auto& p : nn::named_parameters(model)) result.push_back(p.name);
    return result;
}

template <class Error, class Function>
Error caught(Function&& function) {
    try {
        function();
    } catch (const Error& error) {
        return error;
    }
    FAIL("nothing was thrown");
    throw;
}

}  // namespace

TEST_CASE("parameters have PyTorch's names, in visiting order") {
    Mixed net;
    CHECK(names(net) ==
          std::vector<std::string>{"fc1.weight", "fc1.bias", "fc2.weight", "scales.0.factor", "scales.1.factor"});
    CHECK(nn::parameters(net).size() == 5);
    CHECK(nn::parameters(net)[2] == &net.fc2.weight);
}

TEST_CASE("re-assigned and added members are found: nothing is registered") {
    Mixed net;
    net.fc1 = nn::Dense(Tensor{{1, 2}}, Tensor{3});
    for (double w : {1.0, 2.0}) net.layers.push_back(nn::Dense(Tensor::full({1, 1}, w)));
    CHECK(names(net)[3] == "layers.0.weight");
    CHECK(names(net)[4] == "layers.1.weight");
    const auto found = nn::named_parameters(net);
    CHECK(found[0].parameter == &net.fc1.weight);
    CHECK(found[0].parameter->shape() == Shape{1, 2});
    CHECK(found[4].parameter == &net.layers[1].weight);
}

TEST_CASE("what is shown twice is refused") {
    struct Twice {
        nn::Parameter a{Tensor(1.0)}, b{Tensor(1.0)};
        bool same_name = false;
        void visit(nn::Visitor& v) {
            v("a", a);
            same_name ? v("a", b) : v("b", a);
        }
    } twice;
    CHECK_THROWS_WITH_AS(nn::named_parameters(twice), doctest::Contains("'a' and 'b'"), ValueError);
    twice.same_name = true;
    CHECK_THROWS_WITH_AS(nn::named_parameters(twice), doctest::Contains("two parameters"), ValueError);
}

TEST_CASE("a parameter is one leaf per recording, however often it is used") {
    Tape tape;
    const nn::Parameter w(Tensor(3.0));
    const Node first = w.on(tape), second = w.on(tape), third = w.on(first);
    CHECK(first.index() == second.index());
    CHECK(first.index() == third.index());
    CHECK(grad(first * second, first).item() == 6);

    tape.clear();
    CHECK_FALSE(w.leaf(first).is_valid());
    const Node x = tape.input(Tensor(1.0));
    CHECK_FALSE(w.leaf(x).is_valid());
    const Node again = w.on(x);
    CHECK(again.on(tape));
    CHECK(w.leaf(x).index() == again.index());
}

TEST_CASE("a parameter survives the tapes it was used on") {
    // Tapes in a loop are likely to get the same address: a leaf of the last must not pass for one of the next.
    const nn::Parameter w(Tensor(3.0)), v(Tensor(5.0));
    for (int i = 0; i < 20; ++i) {
        Tape tape;
        const Node x = tape.input(Tensor(double(i)));
        if (i % 2) tape.input(Tensor(7.0));
        CHECK((w.on(x) * x + v.on(x)).item() == 3 * i + 5);
        CHECK(tape.size() == std::size_t(i % 2 ? 6 : 5));
    }
}

TEST_CASE("a new value is a new leaf") {
    Tape tape;
    nn::Parameter w(Tensor(3.0));
    const Node old = w.on(tape);
    w.set(Tensor(4.0));
    CHECK(w.on(tape).item() == 4);
    CHECK(old.item() == 3);
    Tensor next(5.0);
    w.exchange(next);
    CHECK(next.item() == 4);
    CHECK(w.on(tape).item() == 5);
    CHECK_THROWS_AS(w.set(Tensor{1, 2}), ShapeError);
    CHECK_THROWS_AS(w.set(Tensor(1.0f)), DTypeError);
    w = nn::Parameter(Tensor{1, 2});
    CHECK(w.on(tape).shape() == Shape{2});
}

TEST_CASE("the copy of a model is another model") {
    Tape tape;
    Scale a;
    const Node leaf = a.factor.on(tape);
    Scale b = a;
    CHECK_FALSE(b.factor.leaf(leaf).is_valid());
    CHECK(b.factor.on(tape).index() != leaf.index());
    b.factor.set(Tensor(7.0));
    CHECK(a.factor.value().item() == 2);
    // A move takes the leaf along: a vector of layers may grow while a tape is recording.
    const Scale c = std::move(a);
    CHECK(c.factor.leaf(leaf).index() == leaf.index());
}

TEST_CASE("dense is x Wᵀ + b") {
    const nn::Dense dense(Tensor{{1, 2}, {3, 4}, {5, 6}}, Tensor{10, 20, 30});
    Tape tape;
    const Node x = tape.input(Tensor{{1, -1}, {2, 0}});
    CHECK(values(dense(x)) == std::vector<double>{9, 19, 29, 12, 26, 40});
    CHECK(dense(x).shape() == Shape{2, 3});
    CHECK(values(dense(tape.input(Tensor{1, -1}))) == std::vector<double>{9, 19, 29});
    CHECK(values(nn::Dense(Tensor{{1, 2}})(x)) == std::vector<double>{-1, 2});
}

TEST_CASE("dense layers start from their own stream, whatever was made before") {
    const nn::Dense a(4, 5, {3, "a"}), b(4, 5, {3, "b"}), again(4, 5, {3, "a"});
    CHECK(same_bits(a.weight.value(), again.weight.value()));
    CHECK_FALSE(same_bits(a.weight.value(), b.weight.value()));
    CHECK(a.weight.shape() == Shape{5, 4});
    CHECK(values(a.bias->value()) == std::vector<double>(5, 0.0));
    const nn::Dense f(4, 5, {3, "a"}, {.bias = false, .weight = nn::uniform(-1, 1), .dtype = DType::float32});
    CHECK_FALSE(f.bias);
    CHECK(f.weight.value().dtype() == DType::float32);
}

TEST_CASE("dense names itself, the shapes and the user's line") {
    const nn::Dense dense(Tensor{{1, 2}, {3, 4}});
    Tape tape;
    const Node x = tape.input(Tensor::zeros({3, 5}));
    const unsigned line = __LINE__ + 1;
    const auto error = caught<ShapeError>([&] { dense(x); });
    CHECK(error.primitive() == "dense");
    CHECK(error.shapes() == std::vector<Shape>{{3, 5}, {2, 2}});
    CHECK(error.where().line == line);
    CHECK(contains(error.what(), "(3, 5)"));
    CHECK_THROWS_AS(dense(tape.input(Tensor::zeros({3, 2}, DType::float32))), DTypeError);
    CHECK_THROWS_AS(dense(tape.input(Tensor(1.0))), ShapeError);
    CHECK_THROWS_AS(nn::Dense(Tensor{1, 2}), ShapeError);
    CHECK_THROWS_AS(nn::Dense(Tensor{{1, 2}}, Tensor{1, 2}), ShapeError);
    CHECK_THROWS_AS(nn::Dense(0, 2, {1, "x"}), ShapeError);
    CHECK_THROWS_AS(nn::Dense()(x), ShapeError);
}

TEST_CASE("the sigmoid has a slope") {
    Tape tape;
    const Node z = tape.input(Tensor{-1, 0, 2});
    CHECK(test::mismatch(nn::sigmoid(z, 2), {0.11920292202211755, 0.5, 0.98201379003790845}, {1e-15}) == "");
    CHECK(test::mismatch(nn::sigmoid(z), {0.2689414213699951, 0.5, 0.8807970779778823}, {1e-15}) == "");
}

TEST_CASE("gradients of a model agree with central differences") {
    Mixed net;
    const Tensor x = make({0.3, -0.2, 1.1, 0.7, -0.5, 0.4}, {3, 2}), y = make({1, -1, 1});
    const auto loss = [&](Tape& tape) {
        return nn::log_loss(net(tape.input(x)), tape.input(y), nn::Labels::plus_minus_one);
    };
    Tape tape;
    const auto parameters = nn::parameters(net);
    const auto g = nn::gradients(loss(tape), parameters);
    REQUIRE(g.size() == 5);
    for (std::size_t p = 0; p < 3; ++p) {
        const std::vector<double> w = values(parameters[p]->value()), dw = values(g[p]);
        for (std::size_t i = 0; i < w.size(); ++i) {
            double at[2];
            for (int side : {0, 1}) {
                auto moved = w;
                moved[i] += side ? 1e-6 : -1e-6;
                parameters[p]->set(make(moved, parameters[p]->shape()));
                Tape other;
                at[side] = loss(other).item();
            }
            parameters[p]->set(make(w, parameters[p]->shape()));
            CHECK(std::abs((at[1] - at[0]) / 2e-6 - dw[i]) < 1e-9);
        }
    }
    CHECK(g[3].item() == 0);  // scales are not used
}

TEST_CASE("a parameter that the loss reaches and visit does not show is an error") {
    struct Forgetful {
        nn::Parameter a{Tensor(1.0)}, b{Tensor{1, 2, 3}};
        void visit(nn::Visitor& v) { v("a", a); }
    } model;
    Tape tape;
    const Node x = tape.input(Tensor{1, 1, 1});
    const unsigned line = __LINE__ + 1;
    const Node loss = sum(square(model.b.on(x) * model.a.on(x)));
    const auto shown = nn::named_parameters(model);
    const auto error = caught<ValueError>([&] { nn::check_reach(loss, shown); });
    CHECK(contains(error.what(), "[multiply]"));
    CHECK(contains(error.what(), "float64(3,)"));
    CHECK(contains(error.what(), "nn_model.cpp:" + std::to_string(line)));
    CHECK(error.shapes() == std::vector<Shape>{{3}});
    // What is recorded but not on the way to the loss is none of its business.
    CHECK(nn::check_reach(square(model.a.on(x)), shown).empty());
}

TEST_CASE("a parameter that is shown and not reached is a warning") {
    Mixed net;
    Tape tape;
    const Node x = tape.input(Tensor{{1, 2}});
    net.scales[1].factor.on(x);  // recorded, and not used
    const auto warnings = nn::check_reach(sum(net(x)), nn::named_parameters(net));
    REQUIRE(warnings.size() == 2);
    CHECK(contains(warnings[0], "'scales.0.factor'"));
    CHECK(contains(warnings[1], "'scales.1.factor'"));
}

TEST_CASE("a visitor without names says so") {
    struct One {
        nn::Parameter w{Tensor(1.0)};
        void visit(nn::Visitor& v) { v("w", w); }
    } one;
    nn::Visitor visitor(false);
    one.visit(visitor);
    CHECK_THROWS_AS(visitor.named(), ValueError);
}

TEST_CASE("what a recording says of itself") {
    Tape tape;
    const Node a = tape.parameter(Tensor(1.0)), b = tape.parameter(Tensor(2.0)), c = tape.parameter(Tensor(3.0));
    const Node k = tape.constant(Tensor(3.0));
    const unsigned line = __LINE__ + 1;
    const Node ab = a * b;
    const Node y = stop_gradient(ab + k) * ab;
    CHECK(std::string(origin(ab).primitive) == "multiply");
    CHECK(origin(ab).where.line == line);
    const auto reached = parameters_reached(y);
    REQUIRE(reached.size() == 2);
    CHECK(reached[0].leaf.index() == a.index());
    CHECK(reached[1].leaf.index() == b.index());
    CHECK(reached[1].user.index() == ab.index());
    CHECK(parameters_reached(c).size() == 1);
    CHECK_FALSE(first_non_finite(tape).is_valid());
    const Node bad = log(y - y);
    CHECK(first_non_finite(tape).index() == bad.index());
}

// What explicit_backprop refuses, and what it says.
#include <gradtape/nn/explicit_backprop.hpp>

#include <doctest/doctest.h>

#include <limits>

namespace eb = gradtape::nn::explicit_backprop;
using gradtape::DType;
using gradtape::Shape;
using gradtape::Tensor;

namespace {

eb::Network good() {
    return {{Tensor{{1, 2, 3}, {4, 5, 6}}, Tensor{{1, -1}}}, {{eb::Function::tanh, 1}, {eb::Function::sigmoid, 2}}};
}
const Tensor X{{1, 2, 1}, {3, 4, 1}};
const Tensor y{0, 1};

/// Runs `action`; checks that it throws exactly E with this line, and that the text holds `part`. Returns the shapes.
template <class E, class Action>
std::vector<Shape> refuses(Action action, const std::string& part, unsigned line = __builtin_LINE()) {
    try {
        action();
    } catch (const E& error) {
        const std::string text = error.what();
        INFO(text);
        CHECK(error.primitive() == "explicit_backprop");
        CHECK(text.find(part) != std::string::npos);
        CHECK(text.find("[explicit_backprop] ") == 0);
        CHECK(text.find("(explicit_errors.cpp:") != std::string::npos);
        CHECK(error.where().line == line);
        return error.shapes();
    } catch (const std::exception& other) {
        FAIL_CHECK("line ", line, ": another error: ", other.what());
        return {};
    }
    FAIL_CHECK("line ", line, ": nothing was thrown");
    return {};
}

}  // namespace

TEST_CASE("explicit: the good network is taken") { CHECK(eb::gradient(good(), X, y).W.size() == 2); }

TEST_CASE("explicit: networks that do not fit together") {
    auto net = good();
    net.W.clear();
    net.a.clear();
    refuses<gradtape::ValueError>([&] { eb::forward(net, X); }, "without weights");

    net = good();
    net.a.pop_back();
    refuses<gradtape::ValueError>([&] { eb::forward(net, X); }, "1 activations for 2 weight matrices");

    net = good();
    net.W[1] = Tensor{{1, 2, 3}};
    const auto shapes = refuses<gradtape::ShapeError>([&] { eb::gradient(net, X, y); }, "W^0 (2, 3), W^1 (1, 3)");
    CHECK(shapes == std::vector<Shape>{{2, 3}, {1, 3}});

    net = good();
    net.W[0] = Tensor{1, 2, 3};
    refuses<gradtape::ShapeError>([&] { eb::forward(net, X); }, "W^0 has shape (3,)");
    net.W[0] = Tensor::zeros({2, 0});
    refuses<gradtape::ShapeError>([&] { eb::forward(net, X); }, "W^0 has shape (2, 0)");

    net = good();
    net.W[1] = net.W[1].as(DType::float32);
    refuses<gradtape::DTypeError>([&] { eb::log_loss(net, X, y); }, "W^1 is float32 and W^0 float64");
    net = good();
    net.W[0] = net.W[0].as(DType::int64);
    refuses<gradtape::DTypeError>([&] { eb::log_loss(net, X, y); }, "W^0 is int64");

    for (const double k : {0.0, -1.0, std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity()}) {
        net = good();
        net.a[1].k = k;
        refuses<gradtape::ValueError>([&] { eb::forward(net, X); }, "layer 2 has slope k = ");
    }
}

TEST_CASE("explicit: inputs that do not fit") {
    const auto net = good();
    auto shapes = refuses<gradtape::ShapeError>([&] { eb::forward(net, Tensor{{1, 2}}); }, "need X of shape (batch, 3)");
    CHECK(shapes == std::vector<Shape>{{1, 2}, {2, 3}});
    refuses<gradtape::ShapeError>([&] { eb::forward(net, Tensor{1, 2, 3}); }, "X (3,)");
    refuses<gradtape::ShapeError>([&] { eb::gradient(net, Tensor::zeros({0, 3}), Tensor::zeros({0})); },
                                  "without samples");
    refuses<gradtape::DTypeError>([&] { eb::gradient(net, X.as(DType::float32), y); }, "X is float32");
}

TEST_CASE("explicit: labels that do not fit") {
    const auto net = good();
    const auto shapes = refuses<gradtape::ShapeError>([&] { eb::gradient(net, X, Tensor{0, 1, 1}); }, "y (3,)");
    CHECK(shapes == std::vector<Shape>{{2, 3}, {3}});
    refuses<gradtape::ShapeError>([&] { eb::gradient(net, X, Tensor{{0, 1}}); }, "y (1, 2)");
    refuses<gradtape::ShapeError>([&] { eb::gradient(net, X, Tensor(1.0)); }, "y ()");

    refuses<gradtape::ValueError>([&] { eb::gradient(net, X, Tensor{1, 0.5}); }, "label 0.5 in row 1; need 0 or 1");
    refuses<gradtape::ValueError>([&] { eb::gradient(net, X, Tensor{-1, 1}); }, "label -1 in row 0; need 0 or 1");
    refuses<gradtape::ValueError>([&] { eb::log_loss(net, X, y, eb::Labels::plus_minus_one); },
                                  "label 0 in row 0; need -1 or 1");
    const Tensor lost{1, std::numeric_limits<double>::quiet_NaN()};
    refuses<gradtape::ValueError>([&] { eb::gradient(net, X, lost); }, "label nan in row 1");
}

TEST_CASE("explicit: outputs that are not one probability") {
    auto net = good();
    net.W[1] = Tensor{{1, 2}, {3, 4}};
    CHECK(eb::forward(net, X).O[2].shape() == Shape{2, 2});
    const auto shapes = refuses<gradtape::ShapeError>([&] { eb::gradient(net, X, y); }, "has 2 rows; need 1");
    CHECK(shapes == std::vector<Shape>{{2, 2}});
    refuses<gradtape::ShapeError>([&] { eb::log_loss(net, X, y); }, "has 2 rows; need 1");
    for (const auto function : {eb::Function::tanh, eb::Function::relu}) {
        net = good();
        net.a[1].function = function;
        refuses<gradtape::ValueError>([&] { eb::gradient(net, X, y); }, "need a sigmoid");
        refuses<gradtape::ValueError>([&] { eb::log_loss(net, X, y); }, "need a sigmoid");
    }
}

TEST_CASE("explicit: gradients that do not fit the network leave it as it was") {
    auto net = good();
    const auto before = net.W;
    auto g = eb::gradient(net, X, y);
    g.W.pop_back();
    refuses<gradtape::ShapeError>([&] { eb::step(net, g, 1); }, "1 matrices for a network of 2");
    g.W.push_back(Tensor{{1, 2, 3}});
    refuses<gradtape::ShapeError>([&] { eb::step(net, g, 1); }, "gradient of W^1 has shape (1, 3); need (1, 2)");
    g.W[1] = Tensor{{1, 2}}.as(DType::float32);
    refuses<gradtape::DTypeError>([&] { eb::step(net, g, 1); }, "gradient of W^1 is float32; need float64");
    for (std::size_t t = 0; t < 2; ++t) CHECK(gradtape::same_bits(net.W[t], before[t]));
}

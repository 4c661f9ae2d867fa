// The tape against libtorch's stored numbers: the post's two published networks, and a float MLP.
//
// How the numbers were made, so that anybody can make them again: a C++ program on Debian 12's libtorch-dev (1.13.1,
// CPU, one thread), compiled with `g++ -std=c++17 -isystem /usr/include/torch/csrc/api/include … -ltorch -ltorch_cpu -lc10`.
// For a published network (double): X = the twelve tabulated points of examples/support/post_data.cpp with a third
// column of ones, labels 1, 0, 1, 0, …,
//     z = matmul(sigmoid(2 matmul(X, W0.t())), W1.t()).flatten();  o = sigmoid(2 z)
//     loss = binary_cross_entropy_with_logits(2 z, y);  loss.backward()   →   W0.grad(), W1.grad()
// For the MLP (float): numbers drawn as doubles by SplitMix64(7), in the order w1 (7, 5), b1, w2 (6, 7), b2, w3 (4, 6),
// b3 from (−0.8, 0.8), x (8, 5) from (−2, 2), each row by row, rounded to float, then eight labels `below(4)`;
//     logits = linear(relu(linear(tanh(linear(x, w1, b1)), w2, b2)), w3, b3);  loss = cross_entropy(logits, labels)
// Doubles were printed with %.17g, floats with %.9g.
#include "support/libtorch_values.hpp"
#include "support/tensors.hpp"

#include "examples/support/post_data.hpp"

#include <doctest/doctest.h>

namespace gradtape::test {
namespace {

namespace lt = libtorch_values;

struct Published {
    std::vector<Tensor> W;
    const std::vector<double>&z, &o, &loss, &W0_bar, &W1_bar;
};

void check(const Published& expected) {
    Tape tape;
    const Node X = tape.input(post::tabulated_points());
    const Node W0 = tape.parameter(expected.W[0]), W1 = tape.parameter(expected.W[1]);
    std::vector<double> labels;
    for (int i = 0; i < 12; ++i) labels.push_back(i % 2 == 0);
    const Node y = tape.input(make(labels));
    const Node z = reshape(matmul(sigmoid(2.0 * matmul(X, W0, {.y = true})), W1, {.y = true}), {12});
    const Node loss = mean(softplus(2.0 * z) - y * (2.0 * z));
    const auto bars = grad(loss, {W0, W1});
    CHECK(mismatch(z, expected.z, {.scale = 1e-15}) == "");
    CHECK(mismatch(sigmoid(2.0 * z), expected.o, {.relative = 2e-14}) == "");
    CHECK(mismatch(loss, expected.loss, {.relative = 1e-14}) == "");
    CHECK(mismatch(bars[0], expected.W0_bar, {.scale = 1e-14}) == "");
    CHECK(mismatch(bars[1], expected.W1_bar, {.scale = 1e-14}) == "");
}

TEST_CASE("tape against libtorch: the post's published networks") {
    check({post::constructed_weights(), lt::constructed_z, lt::constructed_o, lt::constructed_loss, lt::constructed_W0,
           lt::constructed_W1});
    check({post::trained_weights(), lt::trained_z, lt::trained_o, lt::trained_loss, lt::trained_W0, lt::trained_W1});
}

TEST_CASE("tape against libtorch: a float MLP with softmax cross-entropy") {
    Random random(7);
    Tape tape;
    std::vector<Node> w;
    const Shape shapes[] = {{7, 5}, {7}, {6, 7}, {6}, {4, 6}, {4}};
    for (const Shape& shape : shapes) w.push_back(tape.parameter(random.tensor(shape, -0.8, 0.8, DType::float32)));
    const Node x = tape.input(random.tensor({8, 5}, -2, 2, DType::float32));
    std::vector<double> one_hot(8 * 4, 0);
    for (std::size_t i = 0; i < 8; ++i) one_hot[i * 4 + std::size_t(random.below(4))] = 1;
    const Node picked = tape.input(make(one_hot, {8, 4}, DType::boolean));

    const Node h1 = tanh(matmul(x, w[0], {.y = true}) + w[1]);
    const Node h2 = relu(matmul(h1, w[2], {.y = true}) + w[3]);
    const Node logits = matmul(h2, w[4], {.y = true}) + w[5];
    const Node loss = -mean(sum(where(picked, log_softmax(logits), 0.0), 1));

    CHECK(mismatch(logits, lt::mlp_logits, {.scale = 5e-7}) == "");
    CHECK(mismatch(loss, lt::mlp_loss, {.relative = 5e-7}) == "");
    const auto bars = grad(loss, w);
    const std::vector<double>* expected[] = {&lt::mlp_w1, &lt::mlp_b1, &lt::mlp_w2,
                                             &lt::mlp_b2, &lt::mlp_w3, &lt::mlp_b3};
    for (std::size_t i = 0; i < w.size(); ++i) {
        CAPTURE(i);
        CHECK(mismatch(bars[i], *expected[i], {.scale = 1e-6}) == "");
    }
}

}  // namespace
}  // namespace gradtape::test

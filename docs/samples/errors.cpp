// Asks for what cannot be, and prints the errors: class, then message.
#include <gradtape/check.hpp>
#include <gradtape/nn/nn.hpp>
#include <gradtape/primitive.hpp>

#include <cstdio>

namespace gt = gradtape;
namespace nn = gradtape::nn;

namespace {

const char* class_of(const gt::Error& error) {
    if (dynamic_cast<const gt::ShapeError*>(&error)) return "ShapeError";
    if (dynamic_cast<const gt::DTypeError*>(&error)) return "DTypeError";
    if (dynamic_cast<const gt::TapeError*>(&error)) return "TapeError";
    if (dynamic_cast<const gt::NotDifferentiable*>(&error)) return "NotDifferentiable";
    if (dynamic_cast<const gt::ValueError*>(&error)) return "ValueError";
    if (dynamic_cast<const nn::NonFiniteLoss*>(&error)) return "NonFiniteLoss";
    return "Error";
}

template <class Call>
void show(Call call) {
    try {
        call();
        std::puts("no error");
    } catch (const gt::Error& error) {
        std::printf("%s\n    %s\n", class_of(error), error.what());
    }
}

// [mistakes]
void shapes(gt::Node x, gt::Node y) {
    show([&] { matmul(x, y); });
    show([&] { x + y; });
    show([&] { reshape(x, {5, -1}); });
    show([&] { sum(x, 2); });
    show([&] { max(slice(x, {gt::Range{0, 0}}), 0); });
    show([&] { x.item(); });
    show([&] { grad(x, x); });
}

void types_and_values(gt::Tape& tape, gt::Node x) {
    const gt::Node single = cast(x, gt::DType::float32), counts = cast(x, gt::DType::int64);
    show([&] { x * single; });
    show([&] { exp(counts); });
    show([&] { counts + 0.5; });
    show([&] { where(x, x, 0.0); });
    show([&] { clamp(x, 1, 0); });
    show([&] { grad(sum(x), counts); });
    show([&] { const gt::Tensor pair{1, 2}; pair.data<float>(); });
    gt::Tape other;
    show([&] { x + other.constant(gt::Tensor{1, 2}); });
    tape.clear();
    show([&] { exp(x); });
}

struct Model {
    nn::Parameter w = gt::Tensor(1000.0);
    void visit(nn::Visitor& v) { v("w", w); }
};

void training() {
    const gt::Tensor x{{1, 2}, {3, 4}}, y{0, 2};
    show([&] { check(nn::Dataset{x, y, nn::Labels::zero_one}); });
    show([&] { check(nn::Dataset{x, gt::Tensor{1.0}, nn::Labels::zero_one}); });
    show([&] {
        gt::Tape tape;
        nn::Dense(3, 1, {0, "fc"})(tape.input(x));
    });
    show([&] {
        Model model;
        const auto loss = [](const Model& m, gt::Node inputs, gt::Node) { return mean(exp(m.w.on(inputs) * inputs)); };
        nn::Trainer(model, loss, nn::Sgd(0.1)).step({x, y, nn::Labels::real});
    });
}
// [/mistakes]

}  // namespace

int main() {
    gt::Tape tape;
    const gt::Node x = tape.parameter(gt::Tensor::zeros({3, 4})), y = tape.parameter(gt::Tensor::zeros({5, 6}));
    shapes(x, y);
    types_and_values(tape, x);
    training();
}

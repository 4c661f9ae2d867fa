// A primitive with two results: z_0 = sin x and z_1 = cos x, by one kernel.
#include <gradtape/check.hpp>
#include <gradtape/gradtape.hpp>
#include <gradtape/primitive.hpp>

#include <cmath>
#include <cstdio>

namespace gt = gradtape;

// [record]
const gt::Primitive sine_and_cosine_p{
    .name = "sine_and_cosine",
    .arity = 1,
    .shape = [](const gt::ShapeCall& call) { return call[0]; },  // of both results; call.result says of which
    .kernel = [](const gt::KernelCall& call) {
        const auto x = call.input<double>(0);
        const auto sine = call.result<double>(0), cosine = call.result<double>(1);  // empty where nobody wants it
        for (std::size_t i = 0; i < sine.size(); ++i) sine[i] = std::sin(x[i]);
        for (std::size_t i = 0; i < cosine.size(); ++i) cosine[i] = std::cos(x[i]);
    },
    // A cotangent that is zero is a default-made node.
    .vjp = [](const gt::VjpCall& call) {
        const gt::Node sine = call.results[0], cosine = call.results[1];
        gt::Node x_bar = full_like(call.x[0], 0.0);
        if (call.z_bars[0].is_valid()) x_bar += cosine * call.z_bars[0];
        if (call.z_bars[1].is_valid()) x_bar -= sine * call.z_bars[1];
        call.give(0, x_bar);
    },
    .jvp = [](const gt::JvpCall& call) {
        call.give(0, call.results[1] * call.x_dot[0]);
        call.give(1, -call.results[0] * call.x_dot[0]);
    },
    .dtypes = {gt::DType::float64},
    .results = 2,
};

struct SineAndCosine {
    gt::Node sine, cosine;
};
SineAndCosine sine_and_cosine(gt::Node x, gt::Where where = gt::Where::here()) {
    const std::vector<gt::Node> both = gt::apply_all(sine_and_cosine_p, {{x}}, {}, where);
    return {both[0], both[1]};
}
// [/record]

int main() {
    // [use]
    gt::Tape tape;
    const gt::Node x = tape.parameter(gt::Tensor{0.5, 2});
    const auto [sine, cosine] = sine_and_cosine(x);
    std::printf("%s", to_text(gt::Program(tape, {sine, cosine})).c_str());
    std::printf("x_bar %s\n", to_string(grad(sum(sine * cosine), x).value()).c_str());

    const auto f = [](std::span<const gt::Node> at) {
        const auto [s, c] = sine_and_cosine(at[0]);
        return s * exp(c);
    };
    const gt::CheckResult checked = gt::check_gradient(f, {gt::Tensor{0.5, 2}});
    std::printf("%s\n", checked ? "derivatives agree with differences" : checked.report.c_str());
    // [/use]
}

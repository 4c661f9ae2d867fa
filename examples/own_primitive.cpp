// A primitive defined outside the library: softsign, z = x / (1 + |x|), with its own derivative.
#include <gradtape/check.hpp>
#include <gradtape/gradtape.hpp>
#include <gradtape/primitive.hpp>

#include <cmath>
#include <cstdio>

namespace gt = gradtape;

// [record]
// What the library has to know: a shape rule, a kernel, and the rule by which a cotangent goes back.
static const gt::Primitive softsign_p{
    .name = "softsign",
    .arity = 1,
    .shape = [](const gt::ShapeCall& x) { return x[0]; },
    .kernel = [](const gt::KernelCall& call) {
        const auto x = call.input<double>(0);
        const auto z = call.result<double>();
        for (std::size_t i = 0; i < x.size(); ++i) z[i] = x[i] / (1 + std::fabs(x[i]));
    },
    // dz/dx = 1 / (1 + |x|)² = (1 − |z|)². The rule is made of operations that have derivatives themselves, so softsign
    // has derivatives of every order; forward mode takes the same rule, since softsign is elementwise.
    .vjp = [](const gt::VjpCall& call) { call.give(0, call.z_bar * square(1.0 - abs(call.z))); },
    .elementwise = true,
    .dtypes = {gt::DType::float64},
};

gt::Node softsign(gt::Node x, gt::Where where = gt::Where::here()) {
    return gt::apply(softsign_p, {x}, {}, where);
}
// [/record]

int main() {
    // [use]
    gt::Tape tape;
    const gt::Node x = tape.input(gt::Tensor{-3, -0.5, 0.25, 1});
    const gt::Node z = softsign(x);
    std::printf("z    %s\n", to_string(z.value()).c_str());
    std::printf("dz   %s\n", to_string(grad(sum(z), x).value()).c_str());

    // Is the rule right? Compared with central differences, up to the second order.
    const auto checked = gt::check_gradient([](std::span<const gt::Node> v) { return softsign(v[0]); }, {x.value()});
    std::printf("check: %s\n", checked ? "ok" : checked.report.c_str());

    try {
        softsign(tape.input(gt::Tensor(1.0f)));
    } catch (const gt::Error& error) {
        std::printf("%s\n", error.what());
    }
    // [/use]
    return checked ? 0 : 1;
}

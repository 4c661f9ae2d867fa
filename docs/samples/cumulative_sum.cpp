// A primitive that the library does not have: z_i = x_0 + … + x_i along the last axis.
#include <gradtape/check.hpp>
#include <gradtape/gradtape.hpp>
#include <gradtape/primitive.hpp>

#include <cstdio>

namespace gt = gradtape;

// [shape]
gt::Type cumulative_sum_type(const gt::ShapeCall& call) {
    if (call[0].dtype != gt::DType::float64) call.refuse_dtype("takes float64; cast first");
    if (call[0].shape.rank() == 0) call.refuse("needs at least one axis");
    return call[0];
}
// [/shape]

// [kernel]
void cumulative_sum_kernel(const gt::KernelCall& call) {
    const bool reverse = call.attributes.get<bool>("reverse");
    const auto x = call.input<double>(0);
    const auto z = call.result<double>();
    const std::size_t n = std::size_t(call.type.shape.back());
    for (std::size_t row = 0; row < z.size(); row += n) {
        double sum = 0;
        for (std::size_t i = 0; i < n; ++i) {
            const std::size_t at = row + (reverse ? n - 1 - i : i);
            z[at] = sum += x[at];
        }
    }
}
// [/kernel]

// [vjp]
gt::Node cumulative_sum(gt::Node x, bool reverse = false, gt::Where where = gt::Where::here());

// x_i takes part in z_i, z_i+1, …: x̄_i = z̄_i + z̄_i+1 + …, which is the same sum from the other end.
void cumulative_sum_vjp(const gt::VjpCall& call) {
    call.give(0, cumulative_sum(call.z_bar, !call.x.attributes.get<bool>("reverse")));
}
// [/vjp]

// [record]
const gt::Primitive cumulative_sum_p = [] {
    gt::Primitive p;
    p.name = "cumulative_sum";
    p.arity = 1;
    p.shape = cumulative_sum_type;
    p.kernel = cumulative_sum_kernel;
    p.vjp = cumulative_sum_vjp;
    p.linear = true;  // so the jvp needs no rule: ż is the primitive applied to ẋ
    return p;
}();

gt::Node cumulative_sum(gt::Node x, bool reverse, gt::Where where) {
    return apply(cumulative_sum_p, {x}, {{"reverse", reverse}}, where);
}
// [/record]

int main() {
    // [use]
    gt::Tape tape;
    const gt::Node x = tape.parameter(gt::Tensor{1, 2, 3, 4});
    const gt::Node y = sum(square(cumulative_sum(x)));
    std::printf("z     %s\n", to_string(cumulative_sum(x).value()).c_str());
    std::printf("x_bar %s\n", to_string(grad(y, x).value()).c_str());

    const auto f = [](std::span<const gt::Node> at) { return square(cumulative_sum(at[0])); };
    const gt::CheckResult checked = gt::check_gradient(f, {gt::Tensor{1, 2, 3, 4}});
    std::printf("%s\n", checked ? "derivatives agree with differences" : checked.report.c_str());
    // [/use]
    // [refuse]
    try {
        cumulative_sum(tape.constant(gt::Tensor(1.0)));
    } catch (const gt::ShapeError& error) {
        std::printf("%s\n", error.what());
    }
    // [/refuse]
}

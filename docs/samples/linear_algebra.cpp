// The programs of docs/linear_algebra.md.
#include <gradtape/gradtape.hpp>
#include <gradtape/linalg.hpp>

#include <cstdio>

namespace gt = gradtape;

int main() {
    // [likelihood]
    gt::Tape tape;
    const gt::Node a = tape.parameter(gt::Tensor{{4, 2}, {2, 5}}), y = tape.constant(gt::Tensor{1, 3});
    const gt::Node l = cholesky(a), half = triangular_solve(l, y);  // yᵀ a⁻¹ y = |l⁻¹ y|²
    const gt::Node loss = sum(square(half)) + slogdet(a).logabsdet;
    std::printf("loss  %.6f\n", loss.item());
    std::printf("a_bar %s\n", to_string(grad(loss, a).value()).c_str());
    // [/likelihood]

    // [factors]
    const gt::Lu factors = lu(a);
    const gt::Node x = solve(factors, y), d = det(factors);
    std::printf("x     %s\n", to_string(x.value()).c_str());
    std::printf("det   %g\n", d.item());
    // [/factors]

    // [line]
    const gt::Node t = tape.constant(gt::Tensor{0, 1, 2, 3}), heights = tape.parameter(gt::Tensor{1, 3, 2, 5});
    const gt::Node line = lstsq(stack(full_like(t, 1.0), t, 1), heights);  // heights ≈ line[0] + line[1] t
    const gt::Node slope = sum(slice(line, {{1}})), slope_bar = grad(slope, heights);
    std::printf("slope %.4f, by each height", slope.item());
    for (double bar : slope_bar.value().data<double>()) std::printf(" %.4f", bar);
    std::printf("\n");
    // [/line]
}

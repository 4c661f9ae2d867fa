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
}

// Derivatives of derivatives: the Hessian of Rosenbrock's function, row by row, and Newton's method with it.
#include <gradtape/gradtape.hpp>

#include <cstdio>

namespace gt = gradtape;

// f(x, y) = (1 − x)² + 100 (y − x²)²
static gt::Node rosenbrock(gt::Node p) {
    const gt::Node x = slice(p, {{0, 1}}), y = slice(p, {{1, 2}});
    return sum(square(1.0 - x) + 100.0 * square(y - square(x)));
}

int main() {
    double x = -1.2, y = 1;
    gt::Tape tape;
    for (int step = 0; step < 8; ++step) {
        tape.clear();
        const gt::Node p = tape.input(gt::Tensor{x, y});
        const gt::Node f = rosenbrock(p);
        const gt::Node g = grad(f, p);
        // Row i of the Hessian is the gradient of the gradient's element i.
        const gt::Tensor h0 = grad(sum(slice(g, {{0, 1}})), p).value(), h1 = grad(sum(slice(g, {{1, 2}})), p).value();
        std::printf("f(%9.6f, %9.6f) = %.3e\n", x, y, f.item());

        // Newton: solve H d = g for the step d, by Cramer's rule.
        const auto gradient = g.value();
        const double a = h0.data<double>()[0], b = h0.data<double>()[1], c = h1.data<double>()[1];
        const double g0 = gradient.data<double>()[0], g1 = gradient.data<double>()[1], determinant = a * c - b * b;
        x -= (g0 * c - g1 * b) / determinant;
        y -= (g1 * a - g0 * b) / determinant;
    }
}

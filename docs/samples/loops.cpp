// Loops as one instruction: a recurrent cell, a Runge-Kutta integration, branches.
#include <gradtape/gradtape.hpp>

#include <cstdio>

namespace gt = gradtape;
using Nodes = std::span<const gt::Node>;

int main() {
    // [cell]
    gt::Tape tape;
    const gt::Node w = tape.parameter(gt::Tensor{{0.5, -0.25}, {0.75, 0.5}});
    const gt::Node h0 = tape.input(gt::Tensor{0, 0});
    const gt::Node xs = tape.input(gt::Tensor{{1, 0}, {0, 1}, {1, 1}});  // three steps
    const auto cell = [](Nodes carry, Nodes x, Nodes shared) {
        const gt::Node h = tanh(matmul(shared[0], carry[0]) + x[0]);
        return gt::ScanStep{h, sum(h)};  // handed on, and collected
    };
    const gt::Scanned z = gt::scan(cell, h0, xs, {.shared = w});
    std::printf("last %s\nsums %s\n", to_string(z.carry[0].value()).c_str(), to_string(z.rows[0].value()).c_str());
    std::printf("gradient %s\n", to_string(grad(sum(z.rows[0]), w).value()).c_str());
    // [/cell]

    // [counted]
    // A pendulum for one unit of time, in 100 steps of the classical Runge-Kutta method; how its end depends on its beginning.
    const auto field = [](gt::Node s) {  // (angle, speed)
        return gt::concatenate({slice(s, {{1, 2}}), -sin(slice(s, {{0, 1}}))}, 0);
    };
    const auto step = [&](gt::Node, Nodes state) {
        const double dt = 0.01;
        const gt::Node s = state[0], a = field(s), b = field(s + 0.5 * dt * a), c = field(s + 0.5 * dt * b), d = field(s + dt * c);
        return s + dt / 6 * (a + 2.0 * b + 2.0 * c + d);
    };
    const auto flow = [&](gt::Node s) { return gt::fori_loop(0, 100, step, {s})[0]; };
    std::printf("slope %s\n", to_string(jacobian(flow, tape.input(gt::Tensor{1, 0})).value()).c_str());
    // [/counted]

    // [while]
    // The square root by Newton's method, until it is exact enough; a branch for what has none, whose square it gives.
    const auto root = [](Nodes x) {
        return gt::while_loop([](Nodes s, Nodes a) { return abs(s[0] * s[0] - a[0]) > 1e-12 * a[0]; },
                              [](Nodes s, Nodes a) { return 0.5 * (s[0] + a[0] / s[0]); }, {x[0]}, {x[0]});
    };
    const auto none = [](Nodes x) { return square(x[0]); };
    for (double value : {2.0, -2.0}) {
        const gt::Node x = tape.input(gt::Tensor(value));
        const gt::Node y = gt::cond(x > 0.0, root, none, {x})[0];
        std::printf("root of %2.0f: %.9f, slope %.9f\n", value, y.item(), jvp(y, x, full_like(x, 1)).item());
    }
    // [/while]
}

// vmap: a function of one example for a whole batch; Jacobians and Hessians.
#include <gradtape/gradtape.hpp>

#include <cstdio>

namespace gt = gradtape;

int main() {
    // [rows]
    gt::Tape tape;
    const gt::Node rows = tape.input(gt::Tensor{{0, 0}, {3, 4}, {0, 1}});
    const gt::Node centre = tape.parameter(gt::Tensor{0, 1});

    // The distance of one point, and its slope. Of all points, with a centre that they share:
    const auto distance = [](std::span<const gt::Node> x) { return norm(x[0] - x[1]); };
    const auto slope = [](std::span<const gt::Node> x) { return grad(norm(x[0] - x[1]), x[0]); };
    const gt::Node all = gt::vmap(distance, {rows, centre}, {.in = {0, gt::unmapped}})[0];
    const gt::Node slopes = gt::vmap(slope, {rows, centre}, {.in = {0, gt::unmapped}})[0];
    std::printf("%s\n%s\n", to_string(all.value()).c_str(), to_string(slopes.value()).c_str());
    // [/rows]

    // [derivatives]
    const gt::Node x = tape.parameter(gt::Tensor{1, 2});
    const auto f = [](gt::Node at) { return gt::concatenate({square(at), sum(at, 0, true)}, 0); };
    const auto energy = [](gt::Node at) { return sum(square(at) * at) / 6; };
    std::printf("%s\n%s\n", to_string(jacobian(f, x).value()).c_str(), to_string(hessian(energy, x).value()).c_str());
    // [/derivatives]
}

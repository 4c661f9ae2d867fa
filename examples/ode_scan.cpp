// A damped pendulum's parameters, fitted to noisy readings of its angle. A Runge-Kutta integration is one scan, the readings'
// Jacobian comes forwards through it, and a step of Levenberg and Marquardt solves a system of three: one compiled program.
#include "support/options.hpp"
#include "support/plot.hpp"

#include <gradtape/gradtape.hpp>

#include <cmath>
#include <cstdio>
#include <limits>

namespace gt = gradtape;
using Nodes = std::span<const gt::Node>;

namespace {

constexpr std::int64_t steps = 120;
constexpr double dt = 0.05;

/// The piece of x with number k.
gt::Node at(gt::Node x, std::int64_t k) { return slice(x, {{k, k + 1}}); }

// [scan]
/// The angles after each step of a pendulum whose p is (stiffness, damping, first angle): s″ = −stiffness sin s − damping s′.
gt::Node angles(gt::Node p) {
    const auto slope = [](gt::Node s, gt::Node p) {
        return gt::concatenate({at(s, 1), -at(p, 0) * sin(at(s, 0)) - at(p, 1) * at(s, 1)}, 0);
    };
    const auto step = [&](Nodes carry, Nodes, Nodes shared) {
        const gt::Node s = carry[0], p = shared[0];
        const gt::Node a = slope(s, p), b = slope(s + dt / 2 * a, p), c = slope(s + dt / 2 * b, p), d = slope(s + dt * c, p);
        const gt::Node next = s + dt / 6 * (a + 2.0 * b + 2.0 * c + d);
        return gt::ScanStep{next, at(next, 0)};
    };
    const gt::Node start = gt::concatenate({at(p, 2), at(p, 2) * 0.0}, 0);  // at rest
    return reshape(gt::scan(step, start, {}, {.shared = p, .length = steps}).rows[0], {steps});
}
// [/scan]

plot::Curve curve(const std::string& label, const gt::Tensor& values, const char* colour, bool dashed = false) {
    plot::Curve result{.label = label, .x = {}, .y = {}, .colour = colour, .dashed = dashed};
    for (double value : values.data<double>()) {
        result.x.push_back(dt * double(result.x.size() + 1));
        result.y.push_back(value);
    }
    return result;
}

}  // namespace

int main(int argc, char** argv) {
    const auto options = examples::read_options(argc, argv, "Fits a pendulum's parameters through a Runge-Kutta scan. One run: "
        "--runs, --plain and --quick change nothing.");
    const gt::Tensor truth{9.8, 0.35, 1.9}, guess{7.5, 0.05, 1.5};

    gt::Tape tape;
    const gt::Node key = tape.constant(gt::random_key(options.seed));
    const gt::Tensor clean = angles(tape.constant(truth)).value();
    const gt::Node readings = tape.constant(clean) + 0.15 * gt::normal(key, {steps});

    // [fit]
    const gt::Node p = tape.input(guess), damping = tape.input(gt::Tensor(1.0));
    const gt::Node found = angles(p), r = found - readings;
    const gt::Node J = gt::jacobian(angles, p);  // (steps, 3)
    const gt::Node identity = tape.constant(gt::Tensor{{1, 0, 0}, {0, 1, 0}, {0, 0, 1}});
    const gt::Node next = p - gt::solve(matmul(J, J, {.x = true}) + damping * identity, matmul(r, J));
    gt::Replay program(gt::compile(tape, {mean(square(r)), next, found}));
    // [/fit]

    plot::Curve course{.label = "", .x = {}, .y = {}, .colour = plot::blue, .marker = plot::Marker::circle};
    gt::Tensor here = guess, best = guess, first, last;
    double least = std::numeric_limits<double>::infinity(), lambda = 1;
    for (int i = 0; i < 10; ++i) {
        program.set_input(0, here);
        program.set_input(1, gt::Tensor(lambda));
        program.run();
        if (const double error = program.output(0).item(); error <= least) {
            least = error, best = here, here = program.output(1), last = program.output(2), lambda /= 5;
            if (i == 0) first = last;
            course.x.push_back(i + 1);
            course.y.push_back(error);
        } else {
            here = best, lambda *= 25;  // too far: a shorter step from the best
        }
    }
    const auto values = best.data<double>(), right = truth.data<double>();
    std::printf("stiffness %.3f (true %.3f), damping %.3f (%.3f), first angle %.3f (%.3f); mean squared error %.4f\n", values[0],
                right[0], values[1], right[1], values[2], right[2], least);

    plot::Panel swing{.title = "A pendulum's angle", .x_label = "time", .y_label = "angle"};
    const plot::Curve dots = curve("", readings.value(), plot::grey);
    swing.dots.push_back({"readings", dots.x, dots.y, plot::grey, 0.5});
    swing.curves = {curve("first guess", first, plot::amber, true), curve("fitted", last, plot::blue)};
    plot::Panel error{.title = "Mean squared error", .x_label = "step of Levenberg and Marquardt", .y_label = "", .log_y = true};
    error.curves = {course};
    std::printf("  %s\n", plot::draw({{swing, error}}, options.out / "ode_scan").c_str());
    return std::abs(values[0] - right[0]) < 0.5 ? 0 : 1;
}

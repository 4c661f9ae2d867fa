// A model that no layer covers: a network that solves the oscillator u″ = −u, u(0) = 0, u′(0) = 1, though it is shown
// no solution. Its loss holds a second derivative, and training differentiates that once more.
#include "support/options.hpp"
#include "support/plot.hpp"
#include "support/progress.hpp"

#include <gradtape/compile.hpp>
#include <gradtape/gradtape.hpp>
#include <gradtape/nn/init.hpp>

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace gt = gradtape;

int main(int argc, char** argv) {
    const auto options = examples::read_options(argc, argv, "A network that solves u'' = -u from the equation "
        "alone. It is trained once, by replaying: --runs and --plain change nothing.");
    constexpr std::int64_t points = 64, width = 24;
    const double end = 4;
    const int steps = options.quick ? 10000 : 40000;

    gt::Tensor grid = gt::Tensor::zeros({points, 1});
    for (std::size_t i = 0; i < points; ++i) grid.mutable_data<double>()[i] = end * double(i) / (points - 1);
    const auto draw = [&](const char* name, const gt::Shape& shape, double a) {
        gt::nn::Stream random(options.seed, name);
        return gt::nn::uniform(-a, a)({gt::DType::float64, shape}, random);
    };

    gt::Tape tape;
    const gt::Node x = tape.input(grid);
    const gt::Node W0 = tape.parameter(draw("W0", {width, 1}, 1.5));
    const gt::Node b0 = tape.parameter(draw("b0", {width}, 3));
    const gt::Node W1 = tape.parameter(draw("W1", {1, width}, 0.2));

    // u = x + x² N(x)/10 has u(0) = 0 and u′(0) = 1, whatever the network N is.
    const gt::Node u = x + 0.1 * square(x) * matmul(tanh(matmul(x, W0, {.y = true}) + b0), W1, {.y = true});
    const gt::Node du = grad(sum(u), x);      // each u depends on its own x only: the gradient of the sum is u′
    const gt::Node ddu = grad(sum(du), x);    // and once more
    const gt::Node loss = mean(square(ddu + u));

    const gt::Node rate = tape.parameter(gt::Tensor(0.01));
    std::vector<gt::Update> updates;
    for (gt::Node w : {W0, b0, W1}) updates.push_back({w, w - rate * grad(loss, w)});
    gt::Replay step(gt::compile(tape, {loss, u}, updates));  // recorded once, replayed from here on

    examples::Progress progress("custom_model", steps, "steps");
    for (int i = 0; i < steps; ++i) {
        step.run();
        progress.update(i + 1);
    }
    const double seconds = progress.finish();

    plot::Curve exact{"sin x", {}, {}, plot::pale_red, 6, false}, found{"network", {}, {}, plot::blue, 2, true};
    double worst = 0;
    for (std::size_t i = 0; i < std::size_t(points); ++i) {
        const double at = grid.data<double>()[i], value = step.output(1).data<double>()[i];
        exact.x.push_back(at), exact.y.push_back(std::sin(at));
        found.x.push_back(at), found.y.push_back(value);
        worst = std::isnan(value) ? value : std::max(worst, std::fabs(value - std::sin(at)));
    }
    std::printf("%d steps, mean square of u'' + u: %.2g; largest distance from sin x: %.2g; %.1f us a step\n", steps,
                step.output(0).item(), worst, 1e6 * seconds / steps);
    plot::Panel panel{.title = "u″ = −u, learnt from the equation", .x_label = "x", .y_label = "u"};
    panel.curves = {exact, found};
    std::printf("  %s\n", plot::draw({{panel}}, options.out / "custom_model").c_str());
    return worst < 0.05 ? 0 : 1;
}

// How much each sample asks of the weights while the post's second network is trained: the norms of its per-sample gradients,
// by vmap of grad, for the whole training set at once.
#include "support/options.hpp"
#include "support/plot.hpp"
#include "support/post_data.hpp"
#include "support/post_network.hpp"

#include <gradtape/gradtape.hpp>

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace gt = gradtape;

int main(int argc, char** argv) {
    const auto options = examples::read_options(argc, argv, "Per-sample gradient norms along the training of the post's second "
        "network. One run: --runs, --plain and --quick change nothing.");
    const post::Example example = post::bounded();
    post::Run start(options.seed, example.widths, example.data.y.shape()[0]);

    gt::Tape tape;
    const gt::Node X = tape.input(example.data.X), y = tape.input(example.data.y);
    const gt::Node W0 = tape.parameter(start.weights[0]), W1 = tape.parameter(start.weights[1]);

    // [map]
    // One sample's loss: x is (3,), y a number. vmap makes of its gradient those of all 160 samples.
    const auto loss = [&](gt::Node x, gt::Node label, gt::Node w0, gt::Node w1) {
        const gt::Node z = matmul(w1, sigmoid(example.k * matmul(w0, x)));
        return sum(softplus(-label * example.k * z));
    };
    const auto gradient_norm = [&](std::span<const gt::Node> at) -> gt::Node {
        const auto g = grad(loss(at[0], at[1], at[2], at[3]), {at[2], at[3]});
        return gt::sqrt(sum(square(g[0])) + sum(square(g[1])));
    };
    const gt::Node norms = gt::vmap(gradient_norm, {X, y, W0, W1}, {.in = {0, 0, gt::unmapped, gt::unmapped}})[0];
    // [/map]

    const gt::Node mean_loss = mean(softplus(-reshape(y, {-1, 1}) * example.k * post::output_z(X, std::vector{W0, W1}, example.k)));
    const auto g = grad(mean_loss, {W0, W1});
    gt::Replay step(gt::compile(tape, {mean_loss, norms}, {{W0, W0 - 2.0 * g[0]}, {W1, W1 - 2.0 * g[1]}}));

    // Of each step: the median, the ninth decile and the largest of the norms.
    plot::Curve middle{"median", {}, {}, plot::blue}, high{"9th decile", {}, {}, plot::amber}, most{"largest", {}, {}, plot::red};
    std::vector<double> last;
    constexpr int steps = 2000;
    for (int i = 0; i < steps; ++i) {
        step.run();
        const gt::Tensor found = step.output(1);
        last.assign(found.data<double>().begin(), found.data<double>().end());
        std::vector<double> sorted = last;
        std::sort(sorted.begin(), sorted.end());
        for (plot::Curve* curve : {&middle, &high, &most}) curve->x.push_back(i + 1);
        middle.y.push_back(sorted[sorted.size() / 2]);
        high.y.push_back(sorted[sorted.size() * 9 / 10]);
        most.y.push_back(sorted.back());
    }
    std::printf("%d steps, loss %.4f; norms of the samples' gradients at the end: median %.3g, largest %.3g\n", steps,
                step.output(0).item(), middle.y.back(), most.y.back());

    // Who asks most at the end: dots as large as their norms.
    plot::Panel course{.title = "Norms of per-sample gradients", .x_label = "step", .y_label = "norm",
                       .window = plot::Window{1, steps, 5e-4, 60}, .log_x = true, .log_y = true};
    course.curves = {most, high, middle};
    plot::Panel map{.title = "At the end: the larger the dot, the larger the norm", .x_label = "x_1", .y_label = "x_2", .square = true};
    const auto points = example.data.X.data<double>(), labels = example.data.y.data<double>();
    for (std::size_t i = 0; i < last.size(); ++i)
        map.dots.push_back({"", {points[3 * i]}, {points[3 * i + 1]}, labels[i] > 0 ? plot::blue : plot::red,
                            0.3 + 2.5 * last[i] / most.y.back()});
    std::printf("  %s\n", plot::draw({{course, map}}, options.out / "per_sample").c_str());
    return std::isfinite(most.y.back()) ? 0 : 1;
}

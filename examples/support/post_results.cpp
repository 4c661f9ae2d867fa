#include "post_results.hpp"

#include "table.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace post {

using examples::text;
using Json = nlohmann::ordered_json;

bool print_expectations(const std::string& title, const std::vector<Expectation>& list, std::size_t runs) {
    const bool applies = runs == 200;
    bool good = true;
    std::vector<std::vector<std::string>> rows;
    for (const Expectation& e : list) {
        const bool within = e.count >= e.low && e.count <= e.high;
        if (applies) good = good && within;
        rows.push_back({e.what, text("%ld", e.count), text("%.1f%%", 100.0 * double(e.count) / double(runs)),
                        text("%ld to %ld", e.low, e.high), applies ? within ? "yes" : "NO" : "-"});
    }
    examples::print_table(title, {"", "runs", "share", "of 200", "within"}, rows);
    if (!good) std::printf("  The runs are not distributed as they should be: something is wrong.\n");
    return good;
}

void print_trajectories(std::span<const RunResult> runs, const std::vector<int>& epochs) {
    runs = runs.first(std::min<std::size_t>(runs.size(), 3));
    std::vector<std::string> heading{"epoch"};
    for (const RunResult& run : runs) heading.push_back(name(run));
    std::vector<std::vector<std::string>> rows;
    for (int epoch : epochs) {
        rows.push_back({text("%d", epoch)});
        const auto at = std::size_t(epoch);
        for (const RunResult& run : runs) rows.back().push_back(text("%.12f (%d)", run.loss[at], run.mislabelled[at]));
    }
    examples::print_table("Mean log-loss of the training set (and mislabelled points)", heading, rows);
}

bool print_witness(const Witness& witness, double seconds) {
    const bool good = witness.worst() <= 1e-12;   // false for NaN too
    std::printf("\nThe tape's gradient and the one derived by hand, compared at %ld steps: largest relative difference "
                "%.2g\n", witness.compared(), witness.worst());
    if (!good) std::printf("  That is more than rounding: something is wrong.\n");
    std::printf("Training took %.1f s: %.1f µs for each step and its comparison\n", seconds,
                1e6 * seconds / double(witness.compared()));
    return good;
}

namespace {

Json published_outputs(double k) {
    Json report;
    const Tensor points = tabulated_points();
    const auto x = points.data<double>();
    const auto fill = [&](const char* network, const std::vector<Tensor>& W) {
        const std::vector<double> z = output_z(W, points, k);
        for (std::size_t i = 0; i < z.size(); ++i)
            report[network].push_back({{"x1", x[3 * i]}, {"x2", x[3 * i + 1]}, {"z", z[i]},
                                       {"o", 1 / (1 + std::exp(-k * z[i]))}});
    };
    fill("constructed", constructed_weights());
    fill("trained", trained_weights());
    return report;
}

}  // namespace

Json report_section(std::span<const RunResult> runs, const Witness& witness, double seconds, double k) {
    Json section{{"runs", runs.size()},
                 {"first_seed", runs[0].seed},
                 {"first_epoch_all_correct", Json::array()},
                 {"final_mislabelled", Json::array()},
                 {"max_gradient_difference", witness.worst()},
                 {"gradients_compared", witness.compared()},
                 {"seconds", seconds},
                 {"loss_of_first_run", runs[0].loss},
                 {"mislabelled_of_first_run", runs[0].mislabelled},
                 {"outputs_of_published_weights", published_outputs(k)}};
    for (const RunResult& run : runs) {
        const std::optional<int> first = run.first_all_right();
        section["first_epoch_all_correct"].push_back(first ? Json(*first) : Json(nullptr));
        section["final_mislabelled"].push_back(run.mislabelled.back());
    }
    return section;
}

std::string name(const RunResult& run) { return "run " + std::to_string(run.seed); }

std::vector<plot::Dots> dots(const DataSet& data, double size, bool labelled) {
    plot::Dots negative{labelled ? "negative" : "", {}, {}, plot::red, size};
    plot::Dots positive{labelled ? "positive" : "", {}, {}, plot::blue, size};
    const auto x = data.X.data<double>(), y = data.y.data<double>();
    for (std::size_t i = 0; i < y.size(); ++i) {
        plot::Dots& group = y[i] > 0 ? positive : negative;
        group.x.push_back(x[3 * i]);
        group.y.push_back(x[3 * i + 1]);
    }
    return {negative, positive};
}

plot::Panel data_panel(const std::string& title, const DataSet& data) {
    const auto [left, right, bottom, top] = bounds(data);
    const double side = 0.58 * std::max(right - left, top - bottom), x = (left + right) / 2, y = (bottom + top) / 2;
    plot::Panel panel{.title = title, .x_label = "x₁", .y_label = "x₂", .square = true};
    panel.window = plot::Window{x - side, x + side, y - side, y + side};
    panel.dots = dots(data, 1.2, true);
    return panel;
}

plot::Panel region_panel(const std::string& title, std::span<const Tensor> W, double k, const plot::Window& window,
                         const DataSet* data, std::size_t columns) {
    plot::Panel panel{.title = title, .x_label = "x₁", .y_label = "x₂", .square = true};
    panel.field = plot::sample(window, [&](std::span<const double> x, std::span<const double> y) {
        Tensor points = Tensor::uninitialised({gradtape::DType::float64, {std::int64_t(x.size()), 3}});
        const auto rows = points.mutable_data<double>();
        for (std::size_t i = 0; i < x.size(); ++i) rows[3 * i] = x[i], rows[3 * i + 1] = y[i], rows[3 * i + 2] = 1;
        std::vector<double> z = output_z(W, points, k);
        for (double& value : z) value *= k / 2;   // fields are coloured by tanh, and tanh(kz/2) = 2 σ_k(z) − 1
        return z;
    }, columns);
    if (data) panel.dots = dots(*data);
    return panel;
}

plot::Panel loss_panel(std::span<const RunResult> runs) {
    plot::Panel panel{.title = "Mean log-loss of the training set", .x_label = "epoch", .log_y = true};
    const auto add = [&panel](const RunResult& run, const std::string& label, const char* colour, double width) {
        plot::Curve curve{label, {}, run.loss, colour, width, false};
        for (int epoch = 0; epoch <= run.epochs(); ++epoch) curve.x.push_back(epoch);
        panel.curves.push_back(std::move(curve));
    };
    for (std::size_t i = 3; i < std::min<std::size_t>(runs.size(), 60); ++i) add(runs[i], "", "#d3d8de", 0.8);
    const char* colours[] = {plot::blue, plot::red, plot::green};
    for (std::size_t i = 0; i < std::min<std::size_t>(runs.size(), 3); ++i) add(runs[i], name(runs[i]), colours[i], 2);
    return panel;
}

}  // namespace post

// Draws how time and memory grow with the size of the work. tests/perf/run --charts builds and starts it.
#include "examples/support/plot.hpp"
#include "hand.hpp"
#include "measure.hpp"
#include "ours.hpp"
#include "start.hpp"
#include "torch_peer.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <exception>
#include <fstream>
#include <stdexcept>

namespace {

using namespace perf;
namespace fs = std::filesystem;

struct Options {
    fs::path folder;
    bool quick = false;
};

plot::Curve look(std::string label, const char* colour, plot::Marker marker) {
    return {.label = std::move(label), .x = {}, .y = {}, .colour = colour, .marker = marker};
}
plot::Curve bound(std::string label) {
    return {.label = std::move(label), .x = {}, .y = {}, .colour = plot::ink, .dashed = true};
}
const plot::Curve eager = look("gradtape, eager", plot::blue, plot::Marker::circle);
const plot::Curve replayed = look("gradtape, replayed", plot::red, plot::Marker::square);

/// Who is timed at one place of a chart, and how its line looks.
struct Entrant {
    plot::Curve look;
    Contender contender;
};
struct Field {
    std::vector<Entrant> entrants;
    Contender check;          ///< computes the whole where a limit is only part of it; not timed
    double tolerance = 1e-4;  ///< of the largest result, as in the table
};

struct Chart {
    std::string name, unit;
    plot::Panel panel;  ///< log-log; its curves are the measured points

    void add(const plot::Curve& look, double x, double y) {
        auto curve = std::find_if(panel.curves.begin(), panel.curves.end(),
                                  [&](const plot::Curve& known) { return known.label == look.label; });
        if (curve == panel.curves.end()) curve = panel.curves.insert(curve, look);
        curve->x.push_back(x);
        curve->y.push_back(y);
    }
};

Chart chart(std::string name, std::string unit, std::string title, std::string x_label, std::string y_label) {
    plot::Panel panel{.title = std::move(title), .x_label = std::move(x_label), .y_label = std::move(y_label)};
    panel.log_x = panel.log_y = panel.key_left = true;
    return {std::move(name), std::move(unit), std::move(panel)};
}

/// The median of each point over charts with the same points.
Chart middle(const std::vector<Chart>& charts) {
    Chart result = charts.front();
    for (std::size_t c = 0; c < result.panel.curves.size(); ++c)
        for (std::size_t i = 0; i < result.panel.curves[c].y.size(); ++i) {
            std::vector<double> found;
            for (const Chart& chart : charts) found.push_back(chart.panel.curves[c].y[i]);
            result.panel.curves[c].y[i] = median(std::move(found));
        }
    return result;
}

/// Measures all sweeps; libtorch takes part where it has a name.
class Sweeps {
public:
    Sweeps(bool quick, const std::string& torch)
        : quick_(quick), libtorch_(look(torch + ", eager", plot::amber, plot::Marker::triangle)) {}

    std::vector<Chart> run() const {
        const auto steps = [](std::string size, std::string title, std::string x_label) {
            return chart("benchmark_" + size, "us", "Training step, float: " + title, std::move(x_label),
                         "processor time of one step");
        };
        return {
            timed(steps("batch", "MLP 256-256-10", "batch size"), doubled(1, 512),
                  [this](int batch) { return training_step({256, 256, 10}, batch); }),
            timed(steps("width", "MLP w-w-w-10, batch 64", "width w of inputs and hidden layers"), doubled(8, 1024),
                  [this](int width) { return training_step({width, width, width, 10}, 64); }),
            timed(steps("depth", "MLP 64-64-…-64-10, batch 32", "hidden layers"), doubled(1, 32),
                  [this](int depth) { return training_step(deep(depth), 32); }),
            timed(chart("benchmark_length", "us", "Chain of elementwise operations, n = 16, and its gradient",
                        "operations in the chain", "processor time of one evaluation"),
                  thinned({10, 30, 100, 300, 1000, 3000, 10'000, 30'000, 100'000}),
                  [this](int operations) { return chain(operations); }),
            memory(doubled(1, 32))};
    }

private:
    static std::vector<int> deep(int hidden_layers) {
        std::vector<int> widths(std::size_t(hidden_layers) + 1, 64);
        widths.push_back(10);
        return widths;
    }

    std::vector<int> thinned(std::vector<int> places) const {
        std::vector<int> kept;
        for (std::size_t i = 0; i < places.size(); ++i)
            if (!quick_ || (places.size() - 1 - i) % 2 == 0) kept.push_back(places[i]);
        return kept;
    }

    std::vector<int> doubled(int first, int last) const {
        std::vector<int> places;
        for (int place = first; place <= last; place *= 2) places.push_back(place);
        return thinned(std::move(places));
    }

    Field training_step(std::vector<int> widths, int batch) const {
        const MlpProblem p = mlp_problem(std::move(widths), batch);
        const HandMlp hand = hand_mlp(p);
        return {{{libtorch_, torch_mlp(p)}, {eager, ours_mlp(p)}, {replayed, replayed_mlp(p)},
                 {bound("limit: OpenBLAS for the products alone"), hand.products}}, hand.step};
    }

    Field chain(int operations) const {
        const ChainProblem p = chain_problem(operations, 16, false);
        return {{{libtorch_, torch_chain(p)}, {eager, ours_chain(p)}, {replayed, replayed_chain(p).contender},
                 {look("compile(), once", plot::grey, plot::Marker::diamond), compiled_chain(p).contender},
                 {bound("limit: one loop on SIMD registers"), hand_chain_simd(p)}}, hand_chain(p), 1e-3};
    }

    // Several sweeps, far apart in time: a burst of other work on the machine spoils a place in one of them only.
    template <class Make>
    Chart timed(const Chart& chart, const std::vector<int>& places, Make field_at) const {
        std::vector<Chart> sweeps;
        for (int i = 0; i < (quick_ ? 1 : 3); ++i) sweeps.push_back(swept(chart, places, field_at));
        return middle(sweeps);
    }

    // Each field is made anew and gone before the next: what a large one leaves in the heap would slow small ones.
    template <class Make>
    Chart swept(Chart chart, const std::vector<int>& places, Make field_at) const {
        for (int place : places) {
            std::fprintf(stderr, "  %s: %d\n", chart.name.c_str(), place);
            Field field = field_at(place);
            std::erase_if(field.entrants, [](const Entrant& entrant) { return !entrant.contender; });
            std::vector<const Contender*> timed, all{&field.check};
            for (const Entrant& entrant : field.entrants) timed.push_back(&entrant.contender);
            all.insert(all.end(), timed.begin(), timed.end());
            require_agreement(chart.name + " at " + std::to_string(place), all, field.tolerance);
            const std::vector<double> medians = interleaved_medians(timed, quick_ ? 5 : 25, quick_ ? 0.3 : 2);
            for (std::size_t i = 0; i < medians.size(); ++i) chart.add(field.entrants[i].look, place, medians[i]);
        }
        return chart;
    }

    Chart memory(const std::vector<int>& places) const {
        Chart memory = chart("benchmark_memory", "bytes",
                             "Memory of a training step, float: MLP 64-64-…-64-10, batch 32", "hidden layers",
                             "memory for values");
        for (int depth : places) {
            const StepBytes bytes = bytes_of_mlp(mlp_problem(deep(depth), 32));
            memory.add(look("eager: the tape", plot::blue, plot::Marker::circle), depth, bytes.tape);
            memory.add(look("replayed: no buffer used twice", plot::grey, plot::Marker::diamond), depth,
                       bytes.without_reuse);
            memory.add(look("replayed: as planned", plot::red, plot::Marker::square), depth, bytes.planned);
            memory.add(bound("beside them: inputs, parameters, loss"), depth, bytes.bound);
        }
        return memory;
    }

    bool quick_;
    plot::Curve libtorch_;
};

std::string with_unit(double value, const std::string& unit) {
    const std::vector<std::string> names = unit == "us" ? std::vector<std::string>{"ns", "µs", "ms", "s"}
                                                        : std::vector<std::string>{"B", "kB", "MB", "GB"};
    double scaled = unit == "us" ? value * 1e3 : value;
    std::size_t i = 0;
    for (; scaled > 999 && i + 1 < names.size(); ++i) scaled /= 1000;
    char text[40];
    std::snprintf(text, sizeof text, "%.4g ", scaled);
    return text + names[i];
}

std::string grouped(double whole) {
    std::string digits = std::to_string(std::lround(whole));
    for (std::ptrdiff_t i = std::ptrdiff_t(digits.size()) - 3; i > 0; i -= 3) digits.insert(std::size_t(i), ",");
    return digits;
}

/// Decades; where there are few, twice and five times them too.
std::vector<double> round_numbers(double low, double high) {
    const bool few = high / low < 1000;
    std::vector<double> numbers;
    for (double decade = std::pow(10, std::floor(std::log10(low))); decade <= high; decade *= 10)
        for (double factor : few ? std::vector<double>{1, 2, 5} : std::vector<double>{1})
            if (decade * factor >= low && decade * factor <= high) numbers.push_back(decade * factor);
    return numbers;
}

void set_ticks(Chart& chart) {
    plot::Panel& panel = chart.panel;
    const plot::Window range = plot::detail::range_of(panel);
    const std::vector<double>& places = panel.curves.front().x;
    const bool doubled = places.back() < 10'000;  // else the places go by decades
    for (double x : doubled ? places : round_numbers(places.front(), places.back()))
        panel.x_ticks.push_back({x, grouped(x)});
    for (double y : round_numbers(range.bottom, range.top)) panel.y_ticks.push_back({y, with_unit(y, chart.unit)});
}

void write_json(const fs::path& file, const std::vector<Chart>& charts) {
    std::ofstream out(file);
    out.precision(8);
    out << "[";
    for (const Chart& chart : charts) {
        out << (&chart == charts.data() ? "" : ",") << "\n  {\"chart\": \"" << chart.name << "\", \"title\": \""
            << chart.panel.title << "\", \"x\": \"" << chart.panel.x_label << "\", \"y\": \"" << chart.panel.y_label
            << "\", \"unit\": \"" << chart.unit << "\", \"lines\": [";
        for (const plot::Curve& curve : chart.panel.curves) {
            out << (&curve == chart.panel.curves.data() ? "" : ",") << "\n    {\"line\": \"" << curve.label
                << "\", \"points\": [";
            for (std::size_t i = 0; i < curve.x.size(); ++i)
                out << (i > 0 ? ", " : "") << "[" << curve.x[i] << ", " << curve.y[i] << "]";
            out << "]}";
        }
        out << "]}";
    }
    out << "\n]\n";
    out.close();
    if (!out) throw std::runtime_error("cannot write " + file.string());
}

Options read(int count, char** arguments) {
    Options options;
    for (int i = 1; i < count; ++i) {
        const std::string argument = arguments[i];
        if (argument == "--quick") {
            options.quick = true;
        } else if (options.folder.empty() && !argument.starts_with("-")) {
            options.folder = argument;
        } else {
            throw std::runtime_error("unknown argument " + argument);
        }
    }
    if (options.folder.empty()) throw std::runtime_error("where to? usage: charts DIR [--quick]");
    return options;
}

void run(const Options& options) {
    std::vector<Chart> charts = Sweeps(options.quick, start()).run();
    fs::create_directories(options.folder);
    for (Chart& chart : charts) {
        set_ticks(chart);
        const plot::Figure figure{.panels = {chart.panel}, .panel_width = 640, .panel_height = 420};
        std::printf("%s\n", plot::draw_as_svg(figure, options.folder / chart.name).c_str());
    }
    write_json(options.folder / "charts.json", charts);
    std::printf("%s\n", (options.folder / "charts.json").c_str());
}

}  // namespace

int main(int count, char** arguments) try {
    run(read(count, arguments));
} catch (const std::exception& error) {
    std::fprintf(stderr, "charts: %s\n", error.what());
    return 1;
}

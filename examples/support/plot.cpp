// What every way of drawing needs: sampling, contour lines, ranges, and the choice of the way.
#include "plot.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <map>
#include <stdexcept>

namespace plot {

namespace fs = std::filesystem;

Field sample(const Window& window, const Surface& surface, std::size_t columns) {
    const double width = window.right - window.left, height = window.top - window.bottom;
    const std::size_t rows = std::max<std::size_t>(2, std::size_t(std::lround(double(columns) * height / width)));
    std::vector<double> x, y;
    for (std::size_t row = 0; row < rows; ++row)
        for (std::size_t column = 0; column < columns; ++column) {
            x.push_back(window.left + width * double(column) / double(columns - 1));
            y.push_back(window.bottom + height * double(row) / double(rows - 1));
        }
    return {window, columns, rows, surface(x, y)};
}

namespace {

// A crossing lies on an edge of the grid, named by its lower left vertex and direction: pieces of neighbouring
// cells meet on the same edge, and are joined by that name rather than by comparing coordinates.
using Edge = std::size_t;

struct Crossings {
    const Field& field;

    Edge edge(std::size_t row, std::size_t column, bool upward) const {
        return 2 * (row * field.columns + column) + (upward ? 1 : 0);
    }
    std::array<double, 2> place(Edge edge) const {
        const std::size_t vertex = edge / 2, row = vertex / field.columns, column = vertex % field.columns;
        const bool upward = edge % 2 == 1;
        const double here = field.at(row, column), there = field.at(row + upward, column + !upward);
        const double t = here / (here - there);
        const Window& w = field.window;
        return {w.left + (w.right - w.left) * (double(column) + (upward ? 0 : t)) / double(field.columns - 1),
                w.bottom + (w.top - w.bottom) * (double(row) + (upward ? t : 0)) / double(field.rows - 1)};
    }
};

// The pieces of line through one cell: none, one, or two where the corners alternate.
std::vector<std::array<Edge, 2>> pieces(const Crossings& crossings, std::size_t row, std::size_t column) {
    const Field& f = crossings.field;
    const std::array<bool, 4> positive = {f.at(row, column) > 0, f.at(row, column + 1) > 0,
                                          f.at(row + 1, column + 1) > 0, f.at(row + 1, column) > 0};
    const std::array<Edge, 4> sides = {crossings.edge(row, column, false), crossings.edge(row, column + 1, true),
                                       crossings.edge(row + 1, column, false), crossings.edge(row, column, true)};
    std::vector<Edge> crossed;
    for (std::size_t i = 0; i < 4; ++i)
        if (positive[i] != positive[(i + 1) % 4]) crossed.push_back(sides[i]);
    if (crossed.size() < 4) {
        if (crossed.empty()) return {};
        return {{crossed[0], crossed[1]}};
    }
    const double centre = f.at(row, column) + f.at(row, column + 1) + f.at(row + 1, column) + f.at(row + 1, column + 1);
    if ((centre > 0) == positive[0]) return {{sides[0], sides[1]}, {sides[2], sides[3]}};
    return {{sides[3], sides[0]}, {sides[1], sides[2]}};
}

}  // namespace

std::vector<Polyline> zero_lines(const Field& field) {
    const Crossings crossings{field};
    std::multimap<Edge, Edge> next;   // both directions
    for (std::size_t row = 0; row + 1 < field.rows; ++row)
        for (std::size_t column = 0; column + 1 < field.columns; ++column)
            for (auto [a, b] : pieces(crossings, row, column)) {
                next.emplace(a, b);
                next.emplace(b, a);
            }
    const auto follow = [&](Edge from) {
        Polyline line{crossings.place(from)};
        for (auto step = next.find(from); step != next.end(); step = next.find(from)) {
            const Edge to = step->second;
            next.erase(step);
            const auto [first, last] = next.equal_range(to);
            next.erase(std::find_if(first, last, [&](const auto& back) { return back.second == from; }));
            line.push_back(crossings.place(from = to));
        }
        return line;
    };
    std::vector<Edge> ends;   // open lines first, from an end; what is left are loops
    for (auto it = next.begin(); it != next.end(); it = next.upper_bound(it->first))
        if (next.count(it->first) == 1) ends.push_back(it->first);
    std::vector<Polyline> lines;
    for (Edge end : ends)
        if (next.contains(end)) lines.push_back(follow(end));
    while (!next.empty()) lines.push_back(follow(next.begin()->first));
    return lines;
}

namespace detail {

Window range_of(const Panel& panel) {
    if (panel.window) return *panel.window;
    if (panel.field) return panel.field->window;
    constexpr double inf = std::numeric_limits<double>::infinity();
    Window w{inf, -inf, inf, -inf};
    const auto cover = [&](double x, double y) {
        if (!std::isfinite(x) || !std::isfinite(y) || (panel.log_x && x <= 0) || (panel.log_y && y <= 0)) return;
        w = {std::min(w.left, x), std::max(w.right, x), std::min(w.bottom, y), std::max(w.top, y)};
    };
    for (const Bars& bars : panel.bars)
        for (std::size_t i = 0; i < bars.x.size(); ++i) {
            cover(bars.x[i] - 0.75 * bars.width, 0);
            cover(bars.x[i] + 0.75 * bars.width, bars.height[i]);
        }
    for (const Curve& curve : panel.curves)
        for (std::size_t i = 0; i < curve.x.size(); ++i) cover(curve.x[i], curve.y[i]);
    for (const Dots& dots : panel.dots)
        for (std::size_t i = 0; i < dots.x.size(); ++i) cover(dots.x[i], dots.y[i]);
    if (!(w.left <= w.right)) return {panel.log_x ? 0.1 : 0, 1, panel.log_y ? 0.1 : 0, 1};
    if (panel.log_x) w = {w.left / 1.2, w.right * 1.2, w.bottom, w.top};
    if (w.left == w.right) w = {w.left - 0.5, w.right + 0.5, w.bottom, w.top};
    if (panel.log_y) return {w.left, w.right, w.bottom / 1.3, w.top * 1.3};
    const double margin = w.bottom == w.top ? 0.5 : 0.06 * (w.top - w.bottom);
    return {w.left, w.right, panel.bars.empty() ? w.bottom - margin : w.bottom, w.top + margin};
}

std::size_t columns_of(const Figure& figure) {
    return figure.columns ? std::min(figure.columns, figure.panels.size()) : figure.panels.size();
}

}  // namespace detail

namespace {

bool have_gnuplot() {
    static const bool found = std::system("command -v gnuplot >/dev/null 2>&1") == 0;
    if (static bool told = false; !found && !told) {
        std::fprintf(stderr, "gnuplot is not installed: pictures are written as SVG\n");
        told = true;
    }
    return found;
}

// Same folder, so that renaming is atomic; same extension, so that a drawer may look at it.
fs::path temporary(const fs::path& file) {
    return file.parent_path() / ("." + file.stem().string() + ".part" + file.extension().string());
}

using Drawer = void (*)(const Figure&, const fs::path&);

fs::path finished(const Figure& figure, const fs::path& stem, const char* extension, Drawer drawer) {
    if (figure.panels.empty()) throw std::invalid_argument("plot::draw: a figure without panels");
    if (stem.has_parent_path()) fs::create_directories(stem.parent_path());
    const fs::path file = stem.string() + extension, part = temporary(file);
    drawer(figure, part);
    fs::rename(part, file);
    return file;
}

}  // namespace

fs::path draw(const Figure& figure, const fs::path& stem) {
    if (have_gnuplot()) {
        try {
            return finished(figure, stem, ".png", detail::draw_gnuplot);
        } catch (const std::exception& problem) {
            std::fprintf(stderr, "%s: %s; written as SVG instead\n", stem.filename().c_str(), problem.what());
        }
    }
    return draw_as_svg(figure, stem);
}

fs::path draw_as_svg(const Figure& figure, const fs::path& stem) {
    return finished(figure, stem, ".svg", detail::draw_svg);
}

}  // namespace plot

// Drawing as SVG with nothing but the standard library.
#include "plot.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <sstream>
#include <stdexcept>

namespace plot::detail {

namespace {

std::string escaped(const std::string& text) {
    std::string result;
    for (char c : text) result += c == '<' ? "&lt;" : c == '>' ? "&gt;" : c == '&' ? "&amp;" : std::string(1, c);
    return result;
}

std::string number(double value, const char* format = "%.2f") {
    char text[40];
    std::snprintf(text, sizeof text, format, value);
    return text;
}

// About `wanted` round numbers (1, 2 or 5 times a power of ten) between low and high.
std::vector<double> ticks(double low, double high, int wanted = 5) {
    const double raw = (high - low) / wanted, power = std::pow(10.0, std::floor(std::log10(raw)));
    const double ratio = raw / power, step = power * (ratio < 1.5 ? 1 : ratio < 3.5 ? 2 : ratio < 7.5 ? 5 : 10);
    std::vector<double> list;
    for (double i = std::ceil(low / step); i * step <= high * (1 + 1e-12); ++i) list.push_back(i * step + 0.0);   // + 0.0: no "-0"
    return list;
}

std::vector<double> decades(double low, double high) {
    std::vector<double> list;
    for (int e = int(std::ceil(std::log10(low))); std::pow(10.0, e) <= high; ++e) list.push_back(std::pow(10.0, e));
    return list;
}

// The panel's own ticks, or else round numbers of the range.
std::vector<Tick> ticks_of(const std::vector<Tick>& own, bool log, double low, double high) {
    if (!own.empty()) return own;
    std::vector<Tick> list;
    for (double v : log ? decades(low, high) : ticks(low, high)) list.push_back({v, number(v, "%.6g")});
    return list;
}

// The colour of a value in [-1, 1]: linear from pale red by near-white to pale blue, as gnuplot's palette.
std::string colour(double value) {
    const auto channel = [](const char* name, int i) {
        return double(std::stoi(std::string(name + 1 + 2 * i, 2), nullptr, 16));
    };
    char text[8] = "#";
    for (int i = 0; i < 3; ++i) {
        const double middle = channel("#fbfbf8", i), end = channel(value < 0 ? pale_red : pale_blue, i);
        std::snprintf(text + 1 + 2 * i, 3, "%02x", unsigned(std::lround(middle + std::fabs(value) * (end - middle))));
    }
    return text;
}

// One panel's map from its coordinates to the page.
struct Frame {
    Window w;
    double x0, x1, y0, y1;   // on the page; y0 is the bottom
    bool log_x, log_y;

    double x(double v) const { return x0 + part(v, w.left, w.right, log_x) * (x1 - x0); }
    double y(double v) const { return y0 + part(v, w.bottom, w.top, log_y) * (y1 - y0); }
    /// False for what a logarithmic axis cannot show.
    bool shows(double x, double y) const {
        return std::isfinite(x) && std::isfinite(y) && (!log_x || x > 0) && (!log_y || y > 0);
    }

private:
    static double part(double v, double low, double high, bool log) {
        return log ? std::log(v / low) / std::log(high / low) : (v - low) / (high - low);
    }
};

// Room for the y axis's labels: longer where the panel brings its own.
double left_margin(const Panel& panel) {
    std::size_t longest = 0;
    for (const Tick& tick : panel.y_ticks) longest = std::max(longest, tick.label.size());
    return std::max(58.0, 28 + 6.5 * double(longest));
}

Frame frame_of(const Panel& panel, const Figure& figure, std::size_t index) {
    const double left = double(index % columns_of(figure)) * figure.panel_width;
    const double top = double(index / columns_of(figure)) * figure.panel_height;
    Frame f{range_of(panel), left + left_margin(panel), left + figure.panel_width - 18,
            top + figure.panel_height - 46, top + 34, panel.log_x, panel.log_y};
    if (panel.square) {
        const double unit_x = (f.x1 - f.x0) / (f.w.right - f.w.left), unit_y = (f.y0 - f.y1) / (f.w.top - f.w.bottom);
        const double spare_x = std::max(0.0, 1 - unit_y / unit_x) * (f.x1 - f.x0) / 2;
        const double spare_y = std::max(0.0, 1 - unit_x / unit_y) * (f.y0 - f.y1) / 2;
        f.x0 += spare_x, f.x1 -= spare_x, f.y0 -= spare_y, f.y1 += spare_y;
    }
    return f;
}

// Runs of equal colour in a row become one rectangle: some thousand instead of one for each value.
void write_field(std::ostream& out, const Field& field, const Frame& f) {
    constexpr int shades = 16;
    const double dx = (field.window.right - field.window.left) / double(field.columns - 1);
    const double dy = (field.window.top - field.window.bottom) / double(field.rows - 1);
    const auto shade = [&](std::size_t row, std::size_t column) {
        return int(std::lround(shades * std::tanh(field.at(row, column))));
    };
    out << "<g shape-rendering=\"crispEdges\">\n";
    for (std::size_t row = 0; row < field.rows; ++row)
        for (std::size_t begin = 0, end; begin < field.columns; begin = end) {
            const int value = shade(row, begin);
            for (end = begin + 1; end < field.columns && shade(row, end) == value;) ++end;
            const double x = f.x(field.window.left + (double(begin) - 0.5) * dx);
            const double y = f.y(field.window.bottom + (double(row) + 0.5) * dy);
            out << "<rect x=\"" << number(x) << "\" y=\"" << number(y) << "\" width=\""
                << number(f.x(field.window.left + (double(end) - 0.5) * dx) - x) << "\" height=\""
                << number(f.y(field.window.bottom + (double(row) - 0.5) * dy) - y) << "\" fill=\""
                << colour(double(value) / shades) << "\"/>\n";
        }
    out << "</g>\n";
}

std::string stroke_of(const Curve& curve) {
    return "stroke=\"" + curve.colour + "\" stroke-width=\"" + number(curve.width * 0.8) +
           "\" stroke-linejoin=\"round\"" + (curve.dashed ? " stroke-dasharray=\"6 4\"" : "");
}

// A marker around the point (x, y) of the page, with a white rim, so that it stands apart from the lines.
void write_marker(std::ostream& out, const Curve& curve, double x, double y) {
    const std::string place = number(x) + ' ' + number(y);
    if (curve.marker == Marker::none) return;
    if (curve.marker == Marker::circle) {
        out << "<circle cx=\"" << number(x) << "\" cy=\"" << number(y) << "\" r=\"4\"";
    } else {
        const char* outline = curve.marker == Marker::square     ? "m-3.5-3.5h7v7h-7z"
                              : curve.marker == Marker::triangle ? "m0-4.6l4.4 7.6h-8.8z"
                                                                 : "m0-5l5 5-5 5-5-5z";
        out << "<path d=\"M" << place << outline << "\"";
    }
    out << " fill=\"" << curve.colour << "\" stroke=\"#ffffff\" stroke-width=\"0.8\"/>\n";
}

void write_line(std::ostream& out, const Frame& f, const Curve& curve) {
    out << "<polyline fill=\"none\" " << stroke_of(curve) << " points=\"";
    for (std::size_t i = 0; i < curve.x.size(); ++i)
        if (f.shows(curve.x[i], curve.y[i])) out << number(f.x(curve.x[i])) << ',' << number(f.y(curve.y[i])) << ' ';
    out << "\"/>\n";
    for (std::size_t i = 0; i < curve.x.size(); ++i)
        if (f.shows(curve.x[i], curve.y[i])) write_marker(out, curve, f.x(curve.x[i]), f.y(curve.y[i]));
}

void write_contents(std::ostream& out, const Panel& panel, const Frame& f) {
    if (panel.field) {
        write_field(out, *panel.field, f);
        for (const Polyline& line : zero_lines(*panel.field)) {
            Curve curve{.label = "", .x = {}, .y = {}, .colour = ink, .width = 1.8};
            for (auto [x, y] : line) curve.x.push_back(x), curve.y.push_back(y);
            write_line(out, f, curve);
        }
    }
    for (const Bars& bars : panel.bars)
        for (std::size_t i = 0; i < bars.x.size(); ++i) {
            const double left = f.x(bars.x[i] - bars.width / 2), right = f.x(bars.x[i] + bars.width / 2);
            const double top = f.y(bars.height[i]), bottom = f.y(f.log_y ? f.w.bottom : 0);
            out << "<rect x=\"" << number(left) << "\" y=\"" << number(top) << "\" width=\"" << number(right - left)
                << "\" height=\"" << number(bottom - top) << "\" fill=\"" << bars.colour << "\"/>\n";
        }
    for (const Curve& curve : panel.curves) write_line(out, f, curve);
    for (const Dots& dots : panel.dots)
        for (std::size_t i = 0; i < dots.x.size(); ++i)
            out << "<circle cx=\"" << number(f.x(dots.x[i])) << "\" cy=\"" << number(f.y(dots.y[i])) << "\" r=\""
                << number(2.6 * dots.size) << "\" fill=\"" << dots.colour
                << "\" stroke=\"#ffffff\" stroke-width=\"0.7\"/>\n";
}

void write_text(std::ostream& out, double x, double y, const std::string& text, const std::string& style) {
    if (!text.empty())
        out << "<text x=\"" << number(x) << "\" y=\"" << number(y) << "\" " << style << ">" << escaped(text)
            << "</text>\n";
}

void write_axes(std::ostream& out, const Panel& panel, const Frame& f) {
    const auto line = [&](double x0, double y0, double x1, double y1, const char* stroke) {
        out << "<path d=\"M" << number(x0) << ' ' << number(y0) << 'L' << number(x1) << ' ' << number(y1)
            << "\" stroke=\"" << stroke << "\" stroke-width=\"0.8\"/>\n";
    };
    for (const auto& [v, label] : ticks_of(panel.x_ticks, f.log_x, f.w.left, f.w.right)) {
        if (!panel.field) line(f.x(v), f.y0, f.x(v), f.y1, "#e3e6ea");
        write_text(out, f.x(v), f.y0 + 15, label, "text-anchor=\"middle\"");
    }
    for (const auto& [v, label] : ticks_of(panel.y_ticks, f.log_y, f.w.bottom, f.w.top)) {
        if (!panel.field) line(f.x0, f.y(v), f.x1, f.y(v), "#e3e6ea");
        write_text(out, f.x0 - 6, f.y(v) + 3.5, label, "text-anchor=\"end\"");
    }
    line(f.x0, f.y0, f.x1, f.y0, "#8a929c");
    line(f.x0, f.y0, f.x0, f.y1, "#8a929c");
    const double middle = (f.x0 + f.x1) / 2;
    write_text(out, middle, f.y1 - 11, panel.title, "text-anchor=\"middle\" font-size=\"13\"");
    write_text(out, middle, f.y0 + 32, panel.x_label, "text-anchor=\"middle\"");
    if (!panel.y_label.empty())
        out << "<text transform=\"translate(" << number(f.x0 - left_margin(panel) + 16) << ' '
            << number((f.y0 + f.y1) / 2) << ") rotate(-90)\" text-anchor=\"middle\">" << escaped(panel.y_label)
            << "</text>\n";
}

void write_key(std::ostream& out, const Panel& panel, const Frame& f) {
    const double inward = panel.key_left ? 1 : -1, corner = panel.key_left ? f.x0 + 4 : f.x1 - 4;
    double y = f.y1 + 14;
    // One entry: `draw` fills `width` from the corner inward, at the height `y`; its label follows.
    const auto entry = [&](const std::string& label, double width, auto&& draw) {
        if (label.empty()) return;
        draw(std::min(corner, corner + inward * width));
        const std::string anchor = panel.key_left ? "start" : "end";
        write_text(out, corner + inward * (width + 5), y, label,
                   "text-anchor=\"" + anchor + "\" paint-order=\"stroke\" stroke=\"#ffffff\" stroke-width=\"3\" "
                   "stroke-opacity=\"0.85\"");
        y += 15;
    };
    const auto patch = [&](const auto& item) {
        entry(item.label, 10, [&](double left) {
            out << "<rect x=\"" << number(left) << "\" y=\"" << number(y - 7)
                << "\" width=\"10\" height=\"8\" fill=\"" << item.colour << "\"/>\n";
        });
    };
    for (const Bars& bars : panel.bars) patch(bars);
    for (const Curve& curve : panel.curves)
        entry(curve.label, 30, [&](double left) {
            out << "<path d=\"M" << number(left) << ' ' << number(y - 3.5) << "h30\" " << stroke_of(curve) << "/>\n";
            write_marker(out, curve, left + 15, y - 3.5);
        });
    for (const Dots& dots : panel.dots) patch(dots);
}

}  // namespace

void draw_svg(const Figure& figure, const std::filesystem::path& file) {
    const std::size_t columns = columns_of(figure), rows = (figure.panels.size() + columns - 1) / columns;
    const std::size_t width = columns * std::size_t(figure.panel_width);
    const std::size_t height = rows * std::size_t(figure.panel_height);
    std::ostringstream out;
    out << "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"" << width << "\" height=\"" << height
        << "\" viewBox=\"0 0 " << width << ' ' << height
        << "\" font-family=\"DejaVu Sans, Verdana, sans-serif\" font-size=\"10.5\" fill=\"" << ink << "\">\n"
        << "<rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n";
    for (std::size_t i = 0; i < figure.panels.size(); ++i) {
        const Panel& panel = figure.panels[i];
        const Frame f = frame_of(panel, figure, i);
        out << "<clipPath id=\"frame" << i << "\"><rect x=\"" << number(f.x0) << "\" y=\"" << number(f.y1)
            << "\" width=\"" << number(f.x1 - f.x0) << "\" height=\"" << number(f.y0 - f.y1) << "\"/></clipPath>\n";
        write_axes(out, panel, f);
        out << "<g clip-path=\"url(#frame" << i << ")\">\n";
        write_contents(out, panel, f);
        out << "</g>\n";
        write_key(out, panel, f);
    }
    out << "</svg>\n";
    std::ofstream stream(file, std::ios::binary);
    stream << out.str();
    if (!stream.flush()) throw std::runtime_error("cannot write " + file.string());
}

}  // namespace plot::detail

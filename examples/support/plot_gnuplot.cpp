// Drawing through a pipe to gnuplot.
#include "plot.hpp"

#include <cmath>
#include <csignal>
#include <cstdarg>
#include <cstdio>
#include <stdexcept>

namespace plot::detail {

namespace fs = std::filesystem;

namespace {

// A pipe to gnuplot. A gnuplot that dies early must fail this picture, not kill the program by SIGPIPE.
class Pipe {
public:
    Pipe() : previous_(std::signal(SIGPIPE, SIG_IGN)), stream_(popen("gnuplot -d", "w")) {
        if (!stream_) {
            std::signal(SIGPIPE, previous_);
            throw std::runtime_error("gnuplot does not start");
        }
    }
    ~Pipe() {
        if (stream_) pclose(stream_);
        std::signal(SIGPIPE, previous_);
    }
    Pipe(const Pipe&) = delete;
    Pipe& operator=(const Pipe&) = delete;

    [[gnu::format(printf, 2, 3)]] void operator()(const char* format, ...) {
        va_list arguments;
        va_start(arguments, format);
        std::vfprintf(stream_, format, arguments);
        va_end(arguments);
    }
    void finish() {
        const bool written = std::fflush(stream_) == 0;
        const int status = pclose(stream_);
        stream_ = nullptr;
        if (!written || status != 0) throw std::runtime_error("gnuplot failed");
    }

private:
    void (*previous_)(int);
    std::FILE* stream_;
};

// In gnuplot's single quotes only the quote itself is special.
std::string quoted(const std::string& text) {
    std::string result = "'";
    for (char c : text) result += c == '\'' ? "''" : std::string(1, c);
    return result + "'";
}

// Named data blocks, each written once: $field, $zero, and $bars0, $curve0, $dots0 …
void send_data(Pipe& gnuplot, const Panel& panel) {
    if (panel.field) {
        const Field& field = *panel.field;
        gnuplot("$field << EOD\n");
        for (std::size_t row = 0; row < field.rows; ++row) {
            for (std::size_t column = 0; column < field.columns; ++column)
                gnuplot("%.4g ", std::tanh(field.at(row, column)));
            gnuplot("\n");
        }
        gnuplot("EOD\n$zero << EOD\n");
        for (const Polyline& line : zero_lines(field)) {
            for (auto [x, y] : line) gnuplot("%.8g %.8g\n", x, y);
            gnuplot("\n");
        }
        gnuplot("EOD\n");
    }
    const auto block = [&](const char* name, std::size_t i, const auto& x, const auto& y) {
        gnuplot("$%s%zu << EOD\n", name, i);
        for (std::size_t j = 0; j < x.size(); ++j) gnuplot("%.8g %.8g\n", x[j], y[j]);
        gnuplot("EOD\n");
    };
    for (std::size_t i = 0; i < panel.bars.size(); ++i) block("bars", i, panel.bars[i].x, panel.bars[i].height);
    for (std::size_t i = 0; i < panel.curves.size(); ++i) block("curve", i, panel.curves[i].x, panel.curves[i].y);
    for (std::size_t i = 0; i < panel.dots.size(); ++i) block("dots", i, panel.dots[i].x, panel.dots[i].y);
}

std::string titled(const std::string& label) { return label.empty() ? "notitle" : "title " + quoted(label); }

// The panel's own ticks, or gnuplot's choice.
void send_ticks(Pipe& gnuplot, const char* axis, const std::vector<Tick>& own) {
    gnuplot("set %stics scale 0.4 nomirror %s", axis, own.empty() ? "autofreq" : "(");
    for (std::size_t i = 0; i < own.size(); ++i)
        gnuplot("%s%s %.8g", i ? ", " : "", quoted(own[i].label).c_str(), own[i].at);
    gnuplot(own.empty() ? "\n" : ")\n");
}

// The elements of the plot command, back to front.
std::vector<std::string> elements(const Panel& panel) {
    std::vector<std::string> list;
    const auto add = [&list](const char* format, auto... values) {
        char text[400];
        std::snprintf(text, sizeof text, format, values...);
        list.emplace_back(text);
    };
    if (panel.field) {
        const Field& f = *panel.field;
        add("$field matrix using (%.12g+$1*%.12g):(%.12g+$2*%.12g):3 with image notitle", f.window.left,
            (f.window.right - f.window.left) / double(f.columns - 1), f.window.bottom,
            (f.window.top - f.window.bottom) / double(f.rows - 1));
        if (!zero_lines(f).empty()) add("$zero with lines lw 1.6 lc rgb '%s' notitle", ink);
    }
    for (std::size_t i = 0; i < panel.bars.size(); ++i) {
        const Bars& bars = panel.bars[i];
        add("$bars%zu using 1:2:(%.6g) with boxes fs solid 1 noborder lc rgb '%s' %s", i, bars.width,
            bars.colour.c_str(), titled(bars.label).c_str());
    }
    for (std::size_t i = 0; i < panel.curves.size(); ++i) {
        const Curve& curve = panel.curves[i];
        constexpr const char* with[] = {"lines", "linespoints pt 7 ps 0.7", "linespoints pt 5 ps 0.7",
                                        "linespoints pt 9 ps 0.8", "linespoints pt 13 ps 0.8"};
        add("$curve%zu with %s lw %.3g %s lc rgb '%s' %s", i, with[int(curve.marker)], curve.width,
            curve.dashed ? "dt (6,4)" : "", curve.colour.c_str(), titled(curve.label).c_str());
    }
    // Points get a white rim, so that they stand apart on the field and on each other.
    for (std::size_t i = 0; i < panel.dots.size(); ++i) {
        const Dots& dots = panel.dots[i];
        add("$dots%zu with points pt 7 ps %.3g lc rgb '#ffffff' notitle", i, 0.80 * dots.size);
        add("$dots%zu with points pt 7 ps %.3g lc rgb '%s' %s", i, 0.58 * dots.size, dots.colour.c_str(),
            titled(dots.label).c_str());
    }
    return list;
}

void send_panel(Pipe& gnuplot, const Panel& panel) {
    send_data(gnuplot, panel);
    const Window w = range_of(panel);
    gnuplot("set title %s font ',12.5' offset 0,-0.3\n", quoted(panel.title).c_str());
    gnuplot("set xlabel %s offset 0,0.4\nset ylabel %s offset 0.8,0\n", quoted(panel.x_label).c_str(),
            quoted(panel.y_label).c_str());
    gnuplot("set size %s\n", panel.square ? "ratio -1" : "noratio");
    gnuplot("unset logscale\nset format '%%g'\n");
    gnuplot("set key %s\n", panel.key_left ? "left Left reverse" : "right Right noreverse");
    if (panel.log_x) gnuplot("set logscale x\n");
    if (panel.log_y) gnuplot("set logscale y\n");
    gnuplot("set xrange [%.10g:%.10g]\nset yrange [%.10g:%.10g]\n", w.left, w.right, w.bottom, w.top);
    // Grid lines help to read curves, and only disturb a field.
    gnuplot(panel.field ? "unset grid\n" : "set grid back lc rgb '#e3e6ea' lt 1 lw 0.8\n");
    send_ticks(gnuplot, "x", panel.x_ticks);
    send_ticks(gnuplot, "y", panel.y_ticks);
    const std::vector<std::string> list = elements(panel);
    if (list.empty()) {
        gnuplot("plot NaN notitle\n");
        return;
    }
    gnuplot("plot ");
    for (std::size_t i = 0; i < list.size(); ++i) gnuplot("%s%s", i ? ", " : "", list[i].c_str());
    gnuplot("\n");
}

}  // namespace

void draw_gnuplot(const Figure& figure, const fs::path& file) {
    const std::size_t columns = columns_of(figure), rows = (figure.panels.size() + columns - 1) / columns;
    Pipe gnuplot;
    gnuplot("set encoding utf8\nset minussign\n");
    gnuplot("set terminal pngcairo size %zu,%zu font 'DejaVu Sans,10' fontscale 2 linewidth 2 pointscale 2 "
            "background '#ffffff' noenhanced\n",
            2 * columns * std::size_t(figure.panel_width), 2 * rows * std::size_t(figure.panel_height));
    gnuplot("set output %s\n", quoted(file.string()).c_str());
    gnuplot("set palette defined (-1 '%s', 0 '#fbfbf8', 1 '%s')\nset cbrange [-1:1]\nunset colorbox\n", pale_red,
            pale_blue);
    gnuplot("set border 3 lc rgb '#8a929c' lw 0.8\nset tics textcolor rgb '#3f464e' font ',9.5'\n");
    gnuplot("set key top right samplen 1.2 spacing 1.15 textcolor rgb '%s' font ',9.5' opaque fillcolor rgb "
            "'#f7ffffff' noautotitle\n", ink);
    gnuplot("set multiplot layout %zu,%zu margins char 8,3,3.6,2.4 spacing char 9,5.2\n", rows, columns);
    for (const Panel& panel : figure.panels) send_panel(gnuplot, panel);
    gnuplot("unset multiplot\nset output\n");
    gnuplot.finish();
    if (!fs::exists(file) || fs::file_size(file) == 0) throw std::runtime_error("gnuplot wrote no picture");
}

}  // namespace plot::detail

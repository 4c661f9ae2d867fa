// Pictures of the examples and of the benchmarks: panels of coloured fields, points, curves and bars, drawn by gnuplot
// or as SVG.
#pragma once

#include <array>
#include <cstddef>
#include <filesystem>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace plot {

// One palette for all pictures: positive is blue, as in the post.
inline constexpr const char* blue = "#1f5f99";
inline constexpr const char* red = "#c8452c";
inline constexpr const char* grey = "#6b7280";
inline constexpr const char* green = "#3a8f5c";
inline constexpr const char* amber = "#e0a100";
inline constexpr const char* ink = "#22262b";
inline constexpr const char* pale_blue = "#7fb2d9";
inline constexpr const char* pale_red = "#f0a07f";

struct Window {
    double left, right, bottom, top;
};

/// Values on a regular grid, row by row from the bottom left corner of the window to its top right corner.
struct Field {
    Window window;
    std::size_t columns, rows;
    std::vector<double> values;

    double at(std::size_t row, std::size_t column) const { return values[row * columns + column]; }
};

/// A function of many points of the plane at once.
using Surface = std::function<std::vector<double>(std::span<const double> x, std::span<const double> y)>;
Field sample(const Window& window, const Surface& surface, std::size_t columns = 260);

/// Where a field crosses zero: joined pieces of line, by marching squares.
using Polyline = std::vector<std::array<double, 2>>;
std::vector<Polyline> zero_lines(const Field& field);

struct Dots {
    std::string label;
    std::vector<double> x, y;
    std::string colour = ink;
    double size = 1;
};
enum class Marker { none, circle, square, triangle, diamond };
struct Curve {
    std::string label;
    std::vector<double> x, y;
    std::string colour = ink;
    double width = 2;
    bool dashed = false;
    Marker marker = Marker::none;   ///< at each of its points
};
struct Bars {
    std::string label;
    std::vector<double> x, height;   ///< centres of the bars
    double width = 0.9;
    std::string colour = pale_blue;
};

struct Tick {
    double at;
    std::string label;
};

/// One coordinate system and what is in it, drawn in the order of the members. A field is coloured by tanh of its
/// value: from pale red (negative) to pale blue (positive), with a line where it is zero.
struct Panel {
    std::string title{}, x_label{}, y_label{};
    std::optional<Window> window{};   ///< fitted to the contents where absent
    bool square = false;              ///< one unit is as long on both axes
    bool log_x = false, log_y = false;
    std::vector<Tick> x_ticks{}, y_ticks{};   ///< round numbers where empty
    bool key_left = false;            ///< the key in the top left corner, not the top right one
    std::optional<Field> field{};
    std::vector<Bars> bars{};
    std::vector<Curve> curves{};
    std::vector<Dots> dots{};
};

/// Panels in rows of `columns` (0: all in one row).
struct Figure {
    std::vector<Panel> panels;
    std::size_t columns = 0;
    int panel_width = 460, panel_height = 460;   ///< in points of the screen; files hold twice the pixels
};

/// Draws to `stem`.png through gnuplot; where gnuplot is missing or fails, says so in one line and writes `stem`.svg.
/// Written under a temporary name and renamed, so a reader never sees half a picture. Returns the file's name.
std::filesystem::path draw(const Figure& figure, const std::filesystem::path& stem);

/// Draws to `stem`.svg without asking for gnuplot: small, and sharp at any size.
std::filesystem::path draw_as_svg(const Figure& figure, const std::filesystem::path& stem);

namespace detail {
Window range_of(const Panel& panel);
std::size_t columns_of(const Figure& figure);
void draw_gnuplot(const Figure& figure, const std::filesystem::path& file);
void draw_svg(const Figure& figure, const std::filesystem::path& file);
}  // namespace detail

}  // namespace plot

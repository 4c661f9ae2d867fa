// One line of the table for each work, and the same as JSON.
#include "report.hpp"

#include <cstdio>
#include <fstream>
#include <stdexcept>

namespace perf {
namespace {

std::string number(std::optional<double> value, const char* absent) {
    if (!value) return absent;
    char text[40];
    std::snprintf(text, sizeof text, *value < 1 ? "%.3f" : *value < 100 ? "%.2f" : "%.0f", *value);
    return text;
}

std::string exact(std::optional<double> value) {
    if (!value) return "null";
    char text[40];
    std::snprintf(text, sizeof text, "%.6g", *value);
    return text;
}

std::string verdict(const Line& line) {
    if (!line.target_ratio) return "";
    const std::string bound = line.against == Against::limit ? "≤ " : "≥ ";
    const char* word = !line.ratio() ? " (not measured)" : line.met() ? " met" : " MISSED";
    return bound + number(line.target_ratio, "") + word;
}

void close(std::ofstream& out, const std::string& path) {
    out.close();
    if (!out) throw std::runtime_error("cannot write " + path);
}

}  // namespace

std::optional<double> Line::ratio() const {
    if (against == Against::limit) return limit_us ? std::optional(ours_us / *limit_us) : std::nullopt;
    return libtorch_us ? std::optional(*libtorch_us / ours_us) : std::nullopt;
}

bool Line::met() const {
    if (!ratio() || !target_ratio) return true;
    return against == Against::limit ? *ratio() <= *target_ratio : *ratio() >= *target_ratio;
}

void print_table(const std::vector<Line>& lines) {
    std::printf("\n%-58s %10s %10s %10s %9s %8s  %s\n", "work", "ours us", "libtorch", "limit", "against", "ratio",
                "target");
    for (const Line& line : lines)
        std::printf("%-58s %10s %10s %10s %9s %8s  %s\n", line.work.c_str(), number(line.ours_us, "").c_str(),
                    number(line.libtorch_us, "-").c_str(), number(line.limit_us, "-").c_str(),
                    line.against == Against::limit ? "limit" : "libtorch", number(line.ratio(), "-").c_str(),
                    verdict(line).c_str());
}

void write_markdown(const std::string& path, const std::vector<Line>& lines) {
    std::ofstream out(path);
    out << "| work | ours, µs | libtorch, µs | limit, µs | held against | ratio | target |\n"
           "|---|---|---|---|---|---|---|\n";
    for (const Line& line : lines)
        out << "| " << line.work << " | " << number(line.ours_us, "") << " | " << number(line.libtorch_us, "") << " | "
            << number(line.limit_us, "") << " | " << (line.against == Against::limit ? "limit" : "libtorch") << " | "
            << number(line.ratio(), "") << " | " << verdict(line) << " |\n";
    close(out, path);
}

void write_json(const std::string& path, const std::vector<Line>& lines) {
    std::ofstream out(path);
    out << "[\n";
    for (std::size_t i = 0; i < lines.size(); ++i) {
        const Line& line = lines[i];
        out << "  {\"work\": \"" << line.work << "\", \"ours_us\": " << exact(line.ours_us)
            << ", \"libtorch_us\": " << exact(line.libtorch_us) << ", \"limit_us\": " << exact(line.limit_us)
            << ", \"target_ratio\": " << exact(line.target_ratio) << ", \"against\": \""
            << (line.against == Against::limit ? "limit" : "libtorch") << "\", \"ratio\": " << exact(line.ratio())
            << "}" << (i + 1 < lines.size() ? "," : "") << "\n";
    }
    out << "]\n";
    close(out, path);
}

}  // namespace perf

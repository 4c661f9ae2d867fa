// One line of the table for each work, and the same as JSON.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace perf {

enum class Against { limit, libtorch };

/// Times in microseconds. Held against the limit, `ratio` is ours over the limit (smaller is better, target an upper
/// bound); held against libtorch, it is libtorch over ours (a speed-up, target a lower bound).
struct Line {
    std::string work;
    double ours_us = 0;
    std::optional<double> libtorch_us, limit_us, target_ratio;
    Against against = Against::limit;

    std::optional<double> ratio() const;
    bool met() const;
};

void print_table(const std::vector<Line>& lines);
/// The table as docs/benchmarks.md shows it. Both throw std::runtime_error where the file cannot be written.
void write_markdown(const std::string& path, const std::vector<Line>& lines);
void write_json(const std::string& path, const std::vector<Line>& lines);

}  // namespace perf

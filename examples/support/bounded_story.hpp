// What the second example shows beside its training: other schedules, how far the positive regions reach, and the
// published weights.
#pragma once

#include "post_results.hpp"

#include <nlohmann/json_fwd.hpp>

#include <filesystem>

namespace post {

/// A way to train, its runs, and how many of 200 should end with at most one point mislabelled.
struct Schedule {
    std::string name;
    std::vector<Phase> phases;
    long low, high;
    std::vector<RunResult> runs{};
};
/// The post's schedule first, then those it is compared with; without runs.
std::vector<Schedule> schedules(const Example& example);

/// The greatest z of the output that a network with one hidden layer tends to far away, over all directions. The
/// positive region is bounded where that is negative.
double farthest_z(std::span<const Tensor> W, double k);

/// For which c the region of `constructed_weights(c)` is bounded and not empty: least < c < greatest.
struct Interval {
    double least, greatest;
};
Interval bounded_interval(double k);

/// Table of the schedules' distributions. Returns false where one is not as it should be.
bool print_schedules(const std::vector<Schedule>& schedules, double k);
/// The constructed and the published trained weights: how many points they mislabel, how far they reach.
void print_published(const Example& example);
/// The weights that `run` ended with beside those the post published, one hidden vertex in a line.
void print_beside_published(const RunResult& run);

void draw_bounded(const std::vector<Schedule>& schedules, const Example& example, const std::filesystem::path& out,
                  std::size_t columns);
/// The other schedules' results, and the reach of the regions.
void add_bounded(nlohmann::ordered_json& section, const std::vector<Schedule>& schedules, double k);

}  // namespace post

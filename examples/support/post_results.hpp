// How both of the post's examples tell what came out: tables, pictures, report.
#pragma once

#include "plot.hpp"
#include "post_network.hpp"

#include <nlohmann/json_fwd.hpp>

namespace post {

/// How many of 200 runs should end in a certain way: bounds that a right implementation misses less than once in 10,000
/// times, from 4,000 runs of an independent implementation.
struct Expectation {
    std::string what;
    long count;
    long low, high;
};
/// A table of what was counted over `runs` runs. Returns false where a bound is broken; bounds hold for 200 runs only.
bool print_expectations(const std::string& title, const std::vector<Expectation>& list, std::size_t runs);

/// Loss and mislabelled points of the first three runs at some epochs, to be compared digit by digit.
void print_trajectories(std::span<const RunResult> runs, const std::vector<int>& epochs);

/// Prints how far the tape's gradients are from those derived by hand. Returns false where that is more than rounding.
bool print_witness(const Witness& witness, double seconds);

/// The members that both examples' sections of report.json have.
nlohmann::ordered_json report_section(std::span<const RunResult> runs, const Witness& witness, double seconds,
                                      double k);

/// "run 7".
std::string name(const RunResult& run);

/// Negative points in red, positive ones in blue.
std::vector<plot::Dots> dots(const DataSet& data, double size = 1, bool labelled = false);
/// The points alone, with a margin around them.
plot::Panel data_panel(const std::string& title, const DataSet& data);
/// The plane as the network labels it; the points of `data`, where given, on top.
plot::Panel region_panel(const std::string& title, std::span<const Tensor> W, double k, const plot::Window& window,
                         const DataSet* data, std::size_t columns);
/// Loss against epoch: the first three runs in colours, more of them in grey.
plot::Panel loss_panel(std::span<const RunResult> runs);

}  // namespace post

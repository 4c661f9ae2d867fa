// Medians over interleaved repeats, and the check that contenders agree.
#pragma once

#include "contender.hpp"

#include <limits>
#include <string>

namespace perf {

enum class Clock { processor, wall };

double median(std::vector<double> values);

/// Median time of one run of each contender, in microseconds. Samples are taken in turn (A B C A B C …), so that
/// whatever else the machine does meets all of them alike; a sample repeats the run until it lasts about 2 ms.
/// The clock counts the processor time of this process, which must use one thread; or time on the wall.
/// Where the rounds take longer than `seconds`, there are fewer, but at least three.
std::vector<double> interleaved_medians(const std::vector<const Contender*>& contenders, int rounds,
                                        double seconds = std::numeric_limits<double>::infinity(),
                                        Clock clock = Clock::processor);

/// Runs every contender once and compares what they computed with the first one's.
/// Throws std::runtime_error where they differ by more than `tolerance` of the largest element, so that wrong code is
/// never timed.
void require_agreement(const std::string& work, const std::vector<const Contender*>& contenders, double tolerance);

}  // namespace perf

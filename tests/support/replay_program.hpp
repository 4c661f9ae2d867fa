// Random programs for the replay engine: sizes around and over its blocks, elementwise runs with broadcasts, casts,
// comparisons and reductions among them, products, gradients, and updates that read each other's parameters.
#pragma once

#include "replay_check.hpp"

namespace gradtape::test {

Case replay_program(std::uint64_t seed);

}  // namespace gradtape::test

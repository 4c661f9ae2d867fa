// Pairs of elementwise instructions that one loop computes: the first one's result stays in a register.
#pragma once

#include "schedule.hpp"

namespace gradtape::detail {

inline constexpr Index no_index = ~Index(0);

struct Pairs {
    std::vector<Index> first;         ///< by instruction: the operand that its loop computes too, or no_index
    std::vector<std::uint8_t> place;  ///< by instruction: which operand that is
    std::vector<char> hidden;         ///< by instruction: computed by the loop of its only reader
};

/// Pairs up what neighbours in a group: the first is read by the second alone, and there is a loop for the two.
Pairs find_pairs(const Program::Body& body, const Schedule& schedule);

/// The loop that computes a pair.
Loop loop_of_pair(const Instruction& first, const Instruction& second, std::uint8_t place);

}  // namespace gradtape::detail

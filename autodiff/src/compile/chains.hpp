// Chains: elementwise operations of a group that run one after the other tile by tile, results staying in registers.
#pragma once

#include "schedule.hpp"

namespace gradtape::detail {

inline constexpr std::uint32_t no_chain = ~0u;

/// An instruction as a link of a chain.
struct ChainLink {
    std::uint32_t chain = no_chain;  ///< which, or none
    std::int8_t in_registers = -1;   ///< the operand that the link before hands on in registers; −1: none
    bool read_later = false;         ///< by a link of its chain that has it from memory
    bool read_outside = false;       ///< by members of its group that are no links of its chain
};

/// Orders the members of each group so that chains are long and links follow what they read, and says which are links.
std::vector<ChainLink> make_chains(const Program::Body& body, Schedule& schedule);

}  // namespace gradtape::detail

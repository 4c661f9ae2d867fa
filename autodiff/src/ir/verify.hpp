// The rules every program keeps, over a run of instructions.
#pragma once

#include "instruction.hpp"

namespace gradtape::detail {

void verify_from(std::span<const Instruction> instructions, std::size_t first);

/// Throws Error naming the first instruction that breaks a rule.
void verify(std::span<const Instruction> instructions, std::span<const Index> outputs, Where where = {});

/// The same for the instructions from `first` on, in debug builds only: what every transform ends with.
inline void verify_in_debug([[maybe_unused]] std::span<const Instruction> instructions, [[maybe_unused]] std::size_t first) {
#ifndef NDEBUG
    verify_from(instructions, first);
#endif
}

}  // namespace gradtape::detail

// The rules every program keeps, over a run of instructions.
#pragma once

#include "instruction.hpp"

namespace gradtape::detail {

/// Throws Error naming the first instruction that breaks a rule.
void verify(std::span<const Instruction> instructions, std::span<const Index> outputs);

}  // namespace gradtape::detail

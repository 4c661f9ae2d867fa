// The body of a program: instructions in order, the constants' values, and which values are its results.
#pragma once

#include <gradtape/program.hpp>

#include "instruction.hpp"

namespace gradtape {

struct Program::Body {
    struct Constant {
        detail::Index index;
        Tensor value;
    };

    std::vector<detail::Instruction> instructions;
    std::vector<Constant> constants;  ///< tensors of the constants that are not one repeated number, by index
    std::vector<detail::Index> outputs;
};

}  // namespace gradtape

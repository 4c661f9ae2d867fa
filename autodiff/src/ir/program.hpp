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
    /// After each replay `parameter` takes the value of `value`.
    struct Update {
        detail::Index parameter, value;
    };

    std::vector<detail::Instruction> instructions;
    std::vector<Constant> constants;  ///< tensors of the constants that are not one repeated number, by index
    std::vector<detail::Index> outputs;
    std::vector<detail::Index> inputs;      ///< input leaves, in the order in which they were recorded
    std::vector<detail::Index> parameters;  ///< parameter leaves, likewise
    std::vector<Update> updates;
    std::vector<Tensor> input_values, parameter_values;  ///< as recorded; empty where there are none. Passes drop them
    detail::RecordingId recording;  ///< whose nodes the leaves are
    std::shared_ptr<const void> names;  ///< keeps the file names in `where` alive, where they are not literals
};

}  // namespace gradtape

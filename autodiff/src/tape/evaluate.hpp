// Plain evaluation of a program: one instruction after another, by the code that records. What compiled forms must equal.
#pragma once

#include "../ir/program.hpp"
#include "recorder.hpp"

namespace gradtape::detail {

/// A program being run on given leaves. Every value stays until the end; guards are not checked, updates not made.
class Evaluation {
public:
    /// `body` and the tensors must outlive it. ValueError, ShapeError or DTypeError where the leaves do not fit.
    Evaluation(const Program::Body& body, std::span<const Tensor> inputs, std::span<const Tensor> parameters,
               Where where = {});

    /// Runs the next instruction; false where none is left.
    bool step();
    /// The value of an instruction that has been run.
    Tensor value(Index index) { return Recorder::in(tape_).value(now_[index]); }

private:
    const Program::Body& body_;
    std::span<const Tensor> inputs_, parameters_;
    std::size_t next_input_ = 0, next_parameter_ = 0, next_constant_ = 0;
    Tape tape_;
    std::vector<Index> now_;  // where each instruction's value is on the tape
    std::vector<Index> operands_;
};

/// The outputs, then the values of the updates.
std::vector<Tensor> evaluate(const Program::Body& body, std::span<const Tensor> inputs,
                             std::span<const Tensor> parameters);

}  // namespace gradtape::detail

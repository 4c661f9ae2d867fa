// A program recorded again: on a tape of its own, to evaluate it (what compiled forms must equal); or on another one, in
// place of a call.
#pragma once

#include "../ir/program.hpp"
#include "recorder.hpp"

namespace gradtape::detail {

/// A program being recorded once more, one instruction after another.
class Rerecording {
public:
    /// `body` must outlive it.
    Rerecording(const Program::Body& body, Recorder& recorder) : body_(body), recorder_(&recorder) { now_.reserve(body.instructions.size()); }

    bool is_done() const noexcept { return now_.size() == body_.instructions.size(); }
    /// The number of the next instruction, and that of its value here.
    Index next() const noexcept { return Index(now_.size()); }
    Index now(Index index) const noexcept { return now_[index]; }
    /// Records the next instruction, which is no input and no parameter: of these the caller says what they are.
    void record();
    void put(Index value) { now_.push_back(value); }
    void restart() noexcept { now_.clear(), next_constant_ = 0; }

private:
    const Program::Body& body_;
    Recorder* recorder_;
    std::size_t next_constant_ = 0;
    std::vector<Index> now_;
    std::vector<Index> operands_;
};

/// A program being run on given leaves. Every value stays until the end; guards are not checked, updates not made.
class Evaluation {
public:
    /// `body` and the tensors must outlive it. ValueError, ShapeError or DTypeError where the leaves do not fit.
    Evaluation(const Program::Body& body, std::span<const Tensor> inputs, std::span<const Tensor> parameters,
               Where where = {});

    /// Runs the next instruction; false where none is left.
    bool step();
    /// The value of an instruction that has been run.
    Tensor value(Index index) { return Recorder::in(tape_).value(recording_.now(index)); }
    /// From the start, with the leaves as they are now.
    void restart();

private:
    const Program::Body& body_;
    std::span<const Tensor> inputs_, parameters_;
    std::size_t next_input_ = 0, next_parameter_ = 0;
    Tape tape_;
    Rerecording recording_{body_, Recorder::in(tape_)};
};

/// The programs in an instruction's attributes, for its kernel to run: each on a tape of its own, which is recorded anew each time.
class TapeBodies {
public:
    explicit TapeBodies(const Attributes& attributes);
    ~TapeBodies();
    BodyRun* const* data() const noexcept { return runs_.data(); }

private:
    class Run;
    std::vector<std::unique_ptr<Run>> owned_;
    std::vector<BodyRun*> runs_;
};

/// The outputs, then the values of the updates.
std::vector<Tensor> evaluate(const Program::Body& body, std::span<const Tensor> inputs,
                             std::span<const Tensor> parameters);

}  // namespace gradtape::detail

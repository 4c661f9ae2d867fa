// A program is a copy of what a tape holds.
#include "../ir/program.hpp"
#include "../ir/verify.hpp"
#include "recorder.hpp"

namespace gradtape {

using detail::Index;
using detail::Recorder;

Program::Program(const Tape& tape, std::span<const Node> outputs) : body_(std::make_unique<Body>()) {
    Recorder& recorder = Recorder::in(tape);
    for (const Node& output : outputs) {
        if (&Recorder::of(output, "program", {}) != &recorder)
            throw TapeError("an output is on another tape", {"program", {}, {}, {}});
        body_->outputs.push_back(output.index());
    }
    const auto instructions = recorder.instructions();
    body_->instructions.assign(instructions.begin(), instructions.end());
    for (Index i = 0; i < instructions.size(); ++i) {
        if (!instructions[i].primitive->leaf) continue;
        if (instructions[i].primitive == &detail::primitive(detail::Op::input))
            body_->inputs.push_back(i);
        else if (instructions[i].primitive == &detail::primitive(detail::Op::parameter))
            body_->parameters.push_back(i);
        else if (const Tensor* value = recorder.leaf_value(i))
            body_->constants.push_back({i, *value});
    }
}

Program::Program(const Tape& tape, std::initializer_list<Node> outputs)
    : Program(tape, std::span(outputs.begin(), outputs.size())) {}
Program::~Program() = default;
Program::Program(const Program& other) : body_(std::make_unique<Body>(*other.body_)) {}
Program::Program(Program&&) noexcept = default;
Program& Program::operator=(Program other) noexcept {
    std::swap(body_, other.body_);
    return *this;
}

std::size_t Program::size() const noexcept { return body_->instructions.size(); }

void verify(const Program& program) { detail::verify(program.body().instructions, program.body().outputs); }

}  // namespace gradtape

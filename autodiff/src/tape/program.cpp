// A program is a copy of what a tape holds.
#include "../ir/program.hpp"
#include "../ir/verify.hpp"
#include "recorder.hpp"

#include <unordered_set>

namespace gradtape {

using detail::Index;
using detail::Recorder;

namespace {

Index parameter_index(const Recorder& recorder, const Update& update, Where where) {
    if (&Recorder::of(update.parameter, "program", where) != &recorder || &Recorder::of(update.value, "program", where) != &recorder)
        throw TapeError("an update is on another tape", {"program", {}, {}, where});
    const detail::Instruction& leaf = recorder.at(update.parameter.index());
    if (leaf.primitive != &detail::primitive(detail::Op::parameter))
        throw ValueError("only parameters can be updated; node %" + std::to_string(update.parameter.index()) + " : " +
                             to_string(leaf.type) + " is no parameter",
                         {"program", {leaf.type.shape}, {}, where});
    const Type& type = recorder.at(update.value.index()).type;
    if (type == leaf.type) return update.parameter.index();
    const std::string problem = "an update of type " + to_string(type) + " for a parameter of type " +
                                to_string(leaf.type) + "; needs the same";
    const ErrorFacts facts{"program", {leaf.type.shape, type.shape}, {}, where};
    if (type.shape == leaf.type.shape) throw DTypeError(problem, facts);
    throw ShapeError(problem, facts);
}

void add_updates(Program::Body& body, const Recorder& recorder, std::span<const Update> updates, Where where) {
    std::unordered_set<Index> updated;
    for (const Update& update : updates) {
        const Index parameter = parameter_index(recorder, update, where);
        if (!updated.insert(parameter).second)
            throw ValueError("parameter %" + std::to_string(parameter) + " is updated twice", {"program", {}, {}, where});
        body.updates.push_back({parameter, update.value.index()});
    }
}

}  // namespace

Program::Program(const Tape& tape, const Several<Node>& outputs, const Several<Update>& updates, Where where)
    : body_(std::make_unique<Body>()) {
    Recorder& recorder = Recorder::in(tape, where);
    for (const Node& output : outputs.all()) {
        if (&Recorder::of(output, "program", where) != &recorder)
            throw TapeError("an output is on another tape", {"program", {}, {}, where});
        body_->outputs.push_back(output.index());
    }
    add_updates(*body_, recorder, updates.all(), where);
    body_->recording = recorder.recording();
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
    if (recorder.is_abstract()) return;
    for (Index i : body_->inputs) body_->input_values.push_back(*recorder.leaf_value(i));
    for (Index i : body_->parameters) body_->parameter_values.push_back(*recorder.leaf_value(i));
}

Program::Program(std::unique_ptr<Body> body) noexcept : body_(std::move(body)) {}
Program::~Program() = default;
Program::Program(const Program& other, Where where) : body_(std::make_unique<Body>(other.body(where))) {}
Program::Program(Program&&) noexcept = default;
Program& Program::operator=(Program other) noexcept {
    std::swap(body_, other.body_);
    return *this;
}

std::size_t Program::size(Where where) const { return body(where).instructions.size(); }

const Program::Body& Program::body(Where where) const {
    if (!body_) throw TapeError("this program was moved from", {"program", {}, {}, where});
    return *body_;
}

void verify(const Program& program, Where where) {
    detail::verify(program.body(where).instructions, program.body(where).outputs, where);
}

}  // namespace gradtape

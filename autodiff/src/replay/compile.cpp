// The public face of compiling and replaying.
#include <gradtape/compile.hpp>

#include "../primitives/catalogue.hpp"
#include "../tape/recorder.hpp"
#include "execution.hpp"
#include "pipeline.hpp"

#include <algorithm>

namespace gradtape {

using namespace detail;

namespace {

Index parameter_index(const Tape& tape, const Update& update) {
    const Recorder& recorder = Recorder::of(update.parameter, "compile", {});
    if (!update.parameter.on(tape) || !update.value.on(tape))
        throw TapeError("an update is on another tape", {"compile", {}, {}, {}});
    const Instruction& leaf = recorder.at(update.parameter.index());
    if (leaf.primitive != &primitive(Op::parameter))
        throw ValueError("only parameters can be updated; node %" + std::to_string(update.parameter.index()) + " : " +
                             to_string(leaf.type) + " is no parameter",
                         {"compile", {leaf.type.shape}, {}, leaf.where});
    const Type& type = recorder.at(update.value.index()).type;
    if (type == leaf.type) return update.parameter.index();
    const std::string problem = "an update of type " + to_string(type) + " for a parameter of type " +
                                to_string(leaf.type) + "; needs the same";
    const ErrorFacts facts{"compile", {leaf.type.shape, type.shape}, {}, leaf.where};
    if (type.shape == leaf.type.shape) throw DTypeError(problem, facts);
    throw ShapeError(problem, facts);
}

void add_updates(Program::Body& body, const Tape& tape, std::span<const Update> updates) {
    for (const Update& update : updates) {
        const Index parameter = parameter_index(tape, update);
        for (const auto& other : body.updates)
            if (other.parameter == parameter)
                throw ValueError("parameter %" + std::to_string(parameter) + " is updated twice", {"compile", {}, {}, {}});
        body.updates.push_back({parameter, update.value.index()});
    }
}

std::string report_of(const Plan& plan) {
    std::size_t operations = 0;
    for (const Group& group : plan.groups) operations += group.ops.size();
    std::size_t captured = 0;
    for (const Tensor& constant : plan.constants) captured += constant.bytes();
    return "fused: " + std::to_string(operations) + " operations in " + std::to_string(plan.groups.size()) + " groups\n" +
           "steps: " + std::to_string(plan.steps.size()) + ", of them " + std::to_string(plan.calls.size()) + " kernels, " +
           std::to_string(plan.copies.size()) + " copies, " + std::to_string(plan.guards.size()) + " guards\n" +
           "memory: " + std::to_string(plan.arena_bytes) + " bytes (unplanned " + std::to_string(plan.unplanned_bytes) + ")\n" +
           "constants: " + std::to_string(plan.constants.size()) + ", " + std::to_string(captured) + " bytes\n";
}

}  // namespace

GuardFailed::GuardFailed(double expected, double found, Where where)
    : Error("a value that control flow read while recording was " + std::to_string(expected) + ", is now " +
                std::to_string(found) + "; record again", {"guard", {}, {}, where}),
      expected_(expected),
      found_(found) {}

Compiled compile(const Tape& tape, std::span<const Node> outputs, std::span<const Update> updates,
                 const CompileOptions& options) {
    const Program program(tape, outputs);
    Program::Body body = program.body();
    add_updates(body, tape, updates);
    std::string report;
    Recorder& recorder = Recorder::in(tape);
    const std::vector<Index> inputs = body.inputs, parameters = body.parameters;
    auto plan = std::make_shared<Plan>(make_plan(optimised(std::move(body), options, report), options));
    for (Index i : inputs) plan->input_types.push_back(recorder.at(i).type);
    for (Index i : parameters) plan->parameter_types.push_back(recorder.at(i).type);
    plan->parameter_leaves = parameters;
    if (options.keep_values && !recorder.is_abstract()) {
        for (Index i : inputs) plan->inputs.push_back(recorder.value(i));
        for (Index i : parameters) plan->parameters.push_back(recorder.value(i));
    }
    plan->report = report + report_of(*plan);
    return Compiled(std::move(plan));
}

Compiled compile(const Tape& tape, std::initializer_list<Node> outputs, std::initializer_list<Update> updates,
                 const CompileOptions& options) {
    return compile(tape, std::span(outputs.begin(), outputs.size()), std::span(updates.begin(), updates.size()), options);
}

std::size_t Compiled::input_count() const noexcept { return plan_->input_types.size(); }
std::size_t Compiled::parameter_count() const noexcept { return plan_->parameter_types.size(); }
std::size_t Compiled::output_count() const noexcept { return plan_->outputs.size(); }
std::size_t Compiled::arena_bytes() const noexcept { return plan_->arena_bytes; }
std::optional<std::size_t> Compiled::parameter_number(Node leaf) const noexcept {
    const auto& leaves = plan_->parameter_leaves;
    const auto found = std::lower_bound(leaves.begin(), leaves.end(), leaf.index());
    if (!leaf || found == leaves.end() || *found != leaf.index()) return std::nullopt;
    return std::size_t(found - leaves.begin());
}
std::size_t Compiled::peak_bytes() const noexcept {
    std::size_t bytes = plan_->arena_bytes;
    for (const Buffer& buffer : plan_->buffers)
        if (buffer.home != Home::arena) bytes += buffer.bytes;
    return bytes;
}
std::string Compiled::explain() const { return plan_->report; }

Replay::Replay(const Compiled& compiled)
    : execution_(std::make_unique<Execution>(compiled.shared_plan())) {}
Replay::~Replay() = default;
Replay::Replay(Replay&&) noexcept = default;
Replay& Replay::operator=(Replay&&) noexcept = default;

void Replay::set_input(std::size_t i, const Tensor& value) { execution_->set_input(i, value); }
void Replay::set_parameter(std::size_t i, const Tensor& value) { execution_->set_parameter(i, value); }
void Replay::run() { execution_->run(); }
void Replay::release() { execution_->release(); }

Tensor Replay::output(std::size_t i) const {
    if (i >= execution_->outputs.size())
        throw ValueError("no output " + std::to_string(i) + "; there are " + std::to_string(execution_->outputs.size()), {"replay", {}, {}, {}});
    return execution_->outputs[i];
}

Tensor Replay::parameter(std::size_t i) const {
    if (i >= execution_->parameters.size())
        throw ValueError("no parameter " + std::to_string(i) + "; there are " + std::to_string(execution_->parameters.size()),
                         {"replay", {}, {}, {}});
    if (!execution_->parameters[i].owner())
        throw ValueError("parameter " + std::to_string(i) + " is not set", {"replay", {}, {}, {}});
    return execution_->parameters[i];
}

}  // namespace gradtape

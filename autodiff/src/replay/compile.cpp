// The public face of compiling and replaying.
#include <gradtape/compile.hpp>

#include "../support/number.hpp"
#include "../tape/recorder.hpp"
#include "execution.hpp"
#include "pipeline.hpp"

#include <algorithm>

namespace gradtape {

using namespace detail;

namespace {

std::string shared_of(const Plan& plan) {
    if (plan.threads == 1) return "";
    const auto groups = std::count_if(plan.groups.begin(), plan.groups.end(), [](auto& g) { return g.parts() > 1; });
    const auto calls = std::count_if(plan.calls.begin(), plan.calls.end(), [](auto& c) { return c.prepared.parts > 1; });
    return "shared out among " + std::to_string(plan.threads) + " threads: " + std::to_string(groups) + " groups, at most " +
           std::to_string(calls) + " kernels\n";
}

std::string fused_of(const Plan& plan) {
    std::size_t operations = 0, chained = 0, chains = 0;
    for (const Group& group : plan.groups)
        for (const GroupOp& op : group.ops) {
            const bool chain = op.kind == GroupOp::Kind::chain;
            operations += chain ? op.links : 1;
            chained += chain ? op.links : 0;
            chains += chain;
        }
    return "fused: " + std::to_string(operations) + " operations in " + std::to_string(plan.groups.size()) + " groups" +
           (chains ? ", " + std::to_string(chained) + " of them in " + std::to_string(chains) + " chains\n" : "\n");
}

std::string report_of(const Plan& plan) {
    std::size_t captured = 0;
    for (const Buffer& buffer : plan.buffers) captured += buffer.home == Home::constant ? buffer.bytes : 0;
    return fused_of(plan) + "steps: " + std::to_string(plan.steps.size()) + ", of them " + std::to_string(plan.calls.size()) + " kernels" +
           (plan.joined ? " (with " + std::to_string(plan.joined) + " operations along), " : ", ") +
           std::to_string(plan.copies.size()) + " copies, " + std::to_string(plan.guards.size()) + " guards\n" +
           shared_of(plan) + "memory: " + std::to_string(plan.arena_bytes) + " bytes (unplanned " + std::to_string(plan.unplanned_bytes) + ")\n" +
           "constants: " + std::to_string(plan.constants.size()) + ", " + std::to_string(captured) + " bytes\n";
}

}  // namespace

GuardFailed::GuardFailed(double expected, double found, Where where)
    : Error("a value that control flow read while recording was " + shortest(expected) + ", is now " +
                shortest(found) + "; record again", {"guard", {}, {}, where}),
      expected_(expected),
      found_(found) {}

Compiled compile(const Program& program, const CompileOptions& options, Where where) {
    if (options.threads < 1 || options.threads > 256)
        throw ValueError("threads must be 1 to 256, not " + std::to_string(options.threads), {"compile", {}, {}, where});
    const Program::Body& body = program.body(where);
    std::string report;
    auto plan = std::make_shared<Plan>(make_plan(optimised(body, options, report), options, where));
    for (Index i : body.inputs) plan->input_types.push_back(body.instructions[i].type);
    for (Index i : body.parameters) plan->parameter_types.push_back(body.instructions[i].type);
    plan->parameter_leaves = body.parameters;
    plan->recording = body.recording;
    if (options.keep_values) {
        plan->inputs = body.input_values;
        plan->parameters = body.parameter_values;
    }
    plan->names = body.names;
    plan->report = report + report_of(*plan);
    return Compiled(std::move(plan));
}

Compiled compile(const Tape& tape, const Several<Node>& outputs, const Several<Update>& updates,
                 const CompileOptions& options, Where where) {
    return compile(Program(tape, outputs, updates, where), options, where);
}

const Plan& Compiled::plan(Where where) const {
    if (!plan_) throw TapeError("this compiled program was moved from", {"compile", {}, {}, where});
    return *plan_;
}

std::size_t Compiled::input_count(Where where) const { return plan(where).input_types.size(); }
std::size_t Compiled::parameter_count(Where where) const { return plan(where).parameter_types.size(); }
std::size_t Compiled::output_count(Where where) const { return plan(where).outputs.size(); }
std::size_t Compiled::arena_bytes(Where where) const { return plan(where).arena_bytes; }
std::optional<std::size_t> Compiled::parameter_number(Node leaf, Where where) const {
    const auto& leaves = plan(where).parameter_leaves;
    const auto found = std::lower_bound(leaves.begin(), leaves.end(), leaf.index());
    if (!leaf.is_valid() || Recorder::recording(leaf) != plan_->recording) return std::nullopt;
    if (found == leaves.end() || *found != leaf.index()) return std::nullopt;
    return std::size_t(found - leaves.begin());
}
std::size_t Compiled::peak_bytes(Where where) const {
    std::size_t bytes = plan(where).arena_bytes;
    for (const Buffer& buffer : plan_->buffers)
        if (buffer.home != Home::arena) bytes += buffer.bytes;
    return bytes;
}
std::string Compiled::explain(Where where) const { return plan(where).report; }

namespace {

std::shared_ptr<const Plan> plan_of(const Compiled& compiled, Where where) {
    if (!compiled.shared_plan()) throw TapeError("this compiled program was moved from", {"replay", {}, {}, where});
    return compiled.shared_plan();
}

}  // namespace

Replay::Replay(const Compiled& compiled, Where where) : execution_(new Execution(plan_of(compiled, where), where)) {}
Replay::~Replay() = default;
Replay::Replay(Replay&&) noexcept = default;
Replay& Replay::operator=(Replay&&) noexcept = default;
void Replay::Retire::operator()(Execution* execution) const noexcept { execution->retire(); }

Execution& Replay::execution(Where where) const {
    if (!execution_) throw TapeError("this replay was moved from", {"replay", {}, {}, where});
    execution_->check_idle(where);
    return *execution_;
}

void Replay::set_input(std::size_t i, const Tensor& value, Where where) { execution(where).set_input(i, value, where); }
void Replay::set_parameter(std::size_t i, const Tensor& value, Where where) { execution(where).set_parameter(i, value, where); }
void Replay::run(Where where) { execution(where).run(where); }
void Replay::release(Where where) { execution(where).release(); }

const Tensor Replay::output(std::size_t i, Where where) const {
    const Execution& its = execution(where);
    if (i >= its.outputs.size())
        throw ValueError("no output " + std::to_string(i) + "; there are " + std::to_string(its.outputs.size()), {"replay", {}, {}, where});
    if (!its.complete)
        throw ValueError("output " + std::to_string(i) + " has no value: no run was completed since the replay was made, "
                         "or since one failed", {"replay", {its.outputs[i].shape()}, {}, where});
    return its.outputs[i];
}

const Tensor Replay::parameter(std::size_t i, Where where) const {
    const Execution& its = execution(where);
    if (i >= its.parameters.size())
        throw ValueError("no parameter " + std::to_string(i) + "; there are " + std::to_string(its.parameters.size()),
                         {"replay", {}, {}, where});
    if (!its.parameters[i].owner())
        throw ValueError("parameter " + std::to_string(i) + " is not set", {"replay", {}, {}, where});
    return its.parameters[i];
}

}  // namespace gradtape

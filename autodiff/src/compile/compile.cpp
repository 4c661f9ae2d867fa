// The public face of compiling: passes, then a plan, and an account of both.
#include <gradtape/compile.hpp>

#include "../replay/plan.hpp"
#include "build.hpp"
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

std::string rows_of(const Plan& plan) {
    std::size_t steps = 0;
    for (const RowSteps& loop : plan.loops) steps += loop.steps;
    return plan.loops.empty() ? "" : "rows: " + std::to_string(steps) + " steps in " + std::to_string(plan.loops.size()) + " loops over rows\n";
}

std::string report_of(const Plan& plan) {
    std::size_t captured = 0;
    for (const Buffer& buffer : plan.buffers) captured += buffer.home == Home::constant ? buffer.bytes : 0;
    return fused_of(plan) + rows_of(plan) + "steps: " + std::to_string(plan.steps.size()) + ", of them " + std::to_string(plan.calls.size()) + " kernels" +
           (plan.joined ? " (with " + std::to_string(plan.joined) + " operations along), " : ", ") +
           std::to_string(plan.copies.size()) + " copies, " + std::to_string(plan.guards.size()) + " guards\n" +
           shared_of(plan) + "memory: " + std::to_string(plan.arena_bytes) + " bytes (unplanned " + std::to_string(plan.unplanned_bytes) + ")\n" +
           "constants: " + std::to_string(plan.constants.size()) + ", " + std::to_string(captured) + " bytes\n";
}

}  // namespace

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

}  // namespace gradtape

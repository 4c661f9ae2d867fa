// The public face of compiled programs and replays.
#include <gradtape/compile.hpp>

#include "../support/number.hpp"
#include "../tape/recorder.hpp"
#include "execution.hpp"

#include <algorithm>
#include <unordered_set>

namespace gradtape {

using namespace detail;

GuardFailed::GuardFailed(double expected, double found, Where where)
    : Error("a value that control flow read while recording was " + shortest(expected) + ", is now " +
                shortest(found) + "; record again", {"guard", {}, {}, where}),
      expected_(expected),
      found_(found) {}

namespace {

/// Of inputs, parameters, outputs and constants; of bodies, which are nested at most 32 deep, the constants.
std::size_t outside_bytes(const Plan& plan, std::unordered_set<const Plan*>& seen, bool body = false) {
    std::size_t bytes = 0;
    if (!seen.insert(&plan).second) return bytes;
    for (const Buffer& buffer : plan.buffers)
        if (buffer.home == Home::constant || (!body && buffer.home != Home::arena && buffer.home != Home::window)) bytes += buffer.bytes;
    for (const auto& its : plan.bodies) bytes += outside_bytes(*its, seen, true);
    return bytes;
}

}  // namespace

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
    std::unordered_set<const Plan*> seen;
    return plan(where).arena_bytes + outside_bytes(*plan_, seen);
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

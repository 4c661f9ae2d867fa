#include "replay_check.hpp"

#include "pass_check.hpp"

#include "primitives/catalogue.hpp"
#include "tape/evaluate.hpp"

#include <algorithm>
#include <map>

namespace gradtape::test {

using detail::Index;
using detail::Instruction;
using detail::Op;

namespace {

const Tensor* constant_at(const Body& body, Index index) {
    const auto found = std::lower_bound(body.constants.begin(), body.constants.end(), index,
                                        [](const Body::Constant& c, Index i) { return c.index < i; });
    return found != body.constants.end() && found->index == index ? &found->value : nullptr;
}

constexpr bool CompileOptions::*switches[] = {&CompileOptions::fold,  &CompileOptions::simplify,
                                              &CompileOptions::merge, &CompileOptions::remove_dead,
                                              &CompileOptions::fuse,  &CompileOptions::reuse};
constexpr const char* switch_names[] = {"fold", "simplify", "merge", "remove_dead", "fuse", "reuse"};

std::vector<NamedOptions> make_option_sets() {
    CompileOptions all, none;
    for (auto s : switches) none.*s = false;
    std::vector<NamedOptions> result = {{"all", all}, {"none", none}};
    all.debug = none.debug = true;
    result.push_back({"all, debug", all});
    result.push_back({"none, debug", none});
    for (std::size_t k = 0; k < std::size(switches); ++k) {
        CompileOptions only = none, without = all;
        only.*switches[k] = true;
        without.*switches[k] = false;
        result.push_back({std::string(switch_names[k]) + " alone, debug", only});
        result.push_back({std::string("all but ") + switch_names[k] + ", debug", without});
    }
    CompileOptions unchained = all, apart = all, whole = all, shared = all;
    unchained.chain = false;
    apart.join = false;
    whole.rows = false;
    shared.threads = 3;
    result.push_back({"all but chain, debug", unchained});
    result.push_back({"all but join, debug", apart});
    result.push_back({"all but rows, debug", whole});
    result.push_back({"all, on 3 threads, debug", shared});
    return result;
}

bool same_number(double x, double y) { return different({Tensor(x)}, {Tensor(y)}).empty(); }

std::string compare(const char* what, const std::vector<Tensor>& expected, const std::vector<Tensor>& actual) {
    const std::string wrong = different(expected, actual);
    return wrong.empty() ? "" : std::string(what) + " " + wrong;
}

std::vector<Tensor> outputs_of(const Replay& replay, std::size_t count) {
    std::vector<Tensor> result;
    for (std::size_t i = 0; i < count; ++i) result.push_back(replay.output(i));
    return result;
}

/// Runs, and compares with what plain evaluation gave on the leaves that the replay has now, `before` being its
/// parameters.
std::string run_once(Replay& replay, const Expected& expected, const std::vector<Tensor>& before) {
    const auto parameters = [&] {
        std::vector<Tensor> result;
        for (std::size_t i = 0; i < before.size(); ++i) result.push_back(replay.parameter(i));
        return result;
    };
    try {
        replay.run();
    } catch (const GuardFailed& failure) {
        for (const Expected::Guard& guard : expected.failing)
            if (same_number(guard.expected, failure.expected()) && same_number(guard.found, failure.found()) &&
                guard.line == failure.where().line)
                return compare("after a failed guard, parameter", before, parameters());
        return "a guard failed that should not, or says something wrong: " + std::string(failure.what());
    }
    if (!expected.failing.empty()) return "a guard did not fail";
    const std::string wrong = compare("output", expected.outputs, outputs_of(replay, expected.outputs.size()));
    return wrong.empty() ? compare("parameter", expected.parameters, parameters()) : wrong;
}

void bind(Replay& replay, const Leaves& leaves) {
    for (std::size_t i = 0; i < leaves.inputs.size(); ++i) replay.set_input(i, leaves.inputs[i]);
    for (std::size_t i = 0; i < leaves.parameters.size(); ++i) replay.set_parameter(i, leaves.parameters[i]);
}

/// What every option set is compared with, computed once.
struct Story {
    explicit Story(const Case& its)
        : recorded(expected(its.body, its.recorded)),
          again(expected(its.body, {its.recorded.inputs, recorded.parameters})),
          fresh(expected(its.body, its.fresh)) {}
    Expected recorded, again, fresh;
};

std::string tell(const Case& its, const Recording& recording, const Story& story, const NamedOptions& options) {
    const auto at = [&](const char* when, const std::string& wrong) {
        return wrong.empty() ? "" : options.name + "; " + when + ": " + wrong;
    };
    Replay replay(recording.compiled(options.options));
    std::string wrong = at("first replay", run_once(replay, story.recorded, its.recorded.parameters));
    if (!wrong.empty()) return wrong;
    const std::vector<Tensor> kept = outputs_of(replay, recording.outputs.size());
    wrong = at("second replay", run_once(replay, story.again, story.recorded.parameters));
    if (!wrong.empty()) return wrong;
    bind(replay, its.fresh);
    wrong = at("replay on fresh leaves", run_once(replay, story.fresh, its.fresh.parameters));
    if (!wrong.empty()) return wrong;
    bind(replay, its.recorded);
    wrong = at("replay on the recorded leaves again", run_once(replay, story.recorded, its.recorded.parameters));
    if (!wrong.empty()) return wrong;
    return at("kept from the first replay",
              story.recorded.failing.empty() ? compare("output", story.recorded.outputs, kept) : "");
}

}  // namespace

Recording::Recording(const Body& body, const Leaves& leaves, gradtape::Recording mode) : tape(mode) {
    std::vector<Node> nodes;
    std::map<Index, std::vector<Node>> several;
    std::size_t input = 0, parameter = 0;
    for (Index i = 0; i < body.instructions.size(); ++i) {
        const Instruction& instruction = body.instructions[i];
        const bool abstract = mode == gradtape::Recording::abstract;
        std::vector<Node> operands;
        for (Index operand : instruction.operands) operands.push_back(nodes[operand]);
        if (instruction.primitive == &detail::primitive(Op::input))
            nodes.push_back(abstract ? tape.input(instruction.type, instruction.where)
                                     : tape.input(leaves.inputs[input++], instruction.where));
        else if (instruction.primitive == &detail::primitive(Op::parameter))
            nodes.push_back(abstract ? tape.parameter(instruction.type, instruction.where)
                                     : tape.parameter(leaves.parameters[parameter++], instruction.where));
        else if (const Tensor* constant = constant_at(body, i))
            nodes.push_back(tape.constant(*constant, instruction.where));
        else if (instruction.primitive->leaf)
            nodes.push_back(tape.full(instruction.type.shape, instruction.attributes.get<double>("value"),
                                      instruction.type.dtype, instruction.where));
        else if (instruction.primitive->takes_result)
            nodes.push_back(several.at(instruction.operands[0])[std::size_t(instruction.attributes.get<std::int64_t>("index"))]);
        else {
            const auto all = apply_all(*instruction.primitive, operands, instruction.attributes, instruction.where);
            nodes.push_back(all[0]);
            if (all.size() > 1) several[i] = all;
        }
    }
    for (Index i : body.outputs) outputs.push_back(nodes[i]);
    for (const Body::Update& update : body.updates) updates.push_back({nodes[update.parameter], nodes[update.value]});
}

std::span<const NamedOptions> option_sets() {
    static const std::vector<NamedOptions> sets = make_option_sets();
    return sets;
}

Expected expected(const Body& body, const Leaves& leaves) {
    detail::Evaluation evaluation(body, leaves.inputs, leaves.parameters);
    while (evaluation.step()) {
    }
    Expected result{{}, leaves.parameters, {}};
    for (Index i : body.outputs) result.outputs.push_back(evaluation.value(i));
    for (const Body::Update& update : body.updates) {
        const auto at = std::find(body.parameters.begin(), body.parameters.end(), update.parameter);
        result.parameters[std::size_t(at - body.parameters.begin())] = evaluation.value(update.value);
    }
    for (Index i = 0; i < body.instructions.size(); ++i) {
        if (!body.instructions[i].primitive->effect) continue;
        const double wanted = body.instructions[i].attributes.get<double>("expected"),
                     found = evaluation.value(i).item();
        if (!same_number(wanted, found))
            result.failing.push_back({wanted, found, body.instructions[i].where.line});
    }
    return result;
}

void settle_guards(Body& body, const Leaves& leaves) {
    detail::Evaluation evaluation(body, leaves.inputs, leaves.parameters);
    while (evaluation.step()) {
    }
    for (Index i = 0; i < body.instructions.size(); ++i)
        if (body.instructions[i].primitive->effect)
            body.instructions[i].attributes = {{"expected", evaluation.value(i).item()}};
}

std::string check_replay(const Case& its, const NamedOptions& options) {
    return tell(its, {its.body, its.recorded}, Story(its), options);
}

std::string check_replay(const Case& its, std::optional<std::size_t> turn) {
    constexpr std::size_t always = 2, turns = 4;
    const Recording recording(its.body, its.recorded);
    const Story story(its);
    const auto sets = option_sets();
    for (std::size_t i = 0; i < sets.size(); ++i) {
        if (turn && i >= always && i % turns != *turn % turns) continue;
        if (std::string wrong = tell(its, recording, story, sets[i]); !wrong.empty()) return wrong;
    }
    return "";
}

}  // namespace gradtape::test

// Smaller and smaller programs about which there still is a complaint.
#include "pass_check.hpp"
#include "replay_check.hpp"

#include "primitives/catalogue.hpp"
#include "tape/evaluate.hpp"

#include <algorithm>

namespace gradtape::test {

using detail::Index;
using detail::Instruction;
using detail::Op;

namespace {

/// What results and guards need.
std::vector<char> needed(const Body& body) {
    std::vector<char> live(body.instructions.size());
    for (Index i : body.outputs) live[i] = true;
    for (const auto& update : body.updates) live[update.value] = live[update.parameter] = true;
    for (std::size_t i = live.size(); i-- > 0;) {
        if (body.instructions[i].primitive->effect) live[i] = true;
        if (live[i])
            for (Index operand : body.instructions[i].operands) live[operand] = true;
    }
    return live;
}

/// Leaves out the instructions that are not `live`.
Case kept(const Case& its, const std::vector<char>& live) {
    const Body& old = its.body;
    Case made;
    std::vector<Index> now(live.size());
    std::size_t input = 0, parameter = 0, constant = 0;
    for (Index i = 0; i < live.size(); ++i) {
        const bool is_input = input < old.inputs.size() && old.inputs[input] == i;
        const bool is_parameter = parameter < old.parameters.size() && old.parameters[parameter] == i;
        const bool is_constant = constant < old.constants.size() && old.constants[constant].index == i;
        now[i] = Index(made.body.instructions.size());
        if (live[i]) {
            Instruction instruction = old.instructions[i];
            for (std::size_t k = 0; k < instruction.operands.size(); ++k)
                instruction.operands[k] = now[instruction.operands[k]];
            made.body.instructions.push_back(instruction);
            if (is_constant) made.body.constants.push_back({now[i], old.constants[constant].value});
            if (is_input) {
                made.body.inputs.push_back(now[i]);
                made.recorded.inputs.push_back(its.recorded.inputs[input]);
                made.fresh.inputs.push_back(its.fresh.inputs[input]);
            }
            if (is_parameter) {
                made.body.parameters.push_back(now[i]);
                made.recorded.parameters.push_back(its.recorded.parameters[parameter]);
                made.fresh.parameters.push_back(its.fresh.parameters[parameter]);
            }
        }
        input += is_input;
        parameter += is_parameter;
        constant += is_constant;
    }
    for (Index i : old.outputs) made.body.outputs.push_back(now[i]);
    for (const auto& update : old.updates) made.body.updates.push_back({now[update.parameter], now[update.value]});
    return made;
}

Tensor value_of(const Body& body, const Leaves& leaves, Index index) {
    detail::Evaluation evaluation(body, leaves.inputs, leaves.parameters);
    for (Index i = 0; i <= index; ++i) evaluation.step();
    return evaluation.value(index);
}

/// Instruction `index` becomes an input of the value it has.
Case with_input(const Case& its, Index index) {
    Case made = its;
    const Instruction& instruction = its.body.instructions[index];
    const auto place =
        std::lower_bound(its.body.inputs.begin(), its.body.inputs.end(), index) - its.body.inputs.begin();
    made.recorded.inputs.insert(made.recorded.inputs.begin() + place, value_of(its.body, its.recorded, index));
    made.fresh.inputs.insert(made.fresh.inputs.begin() + place, value_of(its.body, its.fresh, index));
    made.body.inputs.insert(made.body.inputs.begin() + place, index);
    made.body.instructions[index] = {&detail::primitive(Op::input), {}, {}, instruction.type, instruction.where};
    return made;
}

/// All uses of `index` become uses of `other`.
Case with_operand(const Case& its, Index index, Index other) {
    Case made = its;
    for (Instruction& instruction : made.body.instructions)
        for (std::size_t k = 0; k < instruction.operands.size(); ++k)
            if (instruction.operands[k] == index) instruction.operands[k] = other;
    for (Index& output : made.body.outputs)
        if (output == index) output = other;
    for (auto& update : made.body.updates)
        if (update.value == index) update.value = other;
    return made;
}

Case without(const Case& its, Index index) {
    std::vector<char> live(its.body.instructions.size(), true);
    live[index] = false;
    return kept(its, live);
}

bool is_used(const Body& body, Index index) {
    const auto among = [&](const auto& list) { return std::find(list.begin(), list.end(), index) != list.end(); };
    return among(body.outputs) ||
           std::any_of(body.instructions.begin(), body.instructions.end(),
                       [&](const Instruction& i) { return among(i.operands); }) ||
           std::any_of(body.updates.begin(), body.updates.end(),
                       [&](const auto& update) { return update.parameter == index || update.value == index; });
}

/// Every way to make a case a little smaller.
std::vector<Case> smaller(const Case& its) {
    std::vector<Case> result = {kept(its, needed(its.body))};
    for (std::size_t k = 0; k < its.body.outputs.size(); ++k) {
        result.push_back(its);
        result.back().body.outputs.erase(result.back().body.outputs.begin() + std::ptrdiff_t(k));
    }
    for (std::size_t k = 0; k < its.body.updates.size(); ++k) {
        result.push_back(its);
        result.back().body.updates.erase(result.back().body.updates.begin() + std::ptrdiff_t(k));
    }
    for (Index i = Index(its.body.instructions.size()); i-- > 0;) {
        const Instruction& instruction = its.body.instructions[i];
        if (!is_used(its.body, i)) result.push_back(without(its, i));
        if (instruction.primitive->leaf) continue;
        result.push_back(with_input(its, i));
        for (Index operand : instruction.operands)
            if (its.body.instructions[operand].type == instruction.type)
                result.push_back(without(with_operand(its, i, operand), i));
    }
    return result;
}

std::size_t size_of_case(const Case& its) {
    std::size_t size = its.body.outputs.size() + its.body.updates.size();
    for (const Instruction& instruction : its.body.instructions) size += 1 + instruction.operands.size();
    return size;
}

}  // namespace

Case shrunk(Case its, const Complaint& complaint) {
    for (bool again = true; again;) {
        again = false;
        for (Case& candidate : smaller(its)) {
            if (size_of_case(candidate) >= size_of_case(its) || complaint(candidate).empty()) continue;
            its = std::move(candidate);
            again = true;
            break;
        }
    }
    return its;
}

std::string report(const Case& its, const std::string& complaint) {
    std::string result = complaint + "\n" + text(its.body);
    for (const auto& update : its.body.updates)
        result += "update %" + std::to_string(update.parameter) + " from %" + std::to_string(update.value) + "\n";
    const auto list = [&](const char* name, const std::vector<Tensor>& tensors) {
        for (const Tensor& tensor : tensors) result += std::string(name) + " " + to_string(tensor) + "\n";
    };
    list("input", its.recorded.inputs);
    list("parameter", its.recorded.parameters);
    return result;
}

}  // namespace gradtape::test

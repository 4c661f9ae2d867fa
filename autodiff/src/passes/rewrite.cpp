// Renumbering, common to the passes.
#include "rewrite.hpp"

#include <algorithm>
#include <cassert>

namespace gradtape::detail {

std::vector<char> constant_leaves(const Body& body) {
    std::vector<char> result(body.instructions.size());
    for (std::size_t i = 0; i < result.size(); ++i) result[i] = body.instructions[i].primitive->leaf;
    for (Index i : body.inputs) result[i] = false;
    for (Index i : body.parameters) result[i] = false;
    return result;
}

const double* repeated_number(const Instruction& instruction) {
    if (!instruction.primitive->leaf) return nullptr;
    for (const Attribute& attribute : instruction.attributes.list())
        if (std::string_view(attribute.name) == "value") return std::get_if<double>(&attribute.value);
    return nullptr;
}

std::vector<std::uint32_t> count_reads(const Body& body) {
    std::vector<std::uint32_t> reads(body.instructions.size());
    for (const Instruction& instruction : body.instructions)
        for (Index operand : instruction.operands) ++reads[operand];
    for (Index output : body.outputs) ++reads[output];
    for (const Body::Update& update : body.updates) ++reads[update.value];
    return reads;
}

Rewriter::Rewriter(const Body& old) : old_(old), now_(old.instructions.size(), ~Index(0)) {
    made_.instructions.reserve(old.instructions.size());
}

Instruction Rewriter::renumbered(Index old_index) const {
    Instruction instruction = old_.instructions[old_index];
    for (std::size_t k = 0; k < instruction.operands.size(); ++k) {
        assert(now_[instruction.operands[k]] != ~Index(0));
        instruction.operands[k] = now_[instruction.operands[k]];
    }
    return instruction;
}

Index Rewriter::put(Index old_index, Instruction instruction) {
    const bool leaf = instruction.primitive->leaf;
    const Index index = append(std::move(instruction));
    now_[old_index] = index;
    if (!leaf) return index;
    const auto& constants = old_.constants;
    while (next_constant_ < constants.size() && constants[next_constant_].index < old_index) ++next_constant_;
    if (next_constant_ < constants.size() && constants[next_constant_].index == old_index)
        made_.constants.push_back({index, constants[next_constant_].value});
    return index;
}

Index Rewriter::append(Instruction instruction) {
    made_.instructions.push_back(std::move(instruction));
    return Index(made_.instructions.size() - 1);
}

void Rewriter::drop_last() {
    made_.instructions.pop_back();
    if (!made_.constants.empty() && made_.constants.back().index == made_.instructions.size()) made_.constants.pop_back();
}

const Tensor* Rewriter::tensor(Index new_index) const {
    const auto& constants = made_.constants;
    const auto found = std::lower_bound(constants.begin(), constants.end(), new_index,
                                        [](const Body::Constant& c, Index index) { return c.index < index; });
    return found != constants.end() && found->index == new_index ? &found->value : nullptr;
}

Body Rewriter::finish() && {
    for (Index i : old_.outputs) made_.outputs.push_back(now_[i]);
    for (Index i : old_.inputs) made_.inputs.push_back(now_[i]);
    for (Index i : old_.parameters) made_.parameters.push_back(now_[i]);
    for (const Body::Update& update : old_.updates)
        made_.updates.push_back({now_[update.parameter], now_[update.value]});
    return std::move(made_);
}

}  // namespace gradtape::detail

// Which instructions lie between the inputs and the outputs of a derivative.
#pragma once

#include "../tape/recorder.hpp"

namespace gradtape::detail {

/// The part of the tape that a derivative runs through.
struct Activity {
    Recorder* recorder;
    Index first, last;             ///< the wrt that comes first, the y that comes last
    std::vector<char> depends;     ///< by index − first: depends on a wrt, through differentiable instructions

    bool operator()(Index i) const noexcept { return i >= first && i <= last && depends[i - first]; }
};

/// Checks the nodes (one recording, floating) and marks what depends on `wrt`.
Activity activity(const char* asker, std::span<const Node> ys, std::span<const Node> wrt, Where where);

/// Throws where `mine`'s type is not that of the node it belongs to.
void check_partner(const char* asker, Node mine, Node partner, Where where);

/// The nodes of an instruction's operands, for a rule.
void operand_nodes(Recorder& recorder, const Instruction& instruction, std::vector<Node>& nodes);
/// Bit i: operand i is a constant.
std::uint8_t constant_operands(const Recorder& recorder, const Instruction& instruction);

/// The rule for operand k: the last given one serves all further operands.
template <class Rule>
Rule rule_for(const Rule (&rules)[3], std::size_t k) {
    Rule rule = rules[k < 3 ? k : 2];
    for (std::size_t i = k < 3 ? k : 2; !rule && i-- > 0;) rule = rules[i];
    return rule;
}

}  // namespace gradtape::detail

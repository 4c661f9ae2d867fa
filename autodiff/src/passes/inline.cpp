// Inlining: a call's body takes its place, and so the passes that follow see through it.
#include "rewrite.hpp"

#include <unordered_set>

namespace gradtape::detail {
namespace {

/// Calls within calls multiply: beyond so many instructions in all, they stay calls, whose bodies are plans of their own.
constexpr std::uint64_t most_instructions = std::uint64_t(1) << 18;

const Subprogram* body_of(const Instruction& instruction) {
    if (!instruction.primitive->inlined) return nullptr;
    for (const Attribute& attribute : instruction.attributes.list())
        if (const Subprogram* its = std::get_if<Subprogram>(&attribute.value)) return its;
    return nullptr;
}

/// Appends the body's instructions. Its results, in new numbers.
std::vector<Index> append_body(Rewriter& rewriter, const Body& body, const Instruction& call) {
    std::vector<Index> now;
    std::size_t input = 0, constant = 0;
    for (Index i = 0; i < body.instructions.size(); ++i) {
        if (input < body.inputs.size() && body.inputs[input] == i) {
            now.push_back(call.operands[input++]);
            continue;
        }
        Instruction made = body.instructions[i];
        for (std::size_t k = 0; k < made.operands.size(); ++k) made.operands[k] = now[made.operands[k]];
        now.push_back(rewriter.append(std::move(made)));
        if (constant < body.constants.size() && body.constants[constant].index == i)
            rewriter.give(now.back(), body.constants[constant++].value);
    }
    std::vector<Index> results;
    for (Index output : body.outputs) results.push_back(now[output]);
    return results;
}

class Inliner {
public:
    /// The calls of the program itself take their places; those within their bodies, which have been counted, come there.
    Body inline_once(const Body& body) {
        Rewriter rewriter(body);
        std::vector<std::vector<Index>> results(body.instructions.size());
        found_ = false;
        for (Index i = 0; i < body.instructions.size(); ++i) {
            const Instruction& instruction = body.instructions[i];
            const Subprogram* its = body_of(instruction);
            if (its && takes(*its)) {
                results[i] = append_body(rewriter, its->program().body(), rewriter.renumbered(i));
                rewriter.replace(i, results[i][0]);
            } else if (instruction.primitive->takes_result && !results[instruction.operands[0]].empty()) {
                const auto k = std::size_t(instruction.attributes.get<std::int64_t>("index"));
                rewriter.replace(i, results[instruction.operands[0]][k]);
            } else {
                rewriter.keep(i);
            }
        }
        first_ = false;
        return std::move(rewriter).finish();
    }
    bool found() const noexcept { return found_; }

private:
    bool takes(const Subprogram& its) {
        if (first_ ? its.weight() > left_ : kept_.contains(its.hash())) {
            kept_.insert(its.hash());
            return false;
        }
        if (first_) left_ -= its.weight();
        return found_ = true;
    }

    std::uint64_t left_ = most_instructions;
    bool first_ = true, found_ = false;
    std::unordered_set<std::size_t> kept_;  // what stays a call: by hash, since no bit depends on it
};

}  // namespace

Body inline_calls(const Body& body) {
    Inliner inliner;
    Body result = inliner.inline_once(body);
    while (inliner.found()) result = inliner.inline_once(result);  // once for each depth of calls
    return result;
}

}  // namespace gradtape::detail

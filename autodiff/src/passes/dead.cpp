// Dead code: only what an output, an update or an effect (a guard) needs stays.
#include "rewrite.hpp"

namespace gradtape::detail {

Body remove_dead(const Body& body) {
    const std::size_t size = body.instructions.size();
    std::vector<char> live(size);
    for (Index i : body.outputs) live[i] = true;
    for (Index i : body.inputs) live[i] = true;
    for (Index i : body.parameters) live[i] = true;
    for (const Body::Update& update : body.updates) live[update.value] = true;
    for (std::size_t i = size; i-- > 0;) {
        const Instruction& instruction = body.instructions[i];
        if (instruction.primitive->effect) live[i] = true;
        if (!live[i]) continue;
        for (Index operand : instruction.operands) live[operand] = true;
    }
    Rewriter rewriter(body);
    for (Index i = 0; i < size; ++i)
        if (live[i]) rewriter.keep(i);
    return std::move(rewriter).finish();
}

}  // namespace gradtape::detail

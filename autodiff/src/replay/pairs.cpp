// Finding pairs, in one pass over the groups.
#include "pairs.hpp"

namespace gradtape::detail {
namespace {

/// How often each value is read, results and updates included; a value with another name (a reshape) counts as read.
std::vector<std::uint32_t> count_reads(const Program::Body& body, const Schedule& schedule) {
    std::vector<std::uint32_t> reads(body.instructions.size());
    const auto read = [&](Index i) { ++reads[schedule.root[i]]; };
    for (const Instruction& instruction : body.instructions)
        for (Index operand : instruction.operands) read(operand);
    for (Index output : body.outputs) read(output);
    for (const auto& update : body.updates) read(update.value);
    return reads;
}

}  // namespace

Loop loop_of_pair(const Instruction& first, const Instruction& second, std::uint8_t place) {
    const DType dtype = second.type.dtype;
    if (!is_floating(dtype) || first.type.dtype != dtype) return nullptr;
    if (first.primitive->joins < 0 || !second.primitive->joined) return nullptr;
    return second.primitive->joined->loops[first.primitive->joins][place][dtype == DType::float64];
}

Pairs find_pairs(const Program::Body& body, const Schedule& schedule) {
    const std::size_t size = body.instructions.size();
    Pairs pairs{std::vector(size, no_index), std::vector<std::uint8_t>(size), std::vector<char>(size)};
    const std::vector<std::uint32_t> reads = count_reads(body, schedule);
    for (std::uint32_t u = 0; u < schedule.units.size(); ++u) {
        if (schedule.units[u].kind != Unit::Kind::group) continue;
        for (Index i : schedule.units[u].members) {
            const Instruction& second = body.instructions[i];
            if (!second.primitive->elementwise) continue;
            for (std::uint8_t k = 0; k < second.operands.size(); ++k) {
                const Index r = schedule.root[second.operands[k]];
                if (schedule.unit_of[r] != u || reads[r] != 1 || pairs.first[r] != no_index) continue;
                if (!body.instructions[r].primitive->elementwise || !loop_of_pair(body.instructions[r], second, k)) continue;
                pairs.first[i] = r;
                pairs.place[i] = k;
                pairs.hidden[r] = 1;
                break;
            }
        }
    }
    return pairs;
}

}  // namespace gradtape::detail

// Finding pairs, in one pass over the groups.
#include "pairs.hpp"

#include "../passes/rewrite.hpp"

namespace gradtape::detail {
namespace {

/// How often each value is read, under whichever name; one with another name (a reshape) counts as read by it.
std::vector<std::uint32_t> reads_of_values(const Program::Body& body, const Schedule& schedule) {
    const std::vector<std::uint32_t> by_name = count_reads(body);
    std::vector<std::uint32_t> reads(by_name.size());
    for (Index i = 0; i < by_name.size(); ++i) reads[schedule.root[i]] += by_name[i];
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
    const std::vector<std::uint32_t> reads = reads_of_values(body, schedule);
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

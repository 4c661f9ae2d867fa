#include "spread.hpp"

#include "../primitives/catalogue.hpp"

namespace gradtape::detail {

Spread spread_of(const Instruction& instruction, const Shape& from) {
    if (instruction.primitive != &primitive(Op::broadcast_to)) return Spread::none;
    const Shape& to = instruction.type.shape;
    if (to.elements() == 0) return Spread::none;
    if (from.elements() == 1) return Spread::repeat;
    // Without leading ones, a row is a suffix of the result's shape.
    std::size_t ones = 0;
    while (ones < from.rank() && from[ones] == 1) ++ones;
    const std::size_t rank = from.rank() - ones;
    bool row = true;
    for (std::size_t i = 0; i < rank; ++i) row = row && from[ones + i] == to[to.rank() - rank + i];
    if (row) return Spread::row;
    // A column is a prefix followed by ones.
    if (from.rank() != to.rank()) return Spread::none;
    std::size_t same = 0;
    while (same < to.rank() && from[same] == to[same]) ++same;
    for (std::size_t i = same; i < to.rank(); ++i)
        if (from[i] != 1) return Spread::none;
    return Spread::column;
}

}  // namespace gradtape::detail

#include "joins.hpp"

#include "../kernels/kernels.hpp"
#include "../passes/rewrite.hpp"

namespace gradtape::detail {
namespace {

Index other_operand(const Instruction& z, Index x) { return z.operands[z.operands[0] == x ? 1 : 0]; }

}  // namespace

Joins::Joins(const Program::Body& body, Schedule& schedule)
    : body_(body), schedule_(schedule), reads_(count_reads(body)) {}

/// A bias, and then relu, join the product that nothing else reads, where its kernel can do that.
bool Joins::finishes_product(Index i) {
    const Instruction& z = at(i);
    const bool relu = z.primitive == &primitive(Op::relu);
    if (!relu && z.primitive != &primitive(Op::add)) return false;
    for (Index x : z.operands)
        if (relu ? may_finish(i, x, Op::add, 2) : may_finish(i, x, Op::matmul, 1)) {
            schedule_.append_to(schedule_.unit_of[x], i);
            return true;
        }
    return false;
}

/// Whether i may go on where x ends, which is by `op` and the last of `members` in the unit of a product.
bool Joins::may_finish(Index i, Index x, Op op, std::size_t members) const {
    const std::uint32_t unit = schedule_.unit_of[x];
    if (at(x).primitive != &primitive(op) || reads_[x] != 1 || unit == no_unit) return false;
    const Unit& u = schedule_.units[unit];
    if (u.kind != Unit::Kind::call || u.members.size() != members) return false;
    return members == 2 || (is_bias(other_operand(at(i), x), at(i), unit) && can_finish(x));
}

/// Whether b is a row that is known before `unit`, repeated for all rows of z.
bool Joins::is_bias(Index b, const Instruction& z, std::uint32_t unit) const {
    if (schedule_.spread[b] != Spread::row || z.type.shape.rank() != 2) return false;
    const Index row = schedule_.root[at(b).operands[0]];
    return at(row).type.shape.elements() == z.type.shape[1] && schedule_.spread[row] == Spread::none &&
           schedule_.first_after(row) <= unit;
}

bool Joins::can_finish(Index product) const {
    const Instruction& p = at(product);
    const Type* const operands[] = {&at(p.operands[0]).type, &at(p.operands[1]).type};
    return kernels_of(*p.primitive).prepare({operands, 2}, p.type, p.attributes).finish >= 0;
}

}  // namespace gradtape::detail

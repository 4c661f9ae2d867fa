// Which instructions a neighbour's kernel does along: the join pass.
#pragma once

#include "../primitives/catalogue.hpp"
#include "schedule.hpp"

namespace gradtape::detail {

/// Works on a schedule while fusion makes it, one instruction after the other.
class Joins {
public:
    Joins(const Program::Body& body, Schedule& schedule);

    /// Whether instruction i has joined a unit that is already there.
    bool take(Index i) { return finishes_product(i); }

private:
    const Instruction& at(Index i) const { return body_.instructions[i]; }

    bool finishes_product(Index i);
    bool may_finish(Index i, Index x, Op op, std::size_t members) const;
    bool is_bias(Index b, const Instruction& z, std::uint32_t unit) const;
    bool can_finish(Index product) const;

    const Program::Body& body_;
    Schedule& schedule_;
    std::vector<std::uint32_t> reads_;  // by instruction
};

}  // namespace gradtape::detail

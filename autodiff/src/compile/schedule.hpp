// Which instructions run together, and in which order: the fusion pass.
#pragma once

#include <gradtape/compile.hpp>

#include "spread.hpp"

#include <algorithm>

namespace gradtape::detail {

inline constexpr std::uint32_t no_unit = ~0u;

/// What one step of the plan will do.
struct Unit {
    enum class Kind : std::uint8_t { group, call, guard, row_sum };
    Kind kind;
    std::int64_t count = 0;      ///< group: number of elements
    std::vector<Index> members;  ///< group: operands first; else the one that has the kernel, and those that it does along
};

/// Neighbouring units that work row by row on the same number of rows: they run one after the other for a stretch of rows,
/// while what they hand on is in the cache, and then for the next.
struct RowLoop {
    std::uint32_t first, last;  ///< units
    std::int64_t rows, stretch; ///< the second divides the first
};

struct Schedule {
    std::vector<Unit> units;
    std::vector<RowLoop> loops;          ///< in their order
    std::vector<std::uint32_t> unit_of;  ///< by instruction; no_unit for leaves, aliases, and broadcasts read in passing
    std::vector<Index> root;             ///< by instruction: the value whose bytes it has
    std::vector<Spread> spread;          ///< by instruction

    /// The first unit that may use the value r, written out whole.
    std::uint32_t first_after(Index r) const { return unit_of[r] == no_unit ? 0 : unit_of[r] + 1; }
    /// Whether r is of all rows of a loop together, which is there when the loop has ended.
    bool is_of_all_rows(Index r) const { return unit_of[r] != no_unit && units[unit_of[r]].kind == Unit::Kind::row_sum; }
    /// The loop that unit u is part of; null where it is part of none.
    const RowLoop* loop_of(std::uint32_t u) const {
        const auto after = std::partition_point(loops.begin(), loops.end(), [u](const RowLoop& l) { return l.last < u; });
        return after != loops.end() && after->first <= u ? &*after : nullptr;
    }
    /// Instruction i becomes the unit's last member.
    void append_to(std::uint32_t unit, Index i) {
        units[unit].members.push_back(i);
        unit_of[i] = unit;
    }
};

/// Without `fuse`, every instruction is a unit of its own.
Schedule schedule(const Program::Body& body, const CompileOptions& options);

}  // namespace gradtape::detail

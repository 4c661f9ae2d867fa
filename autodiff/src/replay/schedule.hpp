// Which instructions run together, and in which order: the fusion pass.
#pragma once

#include <gradtape/compile.hpp>

#include "../ir/program.hpp"

namespace gradtape::detail {

inline constexpr std::uint32_t no_unit = ~0u;

/// What one step of the plan will do.
struct Unit {
    enum class Kind : std::uint8_t { group, call, guard };
    Kind kind;
    std::int64_t count = 0;      ///< group: number of elements
    std::vector<Index> members;  ///< group: in program order; else the one that has the kernel, and those that it does along
};

/// How a broadcast can be read by a group without being written out first.
enum class Spread : std::uint8_t { none, repeat, row, column };

struct Schedule {
    std::vector<Unit> units;
    std::vector<std::uint32_t> unit_of;  ///< by instruction; no_unit for leaves, aliases, and broadcasts read in passing
    std::vector<Index> root;             ///< by instruction: the value whose bytes it has
    std::vector<Spread> spread;          ///< by instruction
};

/// Without `fuse`, every instruction is a unit of its own.
Schedule schedule(const Program::Body& body, const CompileOptions& options);

}  // namespace gradtape::detail

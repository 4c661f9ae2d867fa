// How groups read broadcasts.
#pragma once

#include "../ir/program.hpp"

namespace gradtape::detail {

/// How a broadcast can be read by a group without being written out first: not at all; one element for all; the operand
/// as a row, over and over; each of its elements a number of times.
enum class Spread : std::uint8_t { none, repeat, row, column };

/// `none` for what is not a broadcast. `from` is the operand's shape.
Spread spread_of(const Instruction& instruction, const Shape& from);

}  // namespace gradtape::detail

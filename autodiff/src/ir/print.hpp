// One instruction as text, for printouts and files.
#pragma once

#include "instruction.hpp"

namespace gradtape::detail {

/// How the text gives NaN: as `nan`, or by its bits, `nan:7ff8000000000000`, so that it reads back bit for bit.
enum class NanText : bool { short_form, bits };

std::string value_text(const Attribute::Value& value, NanText nan);

/// "%3 = sum %2 axes=(1,) keepdims=false : float64(2,)", without the source line.
std::string instruction_text(Index index, const Instruction& instruction, NanText nan);

}  // namespace gradtape::detail

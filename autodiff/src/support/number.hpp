// Numbers as text, and back.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace gradtape::detail {

/// The shortest text that reads back as the same number, whatever the thread's rounding mode and however it treats
/// subnormal numbers.
std::string shortest(float number);
std::string shortest(double number);

/// The number that all of `text` is, rounded to nearest; none where it is no number or out of range.
std::optional<double> read_number(std::string_view text);

}  // namespace gradtape::detail

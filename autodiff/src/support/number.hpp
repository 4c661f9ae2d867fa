// Numbers as text, and back; and which element types hold them.
#pragma once

#include <gradtape/shape.hpp>

#include <cmath>
#include <optional>
#include <string>
#include <string_view>

namespace gradtape::detail {

/// The shortest text that reads back as the same number, whatever the thread's rounding mode and however it treats
/// subnormal numbers; "nan" for every NaN.
std::string shortest(float number);
std::string shortest(double number);

/// The number that all of `text` is, rounded to nearest; none where it is no number or out of range.
std::optional<double> read_number(std::string_view text);

inline std::string digits(Number number) {
    return number.whole() ? std::to_string(number.integer()) : shortest(number.value());
}

/// Whether a value of this dtype can be the number: an integer, for booleans 0 or 1. Floating types round, but a finite
/// number is not to become an infinity.
inline bool holds(DType dtype, Number number) {
    const double value = number.value();
    switch (dtype) {
        case DType::boolean: return value == 0 || value == 1;
        case DType::int64: return number.whole() || (std::trunc(value) == value && value >= -0x1p63 && value < 0x1p63);
        case DType::float32: return !std::isfinite(value) || std::isfinite(float(value));
        default: return true;
    }
}

/// Whether the number, as a value of this dtype, is the same as a double.
inline bool is_double(DType dtype, Number number) {
    constexpr std::int64_t most = std::int64_t(1) << 53;
    return dtype != DType::int64 || !number.whole() || (number.integer() <= most && number.integer() >= -most);
}

}  // namespace gradtape::detail

// Conversion of one element to another type: the rule of Tensor::as, cast and constants.
#pragma once

#include <cstdint>
#include <type_traits>

namespace gradtape::detail {

/// As static_cast, but defined for every value: to a boolean (bool, or the byte that a tensor stores) x ≠ 0; from
/// floating to int64 towards zero, saturating, NaN to 0.
template <class To, class From>
constexpr To convert(From x) {
    if constexpr (std::is_same_v<To, bool> || std::is_same_v<To, std::uint8_t>) {
        return To(x != From(0));
    } else if constexpr (std::is_same_v<To, std::int64_t> && std::is_floating_point_v<From>) {
        constexpr From limit = From(9223372036854775808.0);
        return x != x ? 0 : x >= limit ? INT64_MAX : x < -limit ? INT64_MIN : std::int64_t(x);
    } else {
        return To(x);
    }
}

}  // namespace gradtape::detail

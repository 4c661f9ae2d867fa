// Hashes of several values.
#pragma once

#include <cstddef>
#include <cstdint>

namespace gradtape::detail {

/// The hash of what `seed` is the hash of, followed by `value`.
inline std::size_t mix(std::size_t seed, std::uint64_t value) {
    return std::size_t((seed ^ value) * 0x9E3779B97F4A7C15u) ^ (seed >> 31);
}

}  // namespace gradtape::detail

// What has the same bits on every platform: the generator behind all random numbers, and the logarithm behind their
// distributions. nn's streams and the operations of random.hpp are made of these two.
#pragma once

#include <array>
#include <cstdint>

namespace gradtape {

/// The Philox 4x32-10 block function (Salmon, Moraes, Dror, Shaw 2011): 128 random bits from a counter and a key.
std::array<std::uint32_t, 4> philox4x32_10(std::array<std::uint32_t, 4> counter, std::array<std::uint32_t, 2> key) noexcept;

/// The natural logarithm of a normal x > 0 in basic operations only, within 3 units in the last place; libm's bits differ
/// between platforms.
double portable_log(double x) noexcept;

}  // namespace gradtape

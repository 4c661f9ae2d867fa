// Random numbers that are the same on every platform, and initial weights.
#pragma once

#include <gradtape/error.hpp>
#include <gradtape/portable.hpp>
#include <gradtape/tensor.hpp>

#include <array>
#include <functional>
#include <string_view>

namespace gradtape::nn {

/// A stream of random numbers, fixed by (seed, name, block): Philox with the seed as key, and as counter the block
/// number (low half) and a hash of the name (high half). Own distributions on + − × ÷ √ only, since those of <random>
/// and libm differ between platforms.
class Stream {
public:
    Stream(std::uint64_t seed, std::string_view name, std::uint64_t block = 0);

    std::uint32_t bits32();
    std::uint64_t bits64();
    /// In [0, 1): the top 53 bits.
    double uniform() { return double(bits64() >> 11) * 0x1p-53; }
    /// In [low, high).
    double uniform(double low, double high);
    /// 0 … n−1, each equally likely (Lemire 2019, with rejection). ValueError where n = 0.
    std::uint64_t below(std::uint64_t n, Where where = Where::here());
    /// Mean 0, variance 1 (Marsaglia's polar method).
    double normal();
    /// Puts `items` in random order (Fisher–Yates).
    void shuffle(std::span<std::int64_t> items);

private:
    std::array<std::uint32_t, 2> key_;
    std::array<std::uint32_t, 2> name_;
    std::uint64_t block_;
    std::array<std::uint32_t, 4> words_{};
    unsigned used_ = 4;
};

/// Makes the initial value of a parameter. What it refuses, it refuses at the line that made it.
using Initialiser = std::function<Tensor(const Type& type, Stream& random)>;

/// Every element `value`.
Initialiser constant(double value, Where where = Where::here());
/// U(low, high).
Initialiser uniform(double low, double high, Where where = Where::here());
/// N(mean, deviation²).
Initialiser normal(double mean, double deviation, Where where = Where::here());
/// U(−b, b) with b = gain √(6 / (in + out)) (Glorot, Bengio 2010), for a weight of shape (out, in).
Initialiser xavier_uniform(double gain = 1, Where where = Where::here());
/// N(0, gain² 2 / (in + out)).
Initialiser xavier_normal(double gain = 1, Where where = Where::here());
/// U(−b, b) with b = √(6 / in) (He et al. 2015): for relu.
Initialiser kaiming_uniform(Where where = Where::here());
/// N(0, 2 / in).
Initialiser kaiming_normal(Where where = Where::here());

}  // namespace gradtape::nn

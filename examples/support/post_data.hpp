// The post's two examples as data: point sets, initial weights, published weights and training schedules,
// all from one small generator, so that every number can be reproduced anywhere.
#pragma once

#include <gradtape/tensor.hpp>

#include <array>
#include <cstdint>
#include <vector>

namespace post {

/// Steele, Lea and Flood's SplitMix64 (2014), with draws that no standard library can change.
class SplitMix64 {
public:
    explicit SplitMix64(std::uint64_t seed) : state_(seed) {}

    /// The next 64 bits.
    std::uint64_t next();
    /// A number in [a, b): a + (b − a) times the top 53 bits of one draw.
    double u(double a = 0, double b = 1);
    /// An integer in [0, n), n < 2^32, from the top 32 bits of one draw.
    std::uint64_t below(std::uint64_t n);
    /// A point of the unit disc, by rejection from the square.
    std::array<double, 2> disc();
    /// Fisher and Yates, from the last element down.
    void shuffle(std::vector<std::int64_t>& order);

private:
    std::uint64_t state_;
};

/// X is (n, 3): two coordinates and a constant 1; y is (n,), 1 or −1. Both float64.
struct DataSet {
    gradtape::Tensor X;
    gradtape::Tensor y;
};

/// 200 points in two groups that a line separates.
DataSet data_1();
/// 160 points: 80 in a disc of radius 1.8 around the origin, 80 in a ring around the origin that overlaps it.
DataSet data_2();
/// 160 points: 80 around the origin, 20 in each of four corner groups.
DataSet data_2c();

/// The smallest rectangle around the points, for pictures: least x, greatest x, least y, greatest y.
std::array<double, 4> bounds(const DataSet& data);

/// The rows of `data` at `order[first] … order[first + count − 1]`.
DataSet rows(const DataSet& data, const std::vector<std::int64_t>& order, std::size_t first, std::size_t count);

/// Which of the weights met in an epoch become its result: those after the last step; those with the least loss over the
/// whole training set, among the epoch's first and those after each step; or the mean of those after each step.
enum class Select { last, best, average };

struct Phase {
    int epochs;
    double rate;
    Select select;
};

/// Everything that defines one of the examples. Layers use the sigmoid of slope k.
struct Example {
    DataSet data;
    std::vector<std::int64_t> widths;
    std::vector<Phase> phases;
    std::int64_t batch = 10;
    double k = 2;
};

/// Data 1, 3-3-1, 46 epochs: learning rates 1, 2, 1, 2.
Example separable();
/// Data 2, 3-5-1, 56 epochs: one at 5 best, ten at 2, thirty at 1 best, five averaged, ten at 0.5.
Example bounded();
/// What `bounded` is compared with: 56 epochs, learning rate 1, always last.
std::vector<Phase> plain_phases();

/// Where run w starts. `generator` has drawn the weights and goes on to shuffle `order` at the start of each epoch;
/// batches are consecutive slices of `order`, which keeps its permutation from epoch to epoch.
struct Run {
    Run(std::uint64_t w, const std::vector<std::int64_t>& widths, std::int64_t samples);

    SplitMix64 generator;
    std::vector<gradtape::Tensor> weights;  ///< W^0, W^1, …: float64 (k_{t+1}, k_t), uniform on (−1.5, 1.5)
    std::vector<std::int64_t> order;        ///< 0, 1, …, samples − 1
};

/// The weights the post constructs for the second example. With its c = 3 the positive region is an endless cross;
/// it is bounded for c between 3.365165 and 4.459660.
std::vector<gradtape::Tensor> constructed_weights(double c = 3);
/// The weights the post's training ended with, as published.
std::vector<gradtape::Tensor> trained_weights();

/// The points at which both published networks are tabulated: (n, 3), the last column 1.
gradtape::Tensor tabulated_points();

}  // namespace post

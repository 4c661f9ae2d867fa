// What both of the post's examples need for their training: the network on a tape, and the comparison of its gradients
// with those derived by hand.
#pragma once

#include "post_data.hpp"

#include <gradtape/gradtape.hpp>

namespace post {

using gradtape::Node;
using gradtape::Tensor;

/// z of the output vertex for each row of x: (n, 1). W[t] is (k_{t+1}, k_t), and every layer but the input applies
/// σ_k(z) = 1/(1 + e^(−kz)). The output's own activation is left out: a point counts as positive where z > 0.
Node output_z(Node x, std::span<const Node> W, double k);

/// The same for given weights, without derivatives: the z of each row.
std::vector<double> output_z(std::span<const Tensor> W, const Tensor& x, double k);

/// How many points are on the wrong side; one whose z is NaN is.
int mislabelled(std::span<const double> z, const Tensor& y);

/// Compares gradients with those that are derived by hand, and remembers the worst.
class Witness {
public:
    explicit Witness(double k) : k_(k) {}

    /// `gradients` of the mean log-loss of (X, y) at the weights W, as the tape gives them.
    void compare(std::span<const Tensor> W, const Tensor& X, const Tensor& y, std::span<const Tensor> gradients);

    /// The largest difference of an entry seen, relative to the largest entry of its gradient. NaN once one was met.
    double worst() const noexcept { return worst_; }
    long compared() const noexcept { return compared_; }

private:
    double k_;
    double worst_ = 0;
    long compared_ = 0;
};

/// One training run, epoch by epoch.
struct RunResult {
    std::uint64_t seed = 0;
    std::vector<double> loss{};       ///< over the whole set, before the first epoch and after each
    std::vector<int> mislabelled{};   ///< likewise
    std::vector<Tensor> weights{};    ///< at the end

    /// The first epoch with every point right; none where there was none.
    std::optional<int> first_all_right() const;
    int epochs() const { return int(loss.size()) - 1; }
};

}  // namespace post

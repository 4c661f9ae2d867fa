// Trains the post's examples with explicit_backprop alone: the yardstick for every other trainer.
#pragma once

#include <gradtape/nn/explicit_backprop.hpp>

#include "examples/support/post_data.hpp"

namespace explicit_trainer {

namespace eb = gradtape::nn::explicit_backprop;

/// The mean log-loss over a whole data set, and how many of its points are on the wrong side of z = 0.
struct Score {
    double log_loss;
    std::int64_t mislabelled;
};

/// A network in which every layer is a sigmoid of slope k.
eb::Network network(std::vector<gradtape::Tensor> W, double k);
Score score(const eb::Network& network, const post::DataSet& data);

struct Result {
    eb::Network network;
    std::vector<Score> history;  ///< history[e]: after epoch e; history[0] is the start
    int first_all_right = -1;    ///< the first epoch with nothing mislabelled
};

/// Run w of `example`, as seed and schedule say. Throws std::runtime_error where the loss is not finite.
Result train(const post::Example& example, std::uint64_t w, const eb::Options& options = {});

}  // namespace explicit_trainer

// Losses: each is one number, the mean over the samples of the batch it is given. Rows are samples.
#pragma once

#include <gradtape/nn/labels.hpp>
#include <gradtape/tape.hpp>

namespace gradtape::nn {

/// Log-loss on logits: mean of softplus(−y z) with y = ±1 (labels 0, 1 are mapped to −1, +1). ∂/∂z = (σ(z) − ẙ)/n with
/// ẙ = (1+y)/2, at every z: never NaN, never 0 by rounding on the wrong side. For an output sigmoid with slope k give
/// k z. Labels of shape (n) go with logits of shape (n, 1), and may be of any dtype. ShapeError where the counts differ
/// or there is no sample; ValueError naming the first label outside the convention.
Node log_loss(Node logits, Node labels, Labels convention, Where where = Where::here());

/// Log-loss on probabilities p of label 1: −mean log q, q = p where the label is positive and 1 − p where it is not.
/// Where p is a recorded sigmoid this is `log_loss` on its logit. Otherwise log is continued by its tangent below
/// q = t, t = 2⁻⁵¹¹ (float32: 2⁻⁶³), so that value and gradient stay finite and the gradient is never 0 where q < 1.
/// ValueError where p is not in [0, 1]; a NaN in p propagates.
Node log_loss_from_probabilities(Node probabilities, Node labels, Labels convention, Where where = Where::here());

/// Softmax cross-entropy on logits z (n, classes): mean of −log softmax(z)[target]; ∂/∂z = (softmax(z) − t)/n.
/// Targets: int64 class numbers, (n) or (n, 1); or probabilities t (n, classes), one-hot among them. Selected, not
/// multiplied, so a masked logit (−inf) of another class adds nothing. ValueError where a class is out of range, or a
/// row of probabilities is negative or does not sum to 1.
Node cross_entropy(Node logits, Node targets, Where where = Where::here());

/// Mean of (prediction − target)² over all elements; ∂ = 2 (prediction − target)/count.
Node mean_squared_error(Node predictions, Node targets, Where where = Where::here());

}  // namespace gradtape::nn

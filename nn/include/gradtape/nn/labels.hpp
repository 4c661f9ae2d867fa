// What labels mean: stated by the user, never guessed.
#pragma once

#include <gradtape/error.hpp>
#include <gradtape/tensor.hpp>

namespace gradtape::nn {

enum class Labels {
    zero_one,        ///< two classes, 0 and 1
    plus_minus_one,  ///< two classes, −1 and +1
    classes,         ///< int64 class numbers 0, 1, 2, …
    real,            ///< any finite numbers: regression targets, probabilities
};

const char* to_string(Labels convention) noexcept;

/// ValueError with the first row and value that `convention` does not allow; DTypeError where `classes` are not int64.
/// `asked_by` leads the message.
void check_labels(const Tensor& labels, Labels convention, const char* asked_by = "check_labels",
                  Where where = Where::here());

/// How many samples are labelled wrongly by `scores`. Two classes: a score (logit) > 0 means +1. Classes: the largest
/// score of the row. A NaN score is wrong. ValueError for `real` labels; ShapeError where the counts differ.
std::int64_t count_mislabelled(const Tensor& scores, const Tensor& labels, Labels convention,
                               Where where = Where::here());

}  // namespace gradtape::nn

// Data sets and mini-batches. Rows (the first axis) are samples.
#pragma once

#include <gradtape/nn/labels.hpp>

#include <functional>

namespace gradtape::nn {

struct Dataset {
    Tensor inputs;  ///< (n, …)
    Tensor labels;  ///< (n) or (n, …)
    Labels convention = Labels::real;

    std::int64_t size() const noexcept { return inputs.shape().empty() ? 0 : inputs.shape()[0]; }
};

/// Refuses, before any training: inputs and labels of different counts, no samples (ShapeError); NaN or infinity, with
/// row and column; labels outside the convention, with row and value (ValueError). Returns warnings: one class only.
std::vector<std::string> check(const Dataset& data, Where where = Where::here());

/// The given rows, in the given order. ValueError where a row does not exist.
Tensor take_rows(const Tensor& tensor, std::span<const std::int64_t> rows, Where where = Where::here());

struct Split {
    Dataset train, held_out;
};
/// Holds out `fraction` of the samples, chosen by a seeded shuffle, of each class alike (rounded; `real` labels count
/// as one class). Rows keep their order. ValueError where the fraction is not in [0, 1].
Split split(const Dataset& data, double fraction, std::uint64_t seed, Where where = Where::here());

/// What happens to the last batch of an epoch where the size does not divide the set.
enum class LastBatch {
    keep,   ///< a smaller batch, whose mean is over its own samples
    drop,   ///< left out
    error,  ///< refused at once
};

/// Rearranges the order of the rows at the start of epoch 1, 2, …; it finds the order of the epoch before.
using Reorder = std::function<void(int epoch, std::span<std::int64_t> order)>;

struct BatchOptions {
    std::int64_t size = 32;
    LastBatch last = LastBatch::keep;
    std::uint64_t seed = 0;  ///< each epoch is a fresh shuffle, fixed by (seed, epoch)
    Reorder reorder = {};    ///< where given, used in place of that shuffle
};

/// One batch. Its tensors are reused by the following batches as soon as nobody else holds them.
struct Batch {
    Tensor inputs, labels;
    Labels convention = Labels::real;
    std::span<const std::int64_t> rows = {};  ///< which rows of the data set
    int epoch = 0;                            ///< from 1; 0 where the batch is the user's own
    std::int64_t index = 0;                   ///< from 1, within the epoch
};

/// Deals a data set in batches, shuffled at every epoch:
/// `for (batches.start_epoch(); const nn::Batch* batch = batches.next();) trainer.step(*batch);`
class Batches {
public:
    /// ValueError where the size is not positive, or does not divide the set under LastBatch::error.
    Batches(const Dataset& data, BatchOptions options, Where where = Where::here());

    void start_epoch(Where where = Where::here());
    /// Null at the end of the epoch (and before the first). The batch is valid until the next call.
    const Batch* next();
    /// Number of batches in an epoch.
    std::int64_t count() const noexcept;
    /// "a batch of 300 is more than the 200 samples; using 200".
    const std::vector<std::string>& warnings() const noexcept { return warnings_; }

private:
    Dataset data_;
    BatchOptions options_;
    std::vector<std::int64_t> order_;
    std::int64_t position_ = 0;
    int epoch_ = 0;
    std::int64_t index_ = 0;
    Batch batch_;
    std::vector<std::string> warnings_;
};

}  // namespace gradtape::nn

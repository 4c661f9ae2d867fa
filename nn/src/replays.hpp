// Compiled recordings of a trainer's steps and evaluations, one for each combination of batch and parameter types.
#pragma once

#include <gradtape/compile.hpp>
#include <gradtape/nn/parameter.hpp>
#include <gradtape/watch.hpp>

namespace gradtape::nn {

/// One recording, ready to be run again on other batches and other weights.
class Replays {
public:
    /// What one run gives.
    struct Result {
        Tensor loss;
        std::optional<Tensor> scores;
        std::vector<Tensor> gradients;  ///< by parameter; zeros for one that the loss does not reach
    };

    /// Runs a recording made for these types; nothing where there is none that two calls have made alike, or where its
    /// guards fail: then record anew.
    std::optional<Result> run(const Tensor& inputs, const Tensor& labels, std::span<Parameter* const> parameters, Where where);
    /// Compiles what is recorded on `tape`, or finds that it is what was compiled; nothing where the watch has warned.
    /// `gradients` is empty for an evaluation.
    void add(const Tape& tape, const Tensor& inputs, const Tensor& labels, std::span<Parameter* const> parameters,
             Node loss, Node scores, std::span<const Node> gradients, std::size_t threads, Where where);
    const Watch& watch() const noexcept { return watch_; }

private:
    struct Entry {
        std::vector<Type> types;  ///< of inputs, labels and parameters
        Replay replay;
        std::vector<std::optional<std::size_t>> numbers;  ///< by parameter: its number in the recording
        bool scores;
        std::vector<std::optional<std::size_t>> gradients;  ///< by parameter: which output
        std::optional<Trace> trace;                         ///< until another call has recorded the same
    };
    static std::vector<Type> types_of(const Tensor& inputs, const Tensor& labels, std::span<Parameter* const> parameters);
    static Result run(Entry& entry, const Tensor& inputs, const Tensor& labels, std::span<Parameter* const> parameters,
                      Where where);

    bool confirm(const std::vector<Type>& types, const Trace& trace);

    static constexpr std::size_t most = 8;
    std::vector<Entry> entries_;  // the latest made last
    Watch watch_;
};

}  // namespace gradtape::nn

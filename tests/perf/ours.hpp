// gradtape doing the works: eagerly, where every run clears the tape and records anew, and by replay.
#pragma once

#include "contender.hpp"
#include "problems.hpp"

#include <gradtape/compile.hpp>

namespace perf {

Contender ours_post(const PostProblem& problem);
Contender ours_mlp(const MlpProblem& problem);
Contender ours_chain(const ChainProblem& problem);
Contender ours_fused(const std::vector<float>& x);
Contender ours_sum(const SumProblem& problem);
template <class T>
Contender ours_matmul(const MatmulProblem<T>& problem);

/// The training steps through nn: layers, losses and Trainer::step.
Contender trainer_post(const PostProblem& problem);
Contender trainer_mlp(const MlpProblem& problem);

/// The post's training step by the hand-derived equations of nn, which know nothing of the tape.
Contender explicit_post(const PostProblem& problem);

/// By replay: compiled when the contender is made; a run binds the inputs and replays, updates included.
Contender replayed_post(const PostProblem& problem);
Contender replayed_mlp(const MlpProblem& problem, const gradtape::CompileOptions& options = {});
Contender replayed_fused(const std::vector<float>& x);
Contender replayed_rows(const RowsProblem& problem, bool in_loops = true);

/// A contender, and how many instructions its program has.
struct Counted {
    Contender contender;
    double instructions;
};
/// The chain's value and gradients, replayed; and the compilation of that program.
Counted replayed_chain(const ChainProblem& problem);
Counted compiled_chain(const ChainProblem& problem);

/// Bytes for values of an MLP's training step: what a tape holds after recording loss and gradients; the arena of a
/// replay, where no buffer is used twice and as planned; and inputs, parameters and results, which any way needs.
struct StepBytes {
    double tape, without_reuse, planned, bound;
};
StepBytes bytes_of_mlp(const MlpProblem& problem);

/// An MLP's Hessian times a vector, by jvp of the gradient; the gradient alone; and the product by grad of the
/// gradient's slope along the vector. All replayed.
struct HessianVector {
    Contender product, gradient, reversed;
};
HessianVector hessian_vector(const MlpProblem& problem);

/// Gradients of each sample's loss by the post's weights: by vmap, or by a loop.
Contender per_sample(const PostProblem& problem, bool mapped);

}  // namespace perf

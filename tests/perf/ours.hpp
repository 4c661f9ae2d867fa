// gradtape doing the works, eagerly: every run clears the tape and records anew.
#pragma once

#include "contender.hpp"
#include "problems.hpp"

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

}  // namespace perf

// Code written by hand for one work each: what the library's times are held against.
#pragma once

#include "contender.hpp"
#include "problems.hpp"

namespace perf {

/// The post's training step as scalar loops for that one network.
Contender hand_post(const PostProblem& problem);

/// An MLP's training step with OpenBLAS and loops, and its matrix products alone.
struct HandMlp {
    Contender step;
    Contender products;
};
HandMlp hand_mlp(const MlpProblem& problem);

/// The chain's value and gradients, one loop over all operations for each element.
Contender hand_chain(const ChainProblem& problem);
/// The same for x's gradient alone, on SIMD registers: as many elements as fill some.
Contender hand_chain_simd(const ChainProblem& problem);

/// sum(tanh(x) sigmoid(x) + ½ exp(−x²)) and its gradient in one loop over SIMD registers.
Contender hand_fused(const std::vector<float>& x);

/// Sums as loops over SIMD registers.
Contender hand_sum(const SumProblem& problem);

/// Matrix products by one call of OpenBLAS each.
template <class T>
Contender hand_matmul(const MatmulProblem<T>& problem);

/// One thread for OpenBLAS; says which library it is.
const char* one_thread_blas();

}  // namespace perf

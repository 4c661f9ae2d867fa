// libtorch doing the same works, eagerly. Its headers stay behind this one: they take 30 s to compile.
#pragma once

#include "contender.hpp"
#include "problems.hpp"

#include <string>

namespace perf {

/// Sets libtorch to one thread and says which version it is; empty where the program was built without libtorch.
/// The contenders below are then empty too.
std::string start_torch();

Contender torch_post(const PostProblem& problem);
Contender torch_mlp(const MlpProblem& problem);
Contender torch_chain(const ChainProblem& problem);
Contender torch_fused(const std::vector<float>& x);
Contender torch_rows(const RowsProblem& problem);
Contender torch_sum(const SumProblem& problem);
template <class T>
Contender torch_matmul(const MatmulProblem<T>& problem);

}  // namespace perf

// Stands in for torch_peer.cpp where libtorch is not installed.
#include "torch_peer.hpp"

namespace perf {

std::string start_torch() { return {}; }

Contender torch_post(const PostProblem&) { return {}; }
Contender torch_mlp(const MlpProblem&) { return {}; }
Contender torch_chain(const ChainProblem&) { return {}; }
Contender torch_fused(const std::vector<float>&) { return {}; }
Contender torch_rows(const RowsProblem&) { return {}; }
Contender torch_sum(const SumProblem&) { return {}; }
template <class T>
Contender torch_matmul(const MatmulProblem<T>&) {
    return {};
}
template Contender torch_matmul(const MatmulProblem<float>&);
template Contender torch_matmul(const MatmulProblem<double>&);

}  // namespace perf

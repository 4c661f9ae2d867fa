// One thread for everything that is measured.
#include "start.hpp"

#include "hand.hpp"
#include "torch_peer.hpp"

#include <cstdio>

namespace perf {

std::string start() {
    const char* blas = one_thread_blas();
    const std::string torch = start_torch();
    one_thread_blas();  // once more: libtorch shares this OpenBLAS
    std::fprintf(stderr, "%s; %s; one thread\n", blas,
                 torch.empty() ? "built without libtorch (libtorch-dev), which is skipped" : torch.c_str());
    return torch;
}

}  // namespace perf

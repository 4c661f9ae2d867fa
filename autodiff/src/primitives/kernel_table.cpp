// The kernels of one instruction set, in the catalogue's order.
#include "catalogue.hpp"

#include "../kernels/kernels.hpp"

namespace gradtape::detail::GRADTAPE_ISA {

#define X(name) extern const Kernels name##_k;
GRADTAPE_WITH_KERNELS(X)
#undef X

extern const Kernels* const kernels[];
const Kernels* const kernels[] = {
#define X(name) nullptr,
    GRADTAPE_WITHOUT_KERNELS(X)
#undef X
#define X(name) &name##_k,
    GRADTAPE_WITH_KERNELS(X)
#undef X
};

}  // namespace gradtape::detail::GRADTAPE_ISA

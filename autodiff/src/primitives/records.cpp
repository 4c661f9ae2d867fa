// The records of one instruction set, in the catalogue's order.
#include "catalogue.hpp"

namespace gradtape::detail::GRADTAPE_ISA {

#define X(name) extern const Primitive name##_p;
GRADTAPE_CATALOGUE(X)
#undef X

extern const Primitive* const records[];
const Primitive* const records[] = {
#define X(name) &name##_p,
    GRADTAPE_CATALOGUE(X)
#undef X
};

}  // namespace gradtape::detail::GRADTAPE_ISA

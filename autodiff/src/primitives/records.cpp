// The table of records, and the choice of a table of kernels beside it.
#include "catalogue.hpp"

#include "../kernels/kernels.hpp"

#include <cstdlib>

namespace gradtape {
namespace detail {

namespace record {
#define X(name) extern const Primitive name##_p;
GRADTAPE_CATALOGUE(X)
#undef X
}  // namespace record

const Primitive* const records[] = {
#define X(name) &record::name##_p,
    GRADTAPE_CATALOGUE(X)
#undef X
};

namespace base {
extern const Kernels* const kernels[];
}
#ifdef GRADTAPE_WITH_AVX2
namespace avx2 {
extern const Kernels* const kernels[];
}
#endif
#ifdef GRADTAPE_WITH_AVX512
namespace avx512 {
extern const Kernels* const kernels[];
}
#endif

namespace {

/// GRADTAPE_ISA=base or avx2 asks for less than the processor offers (for tests); anything else is ignored.
KernelTable choose() {
    const char* asked = std::getenv("GRADTAPE_ISA");
    const std::string_view isa = asked ? asked : "";
    if (isa == "base") return base::kernels;
#ifdef GRADTAPE_WITH_AVX512
    const bool avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512cd") &&
                        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
                        __builtin_cpu_supports("avx512bw");
    if (avx512 && isa != "avx2") return avx512::kernels;
#endif
#ifdef GRADTAPE_WITH_AVX2
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return avx2::kernels;
#endif
    return base::kernels;
}

}  // namespace

KernelTable kernel_table() {
    static const KernelTable chosen = choose();
    return chosen;
}

}  // namespace detail

std::span<const Primitive* const> primitive_table() { return detail::records; }

}  // namespace gradtape

// Picks the records of the best instruction set that this processor runs, once.
#include "catalogue.hpp"

#include <cstdlib>

namespace gradtape {
namespace detail {

namespace base {
extern const Primitive* const records[];
}
#ifdef GRADTAPE_WITH_AVX2
namespace avx2 {
extern const Primitive* const records[];
}
#endif
#ifdef GRADTAPE_WITH_AVX512
namespace avx512 {
extern const Primitive* const records[];
}
#endif

namespace {

constexpr std::size_t count = 0
#define X(name) +1
    GRADTAPE_CATALOGUE(X)
#undef X
    ;

/// GRADTAPE_ISA=base or avx2 asks for less than the processor offers (for tests); anything else is ignored.
const Primitive* const* choose() {
    const char* asked = std::getenv("GRADTAPE_ISA");
    const std::string_view isa = asked ? asked : "";
    if (isa == "base") return base::records;
#ifdef GRADTAPE_WITH_AVX512
    const bool avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512cd") &&
                        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
                        __builtin_cpu_supports("avx512bw");
    if (avx512 && isa != "avx2") return avx512::records;
#endif
#ifdef GRADTAPE_WITH_AVX2
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return avx2::records;
#endif
    return base::records;
}

const Primitive* const* chosen() {
    static const Primitive* const* const records = choose();
    return records;
}

}  // namespace

const Primitive& primitive(Op op) { return *chosen()[std::size_t(op)]; }

}  // namespace detail

std::span<const Primitive* const> primitive_table() { return {detail::chosen(), detail::count}; }

}  // namespace gradtape

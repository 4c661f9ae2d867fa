// Loops that are gone before the compiler decides what lives in registers.
#pragma once

#include <utility>

#define GRADTAPE_INLINE __attribute__((always_inline)) inline
#define GRADTAPE_INLINE_LAMBDA __attribute__((always_inline))
/// What such a function calls becomes part of it, where GCC sees it through: long functions of xsimd would be calls, with their registers saved.
#define GRADTAPE_FLAT __attribute__((flatten))

namespace gradtape::detail::GRADTAPE_ISA {
namespace {

/// f(0), …, f(n - 1) with constants: arrays indexed by them stay in registers, which a loop does not guarantee.
template <int n, class F>
GRADTAPE_INLINE void unroll(F f) {
    [&]<int... i>(std::integer_sequence<int, i...>) GRADTAPE_INLINE_LAMBDA {
        (f(std::integral_constant<int, i>{}), ...);
    }(std::make_integer_sequence<int, n>{});
}

}  // namespace
}  // namespace gradtape::detail::GRADTAPE_ISA

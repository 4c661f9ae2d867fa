// Register-blocked matrix products: of small sizes, at which a BLAS call costs more than the arithmetic, and of larger
// ones where OpenBLAS knows no kernels for the processor.
#pragma once

#include "product.hpp"

namespace gradtape::detail::GRADTAPE_ISA {

/// The same product as `gemm`, for any size. Every element of c is one sequential sum over k, with fused
/// multiply-add where the instruction set has it, so it does not depend on the blocking. (With `add` and b stored (n, k),
/// it is c plus one scaled sum for each 256 of k.) Float, double, int64.
template <class T>
void small_gemm(const Product<T>& product);

/// Whether `small_gemm` beats OpenBLAS at this size (measured by tests/perf/gemm_small.cpp).
template <class T>
bool small_gemm_wins(bool ta, bool tb, std::int64_t m, std::int64_t n, std::int64_t k);

}  // namespace gradtape::detail::GRADTAPE_ISA

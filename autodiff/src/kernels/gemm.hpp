// Matrix products: chooses between the small kernel and OpenBLAS.
#pragma once

#include "kernels.hpp"

#include "product.hpp"

namespace gradtape::detail::GRADTAPE_ISA {

/// Whether the product goes to `small_gemm`, and not to OpenBLAS. Float and double.
template <class T>
bool gemm_is_small(bool ta, bool tb, std::int64_t m, std::int64_t n, std::int64_t k);

/// Into how many parts a product of these sizes may be cut: 1 where it is not worth while.
std::int64_t gemm_parts(std::int64_t m, std::int64_t n, std::int64_t k);

/// There are two ways of cutting: across the longer side of c, which is faster, and between rows. OpenBLAS's kernels
/// treat the edges of their blocks differently, so it depends on the processor which of them gives the bits of the
/// whole; products of the small kernel do either way.
inline constexpr std::int64_t gemm_ways = 2;

/// Those of the gemm_parts(m, n, k) parts of the product. k == 0 gives zeros (and leaves c as it is, if `add`); without
/// `add`, c is only written. Float, double and int64 (which wraps around and knows no `add`).
template <class T>
void gemm(const Product<T>& product, const Parts& parts);

/// Copies those parts of a matrix like c, from rows of n elements, to c.
template <class T>
void copy_part(const Product<T>& product, const T* from, const Parts& parts);

/// All of it.
template <class T>
void gemm(const Product<T>& product);

}  // namespace gradtape::detail::GRADTAPE_ISA

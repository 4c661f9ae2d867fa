// The choice between the small kernel and OpenBLAS.
#include "gemm.hpp"

#include <limits>
#include <type_traits>

#include "blas.hpp"
#include "small_gemm.hpp"

namespace gradtape::detail::GRADTAPE_ISA {

using std::int64_t;

template <class T>
void gemm(bool ta, bool tb, int64_t m, int64_t n, int64_t k, const T* a, const T* b, T* c) {
    if constexpr (!std::is_integral_v<T>) {
        constexpr int64_t largest = std::numeric_limits<int>::max();  // OpenBLAS counts in int
        const bool empty = m == 0 || n == 0 || k == 0;                // and complains of empty products
        const bool fits = !empty && m <= largest && n <= largest && k <= largest;
        if (fits && !small_gemm_wins<T>(ta, tb, m, n, k)) return blas_gemm(ta, tb, m, n, k, a, b, c);
    }
    small_gemm(ta, tb, m, n, k, a, b, c);
}

template <class T>
void batched_gemm(bool ta, bool tb, int64_t batch, int64_t m, int64_t n, int64_t k, const T* a, int64_t a_stride,
                  const T* b, int64_t b_stride, T* c) {
    for (int64_t i = 0; i < batch; ++i) gemm(ta, tb, m, n, k, a + i * a_stride, b + i * b_stride, c + i * m * n);
}

#define GRADTAPE_INSTANTIATE(T)                                                                          \
    template void gemm(bool, bool, int64_t, int64_t, int64_t, const T*, const T*, T*);                   \
    template void batched_gemm(bool, bool, int64_t, int64_t, int64_t, int64_t, const T*, int64_t, const T*, int64_t, \
                               T*);
GRADTAPE_INSTANTIATE(float)
GRADTAPE_INSTANTIATE(double)
GRADTAPE_INSTANTIATE(std::int64_t)
#undef GRADTAPE_INSTANTIATE

}  // namespace gradtape::detail::GRADTAPE_ISA

// Elementwise loops: one scalar-looking lambda becomes the loop over whole SIMD registers.
//
// There is no scalar tail: the last register is computed in full and its surplus lands in the buffer's padding. So a
// value's bits never depend on where in a buffer it stands.
#pragma once

#include <gradtape/primitive.hpp>

#include <xsimd/xsimd.hpp>

namespace gradtape::detail::GRADTAPE_ISA {
namespace {

/// z[i] = kernel(x0[i], …) for SIMD batches; `kernel` is a constexpr lambda.
template <const auto& kernel, class T, std::size_t arity>
void simd_loop(std::size_t count, const Stream* in, void* out) {
    using Batch = xsimd::batch<T>;
    constexpr std::size_t width = Batch::size;
    T* z = static_cast<T*>(out);
    const auto load = [&](std::size_t k, std::size_t i) {
        return Batch::load_unaligned(static_cast<const T*>(in[k].data) + i * in[k].step);
    };
    for (std::size_t i = 0; i < count; i += width) {
        if constexpr (arity == 1)
            kernel(load(0, i)).store_unaligned(z + i);
        else if constexpr (arity == 2)
            kernel(load(0, i), load(1, i)).store_unaligned(z + i);
        else
            kernel(load(0, i), load(1, i), load(2, i)).store_unaligned(z + i);
    }
}

/// The same one element at a time, for kernels that are exact or call the C library; the compiler vectorises the former.
/// From: the operands' types in turn; the last serves the rest.
template <const auto& kernel, class To, class... From>
void scalar_loop(std::size_t count, const Stream* in, void* out) {
    To* z = static_cast<To*>(out);
    const auto run = [&]<std::size_t... k>(std::index_sequence<k...>) {
        const bool whole = (... && (in[k].step == 1));
        // Operands and result are either disjoint or the same elements: nothing is carried from one to the next.
        if (whole)
#pragma GCC ivdep
            for (std::size_t i = 0; i < count; ++i) z[i] = To(kernel(static_cast<const From*>(in[k].data)[i]...));
        else
#pragma GCC ivdep
            for (std::size_t i = 0; i < count; ++i)
                z[i] = To(kernel(static_cast<const From*>(in[k].data)[i * in[k].step]...));
    };
    run(std::index_sequence_for<From...>());
}

}  // namespace
}  // namespace gradtape::detail::GRADTAPE_ISA

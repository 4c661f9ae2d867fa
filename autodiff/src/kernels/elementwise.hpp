// Elementwise loops: one scalar-looking lambda becomes the loop over whole SIMD registers.
//
// There is no scalar tail: the last register is computed in full and its surplus lands in the buffer's padding. So a
// value's bits never depend on where in a buffer it stands.
#pragma once

#include "kernels.hpp"

#include "unroll.hpp"
#include "xsimd.hpp"

namespace gradtape::detail::GRADTAPE_ISA {
namespace {

/// z[i] = kernel(x0[i], …) for SIMD batches; `kernel` is a constexpr lambda.
template <const auto& kernel, class T, std::size_t arity>
GRADTAPE_FLAT void simd_loop(std::size_t count, const Stream* in, void* out) {
    using Batch = xsimd::batch<T>;
    constexpr std::size_t width = Batch::size;
    T* z = static_cast<T*>(out);
    // Held in registers: the compiler must assume that a store through z changes whatever `in` points to.
    const T *x0 = static_cast<const T*>(in[0].data), *x1 = nullptr, *x2 = nullptr;
    const std::size_t step0 = width * in[0].step;
    std::size_t step1 = 0, step2 = 0;
    if constexpr (arity > 1) x1 = static_cast<const T*>(in[1].data), step1 = width * in[1].step;
    if constexpr (arity > 2) x2 = static_cast<const T*>(in[2].data), step2 = width * in[2].step;
    for (T* const end = z + count; z < end; z += width, x0 += step0, x1 += step1, x2 += step2) {
        if constexpr (arity == 1)
            kernel(Batch::load_unaligned(x0)).store_unaligned(z);
        else if constexpr (arity == 2)
            kernel(Batch::load_unaligned(x0), Batch::load_unaligned(x1)).store_unaligned(z);
        else
            kernel(Batch::load_unaligned(x0), Batch::load_unaligned(x1), Batch::load_unaligned(x2)).store_unaligned(z);
    }
}

/// An operand's elements, or the one value of a repeated operand: known outside of the loop, so that it vectorises.
template <class T>
struct Elements {
    const T* data;
    T operator[](std::size_t i) const { return data[i]; }
};
template <class T>
struct OneValue {
    T value;
    T operator[](std::size_t) const { return value; }
};

template <const auto& kernel, class To, class... Reader>
void loop_over(std::size_t count, To* z, Reader... x) {
    // Operands and result are either disjoint or the same elements: nothing is carried from one to the next.
#pragma GCC ivdep
    for (std::size_t i = 0; i < count; ++i) z[i] = To(kernel(x[i]...));
}

/// Settles the operands' readers one after the other; From are the types of those not settled yet.
template <const auto& kernel, class To, class First, class... From, class... Reader>
void settle(std::size_t count, const Stream* in, To* z, Reader... settled) {
    const Stream& stream = in[sizeof...(Reader)];
    const First* data = static_cast<const First*>(stream.data);
    const auto next = [&](auto reader) {
        if constexpr (sizeof...(From) == 0)
            loop_over<kernel>(count, z, settled..., reader);
        else
            settle<kernel, To, From...>(count, in, z, settled..., reader);
    };
    if (stream.step == 1)
        next(Elements<First>{data});
    else
        next(OneValue<First>{*data});
}

/// The same one element at a time, for kernels that are exact or call the C library; the compiler vectorises the former.
template <const auto& kernel, class To, class... From>
void scalar_loop(std::size_t count, const Stream* in, void* out) {
    settle<kernel, To, From...>(count, in, static_cast<To*>(out));
}

}  // namespace
}  // namespace gradtape::detail::GRADTAPE_ISA

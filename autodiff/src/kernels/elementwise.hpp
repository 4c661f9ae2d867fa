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

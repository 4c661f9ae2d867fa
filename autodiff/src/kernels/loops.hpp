// Building blocks of kernel tables: `binary_loops<kernel>().integers<exact>()`.
#pragma once

#include "chain.hpp"
#include "elementwise.hpp"

namespace gradtape::detail::GRADTAPE_ISA {
namespace {

/// −x by its sign bit. xsimd 8.1 computes 0 − x on AVX-512, which makes 0 of 0 and keeps the sign of NaN.
template <class Batch>
Batch negated(Batch x) {
    return x ^ Batch(typename Batch::value_type(-0.0));
}

#if defined(__AVX512F__)
/// The lanes that are not 0, as NaN is not; xsimd leaves NaN out of x != 0.
inline __mmask16 nonzero(__m512 x) { return _mm512_cmp_ps_mask(x, _mm512_setzero_ps(), _CMP_NEQ_UQ); }
inline __mmask8 nonzero(__m512d x) { return _mm512_cmp_pd_mask(x, _mm512_setzero_pd(), _CMP_NEQ_UQ); }
#endif

/// The scalar loop of a kernel of one or two operands, all of type From.
template <const auto& kernel, class To, class From>
constexpr Loop uniform_loop() {
    if constexpr (std::is_invocable_v<decltype(kernel), From>)
        return &scalar_loop<kernel, To, From>;
    else
        return &scalar_loop<kernel, To, From, From>;
}

/// Kernels under construction.
struct Table : Kernels {
    constexpr Table with(DType dtype, Loop loop) const {
        Table table = *this;
        table.loops[std::size_t(dtype)] = loop;
        return table;
    }
    /// Also for int64, through `exact` (a kernel on scalars). Wrap-around arithmetic is done on unsigned integers.
    template <const auto& exact, class Word = std::uint64_t>
    constexpr Table integers() const {
        return with(DType::int64, uniform_loop<exact, Word, Word>());
    }
    constexpr Table streamed(const StreamReduction* float32, const StreamReduction* float64) const {
        Table table = *this;
        table.streams[0] = float32;
        table.streams[1] = float64;
        return table;
    }
    constexpr Table streamed_by_rows(const RowReduction* float32, const RowReduction* float64) const {
        Table table = *this;
        table.row_streams[0] = float32;
        table.row_streams[1] = float64;
        return table;
    }
};

/// Floating, by one SIMD kernel.
template <const auto& kernel, std::size_t arity>
constexpr Table simd_loops() {
    return Table()
        .with(DType::float32, &simd_loop<kernel, float, arity>)
        .with(DType::float64, &simd_loop<kernel, double, arity>);
}
template <const auto& kernel>
constexpr Table unary_loops() {
    Table table = simd_loops<kernel, 1>();
    table.links[0] = &unary_link<kernel, float>;
    table.links[1] = &unary_link<kernel, double>;
    return table;
}
template <const auto& kernel>
constexpr Table binary_loops() {
    Table table = simd_loops<kernel, 2>();
    table.links[0] = &binary_link<kernel, float>;
    table.links[1] = &binary_link<kernel, double>;
    return table;
}
template <const auto& kernel>
constexpr Table ternary_loops() {
    return simd_loops<kernel, 3>();
}

/// Floating, one element at a time: for functions whose SIMD form would let lanes influence each other.
template <const auto& kernel, std::size_t arity>
constexpr Table by_c_library() {
    return []<std::size_t... k>(std::index_sequence<k...>) {
        return Table()
            .with(DType::float32, &scalar_loop<kernel, float, decltype(k, float())...>)
            .with(DType::float64, &scalar_loop<kernel, double, decltype(k, double())...>);
    }(std::make_index_sequence<arity>());
}

/// No loops: the whole result at once.
constexpr Table whole(Kernel kernel) {
    Table table;
    table.kernel = kernel;
    return table;
}

/// The same, where the sizes are settled beforehand.
template <Prepared (*prepare)(std::span<const Type* const>, const Type&, const Attributes&)>
void run_prepared(const KernelCall& call) {
    constexpr std::size_t most = 4;
    const Type* types[most];
    const void* inputs[most];
    for (std::size_t i = 0; i < call.inputs.size(); ++i) {
        types[i] = call.inputs[i].type;
        inputs[i] = call.inputs[i].data;
    }
    void* outputs[most] = {call.output};
    for (std::size_t k = 0; k < call.further.size(); ++k) outputs[k + 1] = call.further[k].data;
    const Prepared prepared = prepare({types, call.inputs.size()}, call.type, call.attributes);
    prepared.run(prepared.facts, inputs, outputs, {0, prepared.parts});
}
template <Prepared (*function)(std::span<const Type* const>, const Type&, const Attributes&)>
constexpr Table settled() {
    Table table = whole(&run_prepared<function>);
    table.prepare = function;
    return table;
}

}  // namespace
}  // namespace gradtape::detail::GRADTAPE_ISA

// Settling the sizes of reductions.
#include "prepare_reduce.hpp"

#include <array>

#include "reduce.hpp"
#include "scaled.hpp"
#include "softmax.hpp"

namespace gradtape::detail::GRADTAPE_ISA {
namespace {

// Facts of a settled reduction: outer, reduced, inner, parts, and the results of one step of outer. Parts are cut
// along outer.
template <class T, void (*function)(const T*, T*, std::int64_t, std::int64_t, std::int64_t)>
void run(const std::int64_t* facts, const void* const* inputs, void* const* outputs, const Parts& parts) {
    const auto [outer, reduced, inner, all, results] = std::array{facts[0], facts[1], facts[2], facts[3], facts[4]};
    const std::int64_t begin = outer * parts.begin / all, end = outer * parts.end / all;
    function(static_cast<const T*>(inputs[0]) + begin * reduced * inner, static_cast<T*>(outputs[0]) + begin * results,
             end - begin, reduced, inner);
}

/// log Σ eˣ, and softmax beside it: either or both.
template <class T>
void run_logsumexp(const std::int64_t* facts, const void* const* inputs, void* const* outputs, const Parts& parts) {
    const auto [outer, reduced, inner, all] = std::array{facts[0], facts[1], facts[2], facts[3]};
    const std::int64_t begin = outer * parts.begin / all, end = outer * parts.end / all;
    const T* const x = static_cast<const T*>(inputs[0]) + begin * reduced * inner;
    T* const sums = outputs[0] ? static_cast<T*>(outputs[0]) + begin * inner : nullptr;
    if (outputs[1])
        softmax(x, static_cast<T*>(outputs[1]) + begin * reduced * inner, end - begin, reduced, inner, sums);
    else
        logsumexp(x, sums, end - begin, reduced, inner);
}

/// softmax, without the sums.
template <class T>
void softmax_alone(const T* x, T* z, std::int64_t outer, std::int64_t reduced, std::int64_t inner) {
    softmax(x, z, outer, reduced, inner);
}

Prepared settle(decltype(Prepared::run) function, const Type& x, const Type& z, const Attributes& attributes) {
    const View v = view(x.shape, axes_of(attributes));
    const std::int64_t parts = parts_of(v.outer, v.reduced * v.inner, 1 << 17);
    return {function, {v.outer, v.reduced, v.inner, parts, v.outer ? z.shape.elements() / v.outer : 0}, parts};
}

/// The mean of x, inputs[0], whose sum is inputs[1].
template <class T>
void run_mean(const std::int64_t* facts, const void* const* inputs, void* const* outputs, const Parts&) {
    mean(static_cast<const T*>(inputs[1]), static_cast<const T*>(inputs[0]), static_cast<T*>(outputs[0]), facts[0], facts[1],
         facts[2]);
}

}  // namespace

// The element types of one reduction.
#define GRADTAPE_BY_DTYPE(name, function)                                                               \
    Prepared name(std::span<const Type* const> x, const Type& z, const Attributes& attributes) {        \
        switch (x[0]->dtype) {                                                                          \
            case DType::float32: return settle(&run<float, function<float>>, *x[0], z, attributes);        \
            case DType::float64: return settle(&run<double, function<double>>, *x[0], z, attributes);      \
            default: return settle(&run<std::int64_t, function<std::int64_t>>, *x[0], z, attributes);      \
        }                                                                                               \
    }
#define GRADTAPE_BY_FLOATING_DTYPE(name, function)                                                      \
    Prepared name(std::span<const Type* const> x, const Type& z, const Attributes& attributes) {        \
        if (x[0]->dtype == DType::float32) return settle(&run<float, function<float>>, *x[0], z, attributes); \
        return settle(&run<double, function<double>>, *x[0], z, attributes);                               \
    }
GRADTAPE_BY_DTYPE(prepare_sum, reduce_sum)
GRADTAPE_BY_DTYPE(prepare_prod, reduce_prod)
GRADTAPE_BY_DTYPE(prepare_max, reduce_max)
GRADTAPE_BY_DTYPE(prepare_min, reduce_min)
GRADTAPE_BY_FLOATING_DTYPE(prepare_norm, norm)
GRADTAPE_BY_FLOATING_DTYPE(prepare_direction, direction)
Prepared prepare_mean(std::span<const Type* const> x, const Type&, const Attributes& attributes) {
    const View v = view(x[0]->shape, axes_of(attributes));
    return {x[0]->dtype == DType::float32 ? &run_mean<float> : &run_mean<double>, {v.outer, v.reduced, v.inner}};
}
Prepared prepare_logsumexp(std::span<const Type* const> x, const Type& z, const Attributes& attributes) {
    return settle(x[0]->dtype == DType::float32 ? &run_logsumexp<float> : &run_logsumexp<double>, *x[0], z, attributes);
}
GRADTAPE_BY_FLOATING_DTYPE(prepare_softmax, softmax_alone)
GRADTAPE_BY_FLOATING_DTYPE(prepare_log_softmax, log_softmax)

}  // namespace gradtape::detail::GRADTAPE_ISA

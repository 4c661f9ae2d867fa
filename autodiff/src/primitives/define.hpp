// Building blocks for primitive records: `binary<kernel>("multiply").commutative().vjp(…)`.
#pragma once

#include <gradtape/primitive.hpp>

#include "../kernels/chain.hpp"
#include "../kernels/elementwise.hpp"

#include <algorithm>
#include <limits>

/// Opens the definition of a primitive: GRADTAPE_PRIMITIVE(add) = binary<add_kernel>("add")…;
#define GRADTAPE_PRIMITIVE(name)        \
    extern const Primitive name##_p;    \
    constinit const Primitive name##_p

namespace gradtape::detail::GRADTAPE_ISA {
namespace {

/// The scalar loop of a kernel of one or two operands, all of type From.
template <const auto& kernel, class To, class From>
constexpr Loop uniform_loop() {
    if constexpr (std::is_invocable_v<decltype(kernel), From>)
        return &scalar_loop<kernel, To, From>;
    else
        return &scalar_loop<kernel, To, From, From>;
}

/// Into how many parts `count` equal pieces of work are gathered, of about `good` units of work or more each.
inline std::int64_t parts_of(std::int64_t count, std::int64_t work, std::int64_t good) {
    if (count == 0 || work == 0) return 1;
    const std::int64_t pieces = (good + work - 1) / work;  // in one part
    return count < 2 * pieces ? 1 : std::min<std::int64_t>(count / pieces, 1024);
}

/// The kernel of a primitive whose sizes are settled beforehand.
template <Prepared (*prepare)(std::span<const Type* const>, const Type&, const Attributes&)>
void run_prepared(const KernelCall& call) {
    constexpr std::size_t most = 4;
    const Type* types[most];
    const void* inputs[most];
    for (std::size_t i = 0; i < call.inputs.size(); ++i) {
        types[i] = call.inputs[i].type;
        inputs[i] = call.inputs[i].data;
    }
    const Prepared prepared = prepare({types, call.inputs.size()}, call.type, call.attributes);
    prepared.run(prepared.facts, inputs, call.output, {0, prepared.parts});
}

enum class SlopeToOne { yes };
constexpr double unbounded = std::numeric_limits<double>::infinity();

/// A record under construction. Each call states one fact.
struct Define : Primitive {
    template <class Change>
    constexpr Define with(Change change) const {
        Define d = *this;
        change(d);
        return d;
    }

    constexpr Define(const char* its_name, int its_arity) {
        name = its_name;
        arity = its_arity;
        never_throws = true;
    }
    constexpr Define shaped(ShapeRule rule) const { return with([&](Define& d) { d.shape = rule; }); }
    constexpr Define computed(Kernel function) const { return with([&](Define& d) { d.kernel = function; }); }
    template <Prepared (*function)(std::span<const Type* const>, const Type&, const Attributes&)>
    constexpr Define settled() const {
        return with([](Define& d) {
            d.prepare = function;
            d.kernel = &run_prepared<function>;
        });
    }
    constexpr Define streamed(const StreamReduction* float32, const StreamReduction* float64) const {
        return with([&](Define& d) {
            d.streams[0] = float32;
            d.streams[1] = float64;
        });
    }
    constexpr Define vjp(VjpRule x0, VjpRule x1 = nullptr, VjpRule x2 = nullptr, VjpRule x3 = nullptr) const {
        return with([&](Define& d) { std::copy_n(std::initializer_list<VjpRule>{x0, x1, x2, x3}.begin(), max_rules, d.Primitive::vjp); });
    }
    constexpr Define jvp(JvpRule x0, JvpRule x1 = nullptr, JvpRule x2 = nullptr, JvpRule x3 = nullptr) const {
        return with([&](Define& d) { std::copy_n(std::initializer_list<JvpRule>{x0, x1, x2, x3}.begin(), max_rules, d.Primitive::jvp); });
    }
    constexpr Define vjp_parts(PartsRule rule) const { return with([&](Define& d) { d.Primitive::vjp_parts = rule; }); }
    /// vjp[0], and jvp[0] where there is one, serve every operand.
    constexpr Define one_rule() const { return with([](Define& d) { d.Primitive::one_rule = true; }); }
    constexpr Define commutative() const { return with([](Define& d) { d.Primitive::commutative = true; }); }
    /// The dtypes that its operands may have; without this, all.
    constexpr Define takes(DTypes dtypes) const { return with([&](Define& d) { d.dtypes = dtypes; }); }
    constexpr Define linear() const { return with([](Define& d) { d.Primitive::linear = true; }); }
    constexpr Define multilinear() const { return with([](Define& d) { d.Primitive::multilinear = true; }); }
    constexpr Define identity() const { return with([](Define& d) { d.Primitive::identity = true; }); }
    constexpr Define overwriting() const { return with([](Define& d) { d.in_place = true; }); }
    constexpr Define piecewise_constant() const { return with([](Define& d) { d.differentiable = false; }); }
    /// The attributes of its instructions, in their order.
    constexpr Define with_settings(Setting a, Setting b = {}, Setting c = {}) const {
        return with([&](Define& d) {
            d.settings[0] = a;
            d.settings[1] = b;
            d.settings[2] = c;
        });
    }
    constexpr Define with_optional_settings(Setting a, Setting b = {}) const {
        Define d = with_settings(a, b);
        d.settings_optional = true;
        return d;
    }
    /// The test domain, by operand; the last given serves the rest.
    constexpr Define on(Domain x0) const { return on(x0, x0, x0); }
    constexpr Define on(Domain x0, Domain x1) const { return on(x0, x1, x1); }
    constexpr Define on(Domain x0, Domain x1, Domain x2) const {
        return with([&](Define& d) {
            d.domain[0] = x0;
            d.domain[1] = x1;
            d.domain[2] = x2;
        });
    }
    constexpr Define accurate_to(double value, double slope) const {
        return with([&](Define& d) { d.accuracy = {value, slope}; });
    }
    /// The slope is computed as a difference from 1 or of 1, and has no digits of its own where it is small.
    constexpr Define accurate_to(double value, double slope, SlopeToOne) const {
        return with([&](Define& d) { d.accuracy = {value, slope, true}; });
    }
    /// Also for int64, through `exact` (a kernel on scalars). Wrap-around arithmetic is done on unsigned integers.
    template <const auto& exact, class Word = std::uint64_t>
    constexpr Define integers() const {
        return with([](Define& d) { d.loops[std::size_t(DType::int64)] = uniform_loop<exact, Word, Word>(); });
    }
};

using Kind = Setting::Kind;

constexpr DTypes floats{DType::float32, DType::float64};
constexpr DTypes numbers{DType::float32, DType::float64, DType::int64};

constexpr Domain any_real{-2, 2};
constexpr Domain positive{0.2, 3};
constexpr Domain away_from_zero{-2, 2, 0, 0.1};

inline Type first_type(const ShapeCall& call) { return call[0]; }
inline Type boolean_type(const ShapeCall& call) { return {DType::boolean, call[0].shape}; }

/// Elementwise facts common to all arities.
constexpr Define elementwise(const char* name, int arity, ShapeRule shape = first_type) {
    Define d(name, arity);
    d.Primitive::shape = shape;
    d.Primitive::elementwise = true;
    d.in_place = shape == first_type;
    d.broadcasts = arity > 1;
    return d;
}

/// Floating elementwise primitives computed by one SIMD kernel.
template <const auto& kernel, std::size_t arity>
constexpr Define by_simd(const char* name) {
    Define d = elementwise(name, int(arity)).takes(floats);
    d.loops[std::size_t(DType::float32)] = &simd_loop<kernel, float, arity>;
    d.loops[std::size_t(DType::float64)] = &simd_loop<kernel, double, arity>;
    if constexpr (arity == 1) {
        d.links[0] = &unary_link<kernel, float>;
        d.links[1] = &unary_link<kernel, double>;
    } else if constexpr (arity == 2) {
        d.links[0] = &binary_link<kernel, float>;
        d.links[1] = &binary_link<kernel, double>;
    }
    return d;
}
template <const auto& kernel>
constexpr Define unary(const char* name) {
    return by_simd<kernel, 1>(name);
}
template <const auto& kernel>
constexpr Define binary(const char* name) {
    return by_simd<kernel, 2>(name);
}
template <const auto& kernel>
constexpr Define ternary(const char* name) {
    return by_simd<kernel, 3>(name);
}

/// Floating, one element at a time: for functions whose SIMD form would let lanes influence each other.
template <const auto& kernel>
constexpr Define scalar_unary(const char* name) {
    Define d = elementwise(name, 1).takes(floats);
    d.loops[std::size_t(DType::float32)] = &scalar_loop<kernel, float, float>;
    d.loops[std::size_t(DType::float64)] = &scalar_loop<kernel, double, double>;
    return d;
}

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

/// Where `cotangent` is 0 the product is 0, whatever the slope is there.
inline Node chain(Node slope, Node cotangent) { return multiply_no_nan(slope, cotangent); }

/// cotangent / divisor, where the slope is 1 / divisor: not formed first, since it overflows where the quotient does not.
inline Node chain_over(Node divisor, Node cotangent) { return divide_no_nan(cotangent, divisor); }

}  // namespace
}  // namespace gradtape::detail::GRADTAPE_ISA

// Selection, comparison, logic, conversion: exact loops that the compiler vectorises.
#include "../support/convert.hpp"
#include "../support/extents.hpp"
#include "define.hpp"

namespace gradtape::detail::GRADTAPE_ISA {
namespace {

// Booleans are bytes, 0 or 1, and are read as such: padding may hold any bits.
using Byte = std::uint8_t;

template <const auto& kernel>
constexpr Define comparison(const char* name) {
    Define d = elementwise(name, 2, boolean_type);
    d.loops[std::size_t(DType::float32)] = &scalar_loop<kernel, Byte, float, float>;
    d.loops[std::size_t(DType::float64)] = &scalar_loop<kernel, Byte, double, double>;
    d.loops[std::size_t(DType::int64)] = &scalar_loop<kernel, Byte, std::int64_t, std::int64_t>;
    d.loops[std::size_t(DType::boolean)] = &scalar_loop<kernel, Byte, Byte, Byte>;
    return d.piecewise_constant();
}

template <const auto& kernel>
constexpr Define logic(const char* name, int arity) {
    Define d = elementwise(name, arity, boolean_type).takes({DType::boolean});
    d.loops[std::size_t(DType::boolean)] = uniform_loop<kernel, Byte, Byte>();
    return d.piecewise_constant();
}

Type where_type(const ShapeCall& call) {
    if (call[0].dtype != DType::boolean)
        call.refuse_dtype("the condition is " + std::string(to_string(call[0].dtype)) + "; needs boolean");
    return call[1];
}

}  // namespace

// z = condition ? x : y. The side not selected gets exactly 0.
constexpr auto where_kernel = [](auto condition, auto x, auto y) { return condition ? x : y; };
GRADTAPE_PRIMITIVE(where) = [] {
    Define d = elementwise("where", 3, where_type);
    d.loops[std::size_t(DType::float32)] = &scalar_loop<where_kernel, float, Byte, float, float>;
    d.loops[std::size_t(DType::float64)] = &scalar_loop<where_kernel, double, Byte, double, double>;
    d.loops[std::size_t(DType::int64)] = &scalar_loop<where_kernel, std::int64_t, Byte, std::int64_t, std::int64_t>;
    d.loops[std::size_t(DType::boolean)] = &scalar_loop<where_kernel, Byte, Byte, Byte, Byte>;
    d.loop_operand = 1;
    return d;
}()
    .vjp([](const Operands&, Node, Node) { return Node(); },
         [](const Operands& x, Node, Node z_bar) { return where(x[0], z_bar, 0.0); },
         [](const Operands& x, Node, Node z_bar) { return where(x[0], 0.0, z_bar); })
    .on(any_real);

// z = x > 0 ? y : 0, and NaN where x is; but 0 where y = 0
constexpr auto where_positive_kernel = [](auto x, auto y) {
    const decltype(x) zero(0);
#if defined(__AVX512F__)
    // One instruction takes y for a positive x (classes 3, 5, 7 of its table), NaN for NaN (0, 1), and 0 for the rest.
    constexpr int by_class = 0x08080822;
    if constexpr (sizeof(typename decltype(x)::value_type) == 4)
        return decltype(x)(_mm512_maskz_fixupimm_ps(nonzero(y), y, x, _mm512_set1_epi32(by_class), 0));
    else
        return decltype(x)(_mm512_maskz_fixupimm_pd(nonzero(y), y, x, _mm512_set1_epi64(by_class), 0));
#else
    return xsimd::select((x <= zero) | (y == zero), zero, xsimd::select(x > zero, y, x));
#endif
};
GRADTAPE_PRIMITIVE(where_positive) = binary<where_positive_kernel>("where_positive")
    .vjp([](const Operands&, Node, Node) { return Node(); },
         [](const Operands& x, Node, Node z_bar) { return where_positive(x[0], z_bar); })
    .on(away_from_zero, any_real);

constexpr auto equal_kernel = [](auto x, auto y) { return x == y; };
GRADTAPE_PRIMITIVE(equal) = comparison<equal_kernel>("equal").commutative().on(any_real);

constexpr auto not_equal_kernel = [](auto x, auto y) { return x != y; };
GRADTAPE_PRIMITIVE(not_equal) = comparison<not_equal_kernel>("not_equal").commutative().on(any_real);

constexpr auto less_kernel = [](auto x, auto y) { return x < y; };
GRADTAPE_PRIMITIVE(less) = comparison<less_kernel>("less").on(any_real);

constexpr auto less_equal_kernel = [](auto x, auto y) { return x <= y; };
GRADTAPE_PRIMITIVE(less_equal) = comparison<less_equal_kernel>("less_equal").on(any_real);

constexpr auto greater_kernel = [](auto x, auto y) { return x > y; };
GRADTAPE_PRIMITIVE(greater) = comparison<greater_kernel>("greater").on(any_real);

constexpr auto greater_equal_kernel = [](auto x, auto y) { return x >= y; };
GRADTAPE_PRIMITIVE(greater_equal) = comparison<greater_equal_kernel>("greater_equal").on(any_real);

constexpr auto and_kernel = [](auto x, auto y) { return x & y; };
GRADTAPE_PRIMITIVE(logical_and) = logic<and_kernel>("logical_and", 2).commutative().on(any_real);

constexpr auto or_kernel = [](auto x, auto y) { return x | y; };
GRADTAPE_PRIMITIVE(logical_or) = logic<or_kernel>("logical_or", 2).commutative().on(any_real);

constexpr auto not_kernel = [](auto x) { return x == 0; };
GRADTAPE_PRIMITIVE(logical_not) = logic<not_kernel>("logical_not", 1).on(any_real);

// z = x as another dtype
namespace {

template <class To>
constexpr auto converter = [](auto x) { return convert<To>(x); };

template <class From>
struct CastsFrom {
    static constexpr Loop loops[4] = {&scalar_loop<converter<float>, float, From>, &scalar_loop<converter<double>, double, From>,
                                      &scalar_loop<converter<std::int64_t>, std::int64_t, From>,
                                      &scalar_loop<converter<Byte>, Byte, From>};
};

struct Casts {
    Loop loops[16] = {};
    constexpr Casts() {
        const Loop* from[] = {CastsFrom<float>::loops, CastsFrom<double>::loops, CastsFrom<std::int64_t>::loops,
                              CastsFrom<Byte>::loops};
        for (int i = 0; i < 16; ++i) loops[i] = from[i / 4][i % 4];
    }
};
constexpr Casts casts;

}  // namespace

GRADTAPE_PRIMITIVE(cast) = [] {
    Define d = elementwise("cast", 1, [](const ShapeCall& call) {
        const DType dtype = call.attributes.get<DType>("dtype");
        if (!exists(dtype)) refuse_dtype(dtype, call.primitive, call.where);
        return Type{dtype, call[0].shape};
    });
    for (int i = 0; i < 4; ++i) d.loops[i] = casts.loops[5 * i];
    d.loops_by_result = casts.loops;
    return d;
}()
    .with_settings({"dtype", Kind::dtype})
    .vjp([](const Operands& x, Node, Node z_bar) { return is_floating(x[0].dtype()) ? cast(z_bar, x[0].dtype()) : Node(); })
    .jvp([](const Operands& x, Node z, Node x_dot) { return is_floating(x[0].dtype()) ? cast(x_dot, z.dtype()) : Node(); })
    .on(any_real);

// z = x, and no derivative
GRADTAPE_PRIMITIVE(stop_gradient) = Define("stop_gradient", 1).shaped(first_type).identity().piecewise_constant()
    .on(any_real);

}  // namespace gradtape::detail::GRADTAPE_ISA

// Selection, comparison, logic, conversion: exact loops that the compiler vectorises.
#include "../support/convert.hpp"
#include "../support/extents.hpp"
#include "family.hpp"

namespace gradtape::detail::GRADTAPE_ISA {
namespace {

// Booleans are bytes, 0 or 1, and are read as such: padding may hold any bits.
using Byte = std::uint8_t;

template <const auto& kernel>
constexpr Table comparison_loops() {
    return Table()
        .with(DType::float32, &scalar_loop<kernel, Byte, float, float>)
        .with(DType::float64, &scalar_loop<kernel, Byte, double, double>)
        .with(DType::int64, &scalar_loop<kernel, Byte, std::int64_t, std::int64_t>)
        .with(DType::boolean, &scalar_loop<kernel, Byte, Byte, Byte>);
}

template <const auto& kernel>
constexpr Table logic_loops() {
    return Table().with(DType::boolean, uniform_loop<kernel, Byte, Byte>());
}

Type where_type(const ShapeCall& call) {
    if (call[0].dtype != DType::boolean)
        call.refuse_dtype("the condition is " + std::string(to_string(call[0].dtype)) + "; needs boolean");
    return call[1];
}

}  // namespace

// z = condition ? x : y. The side not selected gets exactly 0.
constexpr auto where_kernel = [](auto condition, auto x, auto y) { return condition ? x : y; };
GRADTAPE_KERNELS(where, Table()
    .with(DType::float32, &scalar_loop<where_kernel, float, Byte, float, float>)
    .with(DType::float64, &scalar_loop<where_kernel, double, Byte, double, double>)
    .with(DType::int64, &scalar_loop<where_kernel, std::int64_t, Byte, std::int64_t, std::int64_t>)
    .with(DType::boolean, &scalar_loop<where_kernel, Byte, Byte, Byte, Byte>))
GRADTAPE_PRIMITIVE(where, elementwise(3, where_type).decided_by(1)
    .vjp(gives_nothing,
         [](const Operands& x, Node, Node z_bar) { return where(x[0], z_bar, 0.0); },
         [](const Operands& x, Node, Node z_bar) { return where(x[0], 0.0, z_bar); })
    .on(any_real))

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
GRADTAPE_KERNELS(where_positive, binary_loops<where_positive_kernel>())
GRADTAPE_PRIMITIVE(where_positive, binary()
    .vjp(gives_nothing,
         [](const Operands& x, Node, Node z_bar) { return where_positive(x[0], z_bar); })
    .on(away_from_zero, any_real))

constexpr auto equal_kernel = [](auto x, auto y) { return x == y; };
GRADTAPE_KERNELS(equal, comparison_loops<equal_kernel>())
GRADTAPE_PRIMITIVE(equal, comparison().commutative().on(any_real))

constexpr auto not_equal_kernel = [](auto x, auto y) { return x != y; };
GRADTAPE_KERNELS(not_equal, comparison_loops<not_equal_kernel>())
GRADTAPE_PRIMITIVE(not_equal, comparison().commutative().on(any_real))

constexpr auto less_kernel = [](auto x, auto y) { return x < y; };
GRADTAPE_KERNELS(less, comparison_loops<less_kernel>())
GRADTAPE_PRIMITIVE(less, comparison().on(any_real))

constexpr auto less_equal_kernel = [](auto x, auto y) { return x <= y; };
GRADTAPE_KERNELS(less_equal, comparison_loops<less_equal_kernel>())
GRADTAPE_PRIMITIVE(less_equal, comparison().on(any_real))

constexpr auto greater_kernel = [](auto x, auto y) { return x > y; };
GRADTAPE_KERNELS(greater, comparison_loops<greater_kernel>())
GRADTAPE_PRIMITIVE(greater, comparison().on(any_real))

constexpr auto greater_equal_kernel = [](auto x, auto y) { return x >= y; };
GRADTAPE_KERNELS(greater_equal, comparison_loops<greater_equal_kernel>())
GRADTAPE_PRIMITIVE(greater_equal, comparison().on(any_real))

constexpr auto and_kernel = [](auto x, auto y) { return x & y; };
GRADTAPE_KERNELS(logical_and, logic_loops<and_kernel>())
GRADTAPE_PRIMITIVE(logical_and, logic(2).commutative().on(any_real))

constexpr auto or_kernel = [](auto x, auto y) { return x | y; };
GRADTAPE_KERNELS(logical_or, logic_loops<or_kernel>())
GRADTAPE_PRIMITIVE(logical_or, logic(2).commutative().on(any_real))

constexpr auto not_kernel = [](auto x) { return x == 0; };
GRADTAPE_KERNELS(logical_not, logic_loops<not_kernel>())
GRADTAPE_PRIMITIVE(logical_not, logic(1).on(any_real))

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
template <class = void>
constexpr Casts casts;

constexpr Table cast_loops() {
    Table table;
    table.loops_by_result = casts<>.loops;
    for (int i = 0; i < 4; ++i) table.loops[i] = casts<>.loops[5 * i];
    return table;
}

}  // namespace

GRADTAPE_KERNELS(cast, cast_loops())
GRADTAPE_PRIMITIVE(cast, elementwise(1, [](const ShapeCall& call) {
        const DType dtype = call.attributes.get<DType>("dtype");
        if (!exists(dtype)) refuse_dtype(dtype, call.primitive, call.where);
        return Type{dtype, call[0].shape};
    })
    .with_settings({"dtype", Kind::dtype})
    .vjp([](const Operands& x, Node, Node z_bar) { return is_floating(x[0].dtype()) ? cast(z_bar, x[0].dtype()) : Node(); })
    .jvp([](const Operands& x, Node z, Node x_dot) { return is_floating(x[0].dtype()) ? cast(x_dot, z.dtype()) : Node(); })
    .on(any_real))

// z = x, and no derivative
GRADTAPE_PRIMITIVE(stop_gradient, of(1)
    .shaped(first_type).identity().piecewise_constant()
    .batch([](const BatchCall& call) { call.apply(call.x.nodes, {}); }).on(any_real))

}  // namespace gradtape::detail::GRADTAPE_ISA

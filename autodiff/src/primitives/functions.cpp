// Elementwise functions of one operand, and xlogy.
#include "../kernels/exponential.hpp"
#include "family.hpp"

#include <cmath>

namespace gradtape::detail::GRADTAPE_ISA {

// z = √x, ∂z/∂x = 1/2z
constexpr auto sqrt_kernel = [](auto x) { return xsimd::sqrt(x); };
GRADTAPE_KERNELS(sqrt, unary_loops<sqrt_kernel>())
GRADTAPE_PRIMITIVE(sqrt, unary()
    .vjp([](const Operands&, Node z, Node z_bar) { return chain_over(z + z, z_bar); })
    .accurate_to(0.5, 1.5).on(positive))

// z = 1/√x, ∂z/∂x = −z/2x, since z³ overflows before it does. Not xsimd::rsqrt, which is an approximation.
constexpr auto rsqrt_kernel = [](auto x) { return decltype(x)(1) / xsimd::sqrt(x); };
GRADTAPE_KERNELS(rsqrt, unary_loops<rsqrt_kernel>())
GRADTAPE_PRIMITIVE(rsqrt, unary()
    .vjp([](const Operands& x, Node z, Node z_bar) { return chain_over(x[0], -0.5 * chain(z, z_bar)); })
    .accurate_to(1.5, 2).on(positive))

// z = 1/x, ∂z/∂x = −z/x
constexpr auto reciprocal_kernel = [](auto x) { return decltype(x)(1) / x; };
GRADTAPE_KERNELS(reciprocal, unary_loops<reciprocal_kernel>())
GRADTAPE_PRIMITIVE(reciprocal, unary()
    .vjp([](const Operands& x, Node z, Node z_bar) { return -chain_over(x[0], chain(z, z_bar)); })
    .accurate_to(0.5, 1.25).on(away_from_zero))

// z = eˣ
constexpr auto exp_kernel = [](auto x) { return exponential(x); };
GRADTAPE_KERNELS(exp, unary_loops<exp_kernel>())
GRADTAPE_PRIMITIVE(exp, unary()
    .vjp([](const Operands&, Node z, Node z_bar) { return chain(z, z_bar); })
    .accurate_to(1.1, 1.1).on(any_real))

// z = eˣ − 1. ∂z/∂x = eˣ: z + 1 has lost its digits where z is near −1.
constexpr auto expm1_kernel = [](auto x) { return exponential_less_one(x); };
GRADTAPE_KERNELS(expm1, unary_loops<expm1_kernel>())
GRADTAPE_PRIMITIVE(expm1, unary()
    .vjp([](const Operands& x, Node, Node z_bar) { return chain(exp(x[0]), z_bar); })
    .accurate_to(2, 1.1).on(any_real))

/// x, what a logarithm's cotangent is divided by; but the value z, which is NaN, where x < 0: the logarithm has no slope there.
static Node defined(Node x, Node z) { return where(x < 0.0, z, x); }

// z = log x
constexpr auto log_kernel = [](auto x) { return logarithm(x); };
GRADTAPE_KERNELS(log, unary_loops<log_kernel>())
GRADTAPE_PRIMITIVE(log, unary()
    .vjp([](const Operands& x, Node z, Node z_bar) { return chain_over(defined(x[0], z), z_bar); })
    .accurate_to(0.85, 0.5).on(positive))

// z = log(1 + x)
constexpr auto log1p_kernel = [](auto x) { return logarithm_of_one_more(x); };
GRADTAPE_KERNELS(log1p, unary_loops<log1p_kernel>())
GRADTAPE_PRIMITIVE(log1p, unary()
    .vjp([](const Operands& x, Node z, Node z_bar) { return chain_over(defined(1.0 + x[0], z), z_bar); })
    .accurate_to(0.85, 1.5).on({-0.8, 2}))

// Trigonometry by the C library: xsimd reduces the argument by a method picked for the whole register, so that a lane's
// bits depend on its neighbours.
constexpr auto sin_kernel = [](auto x) { return std::sin(x); };
GRADTAPE_KERNELS(sin, by_c_library<sin_kernel, 1>())
GRADTAPE_PRIMITIVE(sin, unary()
    .vjp([](const Operands& x, Node, Node z_bar) { return chain(cos(x[0]), z_bar); })
    .accurate_to(0.6, 0.6).on(any_real))

constexpr auto cos_kernel = [](auto x) { return std::cos(x); };
GRADTAPE_KERNELS(cos, by_c_library<cos_kernel, 1>())
GRADTAPE_PRIMITIVE(cos, unary()
    .vjp([](const Operands& x, Node, Node z_bar) { return -chain(sin(x[0]), z_bar); })
    .accurate_to(0.6, 0.6).on(any_real))

// ∂z/∂x = 1 + z²
constexpr auto tan_kernel = [](auto x) { return std::tan(x); };
GRADTAPE_KERNELS(tan, by_c_library<tan_kernel, 1>())
GRADTAPE_PRIMITIVE(tan, unary()
    .vjp([](const Operands&, Node z, Node z_bar) { return chain(1.0 + square(z), z_bar); })
    .accurate_to(0.8, 2).on({-1.2, 1.2}))

// [softplus]
// z = max(x, 0) + log1p(e^−|x|) (Mächler 2012, "Accurately computing log(1 − exp(−|a|))")
constexpr auto softplus_kernel = [](auto x) {
    const decltype(x) zero(0);
    const auto positive_part = xsimd::select(x > zero, x, zero);
    return xsimd::select(x == x, positive_part + xsimd::log1p(exponential(negated(xsimd::abs(x)))), x);
};
GRADTAPE_KERNELS(softplus, unary_loops<softplus_kernel>())
GRADTAPE_PRIMITIVE(softplus, unary()
    .vjp([](const Operands& x, Node, Node z_bar) { return chain(sigmoid(x[0]), z_bar); })
    .accurate_to(1.9, 2.3).on(any_real))
// [/softplus]

// z = −softplus(−x)
constexpr auto log_sigmoid_kernel = [](auto x) { return negated(softplus_kernel(negated(x))); };
GRADTAPE_KERNELS(log_sigmoid, unary_loops<log_sigmoid_kernel>())
GRADTAPE_PRIMITIVE(log_sigmoid, unary()
    .vjp([](const Operands& x, Node, Node z_bar) { return chain(sigmoid(-x[0]), z_bar); })
    .accurate_to(1.9, 2.3).on(any_real))

// z = max(x, 0); NaN stays NaN. Slope 0 at 0, and 1 where z > 0: so x need not be kept.
constexpr auto relu_kernel = [](auto x) { return xsimd::select(x <= decltype(x)(0), decltype(x)(0), x); };
GRADTAPE_KERNELS(relu, unary_loops<relu_kernel>())
GRADTAPE_PRIMITIVE(relu, unary()
    .vjp([](const Operands&, Node z, Node z_bar) { return where_positive(z, z_bar); }).on(away_from_zero))

// z = |x|. Slope 0 at 0.
constexpr auto abs_kernel = [](auto x) { return xsimd::abs(x); };
constexpr auto abs_integer = [](auto x) { return x >> 63 ? decltype(x)(0) - x : x; };
GRADTAPE_KERNELS(abs, unary_loops<abs_kernel>().integers<abs_integer>())
GRADTAPE_PRIMITIVE(abs, unary().takes(numbers)
    .vjp([](const Operands& x, Node, Node z_bar) { return chain(sign(x[0]), z_bar); }).on(away_from_zero))

// z = −1, 0, 1; NaN stays NaN
constexpr auto sign_kernel = [](auto x) {
    const decltype(x) zero(0), one(1);
    return xsimd::select(x > zero, one, xsimd::select(x < zero, -one, x));
};
constexpr auto sign_integer = [](auto x) { return decltype(x)((x > 0) - (x < 0)); };
GRADTAPE_KERNELS(sign, unary_loops<sign_kernel>().integers<sign_integer, std::int64_t>())
GRADTAPE_PRIMITIVE(sign, unary().takes(numbers)
    .piecewise_constant().on(away_from_zero))

// z = x log y, and 0 where x = 0
constexpr auto xlogy_kernel = [](auto x, auto y) {
    return xsimd::select(x == decltype(x)(0), decltype(x)(0), x * logarithm(y));
};
GRADTAPE_KERNELS(xlogy, binary_loops<xlogy_kernel>())
GRADTAPE_PRIMITIVE(xlogy, binary()
    .vjp([](const Operands& x, Node, Node z_bar) { return chain(log(x[1]), z_bar); },
         [](const Operands& x, Node z, Node z_bar) { return chain_over(defined(x[1], z), chain(x[0], z_bar)); })
    .accurate_to(1.6, 0.9).on(away_from_zero, positive))

}  // namespace gradtape::detail::GRADTAPE_ISA

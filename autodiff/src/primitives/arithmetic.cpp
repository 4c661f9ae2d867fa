// Arithmetic: add, subtract, multiply, divide, negative, power, square, maximum, minimum, clamp.
#include "family.hpp"

#include <cmath>

namespace gradtape::detail::GRADTAPE_ISA {
constexpr auto add_kernel = [](auto x, auto y) { return x + y; };
constexpr auto subtract_kernel = [](auto x, auto y) { return x - y; };
constexpr auto multiply_kernel = [](auto x, auto y) { return x * y; };
constexpr auto square_kernel = [](auto x) { return x * x; };
constexpr auto negative_kernel = [](auto x) { return negated(x); };

// z = x + y
GRADTAPE_KERNELS(add, binary_loops<add_kernel>().integers<add_kernel>())
GRADTAPE_PRIMITIVE(add, binary().takes(numbers).commutative().linear()
    .vjp(passes_on, passes_on).on(any_real))

// z = x − y
GRADTAPE_KERNELS(subtract, binary_loops<subtract_kernel>().integers<subtract_kernel>())
GRADTAPE_PRIMITIVE(subtract, binary().takes(numbers).linear()
    .vjp(passes_on, [](const Operands&, Node, Node z_bar) { return -z_bar; }).on(any_real))

// z = x y
GRADTAPE_KERNELS(multiply, binary_loops<multiply_kernel>().integers<multiply_kernel>())
GRADTAPE_PRIMITIVE(multiply, binary().takes(numbers).commutative()
    .vjp([](const Operands& x, Node, Node z_bar) { return chain(x[1], z_bar); },
         [](const Operands& x, Node, Node z_bar) { return chain(x[0], z_bar); }).on(any_real))

// z = x / y
constexpr auto divide_kernel = [](auto x, auto y) { return x / y; };
GRADTAPE_KERNELS(divide, binary_loops<divide_kernel>())
GRADTAPE_PRIMITIVE(divide, binary()
    .vjp([](const Operands& x, Node, Node z_bar) { return chain_over(x[1], z_bar); },
         [](const Operands& x, Node z, Node z_bar) { return -chain_over(x[1], chain(z, z_bar)); })
    .accurate_to(0.5, 1.5).on(any_real, away_from_zero))

// z = −x, as IEEE negation has it: of 0 it is −0, and NaN changes its sign
constexpr auto negative_integer = [](auto x) { return decltype(x)(0) - x; };
GRADTAPE_KERNELS(negative, unary_loops<negative_kernel>().integers<negative_integer>())
GRADTAPE_PRIMITIVE(negative, unary().takes(numbers).linear()
    .vjp([](const Operands&, Node, Node z_bar) { return -z_bar; }).on(any_real))

// z = x^y, by the C library: exp(y log x) would lose digits as the exponent grows.
// ∂z/∂x = y x^(y−1), and 0 where y = 0. ∂z/∂y = z log x, and 0 at x = 0 ≤ y (PyTorch's pow_backward_exponent).
constexpr auto power_kernel = [](auto x, auto y) { return std::pow(x, y); };
GRADTAPE_KERNELS(power, by_c_library<power_kernel, 2>())
GRADTAPE_PRIMITIVE(power, binary()
    .vjp([](const Operands& x, Node, Node z_bar) { return chain(power_slope(x[0], x[1]), z_bar); },
         [](const Operands& x, Node, Node z_bar) { return chain(power_log(x[0], x[1], 1.0), z_bar); })
    .accurate_to(0.6, 2.2).on(positive, any_real))

// z = y x^(y−1), and 0 where y = 0, by |x|^(y−1) and a sign. Below y = 1/2, y − 1 is rounded, which shows as soon as log x is
// large; and where y − 1 has no odd numbers left, its sign would be lost.
constexpr auto power_slope_kernel = [](auto x_, auto y_) {
    const double x = x_, y = y_, size = std::abs(x);
    double z = 0;
    if (y == 0) return decltype(x_)(0);
    if (y >= 0.5 || size == 0 || std::isinf(size))
        z = y * std::pow(size, y - 1);
    else if (const double power = std::pow(size, y), ratio = power / size; std::isfinite(ratio))
        z = ratio * y;
    else
        z = power * (y / size);  // 1/x may be too large, and y too small
    if (std::signbit(x)) {
        const bool whole = y == std::trunc(y), odd = std::abs(std::fmod(y, 2)) == 1;
        if (!whole && size > 0 && std::isfinite(size)) z = std::numeric_limits<double>::quiet_NaN();
        if (whole && !odd) z = -z;
    }
    return decltype(x_)(z);
};
// Its slope in y is the sum that power_log's is in x: so mixed derivatives of power do not depend on their order.
GRADTAPE_KERNELS(power_slope, by_c_library<power_slope_kernel, 2>())
GRADTAPE_PRIMITIVE(power_slope, binary()
    .vjp([](const Operands& x, Node, Node z_bar) { return chain(multiply_no_nan(power_slope(x[0], x[1] - 1.0), x[1]), z_bar); },
         [](const Operands& x, Node, Node z_bar) {
             const Node y_less_one = x[1] - 1.0;
             const Node by_power = multiply_no_nan(power_log(x[0], y_less_one, 1.0), x[1]);
             return chain(by_power + power(x[0], y_less_one), z_bar);
         })
    .accurate_to(unbounded, unbounded).on(positive, any_real))

// z = x^y logⁿ x, and 0 at x = 0 ≤ y for n > 0, which is a constant. Where x^y is subnormal, and where the terms of ∂z/∂x
// cancel, digits are lost.
constexpr auto power_log_kernel = [](auto x, auto y, auto n) {
    using T = decltype(x);
    const T whole = std::round(n), power = std::pow(x, y);
    if (whole == 0) return power;
    if (x == 0 && y >= 0) return T(0);
    return T(power * (whole == 1 ? std::log(x) : T(std::pow(std::log((long double)(x)), (long double)(whole)))));
};
GRADTAPE_KERNELS(power_log, by_c_library<power_log_kernel, 3>())
GRADTAPE_PRIMITIVE(power_log, ternary()
    .vjp([](const Operands& x, Node, Node z_bar) {
             const Node y_less_one = x[1] - 1.0;
             const Node by_power = multiply_no_nan(power_log(x[0], y_less_one, x[2]), x[1]);
             const Node by_log = multiply_no_nan(power_log(x[0], y_less_one, maximum(x[2] - 1.0, 0.0)), x[2]);
             return chain(by_power + by_log, z_bar);
         },
         [](const Operands& x, Node, Node z_bar) { return chain(power_log(x[0], x[1], x[2] + 1.0), z_bar); },
         gives_nothing)
    .accurate_to(unbounded, unbounded).on(positive, any_real, {1, 1}))

// z = x²
GRADTAPE_KERNELS(square, unary_loops<square_kernel>().integers<square_kernel>())
GRADTAPE_PRIMITIVE(square, unary().takes(numbers)
    .vjp([](const Operands& x, Node, Node z_bar) { return chain(x[0] + x[0], z_bar); }).on(any_real))

// What rules multiply and divide by. A zero is passed on with its sign: so a factor or divisor c > 0 that is known makes a
// plain product or quotient of it.

// z = x y, and 0 where y = 0. x is a slope and y a cotangent: of x̄, which is again a slope's cotangent, both factors are such.
constexpr auto multiply_no_nan_kernel = [](auto x, auto y) {
#if defined(__AVX512F__)  // in two instructions
    if constexpr (sizeof(typename decltype(x)::value_type) == 4)
        return decltype(x)(_mm512_mask_mul_ps(y, nonzero(y), x, y));
    else
        return decltype(x)(_mm512_mask_mul_pd(y, nonzero(y), x, y));
#else
    return xsimd::select(y == decltype(y)(0), y, x * y);
#endif
};
GRADTAPE_KERNELS(multiply_no_nan, binary_loops<multiply_no_nan_kernel>())
GRADTAPE_PRIMITIVE(multiply_no_nan, binary()
    .vjp([](const Operands& x, Node, Node z_bar) { return multiply_or_zero(z_bar, x[1]); },
         [](const Operands& x, Node, Node z_bar) { return chain(x[0], z_bar); })
    .on(any_real, away_from_zero))

// z = x y, and 0 where x = 0 or y = 0
constexpr auto multiply_or_zero_kernel = [](auto x, auto y) {
    const decltype(x) zero(0);
    return xsimd::select(y == zero, y, xsimd::select(x == zero, x, x * y));
};
GRADTAPE_KERNELS(multiply_or_zero, binary_loops<multiply_or_zero_kernel>())
GRADTAPE_PRIMITIVE(multiply_or_zero, binary()
    .vjp([](const Operands& x, Node, Node z_bar) { return multiply_or_zero(z_bar, x[1]); },
         [](const Operands& x, Node, Node z_bar) { return multiply_or_zero(x[0], z_bar); })
    .on(away_from_zero, away_from_zero))

// z = x / y, and 0 where x = 0: x is a cotangent
constexpr auto divide_no_nan_kernel = [](auto x, auto y) { return xsimd::select(x == decltype(x)(0), x, x / y); };
GRADTAPE_KERNELS(divide_no_nan, binary_loops<divide_no_nan_kernel>())
GRADTAPE_PRIMITIVE(divide_no_nan, binary()
    .vjp([](const Operands& x, Node, Node z_bar) { return chain_over(x[1], z_bar); },
         [](const Operands& x, Node z, Node z_bar) { return -chain_over(x[1], multiply_or_zero(z, z_bar)); })
    .accurate_to(0.5, 1.5).on(away_from_zero, away_from_zero))

// z = max(x, y). A tie halves the cotangent; against a constant it gets none (the subgradient of least norm).
constexpr auto maximum_kernel = [](auto x, auto y) {
    return xsimd::select(x > y, x, xsimd::select(y >= x, y, x + y));
};
constexpr auto maximum_integer = [](auto x, auto y) { return x > y ? x : y; };

/// What a selection hands to an operand that it does not take: nothing, but NaN to a NaN.
static Node to_the_rest(Node x, Node z_bar) { return where(not_equal(x, x), multiply_no_nan(x, z_bar), 0.0); }

/// To each operand that `wins(own, other)`.
template <class Wins>
void share_of_tie(const VjpCall& call, Wins wins) {
    for (std::size_t k : {0, 1}) {
        if (!call.wants(k)) continue;
        const Node own = call.x[k], other = call.x[1 - k], rest = to_the_rest(own, call.z_bar);
        const Node tied = call.x.is_constant(1 - k) ? rest : where(equal(own, other), 0.5 * call.z_bar, rest);
        call.give(k, where(wins(own, other), call.z_bar, tied));
    }
}

GRADTAPE_KERNELS(maximum, binary_loops<maximum_kernel>().integers<maximum_integer, std::int64_t>())
GRADTAPE_PRIMITIVE(maximum, binary().takes(numbers)
    .vjp([](const VjpCall& call) { share_of_tie(call, [](Node x, Node y) { return x > y; }); }).on({0, 2}, {-2, -0.1}))

// z = min(x, y)
constexpr auto minimum_kernel = [](auto x, auto y) {
    return xsimd::select(x < y, x, xsimd::select(y <= x, y, x + y));
};
constexpr auto minimum_integer = [](auto x, auto y) { return x < y ? x : y; };
GRADTAPE_KERNELS(minimum, binary_loops<minimum_kernel>().integers<minimum_integer, std::int64_t>())
GRADTAPE_PRIMITIVE(minimum, binary().takes(numbers)
    .vjp([](const VjpCall& call) { share_of_tie(call, [](Node x, Node y) { return x < y; }); }).on({0, 2}, {-2, -0.1}))

// z = min(max(x, low), high); the slope is 1 at the bounds. NaN stays NaN. The bounds are constants.
constexpr auto clamp_kernel = [](auto x, auto low, auto high) {
    return xsimd::select(x < low, low, xsimd::select(x > high, high, x));
};
GRADTAPE_KERNELS(clamp, ternary_loops<clamp_kernel>())
GRADTAPE_PRIMITIVE(clamp, ternary()
    .vjp([](const Operands& x, Node, Node z_bar) {
             return where(logical_and(x[0] >= x[1], x[0] <= x[2]), z_bar, to_the_rest(x[0], z_bar));
         },
         [](const Operands& x, Node, Node z_bar) { return where(x[0] < x[1], z_bar, 0.0); },
         [](const Operands& x, Node, Node z_bar) { return where(x[0] > x[2], z_bar, 0.0); })
    .on({-2, 2, 1, 0.1}, {-1, 0}, {2.5, 3}))

}  // namespace gradtape::detail::GRADTAPE_ISA

// Arithmetic: add, subtract, multiply, divide, negative, power, square, maximum, minimum, clamp.
#include "define.hpp"

#include <cmath>

namespace gradtape::detail::GRADTAPE_ISA {
constexpr auto add_kernel = [](auto x, auto y) { return x + y; };
constexpr auto subtract_kernel = [](auto x, auto y) { return x - y; };
constexpr auto multiply_kernel = [](auto x, auto y) { return x * y; };
constexpr auto square_kernel = [](auto x) { return x * x; };
constexpr auto negative_kernel = [](auto x) { return negated(x); };

// z = x + y
GRADTAPE_PRIMITIVE(add) = binary<add_kernel>("add").integers<add_kernel>().takes(numbers).commutative().linear()
    .vjp([](const Operands&, Node, Node z_bar) { return z_bar; }).one_rule().on(any_real);

// z = x − y
GRADTAPE_PRIMITIVE(subtract) = binary<subtract_kernel>("subtract").integers<subtract_kernel>().takes(numbers).linear()
    .vjp([](const Operands&, Node, Node z_bar) { return z_bar; },
         [](const Operands&, Node, Node z_bar) { return -z_bar; }).on(any_real);

// z = x y
GRADTAPE_PRIMITIVE(multiply) = binary<multiply_kernel>("multiply").integers<multiply_kernel>().takes(numbers).commutative()
    .vjp([](const Operands& x, Node, Node z_bar) { return z_bar * x[1]; },
         [](const Operands& x, Node, Node z_bar) { return z_bar * x[0]; }).on(any_real);

// z = x / y
constexpr auto divide_kernel = [](auto x, auto y) { return x / y; };
GRADTAPE_PRIMITIVE(divide) = binary<divide_kernel>("divide")
    .vjp([](const Operands& x, Node, Node z_bar) { return chain(reciprocal(x[1]), z_bar); },
         [](const Operands& x, Node z, Node z_bar) { return -chain(z * reciprocal(x[1]), z_bar); })
    .on(any_real, away_from_zero);

// z = −x, as IEEE negation has it: of 0 it is −0, and NaN changes its sign
constexpr auto negative_integer = [](auto x) { return decltype(x)(0) - x; };
GRADTAPE_PRIMITIVE(negative) = unary<negative_kernel>("negative").integers<negative_integer>().takes(numbers).linear()
    .vjp([](const Operands&, Node, Node z_bar) { return -z_bar; }).on(any_real);

// z = x^y, by the C library: exp(y log x) would lose digits as the exponent grows.
// ∂z/∂x = y x^(y−1), and 0 where y = 0. ∂z/∂y = z log x, and 0 at x = 0 ≤ y (PyTorch's pow_backward_exponent).
constexpr auto power_kernel = [](auto x, auto y) { return std::pow(x, y); };
GRADTAPE_PRIMITIVE(power) = [] {
    Define d = elementwise("power", 2).takes(floats);
    d.loops[std::size_t(DType::float32)] = &scalar_loop<power_kernel, float, float, float>;
    d.loops[std::size_t(DType::float64)] = &scalar_loop<power_kernel, double, double, double>;
    return d;
}()
    .vjp([](const Operands& x, Node, Node z_bar) { return chain(chain(power(x[0], x[1] - 1.0), x[1]), z_bar); },
         [](const Operands& x, Node z, Node z_bar) {
             const Node flat = logical_and(equal(x[0], 0.0), x[1] >= 0.0);
             return where(flat, 0.0, chain(z * log(where(flat, 1.0, x[0])), z_bar));
         })
    .on(positive, any_real);

// z = x²
GRADTAPE_PRIMITIVE(square) = unary<square_kernel>("square").integers<square_kernel>().takes(numbers)
    .vjp([](const Operands& x, Node, Node z_bar) { return z_bar * (x[0] + x[0]); }).on(any_real);

// z = x y, and 0 where y = 0
constexpr auto multiply_no_nan_kernel = [](auto x, auto y) {
    return xsimd::select(y == decltype(y)(0), decltype(y)(0), x * y);
};
GRADTAPE_PRIMITIVE(multiply_no_nan) = binary<multiply_no_nan_kernel>("multiply_no_nan")
    .vjp([](const Operands& x, Node, Node z_bar) { return multiply_no_nan(z_bar, x[1]); },
         [](const Operands& x, Node, Node z_bar) { return multiply_no_nan(x[0], z_bar); })
    .on(any_real, away_from_zero);

// z = max(x, y). A tie halves the cotangent; against a constant it gets none (the subgradient of least norm).
constexpr auto maximum_kernel = [](auto x, auto y) {
    return xsimd::select(x > y, x, xsimd::select(y >= x, y, x + y));
};
constexpr auto maximum_integer = [](auto x, auto y) { return x > y ? x : y; };

static Node share_of_tie(const Operands& x, Node wins, Node z_bar) {
    const std::size_t other = 1 - x.index;
    if (x.is_constant(other)) return where(wins, z_bar, 0.0);
    return where(wins, z_bar, where(equal(x[0], x[1]), 0.5 * z_bar, 0.0));
}

constexpr VjpRule maximum_rule = [](const Operands& x, Node, Node z_bar) {
    return share_of_tie(x, x[x.index] > x[1 - x.index], z_bar);
};
GRADTAPE_PRIMITIVE(maximum) = binary<maximum_kernel>("maximum").integers<maximum_integer, std::int64_t>().takes(numbers)
    .vjp(maximum_rule).one_rule().on({0, 2}, {-2, -0.1});

// z = min(x, y)
constexpr auto minimum_kernel = [](auto x, auto y) {
    return xsimd::select(x < y, x, xsimd::select(y <= x, y, x + y));
};
constexpr auto minimum_integer = [](auto x, auto y) { return x < y ? x : y; };
constexpr VjpRule minimum_rule = [](const Operands& x, Node, Node z_bar) {
    return share_of_tie(x, x[x.index] < x[1 - x.index], z_bar);
};
GRADTAPE_PRIMITIVE(minimum) = binary<minimum_kernel>("minimum").integers<minimum_integer, std::int64_t>().takes(numbers)
    .vjp(minimum_rule).one_rule().on({0, 2}, {-2, -0.1});

// z = min(max(x, low), high); the slope is 1 at the bounds. NaN stays NaN. The bounds are constants.
constexpr auto clamp_kernel = [](auto x, auto low, auto high) {
    return xsimd::select(x < low, low, xsimd::select(x > high, high, x));
};
GRADTAPE_PRIMITIVE(clamp) = ternary<clamp_kernel>("clamp")
    .vjp([](const Operands& x, Node, Node z_bar) {
             return where(logical_and(x[0] >= x[1], x[0] <= x[2]), z_bar, 0.0);
         },
         [](const Operands& x, Node, Node z_bar) { return where(x[0] < x[1], z_bar, 0.0); },
         [](const Operands& x, Node, Node z_bar) { return where(x[0] > x[2], z_bar, 0.0); })
    .on({-2, 2, 1, 0.1}, {-1, 0}, {2.5, 3});

}  // namespace gradtape::detail::GRADTAPE_ISA

// tanh and sigmoid, whose slopes keep their digits in the tails, where the functions themselves are 1 but for rounding.
//
// Each is made of its tail, what it is away from where it saturates: q = 1 − tanh |x|, w = sigmoid(−|x|). Both come from one
// exponential, down to subnormal numbers; value and slope take little more. So a replay that needs both computes the tail once
// (`Primitive::part`, passes/parts.cpp): with the same bits, as the kernels are the same.
#include "../kernels/exponential.hpp"
#include "family.hpp"

#include <cmath>

namespace gradtape::detail::GRADTAPE_ISA {

/// sigmoid(−|x|) = e / (1 + e)
template <class Batch>
Batch tail_of_sigmoid(Batch x) {
    const Batch e = exponential(negated(xsimd::abs(x)));
    return e / (Batch(1) + e);
}

/// 1 − tanh |x| = 2 e / (1 + e), where e = e^−2|x|
template <class Batch>
Batch tail_of_tanh(Batch x) {
    const Batch size = xsimd::abs(x), e = exponential(negated(size + size));
    return (e + e) / (Batch(1) + e);
}

/// |x| from which tanh is computed by its tail. Below, it has more digits than that.
constexpr double tanh_by_tail = 0.55;

/// (tanh(x) / x − 1) / x² for |x| < tanh_by_tail, as a polynomial in x² interpolated at the Chebyshev points.
template <class T>
struct TanhNearZero;
template <>
struct TanhNearZero<float> {
    static constexpr float terms[] = {-0x1.555554p-2f, 0x1.110feap-3f, -0x1.b9a044p-5f, 0x1.5d220ep-6f, -0x1.b13538p-8f};
};
template <>
struct TanhNearZero<double> {
    static constexpr double terms[] = {-0x1.5555555555555p-2,  0x1.1111111111032p-3,  -0x1.ba1ba1b9fec84p-5, 0x1.664f487713373p-6,
                                       -0x1.226e32f00cf0cp-7,  0x1.d6d339333f329p-9,  -0x1.7d97cfd138c28p-10, 0x1.34c5a8a996cd4p-11,
                                       -0x1.ec1091436eb2ap-13, 0x1.64fd88e9900a4p-14, -0x1.59a834187ce22p-16};
};

template <class Batch>
Batch tanh_near_zero(Batch x) {
    using T = typename Batch::value_type;
    constexpr auto& terms = TanhNearZero<T>::terms;
    constexpr int count = sizeof terms / sizeof(T);
    const Batch square = x * x;
    Batch sum(terms[count - 1]);
    for (int i = count - 1; i-- > 0;) sum = xsimd::fma(sum, square, Batch(terms[i]));
    return xsimd::fma(sum, square * x, x);
}

// z = sigmoid(−|x|), the smaller of sigmoid(x) and 1 − sigmoid(x). At its peak, 0, the slope is 0.
constexpr auto sigmoid_tail_kernel = [](auto x) { return tail_of_sigmoid(x); };
GRADTAPE_KERNELS(sigmoid_tail, unary_loops<sigmoid_tail_kernel>())
GRADTAPE_PRIMITIVE(sigmoid_tail, unary()
    .vjp([](const Operands& x, Node, Node z_bar) { return -chain(sign(x[0]) * sigmoid_slope(x[0]), z_bar); })
    .accurate_to(2.3, 2.9).on(away_from_zero))

// z = w where x < 0, else 1 − w
constexpr auto sigmoid_of_tail_kernel = [](auto w, auto x) { return xsimd::select(x < decltype(x)(0), w, decltype(x)(1) - w); };
GRADTAPE_KERNELS(sigmoid_of_tail, binary_loops<sigmoid_of_tail_kernel>())
GRADTAPE_PRIMITIVE(sigmoid_of_tail, binary()
    .vjp([](const Operands& x, Node, Node z_bar) { return where(x[1] < 0.0, z_bar, -z_bar); }, gives_nothing)
    .on(any_real, away_from_zero))

// z = w (1 − w)
constexpr auto sigmoid_slope_of_tail_kernel = [](auto w) { return w * (decltype(w)(1) - w); };
GRADTAPE_KERNELS(sigmoid_slope_of_tail, unary_loops<sigmoid_slope_of_tail_kernel>())
GRADTAPE_PRIMITIVE(sigmoid_slope_of_tail, unary()
    .vjp([](const Operands& w, Node, Node z_bar) { return chain(1.0 - 2.0 * w[0], z_bar); })
    .accurate_to(1.5, 0.5).on(any_real))

// z = 1 / (1 + e^−x), accurate on both sides, into the subnormal numbers
constexpr auto sigmoid_kernel = [](auto x) { return sigmoid_of_tail_kernel(tail_of_sigmoid(x), x); };
GRADTAPE_KERNELS(sigmoid, unary_loops<sigmoid_kernel>())
GRADTAPE_PRIMITIVE(sigmoid, unary().made_of(sigmoid_tail_p, sigmoid_of_tail_p)
    .vjp([](const Operands& x, Node, Node z_bar) { return chain(sigmoid_slope(x[0]), z_bar); })
    .accurate_to(2.1, 2.9).on(any_real))

// z = sigmoid(x) sigmoid(−x), ∂z/∂x = −z tanh(x/2)
constexpr auto sigmoid_slope_kernel = [](auto x) { return sigmoid_slope_of_tail_kernel(tail_of_sigmoid(x)); };
GRADTAPE_KERNELS(sigmoid_slope, unary_loops<sigmoid_slope_kernel>())
GRADTAPE_PRIMITIVE(sigmoid_slope, unary().made_of(sigmoid_tail_p, sigmoid_slope_of_tail_p)
    .vjp([](const Operands& x, Node z, Node z_bar) { return -chain(z * tanh(0.5 * x[0]), z_bar); })
    .accurate_to(2.9, 3).on(any_real))

// z = 1 − tanh |x|
constexpr auto tanh_tail_kernel = [](auto x) { return tail_of_tanh(x); };
GRADTAPE_KERNELS(tanh_tail, unary_loops<tanh_tail_kernel>())
GRADTAPE_PRIMITIVE(tanh_tail, unary()
    .vjp([](const Operands& x, Node, Node z_bar) { return -chain(sign(x[0]) * tanh_slope(x[0]), z_bar); })
    .accurate_to(2.3, 2.6).on(away_from_zero))

// z = ±(1 − q), with the sign of x; where |x| is small, tanh x
constexpr auto tanh_of_tail_kernel = [](auto q, auto x) {
    using Batch = decltype(x);
    const Batch size = xsimd::abs(x), sign = x & Batch(typename Batch::value_type(-0.0));
    return xsimd::select(size < Batch(typename Batch::value_type(tanh_by_tail)), tanh_near_zero(x), (Batch(1) - q) ^ sign);
};
GRADTAPE_KERNELS(tanh_of_tail, binary_loops<tanh_of_tail_kernel>())
GRADTAPE_PRIMITIVE(tanh_of_tail, binary()
    .vjp([](const Operands& x, Node, Node z_bar) { return where(abs(x[1]) < tanh_by_tail, 0.0, -chain(sign(x[1]), z_bar)); },
         [](const Operands& x, Node, Node z_bar) {
             return where(abs(x[1]) < tanh_by_tail, chain(tanh_slope(x[1]), z_bar), 0.0);
         })
    .accurate_to(0.6, 1.9).on(positive, {0.7, 2}))

// z = q (2 − q)
constexpr auto tanh_slope_of_tail_kernel = [](auto q) { return q * (decltype(q)(2) - q); };
GRADTAPE_KERNELS(tanh_slope_of_tail, unary_loops<tanh_slope_of_tail_kernel>())
GRADTAPE_PRIMITIVE(tanh_slope_of_tail, unary()
    .vjp([](const Operands& q, Node, Node z_bar) { return chain(2.0 - 2.0 * q[0], z_bar); })
    .accurate_to(1.5, 0.5).on(any_real))

constexpr auto tanh_kernel = [](auto x) { return tanh_of_tail_kernel(tail_of_tanh(x), x); };
GRADTAPE_KERNELS(tanh, unary_loops<tanh_kernel>())
GRADTAPE_PRIMITIVE(tanh, unary().made_of(tanh_tail_p, tanh_of_tail_p)
    .vjp([](const Operands& x, Node, Node z_bar) { return chain(tanh_slope(x[0]), z_bar); })
    .accurate_to(1.6, 2.6).on(any_real))

// z = 1 − tanh² x, ∂z/∂x = −2 z tanh x
constexpr auto tanh_slope_kernel = [](auto x) { return tanh_slope_of_tail_kernel(tail_of_tanh(x)); };
GRADTAPE_KERNELS(tanh_slope, unary_loops<tanh_slope_kernel>())
GRADTAPE_PRIMITIVE(tanh_slope, unary().made_of(tanh_tail_p, tanh_slope_of_tail_p)
    .vjp([](const Operands& x, Node z, Node z_bar) { return -2.0 * chain(z * tanh(x[0]), z_bar); })
    .accurate_to(2.6, 4.3).on(any_real))

}  // namespace gradtape::detail::GRADTAPE_ISA

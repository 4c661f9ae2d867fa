// The operations. Names and broadcasting follow NumPy; every result is recorded on its operands' tape.
//
// Two-operand functions take numbers and tensors on either side (`2.0 * x`, `maximum(x, 0)`). Operands of unlike shape
// are broadcast; of unlike dtype are refused (DTypeError): write `cast`. Below, z̄ is the cotangent of the result and
// x̄ = … the rule. "Edge" lines say what happens at kinks and poles; docs/numerics.md gives the reasons.
#pragma once

#include <gradtape/tape.hpp>

#include <span>

namespace gradtape {

/// Which axes a reduction runs over: none given means all. Negative axes count from the end.
class Axes {
public:
    Axes() = default;
    template <std::integral Integer>
    Axes(Integer axis) : list_{std::int64_t(axis)}, all_(false) {}
    Axes(std::initializer_list<std::int64_t> axes, Where where = Where::here()) : list_(axes, where), all_(false) {}
    Axes(const Shape& axes) : list_(axes), all_(false) {}
    bool all() const noexcept { return all_; }
    const Shape& list() const noexcept { return list_; }

    Axes(bool) GRADTAPE_DELETED("an axis is an integer; keepdims comes after the axes: sum(x, {}, true)");
    template <std::floating_point Real>
    Axes(Real) GRADTAPE_DELETED("an axis is an integer; of two numbers the larger is maximum(x, y), the smaller minimum(x, y)");
    Axes(Node) GRADTAPE_DELETED("a node is no axis; of two nodes the larger is maximum(x, y), the smaller minimum(x, y)");
    Axes(const Tensor&) GRADTAPE_DELETED("a tensor is no axis; the larger of two is maximum(x, y), the smaller minimum(x, y)");

private:
    Shape list_;
    bool all_ = true;
};

/// Whether a reduction keeps the axes that it reduces, with extent 1: false or true.
class Keepdims {
public:
    template <std::same_as<bool> Bool>
    constexpr Keepdims(Bool keep) noexcept : keep_(keep) {}
    constexpr operator bool() const noexcept { return keep_; }

    template <Arithmetic T>
        requires(!std::is_same_v<T, bool>)
    Keepdims(T) GRADTAPE_DELETED("keepdims is true or false; several axes are a list: sum(x, {0, 1})");

private:
    bool keep_;
};

// ---- arithmetic: float32, float64, int64 -----------------------------------------------------------------

/// z = x + y. x̄ = ȳ = z̄.
Node add(Operand x, Operand y);
/// z = x − y. x̄ = z̄, ȳ = −z̄.
Node subtract(Operand x, Operand y);
/// z = x y. x̄ = z̄ y, ȳ = z̄ x.
Node multiply(Operand x, Operand y);
/// z = x / y; floating only. x̄ = z̄ / y, ȳ = −z̄ z / y. Edge: a zero cotangent stays zero where y = 0.
Node divide(Operand x, Operand y);
/// z = −x.
Node negative(Operand x);
/// z = x^y; floating only. x̄ = z̄ y x^(y−1), ȳ = z̄ x^y log x.
/// Edges: at (0, 0) both are 0; ∂/∂y at (0, y>0) is 0, at (0, y<0) is −inf; x < 0 with non-integer y is NaN.
Node power(Operand x, Operand y);
/// z = y x^(y−1), the slope of power in x. Edge: 0 where y = 0, also at x = 0. Floating only.
Node power_slope(Operand x, Operand y);
/// z = x^y logⁿ x, for whole n ≥ 0, of which there is no derivative: what the derivatives of power are made of. Floating only.
/// Edge: 0 at x = 0 ≤ y, where n > 0.
Node power_log(Operand x, Operand y, Operand n);
/// z = x². x̄ = 2 z̄ x.
Node square(Operand x);
/// z = x y, but 0 wherever y = 0, even where x is infinite or NaN: what rules use for a slope x and a cotangent y, so that a
/// zero cotangent stays zero whatever the slope. x̄ = multiply_or_zero(z̄, y), ȳ = multiply_no_nan(x, z̄). Floating only.
Node multiply_no_nan(Operand x, Operand y);
/// z = x y, but 0 wherever x = 0 or y = 0. x̄ = multiply_or_zero(z̄, y); ȳ likewise. Floating only.
Node multiply_or_zero(Operand x, Operand y);
/// z = x / y, but 0 wherever x = 0, even where y is 0 or NaN: what rules use for a cotangent x and a slope 1/y.
/// x̄ = divide_no_nan(z̄, y), ȳ = −z̄ z / y. Floating only.
Node divide_no_nan(Operand x, Operand y);

// ---- elementwise functions: float32, float64 --------------------------------------------------------------

/// z = √x. x̄ = z̄ / 2z. Edge: at 0 inf for z̄ ≠ 0, and 0 for z̄ = 0.
Node sqrt(Operand x);
/// z = 1/√x. x̄ = −z̄ z / 2x. Edge: −inf at 0.
Node rsqrt(Operand x);
/// z = 1/x. x̄ = −z̄ z / x. Edge: −inf at 0.
Node reciprocal(Operand x);
/// z = eˣ.
Node exp(Operand x);
/// z = eˣ − 1, accurate near 0.
Node expm1(Operand x);
/// z = log x. x̄ = z̄ / x. Edge: at 0 inf for z̄ ≠ 0, and 0 for z̄ = 0; below, NaN.
Node log(Operand x);
/// z = log(1 + x), accurate near 0.
Node log1p(Operand x);
Node sin(Operand x);
Node cos(Operand x);
Node tan(Operand x);
/// z = tanh x. x̄ = z̄ tanh_slope(x).
Node tanh(Operand x);
/// z = 1 − tanh² x = 1 / cosh² x, with all digits also where tanh x rounds to ±1. x̄ = −2 z̄ z tanh x.
Node tanh_slope(Operand x);
/// z = 1 / (1 + e^−x). x̄ = z̄ sigmoid_slope(x). For a slope k write `sigmoid(k * x)`.
Node sigmoid(Operand x);
/// z = sigmoid(x) sigmoid(−x), with all digits also where sigmoid(x) rounds to 1. x̄ = −z̄ z tanh(x/2).
Node sigmoid_slope(Operand x);
/// z = log(1 + eˣ) = max(x, 0) + log1p(e^−|x|), so it never overflows. x̄ = z̄ sigmoid(x).
Node softplus(Operand x);
/// z = −softplus(−x): log of the sigmoid. x̄ = z̄ sigmoid(−x).
Node log_sigmoid(Operand x);
/// z = max(x, 0). Edge: derivative 0 at 0; of NaN, value and derivative are NaN.
Node relu(Operand x);
/// z = |x|. Edge: derivative 0 at 0. Also int64.
Node abs(Operand x);
/// z = −1, 0 or 1; NaN of NaN. Derivative 0. Also int64.
Node sign(Operand x);
/// The larger; NaN if either is, and then the derivative of that one. Also int64. Edge: a tie gives each half the cotangent,
/// or none where one side is a constant.
Node maximum(Operand x, Operand y);
/// The smaller; as maximum. Also int64.
Node minimum(Operand x, Operand y);
/// min(max(x, low), high). Edge: derivative 1 at the bounds, also at infinite ones; NaN of NaN. ValueError where low > high.
Node clamp(Operand x, Number low, Number high);
/// x log y, and 0 where x = 0. x̄ = z̄ log y, ȳ = z̄ x / y.
Node xlogy(Operand x, Operand y);

// ---- selection, comparison, logic, dtype: any dtype -------------------------------------------------------

/// Elementwise condition ? x : y. The unselected side receives exactly 0.
Node where(Operand condition, Operand x, Operand y);
/// Elementwise x > 0 ? y : 0, floating only: where(x > 0, y, 0) without the boolean. ȳ = where_positive(x, z̄), x̄ = 0. The rule
/// of relu. Edge: where x is NaN, NaN, but 0 where y = 0.
Node where_positive(Operand x, Operand y);
/// Comparisons: boolean results, no derivative. Operands of one dtype.
Node equal(Operand x, Operand y);
Node not_equal(Operand x, Operand y);
Node less(Operand x, Operand y);
Node less_equal(Operand x, Operand y);
Node greater(Operand x, Operand y);
Node greater_equal(Operand x, Operand y);
/// Logic, boolean only.
Node logical_and(Operand x, Operand y);
Node logical_or(Operand x, Operand y);
Node logical_not(Operand x);
/// x converted to `dtype`, as static_cast does (to boolean: x ≠ 0; to int64: towards zero, saturating, NaN → 0).
/// Derivative: z̄ cast back where both are floating; none through int64 or boolean.
Node cast(Operand x, DType dtype);
/// z = x, with derivative 0.
Node stop_gradient(Operand x);

// ---- reductions: float32, float64, int64 -------------------------------------------------------------------
// Over `axes`, all of them by default; keepdims keeps reduced axes with extent 1.

/// Σ x. Pairwise over a fixed tree: accurate, and the same bits for any block size and thread count. Empty: 0.
Node sum(Operand x, Axes axes = {}, Keepdims keepdims = false);
/// Σ x / count. Does not overflow where elements are near the largest. Empty: NaN. Floating only.
Node mean(Operand x, Axes axes = {}, Keepdims keepdims = false);
/// √Σ x², the 2-norm. x̄ = z̄ x / z. Edge: where z = 0 all derivatives are 0, of every order, so that the Hessian of
/// square(norm(x)) is 0 there and not 2: write sum(square(x)). Floating only.
/// Elements are scaled where their squares would overflow or vanish. With k infinite elements x̄ is ±z̄/√k at those, else 0.
Node norm(Operand x, Axes axes = {}, Keepdims keepdims = false);
/// Σ (x − mean x)² / count, the population's. x̄ = 2 z̄ (x − mean x) / count. Empty: NaN. Floating only. It overflows where
/// the variance does; `stddev` does not then.
Node variance(Operand x, Axes axes = {}, Keepdims keepdims = false);
/// √variance, the standard deviation. x̄ = z̄ (x − mean x) / (count z). Edge: where z = 0 as norm; so for equal elements.
Node stddev(Operand x, Axes axes = {}, Keepdims keepdims = false);
/// Π x. x̄ by products of the other elements (exact with zeros). Empty: 1.
Node prod(Operand x, Axes axes = {}, Keepdims keepdims = false);
/// Largest element; NaN if any is, and then the derivative of those. Edge: k ties share the cotangent, 1/k each.
/// ShapeError on an empty axis.
Node max(Operand x, Axes axes = {}, Keepdims keepdims = false);
/// Smallest element; as max.
Node min(Operand x, Axes axes = {}, Keepdims keepdims = false);
/// log Σ eˣ, shifted by the maximum; floating only. x̄ = z̄ e^(x−z). Edges: all −inf (or empty) gives −inf and gradient 0;
/// over no axes it is x itself.
Node logsumexp(Operand x, Axes axes = {}, Keepdims keepdims = false);
/// eˣ / Σ eˣ along one axis; floating only. x̄ = z (z̄ − Σ z̄ z). Edge: a row of −inf gives 0.
Node softmax(Operand x, Axis axis = -1);
/// x − logsumexp(x) along one axis; floating only. x̄ = z̄ − e^z Σ z̄.
Node log_softmax(Operand x, Axis axis = -1);

// ---- shape: any dtype --------------------------------------------------------------------------------------

/// NumPy broadcasting to `shape`. x̄ = sum_to(z̄, x.shape).
Node broadcast_to(Operand x, const Shape& shape);
/// Sums x over the axes that broadcasting from `shape` would have added. The reverse of broadcast_to.
Node sum_to(Operand x, const Shape& shape);
/// The same elements in another shape; one extent may be −1.
Node reshape(Operand x, const Shape& shape);
/// Axes reversed, or permuted: result axis i is x's axis permutation[i].
Node transpose(Operand x);
Node transpose(Operand x, const Shape& permutation);

/// One axis of a slice: start, stop, step as in Python (negative counts from the end; step ≠ 0 may be negative).
struct Range {
    std::optional<std::int64_t> start{};
    std::optional<std::int64_t> stop{};
    std::int64_t step = 1;
};
/// x[start:stop:step, …]; axes not listed are taken whole. x̄ = z̄ scattered into zeros.
Node slice(Operand x, std::initializer_list<Range> ranges);
Node slice(Operand x, std::span<const Range> ranges);
/// Joins tensors along an axis they may differ in: a list, a span or vector, or two to four nodes, `concatenate(a, b, -1)`.
/// (C++ looks names up by the types of arguments, and a list in braces has none: it needs `gradtape::`.)
Node concatenate(std::span<const Node> parts, Axis axis = 0, Where where = Where::here());
Node concatenate(std::initializer_list<Node> parts, Axis axis = 0, Where where = Where::here());
Node concatenate(Node a, Node b, Axis axis = 0, Where where = Where::here());
Node concatenate(Node a, Node b, Node c, Axis axis = 0, Where where = Where::here());
Node concatenate(Node a, Node b, Node c, Node d, Axis axis = 0, Where where = Where::here());
/// Joins tensors of one shape along a new axis; given as to concatenate.
Node stack(std::span<const Node> parts, Axis axis = 0, Where where = Where::here());
Node stack(std::initializer_list<Node> parts, Axis axis = 0, Where where = Where::here());
Node stack(Node a, Node b, Axis axis = 0, Where where = Where::here());
Node stack(Node a, Node b, Node c, Axis axis = 0, Where where = Where::here());
Node stack(Node a, Node b, Node c, Node d, Axis axis = 0, Where where = Where::here());
/// `before[i]` and `after[i]` elements of `value` around axis i. DTypeError where `value` is none of x's dtype.
Node pad(Operand x, const Shape& before, const Shape& after, Number value = 0.0);

// ---- linear algebra: float32, float64 ----------------------------------------------------------------------

struct Transposed {
    bool x = false;
    bool y = false;
};
/// Matrix product as NumPy's `@`: (…, m, k) (…, k, n) → (…, m, n), leading axes broadcast; a vector on the left is a
/// row, on the right a column. `Transposed` swaps the last two axes of an operand first, without a copy.
/// x̄ = z̄ yᵀ, ȳ = xᵀ z̄ (Giles 2008, 2.2.2).
Node matmul(Operand x, Operand y, Transposed transposed = {});

// ---- operators ---------------------------------------------------------------------------------------------

inline Node operator+(Operand x, Operand y) { return add(x, y); }
inline Node operator-(Operand x, Operand y) { return subtract(x, y); }
inline Node operator*(Operand x, Operand y) { return multiply(x, y); }
inline Node operator/(Operand x, Operand y) { return divide(x, y); }
inline Node operator-(Operand x) { return negative(x); }
inline Node operator<(Operand x, Operand y) { return less(x, y); }
inline Node operator<=(Operand x, Operand y) { return less_equal(x, y); }
inline Node operator>(Operand x, Operand y) { return greater(x, y); }
inline Node operator>=(Operand x, Operand y) { return greater_equal(x, y); }
/// Element by element, as NumPy: a boolean tensor. Whether two nodes are one value: `same_node`.
inline Node operator==(Operand x, Operand y) { return equal(x, y); }
inline Node operator!=(Operand x, Operand y) { return not_equal(x, y); }
/// `x` becomes the name of the new value; nothing is written in place, and other copies of `x` stay what they are.
inline Node& operator+=(Node& x, Operand y) { return x = add(Operand(x, y.where()), y); }
inline Node& operator-=(Node& x, Operand y) { return x = subtract(Operand(x, y.where()), y); }
inline Node& operator*=(Node& x, Operand y) { return x = multiply(Operand(x, y.where()), y); }
inline Node& operator/=(Node& x, Operand y) { return x = divide(Operand(x, y.where()), y); }

/// Tensors are values: one of the two must be on a tape.
Node operator+(const Tensor&, const Tensor&) GRADTAPE_DELETED("a tensor is a value: record one of the two by tape.constant");
Node operator-(const Tensor&, const Tensor&) GRADTAPE_DELETED("a tensor is a value: record one of the two by tape.constant");
Node operator*(const Tensor&, const Tensor&) GRADTAPE_DELETED("a tensor is a value: record one of the two by tape.constant");
Node operator/(const Tensor&, const Tensor&) GRADTAPE_DELETED("a tensor is a value: record one of the two by tape.constant");
Node operator==(const Tensor&, const Tensor&) GRADTAPE_DELETED("compare two tensors by same_bits(a, b), or their data()");
Node operator!=(const Tensor&, const Tensor&) GRADTAPE_DELETED("compare two tensors by same_bits(a, b), or their data()");

}  // namespace gradtape

// What each elementwise primitive's `accuracy` states, value and slopes, against references of 64 bits: over all exponents,
// subnormal numbers, zeros, infinities, and near kinks and poles.
#include "support/exact.hpp"
#include "support/samples.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

namespace gradtape::test {
namespace {

using exact::Real;

/// A float format.
struct Format {
    int digits, least, most;  ///< as numeric_limits has them
};
Format format_of(DType dtype) {
    using Float = std::numeric_limits<float>;
    using Double = std::numeric_limits<double>;
    return dtype == DType::float32 ? Format{Float::digits, Float::min_exponent, Float::max_exponent}
                                   : Format{Double::digits, Double::min_exponent, Double::max_exponent};
}

/// By how many units in the last place z misses the exact e. An infinity counts as the number above the largest.
double units_off(double z, Real e, const Format& format) {
    if (std::isnan(e)) return std::isnan(z) ? 0 : inf;
    if (std::isnan(z)) return inf;
    const Real top = std::ldexp(Real(1), format.most), size = std::min(std::abs(e), top);
    int exponent = format.least;
    if (size != 0) std::frexp(size < top ? size : top / 2, &exponent);
    const Real unit = std::ldexp(Real(1), std::max(exponent, format.least) - format.digits);
    const Real seen = std::copysign(std::min(Real(std::abs(z)), top), Real(z));
    return double(std::abs(seen - std::copysign(size, e)) / unit);
}

/// Numbers of every `stride`-th exponent from the smallest subnormal on and both signs, `each` of them; of everyday size;
/// zeros, infinities, and numbers at kinks, poles and where functions saturate.
std::vector<double> numbers(DType dtype, int stride, int each, Random& random) {
    const Format format = format_of(dtype);
    std::vector<double> result = {0.0, -0.0, inf, -inf, 1, -1, 0.5, 2, 3};
    for (int e = format.least - format.digits; e < format.most; e += stride)
        for (int i = 0; i < each; ++i)
            for (double sign : {1.0, -1.0}) result.push_back(sign * std::ldexp(random.uniform(1, 2), e));
    const double full = dtype == DType::float32 ? 105 : 750, near = std::ldexp(1.0, -format.digits);
    for (int i = 0; i < 200 * each * each / stride; ++i) {
        for (double range : {1.0, 4.0, 40.0, full}) result.push_back(random.uniform(-range, range));
        result.push_back((random.chance(0.5) ? 1 : -1) * (1 + near * random.below(100)));
        result.push_back((random.chance(0.5) ? 1 : -1) * (1 - near * random.below(100)));
    }
    return values(make(result, dtype));  // rounded
}

/// Operands of which each element is a point to try.
std::vector<std::vector<double>> points(const Primitive& p, DType dtype) {
    Random random(83);
    const bool selects = p.loop_operand > 0;
    std::vector<std::vector<double>> x(std::size_t(p.arity));
    if (p.arity == 1) {
        x[0] = numbers(dtype, 1, 3, random);
        return x;
    }
    // The third operand is a bound or a count, which its domain gives.
    const std::vector<double> first = numbers(dtype, 11, 2, random), second = numbers(dtype, 13, 2, random);
    for (double a : first)
        for (int k = 0; k < 40; ++k) {
            const double b = second[std::size_t(random.below(int(second.size())))];
            x[0].push_back(selects ? k % 2 : a);
            x[1].push_back(b);
            if (p.arity > 2) x[2].push_back(selects ? a : values(make({random.uniform(p.domain[2].low, p.domain[2].high)}, dtype))[0]);
        }
    return x;
}

/// The largest miss so far, and where.
struct Worst {
    double units = 0;
    std::string at;
    void see(double off, const std::vector<std::vector<double>>& x, std::size_t i, double z) {
        if (!(off > units)) return;
        units = off;
        char text[200];
        std::snprintf(text, sizeof text, "at (%.17g, %.17g, %.17g): %.17g", x[0][i], x.size() > 1 ? x[1][i] : 0,
                      x.size() > 2 ? x[2][i] : 0, z);
        at = text;
    }
};

struct Measured {
    Worst value, slope;
};

/// A kink or a convention, of which the edge tests have a row each: where operands are equal, both 0, or infinite together.
bool is_edge(const std::vector<std::vector<double>>& x, std::size_t i) {
    if (x.size() < 2) return false;
    const double a = x[0][i], b = x[1][i];
    return a == b || a == 0 || b == 0 || !std::isfinite(a) || !std::isfinite(b);
}

Measured measure(const Primitive& p, DType dtype, const exact::Reference& reference) {
    Measured result;
    const Format format = format_of(dtype);
    const std::vector<std::vector<double>> x = points(p, dtype);
    Tape tape;
    std::vector<Node> nodes;
    for (std::size_t k = 0; k < x.size(); ++k) nodes.push_back(tape.parameter(make(x[k], operand_dtype(p, k, dtype))));
    const Node z = gradtape::apply(p, nodes);
    const auto exact_at = [&](Real (*f)(Real, Real, Real), std::size_t i) {
        return f(x[0][i], x.size() > 1 ? x[1][i] : 0, x.size() > 2 ? x[2][i] : 0);
    };
    // Of two operands: a quotient or power that has lost digits to underflow has a slope that has not more.
    const auto underflows = [&](std::size_t i) {
        const Real size = std::abs(exact_at(reference.value, i));
        return x.size() > 1 && size > 0 && size < std::ldexp(Real(1), format.least - 1);
    };
    const std::vector<double> found = values(z);
    for (std::size_t i = 0; i < found.size(); ++i)
        result.value.see(units_off(found[i], exact_at(reference.value, i), format), x, i, found[i]);
    for (std::size_t k = p.loop_operand; k < x.size() && p.differentiable; ++k) {
        const std::vector<double> bar = values(vjp(z, nodes[k], full_like(z, 1.0)));
        for (std::size_t i = 0; i < bar.size(); ++i)
            if (!is_edge(x, i) && !underflows(i))
                result.slope.see(units_off(bar[i], exact_at(reference.slope[k], i), format), x, i, bar[i]);
    }
    return result;
}

bool gives_floats(const Primitive& p) {
    Tape tape;
    return is_floating(record_with_derivative(tape, p, samples(p).front()).dtype());
}

TEST_CASE("table: elementwise values and slopes are as accurate as the primitive says, over all exponents") {
    int tried = 0;
    for (const Primitive* p : operations()) {
        if (!p->elementwise || !p->dtypes.contains(DType::float64) || p->settings[0].name) continue;
        if (!gives_floats(*p)) continue;
        CAPTURE(std::string(p->name));
        const auto reference = exact::reference(p->name);
        REQUIRE_MESSAGE(reference, "no reference for ", std::string(p->name), " in tests/support/exact.cpp");
        Measured worst;
        for (DType dtype : floating) {
            CAPTURE(std::string(to_string(dtype)));
            const Measured m = measure(*p, dtype, *reference);
            CHECK_MESSAGE(m.value.units <= p->accuracy.value, m.value.units, " units, ", m.value.at);
            CHECK_MESSAGE(m.slope.units <= p->accuracy.slope, m.slope.units, " units of slope, ", m.slope.at);
            if (m.value.units > worst.value.units) worst.value = m.value;
            if (m.slope.units > worst.slope.units) worst.slope = m.slope;
        }
        // Nor is it better than stated by much: a bound that nothing comes near says nothing.
        CHECK((worst.value.units >= p->accuracy.value - 0.6 || p->accuracy.value == inf));
        CHECK((worst.slope.units >= p->accuracy.slope - 0.6 || p->accuracy.slope == inf));
        ++tried;
    }
    CHECK(tried > 30);
}

TEST_CASE("table: second derivatives of what saturates keep their digits in the tails, over all exponents") {
    struct Function {
        const char* name;
        Unary apply;
        Real (*second)(Real x);
    };
    const auto tail = [](Real x) { return std::exp(-std::abs(x)); };
    static const auto sigmoid_slope = [=](Real x) { return tail(x) / ((1 + tail(x)) * (1 + tail(x))); };
    const Function functions[] = {
        {"tanh", [](Node x) { return tanh(x); }, [](Real x) { return -8 * sigmoid_slope(2 * x) * std::tanh(x); }},
        {"sigmoid", [](Node x) { return sigmoid(x); }, [](Real x) { return -sigmoid_slope(x) * std::tanh(x / 2); }},
        {"softplus", [](Node x) { return softplus(x); }, [](Real x) { return sigmoid_slope(x); }},
        {"log_sigmoid", [](Node x) { return log_sigmoid(x); }, [](Real x) { return -sigmoid_slope(x); }},
    };
    Random random(89);
    for (DType dtype : floating) {
        const std::vector<std::vector<double>> x = {numbers(dtype, 1, 3, random)};
        for (const Function& f : functions) {
            Worst worst;
            const std::vector<double> found = derivative(f.apply, make(x[0], dtype), 2);
            for (std::size_t i = 0; i < found.size(); ++i)
                worst.see(units_off(found[i], f.second(x[0][i]), format_of(dtype)), x, i, found[i]);
            CHECK_MESSAGE(worst.units <= 8, f.name, ", ", worst.units, " units, ", worst.at);
        }
    }
}

TEST_CASE("table: a primitive is made of its part and the rest, bit for bit") {
    int tried = 0;
    for (const Primitive* p : operations()) {
        if (!p->part) continue;
        CAPTURE(std::string(p->name));
        for (DType dtype : floating) {
            Tape tape;
            const Node x = tape.parameter(make(points(*p, dtype)[0], dtype)), part = gradtape::apply(*p->part, {x});
            const Node whole = p->rest->arity == 1 ? gradtape::apply(*p->rest, {part}) : gradtape::apply(*p->rest, {part, x});
            CHECK(mismatch(whole, values(gradtape::apply(*p, {x}))) == "");
        }
        ++tried;
    }
    CHECK(tried > 3);
}

}  // namespace
}  // namespace gradtape::test

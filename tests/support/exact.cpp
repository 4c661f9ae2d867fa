#include "exact.hpp"

#include <cmath>
#include <limits>
#include <map>

namespace gradtape::test::exact {
namespace {

using std::exp;
using std::log;
using std::pow;

constexpr Real nan = std::numeric_limits<Real>::quiet_NaN();

// Each from e^−|x|, which is at most 1: no digits are lost on either side.
Real sigmoid(Real x) { return (x < 0 ? exp(x) : Real(1)) / (1 + exp(-std::abs(x))); }
Real sigmoid_slope(Real x) { return exp(-std::abs(x)) / ((1 + exp(-std::abs(x))) * (1 + exp(-std::abs(x)))); }
Real softplus(Real x) { return x > 0 ? x + std::log1p(exp(-x)) : std::log1p(exp(x)); }
Real tanh_slope(Real x) { return 4 * sigmoid_slope(2 * x); }
Real sign(Real x) { return (x > 0) - (x < 0); }
bool is_small(Real x) { return std::abs(x) < Real(0.55); }  // as tanh has it
Real power_log(Real x, Real y, Real n) { return n == 0 ? pow(x, y) : x == 0 && y >= 0 ? 0 : pow(x, y) * pow(log(x), n); }
/// x · y, and 0 where y is 0: products with zero slopes.
Real times(Real x, Real y) { return y == 0 ? 0 : x * y; }
Real power_slope(Real x, Real y) {
    const Real size = std::abs(x), slope = times(size == 0 || std::isinf(size) ? pow(size, y - 1) : pow(size, y) / size, y);
    const Real sign = std::signbit(x) ? -pow(Real(-1), y) : 1;
    return std::isnan(sign) && (size == 0 || std::isinf(size)) ? slope : sign * slope;
}

#define VALUE(formula) [](Real x, [[maybe_unused]] Real y, [[maybe_unused]] Real w) -> Real { return formula; }
#define SLOPE(formula) \
    []([[maybe_unused]] Real x, [[maybe_unused]] Real y, [[maybe_unused]] Real w) -> Real { return formula; }

const std::map<std::string, Reference> references = {
    {"add", {VALUE(x + y), {SLOPE(1), SLOPE(1)}}},
    {"subtract", {VALUE(x - y), {SLOPE(1), SLOPE(-1)}}},
    {"multiply", {VALUE(x * y), {SLOPE(y), SLOPE(x)}}},
    {"divide", {VALUE(x / y), {SLOPE(1 / y), SLOPE(-x / y / y)}}},
    {"negative", {VALUE(-x), {SLOPE(-1)}}},
    {"power", {VALUE(pow(x, y)), {SLOPE(power_slope(x, y)), SLOPE(power_log(x, y, 1))}}},
    {"power_slope",
     {VALUE(power_slope(x, y)),
      {SLOPE(times(power_slope(x, y - 1), y)), SLOPE(times(power_log(x, y, 1) / x, y) + pow(x, y) / x)}}},
    {"power_log",
     {VALUE(power_log(x, y, w)),
      {SLOPE(times(power_log(x, y, w) / x, y) + times(power_log(x, y, w - 1) / x, w)), SLOPE(power_log(x, y, w + 1)), SLOPE(0)}}},
    {"square", {VALUE(x * x), {SLOPE(2 * x)}}},
    {"multiply_no_nan", {VALUE(times(x, y)), {SLOPE(y), SLOPE(x)}}},
    {"multiply_or_zero", {VALUE(x == 0 ? 0 : times(x, y)), {SLOPE(y), SLOPE(x)}}},
    {"divide_no_nan", {VALUE(x == 0 ? 0 : x / y), {SLOPE(1 / y), SLOPE(x == 0 ? 0 : -x / y / y)}}},
    {"sqrt", {VALUE(std::sqrt(x)), {SLOPE(1 / (2 * std::sqrt(x)))}}},
    {"rsqrt", {VALUE(1 / std::sqrt(x)), {SLOPE(-1 / (2 * std::sqrt(x)) / x)}}},
    {"reciprocal", {VALUE(1 / x), {SLOPE(-1 / x / x)}}},
    {"exp", {VALUE(exp(x)), {SLOPE(exp(x))}}},
    {"expm1", {VALUE(std::expm1(x)), {SLOPE(exp(x))}}},
    {"log", {VALUE(log(x)), {SLOPE(x < 0 ? nan : 1 / x)}}},
    {"log1p", {VALUE(std::log1p(x)), {SLOPE(x < -1 ? nan : 1 / (1 + x))}}},
    {"sin", {VALUE(std::sin(x)), {SLOPE(std::cos(x))}}},
    {"cos", {VALUE(std::cos(x)), {SLOPE(-std::sin(x))}}},
    {"tan", {VALUE(std::tan(x)), {SLOPE(1 / (std::cos(x) * std::cos(x)))}}},
    {"tanh", {VALUE(std::tanh(x)), {SLOPE(tanh_slope(x))}}},
    {"tanh_slope", {VALUE(tanh_slope(x)), {SLOPE(-2 * tanh_slope(x) * std::tanh(x))}}},
    {"tanh_tail", {VALUE(2 * sigmoid(-2 * std::abs(x))), {SLOPE(-sign(x) * tanh_slope(x))}}},
    {"tanh_of_tail",
     {VALUE(is_small(y) ? std::tanh(y) : std::copysign(Real(1), y) * (1 - x)),
      {SLOPE(is_small(y) ? 0 : -sign(y)), SLOPE(is_small(y) ? tanh_slope(y) : 0)}}},
    {"tanh_slope_of_tail", {VALUE(x * (2 - x)), {SLOPE(2 - 2 * x)}}},
    {"sigmoid", {VALUE(sigmoid(x)), {SLOPE(sigmoid_slope(x))}}},
    {"sigmoid_slope", {VALUE(sigmoid_slope(x)), {SLOPE(-sigmoid_slope(x) * std::tanh(x / 2))}}},
    {"sigmoid_tail", {VALUE(sigmoid(-std::abs(x))), {SLOPE(-sign(x) * sigmoid_slope(x))}}},
    {"sigmoid_of_tail", {VALUE(y < 0 ? x : 1 - x), {SLOPE(y < 0 ? 1 : -1), SLOPE(0)}}},
    {"sigmoid_slope_of_tail", {VALUE(x * (1 - x)), {SLOPE(1 - 2 * x)}}},
    {"softplus", {VALUE(softplus(x)), {SLOPE(sigmoid(x))}}},
    {"log_sigmoid", {VALUE(-softplus(-x)), {SLOPE(sigmoid(-x))}}},
    {"relu", {VALUE(x > 0 ? x : 0), {SLOPE(x > 0)}}},
    {"abs", {VALUE(std::abs(x)), {SLOPE((x > 0) - (x < 0))}}},
    {"sign", {VALUE((x > 0) - (x < 0)), {SLOPE(0)}}},
    {"maximum", {VALUE(x > y ? x : y), {SLOPE(x > y), SLOPE(y > x)}}},
    {"minimum", {VALUE(x < y ? x : y), {SLOPE(x < y), SLOPE(y < x)}}},
    {"clamp", {VALUE(x < y ? y : x > w ? w : x), {SLOPE(x >= y && x <= w), SLOPE(x < y), SLOPE(x > w)}}},
    {"xlogy", {VALUE(x == 0 ? 0 : x * log(y)), {SLOPE(log(y)), SLOPE(x == 0 ? 0 : y < 0 ? nan : x / y)}}},
    {"where", {VALUE(x != 0 ? y : w), {SLOPE(0), SLOPE(x != 0), SLOPE(x == 0)}}},
    {"where_positive", {VALUE(x > 0 ? y : 0), {SLOPE(0), SLOPE(x > 0)}}},
};

}  // namespace

std::optional<Reference> reference(const std::string& primitive) {
    const auto found = references.find(primitive);
    return found == references.end() ? std::nullopt : std::optional(found->second);
}

}  // namespace gradtape::test::exact

#include "naive.hpp"

#include "naive_matrices.hpp"
#include "naive_random.hpp"
#include "oracle.hpp"

#include <algorithm>
#include <cmath>
#include <map>

namespace gradtape::test::naive {
namespace {

using Function = std::function<Reals(const Call&)>;

Function each(Real (*f)(Real)) {
    return [f](const Call& call) {
        Reals result;
        for (Real x : call[0].elements) result.push_back(f(x));
        return result;
    };
}
Function each(Real (*f)(Real, Real)) {
    return [f](const Call& call) {
        Reals result;
        for (std::size_t i = 0; i < call[0].elements.size(); ++i)
            result.push_back(f(call[0].elements[i], call[1].elements[i]));
        return result;
    };
}
Function each(Real (*f)(Real, Real, Real)) {
    return [f](const Call& call) {
        Reals result;
        for (std::size_t i = 0; i < call[0].elements.size(); ++i)
            result.push_back(f(call[0].elements[i], call[1].elements[i], call[2].elements[i]));
        return result;
    };
}

Real larger(Real x, Real y) { return std::isnan(x) || std::isnan(y) ? x + y : x > y ? x : y; }
Real smaller(Real x, Real y) { return std::isnan(x) || std::isnan(y) ? x + y : x < y ? x : y; }

// Other forms than the library's, so that a mistake in its formula is not made here too.

/// log(1 + eˣ): as it stands where nothing cancels or overflows, else by log(1 + u) = 2 artanh(u/(2 + u)).
Real log_one_plus_exp(Real x) {
    if (x > 11000) return x;
    if (x > -1) return std::log(1 + std::exp(x));
    const Real u = std::exp(x);
    return 2 * std::atanh(u / (2 + u));
}
/// −log(1 + e^−x), likewise.
Real log_of_sigmoid(Real x) {
    return x > 1 ? -2 * std::atanh(1 / (1 + 2 * std::exp(x))) : x - std::log(1 + std::exp(x));
}
Real logistic(Real x) {
    if (x > 0) return (1 + std::tanh(x / 2)) / 2;
    return std::exp(x) / (1 + std::exp(x));
}
/// The middle one of three in order.
Real middle(Real x, Real low, Real high) {
    if (std::isnan(x)) return x;
    Real all[] = {high, x, low};
    std::sort(std::begin(all), std::end(all));
    return all[1];
}
/// x y where y is on either side of 0, or unordered.
Real product_off_zero(Real x, Real y) {
    Real z = 0;
    if (!(y <= 0 && y >= 0)) z = x * y;
    return z;
}
/// y x^(y−1), whose sign for x < 0 is the other one than that of x^y.
Real power_slope(Real x, Real y) {
    const Real slope = y == 0 ? 0 : y * std::pow(std::abs(x), y - 1), sign = std::pow(std::copysign(Real(1), x), y);
    if (!std::signbit(x)) return slope;
    if (std::isnan(sign) && (x == 0 || std::isinf(x))) return slope;
    return -sign * slope;
}
Real times_log(Real x, Real y) {
    const Real bits = std::log2(y);
    return std::fpclassify(x) == FP_ZERO ? 0 : x * bits * std::log(Real(2));
}

const std::map<std::string, Function> elementwise = {
    {"add", each([](Real x, Real y) { return x + y; })},
    {"subtract", each([](Real x, Real y) { return x - y; })},
    {"multiply", each([](Real x, Real y) { return x * y; })},
    {"divide", each([](Real x, Real y) { return x / y; })},
    {"negative", each([](Real x) { return -x; })},
    {"power", each([](Real x, Real y) { return std::pow(x, y); })},
    {"square", each([](Real x) { return x * x; })},
    {"multiply_no_nan", each([](Real x, Real y) { return product_off_zero(x, y); })},
    {"multiply_or_zero", each([](Real x, Real y) { return y == 0 ? 0 : product_off_zero(y, x); })},
    {"divide_no_nan", each([](Real x, Real y) { return x == 0 ? 0 : x / y; })},
    {"power_slope", each([](Real x, Real y) { return power_slope(x, y); })},
    {"power_log", each([](Real x, Real y, Real n) {
         const Real whole = std::round(n);
         return whole == 0 ? std::pow(x, y) : x == 0 && y >= 0 ? 0 : std::pow(x, y) * std::pow(std::log(x), whole);
     })},
    {"sqrt", each([](Real x) { return std::sqrt(x); })},
    {"rsqrt", each([](Real x) { return 1 / std::sqrt(x); })},
    {"reciprocal", each([](Real x) { return 1 / x; })},
    {"exp", each([](Real x) { return std::exp(x); })},
    {"expm1", each([](Real x) { return std::expm1(x); })},
    {"log", each([](Real x) { return std::log(x); })},
    {"log1p", each([](Real x) { return std::log1p(x); })},
    {"sin", each([](Real x) { return std::sin(x); })},
    {"cos", each([](Real x) { return std::cos(x); })},
    {"tan", each([](Real x) { return std::tan(x); })},
    {"tanh", each([](Real x) { return std::tanh(x); })},
    {"tanh_slope", each([](Real x) { return std::pow(std::cosh(x), Real(-2)); })},
    {"tanh_tail", each([](Real x) { return 2 * logistic(-2 * std::abs(x)); })},
    {"tanh_of_tail", each([](Real q, Real x) { return std::abs(x) < Real(0.55) ? std::tanh(x) : x < 0 ? q - 1 : 1 - q; })},
    {"tanh_slope_of_tail", each([](Real q) { return -q * (q - 2); })},
    {"sigmoid", each([](Real x) { return logistic(x); })},
    {"sigmoid_slope", each([](Real x) { return std::pow(2 * std::cosh(x / 2), Real(-2)); })},
    {"sigmoid_tail", each([](Real x) { return logistic(-std::abs(x)); })},
    {"sigmoid_of_tail", each([](Real w, Real x) { return std::signbit(x) && x != 0 ? w : 1 - w; })},
    {"sigmoid_slope_of_tail", each([](Real w) { return -w * (w - 1); })},
    {"softplus", each([](Real x) { return log_one_plus_exp(x); })},
    {"log_sigmoid", each([](Real x) { return log_of_sigmoid(x); })},
    {"relu", each([](Real x) { return larger(x, 0); })},
    {"abs", each([](Real x) { return std::abs(x); })},
    {"sign", each([](Real x) { return x == 0 || std::isnan(x) ? x : std::copysign(Real(1), x); })},
    {"maximum", each([](Real x, Real y) { return larger(x, y); })},
    {"minimum", each([](Real x, Real y) { return smaller(x, y); })},
    {"clamp", each([](Real x, Real low, Real high) { return middle(x, low, high); })},
    {"xlogy", each([](Real x, Real y) { return times_log(x, y); })},
    {"where", each([](Real condition, Real x, Real y) { return condition != 0 ? x : y; })},
    {"where_positive", each([](Real x, Real y) { return y == 0 ? 0 : std::isnan(x) ? x : std::fmax(x, 0) == 0 ? 0 : y; })},
    {"equal", each([](Real x, Real y) { return Real(x == y); })},
    {"not_equal", each([](Real x, Real y) { return Real(x != y); })},
    {"less", each([](Real x, Real y) { return Real(x < y); })},
    {"less_equal", each([](Real x, Real y) { return Real(x <= y); })},
    {"greater", each([](Real x, Real y) { return Real(x > y); })},
    {"greater_equal", each([](Real x, Real y) { return Real(x >= y); })},
    {"logical_and", each([](Real x, Real y) { return Real(x != 0 && y != 0); })},
    {"logical_or", each([](Real x, Real y) { return Real(x != 0 || y != 0); })},
    {"logical_not", each([](Real x) { return Real(x == 0); })},
    {"stop_gradient", each([](Real x) { return x; })},
};

bool contains(const Shape& axes, std::size_t axis) {
    return std::find(axes.begin(), axes.end(), std::int64_t(axis)) != axes.end();
}

/// The elements of each cell of the reduced axes, in row-major order of the kept ones.
std::vector<Reals> cells(const Call& call) {
    const Shape &shape = call[0].type.shape, &axes = call.shape("axes");
    Shape kept = shape;
    for (std::size_t axis = 0; axis < shape.rank(); ++axis)
        if (contains(axes, axis)) kept[axis] = 1;
    std::vector<Reals> result(std::size_t(kept.elements()));
    oracle::each_index(shape, [&](const Shape& index) {
        Shape cell = index;
        for (std::size_t axis = 0; axis < shape.rank(); ++axis)
            if (contains(axes, axis)) cell[axis] = 0;
        result[std::size_t(oracle::offset(kept, cell))].push_back(
            call[0].elements[std::size_t(oracle::offset(shape, index))]);
    });
    return result;
}

Function reduction(Real (*f)(const Reals&)) {
    return [f](const Call& call) {
        Reals result;
        for (const Reals& cell : cells(call)) result.push_back(f(cell));
        return result;
    };
}

Real log_sum_exp(const Reals& x) {
    if (x.size() == 1) return x[0];  // not the logarithm of its exponential, which is rounded
    Real total = 0;
    for (Real e : x) total += std::exp(e);
    return std::log(total);
}

Real length(const Reals& x) {
    Real total = 0;
    for (Real e : x) total = std::hypot(total, e);
    return total;
}

/// The given sums over the numbers of elements of their cells.
Reals mean(const Call& call) {
    const std::vector<Reals> all = cells(call);
    Reals result;
    for (std::size_t i = 0; i < all.size(); ++i) result.push_back(call[1].elements[i] / Real(all[i].size()));
    return result;
}

/// f(x, `of` its cell) for each element, back in place.
Function along(Real (*f)(Real, Real), Real (*of)(const Reals&) = log_sum_exp) {
    return [f, of](const Call& call) {
        std::vector<Reals> all = cells(call);
        Reals result(call[0].elements.size());
        const Shape &shape = call[0].type.shape, &axes = call.shape("axes");
        Shape kept = shape;
        for (std::size_t axis = 0; axis < shape.rank(); ++axis)
            if (contains(axes, axis)) kept[axis] = 1;
        oracle::each_index(shape, [&](const Shape& index) {
            Shape cell = index;
            for (std::size_t axis = 0; axis < shape.rank(); ++axis)
                if (contains(axes, axis)) cell[axis] = 0;
            const std::size_t at = std::size_t(oracle::offset(shape, index));
            result[at] = f(call[0].elements[at], of(all[std::size_t(oracle::offset(kept, cell))]));
        });
        return result;
    };
}

/// For each index of the result, the element of operand 0 at `source(index)`.
Reals gather(const Call& call, const std::function<Shape(const Shape&)>& source) {
    Reals result;
    oracle::each_index(call.result.shape, [&](const Shape& index) {
        result.push_back(call[0].elements[std::size_t(oracle::offset(call[0].type.shape, source(index)))]);
    });
    return result;
}

Reals broadcast_to(const Call& call) {
    const Shape& from = call[0].type.shape;
    return gather(call, [&](const Shape& index) {
        Shape mine = from;
        for (std::size_t axis = 0; axis < from.rank(); ++axis)
            mine[axis] = from[axis] == 1 ? 0 : index[index.rank() - from.rank() + axis];
        return mine;
    });
}

Reals transpose(const Call& call) {
    const Shape& permutation = call.shape("permutation");
    return gather(call, [&](const Shape& index) {
        Shape mine = index;
        for (std::size_t i = 0; i < index.rank(); ++i) mine[std::size_t(permutation[i])] = index[i];
        return mine;
    });
}

Shape window(const Call& call, Shape index) {
    for (std::size_t axis = 0; axis < index.rank(); ++axis)
        index[axis] = call.shape("start")[axis] + index[axis] * call.shape("step")[axis];
    return index;
}

Reals slice(const Call& call) {
    return gather(call, [&](const Shape& index) { return window(call, index); });
}

Reals unslice(const Call& call) {
    Reals result(std::size_t(call.result.shape.elements()), 0);
    std::size_t next = 0;
    oracle::each_index(call[0].type.shape, [&](const Shape& index) {
        result[std::size_t(oracle::offset(call.result.shape, window(call, index)))] = call[0].elements[next++];
    });
    return result;
}

Reals add_slices(const Call& call) {
    Reals result = call[0].elements;
    const std::size_t rank = call.result.shape.rank();
    for (std::size_t k = 1; k < call.operands.size(); ++k) {
        std::size_t next = 0;
        oracle::each_index(call[k].type.shape, [&](Shape index) {
            for (std::size_t axis = 0; axis < rank; ++axis)
                index[axis] = call.attributes.get<Integers>("start")[(k - 1) * rank + axis] +
                              index[axis] * call.attributes.get<Integers>("step")[(k - 1) * rank + axis];
            result[std::size_t(oracle::offset(call.result.shape, index))] += call[k].elements[next++];
        });
    }
    return result;
}

Reals concatenate(const Call& call) {
    const std::size_t axis = std::size_t(call.attributes.get<std::int64_t>("axis"));
    Reals result;
    oracle::each_index(call.result.shape, [&](Shape index) {
        std::size_t part = 0;
        while (index[axis] >= call[part].type.shape[axis]) index[axis] -= call[part++].type.shape[axis];
        result.push_back(call[part].elements[std::size_t(oracle::offset(call[part].type.shape, index))]);
    });
    return result;
}

Reals pad(const Call& call) {
    const Shape& shape = call[0].type.shape;
    Reals result;
    oracle::each_index(call.result.shape, [&](Shape index) {
        bool inside = true;
        for (std::size_t axis = 0; axis < shape.rank(); ++axis) {
            index[axis] -= call.shape("before")[axis];
            inside = inside && index[axis] >= 0 && index[axis] < shape[axis];
        }
        result.push_back(inside ? call[0].elements[std::size_t(oracle::offset(shape, index))]
                                : Real(call.attributes.get<double>("value")));
    });
    return result;
}

Reals product(const Call& call, std::size_t from) {
    const bool plain = call.attributes.list().empty();
    const bool tx = !plain && call.attributes.get<bool>("transpose_x");
    const bool ty = !plain && call.attributes.get<bool>("transpose_y");
    const Shape &x = call[from].type.shape, &y = call[from + 1].type.shape;
    const std::size_t rank = x.rank();
    const std::int64_t inner = tx ? x[rank - 2] : x[rank - 1];
    Reals result;
    oracle::each_index(call.result.shape, [&](const Shape& index) {
        Real total = 0;
        Shape i = index, j = index;
        for (std::int64_t k = 0; k < inner; ++k) {
            i[rank - 2] = tx ? k : index[rank - 2];
            i[rank - 1] = tx ? index[rank - 2] : k;
            j[rank - 2] = ty ? index[rank - 1] : k;
            j[rank - 1] = ty ? k : index[rank - 1];
            total += call[from].elements[std::size_t(oracle::offset(x, i))] *
                     call[from + 1].elements[std::size_t(oracle::offset(y, j))];
        }
        result.push_back(total);
    });
    return result;
}
Reals matmul(const Call& call) { return product(call, 0); }

Reals addmm(const Call& call) {
    Reals result = product(call, 1);
    for (std::size_t i = 0; i < result.size(); ++i) result[i] = call[0].elements[i] + call[3].elements[0] * result[i];
    return result;
}

Reals cast(const Call& call) {
    Reals result = call[0].elements;
    for (Real& x : result) {
        switch (call.result.dtype) {
            case DType::float32: x = float(x); break;
            case DType::float64: x = double(x); break;
            case DType::int64:
                x = std::isnan(x) ? 0 : std::trunc(smaller(larger(x, -0x1p63L), 0x1p63L - 1));
                break;
            case DType::boolean: x = x != 0; break;
        }
    }
    return result;
}

/// f(matrices k of the operands, attributes) for each matrix of a batch, one behind the other.
Function by_matrix(Reals (*f)(const std::vector<Matrix>&, const Attributes&)) {
    return [f](const Call& call) {
        Reals result;
        const Shape& first = call[0].type.shape;
        std::int64_t count = 1;
        for (std::size_t i = 0; i + 2 < first.rank(); ++i) count *= first[i];
        for (std::int64_t k = 0; k < count; ++k) {
            std::vector<Matrix> matrices;
            for (const Array& operand : call.operands)
                if (operand.type.shape.rank() >= first.rank()) matrices.push_back(matrix(operand.type.shape, operand.elements, k));
            const Reals part = f(matrices, call.attributes);
            result.insert(result.end(), part.begin(), part.end());
        }
        return result;
    };
}

const std::map<std::string, Function> structural = {
    {"sum", reduction([](const Reals& x) { Real t = 0; for (Real e : x) t += e; return t; })},
    {"prod", reduction([](const Reals& x) { Real t = 1; for (Real e : x) t *= e; return t; })},
    {"max", reduction([](const Reals& x) { Real t = x[0]; for (Real e : x) t = larger(t, e); return t; })},
    {"min", reduction([](const Reals& x) { Real t = x[0]; for (Real e : x) t = smaller(t, e); return t; })},
    {"logsumexp", reduction(log_sum_exp)},
    {"mean", mean},
    {"norm", reduction(length)},
    {"direction", along([](Real x, Real its) { return its == 0 ? 0 : x / its; }, length)},
    {"logsumexp#1", along([](Real x, Real total) { return std::exp(x - total); })},
    {"softmax", along([](Real x, Real total) { return std::exp(x - total); })},
    {"log_softmax", along([](Real x, Real total) { return x - total; })},
    {"broadcast_to", broadcast_to},
    {"reshape", [](const Call& call) { return call[0].elements; }},
    {"guard", [](const Call& call) { return call[0].elements; }},
    {"barrier", [](const Call& call) { return call[0].elements; }},
    {"transpose", transpose},
    {"slice", slice},
    {"unslice", unslice},
    {"add_slices", add_slices},
    {"concatenate", concatenate},
    {"pad", pad},
    {"matmul", matmul},
    {"addmm", addmm},
    {"triangle", by_matrix(triangle)},
    {"cholesky", by_matrix(cholesky)},
    {"triangular_solve", by_matrix(triangular_solve)},
    {"eigh", by_matrix(eigenvalues)},
    {"eigh#1", by_matrix(eigenvectors)},
    {"qr", by_matrix(qr_q)},
    {"qr#1", by_matrix(qr_r)},
    {"svd", by_matrix(svd_u)},
    {"svd#1", by_matrix(svd_s)},
    {"svd#2", by_matrix(svd_vt)},
    {"lu", by_matrix(lu)},
    {"lu#1", by_matrix(lu_rows)},
    {"solve", by_matrix(solve)},
    {"inv", by_matrix(inv)},
    {"adjugate", by_matrix(adjugate)},
    {"det", by_matrix(det)},
    {"slogdet", by_matrix(det_sign)},
    {"slogdet#1", by_matrix(log_det)},
    {"cast", cast},
    {"random_bits", [](const Call& call) { return random_bits(call[0], call.attributes, call.result); }},
    {"normal_quantile", each(normal_quantile)},
    {"exponential_quantile", each(exponential_quantile)},
    {"gumbel_quantile", each(gumbel_quantile)},
};

}  // namespace

Array from(const Tensor& tensor) {
    Array result{tensor.type(), {}};
    if (tensor.dtype() == DType::int64)
        for (std::int64_t e : tensor.data<std::int64_t>()) result.elements.push_back(Real(e));
    else
        for (double e : values(tensor)) result.elements.push_back(e);
    return result;
}

std::optional<std::vector<long double>> evaluate(const std::string& name, const std::vector<Array>& operands,
                                                 const Attributes& attributes, const Type& result) {
    const Call call{operands, attributes, result};
    for (const auto* table : {&elementwise, &structural})
        if (const auto found = table->find(name); found != table->end()) return found->second(call);
    return indexing(name, operands, attributes, result);
}

}  // namespace gradtape::test::naive

#include "oracle.hpp"

#include <algorithm>
#include <cmath>

namespace gradtape::test::oracle {
namespace {

ScalarTape* alive = nullptr;

using Edge = ScalarTape::Edge;

Scalar node(double value, std::initializer_list<Edge> edges) {
    return alive->record(value, std::span<const Edge>(edges.begin(), edges.size()));
}

}  // namespace

ScalarTape::ScalarTape() : begins_{0} { alive = this; }
ScalarTape::~ScalarTape() { alive = nullptr; }

Scalar ScalarTape::record(double value, std::span<const Edge> edges) {
    for (const Edge& e : edges)
        if (e.parent.id >= 0) edges_.push_back({e.parent.id, e.slope});
    begins_.push_back(edges_.size());
    return {int(begins_.size()) - 2, value};
}

std::vector<double> ScalarTape::adjoints(Scalar y) const {
    std::vector<double> bar(begins_.size() - 1, 0.0);
    if (y.id < 0) return bar;
    bar[std::size_t(y.id)] = 1;
    for (std::size_t i = std::size_t(y.id) + 1; i-- > 0;)
        if (bar[i] != 0)
            for (std::size_t e = begins_[i]; e < begins_[i + 1]; ++e)
                bar[std::size_t(edges_[e].parent)] += bar[i] * edges_[e].slope;
    return bar;
}

Scalar operator+(Scalar x, Scalar y) { return node(x.value + y.value, {{x, 1}, {y, 1}}); }
Scalar operator-(Scalar x, Scalar y) { return node(x.value - y.value, {{x, 1}, {y, -1}}); }
Scalar operator*(Scalar x, Scalar y) { return node(x.value * y.value, {{x, y.value}, {y, x.value}}); }
Scalar operator/(Scalar x, Scalar y) {
    return node(x.value / y.value, {{x, 1 / y.value}, {y, -x.value / (y.value * y.value)}});
}
Scalar operator-(Scalar x) { return node(-x.value, {{x, -1}}); }
Scalar exp(Scalar x) { return node(std::exp(x.value), {{x, std::exp(x.value)}}); }
Scalar expm1(Scalar x) { return node(std::expm1(x.value), {{x, std::exp(x.value)}}); }
Scalar log(Scalar x) { return node(std::log(x.value), {{x, 1 / x.value}}); }
Scalar log1p(Scalar x) { return node(std::log1p(x.value), {{x, 1 / (1 + x.value)}}); }
Scalar sqrt(Scalar x) { return node(std::sqrt(x.value), {{x, 0.5 / std::sqrt(x.value)}}); }
Scalar rsqrt(Scalar x) { return node(std::pow(x.value, -0.5), {{x, -0.5 * std::pow(x.value, -1.5)}}); }
Scalar reciprocal(Scalar x) { return node(1 / x.value, {{x, -1 / (x.value * x.value)}}); }
Scalar square(Scalar x) { return node(x.value * x.value, {{x, 2 * x.value}}); }
Scalar power(Scalar x, Scalar y) {
    const double z = std::pow(x.value, y.value);
    return node(z, {{x, y.value * std::pow(x.value, y.value - 1)}, {y, std::log(x.value) * z}});
}
Scalar sin(Scalar x) { return node(std::sin(x.value), {{x, std::cos(x.value)}}); }
Scalar cos(Scalar x) { return node(std::cos(x.value), {{x, -std::sin(x.value)}}); }
Scalar tan(Scalar x) { return node(std::tan(x.value), {{x, 1 / (std::cos(x.value) * std::cos(x.value))}}); }
Scalar tanh(Scalar x) { return node(std::tanh(x.value), {{x, 1 / (std::cosh(x.value) * std::cosh(x.value))}}); }

namespace {
double logistic(double x) { return 1 / (1 + std::exp(-x)); }
}  // namespace

Scalar sigmoid(Scalar x) { return node(logistic(x.value), {{x, logistic(x.value) * logistic(-x.value)}}); }
Scalar softplus(Scalar x) {
    const double value = std::max(x.value, 0.0) + std::log1p(std::exp(-std::abs(x.value)));
    return node(value, {{x, logistic(x.value)}});
}
Scalar log_sigmoid(Scalar x) { return -softplus(-x); }
Scalar relu(Scalar x) { return x.value > 0 ? node(x.value, {{x, 1}}) : node(0, {{x, 0}}); }
Scalar abs(Scalar x) { return node(std::abs(x.value), {{x, double((x.value > 0) - (x.value < 0))}}); }
Scalar maximum(Scalar x, Scalar y) {
    if (x.value == y.value) {  // a tie with a constant gives the other side nothing
        const double share = x.id < 0 || y.id < 0 ? 0 : 0.5;
        return node(x.value, {{x, share}, {y, share}});
    }
    return x.value > y.value ? node(x.value, {{x, 1}}) : node(y.value, {{y, 1}});
}
Scalar minimum(Scalar x, Scalar y) { return -maximum(-x, -y); }
Scalar clamp(Scalar x, double low, double high) {
    if (x.value < low) return low;
    if (x.value > high) return high;
    return node(x.value, {{x, 1}});
}
Scalar stop_gradient(Scalar x) { return node(x.value, {}); }

void each_index(const Shape& shape, const std::function<void(const Shape&)>& visit) {
    Shape index = shape;
    for (std::int64_t flat = 0; flat < shape.elements(); ++flat) {
        std::int64_t rest = flat;
        for (std::size_t axis = shape.rank(); axis-- > 0;) {
            index[axis] = rest % shape[axis];
            rest /= shape[axis];
        }
        visit(index);
    }
}

std::int64_t offset(const Shape& shape, const Shape& index) {
    std::int64_t flat = 0;
    for (std::size_t axis = 0; axis < shape.rank(); ++axis) flat = flat * shape[axis] + index[axis];
    return flat;
}

Shape broadcast_shape(const Shape& x, const Shape& y) {
    const std::size_t rank = std::max(x.rank(), y.rank());
    Shape result;
    for (std::size_t i = 0; i < rank; ++i) {
        const std::int64_t a = i + x.rank() < rank ? 1 : x[i + x.rank() - rank];
        const std::int64_t b = i + y.rank() < rank ? 1 : y[i + y.rank() - rank];
        result.push_back(a == 1 ? b : a);
    }
    return result;
}

Array leaf(ScalarTape& tape, const Tensor& tensor) {
    Array result{tensor.shape(), {}};
    for (double v : values(tensor)) result.elements.push_back(tape.leaf(v));
    return result;
}

Array broadcast_to(const Array& x, const Shape& shape) {
    Array result{shape, {}};
    each_index(shape, [&](const Shape& index) {
        Shape mine = x.shape;
        for (std::size_t axis = 0; axis < mine.rank(); ++axis)
            mine[axis] = x.shape[axis] == 1 ? 0 : index[axis + shape.rank() - x.shape.rank()];
        result.elements.push_back(x.elements[std::size_t(offset(x.shape, mine))]);
    });
    return result;
}

Array zip(const Array& x, const Array& y, const std::function<Scalar(Scalar, Scalar)>& f) {
    const Shape shape = broadcast_shape(x.shape, y.shape);
    const Array a = broadcast_to(x, shape), b = broadcast_to(y, shape);
    Array result{shape, {}};
    for (std::size_t i = 0; i < a.elements.size(); ++i) result.elements.push_back(f(a.elements[i], b.elements[i]));
    return result;
}

Array reduce(const Array& x, const Shape& axes, bool keepdims, const std::function<Scalar(std::vector<Scalar>)>& f) {
    const auto reduced = [&](std::size_t axis) {
        return std::find(axes.begin(), axes.end(), std::int64_t(axis)) != axes.end();
    };
    Shape kept, dropped;
    for (std::size_t axis = 0; axis < x.shape.rank(); ++axis) {
        kept.push_back(reduced(axis) ? 1 : x.shape[axis]);
        if (!reduced(axis)) dropped.push_back(x.shape[axis]);
    }
    std::vector<std::vector<Scalar>> cells(std::size_t(kept.elements()));
    each_index(x.shape, [&](const Shape& index) {
        Shape cell = index;
        for (std::size_t axis = 0; axis < cell.rank(); ++axis)
            if (reduced(axis)) cell[axis] = 0;
        cells[std::size_t(offset(kept, cell))].push_back(x.elements[std::size_t(offset(x.shape, index))]);
    });
    Array result{keepdims ? kept : dropped, {}};
    for (const auto& cell : cells) result.elements.push_back(f(cell));
    return result;
}

Array along(const Array& x, int axis, const std::function<std::vector<Scalar>(std::vector<Scalar>)>& f) {
    Array result = x;
    Shape rows = x.shape;
    if (x.shape[std::size_t(axis)] == 0) return result;
    rows[std::size_t(axis)] = 1;
    each_index(rows, [&](const Shape& first) {
        std::vector<std::size_t> places;
        std::vector<Scalar> row;
        for (std::int64_t i = 0; i < x.shape[std::size_t(axis)]; ++i) {
            Shape index = first;
            index[std::size_t(axis)] = i;
            places.push_back(std::size_t(offset(x.shape, index)));
            row.push_back(x.elements[places.back()]);
        }
        row = f(row);
        for (std::size_t i = 0; i < places.size(); ++i) result.elements[places[i]] = row[i];
    });
    return result;
}

Array reshape(const Array& x, const Shape& shape) { return {shape, x.elements}; }

Array transpose(const Array& x, const Shape& permutation) {
    Array result;
    for (std::int64_t axis : permutation) result.shape.push_back(x.shape[std::size_t(axis)]);
    each_index(result.shape, [&](const Shape& index) {
        Shape mine = x.shape;
        for (std::size_t i = 0; i < index.rank(); ++i) mine[std::size_t(permutation[i])] = index[i];
        result.elements.push_back(x.elements[std::size_t(offset(x.shape, mine))]);
    });
    return result;
}

Array slice(const Array& x, const std::vector<Range>& ranges) {  // ranges are complete and in bounds
    std::vector<std::vector<std::int64_t>> picked;
    Array result;
    for (std::size_t axis = 0; axis < x.shape.rank(); ++axis) {
        const Range r = axis < ranges.size() ? ranges[axis] : Range{0, x.shape[axis]};
        picked.emplace_back();
        for (std::int64_t i = *r.start; r.step > 0 ? i < *r.stop : i > *r.stop; i += r.step) picked.back().push_back(i);
        result.shape.push_back(std::int64_t(picked.back().size()));
    }
    each_index(result.shape, [&](const Shape& index) {
        Shape mine = index;
        for (std::size_t axis = 0; axis < mine.rank(); ++axis) mine[axis] = picked[axis][std::size_t(index[axis])];
        result.elements.push_back(x.elements[std::size_t(offset(x.shape, mine))]);
    });
    return result;
}

Array concatenate(const Array& x, const Array& y, int axis) {
    Array result{x.shape, {}};
    const std::int64_t first = x.shape[std::size_t(axis)];
    result.shape[std::size_t(axis)] += y.shape[std::size_t(axis)];
    each_index(result.shape, [&](const Shape& index) {
        Shape mine = index;
        const bool left = index[std::size_t(axis)] < first;
        if (!left) mine[std::size_t(axis)] -= first;
        const Array& part = left ? x : y;
        result.elements.push_back(part.elements[std::size_t(offset(part.shape, mine))]);
    });
    return result;
}

Array pad(const Array& x, const Shape& before, const Shape& after, double value) {
    Array result{x.shape, {}};
    for (std::size_t axis = 0; axis < x.shape.rank(); ++axis) result.shape[axis] += before[axis] + after[axis];
    each_index(result.shape, [&](const Shape& index) {
        Shape mine = index;
        bool inside = true;
        for (std::size_t axis = 0; axis < mine.rank(); ++axis) {
            mine[axis] -= before[axis];
            inside = inside && mine[axis] >= 0 && mine[axis] < x.shape[axis];
        }
        result.elements.push_back(inside ? x.elements[std::size_t(offset(x.shape, mine))] : node(value, {}));
    });
    return result;
}

Array matmul(const Array& x, const Array& y) {
    const std::int64_t m = x.shape[0], k = x.shape[1], n = y.shape[1];
    Array result{{m, n}, {}};
    for (std::int64_t i = 0; i < m; ++i)
        for (std::int64_t j = 0; j < n; ++j) {
            Scalar total = node(0, {});
            for (std::int64_t l = 0; l < k; ++l)
                total = total + x.elements[std::size_t(i * k + l)] * y.elements[std::size_t(l * n + j)];
            result.elements.push_back(total);
        }
    return result;
}

Scalar sum(const std::vector<Scalar>& x) {
    Scalar total = node(0, {});
    for (Scalar e : x) total = total + e;
    return total;
}

Scalar prod(const std::vector<Scalar>& x) {
    Scalar total = node(1, {});
    for (Scalar e : x) total = total * e;
    return total;
}

Scalar max(const std::vector<Scalar>& x) {
    double largest = x[0].value;
    for (Scalar e : x) largest = std::max(largest, e.value);
    const auto ties = std::count_if(x.begin(), x.end(), [&](Scalar e) { return e.value == largest; });
    std::vector<Edge> edges;
    for (Scalar e : x)
        if (e.value == largest) edges.push_back({e, 1.0 / double(ties)});
    return alive->record(largest, edges);
}

Scalar min(const std::vector<Scalar>& x) {
    std::vector<Scalar> negated;
    for (Scalar e : x) negated.push_back(-e);
    return -max(negated);
}

Scalar logsumexp(const std::vector<Scalar>& x) {
    Scalar total = 0.0;
    for (Scalar e : x) total = total + exp(e);
    return log(total);
}

std::vector<Scalar> softmax(const std::vector<Scalar>& x) {
    const Scalar total = logsumexp(x);
    std::vector<Scalar> result;
    for (Scalar e : x) result.push_back(exp(e - total));
    return result;
}

}  // namespace gradtape::test::oracle

#include "tensors.hpp"

#include <cmath>
#include <cstdio>

namespace gradtape::test {

Tensor make(const std::vector<double>& elements, const Shape& shape, DType dtype) {
    return Tensor::from(std::span<const double>(elements), shape).as(dtype);
}

Tensor make(const std::vector<double>& elements, DType dtype) {
    return make(elements, Shape{std::int64_t(elements.size())}, dtype);
}

std::vector<double> values(const Tensor& tensor) {
    const Tensor wide = tensor.as(DType::float64);
    const auto elements = wide.data<double>();
    return {elements.begin(), elements.end()};
}

std::vector<double> values(const Node& node) { return values(node.value()); }

std::vector<Node> parameters(gradtape::Tape& tape, const std::vector<Tensor>& values) {
    std::vector<Node> result;
    for (const Tensor& value : values) result.push_back(tape.parameter(value));
    return result;
}

std::uint64_t Random::next() {
    std::uint64_t z = state_ += 0x9E3779B97F4A7C15u;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return z ^ z >> 31;
}

double Random::uniform(double low, double high) { return low + (high - low) * (double(next() >> 11) * 0x1p-53); }

Tensor Random::tensor(const Shape& shape, double low, double high, DType dtype) {
    std::vector<double> elements(std::size_t(shape.elements()));
    for (double& e : elements) e = uniform(low, high);
    return make(elements, shape, dtype);
}

namespace {

bool agree(double actual, double expected, double allowed) {
    if (std::isnan(expected)) return std::isnan(actual);
    if (actual == expected) return true;
    return std::isfinite(actual) && std::isfinite(expected) && std::abs(actual - expected) <= allowed;
}

}  // namespace

std::string mismatch(const std::vector<double>& actual, const std::vector<double>& expected, Tolerance allowed) {
    char text[200];
    if (actual.size() != expected.size()) {
        std::snprintf(text, sizeof text, "%zu elements, expected %zu", actual.size(), expected.size());
        return text;
    }
    double largest = 0;
    for (double e : expected)
        if (std::isfinite(e)) largest = std::max(largest, std::abs(e));
    std::string result;
    double worst = 0;
    for (std::size_t i = 0; i < actual.size(); ++i) {
        const double bound = allowed.absolute + allowed.scale * largest + allowed.relative * std::abs(expected[i]);
        if (agree(actual[i], expected[i], bound)) continue;
        const double off = std::abs(actual[i] - expected[i]);
        if (!result.empty() && !(off > worst)) continue;
        worst = off;
        std::snprintf(text, sizeof text, "[%zu] is %.17g, expected %.17g, off by %.3g, allowed %.3g", i, actual[i],
                      expected[i], off, bound);
        result = text;
    }
    return result;
}

std::string mismatch(const Tensor& actual, const std::vector<double>& expected, Tolerance allowed) {
    return mismatch(values(actual), expected, allowed);
}

std::string mismatch(const Node& actual, const std::vector<double>& expected, Tolerance allowed) {
    return mismatch(values(actual), expected, allowed);
}

namespace {

Node cotangent(Tape& tape, Node z, const std::vector<double>& z_bar) {
    if (z_bar.empty()) return tape.full(z.shape(), 1.0, z.dtype());
    return tape.constant(make(z_bar, z.shape(), z.dtype()));
}

}  // namespace

Pulled pull(const Unary& f, const Tensor& x, const std::vector<double>& z_bar) {
    Tape tape;
    const Node leaf = tape.parameter(x);
    const Node z = f(leaf);
    return {values(z), values(vjp(z, leaf, cotangent(tape, z, z_bar))), {}};
}

Pulled pull(const Binary& f, const Tensor& x, const Tensor& y, const std::vector<double>& z_bar) {
    Tape tape;
    const std::vector<Node> leaves = {tape.parameter(x), tape.parameter(y)};
    const Node z = f(leaves[0], leaves[1]);
    const Node z_bars[] = {cotangent(tape, z, z_bar)};
    const auto bars = vjp(std::span<const Node>(&z, 1), leaves, z_bars);
    return {values(z), values(bars[0]), values(bars[1])};
}

std::vector<double> derivative(const Unary& f, const Tensor& x, int order) {
    Tape tape;
    const Node leaf = tape.parameter(x);
    Node y = f(leaf);
    for (int i = 0; i < order; ++i) y = grad(sum(y), leaf);
    return values(y);
}

bool fits(const Shape& x, const Shape& y) {
    for (std::size_t i = 1; i <= std::min(x.rank(), y.rank()); ++i) {
        const std::int64_t a = x[x.rank() - i], b = y[y.rank() - i];
        if (a != b && a != 1 && b != 1) return false;
    }
    return true;
}

}  // namespace gradtape::test

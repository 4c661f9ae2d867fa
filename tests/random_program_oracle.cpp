// Thousands of random programs: value, gradient and second derivatives against a naive scalar reverse mode.
#include "support/random_program.hpp"

#include <doctest/doctest.h>

#include <cmath>

namespace gradtape::test {
namespace {

/// Value and gradients of one program, flattened: what both engines produce.
struct Outcome {
    double value = 0;
    std::vector<double> gradient;
};

std::vector<Tensor> leaves(std::uint64_t seed, DType dtype) {
    Random random(seed + 77);
    std::vector<Tensor> result;
    for (const Shape& shape : leaf_shapes(seed)) result.push_back(random.tensor(shape, -1.5, 1.5, dtype));
    return result;
}

/// `at` moved by `step` along `direction` (all leaves flattened), in double.
std::vector<Tensor> moved(const std::vector<Tensor>& at, const std::vector<double>& direction, double step) {
    std::vector<Tensor> result;
    std::size_t next = 0;
    for (const Tensor& tensor : at) {
        std::vector<double> elements = values(tensor);
        for (double& e : elements) e += step * direction[next++];
        result.push_back(make(elements, tensor.shape()));
    }
    return result;
}

std::vector<double> random_direction(std::uint64_t seed, const std::vector<Tensor>& at) {
    Random random(seed + 999);
    std::vector<double> result;
    for (const Tensor& tensor : at)
        for (std::int64_t i = 0; i < tensor.elements(); ++i) result.push_back(random.uniform(-1, 1));
    return result;
}

Outcome by_oracle(std::uint64_t seed, const std::vector<Tensor>& at) {
    oracle::ScalarTape tape;
    std::vector<oracle::Array> x;
    for (const Tensor& tensor : at) x.push_back(oracle::leaf(tape, tensor));
    const oracle::Array y = run_program<OracleEngine>(seed, x);
    const std::vector<double> bars = tape.adjoints(y.elements[0]);
    Outcome result{y.elements[0].value, {}};
    for (const auto& array : x)
        for (oracle::Scalar e : array.elements) result.gradient.push_back(bars[std::size_t(e.id)]);
    return result;
}

std::vector<double> flat(const std::vector<Node>& nodes) {
    std::vector<double> result;
    for (const Node& node : nodes)
        for (double v : values(node)) result.push_back(v);
    return result;
}

struct Recorded {
    Tape tape;
    std::vector<Node> x;
    Node y;
    Recorded(std::uint64_t seed, const std::vector<Tensor>& at) {
        for (const Tensor& tensor : at) x.push_back(tape.parameter(tensor));
        y = run_program<TapeEngine>(seed, x);
    }
};

double largest_difference(const std::vector<double>& a, const std::vector<double>& b) {
    double result = 0;
    for (std::size_t i = 0; i < a.size(); ++i) result = std::max(result, std::abs(a[i] - b[i]));
    return result;
}

/// Runs programs first … last and compares value and gradient. `eps` is the unit roundoff of `dtype`. A program whose
/// own gradient jumps when its inputs move by a few roundings sits on a kink and is not counted.
void compare(std::uint64_t first, std::uint64_t last, DType dtype, double eps) {
    int on_kinks = 0;
    for (std::uint64_t seed = first; seed < last; ++seed) {
        const std::vector<Tensor> at = leaves(seed, dtype);
        const std::vector<double> direction = random_direction(seed, at);
        const Outcome expected = by_oracle(seed, at);
        const Outcome up = by_oracle(seed, moved(at, direction, 64 * eps));
        const Outcome down = by_oracle(seed, moved(at, direction, -64 * eps));
        const double sensitivity = std::max(largest_difference(up.gradient, expected.gradient),
                                            largest_difference(down.gradient, expected.gradient));
        double largest = 1;
        for (double g : expected.gradient) largest = std::max(largest, std::abs(g));
        if (sensitivity > 1e5 * eps * largest) {
            ++on_kinks;
            continue;
        }
        Recorded recorded(seed, at);
        const std::vector<double> gradient = flat(grad(recorded.y, recorded.x));
        const Tolerance allowed{.scale = 500 * eps, .absolute = 500 * eps + 4 * sensitivity};
        CAPTURE(seed);
        CAPTURE(to_text(Program(recorded.tape, {recorded.y})));
        const double moves = std::max(std::abs(up.value - expected.value), std::abs(down.value - expected.value));
        CHECK(mismatch(recorded.y, {expected.value}, {.relative = 500 * eps, .absolute = 500 * eps + 4 * moves}) == "");
        CHECK(mismatch(gradient, expected.gradient, allowed) == "");
        if (!(mismatch(gradient, expected.gradient, allowed) == "")) return;  // one printed program is enough
    }
    CHECK(on_kinks < int(last - first) / 10);
}

TEST_CASE("random programs: value and gradient, double") { compare(0, 3000, DType::float64, 1.2e-16); }
TEST_CASE("random programs: value and gradient, float") { compare(3000, 4500, DType::float32, 6e-8); }

TEST_CASE("random programs: Hessian times a vector against differences of the oracle's gradient") {
    int on_kinks = 0;
    for (std::uint64_t seed = 5000; seed < 5600; ++seed) {
        const std::vector<Tensor> at = leaves(seed, DType::float64);
        const std::vector<double> v = random_direction(seed, at);
        const auto difference = [&](double step) {
            std::vector<double> result = by_oracle(seed, moved(at, v, step)).gradient;
            const std::vector<double> below = by_oracle(seed, moved(at, v, -step)).gradient;
            for (std::size_t i = 0; i < result.size(); ++i) result[i] = (result[i] - below[i]) / (2 * step);
            return result;
        };
        const std::vector<double> fine = difference(1e-5), coarse = difference(2e-5);
        double largest = 1;
        for (double d : fine) largest = std::max(largest, std::abs(d));
        if (largest_difference(fine, coarse) > 1e-6 * largest) {
            ++on_kinks;
            continue;
        }
        Recorded recorded(seed, at);
        // Differences move what stop_gradient holds still.
        if (to_text(Program(recorded.tape, {recorded.y})).find("stop_gradient") != std::string::npos) continue;
        const std::vector<Node> g = grad(recorded.y, recorded.x);
        Node product = recorded.tape.constant(0.0);
        std::size_t next = 0;
        for (std::size_t i = 0; i < g.size(); ++i) {
            const std::size_t count = std::size_t(at[i].elements());
            const std::vector<double> part(v.begin() + std::ptrdiff_t(next), v.begin() + std::ptrdiff_t(next + count));
            product = product + sum(g[i] * recorded.tape.constant(make(part, at[i].shape())));
            next += count;
        }
        CAPTURE(seed);
        const std::string wrong = mismatch(flat(grad(product, recorded.x)), fine, {.absolute = 2e-6 * largest});
        CHECK(wrong == "");
        if (seed % 10 == 0) verify(Program(recorded.tape, {product}));
    }
    CHECK(on_kinks < 120);
}

TEST_CASE("random programs: forward mode agrees with reverse mode") {
    for (std::uint64_t seed = 6000; seed < 6300; ++seed) {
        const std::vector<Tensor> at = leaves(seed, DType::float64);
        Recorded recorded(seed, at);
        Random random(seed);
        std::vector<Node> tangents;
        for (const Tensor& x : at) tangents.push_back(recorded.tape.constant(random.tensor(x.shape(), -1, 1)));
        const double forward = jvp(std::vector<Node>{recorded.y}, recorded.x, tangents)[0].item();
        const std::vector<Node> g = grad(recorded.y, recorded.x);
        double reverse = 0, scale = 1;
        for (std::size_t i = 0; i < g.size(); ++i) {
            reverse += sum(g[i] * tangents[i]).item();
            scale += sum(abs(g[i] * tangents[i])).item();
        }
        CAPTURE(seed);
        CHECK(std::abs(forward - reverse) <= 1e-13 * scale);
    }
}

}  // namespace
}  // namespace gradtape::test

// Tensors in and out of tests as plain numbers, random ones, and comparisons that say what differs.
#pragma once

#include <gradtape/gradtape.hpp>

#include <functional>
#include <limits>

namespace gradtape::test {

inline constexpr DType floating[] = {DType::float64, DType::float32};
inline constexpr double inf = std::numeric_limits<double>::infinity();
inline constexpr double nan = std::numeric_limits<double>::quiet_NaN();

/// A tensor of `elements`, each converted to `dtype`.
Tensor make(const std::vector<double>& elements, const Shape& shape, DType dtype = DType::float64);
/// The same as a vector.
Tensor make(const std::vector<double>& elements, DType dtype = DType::float64);
/// All elements as double, whatever the dtype.
std::vector<double> values(const Tensor& tensor);
std::vector<double> values(const Node& node);

/// A parameter leaf of each.
std::vector<Node> parameters(gradtape::Tape& tape, const std::vector<Tensor>& values);

inline bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

/// SplitMix64: the tests' own generator, the same on every platform.
class Random {
public:
    explicit Random(std::uint64_t seed) : state_(seed) {}
    std::uint64_t next();
    double uniform(double low, double high);
    int below(int n) { return int((next() >> 32) * std::uint64_t(n) >> 32); }
    bool chance(double probability) { return uniform(0, 1) < probability; }
    Tensor tensor(const Shape& shape, double low, double high, DType dtype = DType::float64);

private:
    std::uint64_t state_;
};

/// Whether the shapes broadcast to each other.
bool fits(const Shape& x, const Shape& y);

struct Tolerance {
    double relative = 0;  ///< of the expected element
    double scale = 0;     ///< of the largest finite expected element
    double absolute = 0;
};
/// "" where all elements agree (NaN with NaN, an infinity with itself), else a line that names the worst element.
std::string mismatch(const std::vector<double>& actual, const std::vector<double>& expected, Tolerance allowed = {});
std::string mismatch(const Tensor& actual, const std::vector<double>& expected, Tolerance allowed = {});
std::string mismatch(const Node& actual, const std::vector<double>& expected, Tolerance allowed = {});

using Unary = std::function<Node(Node)>;
using Binary = std::function<Node(Node, Node)>;

/// Value of f, and the pullback of `z_bar` (of ones, where it is empty) through it.
struct Pulled {
    std::vector<double> value, x_bar, y_bar;
};
Pulled pull(const Unary& f, const Tensor& x, const std::vector<double>& z_bar = {});
Pulled pull(const Binary& f, const Tensor& x, const Tensor& y, const std::vector<double>& z_bar = {});
/// d^order/dx^order of Σ f(x): each order is the gradient of the sum of the one before.
std::vector<double> derivative(const Unary& f, const Tensor& x, int order);

}  // namespace gradtape::test

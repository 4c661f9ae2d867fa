// The values and derivatives at kinks, poles and infinities that docs/numerics.md shows.
#include <gradtape/gradtape.hpp>

#include <cmath>
#include <cstdio>
#include <functional>
#include <string>

namespace gt = gradtape;
using gt::Node;

namespace {

constexpr double inf = HUGE_VAL, nan = NAN;

std::string text(const gt::Tensor& tensor) {
    if (tensor.elements() == 0) return "()";
    std::string result;
    for (double element : tensor.data<double>()) {
        char number[32] = "nan";  // printf may show a NaN's sign
        if (!std::isnan(element)) std::snprintf(number, sizeof number, "%.6g", element);
        result += (result.empty() ? "" : ", ") + std::string(number);
    }
    return result;
}

void print(const char* what, Node value, const std::string& bars) {
    std::printf("%-44s %-10s %s\n", what, text(value.value()).c_str(), bars.c_str());
}

/// Value of f at x, and the cotangent of x where that of every element of the value is `z_bar`.
void row(const char* what, const std::function<Node(Node)>& f, const gt::Tensor& at, double z_bar = 1) {
    gt::Tape tape;
    const Node x = tape.parameter(at), z = f(x);
    print(what, z, text(vjp(z, x, full_like(z, z_bar)).value()));
}

void row(const char* what, const std::function<Node(Node, Node)>& f, double at_x, double at_y) {
    gt::Tape tape;
    const Node x = tape.parameter(gt::Tensor(at_x)), y = tape.parameter(gt::Tensor(at_y)), z = f(x, y);
    const auto bars = grad(z, {x, y});
    print(what, z, text(bars[0].value()) + "; " + text(bars[1].value()));
}

void kinks() {
    row("abs at 0", [](Node x) { return abs(x); }, 0.0);
    row("relu at 0", [](Node x) { return relu(x); }, 0.0);
    row("clamp(x, -1, 2) at 2", [](Node x) { return clamp(x, -1, 2); }, 2.0);
    row("maximum(x, y), x = y", [](Node x, Node y) { return maximum(x, y); }, 1, 1);
    row("maximum(x, 1) at 1", [](Node x) { return maximum(x, 1.0); }, 1.0);
    row("max of (3, 1, 3)", [](Node x) { return max(x); }, gt::Tensor{3, 1, 3});
    row("max of (3, nan)", [](Node x) { return max(x); }, gt::Tensor{3, nan});
    row("maximum(x, 0) at nan", [](Node x) { return maximum(x, 0.0); }, nan);
    row("clamp(x, 0, inf) at inf", [](Node x) { return clamp(x, 0, inf); }, inf);
}

void poles() {
    row("sqrt at 0", [](Node x) { return sqrt(x); }, 0.0);
    row("sqrt at 0, cotangent 0", [](Node x) { return sqrt(x); }, 0.0, 0);
    row("log at 0", [](Node x) { return log(x); }, 0.0);
    row("log at 0, cotangent 0", [](Node x) { return log(x); }, 0.0, 0);
    row("log at -1", [](Node x) { return log(x); }, -1.0);
    row("1 / x at 0", [](Node x) { return 1.0 / x; }, 0.0);
    row("rsqrt at 0", [](Node x) { return rsqrt(x); }, 0.0);
    row("where(x > 0, log(x), 0) at 0", [](Node x) { return where(x > 0.0, log(x), 0.0); }, 0.0);
    row("power(x, y) at (0, 0)", [](Node x, Node y) { return power(x, y); }, 0, 0);
    row("power(x, y) at (0, 2)", [](Node x, Node y) { return power(x, y); }, 0, 2);
    row("power(x, y) at (0, -1)", [](Node x, Node y) { return power(x, y); }, 0, -1);
    row("power(x, y) at (-2, 0.5)", [](Node x, Node y) { return power(x, y); }, -2, 0.5);
    row("xlogy(x, y) at (0, 3)", [](Node x, Node y) { return xlogy(x, y); }, 0, 3);
}

void saturation() {
    row("softplus at inf", [](Node x) { return softplus(x); }, inf);
    row("softplus at -inf", [](Node x) { return softplus(x); }, -inf);
    row("softplus at nan", [](Node x) { return softplus(x); }, nan);
    row("log_sigmoid at -1000", [](Node x) { return log_sigmoid(x); }, -1000.0);
    row("log_sigmoid at 1000", [](Node x) { return log_sigmoid(x); }, 1000.0);
    row("tanh at 1000", [](Node x) { return tanh(x); }, 1000.0);
    row("relu at nan", [](Node x) { return relu(x); }, nan);
}

void reductions() {
    row("logsumexp of (-inf, -inf)", [](Node x) { return logsumexp(x); }, gt::Tensor{-inf, -inf});
    row("logsumexp of (1, inf)", [](Node x) { return logsumexp(x); }, gt::Tensor{1.0, inf});
    row("softmax of (-inf, -inf)", [](Node x) { return softmax(x); }, gt::Tensor{-inf, -inf});
    row("norm of (0, 0)", [](Node x) { return norm(x); }, gt::Tensor{0, 0});
    row("stddev of (0.1, 0.1, 0.1)", [](Node x) { return stddev(x); }, gt::Tensor{0.1, 0.1, 0.1});
    row("prod of (2, 0, 3)", [](Node x) { return prod(x); }, gt::Tensor{2, 0, 3});
    row("prod of (2, 0, 0)", [](Node x) { return prod(x); }, gt::Tensor{2, 0, 0});
    row("sum of ()", [](Node x) { return sum(x); }, gt::Tensor::zeros({0}));
    row("prod of ()", [](Node x) { return prod(x); }, gt::Tensor::zeros({0}));
    row("logsumexp of ()", [](Node x) { return logsumexp(x); }, gt::Tensor::zeros({0}));
    row("mean of ()", [](Node x) { return mean(x); }, gt::Tensor::zeros({0}));
}

}  // namespace

int main() {
    std::printf("%-44s %-10s %s\n", "", "value", "x_bar; y_bar");
    kinks();
    poles();
    saturation();
    reductions();
}

// A reverse-mode derivative of its own for tests: scalars on a tape of scalars, tensors as plain lists of them.
// It shares nothing with the library but Shape and Tensor, and computes everything in the most naive way.
#pragma once

#include "tensors.hpp"

namespace gradtape::test::oracle {

/// One scalar value; entries of the thread's scalar tape point at the entries they were computed from.
struct Scalar {
    int id = -1;  ///< −1: a constant
    double value = 0;
    Scalar() = default;
    Scalar(double constant) : value(constant) {}
    Scalar(int its_id, double its_value) : id(its_id), value(its_value) {}
};

/// Where scalars are recorded. One is alive at a time.
class ScalarTape {
public:
    ScalarTape();
    ~ScalarTape();
    Scalar leaf(double value) { return record(value, {}); }
    struct Edge {
        Scalar parent;
        double slope;
    };
    Scalar record(double value, std::span<const Edge> edges);
    /// d y / d (every entry), by entry.
    std::vector<double> adjoints(Scalar y) const;

private:
    struct Stored {
        int parent;
        double slope;
    };
    std::vector<std::size_t> begins_;
    std::vector<Stored> edges_;
};

Scalar operator+(Scalar x, Scalar y);
Scalar operator-(Scalar x, Scalar y);
Scalar operator*(Scalar x, Scalar y);
Scalar operator/(Scalar x, Scalar y);
Scalar operator-(Scalar x);
inline bool operator>(Scalar x, Scalar y) { return x.value > y.value; }
inline bool operator<=(Scalar x, Scalar y) { return x.value <= y.value; }
Scalar exp(Scalar x);
Scalar expm1(Scalar x);
Scalar log(Scalar x);
Scalar log1p(Scalar x);
Scalar sqrt(Scalar x);
Scalar rsqrt(Scalar x);
Scalar reciprocal(Scalar x);
Scalar square(Scalar x);
Scalar power(Scalar x, Scalar y);
Scalar sin(Scalar x);
Scalar cos(Scalar x);
Scalar tan(Scalar x);
Scalar tanh(Scalar x);
Scalar sigmoid(Scalar x);
Scalar softplus(Scalar x);
Scalar log_sigmoid(Scalar x);
Scalar relu(Scalar x);
Scalar abs(Scalar x);
Scalar maximum(Scalar x, Scalar y);
Scalar minimum(Scalar x, Scalar y);
Scalar clamp(Scalar x, double low, double high);
Scalar stop_gradient(Scalar x);
inline Scalar where(bool condition, Scalar x, Scalar y) { return condition ? x : y; }
inline Scalar where_positive(Scalar x, Scalar y) { return where(x.value > 0, y, Scalar(0.0)); }

struct Array {
    Shape shape;
    std::vector<Scalar> elements;
};
Array leaf(ScalarTape& tape, const Tensor& tensor);
/// f over elements, operands broadcast.
Array zip(const Array& x, const Array& y, const std::function<Scalar(Scalar, Scalar)>& f);
/// f over the elements of each cell of the reduced axes; result with those axes dropped, or kept as 1.
Array reduce(const Array& x, const Shape& axes, bool keepdims, const std::function<Scalar(std::vector<Scalar>)>& f);
/// f over each row along `axis`, which gives a row of the same length.
Array along(const Array& x, int axis, const std::function<std::vector<Scalar>(std::vector<Scalar>)>& f);
Array reshape(const Array& x, const Shape& shape);
Array transpose(const Array& x, const Shape& permutation);
Array slice(const Array& x, const std::vector<Range>& ranges);
Array concatenate(const Array& x, const Array& y, int axis);
Array pad(const Array& x, const Shape& before, const Shape& after, double value);
Array broadcast_to(const Array& x, const Shape& shape);
/// (m, k) (k, n) → (m, n).
Array matmul(const Array& x, const Array& y);

Scalar sum(const std::vector<Scalar>& x);
Scalar prod(const std::vector<Scalar>& x);
Scalar max(const std::vector<Scalar>& x);  ///< k ties: a k-th of the slope each
Scalar min(const std::vector<Scalar>& x);
Scalar logsumexp(const std::vector<Scalar>& x);
std::vector<Scalar> softmax(const std::vector<Scalar>& x);

/// Row-major position of every multi-index: calls visit(index) for each index of `shape` in row-major order.
void each_index(const Shape& shape, const std::function<void(const Shape&)>& visit);
std::int64_t offset(const Shape& shape, const Shape& index);
Shape broadcast_shape(const Shape& x, const Shape& y);

}  // namespace gradtape::test::oracle

#include "awkward_program.hpp"

#include "primitives/catalogue.hpp"

#include <cmath>

namespace gradtape::test {
namespace {

const double numbers[] = {0, -0.0, 1, -1, 2, 0.5, -4, 3, 0.1, 1024, 0x1p-130, 0x1p-1030, 1e-60, 1e30, inf, -inf, nan};

double awkward_number(DType dtype, Random& random) {
    const double x = random.chance(0.6) ? numbers[random.below(int(std::size(numbers)))] : random.uniform(-2, 2);
    if (dtype == DType::boolean) return random.below(2);
    if (dtype == DType::int64) return std::isfinite(x) ? std::trunc(std::fmod(x, 7)) : 2;
    return x;
}

/// Numbers that rewrites know, on which two of three draws fall.
double rewritten_number(DType dtype, Random& random) {
    static const double known[] = {1, 1, 0, -0.0, 2, -8, 0.25};
    const bool one = random.chance(0.66) && dtype != DType::boolean;
    return one ? known[random.below(is_floating(dtype) ? 7 : 6)] : awkward_number(dtype, random);
}

Shape random_shape(Random& random) {
    static const std::int64_t extents[] = {1, 1, 2, 3, 5, 17};
    Shape shape;
    for (int rank = random.below(4); rank > 0; --rank)
        shape.push_back(random.chance(0.05) ? 0 : extents[random.below(6)]);
    return shape.elements() > 200 ? Shape{3} : shape;
}

class Generator {
public:
    explicit Generator(std::uint64_t seed) : random_(seed) {}

    Program::Body run() {
        for (int k = 1 + random_.below(3); k > 0; --k) keep(tape_.input(leaf_value()));
        for (int k = 1 + random_.below(2); k > 0; --k) {
            parameters_.push_back(tape_.parameter(leaf_value()));
            keep(parameters_.back());
        }
        for (int k = random_.below(3); k > 0; --k) keep(constant());
        for (int steps = 4 + random_.below(24); steps > 0; --steps) keep(step());
        std::vector<Node> outputs;
        for (int k = 1 + random_.below(4); k > 0; --k) outputs.push_back(any());
        outputs.push_back(pool_.back());
        derive(outputs);
        Program::Body body = Program(tape_, outputs).body();
        for (const Node& parameter : parameters_)
            for (const Node& node : pool_)
                if (node.type() == parameter.type() && random_.chance(0.2)) {
                    body.updates.push_back({parameter.index(), node.index()});
                    break;
                }
        return body;
    }

private:
    void keep(Node z) {
        if (z.shape().elements() <= 300) pool_.push_back(z);
    }
    Node any() { return pool_[std::size_t(random_.below(int(pool_.size())))]; }
    Node floating() {
        for (int attempt = 0; attempt < 8; ++attempt)
            if (const Node x = any(); is_floating(x.dtype())) return x;
        return cast(any(), DType::float64);
    }
    Node boolean() {
        for (int attempt = 0; attempt < 4; ++attempt)
            if (const Node x = any(); x.dtype() == DType::boolean) return x;
        return compare();
    }
    /// Something of x's dtype that broadcasts with x: often a number, or x itself.
    Operand partner(Node x) {
        if (random_.chance(0.4)) return rewritten_number(x.dtype(), random_);
        for (int attempt = 0; attempt < 6; ++attempt)
            if (const Node y = any(); y.dtype() == x.dtype() && fits(x.shape(), y.shape())) return y;
        return x;
    }

    DType random_dtype() {
        static const DType dtypes[] = {DType::float64, DType::float64, DType::float32, DType::float32, DType::int64,
                                       DType::boolean};
        return dtypes[random_.below(6)];
    }
    Tensor leaf_value() { return awkward_tensor({random_dtype(), random_shape(random_)}, random_); }

    Node constant() {
        const Type type{random_dtype(), random_shape(random_)};
        if (random_.chance(0.4)) return tape_.full(type.shape, rewritten_number(type.dtype, random_), type.dtype);
        if (random_.chance(0.3))
            return tape_.constant(Tensor::full(type.shape, awkward_number(type.dtype, random_), type.dtype));
        return tape_.constant(awkward_tensor(type, random_));
    }

    Node step() {
        switch (random_.below(12)) {
            case 0: return constant();
            case 1: return unary();
            case 2: case 3: case 4: return binary();
            case 5: return random_.chance(0.5) ? compare() : logic();
            case 6: return select();
            case 7: return cast(any(), random_dtype());
            case 8: return reduce();
            case 9: return random_.chance(0.15) ? guard() : stop_gradient(any());
            default: return rearrange();
        }
    }

    Node unary() {
        const Node x = floating();
        switch (random_.below(10)) {
            case 0: case 1: return negative(x);
            case 2: return abs(x);
            case 3: return square(x);
            case 4: return reciprocal(x);
            case 5: return relu(x);
            case 6: return sqrt(x);
            case 7: return tanh(x);
            case 8: return exp(x);
            default: return sign(x);
        }
    }

    Node binary() {
        const int which = random_.below(8);
        const Node x = which < 3 && random_.chance(0.3) ? number_like() : floating();
        const Operand y = partner(x);
        const bool swap = random_.chance(0.4);
        const Operand a = swap ? y : Operand(x), b = swap ? Operand(x) : y;
        if (random_.chance(0.2)) keep(combined(which, b, a));  // both ways round
        return combined(which, a, b);
    }
    static Node combined(int which, Operand a, Operand b) {
        switch (which) {
            case 0: return add(a, b);
            case 1: return subtract(a, b);
            case 2: return multiply(a, b);
            case 3: return divide(a, b);
            case 4: return maximum(a, b);
            case 5: return minimum(a, b);
            case 6: return multiply_no_nan(a, b);
            default: return power(a, b);
        }
    }
    Node number_like() {
        for (int attempt = 0; attempt < 4; ++attempt)
            if (const Node x = any(); x.dtype() != DType::boolean) return x;
        return floating();
    }

    Node compare() {
        const Node x = any();
        const Operand y = partner(x);
        switch (random_.below(3)) {
            case 0: return equal(x, y);
            case 1: return less(y, x);
            default: return greater_equal(x, y);
        }
    }
    Node logic() {
        const Node x = boolean();
        const Operand y = partner(x);
        switch (random_.below(3)) {
            case 0: return logical_and(y, x);
            case 1: return logical_or(x, y);
            default: return logical_not(x);
        }
    }
    Node select() {
        const Node x = any();
        const Operand y = partner(x);
        Node condition = boolean();
        if (!fits(condition.shape(), x.shape()) || (!y.is_number() && !fits(condition.shape(), y.node().shape())) ||
            random_.chance(0.2))
            condition = tape_.full(x.shape(), random_.below(2), DType::boolean);
        if (random_.chance(0.3)) condition = logical_not(condition);
        return where(condition, x, y);
    }
    /// Integers are summed after they were made small, so that nothing overflows.
    Node reduce() {
        const Node x = floating();
        const int rank = int(x.shape().rank());
        const Axes axes = rank == 0 || random_.chance(0.3) ? Axes() : Axes(random_.below(rank));
        const bool keepdims = random_.chance(0.5);
        if (x.shape().elements() == 0) return sum(x, axes, keepdims);
        switch (random_.below(4)) {
            case 0: return max(x, axes, keepdims);
            case 1: return prod(x, axes, keepdims);
            default: return sum(x, axes, keepdims);
        }
    }
    /// Always true when replayed with the recorded value; the passes only have to keep it.
    Node guard() {
        const Node x = any();
        if (x.shape().elements() != 1) return x;
        return gradtape::apply(detail::primitive(detail::Op::guard), {x}, {{"expected", 1.0}});
    }

    Node rearrange() {
        const Node x = any();
        const Shape shape = x.shape();
        const int rank = int(shape.rank());
        switch (random_.below(rank == 0 ? 3 : 8)) {
            case 0: return reshape(x, {shape.elements()});
            case 1: return reshape(x, with_axis(shape, std::size_t(random_.below(rank + 1))));
            case 2: return broadcast_to(x, with_axis(shape, 0, random_.chance(0.4) ? 1 : 2));
            case 3: return transpose(x, permutation(rank));
            case 4: return slice(x, ranges(shape));
            case 5: return pad(x, widths(rank), widths(rank), rewritten_number(x.dtype(), random_));
            case 6: return random_.chance(0.5) ? concatenate({x}, 0) : concatenate({x, x}, random_.below(rank));
            default: return reshape(x, shape);
        }
    }
    Shape with_axis(const Shape& shape, std::size_t at, std::int64_t extent = 1) {
        Shape result;
        for (std::size_t i = 0; i <= shape.rank(); ++i) {
            if (i == at) result.push_back(extent);
            if (i < shape.rank()) result.push_back(shape[i]);
        }
        return result.rank() > 5 ? shape : result;
    }
    Shape permutation(int rank) {
        Shape result;
        for (int i = 0; i < rank; ++i) result.push_back(i);
        for (int i = rank; i-- > 1;) std::swap(result[std::size_t(i)], result[std::size_t(random_.below(i + 1))]);
        return result;
    }
    Shape widths(int rank) {
        Shape result;
        for (int i = 0; i < rank; ++i) result.push_back(random_.chance(0.3) ? 1 : 0);
        return result;
    }
    std::vector<Range> ranges(const Shape& shape) {
        std::vector<Range> result;
        for (std::int64_t extent : shape) {
            const int choice = extent < 2 ? 0 : random_.below(5);
            if (choice == 1) result.push_back({1, extent, 1});
            else if (choice == 2) result.push_back({0, extent, 2});
            else if (choice == 3) result.push_back({extent - 1, 0, -1});
            else result.push_back({});
        }
        return result;
    }

    /// Adds gradients of the last value, and of their sum again, to the outputs.
    void derive(std::vector<Node>& outputs) {
        std::vector<Node> wrt;
        for (const Node& parameter : parameters_)
            if (is_floating(parameter.dtype())) wrt.push_back(parameter);
        if (wrt.empty() || random_.chance(0.4)) return;
        Node y = sum(floating());
        for (int order = random_.chance(0.4) ? 2 : 1; order > 0; --order) {
            const std::vector<Node> gradients = grad(y, wrt);
            y = tape_.constant(0.0);
            for (const Node& g : gradients) {
                outputs.push_back(g);
                y = y + cast(sum(g), DType::float64);
            }
        }
    }

    Random random_;
    Tape tape_;
    std::vector<Node> pool_, parameters_;
};

}  // namespace

Tensor awkward_tensor(const Type& type, Random& random) {
    std::vector<double> elements(std::size_t(type.shape.elements()));
    const bool calm = random.chance(0.5);  // half the tensors are free of the worst, so that not everything becomes NaN
    for (double& e : elements)
        do e = awkward_number(type.dtype, random);
        while (calm && !(std::abs(e) < 1e6));
    return make(elements, type.shape, type.dtype);
}

std::vector<Tensor> awkward_leaves(const Program::Body& body, const std::vector<detail::Index>& leaves, Random& random) {
    std::vector<Tensor> result;
    for (detail::Index leaf : leaves) result.push_back(awkward_tensor(body.instructions[leaf].type, random));
    return result;
}

Program::Body awkward_program(std::uint64_t seed) { return Generator(seed).run(); }

}  // namespace gradtape::test

#include "random_program.hpp"

namespace gradtape::test {

using oracle::Array;
using oracle::Scalar;

namespace {

template <class F>
constexpr Elementwise both(const char* name, F) {
    return {name, 2, [](Node x, Node y) -> Node { return F{}(x, y); },
            [](Scalar x, Scalar y) -> Scalar { return F{}(x, y); }};
}
template <class F>
constexpr Elementwise one(const char* name, F) {
    return {name, 1, [](Node x, Node) -> Node { return F{}(x); }, [](Scalar x, Scalar) -> Scalar { return F{}(x); }};
}

const Elementwise elementwise_table[] = {
    both("add", [](auto x, auto y) { return x + y; }),
    both("subtract", [](auto x, auto y) { return x - y; }),
    both("multiply", [](auto x, auto y) { return tanh(x) * y; }),
    both("divide", [](auto x, auto y) { return x / (1.5 + sin(y)); }),
    one("divide a number", [](auto x) { return 2.0 / (3.0 + cos(x)); }),
    one("negative", [](auto x) { return -x; }),
    one("affine", [](auto x) { return 0.5 * x + 1.0 - x * 2.0; }),
    one("square", [](auto x) { return square(sin(x)); }),
    one("sqrt", [](auto x) { return sqrt(1.2 + cos(x)); }),
    one("rsqrt", [](auto x) { return rsqrt(1.5 + sin(x)); }),
    one("reciprocal", [](auto x) { return reciprocal(-1.5 + sin(x)); }),
    both("power", [](auto x, auto y) { return power(1.3 + sin(x), tanh(y)); }),
    one("cube", [](auto x) { return power(sin(x) + 1.1, 3.0); }),
    one("exp", [](auto x) { return exp(tanh(x)); }),
    one("expm1", [](auto x) { return expm1(sin(x)); }),
    one("log", [](auto x) { return log(1.2 + sin(x)); }),
    one("log1p", [](auto x) { return log1p(0.9 * sin(x)); }),
    one("sin", [](auto x) { return sin(x); }),
    one("cos", [](auto x) { return cos(x); }),
    one("tan", [](auto x) { return tan(sin(x)); }),
    one("tanh", [](auto x) { return tanh(x); }),
    one("sigmoid", [](auto x) { return sigmoid(2.0 * x); }),
    one("softplus", [](auto x) { return softplus(x); }),
    one("log_sigmoid", [](auto x) { return log_sigmoid(x); }),
    one("relu", [](auto x) { return relu(x); }),
    one("abs", [](auto x) { return abs(x); }),
    both("maximum", [](auto x, auto y) { return maximum(x, y); }),
    both("minimum", [](auto x, auto y) { return minimum(x, y); }),
    one("maximum with a number", [](auto x) { return maximum(x, 0.1); }),
    one("clamp", [](auto x) { return clamp(x, -0.6, 0.7); }),
    both("where", [](auto x, auto y) { return where(x > y, sin(x), 0.5 * y); }),
    one("where number", [](auto x) { return where(x <= 0.2, x, 0.0); }),
    both("where_positive", [](auto x, auto y) { return where_positive(sin(x), y); }),
    both("stop_gradient", [](auto x, auto y) { return x * tanh(stop_gradient(y)); }),
    one("fan-out", [](auto x) { return x * sin(x) + x; }),
};

Scalar mean_of(const std::vector<Scalar>& x) { return oracle::sum(x) / double(x.size()); }

const Reduction reduction_table[] = {
    {"sum", [](Node x, Axes a, bool k) { return sum(sin(x), a, k); },
     [](const std::vector<Scalar>& x) {
         std::vector<Scalar> s;
         for (Scalar e : x) s.push_back(sin(e));
         return oracle::sum(s);
     },
     true},
    {"mean", [](Node x, Axes a, bool k) { return mean(x, a, k); }, mean_of, false},
    {"max", [](Node x, Axes a, bool k) { return max(x, a, k); }, oracle::max, false},
    {"min", [](Node x, Axes a, bool k) { return min(x, a, k); }, oracle::min, false},
    {"prod", [](Node x, Axes a, bool k) { return prod(tanh(x), a, k); },
     [](const std::vector<Scalar>& x) {
         std::vector<Scalar> s;
         for (Scalar e : x) s.push_back(tanh(e));
         return oracle::prod(s);
     },
     true},
    {"logsumexp", [](Node x, Axes a, bool k) { return logsumexp(tanh(x), a, k); },
     [](const std::vector<Scalar>& x) {
         std::vector<Scalar> s;
         for (Scalar e : x) s.push_back(tanh(e));
         return oracle::logsumexp(s);
     },
     false},
};

std::int64_t random_extent(Random& random) {
    static const std::int64_t extents[] = {1, 2, 3, 5, 7, 9};
    return random.chance(0.04) ? 0 : extents[random.below(6)];
}

/// `full` with leading axes dropped and some extents replaced by 1: broadcasts to `full`.
Shape relative_of(const Shape& full, Random& random) {
    Shape result;
    const int drop = random.below(int(full.rank()) + 1);
    for (std::size_t axis = random.chance(0.5) ? 0 : std::size_t(drop); axis < full.rank(); ++axis)
        result.push_back(random.chance(0.3) ? 1 : full[axis]);
    return result;
}

bool broadcastable(const Shape& x, const Shape& y) {
    for (std::size_t i = 1; i <= std::min(x.rank(), y.rank()); ++i) {
        const std::int64_t a = x[x.rank() - i], b = y[y.rank() - i];
        if (a != b && a != 1 && b != 1) return false;
    }
    return true;
}

/// One program under construction: values so far, and the choices of what comes next.
template <class Engine>
class Generator {
public:
    using Value = typename Engine::Value;
    Generator(std::uint64_t seed, std::vector<Value> values) : random_(seed * 2 + 1), values_(std::move(values)) {}

    Value run() {
        const int steps = 2 + random_.below(14);
        for (int i = 0; i < steps; ++i) {
            Value next = step();
            if (Engine::shape(next).elements() <= 400) values_.push_back(next);
        }
        // The result reads the last three values, each element with a weight of its own through cos.
        Value total = whole(values_.back());
        for (std::size_t back = 2; back <= std::min<std::size_t>(3, values_.size()); ++back)
            total = Engine::elementwise(elementwise_table[0], total, whole(values_[values_.size() - back]));
        return total;
    }

private:
    Value whole(const Value& x) {
        Shape axes;
        for (std::size_t axis = 0; axis < Engine::shape(x).rank(); ++axis) axes.push_back(std::int64_t(axis));
        return Engine::reduce(reduction_table[0], x, axes, false);
    }

    const Value& any() { return values_[std::size_t(random_.below(int(values_.size())))]; }

    Value step() {
        const double dice = random_.uniform(0, 1);
        const Value x = any();
        if (dice < 0.5 || Engine::shape(x).rank() == 0) return elementwise(x);
        if (dice < 0.66) return reduce(x);
        if (dice < 0.72) return along(x);
        if (dice < 0.80) return product(x);
        return rearrange(x);
    }

    Value elementwise(const Value& x) {
        const auto table = elementwise_operations();
        const Elementwise& f = table[std::size_t(random_.below(int(table.size())))];
        for (int attempt = 0; f.arity == 2 && attempt < 4; ++attempt) {
            const Value& y = any();
            if (broadcastable(Engine::shape(x), Engine::shape(y))) return Engine::elementwise(f, x, y);
        }
        return Engine::elementwise(f, x, x);
    }

    Value reduce(const Value& x) {
        const Shape shape = Engine::shape(x);
        const Reduction& f = reduction_table[random_.below(int(std::size(reduction_table)))];
        Shape axes;
        bool empty = false;
        for (std::size_t axis = 0; axis < shape.rank(); ++axis)
            if (random_.chance(0.5)) {
                axes.push_back(std::int64_t(axis));
                empty = empty || shape[axis] == 0;
            }
        const bool keepdims = random_.chance(0.5);
        return Engine::reduce(empty && !f.takes_empty ? reduction_table[0] : f, x, axes, keepdims);
    }

    Value along(const Value& x) {
        const int axis = random_.below(int(Engine::shape(x).rank()));
        return random_.chance(0.5) ? Engine::softmax(x, axis) : Engine::log_softmax(x, axis);
    }

    /// x as a matrix, times the transpose of another with as many columns.
    Value product(const Value& x) {
        const Value a = matrix(x), b = matrix(any());
        const Value left = Engine::elementwise(elementwise_table[20], a, a);  // tanh
        if (Engine::shape(a)[1] == Engine::shape(b)[0]) return Engine::matmul(left, b);
        if (Engine::shape(a)[1] == Engine::shape(b)[1]) return Engine::matmul(left, Engine::transpose(b, {1, 0}));
        return Engine::matmul(left, Engine::transpose(a, {1, 0}));
    }

    Value matrix(const Value& x) {
        const Shape shape = Engine::shape(x);
        const std::int64_t columns = shape.rank() == 0 ? 1 : shape.back();
        std::int64_t rows = 1;
        for (std::size_t axis = 0; axis + 1 < shape.rank(); ++axis) rows *= shape[axis];
        return Engine::reshape(x, {rows, columns});
    }

    Value rearrange(const Value& x) {
        const Shape shape = Engine::shape(x);
        const int axis = random_.below(int(shape.rank()));
        switch (random_.below(6)) {
            case 0: return Engine::transpose(x, permutation(shape.rank()));
            case 1: return Engine::reshape(x, {shape.elements()});
            case 2: return Engine::slice(x, ranges(shape));
            case 3: return Engine::concatenate(x, x, axis);
            case 4: return pad(x);
            default: return shape.rank() < 5 ? broadcast(x) : Engine::reshape(x, {shape.elements()});
        }
    }

    Shape permutation(std::size_t rank) {
        Shape result;
        for (std::size_t i = 0; i < rank; ++i) result.push_back(std::int64_t(i));
        for (std::size_t i = rank; i-- > 1;) std::swap(result[i], result[std::size_t(random_.below(int(i) + 1))]);
        return result;
    }

    std::vector<Range> ranges(const Shape& shape) {
        std::vector<Range> result;
        for (std::int64_t extent : shape) {
            const int choice = extent == 0 ? 3 : random_.below(4);
            if (choice == 0) result.push_back({extent / 2, extent, 1});
            else if (choice == 1) result.push_back({0, extent, 2});
            else if (choice == 2) result.push_back({extent - 1, 0, -1});  // drops the first
            else result.push_back({0, extent, 1});
        }
        return result;
    }

    Value pad(const Value& x) {
        Shape before, after;
        for (std::size_t axis = 0; axis < Engine::shape(x).rank(); ++axis) {
            before.push_back(random_.below(2));
            after.push_back(random_.below(3));
        }
        return Engine::pad(x, before, after, random_.chance(0.5) ? 0.0 : 0.35);
    }

    Value broadcast(const Value& x) {
        Shape wide{std::int64_t(1 + random_.below(3))};
        for (std::int64_t extent : Engine::shape(x)) wide.push_back(extent == 1 ? 3 : extent);
        return Engine::broadcast_to(x, wide);
    }

    Random random_;
    std::vector<Value> values_;
};

}  // namespace

std::span<const Elementwise> elementwise_operations() { return elementwise_table; }
std::span<const Reduction> reductions() { return reduction_table; }

Array OracleEngine::log_softmax(const Array& x, int axis) {
    return oracle::along(x, axis, [](std::vector<Scalar> row) {
        const Scalar total = oracle::logsumexp(row);
        for (Scalar& e : row) e = e - total;
        return row;
    });
}

std::vector<Shape> leaf_shapes(std::uint64_t seed) {
    Random random(seed * 2);
    Shape full;
    for (int axis = random.below(4); axis > 0; --axis) full.push_back(random_extent(random));
    std::vector<Shape> result = {full};
    for (int i = random.below(3); i > 0; --i) result.push_back(relative_of(full, random));
    return result;
}

template <class Engine>
typename Engine::Value run_program(std::uint64_t seed, std::vector<typename Engine::Value> values) {
    return Generator<Engine>(seed, std::move(values)).run();
}

template Node run_program<TapeEngine>(std::uint64_t, std::vector<Node>);
template Array run_program<OracleEngine>(std::uint64_t, std::vector<Array>);

}  // namespace gradtape::test

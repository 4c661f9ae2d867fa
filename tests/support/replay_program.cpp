#include "replay_program.hpp"

namespace gradtape::test {
namespace {

/// A matrix of sizes that blocks do not divide: rows × columns is 0, 1, a few, or somewhere around 1024, 2048 or 4096.
struct Frame {
    std::int64_t rows, columns;
};
const Frame frames[] = {{1, 1025}, {25, 41}, {41, 25}, {1, 1024}, {32, 32}, {1023, 1}, {2, 1250}, {50, 50}, {4097, 1},
                        {17, 241}, {3, 683}, {1, 1}, {1, 7}, {5, 3}, {0, 5}, {4, 0}, {64, 64}, {513, 2}, {33, 31}};

class Generator {
public:
    explicit Generator(std::uint64_t seed) : random_(seed * 3 + 1) {
        frame_ = frames[random_.below(int(std::size(frames)))];
        dtype_ = random_.chance(0.5) ? DType::float64 : DType::float32;
    }

    Case run() {
        for (int k = 1 + random_.below(3); k > 0; --k) pool_.push_back(tape_.input(leaf(made_.recorded.inputs)));
        for (int k = 1 + random_.below(3); k > 0; --k) {
            parameters_.push_back(tape_.parameter(leaf(made_.recorded.parameters)));
            pool_.push_back(parameters_.back());
        }
        for (int steps = 3 + random_.below(30); steps > 0; --steps) add(step());
        std::vector<Node> outputs;
        for (int k = random_.below(4); k > 0; --k) outputs.push_back(any());
        outputs.push_back(pool_.back());
        std::vector<Update> updates = random_.chance(0.6) ? descend(outputs) : std::vector<Update>();
        if (updates.empty() || random_.chance(0.3)) updates = exchange();
        made_.body = Program(tape_, outputs).body();
        for (const Update& update : updates)
            made_.body.updates.push_back({update.parameter.index(), update.value.index()});
        refresh();
        return std::move(made_);
    }

private:
    Shape leaf_shape() {
        switch (random_.below(8)) {
            case 0: return {};
            case 1: return {frame_.columns};
            case 2: return {frame_.rows, 1};
            case 3: return {1, frame_.columns};
            default: return {frame_.rows, frame_.columns};
        }
    }
    Tensor leaf(std::vector<Tensor>& list) {
        const Type type{random_.chance(0.1) ? DType::int64 : dtype_, leaf_shape()};
        list.push_back(random_.tensor(type.shape, -1.5, 1.5, DType::float64).as(type.dtype));
        return list.back();
    }
    void refresh() {
        for (const auto& [from, to] : {std::pair(&made_.recorded.inputs, &made_.fresh.inputs),
                                       std::pair(&made_.recorded.parameters, &made_.fresh.parameters)})
            for (const Tensor& tensor : *from)
                to->push_back(random_.tensor(tensor.shape(), -1.5, 1.5, DType::float64).as(tensor.dtype()));
        settle_guards(made_.body, made_.recorded);
    }

    void add(Node z) {
        if (z.shape().elements() <= 5000) pool_.push_back(z);
    }
    /// More often a late value than an early one.
    Node any() {
        const int n = int(pool_.size());
        return pool_[std::size_t(random_.chance(0.5) ? n - 1 - random_.below(std::min(n, 4)) : random_.below(n))];
    }
    Node floating() {
        for (int attempt = 0; attempt < 8; ++attempt)
            if (const Node x = any(); x.dtype() == dtype_) return x;
        return cast(any(), dtype_);
    }
    Node partner(Node x) {
        for (int attempt = 0; attempt < 6; ++attempt)
            if (const Node y = any(); y.dtype() == x.dtype() && fits(x.shape(), y.shape())) return y;
        return x;
    }

    Node step() {
        switch (random_.below(20)) {
            case 0: case 1: case 2: return unary();
            case 3: case 4: case 5: case 6: case 7: return binary();
            case 8: return select();
            case 9: return convert();
            case 10: case 11: return reduce();
            case 12: return random_.chance(0.6) ? product() : factored();
            case 13: case 14: return rearrange();
            case 15: return widen(any());
            case 16: return random_.chance(0.3) ? guard() : unary();
            case 17: return sum(unary());
            case 18: return unary() * sum(floating()) * 0.01;
            default: return tanh(binary());
        }
    }
    Node unary() {
        const Node x = floating();
        switch (random_.below(9)) {
            case 0: return sin(x);
            case 1: return sigmoid(x);
            case 2: return square(tanh(x));
            case 3: return relu(x);
            case 4: return exp(-square(x));
            case 5: return softplus(x);
            case 6: return 0.5 * x - 0.25;
            case 7: return sqrt(1.5 + cos(x));
            default: return 1.0 / (2.5 + sin(x));
        }
    }
    Node binary() {
        const Node x = floating(), y = partner(x);
        switch (random_.below(6)) {
            case 0: return x + y;
            case 1: return x - y;
            case 2: return tanh(x) * y;
            case 3: return maximum(x, y);
            case 4: return x / (1.5 + square(y));
            default: return minimum(x * 0.5, y);
        }
    }
    Node select() {
        const Node x = any(), y = partner(x);
        const Node c = random_.chance(0.5) ? greater(x, y) : logical_not(less_equal(x, y));
        return random_.chance(0.3) ? cast(c, dtype_) : where(c, x, y);
    }
    Node convert() {
        static const DType dtypes[] = {DType::float64, DType::float32, DType::int64, DType::boolean};
        return cast(any(), dtypes[random_.below(4)]);
    }
    Node reduce() {
        const Node x = floating();
        const int rank = int(x.shape().rank());
        const Axes axes = rank == 0 || random_.chance(0.4) ? Axes() : Axes(random_.below(rank));
        const bool keepdims = random_.chance(0.5);
        if (x.shape().elements() == 0) return sum(x, axes, keepdims);
        switch (random_.below(5)) {
            case 0: return max(x, axes, keepdims);
            case 1: return mean(x, axes, keepdims);
            case 2: return logsumexp(x, axes, keepdims);
            default: return sum(x * 0.125, axes, keepdims);
        }
    }
    Node product() {
        Node x = floating();
        if (x.shape().rank() != 2 || x.shape().elements() > 4100) return square(x);
        x = tanh(x) * 0.1;
        switch (random_.below(3)) {
            case 0: return x.shape()[0] > 100 ? matmul(x, x, {.x = true}) : matmul(x, x, {.y = true});
            case 1: return matmul(transpose(x), x);
            default: return matmul(tape_.full({1, x.shape()[0]}, 0.5, dtype_), x);
        }
    }
    Node factored() {
        const Node x = floating();
        const std::size_t rank = x.shape().rank();
        if (rank < 2 || rank > 4 || x.shape()[rank - 2] > 30 || x.shape().back() > 30) return square(x);
        const Node products = matmul(x, x, {.x = true}), unit = tril(triu(full_like(products, 1.0))), a = 0.1 * products + unit;
        switch (random_.below(8)) {
            case 0: return cholesky(a);
            case 1: return eigh(a).values * 0.1;
            case 2: return eigh(a).vectors;
            case 3: return svd(x).s;
            case 4: return qr(x).r;
            case 5: return solve(a, unit + 0.5);
            case 6: return slogdet(a).logabsdet;
            default: return triangular_solve(a, triu(a));
        }
    }
    Node rearrange() {
        const Node x = any();
        const Shape shape = x.shape();
        if (shape.rank() == 0) return reshape(x, {1, 1});
        switch (random_.below(6)) {
            case 0: return reshape(x, {shape.elements()});
            case 1: return reshape(x, {1, shape.elements()});
            case 2: return transpose(x);
            case 3: return stop_gradient(x);
            case 4: return shape[0] > 2 ? slice(x, {{1, shape[0], 1}}) : x;
            default: return reshape(x, {shape.elements(), 1});
        }
    }
    Node widen(Node x) {
        Shape wide{std::int64_t(1 + random_.below(2))};
        for (std::int64_t extent : x.shape()) wide.push_back(extent == 1 ? 3 : extent);
        return wide.rank() > 4 || wide.elements() > 5000 ? x : broadcast_to(x, wide);
    }
    Node guard() {
        const Node x = any();
        if (x.shape().elements() != 1) return x;
        tape_.guard_reads(true);
        (void)x.item();
        tape_.guard_reads(false);
        return x;
    }

    /// p ← p − rate · ∂y/∂p, sometimes with a second derivative in it.
    std::vector<Update> descend(std::vector<Node>& outputs) {
        std::vector<Node> wrt;
        for (Node p : parameters_)
            if (is_floating(p.dtype())) wrt.push_back(p);
        if (wrt.empty()) return {};
        std::vector<Node> gradients = grad(sum(floating()), wrt);
        if (random_.chance(0.3)) {
            Node y = tape_.constant(0.0);
            for (Node g : gradients) y = y + cast(sum(square(g)), DType::float64);
            gradients = grad(y, wrt);
        }
        std::vector<Update> updates;
        const Node rate = tape_.constant(Tensor(0.01).as(dtype_));
        for (std::size_t k = 0; k < wrt.size(); ++k) {
            updates.push_back({wrt[k], wrt[k] - rate * gradients[k]});
            if (random_.chance(0.3)) outputs.push_back(random_.chance(0.5) ? gradients[k] : updates.back().value);
        }
        return updates;
    }
    /// Parameters that take any values of their types: each other's, outputs, inputs, one value twice.
    std::vector<Update> exchange() {
        std::vector<Update> updates;
        for (Node p : parameters_)
            for (int attempt = 0; attempt < 12; ++attempt)
                if (const Node v = any(); v.type() == p.type()) {
                    updates.push_back({p, v});
                    break;
                }
        return updates;
    }

    Random random_;
    Frame frame_;
    DType dtype_;
    Tape tape_;
    Case made_;
    std::vector<Node> pool_, parameters_;
};

}  // namespace

Case replay_program(std::uint64_t seed) { return Generator(seed).run(); }

}  // namespace gradtape::test

// Loops over rows: the same bits as plain evaluation, in programs that have them, and in those that must not.
#include "support/replay_check.hpp"

#include <doctest/doctest.h>

namespace gradtape::test {
namespace {

/// A random function of matrices with the same rows, columns, and a row: elementwise operations, broadcasts of each kind,
/// reductions along either axis and of all, and derivatives.
class RowProgram {
public:
    explicit RowProgram(std::uint64_t seed) : random_(seed), dtype_(random_.chance(0.5) ? DType::float32 : DType::float64) {
        const std::int64_t counts[] = {2, 6, 8, 16, 24, 32, 48, 64, 96}, lengths[] = {1, 3, 8, 16, 24, 40, 64, 192, 256, 320};
        rows_ = counts[random_.below(9)];
        length_ = lengths[random_.below(10)];
    }

    Case run() {
        for (const Shape& shape : {Shape{rows_, length_}, Shape{rows_, length_}, Shape{rows_, 1}, Shape{length_}, Shape{}}) leaf(shape);
        for (int i = 0; i < 25; ++i) values_.push_back(next());
        std::vector<Node> outputs{values_.back(), any({rows_, length_}), any({rows_, 1})};
        if (random_.chance(0.5)) {
            const Node loss = sum(any({rows_, length_}) * any({rows_, length_}));
            outputs.push_back(loss);
            for (Node g : grad(loss, std::span(values_).first(4))) outputs.push_back(g);
        }
        Case its = std::move(case_);
        its.body = Program(tape_, outputs).body();
        return its;
    }

private:
    void leaf(const Shape& shape) {
        case_.recorded.inputs.push_back(random_.tensor(shape, 0.5, 1.5, dtype_));
        case_.fresh.inputs.push_back(random_.tensor(shape, 0.5, 1.5, dtype_));
        values_.push_back(tape_.input(case_.recorded.inputs.back()));
    }

    /// The latest or an earlier value of this shape.
    Node any(const Shape& shape) {
        std::vector<Node> found;
        for (const Node& v : values_)
            if (v.shape() == shape) found.push_back(v);
        return random_.chance(0.5) ? found.back() : found[std::size_t(random_.below(int(found.size())))];
    }
    Node of_any_shape() {
        const Shape shapes[] = {{rows_, length_}, {rows_, 1}, {length_}, {}};
        return any(shapes[random_.below(4)]);
    }

    Node next() {
        const Node x = any({rows_, length_});
        switch (random_.below(13)) {
            case 0: return tanh(x);
            case 1: return sqrt(square(any({rows_, 1})) + 0.5);
            case 2: return x * of_any_shape();
            case 3: return x - of_any_shape();
            case 4: return x / (square(of_any_shape()) + 1.0);
            case 5: return mean(x, {1}, true);
            case 6: return sum(x, {1}, true) * 0.25;
            case 7: return max(x, {1}, true);
            case 8: return random_.chance(0.5) ? softmax(x, {1}) : log_softmax(x, {1});
            case 9: return logsumexp(x, {1}, true);
            case 10: return tanh(sum(x, {0}));
            case 11: return tanh(sum(x));
            default: return norm(x, {1}, true);
        }
    }

    Random random_;
    DType dtype_;
    std::int64_t rows_ = 0, length_ = 0;
    Case case_;
    Tape tape_;
    std::vector<Node> values_;
};

TEST_CASE("replay: random programs on the rows of matrices, in loops over rows or not") {
    int looped = 0;
    for (std::uint64_t seed = 0; seed < 300; ++seed) {
        CAPTURE(seed);
        const Case its = RowProgram(seed).run();
        CHECK(check_replay(its, seed) == "");
        const Compiled compiled = compile(Program(std::make_unique<Program::Body>(its.body)), {.debug = true});
        looped += compiled.explain().find("loops over rows") != std::string::npos;
    }
    CHECK(looped > 100);
}

Compiled layer_norm(std::int64_t n, std::int64_t width, const CompileOptions& options) {
    Tape tape;
    const Node x = tape.input(Random(1).tensor({n, width}, -1, 1, DType::float32));
    const Node scale = tape.parameter(Random(2).tensor({width}, -1, 1, DType::float32));
    const Node centred = x - mean(x, {1}, true);
    const Node y = centred * rsqrt(mean(square(centred), {1}, true) + 1e-5) * scale;
    const Node loss = sum(y * x);
    return compile(tape, {loss, grad(loss, std::vector{x, scale})}, {}, options);
}

TEST_CASE("replay: a layer norm and its gradients are a loop over rows, which keeps little") {
    const Compiled with = layer_norm(512, 768, {}), without = layer_norm(512, 768, {.rows = false});
    CHECK(with.explain().find("loops over rows") != std::string::npos);
    CHECK(without.explain().find("loops over rows") == std::string::npos);
    CHECK(with.arena_bytes() < without.arena_bytes() / 2);
    CHECK(with.peak_bytes() - with.arena_bytes() == without.peak_bytes() - without.arena_bytes());
    Replay a(with), b(without);
    a.run(), b.run();
    for (std::size_t i = 0; i < 3; ++i) CHECK(same_bits(a.output(i), b.output(i)));
    CHECK(layer_norm(16, 32, {}).explain().find("loops over rows") == std::string::npos);   // stays in the cache anyway
    CHECK(layer_norm(509, 768, {}).explain().find("loops over rows") == std::string::npos); // nothing divides it
}

}  // namespace
}  // namespace gradtape::test

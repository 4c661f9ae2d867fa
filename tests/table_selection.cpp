// What `where` did not choose adds nothing to any derivative: generated from the table, with NaN, infinities, zeros and numbers
// that overflow behind it, for orders 1 and 2 in both modes. Products of matrices are the exception (docs/numerics.md).
#include "support/samples.hpp"

#include <doctest/doctest.h>

namespace gradtape::test {
namespace {

const std::vector<double>& hostile(DType dtype) {
    static const std::vector<double> wide = {nan, inf, -inf, 1e200, -1e200, 0.0, -0.0, -1, 3, 1e-310, -1e300};
    static const std::vector<double> narrow = {nan, inf, -inf, 1e30, -1e30, 0.0, -0.0, -1, 3, 1e-40, -3e38};
    return dtype == DType::float64 ? wide : narrow;
}

/// Operand k of a sample, all of whose combinations with the other operands occur where it is a vector.
Tensor hostile_operand(std::size_t k, const Shape& shape, DType dtype) {
    if (dtype == DType::boolean) return Tensor::full(shape, 1, dtype);
    const std::vector<double>& numbers = hostile(dtype);
    std::vector<double> elements;
    std::size_t period = 1;
    for (std::size_t j = 0; j < k; ++j) period *= numbers.size();
    for (std::size_t i = 0; i < std::size_t(shape.elements()); ++i) elements.push_back(numbers[i / period % numbers.size()]);
    return make(elements, shape, dtype);
}

std::vector<Sample> hidden_samples(const Primitive& p) {
    if (!p.elementwise || p.settings[0].name) return samples(p);
    std::size_t combinations = 1;
    for (int k = 0; k < p.arity; ++k) combinations *= hostile(DType::float64).size();
    return {{std::vector<Shape>(std::size_t(p.arity), Shape{std::int64_t(combinations)}), {}}};
}

/// "" where all of the nodes are 0 throughout.
std::string nothing(const char* what, const std::vector<Node>& nodes) {
    for (std::size_t k = 0; k < nodes.size(); ++k) {
        const std::vector<double> elements = values(nodes[k]);
        for (std::size_t i = 0; i < elements.size(); ++i)
            if (elements[i] != 0)
                return std::string(what) + " " + std::to_string(k) + " has " + std::to_string(elements[i]) + " at " + std::to_string(i);
    }
    return "";
}

std::vector<Node> one_node(Node node) { return {node}; }

/// All derivatives of where(false, hidden, 1) up to the second in x.
std::string leaks(Tape& tape, Node hidden, const std::vector<Node>& x, DType dtype) {
    Random random(97);
    const Node never = tape.full(hidden.shape(), 0, DType::boolean);
    const Node y = where(never, hidden, full_like(hidden, 1.0));
    std::vector<Node> dots;
    for (const Node& node : x) dots.push_back(tape.constant(random.tensor(node.shape(), 0.5, 2, dtype)));
    const Node z_bar = tape.constant(random.tensor(y.shape(), 0.5, 2, y.dtype()));
    const auto weighed = [&](const std::vector<Node>& nodes) {
        Node total = tape.full({}, 0, nodes[0].dtype());
        for (const Node& node : nodes) total = total + sum(node * tape.constant(random.tensor(node.shape(), 0.5, 2, node.dtype())));
        return total;
    };
    const std::vector<Node> bars = vjp(one_node(y), x, one_node(z_bar)), dot = jvp(one_node(y), x, dots);
    for (const std::string& found : {nothing("reverse", bars), nothing("forward", dot),
                                     nothing("reverse over reverse", grad(weighed(bars), x)),
                                     nothing("forward over reverse", jvp(bars, x, dots)),
                                     nothing("reverse over forward", grad(weighed(dot), x)),
                                     nothing("forward over forward", jvp(dot, x, dots))})
        if (found != "") return found;
    return "";
}

std::vector<Node> hostile_leaves(Tape& tape, const Primitive& p, const Sample& sample, DType dtype) {
    Random random(5);
    std::vector<Node> result;
    for (std::size_t k = 0; k < sample.shapes.size(); ++k)
        result.push_back(tape.parameter(is_index(p, k) ? sample_indices(sample, k, random)
                                                       : hostile_operand(k, sample.shapes[k], operand_dtype(p, k, dtype))));
    return result;
}

std::vector<Node> only_floats(const std::vector<Node>& nodes) {
    std::vector<Node> result;
    for (const Node& node : nodes)
        if (is_floating(node.dtype())) result.push_back(node);
    return result;
}

bool promised(const Primitive& p) {
    // addmm is a matmul, with a matrix added
    return p.differentiable && !p.multilinear && p.name != std::string("addmm") && !p.effect && (!p.elementwise || p.dtypes.contains(DType::float64));
}

TEST_CASE("table: nothing that where leaves out has a derivative, whatever it is") {
    for (const Primitive* p : operations())
        for (DType dtype : floating) {
            if (!promised(*p)) continue;
            for (const Sample& sample : hidden_samples(*p)) {
                Tape tape;
                const std::vector<Node> x = hostile_leaves(tape, *p, sample, dtype);
                const Node hidden = applied(*p, x, sample);
                if (!is_floating(hidden.dtype())) continue;
                CHECK_MESSAGE(leaks(tape, hidden, only_floats(x), dtype) == "", std::string(p->name), " of ", std::string(to_string(dtype)));
            }
        }
}

TEST_CASE("table: the same for functions of functions") {
    std::vector<const Primitive*> inner;
    for (const Primitive* p : operations())
        if (promised(*p) && p->elementwise && p->arity == 1 && !p->settings[0].name) inner.push_back(p);
    CHECK(inner.size() > 15);
    for (const Primitive* p : operations()) {
        if (!promised(*p) || !p->elementwise || p->settings[0].name || p->arity > 2) continue;
        for (const Primitive* f : inner) {
            Tape tape;
            const std::vector<Node> x = hostile_leaves(tape, *p, hidden_samples(*p)[0], DType::float64);
            std::vector<Node> between;
            for (const Node& node : x) between.push_back(gradtape::apply(*f, {node}));
            const Node hidden = gradtape::apply(*p, between);
            CHECK_MESSAGE(leaks(tape, hidden, x, DType::float64) == "", std::string(p->name), " of ", std::string(f->name));
        }
    }
}

TEST_CASE("where hides what composites of the library make of NaN and infinities") {
    const Unary hidden[] = {[](Node x) { return norm(x); },   [](Node x) { return variance(x); }, [](Node x) { return mean(x); },
                            [](Node x) { return stddev(x); }, [](Node x) { return x / sum(x); },  [](Node x) { return max(x) * x; }};
    int index = 0;
    for (const Unary& f : hidden)
        for (DType dtype : floating)
            for (double number : hostile(dtype)) {
                CAPTURE(index++);
                Tape tape;
                const Node x = tape.parameter(make({number, 1, 2}, dtype));
                CHECK(leaks(tape, f(x), {x}, dtype) == "");
            }
}

}  // namespace
}  // namespace gradtape::test

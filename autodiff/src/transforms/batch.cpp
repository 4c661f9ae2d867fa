// Batching: the program of one example is recorded again, each instruction by its rule for a whole batch.
#include <gradtape/ops.hpp>
#include <gradtape/vmap.hpp>

#include "../ir/own.hpp"
#include "../ir/program.hpp"
#include "../support/axis.hpp"
#include "../tape/recorder.hpp"

namespace gradtape {

using namespace detail;

Node BatchCall::with_axis(std::size_t k) const {
    const Node node = x[k];
    if (batched[k]) return node;
    Shape shape{size};
    for (std::int64_t extent : node.shape()) shape.push_back(extent);
    return broadcast_to(node, shape);
}

void BatchCall::apply(std::span<const Node> operands, const Attributes& attributes) const {
    const std::vector<Node> results = apply_all(primitive, operands, attributes);
    std::copy(results.begin(), results.end(), z.begin());
}

namespace {

/// With axis `from` taken to `to`.
Node moved(Node x, std::size_t from, std::size_t to) {
    if (from == to) return x;
    std::vector<std::int64_t> order;
    for (std::size_t i = 0; i < x.shape().rank(); ++i)
        if (i != from) order.push_back(std::int64_t(i));
    order.insert(order.begin() + std::ptrdiff_t(to), std::int64_t(from));
    Shape permutation;
    for (std::int64_t axis : order) permutation.push_back(axis);
    return transpose(x, permutation);
}

/// Inputs with the examples along their first axis, where they are mapped.
struct Inputs {
    Recorder* recorder = nullptr;
    std::int64_t size = -1;
    std::vector<Node> nodes;
    std::vector<char> mapped;

    Inputs(std::span<const Node> given, const MapAxes& axes, Where where) {
        if (given.empty()) throw ValueError("needs at least one input", {"vmap", {}, {}, where});
        if (!axes.in.empty() && axes.in.size() != given.size())
            throw ValueError(std::to_string(axes.in.size()) + " axes for " + std::to_string(given.size()) +
                                 " inputs; needs one each, or none", {"vmap", {}, {}, where});
        recorder = &Recorder::of(given[0], "vmap", where);
        for (std::size_t k = 0; k < given.size(); ++k) add(given[k], axes.in.empty() ? 0 : axes.in[k], where);
        if (size < 0) throw ValueError("no input is mapped; call the function itself", {"vmap", {}, {}, where});
    }

private:
    void add(Node x, int axis, Where where) {
        if (&Recorder::of(x, "vmap", where) != recorder)
            throw TapeError("inputs are on different tapes; record them on one", {"vmap", {}, {}, where});
        mapped.push_back(axis != unmapped);
        if (axis == unmapped) return nodes.push_back(x);
        const Shape shape = x.shape();
        const std::size_t at = at_axis("vmap", axis, shape, where);
        if (size >= 0 && shape[at] != size)
            throw ShapeError("input " + std::to_string(nodes.size()) + " has " + std::to_string(shape[at]) +
                                 " examples along axis " + std::to_string(axis) + ", an earlier one " + std::to_string(size) +
                                 "; needs the same", {"vmap", {shape}, axis, where});
        size = shape[at];
        nodes.push_back(moved(x, at, 0));
    }
};

/// The program of one example.
Program one_example(const MappedFunction& f, const Inputs& inputs, Where where) {
    Tape tape(Recording::abstract);
    std::vector<Node> x;
    for (std::size_t k = 0; k < inputs.nodes.size(); ++k) {
        const Type type = inputs.nodes[k].type();
        Shape shape = type.shape;
        if (inputs.mapped[k]) {
            shape = {};
            for (std::size_t i = 1; i < type.shape.rank(); ++i) shape.push_back(type.shape[i]);
        }
        x.push_back(tape.input({type.dtype, shape}, where));
    }
    return Program(tape, f(x), {}, where);
}

/// Computes a program for a batch. What does not depend on a mapped input is computed once.
class Batch {
public:
    Batch(const Program::Body& body, const Inputs& inputs) : body_(body), inputs_(inputs), origin_(*inputs.recorder) {
        values_.resize(body.instructions.size());
        batched_.resize(body.instructions.size());
        find_needed();
    }

    void run() {
        std::size_t input = 0, constant = 0;
        for (Index i = 0; i < values_.size(); ++i) {
            const Instruction& instruction = body_.instructions[i];
            const bool has_tensor = constant < body_.constants.size() && body_.constants[constant].index == i;
            origin_.set(instruction.where);
            if (instruction.primitive->leaf)
                leaf(i, input, has_tensor ? &body_.constants[constant].value : nullptr);
            else if (needed_[i] && !instruction.primitive->takes_result)
                compute(i);
            constant += has_tensor;
        }
    }

    /// Value i, with the axis.
    Node result(Index i) const {
        const char batched = batched_[i];
        return BatchCall{*body_.instructions[i].primitive, {{&values_[i], 1}, {}}, {&batched, 1}, inputs_.size, {}}.with_axis(0);
    }

private:
    void find_needed() {
        needed_.resize(values_.size());
        for (Index output : body_.outputs) needed_[output] = true;
        for (Index i = Index(values_.size()); i-- > 0;)
            if (needed_[i])
                for (Index operand : body_.instructions[i].operands) needed_[operand] = true;
    }

    void leaf(Index i, std::size_t& input, const Tensor* tensor) {
        const Instruction& instruction = body_.instructions[i];
        Recorder& recorder = *inputs_.recorder;
        if (input < body_.inputs.size() && body_.inputs[input] == i) {
            values_[i] = inputs_.nodes[input];
            batched_[i] = inputs_.mapped[input++];
        } else if (instruction.primitive == &primitive(Op::parameter)) {
            throw TapeError("the function makes a parameter of its own; give it as an input", {"vmap", {}, {}, instruction.where});
        } else if (tensor) {
            values_[i] = recorder.leaf(Op::constant, *tensor, instruction.where);
        } else {
            values_[i] = recorder.number(instruction.type, instruction.attributes.get<double>("value"), instruction.where);
        }
    }

    void compute(Index i) {
        const Instruction& instruction = body_.instructions[i];
        const Primitive& its = *instruction.primitive;
        std::vector<Node> operands;
        std::vector<char> batched;
        bool any = false;
        for (Index operand : instruction.operands) {
            operands.push_back(values_[operand]);
            batched.push_back(batched_[operand]);
            any = any || batched.back();
        }
        std::vector<Node> results(std::size_t(its.result_count(instruction.attributes)));
        const BatchCall call{its, {operands, instruction.attributes}, batched, inputs_.size, results};
        if (!any)
            call.apply(operands, instruction.attributes);
        else
            in_the_name_of(its, instruction.where, [&] { ask(call, instruction.where); });
        take(i, results, any);
    }

    void ask(const BatchCall& call, Where where) const {
        if (call.primitive.batch) return call.primitive.batch(call);
        if (!call.primitive.elementwise) throw ValueError("has no batching rule", {call.primitive.name, {}, {}, where});
        std::vector<Node> operands;
        for (std::size_t k = 0; k < call.x.count(); ++k) operands.push_back(call.with_axis(k));
        call.apply(operands, call.x.attributes);
    }

    /// Value i and its further results, which must be those of one example with the axis in front.
    void take(Index i, std::span<const Node> results, bool batched) {
        for (std::size_t k = 0; k < results.size(); ++k) {
            const Index at = i + Index(k);  // further results follow on a tape that has just been recorded
            const Type& one = body_.instructions[at].type;
            Shape expected = one.shape;
            if (batched) {
                expected = {inputs_.size};
                for (std::int64_t extent : one.shape) expected.push_back(extent);
            }
            const char* const name = body_.instructions[i].primitive->name;
            if (!results[k].is_valid() || results[k].type() != Type{one.dtype, expected})
                throw ShapeError("its batching rule gave " + to_string(results[k]) + " for result " + std::to_string(k) + "; needs " +
                                     to_string(Type{one.dtype, expected}), {name, {expected}, {}, body_.instructions[i].where});
            values_[at] = results[k];
            batched_[at] = batched;
        }
    }

    const Program::Body& body_;
    const Inputs& inputs_;
    Recorder::Origin origin_;
    std::vector<Node> values_;
    std::vector<char> batched_, needed_;
};

std::vector<Node> mapped(const MappedFunction& f, std::span<const Node> given, const MapAxes& axes, Where where) {
    const Inputs inputs(given, axes, where);
    const Program program = one_example(f, inputs, where);
    const Program::Body& body = program.body();
    std::vector<Node> results;
    {
        Batch batch(body, inputs);
        batch.run();
        for (Index output : body.outputs) results.push_back(batch.result(output));
    }
    for (Node& z : results) z = moved(z, 0, at_axis("vmap", axes.out, z.shape(), where));
    return results;
}

/// One row for each element of a value of this type, which is 1 there.
Tensor basis(const Type& type, Where where) {
    const std::int64_t n = type.shape.elements();
    Shape shape{n};
    for (std::int64_t extent : type.shape) shape.push_back(extent);
    Tensor rows = Tensor::zeros(shape, type.dtype, where);
    for (std::int64_t i = 0; i < n; ++i)
        type.dtype == DType::float32 ? rows.mutable_data<float>()[std::size_t(i * n + i)] = 1
                                     : rows.mutable_data<double>()[std::size_t(i * n + i)] = 1;
    return rows;
}

Shape joined(const Shape& a, const Shape& b) {
    Shape result = a;
    for (std::int64_t extent : b) result.push_back(extent);
    return result;
}

void check_floating(const Type& type, const char* asker, Where where) {
    if (!is_floating(type.dtype))
        throw NotDifferentiable("takes and gives float32 or float64, not " + to_string(type), {asker, {type.shape}, {}, where});
}

/// f(x)'s type.
Type result_type(const std::function<Node(Node)>& f, const Type& x, const char* asker, Where where) {
    Tape tape(Recording::abstract);
    const Node y = f(tape.input(x, where));
    check_floating(y.type(where), asker, where);
    return y.type(where);
}

}  // namespace

std::vector<Node> vmap(const MappedFunction& f, const Several<Node>& inputs, const MapAxes& axes, Where where) {
    if (!f) throw ValueError("there is no function to map: it is empty", {"vmap", {}, {}, where});
    if (inputs.all().empty()) throw ValueError("needs at least one input", {"vmap", {}, {}, where});
    return all_or_nothing(inputs.all()[0], [&] { return mapped(f, inputs.all(), axes, where); });
}

Node jacobian(const std::function<Node(Node)>& f, Node x, Where where) {
    if (!f) throw ValueError("there is no function to differentiate: it is empty", {"jacobian", {}, {}, where});
    const Type from = x.type(where);
    check_floating(from, "jacobian", where);
    const Type to = result_type(f, from, "jacobian", where);
    return all_or_nothing(x, [&] {
        const bool reverse = to.shape.elements() <= from.shape.elements();
        const Node rows = sibling_constant(x, basis(reverse ? to : from, where), where);
        const auto one = [&](std::span<const Node> at) -> Node {
            const Node y = f(at[0]);
            return reverse ? vjp(y, at[0], at[1], where) : jvp(y, at[0], at[1], where);
        };
        const Node by_row = vmap(one, {x, rows}, {{unmapped, 0}, 0}, where)[0];
        if (reverse) return reshape({by_row, where}, joined(to.shape, from.shape));
        return reshape({moved(by_row, 0, to.shape.rank()), where}, joined(to.shape, from.shape));
    });
}

Node hessian(const std::function<Node(Node)>& f, Node x, Where where) {
    if (!f) throw ValueError("there is no function to differentiate: it is empty", {"hessian", {}, {}, where});
    const Type from = x.type(where);
    check_floating(from, "hessian", where);
    const Type to = result_type(f, from, "hessian", where);
    if (to.shape.elements() != 1)
        throw ShapeError("needs a function of one element, not shape " + to_string(to.shape) + "; reduce first, or use jacobian",
                         {"hessian", {to.shape}, {}, where});
    return all_or_nothing(x, [&] {
        const Node rows = sibling_constant(x, basis(from, where), where);
        const auto one = [&](std::span<const Node> at) -> Node { return hvp(f(at[0]), at[0], at[1], where); };
        return reshape({vmap(one, {x, rows}, {{unmapped, 0}, 0}, where)[0], where}, joined(from.shape, from.shape));
    });
}

}  // namespace gradtape

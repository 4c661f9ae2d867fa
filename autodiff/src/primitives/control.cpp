// Primitives with bodies: kernels run them; rules make bodies of them, by the library's own transforms, and call these.
#include "../execute/execute.hpp"
#include "family.hpp"

#include <gradtape/control.hpp>
#include <gradtape/transforms.hpp>
#include <gradtape/vmap.hpp>

#include <cstring>

namespace gradtape::detail::GRADTAPE_ISA {
namespace {

const Subprogram& body_of(const Attributes& attributes, const char* name = "body") { return attributes.get<Subprogram>(name); }

/// A body under construction, and the operands that it will be called with.
class Building {
public:
    /// An operand more: what stands for it in the body.
    Node take(Node operand) {
        operands_.push_back(operand);
        return tape_.input(operand.type());
    }
    std::vector<Node> take(std::span<const Node> operands) {
        std::vector<Node> inner;
        for (const Node& operand : operands) inner.push_back(take(operand));
        return inner;
    }
    Subprogram body(std::span<const Node> results) const { return Subprogram(Program(tape_, results)); }
    std::vector<Node> call(std::span<const Node> results) const {
        if (results.empty()) return {};
        return apply_all(primitive(Op::call), operands_, {{"body", body(results)}});
    }

private:
    Tape tape_{Recording::abstract};
    std::vector<Node> operands_;
};

/// Some of a list, and which of it they are.
struct Picked {
    std::vector<std::size_t> places;
    std::vector<Node> nodes;
    void add(std::size_t place, Node node) {
        places.push_back(place);
        nodes.push_back(node);
    }
    /// Gives each its own of `values`.
    void give(const auto& call, std::span<const Node> values) const {
        for (std::size_t k = 0; k < places.size(); ++k) call.give(places[k], values[k]);
    }
};

/// The floating operands that want a cotangent.
Picked wanted(const VjpCall& call, std::span<const Node> x) {
    Picked result;
    for (std::size_t k = 0; k < x.size(); ++k)
        if (call.wants(k) && is_floating(x[k].dtype())) result.add(k, x[k]);
    return result;
}

/// The floating results that want a tangent; others have none.
Picked wanted(const JvpCall& call, std::span<const Node> z) {
    Picked result;
    for (std::size_t k = 0; k < z.size(); ++k)
        if (call.wants(k) && is_floating(z[k].dtype()))
            result.add(k, z[k]);
        else
            call.give(k, Node());
    return result;
}

/// Those of `nodes` that are there.
Picked present(std::span<const Node> nodes) {
    Picked result;
    for (std::size_t k = 0; k < nodes.size(); ++k)
        if (nodes[k].is_valid()) result.add(k, nodes[k]);
    return result;
}

std::vector<Node> at(std::span<const Node> nodes, const std::vector<std::size_t>& places) {
    std::vector<Node> result;
    for (std::size_t place : places) result.push_back(nodes[place]);
    return result;
}

/// The body of a whole batch.
std::vector<Node> mapped(const Subprogram& body, std::span<const Node> operands, std::span<const char> batched) {
    MapAxes axes;
    for (const char its : batched) axes.in.push_back(its ? 0 : unmapped);
    return vmap([&](std::span<const Node> one) { return expand(body, one); }, operands, axes);
}

int results_of_body(const Attributes& attributes) { return int(body_of(attributes).outputs().size()); }

std::size_t padded_sum(std::span<const Type> types) {
    std::size_t bytes = 0;
    for (const Type& type : types) bytes += padded_bytes(type);
    return bytes;
}

/// Refuses operands that are not those of the body.
void check_operands(const ShapeCall& call, const Subprogram& body, std::size_t first = 0) {
    const std::size_t count = call.operands.size() - first;
    if (count != body.inputs().size())
        throw ValueError("got " + std::to_string(count) + " operands; its body takes " + std::to_string(body.inputs().size()),
                         {call.primitive, {}, {}, call.where});
    for (std::size_t k = 0; k < count; ++k) {
        const Type &given = *call.operands[first + k], &wanted = body.inputs()[k];
        const std::string problem = "operand " + std::to_string(first + k) + " is " + to_string(given) + "; its body takes " + to_string(wanted);
        if (given.dtype != wanted.dtype) call.refuse_dtype(problem);
        if (!(given.shape == wanted.shape)) call.refuse(problem);
    }
}

Type type_of_body(const ShapeCall& call) {
    const Subprogram& body = body_of(call.attributes);
    if (call.result == 0) check_operands(call, body);
    return body.outputs()[call.result];
}

void* result_at(const KernelCall& call, std::size_t k) { return k == 0 ? call.output : call.further[k - 1].data; }

/// Room for results that are not wanted, and are computed all the same.
std::size_t room_for_results(const Attributes& attributes) { return padded_sum(body_of(attributes).outputs()); }

void run_body(const KernelCall& call) {
    const std::span<const Type> outputs = body_of(call.attributes).outputs();
    std::vector<const void*> x;
    std::vector<void*> z;
    for (const KernelCall::In& in : call.inputs) x.push_back(in.data);
    char* spare = static_cast<char*>(call.scratch);
    for (std::size_t k = 0; k < outputs.size(); ++k) {
        z.push_back(result_at(call, k) ? result_at(call, k) : spare);
        spare += padded_bytes(outputs[k]);
    }
    (*call.bodies[0])(x.data(), z.data());
}

/// x̄ of z = body(x), with `x` in place of the operands: a call of the body's reverse pass.
void pull_body(const VjpCall& call, std::span<const Node> operands) {
    Building building;
    const std::vector<Node> x = building.take(operands), z = expand(body_of(call.x.attributes), x);
    const Picked bars = present(call.z_bars), to = wanted(call, x);
    if (to.nodes.empty()) return;
    const std::vector<Node> z_bar = building.take(bars.nodes);
    to.give(call, building.call(vjp(at(z, bars.places), to.nodes, z_bar)));
}

void vjp_of_call(const VjpCall& call) { pull_body(call, call.x.nodes); }

void jvp_of_call(const JvpCall& call) {
    Building building;
    const std::vector<Node> x = building.take(call.x.nodes), z = expand(body_of(call.x.attributes), x);
    const Picked dots = present(call.x_dot), to = wanted(call, z);
    if (to.nodes.empty()) return;
    const std::vector<Node> x_dot = building.take(dots.nodes);
    to.give(call, building.call(jvp(to.nodes, at(x, dots.places), x_dot)));
}

void batch_of_call(const BatchCall& call) {
    Building building;
    const std::vector<Node> x = building.take(call.x.nodes);
    call.apply(call.x.nodes, {{"body", building.body(mapped(body_of(call.x.attributes), x, call.batched))}});
}

}  // namespace

// z = body(x)
GRADTAPE_PRIMITIVE(call, of(Primitive::variadic).giving_by(results_of_body).inlined()
    .with_settings({"body", Kind::program})
    .shaped(type_of_body).computed(run_body).with_room(room_for_results)
    .vjp(vjp_of_call).jvp(jvp_of_call).batch(batch_of_call))

}  // namespace gradtape::detail::GRADTAPE_ISA

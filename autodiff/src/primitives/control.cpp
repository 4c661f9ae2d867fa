// Primitives with a body that is computed once: calls, and those whose derivatives are bodies too. Rules make bodies of
// bodies by the library's own transforms, and call these.
#include "bodies.hpp"
#include "family.hpp"

namespace gradtape::detail::GRADTAPE_ISA {
namespace {

int results_of_body(const Attributes& attributes) { return int(body_of(attributes).outputs().size()); }

Type type_of_body(const ShapeCall& call) {
    const Subprogram& body = body_of(call.attributes);
    if (call.result == 0) check_operands(call, body);
    return body.outputs()[call.result];
}

/// Also for results that are not wanted, and are computed all the same.
std::size_t room_of_body(const Attributes& attributes) {
    const Subprogram& body = body_of(attributes);
    return size_of_lists(body) + padded_sum(body.outputs());
}

void run_body(const KernelCall& call) {
    const Subprogram& body = body_of(call.attributes);
    Room room(call.scratch);
    const void** const x = room.take_list<const void*>(body.inputs().size());
    void** const z = room.take_list<void*>(body.outputs().size());
    for (std::size_t k = 0; k < body.inputs().size(); ++k) x[k] = call.inputs[k].data;
    for (std::size_t k = 0; k < body.outputs().size(); ++k) {
        void* const spare = room.take(padded_bytes(body.outputs()[k]));
        z[k] = result_at(call, k) ? result_at(call, k) : spare;
    }
    (*call.bodies[0])(x, z);
}

/// x̄ of z = body(x), with `operands` in place of x: a call of the body's reverse pass.
void pull_body(const VjpCall& call, std::span<const Node> operands) {
    Building building;
    const Nodes x = building.take(operands), z = expand(body_of(call.x.attributes), x);
    const Picked bars = present(call.z_bars), to = wanted(call, x);
    if (to.nodes.empty()) return;
    const Nodes z_bar = building.take(bars.nodes);
    to.give(call, building.call(vjp(at(z, bars.places), to.nodes, z_bar)));
}

void vjp_of_call(const VjpCall& call) { pull_body(call, call.x.nodes); }

void jvp_of_call(const JvpCall& call) {
    Building building;
    const Nodes x = building.take(call.x.nodes), z = expand(body_of(call.x.attributes), x);
    const Picked dots = present(call.x_dot), to = wanted(call, z);
    if (to.nodes.empty()) return;
    const Nodes x_dot = building.take(dots.nodes);
    to.give(call, building.call(jvp(to.nodes, at(x, dots.places), x_dot)));
}

void batch_of_call(const BatchCall& call) {
    Building building;
    const Nodes x = building.take(call.x.nodes);
    call.apply(call.x.nodes, {{"body", building.body(mapped(body_of(call.x.attributes), x, call.batched))}});
}

/// The forward values are computed once more from operands that are there only when a cotangent is.
void vjp_of_checkpoint(const VjpCall& call) {
    const Node after = present(call.z_bars).nodes[0];
    Nodes behind;
    for (const Node& x : call.x.nodes) behind.push_back(gradtape::apply(primitive(Op::barrier), {x, after}));
    pull_body(call, behind);
}

void barrier_kernel(const KernelCall& call) {
    if (call.output != call.inputs[0].data) std::memcpy(call.output, call.inputs[0].data, std::size_t(call.type.shape.elements()) * size_of(call.type.dtype));
}

std::vector<Type> types_of(Types types, bool floating = false) {
    std::vector<Type> result;
    for (const Type& type : types)
        if (!floating || is_floating(type.dtype)) result.push_back(type);
    return result;
}

std::vector<Type> joined_types(std::vector<Type> first, std::initializer_list<std::vector<Type>> rest) {
    for (const auto& list : rest) first.insert(first.end(), list.begin(), list.end());
    return first;
}

/// The rule takes operands, results, and the derivatives of one of them, and gives those of the other: of floating ones.
template <bool reverse>
Type type_of_custom(const ShapeCall& call) {
    if (call.result > 0) return type_of_body(call);
    const Subprogram &body = body_of(call.attributes), &rule = body_of(call.attributes, "rule");
    const std::vector<Type> given = types_of(reverse ? body.outputs() : body.inputs(), true);
    const std::vector<Type> gives = types_of(reverse ? body.inputs() : body.outputs(), true);
    check_body(call, "rule", rule.inputs(), joined_types(types_of(body.inputs()), {types_of(body.outputs()), given}), "operand");
    check_body(call, "rule", rule.outputs(), gives, "result");
    return type_of_body(call);
}

/// The derivatives of the floating ones of `nodes`, zeros where there are none.
Nodes derivatives_of(std::span<const Node> nodes, std::span<const Node> derivatives) {
    const Picked floating = floating_of(nodes);
    return or_zeros(at(derivatives, floating.places), floating.nodes);
}

/// Those of `places` that are wanted or present, as places among the floating ones.
std::vector<std::size_t> among_floating(std::span<const Node> nodes, const std::vector<std::size_t>& places) {
    const Picked floating = floating_of(nodes);
    std::vector<std::size_t> result;
    for (std::size_t place : places)
        result.push_back(std::size_t(std::find(floating.places.begin(), floating.places.end(), place) - floating.places.begin()));
    return result;
}

/// A rule that is linear in some of its operands, transposed: by the reverse pass through it, at zeros.
Nodes transposed(const Subprogram& rule, std::span<const Node> x, std::span<const Node> z, Nodes zeros, const std::vector<std::size_t>& from,
                 std::span<const Node> given, const std::vector<std::size_t>& to) {
    Building building;
    const Nodes first = building.take(x), second = building.take(z), at_zero = building.take(zeros);
    const Nodes results = expand(rule, joined({first, second, at_zero}));
    const Nodes cotangents = building.take(given);
    return building.call(vjp(at(results, from), at(at_zero, to), cotangents));
}

Nodes zeros_like(const Picked& floating) { return or_zeros(Nodes(floating.size()), floating.nodes); }

void vjp_by_rule(const VjpCall& call) {
    const Subprogram& rule = body_of(call.x.attributes, "rule");
    const Picked to = wanted(call, call.x.nodes);
    if (to.nodes.empty()) return;
    const Nodes operands = joined({call.x.nodes, call.results, derivatives_of(call.results, call.z_bars)});
    const Nodes x_bar = apply_all(primitive(Op::call), operands, {{"body", rule}});
    to.give(call, at(x_bar, among_floating(call.x.nodes, to.places)));
}

/// ż is the transpose of x̄, of which the rule is linear in z̄.
void jvp_by_vjp_rule(const JvpCall& call) {
    const Picked dots = present(call.x_dot), to = wanted(call, call.results);
    if (to.nodes.empty()) return;
    const Nodes z_dot = transposed(body_of(call.x.attributes, "rule"), call.x.nodes, call.results, zeros_like(floating_of(call.results)),
                                   among_floating(call.x.nodes, dots.places), dots.nodes, among_floating(call.results, to.places));
    to.give(call, z_dot);
}

void jvp_by_rule(const JvpCall& call) {
    const Picked to = wanted(call, call.results);
    if (to.nodes.empty()) return;
    const Nodes operands = joined({call.x.nodes, call.results, derivatives_of(call.x.nodes, call.x_dot)});
    const Nodes z_dot = apply_all(primitive(Op::call), operands, {{"body", body_of(call.x.attributes, "rule")}});
    to.give(call, at(z_dot, among_floating(call.results, to.places)));
}

void vjp_by_jvp_rule(const VjpCall& call) {
    const Picked bars = present(call.z_bars), to = wanted(call, call.x.nodes);
    if (to.nodes.empty()) return;
    const Nodes x_bar = transposed(body_of(call.x.attributes, "rule"), call.x.nodes, call.results, zeros_like(floating_of(call.x.nodes)),
                                   among_floating(call.results, bars.places), bars.nodes, among_floating(call.x.nodes, to.places));
    to.give(call, x_bar);
}

Type with_axis(std::int64_t size, const Type& type) { return {type.dtype, behind(size, type.shape)}; }

/// The rule for a batch. What it gives for an operand that all examples share is summed over them.
template <bool reverse>
void batch_of_custom(const BatchCall& call) {
    const Subprogram &body = body_of(call.x.attributes), &rule = body_of(call.x.attributes, "rule");
    std::vector<Type> types;
    std::vector<char> batched(call.batched.begin(), call.batched.end());
    std::vector<char> shared;  // of what the rule gives
    const auto add = [&](const Type& type, bool its) {
        types.push_back(its ? with_axis(call.size, type) : type);
        if (types.size() > batched.size()) batched.push_back(its);
    };
    for (std::size_t k = 0; k < body.inputs().size(); ++k) {
        add(body.inputs()[k], call.batched[k]);
        if (is_floating(body.inputs()[k].dtype)) shared.push_back(!call.batched[k]);
    }
    for (const Type& type : body.outputs()) add(type, true);
    for (std::size_t k = 0; k < (reverse ? body.outputs() : body.inputs()).size(); ++k) {
        const Type& type = (reverse ? body.outputs() : body.inputs())[k];
        if (is_floating(type.dtype)) add(type, reverse || call.batched[k]);
    }
    const Subprogram its_rule = made_of(types, [&](std::span<const Node> at) {
        Nodes given = mapped(rule, at, batched);
        for (std::size_t k = 0; reverse && k < given.size(); ++k)
            if (shared[k]) given[k] = sum(given[k], 0);
        return given;
    });
    const std::span<const Type> operands(types.data(), body.inputs().size());
    const Subprogram its_body = made_of(operands, [&](std::span<const Node> at) { return mapped(body, at, call.batched); });
    call.apply(call.x.nodes, {{"body", its_body}, {"rule", its_rule}});
}

}  // namespace

// z = body(x)
GRADTAPE_PRIMITIVE(call, of(Primitive::variadic).giving_by(results_of_body).inlined()
    .with_settings({"body", Kind::program})
    .shaped(type_of_body).computed(run_body).with_room(room_of_body)
    .vjp(vjp_of_call).jvp(jvp_of_call).batch(batch_of_call))

// z = body(x); the reverse pass computes the body again, and shares nothing with this
GRADTAPE_PRIMITIVE(checkpoint, of(Primitive::variadic).giving_by(results_of_body).inlined()
    .with_settings({"body", Kind::program})
    .shaped(type_of_body).computed(run_body).with_room(room_of_body)
    .vjp(vjp_of_checkpoint).jvp(jvp_of_call).batch(batch_of_call))

// z = x, there no earlier than y is: what is computed from it is not what was computed from x
GRADTAPE_PRIMITIVE(barrier, of(2).overwriting()
    .shaped(first_type).computed(barrier_kernel)
    .vjp(passes_on, gives_nothing)
    .jvp([](const Operands&, Node, Node x_dot) { return x_dot; }, gives_nothing)
    .batch([](const BatchCall& call) { call.apply(Nodes{call.with_axis(0), call.x[1]}, {}); }).on(any_real))

// z = body(x), and x̄ = rule(x, z, z̄)
GRADTAPE_PRIMITIVE(custom_vjp, of(Primitive::variadic).giving_by(results_of_body).inlined()
    .with_settings({"body", Kind::program}, {"rule", Kind::program})
    .shaped(type_of_custom<true>).computed(run_body).with_room(room_of_body)
    .vjp(vjp_by_rule).jvp(jvp_by_vjp_rule).batch(batch_of_custom<true>))

// z = body(x), and ż = rule(x, z, ẋ)
GRADTAPE_PRIMITIVE(custom_jvp, of(Primitive::variadic).giving_by(results_of_body).inlined()
    .with_settings({"body", Kind::program}, {"rule", Kind::program})
    .shaped(type_of_custom<false>).computed(run_body).with_room(room_of_body)
    .vjp(vjp_by_jvp_rule).jvp(jvp_by_rule).batch(batch_of_custom<false>))

}  // namespace gradtape::detail::GRADTAPE_ISA

// Primitives that choose while they run: one of two bodies, or whether to go on.
#include "bodies.hpp"
#include "family.hpp"

namespace gradtape::detail::GRADTAPE_ISA {
namespace {

using Body = const Subprogram;

bool is_true(const void* data) { return *static_cast<const std::uint8_t*>(data) != 0; }

Nodes behind_first(std::span<const Node> operands) { return Nodes(operands.begin() + 1, operands.end()); }

// ---- cond ------------------------------------------------------------------------------------------------

int results_of_cond(const Attributes& attributes) { return int(body_of(attributes, "then").outputs().size()); }

const Type truth{DType::boolean, {}};

Type type_of_cond(const ShapeCall& call) {
    Body &then = body_of(call.attributes, "then"), &other = body_of(call.attributes, "other");
    if (call.result == 0) {
        check_type(call, "the condition", call[0], truth);
        check_operands(call, then, 1);
        check_body(call, "the other body", other.inputs(), {then.inputs().begin(), then.inputs().end()}, "operand");
        check_body(call, "the other body", other.outputs(), {then.outputs().begin(), then.outputs().end()}, "result");
    }
    return then.outputs()[call.result];
}

std::size_t room_of_cond(const Attributes& attributes) {
    Body& then = body_of(attributes, "then");
    return size_of_lists(then) + padded_sum(then.outputs());
}

void cond_kernel(const KernelCall& call) {
    Body& then = body_of(call.attributes, "then");
    Room room(call.scratch);
    const void** const x = room.take_list<const void*>(then.inputs().size());
    void** const z = room.take_list<void*>(then.outputs().size());
    for (std::size_t k = 0; k < then.inputs().size(); ++k) x[k] = call.inputs[k + 1].data;
    for (std::size_t k = 0; k < then.outputs().size(); ++k) {
        void* const spare = room.take(padded_bytes(then.outputs()[k]));
        z[k] = result_at(call, k) ? result_at(call, k) : spare;
    }
    (*call.bodies[is_true(call.inputs[0].data) ? 0 : 1])(x, z);
}

/// Both bodies, each made by `make(body, building)` of operands in one order, which the last of them has taken.
template <class Make>
Nodes cond_of(Node condition, const Attributes& attributes, const Make& make) {
    Building then, other;
    const Nodes of_then = make(body_of(attributes, "then"), then), of_other = make(body_of(attributes, "other"), other);
    if (of_then.empty()) return {};
    const Nodes operands = joined({Nodes{condition}, then.operands()});
    return apply_all(primitive(Op::cond), operands, {{"then", then.body(of_then)}, {"other", other.body(of_other)}});
}

void vjp_of_cond(const VjpCall& call) {
    const Nodes operands = behind_first(call.x.nodes);
    Picked to;
    for (std::size_t k = 0; k < operands.size(); ++k)
        if (call.wants(k + 1) && is_floating(operands[k].dtype())) to.add(k + 1, operands[k]);
    const Picked bars = present(call.z_bars);
    if (to.nodes.empty()) return;
    to.give(call, cond_of(call.x[0], call.x.attributes, [&](Body& body, Building& building) {
        const Nodes x = building.take(operands), z = expand(body, x), z_bar = building.take(bars.nodes);
        Nodes wrt;
        for (std::size_t place : to.places) wrt.push_back(x[place - 1]);
        return vjp(at(z, bars.places), wrt, z_bar);
    }));
}

void jvp_of_cond(const JvpCall& call) {
    const Nodes operands = behind_first(call.x.nodes);
    const Picked dots = present(call.x_dot.subspan(1)), to = wanted(call, call.results);
    if (to.nodes.empty()) return;
    to.give(call, cond_of(call.x[0], call.x.attributes, [&](Body& body, Building& building) {
        const Nodes x = building.take(operands), z = expand(body, x), x_dot = building.take(dots.nodes);
        return jvp(at(z, to.places), at(x, dots.places), x_dot);
    }));
}

/// `condition` of (batch,), or of (), repeated to the shape of x.
Node spread_condition(Node condition, Node x) {
    Shape column = condition.shape();
    while (column.rank() < x.shape().rank()) column.push_back(1);
    return broadcast_to(reshape(condition, column), x.shape());
}

/// A condition for each example: both bodies are computed, and each example takes its own.
void batch_of_cond(const BatchCall& call) {
    const Nodes operands = behind_first(call.x.nodes);
    const std::span<const char> batched = call.batched.subspan(1);
    const bool any = std::find(batched.begin(), batched.end(), char(true)) != batched.end();
    const Attributes& attributes = call.x.attributes;
    const auto of_batch = [&](Body& body, Building& building) {
        const Nodes x = building.take(operands);
        return any ? mapped(body, x, batched) : expand(body, x);
    };
    if (!call.batched[0]) {
        const Nodes z = cond_of(call.x[0], attributes, of_batch);
        for (std::size_t k = 0; k < z.size(); ++k) call.give(k, z[k]);
        return;
    }
    Building then, other;
    const Nodes a = then.call(of_batch(body_of(attributes, "then"), then)), b = other.call(of_batch(body_of(attributes, "other"), other));
    for (std::size_t k = 0; k < a.size(); ++k) {
        const std::int64_t size = call.size;
        const auto whole = [&](Node z) { return any ? z : broadcast_to(z, behind(size, z.shape())); };
        const Node x = whole(a[k]);
        call.give(k, where(spread_condition(call.x[0], x), x, whole(b[k])));
    }
}

// ---- while_loop ------------------------------------------------------------------------------------------

/// Operands: `shared`, which each step reads, and the state.
struct While {
    Body &condition, &body;
    std::size_t shared = 0, state;
    bool fits;

    explicit While(const Attributes& attributes) : condition(body_of(attributes, "condition")), body(body_of(attributes)) {
        const std::int64_t count = attributes.get<std::int64_t>("shared");
        state = body.outputs().size();
        fits = count >= 0 && std::size_t(count) + state == body.inputs().size();
        if (fits) shared = std::size_t(count);
    }
    Types state_types() const { return body.outputs(); }
};

int results_of_while(const Attributes& attributes) { return int(body_of(attributes).outputs().size()); }

Type type_of_while(const ShapeCall& call) {
    const While its(call.attributes);
    if (call.result == 0) {
        if (!its.fits) refuse_value(call, "its body gives another number of values than it is handed on");
        check_operands(call, its.body);
        for (std::size_t k = 0; k < its.state; ++k)
            check_type(call, "value " + std::to_string(k) + " after a step", its.state_types()[k], its.body.inputs()[its.shared + k]);
        check_body(call, "the condition", its.condition.inputs(), {its.body.inputs().begin(), its.body.inputs().end()}, "operand");
        check_body(call, "the condition", its.condition.outputs(), {truth}, "result");
    }
    return its.state_types()[call.result];
}

std::size_t room_of_while(const Attributes& attributes) {
    const While its(attributes);
    return size_of_lists(its.body) + 2 * padded_sum(its.state_types()) + 64;
}

void while_kernel(const KernelCall& call) {
    const While its(call.attributes);
    Room room(call.scratch);
    const void** const x = room.take_list<const void*>(its.body.inputs().size());
    void** const z = room.take_list<void*>(its.state);
    char* const turns[2] = {room.take(padded_sum(its.state_types())), room.take(padded_sum(its.state_types()))};
    void* goes_on = room.take(64);
    for (std::size_t k = 0; k < its.body.inputs().size(); ++k) x[k] = call.inputs[k].data;
    for (std::size_t turn = 0;; turn = 1 - turn) {
        (*call.bodies[0])(x, &goes_on);
        if (!is_true(goes_on)) break;
        Room next(turns[turn]);
        for (std::size_t k = 0; k < its.state; ++k) z[k] = next.take(padded_bytes(its.state_types()[k]));
        (*call.bodies[1])(x, z);
        for (std::size_t k = 0; k < its.state; ++k) x[its.shared + k] = z[k];
    }
    for (std::size_t k = 0; k < its.state; ++k)
        if (void* const last = result_at(call, k))
            std::memcpy(last, x[its.shared + k], std::size_t(its.state_types()[k].shape.elements()) * size_of(its.state_types()[k].dtype));
}

void vjp_of_while(const VjpCall& call) {
    for (std::size_t k = 0; k < call.x.count(); ++k)
        if (call.wants(k))
            throw NotDifferentiable("has no reverse pass: how many steps there are, whose values it would need, is known only when it runs; "
                                    "use scan or fori_loop with a number of steps that is enough, and cond within", {});
}

/// The state's tangents are handed on beside it; how long it goes on does not depend on them.
void jvp_of_while(const JvpCall& call) {
    const While its(call.x.attributes);
    const std::span<const Node> operands = call.x.nodes, dots = call.x_dot;
    const Picked shared_dots = present(dots.first(its.shared)), floating = floating_of(operands.subspan(its.shared));
    for (std::size_t k = 0; k < its.state; ++k)
        if (!is_floating(its.state_types()[k].dtype)) call.give(k, Node());
    if (floating.nodes.empty()) return;
    const auto take = [&](Building& building) {
        const Nodes shared = building.take(operands.first(its.shared)), shared_dot = building.take(shared_dots.nodes);
        const Nodes state = building.take(operands.subspan(its.shared));
        const Nodes state_dot = building.take(or_zeros(at(dots.subspan(its.shared), floating.places), floating.nodes));
        return std::array<Nodes, 4>{shared, shared_dot, state, state_dot};
    };
    Building body, condition;
    const auto [shared, shared_dot, state, state_dot] = take(body);
    const Nodes z = expand(its.body, joined({shared, state}));
    const Nodes z_dot = jvp(at(z, floating.places), joined({at(shared, shared_dots.places), at(state, floating.places)}),
                            joined({shared_dot, state_dot}));
    const auto seen = take(condition);
    const Subprogram goes_on = condition.body(expand(its.condition, joined({seen[0], seen[2]})));
    const Nodes all = apply_all(primitive(Op::while_loop), body.operands(),
                                {{"condition", goes_on}, {"body", body.body(joined({z, z_dot}))},
                                 {"shared", std::int64_t(shared.size() + shared_dot.size())}});
    for (std::size_t k = 0; k < floating.size(); ++k) call.give(floating.places[k], all[its.state + k]);
}

/// Goes on as long as any example does; an example that does not stays as it is.
void batch_of_while(const BatchCall& call) {
    const While its(call.x.attributes);
    std::vector<char> batched(call.x.count(), true);
    for (std::size_t k = 0; k < its.shared; ++k) batched[k] = call.batched[k];
    const auto take = [&](Building& building) {
        Nodes x;
        for (std::size_t k = 0; k < call.x.count(); ++k) x.push_back(building.take(k < its.shared ? call.x[k] : call.with_axis(k)));
        return x;
    };
    Building body, condition;
    const Nodes x = take(body), seen = take(condition);
    const Node going = mapped(its.condition, x, batched)[0];
    Nodes z = mapped(its.body, x, batched);
    for (std::size_t k = 0; k < z.size(); ++k) z[k] = where(spread_condition(going, z[k]), z[k], x[its.shared + k]);
    const Node any = sum(cast(mapped(its.condition, seen, batched)[0], DType::int64)) > 0;
    const Nodes all = apply_all(call.primitive, body.operands(),
                                {{"condition", condition.body(Nodes{any})}, {"body", body.body(z)}, {"shared", std::int64_t(its.shared)}});
    for (std::size_t k = 0; k < all.size(); ++k) call.give(k, all[k]);
}

}  // namespace

// z = condition ? then(x) : other(x), of which only the one is computed
GRADTAPE_PRIMITIVE(cond, of(Primitive::variadic).giving_by(results_of_cond)
    .with_settings({"then", Kind::program}, {"other", Kind::program})
    .shaped(type_of_cond).computed(cond_kernel).with_room(room_of_cond)
    .vjp(vjp_of_cond).jvp(jvp_of_cond).batch(batch_of_cond))

// while condition(shared, state): state = body(shared, state); the last state
GRADTAPE_PRIMITIVE(while_loop, of(Primitive::variadic).giving_by(results_of_while)
    .with_settings({"condition", Kind::program}, {"body", Kind::program}, {"shared", Kind::integer})
    .shaped(type_of_while).computed(while_kernel).with_room(room_of_while)
    .vjp(vjp_of_while).jvp(jvp_of_while).batch(batch_of_while))

}  // namespace gradtape::detail::GRADTAPE_ISA

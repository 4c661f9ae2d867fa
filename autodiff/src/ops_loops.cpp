// Loops and branches: their functions are recorded as bodies, of operands by group.
#include <gradtape/control.hpp>
#include <gradtape/loops.hpp>
#include <gradtape/primitive.hpp>

#include "support/extents.hpp"
#include "tape/recorder.hpp"

namespace gradtape {

using detail::Op;
using detail::primitive;
using detail::Recorder;

namespace {

using Nodes = std::span<const Node>;

std::vector<Node> joined_nodes(std::initializer_list<Nodes> lists) {
    std::vector<Node> all;
    for (Nodes list : lists) all.insert(all.end(), list.begin(), list.end());
    return all;
}

/// The types of operands, which are of one recording; and there is one.
std::vector<Type> loop_types(Nodes nodes, const char* asker, Where where) {
    if (nodes.empty()) throw ValueError("needs at least one operand", {asker, {}, {}, where});
    std::vector<Type> types;
    for (const Node& node : nodes) {
        if (&Recorder::of(node, asker, where) != &Recorder::of(nodes[0], asker, where)) Recorder::refuse_mixed(node, nodes[0], asker, where);
        types.push_back(node.type(where));
    }
    return types;
}

template <class F>
void check_function(const F& f, const char* asker, Where where) {
    if (!f) throw ValueError("there is no function to record: it is empty", {asker, {}, {}, where});
}

void check_count(std::size_t given, std::size_t wanted, const char* asker, Where where) {
    if (given != wanted)
        throw ValueError("its body hands on " + std::to_string(given) + " values; it is given " + std::to_string(wanted), {asker, {}, {}, where});
}

/// How many rows there are: as many of each.
std::int64_t length_of(std::span<const Type> rows, std::int64_t asked, Where where) {
    std::int64_t length = asked;
    for (const Type& type : rows) {
        if (type.shape.empty())
            throw ShapeError("a number has no rows to go through; give it as shared, or as a carry", {"scan", {type.shape}, {}, where});
        const std::int64_t its = type.shape[0];
        if (length >= 0 && its != length)
            throw ShapeError(std::to_string(its) + " rows of shape " + to_string(type.shape) + " for " + std::to_string(length) + " steps; needs as many",
                             {"scan", {type.shape}, 0, where});
        length = its;
    }
    if (length < 0) throw ValueError("there are no rows to count the steps by; say the length", {"scan", {}, {}, where});
    return length;
}

Type row_of(const Type& type) { return {type.dtype, Shape(std::span(type.shape.begin(), type.shape.end()).subspan(1))}; }

}  // namespace

Scanned scan(const ScanFunction& f, const Several<Node>& init, const Several<Node>& xs, const ScanOptions& options, Where where) {
    check_function(f, "scan", where);
    const std::size_t shared = options.shared.all().size(), carry = init.all().size(), rows = xs.all().size();
    const std::vector<Node> operands = joined_nodes({options.shared.all(), init.all(), xs.all()});
    std::vector<Type> types = loop_types(operands, "scan", where);
    const std::int64_t length = length_of(std::span(types).subspan(shared + carry), options.length, where);
    for (std::size_t k = shared + carry; k < types.size(); ++k) types[k] = row_of(types[k]);
    const Subprogram body = record_body([&](Nodes at) {
        const ScanStep step = f(at.subspan(shared, carry), at.subspan(shared + carry, rows), at.first(shared));
        check_count(step.carry.all().size(), carry, "scan", where);
        return joined_nodes({step.carry.all(), step.rows.all()});
    }, types, where);
    const std::vector<Node> all = apply_all(primitive(Op::scan), operands,
                                            {{"body", body}, {"groups", Integers{std::int64_t(shared), std::int64_t(carry), 1}},
                                             {"length", length}, {"reverse", options.reverse}}, where);
    const auto last = all.begin() + std::ptrdiff_t(carry), end = all.begin() + std::ptrdiff_t(body.outputs().size());
    return {{all.begin(), last}, {last, end}};
}

std::vector<Node> cond(Node condition, const BodyFunction& then, const BodyFunction& other, const Several<Node>& operands, Where where) {
    check_function(then, "cond", where);
    check_function(other, "cond", where);
    const std::vector<Node> all = joined_nodes({Nodes(&condition, 1), operands.all()});
    const std::vector<Type> types = loop_types(all, "cond", where);
    if (types.size() == 1) throw ValueError("needs at least one operand beside the condition", {"cond", {}, {}, where});
    const std::span<const Type> its = std::span(types).subspan(1);
    const Subprogram one = record_body(then, its, where), two = record_body(other, its, where);
    return apply_all(primitive(Op::cond), all, {{"then", one}, {"other", two}}, where);
}

std::vector<Node> while_loop(const LoopCondition& condition, const LoopFunction& f, const Several<Node>& init, const Several<Node>& shared,
                             Where where) {
    check_function(condition, "while_loop", where);
    check_function(f, "while_loop", where);
    const std::size_t count = shared.all().size();
    const std::vector<Node> operands = joined_nodes({shared.all(), init.all()});
    const std::vector<Type> types = loop_types(operands, "while_loop", where);
    const Subprogram goes_on = record_body([&](Nodes at) { return condition(at.subspan(count), at.first(count)); }, types, where);
    const Subprogram body = record_body([&](Nodes at) {
        const Several<Node> next = f(at.subspan(count), at.first(count));
        check_count(next.all().size(), init.all().size(), "while_loop", where);
        return next;
    }, types, where);
    return apply_all(primitive(Op::while_loop), operands, {{"condition", goes_on}, {"body", body}, {"shared", std::int64_t(count)}}, where);
}

std::vector<Node> fori_loop(std::int64_t low, std::int64_t high, const CountedFunction& f, const Several<Node>& init, const Several<Node>& shared,
                            Where where) {
    check_function(f, "fori_loop", where);
    const std::vector<Node> operands = joined_nodes({init.all(), shared.all()});
    loop_types(operands, "fori_loop", where);
    const std::int64_t count = detail::saturated_sum(high, -std::max(low, -INT64_MAX));
    Tensor places = Tensor::uninitialised({DType::int64, {std::max<std::int64_t>(0, count)}}, where);
    for (std::int64_t i = low; std::int64_t& place : places.mutable_data<std::int64_t>()) place = i++;
    return all_or_nothing(operands[0], [&] {
        const auto step = [&](Nodes carry, Nodes rows, Nodes its) { return ScanStep{f(rows[0], carry, its), {}}; };
        return scan(step, init, sibling_constant(operands[0], places, where), {.shared = shared}, where).carry;
    });
}

}  // namespace gradtape

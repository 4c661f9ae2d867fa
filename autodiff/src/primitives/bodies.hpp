// What primitives with bodies share: bodies under construction, operands and results by group, room for kernels.
#pragma once

#include "../execute/execute.hpp"
#include "batching.hpp"
#include "record.hpp"

#include <gradtape/control.hpp>
#include <gradtape/transforms.hpp>
#include <gradtape/vmap.hpp>

#include <cstring>

namespace gradtape::detail {
namespace {

using Nodes = std::vector<Node>;
using Types = std::span<const Type>;

inline const Subprogram& body_of(const Attributes& attributes, const char* name = "body") { return attributes.get<Subprogram>(name); }

/// A body under construction, and the operands that it will be called with.
class Building {
public:
    /// An operand more: what stands for it in the body.
    Node take(Node operand) {
        operands_.push_back(operand);
        return tape_.input(operand.type());
    }
    Nodes take(std::span<const Node> operands) {
        Nodes inner;
        for (const Node& operand : operands) inner.push_back(take(operand));
        return inner;
    }
    /// One that a loop reads row by row: what stands for a row.
    Node take_row(Node operand) {
        operands_.push_back(operand);
        const Shape shape = operand.shape();
        return tape_.input(Type{operand.dtype(), Shape(std::span(shape.begin(), shape.end()).subspan(1))});
    }
    Nodes take_rows(std::span<const Node> operands) {
        Nodes inner;
        for (const Node& operand : operands) inner.push_back(take_row(operand));
        return inner;
    }
    const Nodes& operands() const noexcept { return operands_; }
    Subprogram body(std::span<const Node> results) const { return Subprogram(Program(tape_, results)); }
    /// A call of it; nothing where there is no result.
    Nodes call(std::span<const Node> results) const {
        if (results.empty()) return {};
        return apply_all(primitive(Op::call), operands_, {{"body", body(results)}});
    }

private:
    Tape tape_{Recording::abstract};
    Nodes operands_;
};

/// A body made of nodes of these types.
template <class Record>
Subprogram made_of(Types types, const Record& record) {
    Tape tape(Recording::abstract);
    Nodes x;
    for (const Type& type : types) x.push_back(tape.input(type));
    return Subprogram(Program(tape, record(std::span<const Node>(x))));
}

inline Nodes joined(std::initializer_list<std::span<const Node>> lists) {
    Nodes all;
    for (const auto& list : lists) all.insert(all.end(), list.begin(), list.end());
    return all;
}

/// Some of a list, and which of it they are.
struct Picked {
    std::vector<std::size_t> places;
    Nodes nodes;
    void add(std::size_t place, Node node) {
        places.push_back(place);
        nodes.push_back(node);
    }
    std::size_t size() const noexcept { return nodes.size(); }
    /// Gives each its own of `values`.
    void give(const auto& call, std::span<const Node> values) const {
        for (std::size_t k = 0; k < places.size(); ++k) call.give(places[k], values[k]);
    }
};

/// The floating operands that want a cotangent.
inline Picked wanted(const VjpCall& call, std::span<const Node> x) {
    Picked result;
    for (std::size_t k = 0; k < x.size(); ++k)
        if (call.wants(k) && is_floating(x[k].dtype())) result.add(k, x[k]);
    return result;
}

/// The floating results that want a tangent; others have none.
inline Picked wanted(const JvpCall& call, std::span<const Node> z) {
    Picked result;
    for (std::size_t k = 0; k < z.size(); ++k)
        if (call.wants(k) && is_floating(z[k].dtype()))
            result.add(k, z[k]);
        else
            call.give(k, Node());
    return result;
}

/// Those of `nodes` that are there.
inline Picked present(std::span<const Node> nodes) {
    Picked result;
    for (std::size_t k = 0; k < nodes.size(); ++k)
        if (nodes[k].is_valid()) result.add(k, nodes[k]);
    return result;
}

inline Picked floating_of(std::span<const Node> nodes) {
    Picked result;
    for (std::size_t k = 0; k < nodes.size(); ++k)
        if (is_floating(nodes[k].dtype())) result.add(k, nodes[k]);
    return result;
}

inline Nodes at(std::span<const Node> nodes, const std::vector<std::size_t>& places) {
    Nodes result;
    for (std::size_t place : places) result.push_back(nodes[place]);
    return result;
}

/// Each of `nodes`; zeros of `like` where there is none.
inline Nodes or_zeros(std::span<const Node> nodes, std::span<const Node> like) {
    Nodes result;
    for (std::size_t k = 0; k < nodes.size(); ++k) result.push_back(nodes[k].is_valid() ? nodes[k] : full_like(like[k], 0.0));
    return result;
}

/// The body for a whole batch.
inline Nodes mapped(const Subprogram& body, std::span<const Node> operands, std::span<const char> batched) {
    MapAxes axes;
    for (const char its : batched) axes.in.push_back(its ? 0 : unmapped);
    return vmap([&](std::span<const Node> one) { return expand(body, one); }, operands, axes);
}

inline std::size_t padded_sum(Types types) {
    std::size_t bytes = 0;
    for (const Type& type : types) bytes += padded_bytes(type);
    return bytes;
}

/// Refuses an operand, or another value, that is not of the type that a body takes.
inline void check_type(const ShapeCall& call, const std::string& what, const Type& given, const Type& wanted) {
    const std::string problem = what + " is " + to_string(given) + "; needs " + to_string(wanted);
    if (given.dtype != wanted.dtype) call.refuse_dtype(problem);
    if (!(given.shape == wanted.shape)) call.refuse(problem);
}

[[noreturn]] inline void refuse_value(const ShapeCall& call, const std::string& problem) {
    throw ValueError(problem, {call.primitive, {}, {}, call.where});
}

/// Refuses operands that are not those of the body.
inline void check_operands(const ShapeCall& call, const Subprogram& body, std::size_t first = 0) {
    const std::size_t count = call.operands.size() - first;
    if (count != body.inputs().size())
        refuse_value(call, "got " + std::to_string(count) + " operands; its body takes " + std::to_string(body.inputs().size()));
    for (std::size_t k = 0; k < count; ++k)
        check_type(call, "operand " + std::to_string(first + k), *call.operands[first + k], body.inputs()[k]);
}

/// Refuses a body of other operands or results.
inline void check_body(const ShapeCall& call, const char* name, Types given, const std::vector<Type>& wanted, const char* what) {
    if (given.size() != wanted.size())
        refuse_value(call, std::string(name) + " has " + std::to_string(given.size()) + " " + what + "s; needs " + std::to_string(wanted.size()));
    for (std::size_t k = 0; k < given.size(); ++k)
        check_type(call, std::string(what) + " " + std::to_string(k) + " of " + name, given[k], wanted[k]);
}

inline void* result_at(const KernelCall& call, std::size_t k) { return k == 0 ? call.output : call.further[k - 1].data; }

/// A kernel's room, taken piece by piece.
class Room {
public:
    explicit Room(void* begin) : at_(static_cast<char*>(begin)) {}
    char* take(std::size_t bytes) {
        char* const taken = at_;
        at_ += (bytes + 63) / 64 * 64;
        return taken;
    }
    template <class T>
    T* take_list(std::size_t count) {
        return reinterpret_cast<T*>(take(size_of_list(count)));
    }
    /// Of pointers.
    static std::size_t size_of_list(std::size_t count) { return (count * sizeof(void*) + 63) / 64 * 64; }

private:
    char* at_;
};

/// For lists of a body's operands and results.
inline std::size_t size_of_lists(const Subprogram& body) {
    return Room::size_of_list(body.inputs().size()) + Room::size_of_list(body.outputs().size());
}

}  // namespace
}  // namespace gradtape::detail

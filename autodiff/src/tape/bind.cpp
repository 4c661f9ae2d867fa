// From a call's operands to an instruction: numbers become constants, unlike shapes are broadcast.
#include "broadcast.hpp"
#include "recorder.hpp"

#include "../ir/own.hpp"
#include "../support/number.hpp"

namespace gradtape {
namespace detail {
namespace {

struct Call {
    const Primitive& primitive;
    std::span<const Operand> operands;
    Where where;

    ErrorFacts facts() const {
        std::vector<Shape> shapes;
        for (const Operand& x : operands)
            if (x.is_node()) shapes.push_back(x.node().shape());
        return {primitive.name, shapes, {}, where};
    }
};

/// The one recorder of all nodes.
Recorder& common_recorder(const Call& call) {
    Recorder* recorder = nullptr;
    const Operand* before = nullptr;
    for (const Operand& x : call.operands) {
        if (!x.is_node()) continue;
        Recorder& its = Recorder::of(x.node(), call.primitive.name, call.where);
        if (recorder && recorder != &its) [[unlikely]]
            Recorder::refuse_mixed(x.node(), before->node(), call.primitive.name, call.where);
        recorder = &its;
        before = &x;
    }
    if (!recorder)
        throw TapeError("needs at least one node; make one with Tape::constant", {call.primitive.name, {}, {}, call.where});
    return *recorder;
}

/// Before anything is broadcast, so that a refused call leaves nothing on the tape.
void check_dtypes(const Call& call, const Recorder& recorder) {
    std::optional<DType> first;
    for (std::size_t k = call.primitive.loop_operand; k < call.operands.size(); ++k) {
        if (call.operands[k].is_number()) continue;
        const DType dtype = recorder.at(call.operands[k].node().index()).type.dtype;
        if (first && *first != dtype)
            throw DTypeError(std::string("dtypes ") + to_string(*first) + " and " + to_string(dtype) +
                                 " differ; cast one of them", call.facts());
        first = dtype;
    }
}

Shape common_shape(const Call& call, const Recorder& recorder) {
    check_dtypes(call, recorder);
    Shape common;
    for (const Operand& x : call.operands) {
        if (x.is_number()) continue;
        const Shape& shape = recorder.at(x.node().index()).type.shape;
        if (shape == common) continue;
        const Broadcast merged = broadcast(common, shape);
        if (merged.clash)
            throw ShapeError("shapes " + to_string(common) + " and " + to_string(shape) + " do not broadcast: extents " +
                                 std::to_string((*merged.clash)[0]) + " and " + std::to_string((*merged.clash)[1]) +
                                 "; need equal ones, or 1", call.facts());
        common = merged.shape;
    }
    return common;
}

/// The dtype that numbers take: that of the first node whose dtype the primitive computes in.
DType number_dtype(const Call& call) {
    for (std::size_t k = call.primitive.loop_operand; k < call.operands.size(); ++k)
        if (!call.operands[k].is_number()) return call.operands[k].node().dtype();
    return DType::float64;
}

Index number(Recorder& recorder, const Call& call, std::size_t k, const Shape& shape) {
    const DType dtype = k < call.primitive.loop_operand ? DType::boolean : number_dtype(call);
    const Number value = call.operands[k].number();
    if (!holds(dtype, value))
        throw DTypeError("number " + digits(value) + " is no " + to_string(dtype) + "; cast the other operand",
                         call.facts());
    if (is_double(dtype, value)) [[likely]] return recorder.number({dtype, shape}, value.value(), call.where).index();
    return recorder.full(call.primitive.name, {dtype, shape}, value, call.where).index();
}

/// Tensors become constants beside the nodes.
Node bind_tensors(Op op, std::initializer_list<Operand> operands, const Attributes& attributes, Recorder& recorder) {
    const Operand* x = operands.begin();
    Recorder::Attempt attempt(recorder);
    const auto recorded = [&](const Operand& operand) {
        return operand.is_tensor() ? Operand(recorder.leaf(Op::constant, operand.tensor(), operand.where()), operand.where())
                                   : operand;
    };
    switch (operands.size()) {
        case 2: return attempt.keep(bind(op, {recorded(x[0]), recorded(x[1])}, attributes));
        default: return attempt.keep(bind(op, {recorded(x[0]), recorded(x[1]), recorded(x[2])}, attributes));
    }
}

}  // namespace

Node node_of(const Operand& x, const char* name) {
    if (!x.is_node()) throw TapeError("needs a node; make one with Tape::constant", {name, {}, {}, x.where()});
    Recorder::of(x.node(), name, x.where());
    return x.node();
}

Node bind(Op op, std::initializer_list<Operand> operands, const Attributes& attributes) {
    const Call call{primitive(op), std::span(operands.begin(), operands.size()), operands.begin()->where()};
    Recorder& recorder = common_recorder(call);
    const bool broadcasts = call.primitive.broadcasts;
    Index indices[3];
    bool as_they_are = true, numbers = false;
    const Shape* shape = nullptr;
    for (std::size_t k = 0; k < operands.size(); ++k) {
        const Operand& x = call.operands[k];
        indices[k] = x.node().index();
        if (x.is_tensor()) [[unlikely]] return bind_tensors(op, operands, attributes, recorder);
        numbers = numbers || x.is_number();
        if (x.is_node()) {
            const Shape& its = recorder.at(indices[k]).type.shape;
            if (!shape) shape = &its;
            as_they_are = as_they_are && (!broadcasts || its == *shape);
        }
    }
    const std::span<const Index> list(indices, operands.size());
    if (as_they_are && !numbers) return recorder.record(call.primitive, list, attributes, call.where);
    // Numbers take the nodes' shape.
    Recorder::Attempt attempt(recorder);
    const Shape common = !broadcasts ? Shape() : as_they_are ? *shape : common_shape(call, recorder);
    for (std::size_t k = 0; k < operands.size(); ++k) {
        if (call.operands[k].is_number())
            indices[k] = number(recorder, call, k, common);
        else if (!as_they_are && !(recorder.at(indices[k]).type.shape == common))
            indices[k] = recorder.record(primitive(Op::broadcast_to), {indices[k]}, {{"shape", common}}, call.where).index();
    }
    return attempt.keep(recorder.record(call.primitive, list, attributes, call.where));
}

}  // namespace detail

Node apply(const Primitive& primitive, std::span<const Node> operands, const Attributes& attributes, Where where) {
    detail::check_record(primitive, where);
    if (operands.empty()) throw ValueError("needs at least one operand", {primitive.name, {}, {}, where});
    detail::Recorder& recorder = detail::Recorder::of(operands[0], primitive.name, where);
    std::vector<detail::Index> indices;
    for (const Node& x : operands) {
        if (&detail::Recorder::of(x, primitive.name, where) != &recorder)
            detail::Recorder::refuse_mixed(x, operands[0], primitive.name, where);
        indices.push_back(x.index());
    }
    detail::check_settings(primitive, attributes, where);
    return recorder.record_own(primitive, indices, attributes, where);
}

std::vector<Node> apply_all(const Primitive& primitive, std::span<const Node> operands, const Attributes& attributes, Where where) {
    const Node first = apply(primitive, operands, attributes, where);
    return detail::Recorder::of(first, primitive.name, where).results(first.index());
}

Node apply(const Primitive& primitive, std::initializer_list<Node> operands, const Attributes& attributes, Where where) {
    return apply(primitive, std::span(operands.begin(), operands.size()), attributes, where);
}

}  // namespace gradtape

// The public tape and its nodes.
#include "recorder.hpp"

#include "../support/axis.hpp"
#include "../support/extents.hpp"

namespace gradtape {

using detail::Op;
using detail::Recorder;

Tape::Tape(Recording recording) : recorder_(Recorder::make(recording == Recording::abstract)) {}
void Tape::Retire::operator()(Recorder* recorder) const noexcept { Recorder::retire(recorder); }
Tape::~Tape() = default;
Tape::Tape(Tape&&) noexcept = default;
Tape& Tape::operator=(Tape&&) noexcept = default;

Node Tape::input(const Tensor& value, Where where) { return Recorder::in(*this, where).leaf(Op::input, value, where); }
Node Tape::parameter(const Tensor& value, Where where) { return Recorder::in(*this, where).leaf(Op::parameter, value, where); }
Node Tape::input(const Type& type, Where where) { return Recorder::in(*this, where).leaf(Op::input, type, where); }
Node Tape::parameter(const Type& type, Where where) { return Recorder::in(*this, where).leaf(Op::parameter, type, where); }
Node Tape::constant(const Tensor& value, Where where) { return Recorder::in(*this, where).leaf(Op::constant, value, where); }

Node Tape::full(const Shape& shape, Number value, DType dtype, Where where) {
    Recorder& recorder = Recorder::in(*this, where);
    const Type type{dtype, shape};
    detail::check_exists(type, "full", where);
    return recorder.full("full", type, value, where);
}

void Tape::guard_reads(bool on) noexcept {
    if (recorder_) recorder_->guard_reads(on);
}

std::size_t Tape::size() const noexcept { return recorder_ ? recorder_->size() : 0; }

void Tape::clear(Where where) {
    Recorder& recorder = Recorder::in(*this, where);
    if (recorder.can_clear()) return recorder.clear(where);
    Tape fresh(recorder.is_abstract() ? Recording::abstract : Recording::eager);
    fresh.guard_reads(recorder.guards_reads());
    *this = std::move(fresh);
}

std::size_t Tape::bytes() const noexcept { return recorder_ ? recorder_->bytes() : 0; }

DType Node::dtype(Where where) const { return Recorder::of(*this, "node", where).at(index_).type.dtype; }
Shape Node::shape(Where where) const { return Recorder::of(*this, "node", where).at(index_).type.shape; }
std::int64_t Node::shape(Axis axis, Where where) const {
    const Shape& shape = Recorder::of(*this, "shape", where).at(index_).type.shape;
    return shape[detail::at_axis("shape", axis, shape, where)];
}
Type Node::type(Where where) const { return Recorder::of(*this, "node", where).at(index_).type; }
const Tensor Node::value(Where where) const {
    Recorder& recorder = Recorder::of(*this, "value", where);
    recorder.check_unguarded(index_, where);
    return recorder.value(index_, where);
}
Where Node::where(Where asked) const { return Recorder::of(*this, "node", asked).at(index_).where; }

double Node::item(Where where) const {
    Recorder& recorder = Recorder::of(*this, "item", where);
    const Shape& shape = recorder.at(index_).type.shape;
    if (shape.elements() != 1)
        throw ShapeError("needs one element, not shape " + to_string(shape) + "; reduce first", {"item", {shape}, {}, where});
    return recorder.read(index_, where);
}

bool Node::on(const Tape& tape) const noexcept {
    return recorder_ && recorder_ == tape.recorder_.get() && Recorder::is_current(*this);
}

const Tensor peek(Node x, Where where) { return Recorder::of(x, "peek", where).value(x.index(), where); }

Node sibling_parameter(Node x, const Tensor& value, Where where) {
    return Recorder::of(x, "parameter", where).leaf(Op::parameter, value, where);
}

Node sibling_constant(Node x, const Tensor& value, Where where) {
    return Recorder::of(x, "constant", where).leaf(Op::constant, value, where);
}

Node full_like(Node x, Number value, Where where) {
    Recorder& recorder = Recorder::of(x, "full_like", where);
    return recorder.full("full_like", Type(recorder.at(x.index()).type), value, where);
}

void detail::all_or_nothing(Node x, void (*record)(void* its), void* its) {
    if (!Recorder::is_current(x)) return record(its);  // which will say why it cannot
    Recorder::Attempt attempt(Recorder::of(x, "all_or_nothing", {}));
    record(its);
    attempt.keep();
}

bool same_recording(Node a, Node b) noexcept {
    return Recorder::same_recording(a, b) && Recorder::is_current(b);
}

bool same_node(Node a, Node b) noexcept {
    return a.is_valid() == b.is_valid() && (!a.is_valid() || (a.index() == b.index() && Recorder::same_recording(a, b)));
}

template <>
std::string detail::printed(const Node& x) {
    if (x.is_valid() && !Recorder::is_current(x)) return "%" + std::to_string(x.index()) + " : stale";
    return to_string(x);
}

std::string to_string(Node x, Where where) {
    if (!x.is_valid()) return "none";
    Recorder& recorder = Recorder::of(x, "to_string", where);
    const std::string index = "%" + std::to_string(x.index()) + " : ";
    return index + (recorder.has_value(x.index()) ? to_string(recorder.value(x.index())) : to_string(recorder.at(x.index()).type));
}

Node producer_operand(Node z, std::string_view name, std::size_t i, Where where) {
    Recorder& recorder = Recorder::of(z, "producer_operand", where);
    const detail::Instruction& made = recorder.at(z.index());
    if (name != made.primitive->name || i >= made.operands.size()) return {};
    return recorder.node(made.operands[i]);
}

}  // namespace gradtape

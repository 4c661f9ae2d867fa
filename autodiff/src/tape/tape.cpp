// The public tape and its nodes.
#include "recorder.hpp"

#include "../support/extents.hpp"

namespace gradtape {

using detail::Op;
using detail::Recorder;

Tape::Tape(Recording recording) : recorder_(Recorder::make(recording == Recording::abstract)) {}
void Tape::Retire::operator()(Recorder* recorder) const noexcept { Recorder::retire(recorder); }
Tape::~Tape() = default;
Tape::Tape(Tape&&) noexcept = default;
Tape& Tape::operator=(Tape&&) noexcept = default;

Node Tape::input(const Tensor& value, Where where) { return Recorder::in(*this).leaf(Op::input, value, where); }
Node Tape::parameter(const Tensor& value, Where where) { return Recorder::in(*this).leaf(Op::parameter, value, where); }
Node Tape::input(const Type& type, Where where) { return Recorder::in(*this).leaf(Op::input, type, where); }
Node Tape::parameter(const Type& type, Where where) { return Recorder::in(*this).leaf(Op::parameter, type, where); }
Node Tape::constant(const Tensor& value, Where where) { return Recorder::in(*this).leaf(Op::constant, value, where); }

Node Tape::full(const Shape& shape, double value, DType dtype, Where where) {
    Recorder& recorder = Recorder::in(*this);
    detail::check_exists(shape, "full", where);
    return recorder.number({dtype, shape}, value, where);
}

void Tape::guard_reads(bool on) noexcept {
    if (recorder_) recorder_->guard_reads(on);
}

std::size_t Tape::size() const noexcept { return recorder_ ? recorder_->size() : 0; }

void Tape::clear() {
    Recorder& recorder = Recorder::in(*this);
    if (recorder.can_clear()) return recorder.clear();
    Tape fresh(recorder.is_abstract() ? Recording::abstract : Recording::eager);
    fresh.guard_reads(recorder.guards_reads());
    *this = std::move(fresh);
}

std::size_t Tape::bytes() const noexcept { return recorder_ ? recorder_->bytes() : 0; }

DType Node::dtype() const { return Recorder::of(*this, "node", {}).at(index_).type.dtype; }
Shape Node::shape() const { return Recorder::of(*this, "node", {}).at(index_).type.shape; }
Type Node::type() const { return Recorder::of(*this, "node", {}).at(index_).type; }
const Tensor Node::value(Where where) const {
    Recorder& recorder = Recorder::of(*this, "value", where);
    recorder.check_unguarded(index_, where);
    return recorder.value(index_);
}
Where Node::where() const { return Recorder::of(*this, "node", {}).at(index_).where; }

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

const Tensor peek(Node x, Where where) { return Recorder::of(x, "peek", where).value(x.index()); }

Node sibling_parameter(Node x, const Tensor& value, Where where) {
    return Recorder::of(x, "parameter", where).leaf(Op::parameter, value, where);
}

Node sibling_constant(Node x, const Tensor& value, Where where) {
    return Recorder::of(x, "constant", where).leaf(Op::constant, value, where);
}

Node full_like(Node x, double value, Where where) {
    Recorder& recorder = Recorder::of(x, "full_like", where);
    return recorder.number(Type(recorder.at(x.index()).type), value, where);
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

Node producer_operand(Node z, std::string_view name, std::size_t i) {
    Recorder& recorder = Recorder::of(z, "producer_operand", {});
    const detail::Instruction& made = recorder.at(z.index());
    if (name != made.primitive->name || i >= made.operands.size()) return {};
    return recorder.node(made.operands[i]);
}

}  // namespace gradtape

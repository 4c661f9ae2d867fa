// Recordings compared by hashes, instruction by instruction: no tensor is kept for it.
#include <gradtape/compile.hpp>
#include <gradtape/watch.hpp>

#include "../support/hash.hpp"
#include "../support/number.hpp"
#include "../tape/recorder.hpp"

#include <cmath>

namespace gradtape {

using namespace detail;

namespace {

std::uint64_t structure_of(const Instruction& instruction, bool with_attributes) {
    std::size_t hash = std::hash<const void*>()(instruction.primitive);
    for (Index operand : instruction.operands) hash = mix(hash, operand);
    hash = mix(hash, std::uint64_t(instruction.type.dtype) << 8 | instruction.type.shape.rank());
    for (std::int64_t extent : instruction.type.shape) hash = mix(hash, std::uint64_t(extent));
    return with_attributes ? mix(hash, instruction.attributes.hash()) : hash;
}

std::uint64_t content_of(const Instruction& instruction, const Tensor* value) {
    const std::size_t hash = instruction.attributes.hash();
    if (!value) return hash;
    return mix(hash, std::hash<std::string_view>()({static_cast<const char*>(value->raw()), value->bytes()}));
}

/// Any NaN is as good as another, as for a replay's guards.
std::uint64_t content_of_guard(double seen) { return std::isnan(seen) ? 0 : std::hash<double>()(seen) ^ std::signbit(seen); }

/// A decision, rather than a number that is another at each call.
bool is_decision(double number) { return number == 0 || number == 1; }

}  // namespace

Trace::Trace(const Tape& tape, std::span<const Node> named, Where where) {
    const Recorder& recorder = Recorder::in(tape, where);
    steps_.reserve(recorder.size());
    for (Index i = 0; i < recorder.size(); ++i) {
        const Instruction& made = recorder.at(i);
        const bool constant = made.primitive == &primitive(Op::constant), guard = made.primitive == &primitive(Op::guard);
        const double seen = guard ? made.attributes.get<double>("expected") : 0;
        steps_.push_back({made.primitive->name, made.where, structure_of(made, !constant && !guard),
                          guard      ? content_of_guard(seen)
                          : constant ? content_of(made, recorder.leaf_value(i))
                                     : 0,
                          seen});
    }
    for (Node node : named) named_.push_back(node.on(tape) ? node.index() : ~Index(0));
}

Watch::Verdict Watch::compare(const Trace& earlier, const Trace& now) {
    const std::size_t both = std::min(earlier.steps_.size(), now.steps_.size());
    for (std::size_t i = 0; i < both; ++i) {
        const Trace::Step &a = earlier.steps_[i], &b = now.steps_[i];
        if (a.structure != b.structure) {
            warn("what C++ code records is not what it recorded at an earlier call: now " + std::string(b.primitive), b.where,
                 "A replay would repeat the earlier call. What changes from call to call must be an input, or be read by item()");
            return Verdict::different;
        }
        if (a.content == b.content) continue;
        if (b.primitive == primitive(Op::guard).name) {
            read_ = std::make_shared<const GuardFailed>(a.seen, b.seen, b.where);
            return Verdict::other_way;
        }
        warn("a constant that C++ code makes has other elements than at an earlier call", b.where,
             "A replay would repeat the earlier ones. What changes from call to call must be an input");
        return Verdict::different;
    }
    if (earlier.steps_.size() == now.steps_.size() && earlier.named_ == now.named_) {
        read_.reset();
        return Verdict::same;
    }
    const Where where = now.steps_.empty() ? Where() : now.steps_.back().where;
    warn(earlier.steps_.size() != now.steps_.size() ? "C++ code records another number of instructions than at an earlier call"
                                                    : "C++ code gives another of its nodes than at an earlier call", where,
         "A replay would repeat the earlier call");
    return Verdict::different;
}

void Watch::guard_failed(const GuardFailed& failure) { read_ = std::make_shared<const GuardFailed>(failure); }

std::string Watch::reason() const { return read_ ? read_->what() : ""; }

void Watch::recorded_again() {
    if (!read_) return;
    // A decision is between two; other numbers are seldom met again, and recording costs as much as many plain calls.
    cost_ += is_decision(read_->expected()) && is_decision(read_->found()) ? 1 : 4;
    if (cost_ >= 16)
        warn("a number that C++ code reads by item() is another one again and again: " + shortest(read_->expected()) + ", now " +
                 shortest(read_->found()), read_->where(),
             "Compare on the tape and read the decision, `(x > 1.0).item()`, or look at numbers with peek()");
    read_.reset();
}

void Watch::warn(const std::string& found, Where where, const std::string& advice) {
    const std::string line = to_string(where);
    warnings_.push_back("[replay] " + found + (line.empty() ? "" : " (" + line + ")") +
                        "; each call is recorded from now on, which is slower. " + advice);
}

}  // namespace gradtape

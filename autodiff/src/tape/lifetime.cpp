// How recordings begin and end, what becomes of one that failed, and rules and kernels that may be anybody's.
#include "../ir/own.hpp"
#include "recorder.hpp"

#include <mutex>

namespace gradtape::detail {

/// Recorders without a tape. Never destroyed: nodes of tapes that live as long as the process may ask theirs to the end.
struct Recorder::Pool {
    std::mutex mutex;
    Recorder* waiting = nullptr;
    Recorder* spent = nullptr;  ///< those that no number is left for
};

Recorder::Pool& Recorder::pool() {
    static Pool* const pool = new Pool;
    return *pool;
}

Recorder* Recorder::make(bool abstract) {
    Recorder* recorder = nullptr;
    {
        const std::lock_guard lock(pool().mutex);
        if ((recorder = pool().waiting)) pool().waiting = recorder->next_;
    }
    if (!recorder) recorder = new Recorder;
    recorder->abstract_ = abstract;
    recorder->body_ = false;
    recorder->set_generation(++recorder->recordings_);
    return recorder;
}

void Recorder::retire(Recorder* recorder) noexcept {
    recorder->set_generation(0);
    recorder->abandoned_ = recorder->at_work_ > 0;
    if (recorder->abandoned_) return;
    recorder->empty();
    const std::lock_guard lock(pool().mutex);
    Recorder*& list = recorder->can_clear() ? pool().waiting : pool().spent;
    recorder->next_ = list;
    list = recorder;
}

void Recorder::empty() noexcept {
    instructions_ = {};
    values_ = {};
    leaves_ = {};
    numbers_ = {};
    types_ = {};
    inputs_ = {};
    search_ = {};
    arena_ = {};
    origin_ = {};
    guards_ = false;
}

void Recorder::clear(Where where) {
    if (at_work_) throw TapeError("an operation is being recorded on this tape; clear it after", {"clear", {}, {}, where});
    instructions_.clear();
    values_.clear();
    leaves_.clear();
    arena_.reset();
    set_generation(++recordings_);
}

void Recorder::take_back(const Mark& mark) noexcept {
    if (abandoned_) return;
    instructions_.erase(instructions_.begin() + std::ptrdiff_t(mark.size), instructions_.end());
    values_.erase(values_.begin() + std::ptrdiff_t(mark.size), values_.end());
    while (!leaves_.empty() && leaves_.back().index >= mark.size) leaves_.pop_back();
    if (numbers_)
        for (KnownNumber& known : *numbers_)
            if (known.generation == generation() && known.index >= mark.size) known.generation = 0;
    // Memory that tensors or older values have since come to lie in stays as it is.
    if (handed_out_ == mark.handed_out) arena_.take_back(mark.room);
}

void Recorder::refuse_stale(const Node& node, const char* asker, Where where) {
    if (!node.recorder_) throw TapeError("a default-made node has no value; record one first", {asker, {}, {}, where});
    if (node.recorder_->generation() == (node.generation_ | closed)) node.recorder_->refuse_closed(asker, where);
    throw TapeError("node %" + std::to_string(node.index_) + " is stale: its tape was cleared or is gone; record it again",
                    {asker, {}, {}, where});
}

void Recorder::refuse_mixed(const Node& a, const Node& b, const char* asker, Where where) {
    if (a.recorder_->body_ || b.recorder_->body_)
        throw TapeError("a node of another tape is used within a body, which has a tape of its own; give it to the operation as an operand",
                        {asker, {}, {}, where});
    throw TapeError("operands are on different tapes; record them on one", {asker, {}, {}, where});
}

void Recorder::refuse_closed(const char* asker, Where where) const {
    throw TapeError(std::string("the tape is computing ") + closed_by_ + "; a shape rule or a kernel cannot use it",
                    {asker, {}, {}, where});
}

class Recorder::Closed {
public:
    Closed(Recorder& recorder, const char* primitive) noexcept : recorder_(recorder) {
        recorder_.closed_by_ = primitive;
        recorder_.set_generation(recorder_.generation() | closed);
    }
    ~Closed() {
        if (!recorder_.abandoned_) recorder_.set_generation(recorder_.generation() & ~closed);
    }
    Closed(const Closed&) = delete;

private:
    Recorder& recorder_;
};

Node Recorder::record_own(const Primitive& primitive, std::span<const Index> operands, const Attributes& attributes,
                          const Where& where) {
    Attempt attempt(*this);
    std::vector<Type> types;
    std::vector<Value> values(1);
    in_the_name_of(primitive, where, [&] {
        const Closed closed(*this, primitive.name);
        const Type type = infer(primitive, operands, attributes, where);
        check_result(primitive, types_, type, where);
        types = infer_further(primitive, attributes, type, where);
        if (primitive.results != 1)
            values = compute_results(primitive, operands, attributes, types);
        else if (!abstract_)
            compute(primitive, operands, attributes, type, values[0]);
    });
    check_not_abandoned(primitive.name, where);
    return attempt.keep(append_results(primitive, operands, attributes, types, where, values));
}

}  // namespace gradtape::detail

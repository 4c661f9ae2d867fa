// The functional form: recorded per input types, once more to see that it does the same, and again when a guard fails.
#include <gradtape/compile.hpp>
#include <gradtape/watch.hpp>

#include "../tape/recorder.hpp"

#include <algorithm>

namespace gradtape {
namespace {

struct Entry {
    std::vector<Type> types;
    Compiled compiled;
    Replay replay;
    std::optional<Trace> trace;  ///< until another call has recorded the same
};

std::vector<Type> types_of(std::span<const Tensor> inputs) {
    std::vector<Type> types;
    for (const Tensor& input : inputs) types.push_back(input.type());
    return types;
}

/// A parameter's value would stay what it was at the first call, whatever became of it since.
void refuse_parameters(const Tape& tape, Where where) {
    for (const detail::Instruction& instruction : detail::Recorder::in(tape, where).instructions())
        if (instruction.primitive == &detail::primitive(detail::Op::parameter))
            throw ValueError("a parameter within a compiled function would keep its present value in every replay; "
                             "give its value to the function as one of its inputs",
                             {"compile", {instruction.type.shape}, {}, instruction.where});
}

}  // namespace

struct CompiledFunction::State {
    Function function;
    CompileOptions options;
    std::size_t cache;
    std::vector<Entry> recent;  // latest used last
    std::size_t recordings = 0;
    std::vector<std::string> reasons;  // of the last recordings
    static constexpr std::size_t most_reasons = 32;
    bool at_work = false;

    Watch watch{};

    std::vector<Node> record(Tape& tape, std::span<const Tensor> inputs, Where where) {
        tape.guard_reads(!watch.plain());
        std::vector<Node> leaves;
        for (const Tensor& input : inputs) leaves.push_back(tape.input(input, where));
        std::vector<Node> outputs = function(leaves);
        refuse_parameters(tape, where);
        tape.guard_reads(false);
        return outputs;
    }

    Entry& add(const Tape& tape, std::span<const Node> outputs, std::vector<Type> types, Trace trace, const std::string& why,
               Where where) {
        Compiled compiled = compile(tape, outputs, {}, options, where);
        if (recent.size() >= cache) recent.erase(recent.begin());
        Replay replay(compiled, where);
        recent.push_back({std::move(types), std::move(compiled), std::move(replay), std::move(trace)});
        ++recordings;
        if (reasons.size() == most_reasons) reasons.erase(reasons.begin());
        reasons.push_back(why);
        return recent.back();
    }

    std::string unknown_types() const {
        if (recordings == recent.size()) return "first call for these input types";
        return "none of the " + std::to_string(recent.size()) + " recordings kept is for these input types";
    }

    /// Tries the recordings of these types, the latest used first; where all their guards fail, records anew.
    std::vector<Tensor> call(std::span<const Tensor> inputs, Where where) {
        const std::vector<Type> types = types_of(inputs);
        for (std::size_t k = recent.size(); k-- > 0;) {
            if (recent[k].types != types || recent[k].trace) continue;
            try {
                std::vector<Tensor> outputs = run(recent[k], inputs, where);
                std::rotate(recent.begin() + std::ptrdiff_t(k), recent.begin() + std::ptrdiff_t(k) + 1, recent.end());
                watch.replayed();
                return outputs;
            } catch (const GuardFailed& failure) {
                watch.guard_failed(failure);
            }
        }
        return call_recorded(inputs, types, where);
    }

    /// Runs the function. A recording is replayed once a second call has recorded the same.
    std::vector<Tensor> call_recorded(std::span<const Tensor> inputs, const std::vector<Type>& types, Where where) {
        Tape tape;
        const std::vector<Node> outputs = record(tape, inputs, where);
        if (!watch.plain()) {
            Trace trace(tape, outputs, where);
            for (std::size_t k = recent.size(); k-- > 0 && !watch.plain();) {
                if (recent[k].types != types || !recent[k].trace) continue;
                if (watch.compare(*recent[k].trace, trace) == Watch::Verdict::same) {
                    recent[k].trace.reset();
                    std::rotate(recent.begin() + std::ptrdiff_t(k), recent.begin() + std::ptrdiff_t(k) + 1, recent.end());
                    return run(recent.back(), inputs, where);
                }
            }
            const std::string why = watch.reason();
            watch.recorded_again();
            if (!watch.plain())
                return run(add(tape, outputs, types, std::move(trace), why.empty() ? unknown_types() : why, where), inputs, where);
            recent.clear();
        }
        std::vector<Tensor> results;
        for (Node output : outputs) results.push_back(output.value(where));
        return results;
    }

    static std::vector<Tensor> run(Entry& recording, std::span<const Tensor> inputs, Where where) {
        struct Release {
            Replay& replay;
            ~Release() { replay.release(); }
        } when_done{recording.replay};  // the inputs' owners may write them again
        for (std::size_t i = 0; i < inputs.size(); ++i) recording.replay.set_input(i, inputs[i], where);
        recording.replay.run(where);
        std::vector<Tensor> outputs;
        for (std::size_t i = 0; i < recording.compiled.output_count(where); ++i)
            outputs.push_back(recording.replay.output(i, where));
        return outputs;
    }
};

CompiledFunction::CompiledFunction(Function function, const CompileOptions& options, std::size_t cache, Where where)
    : state_(new State{std::move(function), options, std::max<std::size_t>(1, cache), {}, 0, {}}) {
    if (!state_->function) throw ValueError("there is no function to compile: it is empty", {"compile", {}, {}, where});
    state_->options.keep_values = false;
}
CompiledFunction::~CompiledFunction() = default;
CompiledFunction::CompiledFunction(CompiledFunction&&) noexcept = default;
CompiledFunction& CompiledFunction::operator=(CompiledFunction&&) noexcept = default;

CompiledFunction::State& CompiledFunction::state(Where where) const {
    if (!state_) throw TapeError("this compiled function was moved from", {"compile", {}, {}, where});
    return *state_;
}

std::vector<Tensor> CompiledFunction::operator()(std::span<const Tensor> inputs, Where where) {
    if (state(where).at_work)
        throw TapeError("this compiled function is at work: its own function, or a kernel, cannot call it", {"compile", {}, {}, where});
    struct AtWork {
        std::shared_ptr<State> state;
        explicit AtWork(std::shared_ptr<State> its) : state(std::move(its)) { state->at_work = true; }
        ~AtWork() { state->at_work = false; }
    } const at_work(state_);
    return at_work.state->call(inputs, where);
}
std::vector<Tensor> CompiledFunction::operator()(std::initializer_list<Tensor> inputs, Where where) {
    return (*this)(std::span(inputs.begin(), inputs.size()), where);
}

std::size_t CompiledFunction::recordings(Where where) const { return state(where).recordings; }
const std::vector<std::string>& CompiledFunction::warnings(Where where) const { return state(where).watch.warnings(); }

std::string CompiledFunction::explain(Where where) const {
    const State& its = state(where);
    const std::vector<std::string>& reasons = its.reasons;
    const std::size_t earlier = its.recordings - reasons.size();
    std::string text = earlier ? std::to_string(earlier) + " earlier recordings\n" : "";
    for (std::size_t k = 0; k < reasons.size(); ++k)
        text.append("recording ").append(std::to_string(earlier + k + 1)).append(": ").append(reasons[k]).append("\n");
    for (const std::string& warning : its.watch.warnings()) (text += warning) += "\n";
    for (const Entry& recording : its.recent) {
        text += "\ncompiled for";
        for (const Type& type : recording.types) (text += " ") += to_string(type);
        (text += ":\n") += recording.compiled.explain();
    }
    return text;
}

}  // namespace gradtape

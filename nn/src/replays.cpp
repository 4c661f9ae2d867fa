#include "replays.hpp"

namespace gradtape::nn {

std::vector<Type> Replays::types_of(const Tensor& inputs, const Tensor& labels, std::span<Parameter* const> parameters) {
    std::vector<Type> types{inputs.type(), labels.type()};
    for (const Parameter* parameter : parameters) types.push_back(parameter->value().type());
    return types;
}

Replays::Result Replays::run(Entry& entry, const Tensor& inputs, const Tensor& labels,
                             std::span<Parameter* const> parameters, Where where) {
    struct Release {
        Replay& replay;
        ~Release() { replay.release(); }
    } when_done{entry.replay};  // the optimizer and the batches write into tensors that nobody else holds
    entry.replay.set_input(0, inputs, where);
    entry.replay.set_input(1, labels, where);
    for (std::size_t i = 0; i < parameters.size(); ++i)
        if (entry.numbers[i]) entry.replay.set_parameter(*entry.numbers[i], parameters[i]->value(), where);
    entry.replay.run(where);
    Result result{entry.replay.output(0, where), {}, {}};
    if (entry.scores) result.scores = entry.replay.output(1, where);
    for (std::size_t i = 0; i < entry.gradients.size(); ++i)
        result.gradients.push_back(entry.gradients[i]
                                       ? entry.replay.output(*entry.gradients[i], where)
                                       : Tensor::zeros(parameters[i]->shape(), parameters[i]->value().dtype()));
    return result;
}

std::optional<Replays::Result> Replays::run(const Tensor& inputs, const Tensor& labels,
                                            std::span<Parameter* const> parameters, Where where) {
    const auto fits = [&](const Entry& entry) {
        bool same = entry.types.size() == parameters.size() + 2 && entry.types[0] == inputs.type() &&
                    entry.types[1] == labels.type();
        for (std::size_t i = 0; same && i < parameters.size(); ++i)
            same = entry.types[i + 2] == parameters[i]->value().type();
        return same;
    };
    for (std::size_t k = entries_.size(); k-- > 0;) {
        if (entries_[k].trace || !fits(entries_[k])) continue;
        try {
            Result result = run(entries_[k], inputs, labels, parameters, where);
            watch_.replayed();
            return result;
        } catch (const GuardFailed& failure) {
            // Control flow would go another way on these values: the next recording of these types may fit.
            watch_.guard_failed(failure);
        }
    }
    return std::nullopt;
}

bool Replays::confirm(const std::vector<Type>& types, const Trace& trace) {
    for (std::size_t k = entries_.size(); k-- > 0 && !watch_.plain();) {
        if (!entries_[k].trace || entries_[k].types != types) continue;
        if (watch_.compare(*entries_[k].trace, trace) != Watch::Verdict::same) continue;
        entries_[k].trace.reset();
        return true;
    }
    return false;
}

void Replays::add(const Tape& tape, const Tensor& inputs, const Tensor& labels, std::span<Parameter* const> parameters,
                  Node loss, Node scores, std::span<const Node> gradients, std::size_t threads, Where where) {
    if (watch_.plain()) return;
    std::vector<Node> named{loss, scores};
    for (const Parameter* parameter : parameters) named.push_back(parameter->leaf(loss));
    named.insert(named.end(), gradients.begin(), gradients.end());
    Trace trace(tape, named, where);
    std::vector<Type> types = types_of(inputs, labels, parameters);
    if (confirm(types, trace)) return;
    watch_.recorded_again();
    if (watch_.plain()) return entries_.clear();
    std::vector<Node> outputs{loss};
    if (scores.is_valid()) outputs.push_back(scores);
    std::vector<std::optional<std::size_t>> places;
    for (const Node& gradient : gradients) {
        places.push_back(gradient.is_valid() ? std::optional(outputs.size()) : std::nullopt);
        if (gradient.is_valid()) outputs.push_back(gradient);
    }
    const Compiled compiled = compile(tape, outputs, {}, {.keep_values = false, .threads = threads}, where);
    std::vector<std::optional<std::size_t>> numbers;
    for (const Parameter* parameter : parameters) numbers.push_back(compiled.parameter_number(parameter->leaf(loss), where));
    if (entries_.size() == most) entries_.erase(entries_.begin());
    entries_.push_back({std::move(types), Replay(compiled, where), std::move(numbers), scores.is_valid(), std::move(places), std::move(trace)});
}

}  // namespace gradtape::nn

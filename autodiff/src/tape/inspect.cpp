// Questions about a recording: where values come from.
#include <gradtape/program.hpp>

#include "recorder.hpp"

#include <algorithm>
#include <cmath>

namespace gradtape {

using detail::Index;
using detail::Op;
using detail::Recorder;

namespace {

template <class T>
bool is_free(std::span<const T> values, bool nan_only) {
    return std::all_of(values.begin(), values.end(), [=](T v) { return nan_only ? !std::isnan(v) : std::isfinite(v); });
}

/// Of NaNs, and of infinities where they count.
bool is_free(const Tensor& tensor, bool nan_only) {
    if (tensor.dtype() == DType::float32) return is_free(tensor.data<float>(), nan_only);
    if (tensor.dtype() == DType::float64) return is_free(tensor.data<double>(), nan_only);
    return true;
}

}  // namespace

Origin origin(Node z, Where where) {
    const detail::Instruction& made = Recorder::of(z, "origin", where).at(z.index());
    return {made.primitive->name, made.where};
}

std::vector<Reached> parameters_reached(Node y, Where where) {
    Recorder& recorder = Recorder::of(y, "parameters_reached", where);
    constexpr Index nobody = ~Index(0);
    // user[i]: the first instruction that y depends on and that uses i; y stands for its own user.
    std::vector<Index> user(std::size_t(y.index()) + 1, nobody);
    user[y.index()] = y.index();
    for (Index i = y.index() + 1; i-- > 0;)
        if (user[i] != nobody)
            for (Index operand : recorder.at(i).operands) user[operand] = i;
    std::vector<Reached> result;
    for (Index i = 0; i <= y.index(); ++i)
        if (user[i] != nobody && recorder.at(i).primitive == &detail::primitive(Op::parameter))
            result.push_back({recorder.node(i), recorder.node(user[i])});
    return result;
}

std::vector<Origin> origins(const Tape& tape, Where where) {
    std::vector<Origin> result;
    for (const detail::Instruction& made : Recorder::in(tape, where).instructions())
        result.push_back({made.primitive->name, made.where});
    return result;
}

Node first_non_finite(const Tape& tape, bool nan_only, Where where) {
    Recorder& recorder = Recorder::in(tape, where);
    for (Index i = 0; i < recorder.size(); ++i)
        if (!is_free(recorder.value(i, where), nan_only)) return recorder.node(i);
    return {};
}

}  // namespace gradtape

// Bodies: functions recorded as programs, and programs recorded in place of a call.
#include <gradtape/control.hpp>

#include "evaluate.hpp"

namespace gradtape {

using detail::Index;
using detail::Recorder;

namespace {

void check_operand(const Type& given, const Type& wanted, std::size_t k, Where where) {
    if (given == wanted) return;
    const std::string problem = "operand " + std::to_string(k) + " is " + to_string(given) + "; the body was recorded with " + to_string(wanted);
    const ErrorFacts facts{"expand", {given.shape, wanted.shape}, {}, where};
    if (given.dtype != wanted.dtype) throw DTypeError(problem, facts);
    throw ShapeError(problem, facts);
}

}  // namespace

Subprogram record_body(const BodyFunction& f, std::span<const Type> operands, Where where) {
    const ErrorFacts facts{"record_body", {}, {}, where};
    if (!f) throw ValueError("there is no function to record: it is empty", facts);
    Tape tape(Recording::abstract);
    std::vector<Node> x;
    for (const Type& type : operands) x.push_back(tape.input(type, where));
    Recorder::in(tape).is_body(true);
    const Several<Node> results = f(x);
    if (results.all().empty()) throw ValueError("the body gives no result", facts);
    for (const Node& z : results.all())
        if (z.is_valid() && !z.on(tape)) throw TapeError("the body gives a node of another tape; give what it takes from outside as an operand", facts);
    return Subprogram(Program(tape, results, {}, where), where);
}

std::vector<Node> expand(const Subprogram& its, const Several<Node>& operands, Where where) {
    const Program::Body& body = its.program().body();
    const std::vector<Node>& x = operands.all();
    if (x.size() != body.inputs.size() || x.empty())
        throw ValueError("got " + std::to_string(x.size()) + " operands; the body takes " + std::to_string(body.inputs.size()) +
                             ", and needs one at least", {"expand", {}, {}, where});
    Recorder& recorder = Recorder::of(x[0], "expand", where);
    for (std::size_t k = 0; k < x.size(); ++k) {
        if (&Recorder::of(x[k], "expand", where) != &recorder)
            throw TapeError("operands are on different tapes; record them on one", {"expand", {}, {}, where});
        check_operand(recorder.at(x[k].index()).type, its.inputs()[k], k, where);
    }
    Recorder::Attempt attempt(recorder);
    detail::Rerecording recording(body, recorder);
    for (std::size_t input = 0; !recording.is_done();) {
        if (input < x.size() && recording.next() == body.inputs[input])
            recording.put(x[input++].index());
        else
            recording.record();
    }
    attempt.keep();
    std::vector<Node> results;
    for (Index i : body.outputs) results.push_back(recorder.node(recording.now(i)));
    return results;
}

}  // namespace gradtape

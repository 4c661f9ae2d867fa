// Recording again.
#include "evaluate.hpp"

#include "../ir/own.hpp"

#include <cstring>

namespace gradtape::detail {
namespace {

void check_leaves(const Program::Body& body, const char* kind, std::span<const Index> leaves,
                  std::span<const Tensor> tensors, Where where) {
    if (tensors.size() != leaves.size())
        throw ValueError("got " + std::to_string(tensors.size()) + " " + kind + "s; the program has " +
                             std::to_string(leaves.size()), {"evaluate", {}, {}, where});
    for (std::size_t k = 0; k < leaves.size(); ++k) {
        const Instruction& leaf = body.instructions[leaves[k]];
        if (tensors[k].type() == leaf.type) continue;
        const std::string problem = std::string(kind) + " " + std::to_string(k) + " is " + to_string(tensors[k].type()) +
                                    "; the program was recorded with " + to_string(leaf.type);
        const ErrorFacts facts{"evaluate", {tensors[k].shape(), leaf.type.shape}, {}, where.file ? where : leaf.where};
        if (tensors[k].dtype() != leaf.type.dtype) throw DTypeError(problem, facts);
        throw ShapeError(problem, facts);
    }
}

bool is_at(std::span<const Index> leaves, std::size_t next, Index index) {
    return next < leaves.size() && leaves[next] == index;
}

}  // namespace

Evaluation::Evaluation(const Program::Body& body, std::span<const Tensor> inputs, std::span<const Tensor> parameters,
                       Where where)
    : body_(body), inputs_(inputs), parameters_(parameters) {
    check_leaves(body, "input", body.inputs, inputs, where);
    check_leaves(body, "parameter", body.parameters, parameters, where);
}

bool Evaluation::step() {
    if (recording_.is_done()) return false;
    const Index index = recording_.next();
    const Instruction& instruction = body_.instructions[index];
    Recorder& recorder = Recorder::in(tape_);
    if (is_at(body_.inputs, next_input_, index))
        recording_.put(recorder.leaf(Op::input, inputs_[next_input_++], instruction.where).index());
    else if (is_at(body_.parameters, next_parameter_, index))
        recording_.put(recorder.leaf(Op::parameter, parameters_[next_parameter_++], instruction.where).index());
    else
        recording_.record();
    return true;
}

void Evaluation::restart() {
    Recorder::in(tape_).clear();
    recording_.restart();
    next_input_ = next_parameter_ = 0;
}

void Rerecording::record() {
    const Index index = next();
    const Instruction& instruction = body_.instructions[index];
    Recorder& recorder = *recorder_;
    Node made;
    if (next_constant_ < body_.constants.size() && body_.constants[next_constant_].index == index) {
        made = recorder.leaf(Op::constant, body_.constants[next_constant_++].value, instruction.where);
    } else if (instruction.primitive->leaf) {
        made = recorder.number(instruction.type, instruction.attributes.get<double>("value"), instruction.where);
    } else if (instruction.primitive->takes_result) {
        const Index first = now_[instruction.operands[0]];
        made = recorder.results(first)[std::size_t(instruction.attributes.get<std::int64_t>("index"))];
    } else {
        operands_.clear();
        for (Index operand : instruction.operands) operands_.push_back(now_[operand]);
        made = in_the_name_of(*instruction.primitive, instruction.where, [&] {
            return recorder.record(*instruction.primitive, operands_, instruction.attributes, instruction.where);
        });
    }
    put(made.index());
}

class TapeBodies::Run : public BodyRun {
public:
    explicit Run(const Subprogram& its)
        : its_(its), operands_(its.inputs().size()), evaluation_(its.program().body(), blank(), {}) {}

    void operator()(const void* const* operands, void* const* results) override {
        for (std::size_t k = 0; k < operands_.size(); ++k) operands_[k] = Tensor::adopt(its_.inputs()[k], nullptr, operands[k]);
        evaluation_.restart();
        while (evaluation_.step()) {}
        for (std::size_t k = 0; k < its_.outputs().size(); ++k) {
            const Tensor result = evaluation_.value(its_.program().body().outputs[k]);
            std::memcpy(results[k], result.raw(), result.bytes());
        }
    }

private:
    /// Operands of the right types, to begin with.
    std::span<const Tensor> blank() {
        for (std::size_t k = 0; k < operands_.size(); ++k) operands_[k] = Tensor::adopt(its_.inputs()[k], nullptr, nullptr);
        return operands_;
    }

    const Subprogram its_;
    std::vector<Tensor> operands_;
    Evaluation evaluation_;
};

TapeBodies::TapeBodies(const Attributes& attributes) {
    for (const Attribute& attribute : attributes.list())
        if (const Subprogram* its = std::get_if<Subprogram>(&attribute.value)) {
            owned_.push_back(std::make_unique<Run>(*its));
            runs_.push_back(owned_.back().get());
        }
}
TapeBodies::~TapeBodies() = default;

std::vector<Tensor> evaluate(const Program::Body& body, std::span<const Tensor> inputs,
                             std::span<const Tensor> parameters) {
    Evaluation evaluation(body, inputs, parameters);
    while (evaluation.step()) {}
    std::vector<Tensor> result;
    for (Index i : body.outputs) result.push_back(evaluation.value(i));
    for (const Program::Body::Update& update : body.updates) result.push_back(evaluation.value(update.value));
    return result;
}

}  // namespace gradtape::detail

// The first NaN or infinity of a program.
#include <gradtape/nonfinite.hpp>

#include "evaluate.hpp"

#include <charconv>
#include <cmath>

namespace gradtape {
namespace {

using detail::Index;

template <class T>
void count(std::span<const T> elements, NonFinite::Figures& figures) {
    bool any = false;
    for (T element : elements) {
        const double e = double(element);
        figures.nans += std::isnan(e);
        figures.infinities += std::isinf(e);
        if (!std::isfinite(e)) continue;
        figures.low = any ? std::fmin(figures.low, e) : e;
        figures.high = any ? std::fmax(figures.high, e) : e;
        any = true;
    }
}

NonFinite::Figures figures_of(Index index, const Tensor& tensor) {
    NonFinite::Figures figures{index, tensor.type()};
    switch (tensor.dtype()) {
        case DType::float32: count(tensor.data<float>(), figures); break;
        case DType::float64: count(tensor.data<double>(), figures); break;
        case DType::int64: count(tensor.data<std::int64_t>(), figures); break;
        case DType::boolean: count(tensor.data<bool>(), figures); break;
    }
    return figures;
}

std::string number(double value) {
    char text[32];
    return {text, std::to_chars(text, text + sizeof text, value, std::chars_format::general, 6).ptr};
}

std::string defects(const NonFinite::Figures& figures) {
    std::string text;
    if (figures.nans) text += std::to_string(figures.nans) + " NaN";
    if (figures.infinities) text += (text.empty() ? "" : ", ") + std::to_string(figures.infinities) + " infinite";
    return text;
}

std::string range(const NonFinite::Figures& figures) {
    return "in [" + number(figures.low) + ", " + number(figures.high) + "]";
}

std::string name(const NonFinite::Figures& figures) {
    return "%" + std::to_string(figures.index) + " : " + to_string(figures.type);
}

}  // namespace

std::optional<NonFinite> find_nonfinite(const Program& program, std::span<const Tensor> inputs,
                                        std::span<const Tensor> parameters, Where where) {
    const Program::Body& body = program.body(where);
    detail::Evaluation evaluation(body, inputs, parameters, where);
    for (Index i = 0; evaluation.step(); ++i) {
        const detail::Instruction& instruction = body.instructions[i];
        if (!is_floating(instruction.type.dtype)) continue;
        const Origin made_by{instruction.primitive->name, instruction.where};
        NonFinite found{made_by, figures_of(i, evaluation.value(i)), {}, body.names};
        if (found.value.nans + found.value.infinities == 0) continue;
        for (Index operand : instruction.operands)
            found.operands.push_back(figures_of(operand, evaluation.value(operand)));
        return found;
    }
    return {};
}

std::string to_string(const NonFinite& found) {
    const NonFinite::Figures& z = found.value;
    std::string text = std::string("[") + found.made_by.primitive + "] " + (found.leaf() ? "has " : "gives ") + defects(z);
    if (z.finite()) text += ", others " + range(z);
    text += ": " + name(z);
    for (const NonFinite::Figures& x : found.operands) {
        text += "; operand " + name(x);
        if (x.finite()) text += " " + range(x);
        if (x.nans + x.infinities) text += " with " + defects(x);
    }
    if (found.made_by.where.file) text += " (" + to_string(found.made_by.where) + ")";
    return text;
}

}  // namespace gradtape

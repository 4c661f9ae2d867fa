// Programs as text and as a graph; docs/program_text.md gives the grammar.
#include "program.hpp"

#include <charconv>

namespace gradtape {
namespace {

using detail::Index;
using detail::Instruction;

/// The shortest text that reads back as the same double.
std::string number(double value) {
    char text[32];
    return {text, std::to_chars(text, text + sizeof text, value).ptr};
}

std::string value_text(const Attribute::Value& value) {
    return std::visit(
        []<class T>(const T& v) -> std::string {
            if constexpr (std::is_same_v<T, bool>)
                return v ? "true" : "false";
            else if constexpr (std::is_same_v<T, std::int64_t>)
                return std::to_string(v);
            else if constexpr (std::is_same_v<T, double>)
                return number(v);
            else
                return to_string(v);
        },
        value);
}

std::string operation_text(const Instruction& instruction) {
    std::string text = instruction.primitive->name;
    for (Index operand : instruction.operands) text += " %" + std::to_string(operand);
    for (const Attribute& attribute : instruction.attributes.list())
        text += std::string(" ") + attribute.name + "=" + value_text(attribute.value);
    return text;
}

}  // namespace

std::string to_text(const Program& program) {
    const Program::Body& body = program.body();
    std::string text;
    for (std::size_t i = 0; i < body.instructions.size(); ++i) {
        const Instruction& instruction = body.instructions[i];
        text += "%" + std::to_string(i) + " = " + operation_text(instruction) + " : " + to_string(instruction.type);
        if (instruction.where.file) text += "  # " + to_string(instruction.where);
        text += "\n";
    }
    text += "return";
    for (Index output : body.outputs) text += " %" + std::to_string(output);
    return text + "\n";
}

std::string to_dot(const Program& program) {
    const Program::Body& body = program.body();
    std::string text = "digraph program {\n  node [shape=box, fontname=\"sans-serif\"];\n";
    for (std::size_t i = 0; i < body.instructions.size(); ++i) {
        const Instruction& instruction = body.instructions[i];
        const std::string id = std::to_string(i);
        std::string label = "%" + id + " " + instruction.primitive->name;
        for (const Attribute& attribute : instruction.attributes.list())
            label += std::string("\\n") + attribute.name + "=" + value_text(attribute.value);
        label += "\\n" + to_string(instruction.type);
        text += "  n" + id + " [label=\"" + label + "\"" + (instruction.primitive->leaf ? ", style=rounded" : "") + "];\n";
        for (Index operand : instruction.operands) text += "  n" + std::to_string(operand) + " -> n" + id + ";\n";
    }
    for (std::size_t k = 0; k < body.outputs.size(); ++k)
        text += "  out" + std::to_string(k) + " [shape=plaintext, label=\"result " + std::to_string(k) + "\"];\n  n" +
                std::to_string(body.outputs[k]) + " -> out" + std::to_string(k) + ";\n";
    return text + "}\n";
}

}  // namespace gradtape

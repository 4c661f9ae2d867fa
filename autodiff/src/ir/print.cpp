// Programs as text and as a graph; docs/program_text.md gives the grammar.
#include "print.hpp"
#include "program.hpp"

#include "../support/number.hpp"

#include <bit>
#include <charconv>
#include <cmath>

namespace gradtape {
namespace detail {
namespace {

/// The shortest text that reads back as the same double.
std::string number(double value, NanText nan) {
    if (!std::isnan(value) || nan == NanText::short_form) return shortest(value);
    char text[32];
    return "nan:" + std::string(text, std::to_chars(text, text + sizeof text, std::bit_cast<std::uint64_t>(value), 16).ptr);
}

/// As a shape is printed.
std::string list_text(const Integers& list) {
    std::string text;
    for (std::int64_t integer : list) (text += text.empty() ? "" : ", ") += std::to_string(integer);
    return "(" + text + (list.size() == 1 ? ",)" : ")");
}

}  // namespace

std::string value_text(const Attribute::Value& value, NanText nan) {
    return std::visit(
        [nan]<class T>(const T& v) -> std::string {
            if constexpr (std::is_same_v<T, bool>)
                return v ? "true" : "false";
            else if constexpr (std::is_same_v<T, std::int64_t>)
                return std::to_string(v);
            else if constexpr (std::is_same_v<T, double>)
                return number(v, nan);
            else if constexpr (std::is_same_v<T, Integers>)
                return list_text(v);
            else
                return to_string(v);
        },
        value);
}

std::string instruction_text(Index index, const Instruction& instruction, NanText nan) {
    std::string text = "%" + std::to_string(index) + " = " + instruction.primitive->name;
    for (Index operand : instruction.operands) text += " %" + std::to_string(operand);
    for (const Attribute& attribute : instruction.attributes.list())
        text += std::string(" ") + attribute.name + "=" + value_text(attribute.value, nan);
    return text + " : " + to_string(instruction.type);
}

}  // namespace detail

using detail::Index;
using detail::Instruction;

std::string to_text(const Program& program, Where where) {
    const Program::Body& body = program.body(where);
    std::string text;
    for (std::size_t i = 0; i < body.instructions.size(); ++i) {
        const Instruction& instruction = body.instructions[i];
        text += instruction_text(Index(i), instruction, detail::NanText::short_form);
        if (instruction.where.file) text += "  # " + to_string(instruction.where);
        text += "\n";
    }
    text += "return";
    for (Index output : body.outputs) text += " %" + std::to_string(output);
    text += "\n";
    for (const auto& update : body.updates)
        text += "update %" + std::to_string(update.parameter) + " %" + std::to_string(update.value) + "\n";
    return text;
}

std::string to_dot(const Program& program, Where where) {
    const Program::Body& body = program.body(where);
    std::string text = "digraph program {\n  node [shape=box, fontname=\"sans-serif\"];\n";
    for (std::size_t i = 0; i < body.instructions.size(); ++i) {
        const Instruction& instruction = body.instructions[i];
        const std::string id = std::to_string(i);
        std::string label = "%" + id + " " + instruction.primitive->name;
        for (const Attribute& attribute : instruction.attributes.list())
            label += std::string("\\n") + attribute.name + "=" + detail::value_text(attribute.value, detail::NanText::short_form);
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

// Programs as text and as a graph; docs/program_text.md gives the grammar.
#include "print.hpp"

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

/// Programs are nested at most 32 deep, and so are these calls.
void Functions::add(const Program::Body& body) {
    for (const Instruction& instruction : body.instructions)
        for (const Attribute& attribute : instruction.attributes.list()) {
            const Subprogram* its = std::get_if<Subprogram>(&attribute.value);
            if (!its || numbers_.contains(*its)) continue;
            add(its->program().body());
            numbers_.emplace(*its, all_.size());
            all_.push_back(*its);
        }
}

std::string value_text(const Attribute::Value& value, NanText nan, const Functions* functions) {
    return std::visit(
        [nan, functions]<class T>(const T& v) -> std::string {
            if constexpr (std::is_same_v<T, bool>)
                return v ? "true" : "false";
            else if constexpr (std::is_same_v<T, std::int64_t>)
                return std::to_string(v);
            else if constexpr (std::is_same_v<T, double>)
                return number(v, nan);
            else if constexpr (std::is_same_v<T, Integers>)
                return list_text(v);
            else if constexpr (std::is_same_v<T, Subprogram>)
                return functions ? functions->name(v) : "@f";
            else
                return to_string(v);
        },
        value);
}

std::string instruction_text(Index index, const Instruction& instruction, NanText nan, const Functions& functions) {
    std::string text = "%" + std::to_string(index) + " = " + instruction.primitive->name;
    for (Index operand : instruction.operands) text += " %" + std::to_string(operand);
    for (const Attribute& attribute : instruction.attributes.list())
        text += std::string(" ") + attribute.name + "=" + value_text(attribute.value, nan, &functions);
    return text + " : " + to_string(instruction.type);
}

}  // namespace detail

using detail::Index;
using detail::Instruction;

namespace {

/// Instructions and results.
std::string body_text(const Program::Body& body, const detail::Functions& functions) {
    std::string text;
    for (std::size_t i = 0; i < body.instructions.size(); ++i) {
        const Instruction& instruction = body.instructions[i];
        text += instruction_text(Index(i), instruction, detail::NanText::short_form, functions);
        if (instruction.where.file) text += "  # " + to_string(instruction.where);
        text += "\n";
    }
    text += "return";
    for (Index output : body.outputs) text += " %" + std::to_string(output);
    return text + "\n";
}

}  // namespace

std::string to_text(const Program& program, Where where) {
    const Program::Body& body = program.body(where);
    const detail::Functions functions(body);
    std::string text;
    for (const Subprogram& its : functions.all())
        text += "function " + functions.name(its) + "\n" + body_text(its.program().body(), functions);
    text += body_text(body, functions);
    for (const auto& update : body.updates)
        text += "update %" + std::to_string(update.parameter) + " %" + std::to_string(update.value) + "\n";
    return text;
}

std::string to_dot(const Program& program, Where where) {
    const Program::Body& body = program.body(where);
    const detail::Functions functions(body);
    std::string text = "digraph program {\n  node [shape=box, fontname=\"sans-serif\"];\n";
    for (std::size_t i = 0; i < body.instructions.size(); ++i) {
        const Instruction& instruction = body.instructions[i];
        const std::string id = std::to_string(i);
        std::string label = "%" + id + " " + instruction.primitive->name;
        for (const Attribute& attribute : instruction.attributes.list())
            label += std::string("\\n") + attribute.name + "=" + detail::value_text(attribute.value, detail::NanText::short_form, &functions);
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

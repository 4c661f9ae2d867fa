// Programs to bytes: text first, then the tensors.
#include <gradtape/serialise.hpp>

#include "../ir/print.hpp"
#include "../ir/program.hpp"
#include "../ir/verify.hpp"
#include "format.hpp"

#include <bit>
#include <charconv>
#include <map>

namespace gradtape {
namespace {

using namespace detail;

static_assert(std::endian::native == std::endian::little, "tensors are stored as they are in memory");

using Known = std::map<std::string_view, const Primitive*>;

Known library() {
    Known known;
    for (const Primitive* p : primitive_table()) known[p->name] = p;
    return known;
}

[[noreturn]] void refuse(const Instruction& instruction, Index index, const std::string& problem) {
    throw ValueError("instruction %" + std::to_string(index) + " cannot be saved: " + problem,
                     {instruction.primitive->name, {instruction.type.shape}, {}, instruction.where});
}

bool is_of_kind(const Attribute::Value& value, Setting::Kind kind) {
    using Kind = Setting::Kind;
    switch (kind) {
        case Kind::flag: return std::holds_alternative<bool>(value);
        case Kind::number: return std::holds_alternative<double>(value);
        case Kind::dtype: return std::holds_alternative<DType>(value);
        case Kind::integer: {
            const std::int64_t* i = std::get_if<std::int64_t>(&value);
            return i && *i >= -format::most && *i <= format::most;
        }
        case Kind::list: {
            const Integers* list = std::get_if<Integers>(&value);
            return list && format::are_allowed(*list);
        }
        case Kind::program: return std::holds_alternative<Subprogram>(value);
        default: {
            const Shape* list = std::get_if<Shape>(&value);
            return list && (kind == Kind::extents ? format::is_allowed(*list) : format::are_allowed({list->begin(), list->end()}));
        }
    }
}

/// What the reader will refuse, the writer refuses already.
void check(const Instruction& instruction, Index index, Known& known) {
    const Primitive& p = *instruction.primitive;
    if (!format::is_name(p.name)) refuse(instruction, index, "its primitive's name is no identifier");
    if (known.emplace(p.name, &p).first->second != &p)
        refuse(instruction, index, "another primitive is called '" + std::string(p.name) + "' too; rename one");
    if (!format::is_allowed(instruction.type.shape)) refuse(instruction, index, "its shape is too large");
    if (p.arity == Primitive::variadic && instruction.operands.size() == 0) refuse(instruction, index, "it has no operands");
    const auto attributes = instruction.attributes.list();
    std::size_t wanted = 0;
    while (wanted < Attributes::max && p.settings[wanted].name) ++wanted;
    if (attributes.empty() && (wanted == 0 || p.settings_optional)) return;
    bool fits = attributes.size() == wanted;
    for (std::size_t k = 0; fits && k < wanted; ++k)
        fits = format::is_name(attributes[k].name) && std::string_view(attributes[k].name) == p.settings[k].name &&
               is_of_kind(attributes[k].value, p.settings[k].kind);
    if (!fits) refuse(instruction, index, "its attributes are not those that its primitive's `settings` list");
}

/// The file's name without its folder, control characters replaced; "" where there is none.
std::string place(Where where) {
    std::string text = to_string(where);
    for (char& c : text)
        if (!format::is_printable(c)) c = '?';
    const bool named = text.size() > std::to_string(where.line).size() + 1;
    return named ? "  # " + text : "";
}

struct Values {
    std::string lines;  ///< which leaves have their tensor in the file
    std::vector<const Tensor*> tensors;
    std::size_t bytes = 0;

    /// Of a function's leaf, with its name and a blank before it.
    void add(Index leaf, const Tensor& tensor, const std::string& function = "") {
        lines += "value " + function + "%" + std::to_string(leaf) + "\n";
        tensors.push_back(&tensor);
        bytes += tensor.bytes();
    }
};

Values values_of(const Program::Body& body, const Functions& functions, const SaveOptions& options) {
    Values values;
    for (const Subprogram& its : functions.all())
        for (const auto& constant : its.program().body().constants)
            values.add(constant.index, constant.value, functions.name(its) + " ");
    for (const auto& constant : body.constants) values.add(constant.index, constant.value);
    if (!options.leaf_values) return values;
    for (std::size_t k = 0; k < body.input_values.size(); ++k) values.add(body.inputs[k], body.input_values[k]);
    for (std::size_t k = 0; k < body.parameter_values.size(); ++k) values.add(body.parameters[k], body.parameter_values[k]);
    return values;
}

/// Instructions and results.
std::string text_of(const Program::Body& body, const Functions& functions, Known& known) {
    std::string text;
    for (Index i = 0; i < body.instructions.size(); ++i) {
        const Instruction& instruction = body.instructions[i];
        check(instruction, i, known);
        text += instruction_text(i, instruction, NanText::bits, functions) + place(instruction.where) + "\n";
    }
    text += "return";
    for (const Index output : body.outputs) text += " %" + std::to_string(output);
    return text + "\n";
}

}  // namespace

std::string to_bytes(const Program& program, const SaveOptions& options, Where where) {
    verify(program, where);
    const Program::Body& body = program.body(where);
    Known known = library();
    const Functions functions(body);
    std::string text = std::string(format::magic) + std::string(functions.all().empty() ? format::version : format::version_with_functions) + "\n";
    for (const Subprogram& its : functions.all())
        text += "function " + functions.name(its) + "\n" + text_of(its.program().body(), functions, known);
    text += text_of(body, functions, known);
    for (const auto& update : body.updates)
        text += "update %" + std::to_string(update.parameter) + " %" + std::to_string(update.value) + "\n";
    const Values values = values_of(body, functions, options);
    text += values.lines + "data " + std::to_string(values.bytes) + " ";
    std::string data;
    data.reserve(values.bytes);
    for (const Tensor* tensor : values.tensors) data.append(static_cast<const char*>(tensor->raw()), tensor->bytes());
    std::string sum(16, '0');
    char digits[16];
    const char* end = std::to_chars(digits, digits + 16, format::checksum(data, format::checksum(text)), 16).ptr;
    sum.replace(std::size_t(16 - (end - digits)), std::string::npos, digits, std::size_t(end - digits));
    return text + sum + "\n" + data;
}

}  // namespace gradtape

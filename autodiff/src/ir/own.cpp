// Checks of primitives that may be anybody's.
#include "own.hpp"

#include "../support/extents.hpp"

#include <typeinfo>

namespace gradtape::detail {
namespace {

/// Or a copy of one.
bool is_library(const Primitive& primitive) {
    return primitive.op >= 0 && std::size_t(primitive.op) < primitive_table().size();
}

/// What is wrong with a record; null where nothing is.
const char* fault_of(const Primitive& p) {
    if (p.leaf) return "leaves are made by the tape; call Tape::input, parameter, constant or full";
    if (p.takes_result) return "further results are made by the tape, with the first one";
    if (is_library(p)) return nullptr;
    if (p.op != -1) return "op is a number of the library's; of a primitive of one's own it is -1";
    if (p.results_by ? p.results != 0 : p.results < 1 || p.results > 64)
        return p.results_by ? "results is 0 where results_by says how many there are" : "a primitive has 1 to 64 results";
    if (p.results != 1 && (p.elementwise || p.identity)) return "an elementwise primitive, or an identity, has one result";
    if (p.arity < 1 && p.arity != Primitive::variadic) return "a primitive takes at least one operand, or is variadic";
    if (!p.shape || (!p.kernel && !p.identity)) return "a primitive needs a shape rule and a kernel";
    if (p.identity && p.arity != 1) return "an identity takes one operand";
    if (p.elementwise && p.arity < 1) return "an elementwise primitive has a number of operands of its own";
    if (p.elementwise && p.loop_operand >= std::size_t(p.arity)) return "the operand that decides about dtypes does not exist";
    if (p.part || p.rest) return "part and rest are for primitives of the library";
    return nullptr;
}

bool is_of(Setting::Kind kind, const Attribute::Value& value) {
    using Kind = Setting::Kind;
    switch (kind) {
        case Kind::flag: return std::holds_alternative<bool>(value);
        case Kind::integer: return std::holds_alternative<std::int64_t>(value);
        case Kind::number: return std::holds_alternative<double>(value);
        case Kind::dtype: return std::holds_alternative<DType>(value) && exists(std::get<DType>(value));
        case Kind::list: return std::holds_alternative<Integers>(value);
        case Kind::program: return std::holds_alternative<Subprogram>(value);
        default: return std::holds_alternative<Shape>(value);
    }
}

const char* text_of(Setting::Kind kind) {
    using Kind = Setting::Kind;
    switch (kind) {
        case Kind::flag: return "true or false";
        case Kind::integer: return "an integer";
        case Kind::number: return "a number";
        case Kind::dtype: return "an element type";
        case Kind::extents: return "a shape";
        case Kind::program: return "a program";
        default: return "a list of integers";
    }
}

template <class E>
[[noreturn]] void refuse_result(const Primitive& primitive, const Type& operand, const Type& result, const char* rule, Where where) {
    throw E("operand of type " + to_string(operand) + ", result of type " + to_string(result) + "; " + rule,
            {primitive.name, {operand.shape, result.shape}, {}, where});
}

[[noreturn]] void refuse(const Primitive& primitive, const std::string& problem, Where where) {
    throw ValueError(problem, {primitive.name, {}, {}, where});
}

}  // namespace

void check_record(const Primitive& primitive, Where where) {
    if (!primitive.name || !*primitive.name) throw ValueError("a primitive needs a name", {"apply", {}, {}, where});
    if (const char* fault = fault_of(primitive)) [[unlikely]] refuse(primitive, fault, where);
}

void check_settings(const Primitive& primitive, const Attributes& attributes, Where where) {
    const std::span<const Attribute> given = attributes.list();
    if (!primitive.settings[0].name || (given.empty() && primitive.settings_optional)) return;
    std::size_t count = 0;
    for (; count < Attributes::max && primitive.settings[count].name; ++count) {
        const Setting& setting = primitive.settings[count];
        const std::string name = "attribute '" + std::string(setting.name) + "'";
        if (count >= given.size() || std::string_view(given[count].name) != setting.name)
            refuse(primitive, name + " is missing, or not number " + std::to_string(count + 1) + " in order", where);
        if (!is_of(setting.kind, given[count].value)) refuse(primitive, name + " has another type; needs " + text_of(setting.kind), where);
    }
    if (given.size() > count) refuse(primitive, "has no attribute '" + std::string(given[count].name) + "'", where);
}

void check_result(const Primitive& primitive, std::span<const Type* const> operands, const Type& result, Where where) {
    check_exists(result, primitive.name, where, "result of shape ");
    const Type& first = *operands[primitive.elementwise ? primitive.loop_operand : 0];
    if (primitive.elementwise && !(result.shape == first.shape))
        refuse_result<ShapeError>(primitive, first, result, "an elementwise result has the shape of the operands", where);
    if (primitive.identity && result.dtype != first.dtype)
        refuse_result<DTypeError>(primitive, first, result, "an identity keeps the element type", where);
    if (primitive.identity && result.shape.elements() != first.shape.elements())
        refuse_result<ShapeError>(primitive, first, result, "an identity keeps the number of elements", where);
}

void rethrow_named(const Error& error, const Primitive& primitive, Where where) {
    const ErrorFacts facts{primitive.name, error.shapes(), error.axis(), where};
    if (typeid(error) == typeid(ShapeError)) throw ShapeError(error.what(), facts);
    if (typeid(error) == typeid(DTypeError)) throw DTypeError(error.what(), facts);
    if (typeid(error) == typeid(TapeError)) throw TapeError(error.what(), facts);
    if (typeid(error) == typeid(NotDifferentiable)) throw NotDifferentiable(error.what(), facts);
    if (typeid(error) == typeid(ValueError)) throw ValueError(error.what(), facts);
    if (typeid(error) == typeid(Error)) throw Error(error.what(), facts);
    throw;  // a class of the user's own
}

}  // namespace gradtape::detail

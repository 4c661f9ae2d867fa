// Checks a program: operands before use, arity, and types that the shape rules give again.
#include "verify.hpp"

#include "../support/extents.hpp"
#include "own.hpp"

namespace gradtape::detail {
namespace {

[[noreturn]] void broken(const Instruction& instruction, std::size_t index, const std::string& rule) {
    throw Error("instruction %" + std::to_string(index) + " " + rule,
                {instruction.primitive ? instruction.primitive->name : "verify", {instruction.type.shape}, {},
                 instruction.where});
}

/// A further result has the type that the shape rule of the instruction that makes it says.
void verify_result(std::span<const Instruction> instructions, std::size_t index) {
    const Instruction &instruction = instructions[index], &made_by = instructions[instruction.operands[0]];
    const std::int64_t k = instruction.attributes.get<std::int64_t>("index");
    const int count = made_by.primitive->leaf ? 1 : made_by.primitive->result_count(made_by.attributes);
    if (k < 1 || k >= count)
        broken(instruction, index, "is result " + std::to_string(k) + " of " + made_by.primitive->name + ", which has " +
                                       std::to_string(count));
    std::vector<const Type*> types;
    for (Index operand : made_by.operands) types.push_back(&instructions[operand].type);
    const Type type = in_the_name_of(*made_by.primitive, made_by.where, [&] {
        return made_by.primitive->shape({types, made_by.attributes, made_by.primitive->name, made_by.where, std::size_t(k)});
    });
    check_exists(type.shape, made_by.primitive->name, made_by.where, "result of shape ");
    if (!(type == instruction.type))
        broken(instruction, index, "is typed " + to_string(instruction.type) + "; its rule says " + to_string(type));
}

void verify_one(std::span<const Instruction> instructions, std::size_t index) {
    const Instruction& instruction = instructions[index];
    if (!instruction.primitive) broken(instruction, index, "has no primitive");
    const Primitive& primitive = *instruction.primitive;
    const bool variadic = primitive.arity == Primitive::variadic;
    if (variadic ? instruction.operands.size() == 0 : instruction.operands.size() != std::size_t(primitive.arity))
        broken(instruction, index, "has " + std::to_string(instruction.operands.size()) + " operands; needs " +
                                       (variadic ? "at least 1" : std::to_string(primitive.arity)));
    std::vector<const Type*> types;
    for (Index operand : instruction.operands) {
        if (operand >= index)
            broken(instruction, index, "uses %" + std::to_string(operand) + ", which does not come before it");
        types.push_back(&instructions[operand].type);
    }
    if (primitive.leaf) return check_exists(instruction.type.shape, primitive.name, instruction.where);
    if (primitive.takes_result) return verify_result(instructions, index);
    check_record(primitive, instruction.where);
    const Type* deciding = primitive.elementwise ? types[primitive.loop_operand] : nullptr;
    for (std::size_t k = 0; deciding && k < types.size(); ++k)
        if (!(types[k]->shape == deciding->shape) || (k > primitive.loop_operand && types[k]->dtype != deciding->dtype))
            broken(instruction, index, "has operands of types " + to_string(*types[k]) + " and " + to_string(*deciding) +
                                           "; elementwise operands need one shape and dtype");
    if (deciding && !primitive.dtypes.contains(deciding->dtype))
        broken(instruction, index, std::string("does not take ") + to_string(deciding->dtype));
    const Type type = in_the_name_of(primitive, instruction.where, [&] {
        return primitive.shape({types, instruction.attributes, primitive.name, instruction.where});
    });
    check_result(primitive, types, type, instruction.where);
    if (!(type == instruction.type))
        broken(instruction, index, "is typed " + to_string(instruction.type) + "; its rule says " + to_string(type));
}

}  // namespace

void verify_from(std::span<const Instruction> instructions, std::size_t first) {
    for (std::size_t i = first; i < instructions.size(); ++i) verify_one(instructions, i);
}

void verify(std::span<const Instruction> instructions, std::span<const Index> outputs, Where where) {
    verify_from(instructions, 0);
    for (Index output : outputs)
        if (output >= instructions.size())
            throw Error("output %" + std::to_string(output) + " does not exist", {"verify", {}, {}, where});
}

}  // namespace gradtape::detail

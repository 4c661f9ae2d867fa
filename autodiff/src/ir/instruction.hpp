// One instruction of a program: a primitive applied to earlier values.
#pragma once

#include <gradtape/primitive.hpp>

#include "../support/small_vector.hpp"

namespace gradtape::detail {

using Index = std::uint32_t;

/// Which recording of which tape: tells recordings apart in the whole process and for ever. Of none, where default-made.
struct RecordingId {
    const void* recorder = nullptr;
    std::uint32_t generation = 0;
    friend bool operator==(const RecordingId&, const RecordingId&) = default;
};

struct Instruction {
    const Primitive* primitive = nullptr;
    Attributes attributes;
    SmallVector<Index, 3> operands;
    Type type;
    Where where;

    Instruction() = default;
    Instruction(const Primitive* primitive, const Attributes& attributes, std::span<const Index> operands,
                const Type& type, const Where& where)
        : primitive(primitive), attributes(attributes), operands(operands), type(type), where(where) {}
};

}  // namespace gradtape::detail

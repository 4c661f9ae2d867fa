// Primitives that may be anybody's: what is checked of their records, of what they are given and of what they give.
#pragma once

#include "instruction.hpp"

namespace gradtape::detail {

/// ValueError where a record lacks something, or contradicts itself.
void check_record(const Primitive& primitive, Where where);

/// ValueError where the attributes are not those that the primitive's settings name; any will do where it names none.
void check_settings(const Primitive& primitive, const Attributes& attributes, Where where);

/// ShapeError or DTypeError where a result may not exist, or does not fit what the record says of the primitive: the kernel
/// would write where nothing is.
void check_result(const Primitive& primitive, std::span<const Type* const> operands, const Type& result, Where where);

/// Throws an error that knows no line again, as one of the primitive's.
[[noreturn]] void rethrow_named(const Error& error, const Primitive& primitive, Where where);

/// Calls somebody's rule or kernel.
template <class Call>
decltype(auto) in_the_name_of(const Primitive& primitive, Where where, Call&& call) {
    try {
        return call();
    } catch (const Error& error) {
        // A shape or attributes asked for what is not there say so at the rule's line; the caller's is wanted too.
        if (error.where().file && error.primitive() != "shape" && error.primitive() != "attributes") throw;
        rethrow_named(error, primitive, where);
    }
}

}  // namespace gradtape::detail

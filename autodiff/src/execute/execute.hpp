// How values lie in memory, and which loop computes an instruction: the same for recording, folding and replay.
#pragma once

#include "../ir/instruction.hpp"

namespace gradtape::detail {

/// Where a value lies. `repeated`: one 64-byte block holds the value that every element has.
struct Storage {
    void* data = nullptr;
    bool repeated = false;
};

/// Bytes of a buffer that can hold `type`, in whole 64-byte blocks.
inline std::size_t padded_bytes(const Type& type) {
    const std::size_t bytes = std::size_t(type.shape.elements()) * size_of(type.dtype);
    return bytes < 64 ? 64 : (bytes + 63) / 64 * 64;
}

/// Fills a block of `bytes`, a multiple of 64, with the element at `element`.
void repeat(DType dtype, const void* element, void* block, std::size_t bytes = 64);
/// Fills a 64-byte block with `value` converted to dtype.
void repeat_number(DType dtype, double value, void* block);
/// Writes out a repeated value in full.
void write_out(const Type& type, const void* block, void* out);

}  // namespace gradtape::detail

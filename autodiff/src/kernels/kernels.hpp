// What computes a primitive, for each instruction set: a table of kernels beside the one table of records.
#pragma once

#include <gradtape/primitive.hpp>

#include <algorithm>

namespace gradtape::detail {

/// One operand's stream in an elementwise loop: `step` is 1, or 0 for a value repeated in a 64-byte block.
struct Stream {
    const void* data;
    std::size_t step;
};
using Loop = void (*)(std::size_t count, const Stream* inputs, void* output);

/// What a link of a chain reads or writes: the bytes of a tile are at `data` + (the tile's offset & `within`). So ~0 is a
/// whole buffer, 2ᵏ − 1 one block after the other in the same memory, and 0 the same bytes for all tiles. And `number` is a
/// single element, which all elements are equal to: of one operand of a link at most, and of none that it writes.
struct Place {
    static constexpr std::size_t number = 1;
    const void* data;
    std::size_t within;
    bool is_number() const noexcept { return within == number; }
};

/// One operation of a chain of elementwise operations, which takes its elements through all of them a tile of a few
/// registers at a time. A result is handed on in registers, and written down where `out` has an address.
struct alignas(64) Link {
    void (*whole)();  ///< computes a tile and goes on to the next link; the function's type is known to kernels only
    void (*last)();   ///< the same for a single register
    Place in[2];
    Place out;
};
inline constexpr std::size_t tile_bytes = 512;  ///< a tile's size at most

/// Runs a chain over elements begin … end.
using RunChain = void (*)(const Link* links, std::size_t begin, std::size_t end);
/// Sets the functions of link[0], and of link[1], which ends the chain. Operand `in_registers` is what the link before
/// hands on; −1: none. Returns what runs chains of this kind.
using MakeLink = RunChain (*)(Link* link, int in_registers);

/// Some of the parts that a piece of work is made of, in one of the ways of cutting it. Passed by reference: of a copy, a
/// compiler makes words written and one register read, which waits for them.
struct Parts {
    std::int64_t begin, end;
    std::int64_t way = 0;
};

/// A kernel with its sizes settled: what a replay calls. `facts` are the kernel's own. It has `parts` parts, a number
/// that depends on the sizes only; they may be computed in any order, and by several threads. Where there are several outputs,
/// those that are not wanted are null.
struct Prepared {
    void (*run)(const std::int64_t* facts, const void* const* inputs, void* const* outputs, const Parts& parts) = nullptr;
    std::int64_t facts[8] = {};
    std::int64_t parts = 1;
    std::int64_t ways = 1;  ///< of cutting it, the best one first
    /// Which fact may ask for a finish: 1 adds a row, which is a further operand, to each row of the result; 2 applies relu
    /// to that. −1: the kernel knows of none.
    int finish = -1;
};

/// Into how many parts `count` equal pieces of work are gathered, of about `good` units of work or more each.
inline std::int64_t parts_of(std::int64_t count, std::int64_t work, std::int64_t good) {
    if (count == 0 || work == 0) return 1;
    const std::int64_t pieces = (good + work - 1) / work;  // in one part
    return count < 2 * pieces ? 1 : std::min<std::int64_t>(count / pieces, 1024);
}

/// A reduction of a whole tensor that takes its elements in order, in pieces that are multiples of 64 but for the last;
/// the same tree, and so the same bits, as the primitive's kernel. `append` adds what another state has taken in: 2^k
/// elements, the same for each but the last, and at least 4096.
struct StreamReduction {
    std::size_t (*state_bytes)(std::size_t count);  ///< for so many elements in all
    void (*begin)(void* state);
    void (*add)(void* state, const void* elements, std::size_t count);
    void (*append)(void* state, const void* next);
    void (*end)(void* state, void* result);
};

/// A reduction along the first axis of a matrix that takes its rows in order, some at a time; the same tree as the kernel's.
struct RowReduction {
    std::size_t (*state_bytes)(std::size_t rows, std::size_t length);  ///< for so many rows in all
    void (*begin)(void* state, std::size_t length);
    void (*add)(void* state, const void* rows, std::size_t count);
    void (*end)(void* state, void* result);
};

/// One primitive's kernels for one instruction set. An elementwise primitive has loops; any other, a kernel.
struct Kernels {
    Loop loops[4] = {};                     ///< by DType of operand `loop_operand`
    const Loop* loops_by_result = nullptr;  ///< cast: by operand's and result's dtype, 4 × 4
    MakeLink links[2] = {};                 ///< float32 and float64: as part of a chain
    Kernel kernel = nullptr;
    /// Settles the kernel's sizes for replay; null: it is called as it is.
    Prepared (*prepare)(std::span<const Type* const> operands, const Type& result, const Attributes&) = nullptr;
    const StreamReduction* streams[2] = {};  ///< reductions of all elements: float32, float64
    const RowReduction* row_streams[2] = {};  ///< along the first axes

    Loop loop(DType operand, DType result) const {
        return loops_by_result ? loops_by_result[4 * std::size_t(operand) + std::size_t(result)] : loops[std::size_t(operand)];
    }
};

/// By `Primitive::op`; null where one kernel serves all instruction sets, and is in the record.
using KernelTable = const Kernels* const*;

/// That of the best instruction set that this processor runs.
KernelTable kernel_table();

/// Those of `primitive` in `table`; of one's own primitive, or one that has no kernels there, none.
inline const Kernels& kernels_of(const Primitive& primitive, KernelTable table) {
    static constexpr Kernels none;
    const Kernels* const found = primitive.op < 0 ? nullptr : table[primitive.op];
    return found ? *found : none;
}

inline const Kernels& kernels_of(const Primitive& primitive) { return kernels_of(primitive, kernel_table()); }

/// What computes the whole result of a primitive that has no loops.
inline Kernel kernel_of(const Primitive& primitive, KernelTable table = kernel_table()) {
    return primitive.kernel ? primitive.kernel : kernels_of(primitive, table).kernel;
}

/// Whether it is computed by loops on elements, as the library's elementwise primitives are.
inline bool has_loops(const Primitive& primitive) { return primitive.elementwise && !primitive.kernel; }

}  // namespace gradtape::detail

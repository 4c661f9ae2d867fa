// A compiled program: kernel calls bound to numbered buffers.
#pragma once

#include <gradtape/compile.hpp>

#include "../execute/execute.hpp"
#include "../ir/program.hpp"
#include "../kernels/kernels.hpp"

#include <mutex>
#include <optional>
#include <variant>

namespace gradtape::detail {

using BufferId = std::uint32_t;
inline constexpr BufferId no_buffer = ~0u;

/// Where a buffer's memory comes from. A window is a stretch of rows of another buffer, and moves along.
enum class Home : std::uint8_t { arena, input, parameter, output, constant, window };

struct Buffer {
    Home home;
    std::size_t place;  ///< offset in the arena, or number of the input, parameter, output or constant
    std::size_t bytes;
};

/// One operand or result of a fused operation: its address is `buffer + begin * advance`, begin being the block's first
/// element; `step` 0 reads the same tile_bytes over and over. Of a slot, every thread has its own, slot_bytes apart.
struct Lane {
    BufferId buffer = no_buffer;
    std::uint16_t advance = 0;
    std::uint8_t step = 0;
    bool slot = false;
};

/// One operation of a group, run block by block.
struct GroupOp {
    enum class Kind : std::uint8_t { loop, chain, repeat, row, column, reduce };
    Kind kind = Kind::loop;
    std::uint8_t arity = 0;
    DType dtype = DType::float64;
    Loop loop = nullptr;
    Lane in[3] = {};
    Lane out = {};
    std::size_t period = 0;  ///< repeat, row: extent that repeats; column: how often each element is repeated
    const StreamReduction* reduction = nullptr;
    BufferId state = 0;      ///< reduce: the running state, one for each part
    RunChain chain = nullptr;
    std::size_t first_link = 0, links = 0;  ///< chain: which of the plan's, and how many before the one that ends it
};

/// A Place of a link, by its buffer: none where a value is in registers only. Of a slot, every thread has its own.
struct PlannedPlace {
    BufferId buffer = no_buffer;
    bool slot = false;
    std::size_t within = 0;
    std::size_t row_bytes = 0;  ///< in a group that runs row by row: how far it is from one row's to the next's; else 0
};

struct PlannedLink {
    Link functions = {};  ///< without places
    PlannedPlace in[2] = {};
    PlannedPlace out = {};
};

/// Bytes of a reduction's state, in whole cache lines.
inline std::size_t padded_state(const StreamReduction& reduction, std::size_t count) {
    return (reduction.state_bytes(count) + 63) / 64 * 64;
}

/// Elementwise operations over the same number of elements.
struct Group {
    std::size_t count;
    std::size_t block;  ///< elements at a time; a multiple of 16
    std::size_t part;   ///< elements that one thread takes, a multiple of `block`; those of all where it is not shared out
    std::size_t first;  ///< groups of a single block: number of its first operation among all of those; else npos
    bool reduces;       ///< has reductions
    std::vector<GroupOp> ops;
    bool by_rows = false;  ///< a block is a row, of which links see offsets
    /// What moves from row to row: place `which` of a link, its operands or its result.
    struct Moving {
        std::size_t link;
        std::uint8_t which;
        BufferId buffer;
        std::size_t row_bytes;
    };
    std::vector<Moving> moving{};

    static constexpr std::size_t npos = ~std::size_t(0);
    std::size_t parts() const { return count == 0 ? 1 : (count + part - 1) / part; }
};

/// A kernel on whole buffers.
struct Call {
    Prepared prepared = {};  ///< with `run` null: the generic kernel, below
    std::size_t first, first_result;  ///< numbers of the first operand and result among those of all calls
    const Primitive* primitive;
    Where where;
    Kernel kernel;
    Attributes attributes;
    std::vector<Type> types = {}, result_types = {};  ///< of operands and results
    std::vector<BufferId> operands = {};
    std::vector<BufferId> results = {};  ///< of several, no_buffer for those that are not wanted
    std::vector<std::size_t> bodies = {};  ///< which of the plan's: the programs that the kernel runs
    std::size_t first_body = 0;         ///< number of the first among those of all calls
    BufferId scratch = no_buffer;       ///< room for the kernel itself
};

struct Copy {
    BufferId from, to;
    std::size_t bytes;
};

struct Guard {
    BufferId buffer;
    DType dtype;
    double expected;
    Where where;
};

/// The steps that follow, groups and calls, run for each stretch of rows.
struct RowSteps {
    struct Window {
        BufferId buffer, of;
        std::size_t bytes;  ///< of a stretch
    };
    std::size_t steps, stretches;
    std::vector<Window> windows;
};

/// A sum of rows, of which a loop brings some at a time.
struct RowSum {
    const RowReduction* reduction;
    BufferId x, state, z;
    std::size_t rows, length;
};

struct Step {
    enum class Kind : std::uint8_t { group, call, copy, guard, rows, row_sum };
    Kind kind;
    std::uint32_t index;  ///< into the plan's list of that kind
};

/// An output or parameter: its type, and the buffer that holds it after a run.
struct Result {
    Type type;
    BufferId buffer;
};

/// A constant of one number in every element.
struct RepeatedNumber {
    Type type;
    double value;
};
using Constant = std::variant<Tensor, RepeatedNumber>;

/// What may be large, and is done for all executions of a plan when the first of them is made: compiling neither computes
/// nor allocates it.
struct Deferred {
    std::once_flag done;
    std::vector<Tensor> constants;
    /// How each call is cut into parts that are shared out among threads; not at all where these would have other bits
    /// than the whole. Empty for one thread.
    std::vector<std::optional<std::int64_t>> ways;
};

struct Plan {
    std::vector<Buffer> buffers;
    std::vector<Step> steps;
    std::vector<Group> groups;
    std::vector<PlannedLink> links;  ///< chain after chain
    std::vector<Call> calls;
    /// Plans of programs that kernels run: one at a time, so in one room.
    std::vector<std::shared_ptr<const Plan>> bodies;
    BufferId body_room = no_buffer;
    std::vector<Copy> copies;
    std::vector<RowSteps> loops;
    std::vector<RowSum> row_sums;
    std::vector<Guard> guards;
    std::vector<Constant> constants;
    std::vector<Type> input_types, parameter_types;
    std::vector<Index> parameter_leaves;  ///< on the recording's tape
    RecordingId recording;                ///< which recording that is
    std::vector<Tensor> inputs, parameters;  ///< recorded values, where they are kept
    std::vector<BufferId> input_buffers, parameter_buffers;
    std::vector<Result> outputs;
    std::vector<char> updated;  ///< by parameter: a run writes it
    std::size_t arena_bytes = 0;
    std::size_t unplanned_bytes = 0;
    std::size_t joined = 0;         ///< instructions that another one's kernel does along
    std::size_t call_operands = 0, call_results = 0, call_bodies = 0;  ///< of all calls together
    std::size_t threads = 1;      ///< 1 where no step is worth sharing out
    std::shared_ptr<Deferred> deferred = std::make_shared<Deferred>();
    std::size_t slot_bytes = 0;
    std::size_t settled_ops = 0;  ///< operations of groups of a single block
    bool debug = false;
    std::vector<std::pair<BufferId, std::uint32_t>> dead_after;  ///< debug: buffer and the step after which it is dead
    std::string report;
    std::shared_ptr<const void> names;  ///< keeps the file names of a loaded program's guards alive
};

}  // namespace gradtape::detail

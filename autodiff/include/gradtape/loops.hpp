// Loops and branches as one instruction each: their bodies are recorded once (control.hpp says how), and never unrolled.
//
// A body is given spans of nodes by what they are for; a last argument `shared`, of what all steps read, may be left out of
// its list. What a loop hands on keeps its types: ShapeError or DTypeError otherwise.
#pragma once

#include <gradtape/program.hpp>

#include <functional>

namespace gradtape {

namespace detail {

/// A function whose last argument, the shared operands, may be left out.
template <class Result, class... First>
struct WithShared : std::function<Result(First..., std::span<const Node>)> {
    using Whole = std::function<Result(First..., std::span<const Node>)>;
    template <class F>
        requires(std::is_invocable_r_v<Result, F&, First..., std::span<const Node>>)
    WithShared(F f) : Whole(std::move(f)) {}
    template <class F>
        requires(!std::is_invocable_v<F&, First..., std::span<const Node>> && std::is_invocable_r_v<Result, F&, First...>)
    WithShared(F f) {
        if (!is_empty_function(f))
            Whole::operator=([f = std::move(f)](First... first, std::span<const Node>) mutable -> Result { return f(first...); });
    }
};

}  // namespace detail

/// What a step of a scan gives: the next carry, and a row of each of the results that collect.
struct ScanStep {
    Several<Node> carry = {}, rows = {};
};
/// ScanStep f(carry, rows [, shared])
using ScanFunction = detail::WithShared<ScanStep, std::span<const Node>, std::span<const Node>>;

struct ScanOptions {
    Several<Node> shared = {};   ///< what each step reads: weights, say
    std::int64_t length = -1;    ///< number of steps, where there are no rows to count
    bool reverse = false;        ///< from the last row to the first
};
/// The last carry, and all rows given, each in the place of the row that it was made with.
struct Scanned {
    std::vector<Node> carry, rows;
};

/// carry, rows_t = f(carry, xs_t, shared) for each t in turn, from `init` on: xs are read row by row, along their first axis.
/// Any number of carries, xs and rows; no steps, or one, will do. Reverse mode keeps the carries, and computes the rest of each
/// step again: memory grows by the carry with each step. Also forward mode, any order, batches. A tape holds the carries.
Scanned scan(const ScanFunction& f, const Several<Node>& init, const Several<Node>& xs, const ScanOptions& options = {},
             Where where = Where::here());

/// condition ? then(x) : other(x), of which only the one is computed (in a vmap with a condition for each example, both).
/// Both give results of the same types. The condition is a boolean of one element, of shape ().
std::vector<Node> cond(Node condition, const std::function<Several<Node>(std::span<const Node>)>& then,
                       const std::function<Several<Node>(std::span<const Node>)>& other, const Several<Node>& operands,
                       Where where = Where::here());

/// boolean f(state [, shared]), of shape ()
using LoopCondition = detail::WithShared<Node, std::span<const Node>>;
/// The next state f(state [, shared])
using LoopFunction = detail::WithShared<Several<Node>, std::span<const Node>>;

/// state = f(state) as long as condition(state), from `init` on. The last state. Forward mode only: NotDifferentiable else; a
/// scan has both. That it ends is the caller's concern.
std::vector<Node> while_loop(const LoopCondition& condition, const LoopFunction& f, const Several<Node>& init,
                             const Several<Node>& shared = {}, Where where = Where::here());

/// The next state f(i, state [, shared]), i an int64 of shape ()
using CountedFunction = detail::WithShared<Several<Node>, Node, std::span<const Node>>;

/// state = f(i, state) for i = low … high − 1: a scan. `high` may be less than `low`: no steps.
std::vector<Node> fori_loop(std::int64_t low, std::int64_t high, const CountedFunction& f, const Several<Node>& init,
                            const Several<Node>& shared = {}, Where where = Where::here());

}  // namespace gradtape

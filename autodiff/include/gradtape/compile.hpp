// Compile a recording once, replay it many times: no allocation, no shape checks, the same bits as plain execution.
#pragma once

#include <gradtape/program.hpp>

#include <functional>
#include <optional>

namespace gradtape {

/// Which passes run, and on how many threads. Each pass keeps every bit of every result (but a NaN may become
/// another NaN), unless its comment says otherwise; switching one off is for tests and for curiosity.
struct CompileOptions {
    bool inline_calls = true; ///< the bodies of calls take their places
    bool fold = true;         ///< constants are computed once, at compile time
    bool simplify = true;     ///< IEEE-safe rewrites
    bool merge = true;        ///< equal instructions become one, and so do equal parts of different ones
    bool remove_dead = true;  ///< what no result needs is not computed
    bool fuse = true;         ///< runs of elementwise instructions go through the cache block by block
    bool chain = true;        ///< with `fuse`: instructions of a run hand their results on in registers
    bool join = true;         ///< with `fuse`: a kernel does its neighbours' work along: bias, relu, logsumexp
    bool rows = true;         ///< with `fuse`, on one thread: runs and reductions along rows go through the cache row by row
    bool reuse = true;        ///< buffers whose values are dead are used again, in place where safe
    /// Changes rounding, and is off: w ± s·(x y), for a number s, becomes one product that is added to w in place; for
    /// instance a layer's `w - rate * gradient`. It saves a pass over w and one over the gradient.
    bool gemm_updates = false;
    bool keep_values = true;  ///< a new Replay starts with the recorded inputs and parameters; else all must be set
    bool debug = false;       ///< fills buffers with signalling NaN once their values are dead, and cuts values into rows however small
    /// Threads of each Replay, the caller's among them; the others sleep between runs. Steps that are large enough are
    /// cut into parts that depend on their shapes only: every number of threads gives the same bits. 1 to 256.
    std::size_t threads = 1;
};

/// A replay met another value than the one that control flow saw while recording.
class GuardFailed : public Error {
public:
    GuardFailed(double expected, double found, Where where);
    double expected() const noexcept { return expected_; }
    double found() const noexcept { return found_; }

private:
    double expected_, found_;
};

namespace detail {
struct Plan;
struct Execution;
}  // namespace detail

/// A compiled recording: immutable, cheap to copy, shared by threads. Each thread replays it through its own Replay.
/// TapeError where it was moved from.
class Compiled {
public:
    std::size_t input_count(Where where = Where::here()) const;
    std::size_t parameter_count(Where where = Where::here()) const;
    std::size_t output_count(Where where = Where::here()) const;
    /// The number of a leaf of the compiled recording; none where it is no parameter leaf of it.
    std::optional<std::size_t> parameter_number(Node leaf, Where where = Where::here()) const;
    /// Bytes of the arena that a Replay takes for values between inputs and outputs.
    std::size_t arena_bytes(Where where = Where::here()) const;
    /// All memory that a Replay needs: arena, inputs, parameters, outputs, constants. Known before anything runs.
    std::size_t peak_bytes(Where where = Where::here()) const;
    /// Instructions before and after each pass, fused groups, memory planned and unplanned, captured constants.
    std::string explain(Where where = Where::here()) const;

    const std::shared_ptr<const detail::Plan>& shared_plan() const noexcept { return plan_; }
    explicit Compiled(std::shared_ptr<const detail::Plan> plan) : plan_(std::move(plan)) {}

private:
    const detail::Plan& plan(Where where) const;
    std::shared_ptr<const detail::Plan> plan_;
};

/// Compiles what results, updates and guards need of what `tape` recorded. Inputs and parameters are numbered in the order in which
/// they were recorded; their recorded values (an abstract tape has none) are what a new Replay starts with. TapeError
/// for nodes of another tape; ValueError where an update's first node is no parameter, or is given twice; ShapeError or
/// DTypeError where its types differ.
/// Results and updates are given one by one, in vectors, or mixed: `compile(tape, {loss, gradients}, updates)`.
Compiled compile(const Tape& tape, const Several<Node>& outputs, const Several<Update>& updates = {},
                 const CompileOptions& options = {}, Where where = Where::here());

/// Compiles a program, perhaps one that was loaded; its parameters are numbered, and found by number, in its own order.
/// A new Replay starts with the values that the program carries, if any.
Compiled compile(const Program& program, const CompileOptions& options = {}, Where where = Where::here());

/// One thread's execution of a compiled program: its arena, its parameters, its results. A kernel of the user's may throw:
/// the exception leaves `run`, the parameters are as they were. TapeError where a replay that is running is used: by a
/// kernel of its own, or by another thread (which is not sure to be noticed). Error where a thread cannot be started.
class Replay {
public:
    explicit Replay(const Compiled& compiled, Where where = Where::here());
    ~Replay();
    Replay(Replay&&) noexcept;
    Replay& operator=(Replay&&) noexcept;

    /// Binds input i, without a copy. ShapeError or DTypeError where the type is not the recorded one.
    void set_input(std::size_t i, const Tensor& value, Where where = Where::here());
    /// Gives parameter i a value.
    void set_parameter(std::size_t i, const Tensor& value, Where where = Where::here());
    /// Computes all outputs, then updates the parameters. Throws GuardFailed, with the parameters as they were; and
    /// ValueError where an input or parameter has not been set, or not since `release`.
    void run(Where where = Where::here());
    /// Lets go of the tensors that were set, so that their owners may write them again: inputs, and parameters that no
    /// update writes.
    void release(Where where = Where::here());
    /// Result i of the last run. Tensors taken out stay as they are: a later run leaves them their memory.
    /// ValueError before the first run, and after one that failed.
    const Tensor output(std::size_t i, Where where = Where::here()) const;
    /// The present value of parameter i.
    const Tensor parameter(std::size_t i, Where where = Where::here()) const;

private:
    struct Retire {
        void operator()(detail::Execution* execution) const noexcept;
    };
    detail::Execution& execution(Where where) const;
    std::unique_ptr<detail::Execution, Retire> execution_;
};

/// A function from tensors to tensors that is recorded at its first call for each combination of input types, and
/// replayed from the third one on. What it reads by Node::item() is guarded: another value there, and it is recorded again.
/// The second call compares: where it records another constant or another instruction, or where the numbers that it reads
/// never come again, every call is recorded, and `warnings` says which line is why. ValueError where it records a
/// parameter: its value would never change again, so give it as one of the inputs. TapeError where it is called while it
/// is at work, by its function or a kernel of the user's.
class CompiledFunction {
public:
    using Function = std::function<std::vector<Node>(std::span<const Node>)>;

    /// ValueError where there is no function.
    explicit CompiledFunction(Function function, const CompileOptions& options = {}, std::size_t cache = 8,
                              Where where = Where::here());
    ~CompiledFunction();
    CompiledFunction(CompiledFunction&&) noexcept;
    CompiledFunction& operator=(CompiledFunction&&) noexcept;

    std::vector<Tensor> operator()(std::span<const Tensor> inputs, Where where = Where::here());
    std::vector<Tensor> operator()(std::initializer_list<Tensor> inputs, Where where = Where::here());
    /// What is compiled, how often it was recorded for that, and why; and the warnings.
    std::string explain(Where where = Where::here()) const;
    /// How often it was compiled.
    std::size_t recordings(Where where = Where::here()) const;
    /// Why it is recorded at every call, if it is.
    const std::vector<std::string>& warnings(Where where = Where::here()) const;

private:
    struct State;
    State& state(Where where) const;
    std::shared_ptr<State> state_;  // shared with a call that is at work
};

/// `function` takes its inputs as std::span<const Node> and returns a Node or several.
template <class F>
    requires(!std::derived_from<std::remove_cvref_t<F>, Tape> && !std::derived_from<std::remove_cvref_t<F>, Program>)
CompiledFunction compile(F&& function, const CompileOptions& options = {}, Where where = Where::here()) {
    using Inputs = std::span<const Node>;
    if constexpr (!std::is_invocable_v<F&, Inputs>) {
        static_assert(sizeof(std::remove_reference_t<F>*) == 0, "a function to compile is called with its inputs, a std::span<const gradtape::Node>");
    } else if constexpr (!std::is_convertible_v<std::invoke_result_t<F&, Inputs>, Several<Node>>) {
        static_assert(sizeof(std::remove_reference_t<F>*) == 0, "a function to compile returns a gradtape::Node, or a vector of them");
    } else {
        if (detail::is_empty_function(function)) return CompiledFunction(nullptr, options, 8, where);
        return CompiledFunction(
            [f = std::forward<F>(function)](Inputs x) mutable { return Several<Node>(f(x)).all(); }, options, 8, where);
    }
}

}  // namespace gradtape

// The tape: records operations while it computes them.
#pragma once

#include <gradtape/error.hpp>
#include <gradtape/tensor.hpp>

#include <string_view>

namespace gradtape {

namespace detail {
class Recorder;
}
class Program;
class Tape;

/// A handle to one value on a tape. Cheap to copy; valid until its tape is cleared or destroyed.
class Node {
public:
    Node() = default;

    DType dtype(Where where = Where::here()) const;
    Shape shape(Where where = Where::here()) const;
    /// One extent, of an axis counted from the end where negative: `x.shape(-1)`. ShapeError where there is no such axis.
    std::int64_t shape(Axis axis, Where where = Where::here()) const;
    Type type(Where where = Where::here()) const;
    /// The value, computed already. Shares the tape's memory without a copy, and stays valid when the tape is gone.
    /// TapeError on an abstract tape, and while the tape guards reads, except for a constant.
    const Tensor value(Where where = Where::here()) const;
    /// The value of a node with one element, as double. ShapeError otherwise.
    double item(Where where = Where::here()) const;

    /// Position on the tape: %index in printed programs.
    std::uint32_t index() const noexcept { return index_; }
    /// The line that recorded it.
    Where where(Where asked = Where::here()) const;
    /// False for a default-made node.
    bool is_valid() const noexcept { return recorder_ != nullptr; }
    explicit operator bool() const GRADTAPE_DELETED("a Node is a tensor, no condition: write .item(), logical_and, maximum or .is_valid()");
    bool on(const Tape& tape) const noexcept;

private:
    friend class detail::Recorder;
    Node(detail::Recorder* recorder, std::uint32_t index, std::uint32_t generation)
        : recorder_(recorder), index_(index), generation_(generation) {}

    detail::Recorder* recorder_ = nullptr;
    std::uint32_t index_ = 0;
    std::uint32_t generation_ = 0;
};

/// What recording does beside writing down: `eager` computes each value at once; `abstract` computes nothing, so that
/// types, derivatives and memory are known before anything runs.
enum class Recording : std::uint8_t { eager, abstract };

/// A linear program of tensor primitives, executed eagerly while it is recorded.
/// Not for use by several threads at once; a tape for each thread is fine.
class Tape {
public:
    explicit Tape(Recording recording = Recording::eager);
    ~Tape();
    Tape(Tape&&) noexcept;
    Tape& operator=(Tape&&) noexcept;

    /// A leaf that is bound to a new value at each replay.
    Node input(const Tensor& value, Where where = Where::here());
    /// A leaf that is trained.
    Node parameter(const Tensor& value, Where where = Where::here());
    /// Leaves of a type alone; their values are zeros (and on an abstract tape, nothing is stored).
    Node input(const Type& type, Where where = Where::here());
    Node parameter(const Type& type, Where where = Where::here());
    /// A leaf whose value is part of the program.
    Node constant(const Tensor& value, Where where = Where::here());
    /// A constant of one value in every element; nothing is stored per element.
    /// DTypeError where `value` is none of the dtype.
    Node full(const Shape& shape, Number value, DType dtype = DType::float64, Where where = Where::here());

    /// While on, each number that `Node::item` gives is guarded: a replay of the recording refuses to run where it
    /// would be another. `Node::value` is refused: no guard stands for a tensor, and what C++ code does with its elements
    /// would not be seen. `peek` gives it, for printing and checks. Off at first, and unchanged by `clear`.
    void guard_reads(bool on) noexcept;

    /// Number of instructions recorded so far.
    std::size_t size() const noexcept;
    /// Forgets everything. Nodes become stale (using one throws TapeError); tensors taken out stay valid;
    /// the memory is kept for the next recording.
    void clear(Where where = Where::here());
    /// Bytes of memory the tape holds for values.
    std::size_t bytes() const noexcept;

private:
    friend class Node;
    friend class detail::Recorder;
    struct Retire {
        void operator()(detail::Recorder* recorder) const noexcept;
    };
    std::unique_ptr<detail::Recorder, Retire> recorder_;
};

namespace detail {
void all_or_nothing(Node x, void (*record)(void* its), void* its);

/// A std::function that holds none, or a pointer to no function.
template <class F>
bool is_empty_function(const F& function) {
    if constexpr (std::is_pointer_v<F> || requires { function.target_type(); })
        return !function;
    else
        return false;
}
}  // namespace detail

/// Calls `record` and gives its result. Where it throws, all that was recorded meanwhile on the tape of `x` is taken back:
/// how an operation that is made of several records nothing when it is refused. Nodes made meanwhile must then not be used.
/// ValueError where `record` is an empty function.
template <class Record>
auto all_or_nothing(Node x, Record&& record, Where where = Where::here()) {
    if (detail::is_empty_function(record))
        throw ValueError("there is no function to record by: it is empty", {"all_or_nothing", {}, {}, where});
    std::optional<decltype(record())> result;
    const auto call = [&] { result.emplace(record()); };
    detail::all_or_nothing(x, [](void* its) { (*static_cast<decltype(call)*>(its))(); }, const_cast<void*>(static_cast<const void*>(&call)));
    return *std::move(result);
}

/// Records a parameter leaf on the tape that `x` is on: how a layer puts its weights beside its input.
Node sibling_parameter(Node x, const Tensor& value, Where where = Where::here());
/// The value of `x` while its tape guards reads too: to be printed or checked. What is recorded must not depend on it, for
/// a replay would not see it. TapeError on an abstract tape.
const Tensor peek(Node x, Where where = Where::here());
/// Records a constant on the tape that `x` is on.
Node sibling_constant(Node x, const Tensor& value, Where where = Where::here());
/// A constant of x's shape and dtype with every element `value`, on x's tape. DTypeError where `value` is none of the dtype.
Node full_like(Node x, Number value, Where where = Where::here());
/// True where both are valid nodes of one recording.
bool same_recording(Node a, Node b) noexcept;
/// True where both are the same value of one recording, or both default-made. (`a == b` compares elements.)
bool same_node(Node a, Node b) noexcept;
/// "%3 : float64(2,) [1, 2]", without the value on an abstract tape; "none" for a default-made node. As `peek`, it looks
/// while the tape guards reads. TapeError where the node is stale; `<<` says so.
std::string to_string(Node x, Where where = Where::here());
template <>
inline constexpr bool prints<Node> = true;
template <>
std::string detail::printed(const Node& x);
/// Operand i of the instruction that made z, where that is the primitive `name`; a default-made Node otherwise.
Node producer_operand(Node z, std::string_view name, std::size_t i = 0, Where where = Where::here());

/// What an operation takes: a node; or a number, which becomes a constant of the other operand's shape and dtype; or a
/// tensor, which becomes a constant beside the other operand, with the shape and dtype that it has. Remembers the source
/// line of the call. Of a tensor it is a reference: an argument, not a variable.
class Operand {
public:
    Operand(Node node, Where where = Where::here()) : Operand(Kind::node, where) { node_ = node; }
    Operand(Number number, Where where = Where::here()) : Operand(number.whole() ? Kind::integer : Kind::real, where) {
        if (number.whole())
            integer_ = number.integer();
        else
            real_ = number.value();
    }
    template <Arithmetic T>
    Operand(T number, Where where = Where::here()) : Operand(Number(number), where) {}
    Operand(const Tensor& tensor, Where where = Where::here()) : Operand(Kind::tensor, where) { tensor_ = &tensor; }

    bool is_node() const noexcept { return kind_ == Kind::node; }
    bool is_tensor() const noexcept { return kind_ == Kind::tensor; }
    bool is_number() const noexcept { return kind_ == Kind::real || kind_ == Kind::integer; }
    /// Default-made where it is no node.
    const Node& node() const noexcept { return node_; }
    Number number() const noexcept { return kind_ == Kind::integer ? Number(integer_) : Number(real_); }
    const Tensor& tensor() const noexcept { return *tensor_; }
    Where where() const noexcept { return {file_, line_}; }

private:
    enum class Kind : std::uint8_t { node, real, integer, tensor };
    Operand(Kind kind, Where where) : real_(0), file_(where.file), line_(where.line), kind_(kind) {}

    Node node_;
    union {
        double real_;
        std::int64_t integer_;
        const Tensor* tensor_;
    };
    const char* file_;
    unsigned line_;
    Kind kind_;
};

}  // namespace gradtape

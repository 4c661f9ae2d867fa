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

    DType dtype() const;
    Shape shape() const;
    Type type() const;
    /// The value, computed already. Shares the tape's memory without a copy, and stays valid when the tape is gone.
    /// TapeError on an abstract tape, and while the tape guards reads, except for a constant.
    const Tensor value(Where where = Where::here()) const;
    /// The value of a node with one element, as double. ShapeError otherwise.
    double item(Where where = Where::here()) const;

    /// Position on the tape: %index in printed programs.
    std::uint32_t index() const noexcept { return index_; }
    /// The line that recorded it.
    Where where() const;
    /// False for a default-made node.
    explicit operator bool() const noexcept { return recorder_ != nullptr; }
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
    Node full(const Shape& shape, double value, DType dtype = DType::float64, Where where = Where::here());

    /// While on, each number that `Node::item` gives is guarded: a replay of the recording refuses to run where it
    /// would be another. `Node::value` is refused: no guard stands for a tensor, and what C++ code does with its elements
    /// would not be seen. `peek` gives it, for printing and checks. Off at first, and unchanged by `clear`.
    void guard_reads(bool on) noexcept;

    /// Number of instructions recorded so far.
    std::size_t size() const noexcept;
    /// Forgets everything. Nodes become stale (using one throws TapeError); tensors taken out stay valid;
    /// the memory is kept for the next recording.
    void clear();
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
}

/// Calls `record` and gives its result. Where it throws, all that was recorded meanwhile on the tape of `x` is taken back:
/// how an operation that is made of several records nothing when it is refused. Nodes made meanwhile must then not be used.
template <class Record>
auto all_or_nothing(Node x, Record&& record) {
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
/// A constant of x's shape and dtype with every element `value`, on x's tape.
Node full_like(Node x, double value, Where where = Where::here());
/// True where both are valid nodes of one recording.
bool same_recording(Node a, Node b) noexcept;
/// Operand i of the instruction that made z, where that is the primitive `name`; a default-made Node otherwise.
Node producer_operand(Node z, std::string_view name, std::size_t i = 0);

/// What an operation takes: a node, or a number that becomes a constant of the other operand's type.
/// Remembers the source line of the call.
class Operand {
public:
    Operand(Node node, Where where = Where::here()) : node_(node), where_(where) {}
    Operand(double number, Where where = Where::here()) : number_(number), where_(where) {}
    Operand(int number, Where where = Where::here()) : number_(number), where_(where) {}

    const Node& node() const noexcept { return node_; }
    bool is_number() const noexcept { return !node_; }
    double number() const noexcept { return number_; }
    Where where() const noexcept { return where_; }

private:
    Node node_;
    double number_ = 0;
    Where where_;
};

}  // namespace gradtape

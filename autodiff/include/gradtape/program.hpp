// A recorded program: what the tape holds, to be read by people and by passes.
#pragma once

#include <gradtape/tape.hpp>

#include <span>
#include <string>
#include <vector>

namespace gradtape {

/// One T, a range of them, or a list in which these are mixed: `{loss, gradients}`.
template <class T>
class Several {
public:
    Several() = default;
    Several(const T& one) : all_{one} {}
    template <std::ranges::input_range Range>
        requires std::same_as<std::ranges::range_value_t<const Range>, T>
    Several(const Range& range) : all_(std::ranges::begin(range), std::ranges::end(range)) {}
    Several(std::initializer_list<Several> parts) {
        for (const Several& part : parts) all_.insert(all_.end(), part.all_.begin(), part.all_.end());
    }
    /// What a T is made of: of an update its two nodes.
    template <class A, class B>
        requires requires(const A& a, const B& b) { T{a, b}; }
    Several(const A& a, const B& b) : all_{T{a, b}} {}

    const std::vector<T>& all() const noexcept { return all_; }

private:
    std::vector<T> all_;
};

/// After each replay, `parameter` takes the value of `value`.
struct Update {
    Node parameter, value;
};

/// A copy of a tape's instructions, with its leaves' values, named results and updates. A value type.
class Program {
public:
    /// All that `tape` recorded so far; `outputs` are its results. TapeError for nodes of another tape; ValueError where
    /// an update's first node is no parameter, or is given twice; ShapeError or DTypeError where its types differ.
    Program(const Tape& tape, const Several<Node>& outputs, const Several<Update>& updates = {},
            Where where = Where::here());
    ~Program();
    /// TapeError where the other was moved from.
    Program(const Program& other, Where where = Where::here());
    Program(Program&&) noexcept;
    Program& operator=(Program) noexcept;

    std::size_t size(Where where = Where::here()) const;

    struct Body;  ///< instructions; known to the library only
    /// TapeError where the program was moved from.
    const Body& body(Where where = Where::here()) const;
    explicit Program(std::unique_ptr<Body> body) noexcept;

private:
    std::unique_ptr<Body> body_;
};

/// A program that is an attribute: what a call computes, or a loop again and again. Immutable; a copy is the same one; two are
/// equal where their contents are, source lines aside. Of the program, what its results need is kept.
class Subprogram {
public:
    static constexpr int max_depth = 32;

    /// ValueError where the program has parameters, updates, guards or no result, or where programs are nested in it 32 deep.
    explicit Subprogram(const Program& program, Where where = Where::here());
    Subprogram(const Subprogram&) = default;
    Subprogram& operator=(const Subprogram&) = default;

    const Program& program() const noexcept;
    /// Of its input leaves, in their order, and of its results.
    std::span<const Type> inputs() const noexcept;
    std::span<const Type> outputs() const noexcept;
    /// 1, or one more than that of the deepest program in its instructions' attributes.
    int depth() const noexcept;
    /// How many instructions it has, those of all programs within it counted each time they are named; at most 2^62.
    std::uint64_t weight() const noexcept;
    std::size_t hash() const noexcept;
    friend bool operator==(const Subprogram& a, const Subprogram& b);

private:
    struct Content;
    std::shared_ptr<const Content> content_;
};

/// The text form; docs/program_text.md gives its grammar.
std::string to_text(const Program& program, Where where = Where::here());
/// A Graphviz digraph.
std::string to_dot(const Program& program, Where where = Where::here());
/// Checks every rule a program must keep (operands come before use, types agree with the shape rules, outputs exist).
/// Throws Error naming the first instruction that breaks one.
void verify(const Program& program, Where where = Where::here());

/// How a node came about: the primitive that made it, and the user's line, where known.
struct Origin {
    const char* primitive = "";
    Where where;
};
Origin origin(Node z, Where where = Where::here());

/// A parameter leaf that a value depends on, and the first node that uses it on the way.
struct Reached {
    Node leaf;
    Node user;
};
/// The parameter leaves that y depends on, through any primitives, in tape order.
std::vector<Reached> parameters_reached(Node y, Where where = Where::here());

/// Of every node, by index.
std::vector<Origin> origins(const Tape& tape, Where where = Where::here());

/// The first node with a NaN or an infinity in its value, leaves included; a default-made Node where all are finite. With
/// `nan_only` infinities are passed over, which may be meant: a mask of −inf is not what made a NaN.
Node first_non_finite(const Tape& tape, bool nan_only = false, Where where = Where::here());

}  // namespace gradtape

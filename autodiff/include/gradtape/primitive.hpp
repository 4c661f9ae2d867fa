// What a primitive is, and how to define one outside the library.
#pragma once

#include <gradtape/ops.hpp>
#include <gradtape/program.hpp>

#include <string_view>
#include <type_traits>
#include <variant>

namespace gradtape {

/// Any number of integers, where a Shape holds eight.
using Integers = std::vector<std::int64_t>;

/// A named setting of one instruction: axes, flags, bounds, programs. Compared by value, doubles by their bits.
struct Attribute {
    using Value = std::variant<bool, std::int64_t, double, DType, Shape, Integers, Subprogram>;
    const char* name = "";
    Value value;
    friend bool operator==(const Attribute& a, const Attribute& b);
};

/// An instruction's attributes: an immutable value; empty costs nothing.
class Attributes {
public:
    static constexpr std::size_t max = 4;

    Attributes() = default;
    Attributes(std::initializer_list<Attribute> attributes, Where where = Where::here());
    explicit Attributes(std::span<const Attribute> attributes, Where where = Where::here());
    /// The attribute `name`; ValueError where it is missing or of another type.
    template <class T>
    const T& get(std::string_view name, Where where = Where::here()) const;
    std::span<const Attribute> list() const noexcept;
    friend bool operator==(const Attributes& a, const Attributes& b);
    std::size_t hash() const noexcept;

private:
    const Attribute::Value& find(std::string_view name, Where where) const;
    std::shared_ptr<const Attribute[]> list_;
    std::size_t count_ = 0;
};

namespace detail {
[[noreturn]] void refuse_operand(std::size_t index, std::size_t count, Where where = {});
[[noreturn]] void refuse_elements(const Type& type, DType asked, Where where);
}  // namespace detail

/// What a shape rule sees, and how it refuses.
struct ShapeCall {
    std::span<const Type* const> operands;
    const Attributes& attributes;
    const char* primitive;
    Where where;
    std::size_t result = 0;  ///< which result's type is asked for

    const Type& operator[](std::size_t i) const {
        if (i >= operands.size()) [[unlikely]] detail::refuse_operand(i, operands.size());
        return *operands[i];
    }
    [[noreturn]] void refuse(const std::string& problem, std::optional<int> axis = {}) const;
    [[noreturn]] void refuse_dtype(const std::string& problem) const;
};

/// A program that a kernel may run, as often as it likes.
class BodyRun {
public:
    virtual ~BodyRun() = default;
    /// Buffers are aligned and padded as a kernel's. No result lies where an operand does.
    virtual void operator()(const void* const* operands, void* const* results) = 0;
};

/// What a kernel sees: contiguous, 64-byte aligned buffers, padded to whole 64-byte blocks.
struct KernelCall {
    struct In {
        const void* data;
        const Type* type;
    };
    struct Out {
        void* data;  ///< null where the result is not wanted
        const Type* type;
    };
    std::span<const In> inputs;
    void* output;  ///< null where there are several results and this one is not wanted
    const Type& type;
    const Attributes& attributes;
    std::span<const Out> further = {};  ///< of a primitive with several results: those after the first
    BodyRun* const* bodies = nullptr;   ///< of the attributes that are programs, in their order
    void* scratch = nullptr;            ///< room of the size that the primitive's `scratch` says

    /// The elements of operand i, which are T's; DTypeError where they are not.
    template <class T>
    std::span<const T> input(std::size_t i, Where where = Where::here()) const {
        if (i >= inputs.size()) [[unlikely]] detail::refuse_operand(i, inputs.size(), where);
        if (inputs[i].type->dtype != dtype_of<T>) [[unlikely]] detail::refuse_elements(*inputs[i].type, dtype_of<T>, where);
        return {static_cast<const T*>(inputs[i].data), std::size_t(inputs[i].type->shape.elements())};
    }
    /// Empty where it is not wanted.
    template <class T>
    std::span<T> result(std::size_t k = 0, Where where = Where::here()) const {
        if (k > further.size()) [[unlikely]] detail::refuse_operand(k, further.size() + 1, where);
        const Out out = k == 0 ? Out{output, &type} : further[k - 1];
        if (out.type->dtype != dtype_of<T>) [[unlikely]] detail::refuse_elements(*out.type, dtype_of<T>, where);
        return {static_cast<T*>(out.data), out.data ? std::size_t(out.type->shape.elements()) : 0};
    }
};

/// What a derivative rule sees of its instruction: operands and attributes.
struct Operands {
    std::span<const Node> nodes;
    const Attributes& attributes;

    Node operator[](std::size_t k) const {
        if (k >= nodes.size()) [[unlikely]] detail::refuse_operand(k, nodes.size());
        return nodes[k];
    }
    std::size_t count() const noexcept { return nodes.size(); }
    /// Whether operand k is a constant leaf, or a broadcast of one.
    bool is_constant(std::size_t k) const;
};

/// What becomes of something that a rule may give.
enum class GiveState : std::uint8_t { unwanted, wanted, given };

/// Reverse: a rule is asked once for an instruction, and gives a cotangent to each operand that wants one.
struct VjpCall {
    Operands x;
    Node z, z_bar;  ///< the result and its cotangent; of several, the first
    std::span<Node> x_bar;
    std::span<GiveState> states;             ///< of each operand
    std::span<const Node> results, z_bars;  ///< all results and their cotangents; a default-made one is zero

    bool wants(std::size_t k) const { return k < states.size() && states[k] != GiveState::unwanted; }
    /// The cotangent of operand k; a default-made Node is zero. NotDifferentiable where an operand that wants one is given none.
    void give(std::size_t k, Node cotangent) const {
        if (!wants(k)) return;
        x_bar[k] = cotangent;
        states[k] = GiveState::given;
    }
};

/// Forward: a rule gives a tangent to each result that wants one, from the operands'.
struct JvpCall {
    Operands x;
    Node z;                       ///< the result; of several, the first
    std::span<const Node> x_dot;  ///< of each operand; a default-made Node is zero
    std::span<Node> z_dot;
    std::span<GiveState> states;  ///< of each result
    std::span<const Node> results;

    bool wants(std::size_t k) const { return k < states.size() && states[k] != GiveState::unwanted; }
    /// The tangent of result k; a default-made Node is zero. NotDifferentiable where a result that wants one is given none.
    void give(std::size_t k, Node tangent) const {
        if (!wants(k)) return;
        z_dot[k] = tangent;
        states[k] = GiveState::given;
    }
};

struct Primitive;

/// Batching: a rule computes an instruction for a whole batch. Batched operands have one axis more, the first; results have it.
struct BatchCall {
    const Primitive& primitive;
    Operands x;
    std::span<const char> batched;  ///< of each operand; of one at least
    std::int64_t size;              ///< extent of the axis
    std::span<Node> z;              ///< of each result

    /// Operand k with the axis: repeated along it where it has none.
    Node with_axis(std::size_t k) const;
    /// The results are those of the primitive itself, for these operands and attributes.
    void apply(std::span<const Node> operands, const Attributes& attributes) const;
    /// Result k.
    void give(std::size_t k, Node result) const {
        if (k < z.size()) z[k] = result;
    }
};

using ShapeRule = Type (*)(const ShapeCall&);
using Kernel = void (*)(const KernelCall&);
using VjpRule = void (*)(const VjpCall&);
using JvpRule = void (*)(const JvpCall&);
using BatchRule = void (*)(const BatchCall&);
/// One of several instructions that read parts of one operand x: its attributes, and its result's cotangent.
struct Part {
    Attributes attributes;
    Node z_bar;
};
/// Reverse, where each cotangent of x is small, and zero elsewhere: all of them at once, in that order, added to `sum`
/// (default-made: zero). So none of them takes memory of x's size.
using PartsRule = Node (*)(Node x, Node sum, std::span<const Part> parts);

/// A vjp rule made of one for each operand, in their order: `Node rule(const Operands& x, Node z, Node z_bar)` gives its
/// cotangent. They are lambdas that capture nothing; an operand for which there is none is not differentiable.
template <class... Rules>
constexpr VjpRule vjp_by_operand(Rules...) {
    static_assert((std::is_empty_v<Rules> && ...), "a rule for an operand is a lambda without captures");
    return [](const VjpCall& call) {
        std::size_t k = 0;
        ((call.wants(k) ? call.give(k, Rules{}(call.x, call.z, call.z_bar)) : void(), ++k), ...);
    };
}

/// A jvp rule made of one for each operand, in their order: `Node rule(const Operands& x, Node z, Node x_dot)` gives what
/// that operand's tangent adds to the result's.
template <class... Rules>
constexpr JvpRule jvp_by_operand(Rules...) {
    static_assert((std::is_empty_v<Rules> && ...), "a rule for an operand is a lambda without captures");
    return [](const JvpCall& call) {
        for (std::size_t k = sizeof...(Rules); k < call.x_dot.size(); ++k)
            if (call.x_dot[k].is_valid()) return;
        Node z_dot;
        const auto add_share = [&](Node share) {
            if (share.is_valid()) z_dot = z_dot.is_valid() ? gradtape::add(z_dot, share) : share;
        };
        std::size_t k = 0;
        ((call.x_dot[k].is_valid() ? add_share(Rules{}(call.x, call.z, call.x_dot[k])) : void(), ++k), ...);
        call.give(0, z_dot);
    };
}

/// Where a primitive's tests sample each operand: uniformly from [low, high], at distance ≥ `gap` from the kinks; with that
/// added to the diagonals of matrices, once to the first element, twice to the second, …
struct Domain {
    double low = -2, high = 2;
    double kink = 0, gap = 0;
    double diagonal = 0;
};

/// A set of element types.
class DTypes {
public:
    constexpr DTypes(std::initializer_list<DType> dtypes) {
        for (DType dtype : dtypes) bits_ |= std::uint8_t(1u << unsigned(dtype));
    }
    constexpr bool contains(DType dtype) const noexcept { return bits_ >> unsigned(dtype) & 1; }
    friend constexpr bool operator==(DTypes, DTypes) = default;

private:
    std::uint8_t bits_ = 0;
};

/// How far floating results of an elementwise primitive are from the true ones, in units in the last place of the latter:
/// those of the operands in their precision, over all exponents and subnormal numbers.
struct Accuracy {
    double value = 0.5;          ///< of the result; 0.5 is correctly rounded
    double slope = 0;            ///< of a cotangent, where that of the result is 1
};

/// An attribute that a primitive's instructions carry: its name and kind. `extents` are those of a shape, ≥ 0;
/// `integers` are axes, steps, widths, as many as axes; `list` any number of them; `program` is a Subprogram.
struct Setting {
    enum class Kind : std::uint8_t { flag, integer, number, dtype, extents, integers, list, program };
    const char* name = nullptr;
    Kind kind = Kind::flag;
};

/// One primitive: everything the library knows about it. Facts are fields; nothing about a primitive is kept elsewhere.
struct Primitive {
    static constexpr int variadic = -1;

    const char* name = "";
    int arity = 0;                        ///< number of operands, or `variadic`
    ShapeRule shape = nullptr;            ///< result type from operand types; throws where they do not fit
    Kernel kernel = nullptr;              ///< null for leaves, identities, and what has one for each instruction set
    std::size_t loop_operand = 0;         ///< elementwise: which operand's dtype decides; those before it are boolean
    VjpRule vjp = nullptr;
    JvpRule jvp = nullptr;
    BatchRule batch = nullptr;            ///< not needed where elementwise
    PartsRule vjp_parts = nullptr;        ///< in place of vjp, for an operand that several instructions take parts of
    bool elementwise = false;             ///< result element i depends on element i of the operands only: so vjp is jvp
    bool commutative = false;             ///< operands may be swapped; which of two NaNs a result keeps is not promised
    bool in_place = false;                ///< the result may take the place of an operand of its size; of the first
                                          ///< one only, unless elementwise. A kernel throws before it writes there
    bool linear = false;                  ///< in all operands together: jvp applies the primitive to tangents
    bool multilinear = false;             ///< in each operand: jvp replaces one operand by its tangent
    /// Which of its operands' dtypes it takes: of operand `loop_operand`, and of all after it.
    DTypes dtypes = {DType::float32, DType::float64, DType::int64, DType::boolean};
    std::uint8_t indices = 0;             ///< bit k: operand k is int64, whatever dtype the others have
    bool along_axes = false;              ///< attribute `axes` names axes of operand 0: each index of the others is by itself
    bool differentiable = true;           ///< false: piecewise constant or not floating; cotangents stop here
    bool broadcasts = false;              ///< operands are broadcast to a common shape before it is recorded
    bool identity = false;                ///< same bytes in another shape: the result may share the operand's buffer
    int results = 1;                      ///< number of results; each after the first is an instruction `result` behind it
    int (*results_by)(const Attributes&) = nullptr;         ///< where `results` is 0: their number
    std::size_t (*scratch)(const Attributes&) = nullptr;    ///< bytes of room that the kernel needs for itself
    bool inlined = false;                 ///< gives what its first program gives: compiled, that takes its place
    bool takes_result = false;            ///< is that instruction
    bool leaf = false;
    bool never_throws = false;            ///< the kernel: so a replay may write updates before it has run
    bool effect = false;                  ///< does more than give its result: never removed, merged or folded
    Setting settings[Attributes::max] = {};  ///< the attributes, in their order; those without a name are none
    bool settings_optional = false;       ///< an instruction has all of them or none
    Domain domain[3] = {};                ///< by operand; the last given one serves all further operands
    Accuracy accuracy = {};               ///< elementwise primitives on float32 and float64
    /// Of the library's, elementwise, of one operand: z = rest(part(x)), or rest(part(x), x), bit for bit. A compiled program
    /// computes once what several functions of one value have as their part.
    const Primitive *part = nullptr, *rest = nullptr;
    std::int16_t op = -1;                 ///< of the library's: which one, by which its kernels are found; -1: one's own

    int result_count(const Attributes& attributes) const { return results_by ? results_by(attributes) : results; }
};

/// Records a primitive of the user's: checks, computes, returns the result's node. `primitive` must outlive every
/// program that uses it (make it a static constant). Write `gradtape::apply`: std::apply may be nearer otherwise.
Node apply(const Primitive& primitive, std::span<const Node> operands, const Attributes& attributes = {},
           Where where = Where::here());
Node apply(const Primitive& primitive, std::initializer_list<Node> operands, const Attributes& attributes = {},
           Where where = Where::here());

/// The same of a primitive with several results: all of them.
std::vector<Node> apply_all(const Primitive& primitive, std::span<const Node> operands, const Attributes& attributes = {},
                            Where where = Where::here());

/// The library's own primitives (those of the instruction set in use), for tools and tests.
std::span<const Primitive* const> primitive_table();

template <class T>
const T& Attributes::get(std::string_view name, Where where) const {
    if (const T* value = std::get_if<T>(&find(name, where))) return *value;
    throw ValueError("attribute '" + std::string(name) + "' has another type", {"attributes", {}, {}, where});
}

}  // namespace gradtape

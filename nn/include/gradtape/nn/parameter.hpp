// Trained values, and how they are found: by visiting the live members of plain structs.
#pragma once

#include <gradtape/tape.hpp>

#include <optional>
#include <utility>

namespace gradtape::nn {

namespace detail {
/// A remembered node. A copy starts empty: the copy of a model is another model, with leaves of its own.
struct CachedLeaf {
    Node node;

    CachedLeaf() = default;
    CachedLeaf(const CachedLeaf&) noexcept {}
    CachedLeaf(CachedLeaf&& other) noexcept : node(std::exchange(other.node, Node())) {}
    CachedLeaf& operator=(const CachedLeaf&) noexcept {
        node = Node();
        return *this;
    }
    CachedLeaf& operator=(CachedLeaf&& other) noexcept {
        node = std::exchange(other.node, Node());
        return *this;
    }
};
}  // namespace detail

/// A trained tensor. On each recording of a tape it is one parameter leaf, however often it is used.
/// Copies share the storage until one of them is trained. One thread at a time: give each thread a copy of the model.
class Parameter {
public:
    Parameter() = default;
    Parameter(Tensor value) : value_(std::move(value)) {}

    const Tensor& value() const noexcept { return value_; }
    const Shape& shape() const noexcept { return value_.shape(); }
    /// A new value of the same dtype and shape (ShapeError, DTypeError otherwise; assign a Parameter to change them).
    void set(Tensor value, Where where = Where::here());
    /// Puts `other` in place of the value and the value into `other`, under the same conditions.
    void exchange(Tensor& other, Where where = Where::here());

    /// The leaf on the tape that `x` is on; recorded at the first use.
    Node on(Node x, Where where = Where::here()) const;
    Node on(Tape& tape, Where where = Where::here()) const;
    /// The leaf on the recording of `y`; a default-made Node where nothing used this parameter.
    Node leaf(const Tape& tape) const noexcept { return leaf_.node.on(tape) ? leaf_.node : Node(); }
    Node leaf(Node y) const noexcept { return same_recording(leaf_.node, y) ? leaf_.node : Node(); }

private:
    Tensor value_;
    mutable detail::CachedLeaf leaf_;
};

struct NamedParameter {
    std::string name;  ///< "fc1.weight", "layers.0.bias": as in PyTorch's state_dict
    Parameter* parameter;
};

/// Collects parameters. A model is a struct that shows its members, in any order:
/// `void visit(nn::Visitor& v) { v("fc1", fc1); v("fc2", fc2); }`
/// Members may be parameters, structs with a `visit` (layers), or vectors, arrays and optionals of either.
class Visitor {
public:
    explicit Visitor(bool with_names = true) : with_names_(with_names) {}

    template <class Part>
    void operator()(std::string_view name, Part& part) {
        if constexpr (std::is_convertible_v<Part*, Parameter*>) {
            add(name, part);
        } else if constexpr (requires(Visitor& v) { part.visit(v); }) {
            const std::size_t outer = enter(name);
            part.visit(*this);
            leave(outer);
        } else if constexpr (requires { part.has_value(), *part; }) {
            if (part) (*this)(name, *part);
        } else if constexpr (requires { part.begin() != part.end(); }) {
            const std::size_t outer = enter(name);
            std::size_t i = 0;
            for (auto& each : part) (*this)(with_names_ ? std::to_string(i++) : std::string(), each);
            leave(outer);
        } else {
            static_assert(sizeof(Part) == 0, "visit shows an nn::Parameter, a struct with visit, or arrays and optionals of these; no Tensor");
        }
    }

    /// Forgets what was found; the memory is kept.
    void clear() noexcept;
    std::span<Parameter* const> found() const noexcept { return found_; }
    /// With names; ValueError where one parameter, or one name, was shown twice.
    std::vector<NamedParameter> named(Where where = Where::here()) const;

private:
    void add(std::string_view name, Parameter& parameter);
    std::size_t enter(std::string_view name);
    void leave(std::size_t outer) { prefix_.resize(outer); }

    bool with_names_;
    std::string prefix_;
    std::vector<Parameter*> found_;
    std::vector<std::string> names_;
};

/// Calls the model's `visit`.
template <class Model>
void show(Model& model, Visitor& visitor) {
    if constexpr (requires { model.visit(visitor); })
        model.visit(visitor);
    else
        static_assert(sizeof(Model) == 0, "a model shows its parameters: void visit(nn::Visitor& v) { v(\"w\", w); }");
}

/// The model's parameters, in the order of its `visit`.
template <class Model>
std::vector<NamedParameter> named_parameters(Model& model, Where where = Where::here()) {
    Visitor visitor;
    show(model, visitor);
    return visitor.named(where);
}
template <class Model>
std::vector<Parameter*> parameters(Model& model) {
    Visitor visitor(false);
    show(model, visitor);
    return {visitor.found().begin(), visitor.found().end()};
}

/// The recorded ∂loss/∂parameter of each parameter; a default-made Node where the loss does not use it.
std::vector<Node> gradient_nodes(Node loss, std::span<Parameter* const> parameters, Where where = Where::here());
/// The values of `gradient_nodes`; zeros for a default-made Node.
std::vector<Tensor> gradient_values(std::span<const Node> nodes, std::span<Parameter* const> parameters,
                                    Where where = Where::here());
/// ∂loss/∂parameter for each parameter, recorded on the loss's tape; zeros where the loss does not depend on it.
std::vector<Tensor> gradients(Node loss, std::span<Parameter* const> parameters, Where where = Where::here());

/// Compares what the loss reaches with what the visitor found. ValueError where the loss depends on a parameter leaf
/// that is not among `parameters`, naming its type, source line and first use: it would never be trained.
/// Returns a warning for each parameter that the loss does not reach.
std::vector<std::string> check_reach(Node loss, std::span<const NamedParameter> parameters,
                                     Where where = Where::here());

}  // namespace gradtape::nn

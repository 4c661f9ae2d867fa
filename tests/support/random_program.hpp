// Random programs over the public operations. One generator drives two engines, the library's and the oracle's: every
// choice depends on the seed and on shapes only, so both see the same program.
#pragma once

#include "oracle.hpp"

namespace gradtape::test {

/// The elementwise operations programs draw from, each written once for both engines. Arguments are tamed (sin, tanh),
/// so that values stay of the order of 1 at any depth.
struct Elementwise {
    const char* name;
    int arity;  ///< 1: the second argument is ignored
    Node (*on_tape)(Node, Node);
    oracle::Scalar (*by_oracle)(oracle::Scalar, oracle::Scalar);
};
std::span<const Elementwise> elementwise_operations();

/// A reduction or an operation along an axis.
struct Reduction {
    const char* name;
    Node (*on_tape)(Node, Axes, bool);
    oracle::Scalar (*by_oracle)(const std::vector<oracle::Scalar>&);
    bool takes_empty;
};
std::span<const Reduction> reductions();

struct TapeEngine {
    using Value = Node;
    static Shape shape(const Node& x) { return x.shape(); }
    static Node elementwise(const Elementwise& f, Node x, Node y) { return f.on_tape(x, y); }
    static Node reduce(const Reduction& f, Node x, const Shape& axes, bool keepdims) {
        return f.on_tape(x, Axes(axes), keepdims);
    }
    static Node softmax(Node x, int axis) { return gradtape::softmax(x, axis); }
    static Node log_softmax(Node x, int axis) { return gradtape::log_softmax(x, axis); }
    static Node reshape(Node x, const Shape& shape) { return gradtape::reshape(x, shape); }
    static Node transpose(Node x, const Shape& permutation) { return gradtape::transpose(x, permutation); }
    static Node slice(Node x, const std::vector<Range>& ranges) { return gradtape::slice(x, ranges); }
    static Node concatenate(Node x, Node y, int axis) { return gradtape::concatenate({x, y}, axis); }
    static Node pad(Node x, const Shape& before, const Shape& after, double value) {
        return gradtape::pad(x, before, after, value);
    }
    static Node broadcast_to(Node x, const Shape& shape) { return gradtape::broadcast_to(x, shape); }
    static Node matmul(Node x, Node y) { return gradtape::matmul(x, y); }
};

struct OracleEngine {
    using Value = oracle::Array;
    static Shape shape(const Value& x) { return x.shape; }
    static Value elementwise(const Elementwise& f, const Value& x, const Value& y) {
        return oracle::zip(x, y, f.by_oracle);
    }
    static Value reduce(const Reduction& f, const Value& x, const Shape& axes, bool keepdims) {
        return oracle::reduce(x, axes, keepdims, f.by_oracle);
    }
    static Value softmax(const Value& x, int axis) { return oracle::along(x, axis, oracle::softmax); }
    static Value log_softmax(const Value& x, int axis);
    static Value reshape(const Value& x, const Shape& shape) { return oracle::reshape(x, shape); }
    static Value transpose(const Value& x, const Shape& permutation) { return oracle::transpose(x, permutation); }
    static Value slice(const Value& x, const std::vector<Range>& ranges) { return oracle::slice(x, ranges); }
    static Value concatenate(const Value& x, const Value& y, int axis) { return oracle::concatenate(x, y, axis); }
    static Value pad(const Value& x, const Shape& before, const Shape& after, double value) {
        return oracle::pad(x, before, after, value);
    }
    static Value broadcast_to(const Value& x, const Shape& shape) { return oracle::broadcast_to(x, shape); }
    static Value matmul(const Value& x, const Value& y) { return oracle::matmul(x, y); }
};

/// Shapes of a program's leaves: one to three, related by broadcasting, with extents 0, 1 and odd ones among them.
std::vector<Shape> leaf_shapes(std::uint64_t seed);

/// Runs the program `seed` on an engine and returns its scalar result.
template <class Engine>
typename Engine::Value run_program(std::uint64_t seed, std::vector<typename Engine::Value> values);

extern template Node run_program<TapeEngine>(std::uint64_t, std::vector<Node>);
extern template oracle::Array run_program<OracleEngine>(std::uint64_t, std::vector<oracle::Array>);

}  // namespace gradtape::test

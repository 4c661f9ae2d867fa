// Whether an operation with bodies is the program that it stands for, in all that can be done with a program.
#pragma once

#include "tensors.hpp"

#include <gradtape/control.hpp>

namespace gradtape::test {

/// A function written with bodies, and written out.
struct BodyCase {
    std::string name;
    BodyFunction with_bodies, written_out;
    std::vector<Tensor> at;
    bool same_bits = true;      ///< of values; else within rounding
    bool reverse = true;        ///< it has a reverse pass
    std::vector<std::size_t> shared{};  ///< operands that are not mapped
};

/// "" where values, both modes, second order, vmap and derivatives through it agree with those of the program written out.
std::string check_derivatives(const BodyCase& its);
/// "" where every way of compiling it, with its derivatives, gives the bits of recording, and so does a file of it.
std::string check_compiled(const BodyCase& its);

/// Results of f and, of a weighted sum of the floating ones, gradients and Hessian-vector products.
std::vector<Node> with_derivatives(const BodyCase& its, const BodyFunction& f, std::span<const Node> x);

}  // namespace gradtape::test

// Random programs for the passes: all dtypes, numbers that rewrites look for (0, −0, 1, powers of two, infinities, NaN),
// repeated subexpressions, rearrangements upon rearrangements, guards, and first and second derivatives.
#pragma once

#include "tensors.hpp"

#include "ir/program.hpp"

namespace gradtape::test {

/// The program number `seed`; it has inputs, parameters, several outputs and perhaps an update.
Program::Body awkward_program(std::uint64_t seed);

/// A tensor of awkward elements: tiny, huge, infinite, NaN and either zero among common ones.
Tensor awkward_tensor(const Type& type, Random& random);
/// Fresh awkward values for leaves.
std::vector<Tensor> awkward_leaves(const Program::Body& body, const std::vector<detail::Index>& leaves, Random& random);

}  // namespace gradtape::test

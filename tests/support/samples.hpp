// Operands and attributes to try each primitive with.
#pragma once

#include "tensors.hpp"

#include <gradtape/primitive.hpp>

namespace gradtape::test {

struct Sample {
    std::vector<Shape> shapes;  ///< of the operands
    Attributes attributes{};
    std::size_t result = 0;  ///< which of the primitive's results is looked at
    std::int64_t lowest = 0, highest = 0;  ///< of operands that are indices
    double amplified = 1;  ///< rounding of the operands, so many times, is to be expected in the result
};

/// Those of the primitives of indexing and order; none of others.
std::vector<Sample> indexing_samples(const std::string& primitive);

/// The sample's result of the primitive.
Node applied(const Primitive& primitive, const std::vector<Node>& operands, const Sample& sample);
/// Its name; of a further result, "name#1", as the references know it.
std::string name_of(const Primitive& primitive, const Sample& sample);

/// Samples for a primitive: many shapes for an elementwise one, a list by name for the others. Empty where there is
/// none, which fails a test.
std::vector<Sample> samples(const Primitive& primitive);

/// The dtypes of operand `k` when the primitive computes in `dtype` (the condition of `where` stays boolean, indices int64).
DType operand_dtype(const Primitive& primitive, std::size_t k, DType dtype);

/// Whether operand `k` is computed from others, by `applied`, and no variable.
bool is_given(const Primitive& primitive, std::size_t k);

bool is_index(const Primitive& primitive, std::size_t k);
/// One that the primitive takes: float64 where it does.
DType a_dtype(const Primitive& primitive);

/// The last domain given serves all further operands.
const Domain& domain_of(const Primitive& primitive, std::size_t k);

/// A random operand `k` from the primitive's domain.
Tensor sample_operand(const Primitive& primitive, std::size_t k, const Shape& shape, DType dtype, Random& random);
/// The same of an operand that is indices.
Tensor sample_indices(const Sample& sample, std::size_t k, Random& random);
std::vector<Tensor> sample_operands(const Primitive& primitive, const Sample& sample, DType dtype, Random& random);

/// Records the primitive on random operands (a parameter, then inputs), and after it the cotangent of the last floating
/// operand where there is one. Gives the primitive's result.
Node record_with_derivative(Tape& tape, const Primitive& primitive, const Sample& sample);

/// Whether it runs programs: what it computes is a matter of these (tests/bodies_*.cpp).
bool has_bodies(const Primitive& primitive);
/// The library's primitives, but for leaves, further results, and what has bodies.
std::vector<const Primitive*> operations();

}  // namespace gradtape::test

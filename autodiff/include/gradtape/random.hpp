// Random numbers as values. A key is an int64 tensor of shape (2,); the same key gives the same numbers, on every machine and
// in every mode, so whoever wants others takes another key: a child of split, or fold_in of a step's number. A compiled step
// takes its key as an input. docs/random.md says how bits become numbers.
//
// A key that is none is refused: DTypeError, ShapeError. No derivative goes through a key, nor through numbers made of it.
#pragma once

#include <gradtape/ops.hpp>

namespace gradtape {

/// The key of a seed, for Tape::input or Tape::constant: (seed, 0), the seed modulo 2^64.
template <std::integral Integer>
Tensor random_key(Integer seed, Where where = Where::here()) {
    return Tensor::from<std::int64_t>({std::int64_t(seed), 0}, {2}, where);
}

/// n keys that have nothing to do with `key`, its numbers and its fold_in. ValueError unless 0 ≤ n ≤ 2^20.
std::vector<Node> split(Operand key, std::int64_t n);
/// A key for the int64 number i, a node of shape () or an integer: such as the number of a step, or of a layer.
Node fold_in(Operand key, Operand i);

/// Philox 4x32-10 (Salmon et al. 2011): int64 numbers of so many random bits; from 0 to 2^bits − 1, but of 64 bits all int64.
/// ShapeError where `bits` is not from 1 to 64, or the shape is none.
Node random_bits(Operand key, const Shape& shape, std::int64_t bits = 64);
/// In [low, high): low + (high − low) u with u = b 2^−53, b of 53 random bits; in float32 b 2^−24, b of 24. `low` where
/// both are one. ValueError unless low ≤ high, both and their difference finite in the dtype, which is floating.
Node uniform(Operand key, const Shape& shape, DType dtype = DType::float64, Number low = 0, Number high = 1);
/// Mean 0, variance 1: the inverse of the normal distribution at the middle of one of 2^53 equal intervals, by algorithm
/// AS 241 (Wichura 1988), to 15 digits also in the tails, which end at ±8.3. float32 is float64 rounded.
Node normal(Operand key, const Shape& shape, DType dtype = DType::float64);
/// Mean 1: −log u for u as normal's, which are in (0, 1). From 2^−54 to 37.5.
Node exponential(Operand key, const Shape& shape, DType dtype = DType::float64);
/// −log(−log u), the distribution of Gumbel; what categorical adds to logits. From −3.7 to 37.5.
Node gumbel(Operand key, const Shape& shape, DType dtype = DType::float64);
/// Boolean, true with probability p, a number or a node that broadcasts to `shape`: uniform < p, in p's dtype.
/// ValueError where the number p is outside [0, 1].
Node bernoulli(Operand key, Operand p, const Shape& shape);
/// argmax(logits + gumbel) along one axis: i with probability softmax(logits)_i, int64. Edge: −inf is never chosen where others
/// are not; of a row of −inf the first is, and of one with NaN the first NaN. ShapeError on an empty axis.
Node categorical(Operand key, Operand logits, Axis axis = -1);
/// The numbers 0 to n − 1 in random order, int64: argsort of 64 random bits each. ValueError unless 0 ≤ n ≤ 2^40.
Node permutation(Operand key, std::int64_t n);
/// x / (1 − rate) where kept, with probability 1 − rate to within 2^−32, else 0, also of NaN. x̄ = z̄ / (1 − rate) where kept,
/// else 0. ValueError unless 0 ≤ rate < 1. At rate 0 it is x itself. Floating only.
Node dropout(Operand key, Number rate, Operand x);

}  // namespace gradtape

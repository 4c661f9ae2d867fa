// Elements at places that are data, and in the order of their values: take, scatter, slices whose start is computed; argmax,
// sort, topk, cumsum, flip, roll.
//
// Places are int64: a node, a tensor, which becomes a constant, or a number. Along an axis of n, i from −n to n − 1 are places,
// a negative one counts from the end; any other is refused (ValueError), in a replay too, which then leaves parameters as they
// were. Places have no derivative.
#pragma once

#include <gradtape/ops.hpp>

namespace gradtape {

// ---- at places that are data: any dtype -------------------------------------------------------------------

/// z = x[…, indices, …], the indices in place of x's `axis`: of shape x.shape[:axis] + indices.shape + x.shape[axis+1:].
/// x̄ = scatter_add(0, indices, z̄, axis).
Node take(Operand x, Operand indices, Axis axis);
/// In each row along `axis`, the elements at indices of its own: indices have x's rank, and its extents but along `axis`.
/// x̄ = scatter_add_along_axis(0, indices, z̄, axis).
Node take_along_axis(Operand x, Operand indices, Axis axis);
/// z = x, to which updates are added where `take` takes them from: of the shape of take(x, indices, axis), or a number. Those of
/// one place are added in their order. x̄ = z̄; of the updates take(z̄, indices, axis). Of float32, float64, int64.
Node scatter_add(Operand x, Operand indices, Operand updates, Axis axis);
/// The same where `take_along_axis` takes them from. Of float32, float64, int64.
Node scatter_add_along_axis(Operand x, Operand indices, Operand updates, Axis axis);
/// z = x, in which updates stand where `take` takes them from; any dtype. Of several for one place the last stays, and it alone
/// has a derivative. x̄ = z̄ with 0 at these places.
Node scatter(Operand x, Operand indices, Operand updates, Axis axis);
/// The same where `take_along_axis` takes them from; any dtype.
Node scatter_along_axis(Operand x, Operand indices, Operand updates, Axis axis);
/// The window of x of extents `shape` that begins at `starts`, of shape (x.rank,); any dtype. One that does not lie inside is
/// refused (ValueError). x̄ = z̄ there, else 0.
Node dynamic_slice(Operand x, Operand starts, const Shape& shape);
/// x, in which `update` stands at `starts`; likewise; any dtype. x̄ = z̄ with 0 there; of the update z̄'s window.
Node dynamic_update_slice(Operand x, Operand update, Operand starts);
/// z = 1 where the place along a new last axis of extent n is the index, else 0: float32, float64, int64 or boolean.
Node one_hot(Operand indices, std::int64_t n, DType dtype = DType::float64);

// ---- in order: float32, float64, int64 --------------------------------------------------------------------

/// The place of the largest along an axis, as int64: the first of several, and of a NaN where there is one. No derivative.
/// ShapeError on an empty axis.
Node argmax(Operand x, Axis axis, Keepdims keepdims = false);
/// The place of the smallest; as argmax.
Node argmin(Operand x, Axis axis, Keepdims keepdims = false);

struct Sorted {
    Node values;
    Node indices;  ///< places in x along the axis, int64
};
/// In ascending order along an axis, equal elements in their order (−0 equals 0), NaN last.
/// x̄ = scatter_add_along_axis(0, indices, z̄, axis).
Sorted sort(Operand x, Axis axis = -1);
/// The places that `sort` takes them from.
Node argsort(Operand x, Axis axis = -1);
/// The k largest along an axis, the largest first, equal ones in their order, and NaN before all. Derivative as of sort.
/// ShapeError where there are fewer.
Sorted topk(Operand x, std::int64_t k, Axis axis = -1);
/// z_i = x_0 + … + x_i along an axis, added in that order; reversed, x_i + … + x_n−1. x̄ = cumsum(z̄, axis, not reverse).
Node cumsum(Operand x, Axis axis, bool reverse = false);

// ---- moved along an axis: any dtype -----------------------------------------------------------------------

/// z_i = x_n−1−i along an axis.
Node flip(Operand x, Axis axis);
/// z_i = x_(i − shift) mod n along an axis.
Node roll(Operand x, std::int64_t shift, Axis axis);

}  // namespace gradtape

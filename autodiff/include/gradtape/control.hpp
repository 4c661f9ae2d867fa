// Programs within programs: a function is recorded once, as the body of one instruction.
//
// A body is recorded abstractly, on a tape of its own: it reads no values, and takes those of the tape around it as operands (a
// node of that tape is refused, TapeError). It has no parameters of its own. Derivatives and batches of it are again
// instructions with bodies. Bodies are nested at most 32 deep (ValueError).
#pragma once

#include <gradtape/program.hpp>

#include <functional>

namespace gradtape {

/// What becomes a body: it is called once, with its operands, and returns its results, a Node or several.
using BodyFunction = std::function<Several<Node>(std::span<const Node>)>;

/// The body that f is for operands of these types: to be used more than once, or by a primitive of one's own.
Subprogram record_body(const BodyFunction& f, std::span<const Type> operands, Where where = Where::here());
/// Records a body's instructions for these operands, as if its function had been called. Its results. ShapeError or DTypeError
/// where the operands are not of its types.
std::vector<Node> expand(const Subprogram& body, const Several<Node>& operands, Where where = Where::here());

/// f(operands) as one instruction. Compiled, its instructions take its place; so a call costs nothing, and has the bits of
/// plain recording. x̄ = a call of f's own reverse pass.
std::vector<Node> call(const BodyFunction& f, const Several<Node>& operands, Where where = Where::here());
/// The same of a body.
std::vector<Node> call(const Subprogram& body, const Several<Node>& operands, Where where = Where::here());

/// f(operands), of which nothing is kept for the reverse pass: that computes f once more, from the operands, when it gets there.
/// So a replay holds the values within f no longer than f, or its reverse pass, runs; and so does a tape.
std::vector<Node> checkpoint(const BodyFunction& f, const Several<Node>& operands, Where where = Where::here());

/// x̄ from the operands x, the results z and the cotangents z̄ (default-made for what is not floating): one for each operand,
/// default-made for zero.
using VjpFunction = std::function<Several<Node>(std::span<const Node> x, std::span<const Node> z, std::span<const Node> z_bar)>;
/// ż from the operands x, the results z and the tangents ẋ, likewise.
using JvpFunction = std::function<Several<Node>(std::span<const Node> x, std::span<const Node> z, std::span<const Node> x_dot)>;

/// f(operands) with a reverse pass of one's own. Differentiated again, it is the rule that is; forward mode is its transpose, so
/// it has to be linear in z̄ (else its slope at z̄ = 0 is taken). Bodies and derivatives are instructions like any others.
std::vector<Node> custom_vjp(const BodyFunction& f, const VjpFunction& rule, const Several<Node>& operands, Where where = Where::here());
/// f(operands) with a forward mode of one's own; the reverse pass is its transpose.
std::vector<Node> custom_jvp(const BodyFunction& f, const JvpFunction& rule, const Several<Node>& operands, Where where = Where::here());

}  // namespace gradtape

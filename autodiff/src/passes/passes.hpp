// The passes: each takes a program and gives one that computes the same bits (gemm_updates, which is off by default,
// excepted). One pass per file.
#pragma once

#include "../ir/program.hpp"

namespace gradtape::detail {

using Body = Program::Body;

/// The bodies of calls take their places.
Body inline_calls(const Body& body);
/// Instructions whose operands are all constants become constants, computed by the kernels that would have run.
Body fold_constants(const Body& body);
/// Rewrites that keep every bit: x·1, x/1, −−x, reshape of reshape, transpose of transpose, cast to the same dtype, …
Body simplify(const Body& body);
/// Equal instructions on equal operands become one.
Body merge_common(const Body& body);
/// What several functions of one value have in common (`Primitive::part`), a value and its slope say, is computed once.
Body share_parts(const Body& body);
/// w ± s (x y) becomes one product added to w: rounded once less, so not the same bits as plain execution.
Body gemm_updates(const Body& body);
/// What no output, update or guard needs goes. Input and parameter leaves stay.
Body remove_dead(const Body& body);

}  // namespace gradtape::detail

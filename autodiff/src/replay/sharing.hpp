// Whether a kernel may be shared out among threads.
#pragma once

#include "plan.hpp"

#include <optional>

namespace gradtape::detail {

/// The first way of cutting a prepared call whose parts give the bits of the call as a whole, or nothing. Ours are made
/// so; OpenBLAS does not promise it of products, so each is tried, on numbers without pattern.
std::optional<std::int64_t> way_of_sharing(const Call& call);

}  // namespace gradtape::detail

// Settling the sizes of reductions over one run of neighbouring axes: attribute `axes`, ascending and without gaps.
#pragma once

#include "kernels.hpp"

namespace gradtape::detail {

inline const Shape& axes_of(const Attributes& attributes) { return attributes.get<Shape>("axes"); }

/// x seen as (outer, reduced, inner).
struct View {
    std::int64_t outer = 1, reduced = 1, inner = 1;
};
inline View view(const Shape& shape, const Shape& axes) {
    View v;
    for (std::int64_t i = 0; i < std::int64_t(shape.rank()); ++i) {
        const bool reduced = !axes.empty() && i >= axes[0] && i <= axes.back();
        (reduced ? v.reduced : i < (axes.empty() ? INT64_MAX : axes[0]) ? v.outer : v.inner) *= shape[i];
    }
    return v;
}

namespace GRADTAPE_ISA {

using Prepare = Prepared(std::span<const Type* const> x, const Type& z, const Attributes& attributes);
Prepare prepare_sum, prepare_prod, prepare_max, prepare_min, prepare_logsumexp, prepare_norm, prepare_direction, prepare_mean, prepare_softmax, prepare_log_softmax;

}  // namespace GRADTAPE_ISA
}  // namespace gradtape::detail

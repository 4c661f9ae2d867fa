// Sums that take their elements piece by piece, in the same tree as reduce_sum.
#pragma once

#include "kernels.hpp"

namespace gradtape::detail::GRADTAPE_ISA {

extern const StreamReduction sum_stream_float, sum_stream_double;

}  // namespace gradtape::detail::GRADTAPE_ISA

// Sums that take their elements piece by piece, in the same tree as reduce_sum.
#pragma once

#include "kernels.hpp"

namespace gradtape::detail::GRADTAPE_ISA {

extern const StreamReduction sum_stream_float, sum_stream_double;
extern const RowReduction row_sum_float, row_sum_double;

}  // namespace gradtape::detail::GRADTAPE_ISA

// Loops over rows: which units can run stretch by stretch.
#pragma once

#include "schedule.hpp"

namespace gradtape::detail {

/// Brings units that can form loops together, as early as they can be, and says which these are.
void find_row_loops(const Program::Body& body, const CompileOptions& options, Schedule& schedule);

}  // namespace gradtape::detail

// From a program to a plan.
#pragma once

#include "../replay/plan.hpp"

namespace gradtape::detail {

/// Turns a program into a plan. ShapeError, which names the caller's line, where its values are too large.
Plan make_plan(const Program::Body& body, const CompileOptions& options, Where where);

}  // namespace gradtape::detail

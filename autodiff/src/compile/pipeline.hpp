// The passes in their order, with an account of what each did.
#pragma once

#include <gradtape/compile.hpp>

#include "../passes/passes.hpp"

namespace gradtape::detail {

/// Runs the passes that `options` asks for, and appends a line for each to `report`.
Program::Body optimised(Program::Body body, const CompileOptions& options, std::string& report);

}  // namespace gradtape::detail

// The passes in their order.
#include "pipeline.hpp"

#include "../ir/verify.hpp"

#include <algorithm>

namespace gradtape::detail {

Program::Body optimised(Program::Body body, const CompileOptions& options, std::string& report) {
    const bool calls = std::any_of(body.instructions.begin(), body.instructions.end(),
                                   [](const Instruction& i) { return i.primitive->inlined; });
    const auto run = [&](bool wanted, const char* name, Body (*pass)(const Body&)) {
        if (!wanted) return;
        const std::size_t before = body.instructions.size();
        body = pass(body);
        report += std::string(name) + ": " + std::to_string(before) + " -> " + std::to_string(body.instructions.size()) +
                  " instructions\n";
#ifndef NDEBUG
        verify(body.instructions, body.outputs);
#endif
    };
    report += "recorded: " + std::to_string(body.instructions.size()) + " instructions\n";
    run(options.inline_calls && calls, "inline_calls", &inline_calls);
    run(options.remove_dead, "remove_dead", &remove_dead);
    run(options.fold, "fold", &fold_constants);
    run(options.simplify, "simplify", &simplify);
    run(options.merge, "merge", &merge_common);
    run(options.merge, "parts", &share_parts);
    run(options.gemm_updates, "gemm_updates", &gemm_updates);
    run(options.remove_dead, "remove_dead", &remove_dead);
    return body;
}

}  // namespace gradtape::detail

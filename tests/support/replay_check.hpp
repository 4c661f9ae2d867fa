// Whether a program gives the bits of plain evaluation, however it is compiled; and a smaller one that does not.
#pragma once

#include "tensors.hpp"

#include <gradtape/compile.hpp>

#include "ir/program.hpp"

namespace gradtape::test {

struct Leaves {
    std::vector<Tensor> inputs, parameters;
};

/// A program, the leaves it is recorded with, and others to replay it with.
struct Case {
    Program::Body body;
    Leaves recorded, fresh;
};

/// The program recorded once more by the public interface, with what `compile` takes.
struct Recording {
    Recording(const Program::Body& body, const Leaves& leaves, gradtape::Recording mode = gradtape::Recording::eager);
    Tape tape;
    std::vector<Node> outputs;
    std::vector<Update> updates;

    Compiled compiled(const CompileOptions& options) const { return compile(tape, outputs, updates, options); }
};

struct NamedOptions {
    std::string name;
    CompileOptions options;
};
/// All passes, none, each alone, all but each; once each with dead buffers spoilt, and all and none without.
std::span<const NamedOptions> option_sets();

/// What plain evaluation says a replay does: results, the parameters after it, and the guards that fail.
struct Expected {
    std::vector<Tensor> outputs, parameters;
    struct Guard {
        double expected, found;
        unsigned line;
    };
    std::vector<Guard> failing;
};
Expected expected(const Program::Body& body, const Leaves& leaves);

/// Guards of `body` expect what they find on `leaves`.
void settle_guards(Program::Body& body, const Leaves& leaves);

/// Compiles with `options`, then replays as recorded, again, on the fresh leaves, and as recorded once more. "" where
/// all results, parameters and guards are as plain evaluation says and results kept from earlier replays stay; else
/// what differs.
std::string check_replay(const Case& its, const NamedOptions& options);
/// The same for every option set; of many cases one in four takes turns, beside "all" and "none".
std::string check_replay(const Case& its, std::optional<std::size_t> turn = {});

/// Says what is wrong with a case; "" where nothing is.
using Complaint = std::function<std::string(const Case&)>;
/// Makes a case smaller as long as there is a complaint: results, guards and instructions go, values become inputs.
Case shrunk(Case its, const Complaint& complaint);
/// The complaint, the program as text, and its leaves.
std::string report(const Case& its, const std::string& complaint);

}  // namespace gradtape::test

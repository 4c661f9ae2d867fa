// What every pass must keep: the rules of a program, its leaves and guards, and every bit of its results.
#pragma once

#include "tensors.hpp"

#include "ir/program.hpp"

namespace gradtape::test {

using Body = Program::Body;

struct NamedPass {
    const char* name;
    Body (*run)(const Body&);
};
/// Each pass alone, then all in several orders.
std::span<const NamedPass> passes();

/// "" where `body` keeps the rules of a program and of its lists, else what is broken.
std::string broken_rule(const Body& body);
/// "" where `after` has the leaves, effects and results of `before`, else what is lost.
std::string lost(const Body& before, const Body& after);
/// "" where both give the same bits on these leaves, else which result differs and how.
std::string different(const std::vector<Tensor>& expected, const std::vector<Tensor>& actual);
/// Runs every pass on `body` and compares; "" or the first complaint, with both programs as text.
std::string check_passes(const Body& body, std::span<const Tensor> inputs, std::span<const Tensor> parameters);

/// A body as text.
std::string text(const Body& body);
/// How many instructions are of the primitive `name`.
std::size_t count(const Body& body, std::string_view name);

}  // namespace gradtape::test

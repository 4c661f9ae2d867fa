#include "program_file.hpp"

#include <gradtape/ops.hpp>
#include <gradtape/transforms.hpp>

#include "serialise/format.hpp"

#include <cstdio>
#include <cstdlib>
#include <fstream>

namespace gradtape::test {
namespace {

std::string difference(const detail::Instruction& a, const detail::Instruction& b) {
    if (a.primitive != b.primitive) return "primitive";
    if (!(a.attributes == b.attributes)) return "attributes";
    if (!std::equal(a.operands.begin(), a.operands.end(), b.operands.begin(), b.operands.end())) return "operands";
    if (!(a.type == b.type)) return "type";
    return to_string(a.where) == to_string(b.where) ? "" : "source line";
}

bool same(const std::vector<Tensor>& a, const std::vector<Tensor>& b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const Tensor& x, const Tensor& y) { return same_bits(x, y); });
}

void append(std::string& bytes, const Tensor& tensor) {
    if (tensor.bytes()) bytes.append(static_cast<const char*>(tensor.raw()), tensor.bytes());
}

}  // namespace

Folder::Folder() {
    std::string name = (std::filesystem::temp_directory_path() / "gradtape-XXXXXX").string();
    path = mkdtemp(name.data());
}

Folder::~Folder() { std::filesystem::remove_all(path); }

std::string read_file(const std::filesystem::path& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

Program training_step(Tape& tape) {
    const Node x = tape.input(Tensor{{1, 2, 3}, {4, 5, 6}}), w = tape.parameter(Tensor{0.1, -0.0, 0.3});
    const Node rate = tape.parameter(Tensor(0.01)), target = tape.constant(Tensor{1, -2});
    const Node loss = mean(square(matmul(x, w) - target));
    tape.guard_reads(true);
    (void)rate.item();
    return Program(tape, {loss}, {{w, w - rate * grad(loss, w)}});
}

Program program_of(const Program::Body& body) { return Program(std::make_unique<Program::Body>(body)); }

std::string sealed(std::string bytes) {
    const std::size_t line = bytes.find("\ndata ");
    if (line == bytes.npos) return bytes;
    const std::size_t blank = bytes.find(' ', line + 6), end = bytes.find('\n', line + 1);
    if (blank == bytes.npos || end == bytes.npos || end != blank + 17) return bytes;
    const std::string_view all = bytes;
    char sum[17];
    std::snprintf(sum, sizeof sum, "%016llx",
                  static_cast<unsigned long long>(detail::format::checksum(
                      all.substr(end + 1), detail::format::checksum(all.substr(0, blank + 1)))));
    return bytes.replace(blank + 1, 16, sum);
}

std::string difference(const Program& first, const Program& second) {
    const Program::Body &a = first.body(), &b = second.body();
    if (a.instructions.size() != b.instructions.size()) return "number of instructions";
    for (std::size_t i = 0; i < a.instructions.size(); ++i)
        if (const std::string what = difference(a.instructions[i], b.instructions[i]); !what.empty())
            return what + " of %" + std::to_string(i);
    if (a.outputs != b.outputs || a.inputs != b.inputs || a.parameters != b.parameters) return "results or leaves";
    const auto same_update = [](const auto& x, const auto& y) { return x.parameter == y.parameter && x.value == y.value; };
    if (!std::equal(a.updates.begin(), a.updates.end(), b.updates.begin(), b.updates.end(), same_update)) return "updates";
    const auto same_constant = [](const auto& x, const auto& y) { return x.index == y.index && same_bits(x.value, y.value); };
    if (!std::equal(a.constants.begin(), a.constants.end(), b.constants.begin(), b.constants.end(), same_constant))
        return "constants";
    return same(a.input_values, b.input_values) && same(a.parameter_values, b.parameter_values) ? "" : "leaf values";
}

std::string replayed(const Compiled& compiled, int runs) {
    std::string bytes;
    Replay replay(compiled);
    try {
        for (int i = 0; i < runs; ++i) {
            replay.run();
            for (std::size_t k = 0; k < compiled.output_count(); ++k) append(bytes, replay.output(k));
        }
    } catch (const GuardFailed& failed) {
        bytes += failed.what();
    }
    for (std::size_t k = 0; k < compiled.parameter_count(); ++k) append(bytes, replay.parameter(k));
    return bytes;
}

}  // namespace gradtape::test

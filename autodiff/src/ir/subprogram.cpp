// Programs as attributes: checked and trimmed when made, then immutable.
#include "program.hpp"
#include "verify.hpp"

#include "../support/hash.hpp"

#include <algorithm>
#include <cstring>

namespace gradtape {

using detail::Index;
using detail::Instruction;
using detail::mix;

namespace {

constexpr std::uint64_t heaviest = std::uint64_t(1) << 62;

[[noreturn]] void refuse(const std::string& problem, Where where) { throw ValueError(problem, {"subprogram", {}, {}, where}); }

void check(const Program::Body& body, Where where) {
    if (body.outputs.empty()) refuse("a program without results computes nothing", where);
    if (!body.updates.empty()) refuse("a program within another one updates no parameters", where);
    for (const Instruction& instruction : body.instructions) {
        if (instruction.primitive->effect) refuse("a program within another one guards nothing: its numbers cannot be read", where);
    }
    if (!body.parameters.empty()) refuse("a program within another one has no parameter of its own; give the value as an operand", where);
}

/// What the results need, and the inputs.
std::unique_ptr<Program::Body> trimmed(const Program::Body& body) {
    const std::size_t size = body.instructions.size();
    std::vector<char> live(size);
    for (Index i : body.inputs) live[i] = true;
    for (Index i : body.outputs) live[i] = true;
    for (std::size_t i = size; i-- > 0;)
        if (live[i])
            for (Index operand : body.instructions[i].operands) live[operand] = true;
    auto result = std::make_unique<Program::Body>();
    std::vector<Index> now(size);
    for (Index i = 0; i < size; ++i) {
        if (!live[i]) continue;
        now[i] = Index(result->instructions.size());
        Instruction& kept = result->instructions.emplace_back(body.instructions[i]);
        for (std::size_t k = 0; k < kept.operands.size(); ++k) kept.operands[k] = now[kept.operands[k]];
    }
    for (const auto& constant : body.constants)
        if (live[constant.index]) result->constants.push_back({now[constant.index], constant.value});
    for (Index i : body.outputs) result->outputs.push_back(now[i]);
    for (Index i : body.inputs) result->inputs.push_back(now[i]);
    result->names = body.names;
    return result;
}

bool same_bytes(const Tensor& a, const Tensor& b) {
    return a.raw() == b.raw() || (a.type() == b.type() && std::memcmp(a.raw(), b.raw(), a.bytes()) == 0);
}

std::size_t hash_of(const Program::Body& body) {
    std::size_t seed = body.instructions.size();
    for (const Instruction& instruction : body.instructions) {
        seed = mix(seed, std::hash<const void*>()(instruction.primitive));
        for (Index operand : instruction.operands) seed = mix(seed, operand);
        seed = mix(mix(seed, instruction.attributes.hash()), std::uint64_t(instruction.type.dtype));
        for (std::int64_t extent : instruction.type.shape) seed = mix(seed, std::uint64_t(extent));
    }
    for (const auto& constant : body.constants) {
        const std::size_t bytes = std::min<std::size_t>(constant.value.bytes(), 4096);
        seed = mix(seed, std::hash<std::string_view>()({static_cast<const char*>(constant.value.raw()), bytes}));
    }
    for (Index i : body.outputs) seed = mix(seed, i);
    return seed;
}

}  // namespace

struct Subprogram::Content {
    Program program;
    std::vector<Type> inputs = {}, outputs = {};
    int depth = 1;
    std::uint64_t weight = 0;
    std::size_t hash = 0;
};

Subprogram::Subprogram(const Program& program, Where where) {
    const Program::Body& given = program.body(where);
    check(given, where);
    detail::verify(given.instructions, given.outputs, where);
    std::unique_ptr<Program::Body> body = trimmed(given);
    // Names of a loaded program's lines end with it; one that is used elsewhere speaks from its user's line.
    if (body->names && where.file) {
        for (Instruction& instruction : body->instructions) instruction.where = where;
        body->names = nullptr;
    }
    const auto content = std::make_shared<Content>(Content{Program(std::move(body))});
    const Program::Body& kept = content->program.body();
    for (Index i : kept.inputs) content->inputs.push_back(kept.instructions[i].type);
    for (Index i : kept.outputs) content->outputs.push_back(kept.instructions[i].type);
    for (const Instruction& instruction : kept.instructions) {
        ++content->weight;
        for (const Attribute& attribute : instruction.attributes.list())
            if (const Subprogram* its = std::get_if<Subprogram>(&attribute.value)) {
                content->depth = std::max(content->depth, its->depth() + 1);
                content->weight = std::min(heaviest, content->weight + its->weight());
            }
    }
    if (content->depth > max_depth) refuse("programs are nested " + std::to_string(content->depth) + " deep; needs at most 32", where);
    content->hash = hash_of(kept);
    content_ = content;
}

const Program& Subprogram::program() const noexcept { return content_->program; }
std::span<const Type> Subprogram::inputs() const noexcept { return content_->inputs; }
std::span<const Type> Subprogram::outputs() const noexcept { return content_->outputs; }
int Subprogram::depth() const noexcept { return content_->depth; }
std::uint64_t Subprogram::weight() const noexcept { return content_->weight; }
std::size_t Subprogram::hash() const noexcept { return content_->hash; }

bool operator==(const Subprogram& a, const Subprogram& b) {
    if (a.content_ == b.content_) return true;
    if (a.content_->hash != b.content_->hash) return false;
    const Program::Body &x = a.program().body(), &y = b.program().body();
    const auto same_instructions = [](const Instruction& i, const Instruction& j) {
        return i.primitive == j.primitive && i.type == j.type && i.operands == j.operands && i.attributes == j.attributes;
    };
    const auto same_constants = [](const Program::Body::Constant& i, const Program::Body::Constant& j) {
        return i.index == j.index && same_bytes(i.value, j.value);
    };
    return x.outputs == y.outputs && x.inputs == y.inputs &&
           std::equal(x.instructions.begin(), x.instructions.end(), y.instructions.begin(), y.instructions.end(), same_instructions) &&
           std::equal(x.constants.begin(), x.constants.end(), y.constants.begin(), y.constants.end(), same_constants);
}

}  // namespace gradtape

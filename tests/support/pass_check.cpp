#include "pass_check.hpp"

#include "ir/verify.hpp"
#include "passes/passes.hpp"
#include "primitives/catalogue.hpp"
#include "tape/evaluate.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace gradtape::test {

using detail::fold_constants;
using detail::Index;
using detail::Instruction;
using detail::merge_common;
using detail::Op;
using detail::remove_dead;
using detail::share_parts;
using detail::simplify;

namespace {

const NamedPass pass_table[] = {
    {"remove_dead", remove_dead},
    {"merge_common", merge_common},
    {"fold_constants", fold_constants},
    {"simplify", simplify},
    {"share_parts", share_parts},
    {"fold, simplify, merge, dead",
     [](const Body& b) { return remove_dead(merge_common(simplify(fold_constants(b)))); }},
    {"simplify, fold, simplify, merge, dead",
     [](const Body& b) { return remove_dead(merge_common(simplify(fold_constants(simplify(b))))); }},
    {"share, simplify, merge, share, dead",
     [](const Body& b) { return remove_dead(share_parts(merge_common(simplify(share_parts(b))))); }},
    {"merge, simplify, dead, fold, merge, simplify, dead",
     [](const Body& b) {
         return remove_dead(simplify(merge_common(fold_constants(remove_dead(simplify(merge_common(b)))))));
     }},
};

std::vector<const Instruction*> effects(const Body& body) {
    std::vector<const Instruction*> result;
    for (const Instruction& instruction : body.instructions)
        if (instruction.primitive->effect) result.push_back(&instruction);
    return result;
}

std::string leaf_rule(const Body& body, const std::vector<Index>& leaves, Op kind) {
    for (std::size_t k = 0; k < leaves.size(); ++k) {
        if (leaves[k] >= body.instructions.size()) return "a leaf does not exist";
        if (body.instructions[leaves[k]].primitive != &detail::primitive(kind)) return "a leaf of another kind is listed";
        if (k && leaves[k] <= leaves[k - 1]) return "leaves are not in order";
    }
    return "";
}

std::string bytes_of(const Tensor& tensor, std::size_t element) {
    const std::size_t width = size_of(tensor.dtype());
    std::uint64_t bits = 0;
    std::memcpy(&bits, static_cast<const char*>(tensor.raw()) + element * width, width);
    char text[20];
    std::snprintf(text, sizeof text, "%0*llx", int(2 * width), static_cast<unsigned long long>(bits));
    return text;
}

/// Two NaNs count as one: which of two a sum or product keeps, and its sign, is the compiler's choice of operand order.
bool both_nan(const Tensor& a, const Tensor& b, std::size_t element) {
    const auto is_nan = [&](const Tensor& tensor) {
        if (tensor.dtype() == DType::float32) return std::isnan(tensor.data<float>()[element]);
        return tensor.dtype() == DType::float64 && std::isnan(tensor.data<double>()[element]);
    };
    return is_nan(a) && is_nan(b);
}

}  // namespace

std::span<const NamedPass> passes() { return pass_table; }

std::string broken_rule(const Body& body) {
    detail::verify(body.instructions, body.outputs);
    const std::size_t size = body.instructions.size();
    for (std::size_t k = 0; k < body.constants.size(); ++k) {
        const auto& constant = body.constants[k];
        if (constant.index >= size) return "a constant does not exist";
        if (k && constant.index <= body.constants[k - 1].index) return "constants are not in order";
        const Instruction& instruction = body.instructions[constant.index];
        if (!instruction.primitive->leaf || !(instruction.type == constant.value.type()))
            return "%" + std::to_string(constant.index) + " has a tensor of another type, or is no constant";
        if (!instruction.attributes.list().empty()) return "a constant has both a number and a tensor";
    }
    for (Index i = 0; i < size; ++i) {
        const Instruction& instruction = body.instructions[i];
        const bool tensor = std::any_of(body.constants.begin(), body.constants.end(), [&](auto& c) { return c.index == i; });
        if (instruction.primitive == &detail::primitive(Op::constant) && !tensor && instruction.attributes.list().empty())
            return "constant %" + std::to_string(i) + " has no value";
    }
    for (const auto& update : body.updates)
        if (update.value >= size || std::find(body.parameters.begin(), body.parameters.end(), update.parameter) ==
                                        body.parameters.end())
            return "an update is of no parameter, or its value does not exist";
    const std::string inputs = leaf_rule(body, body.inputs, Op::input);
    return inputs.empty() ? leaf_rule(body, body.parameters, Op::parameter) : inputs;
}

std::string lost(const Body& before, const Body& after) {
    if (before.inputs.size() != after.inputs.size() || before.parameters.size() != after.parameters.size())
        return "a leaf is lost";
    if (before.outputs.size() != after.outputs.size() || before.updates.size() != after.updates.size())
        return "a result is lost";
    const auto x = effects(before), y = effects(after);
    if (x.size() != y.size()) return "an effect is lost";
    for (std::size_t k = 0; k < x.size(); ++k)
        if (x[k]->primitive != y[k]->primitive || !(x[k]->attributes == y[k]->attributes) ||
            x[k]->where.line != y[k]->where.line)
            return "an effect is another";
    const auto has_line = [](const Instruction& i) { return i.where.file != nullptr; };
    if (std::all_of(before.instructions.begin(), before.instructions.end(), has_line) &&
        !std::all_of(after.instructions.begin(), after.instructions.end(), has_line))
        return "a source line is lost";
    return "";
}

std::string different(const std::vector<Tensor>& expected, const std::vector<Tensor>& actual) {
    if (expected.size() != actual.size()) return "there are more or fewer results";
    for (std::size_t k = 0; k < expected.size(); ++k) {
        if (same_bits(expected[k], actual[k])) continue;
        std::string text = "result " + std::to_string(k) + ": expected " + to_string(expected[k]) + ", got " +
                           to_string(actual[k]);
        if (!(expected[k].type() == actual[k].type())) return text;
        for (std::size_t i = 0; i < std::size_t(expected[k].elements()); ++i)
            if (bytes_of(expected[k], i) != bytes_of(actual[k], i) && !both_nan(expected[k], actual[k], i))
                return text + "; element " + std::to_string(i) + " is " + bytes_of(actual[k], i) + ", not " +
                       bytes_of(expected[k], i);
    }
    return "";
}

std::string check_passes(const Body& body, std::span<const Tensor> inputs, std::span<const Tensor> parameters) {
    const std::vector<Tensor> expected = detail::evaluate(body, inputs, parameters);
    for (const NamedPass& pass : passes()) {
        const Body after = pass.run(body);
        std::string wrong = broken_rule(after);
        if (wrong.empty()) wrong = lost(body, after);
        if (wrong.empty()) wrong = different(expected, detail::evaluate(after, inputs, parameters));
        if (!wrong.empty()) return std::string(pass.name) + ": " + wrong + "\n" + text(body) + "became\n" + text(after);
    }
    return "";
}

std::string text(const Body& body) {
    Tape nothing;
    Program program(nothing, {});
    const_cast<Body&>(program.body()) = body;
    return to_text(program);
}

std::size_t count(const Body& body, std::string_view name) {
    return std::size_t(std::count_if(body.instructions.begin(), body.instructions.end(),
                                     [&](const Instruction& i) { return name == i.primitive->name; }));
}

}  // namespace gradtape::test

// One instruction as text, for printouts and files.
#pragma once

#include "program.hpp"

#include <unordered_map>

namespace gradtape::detail {

/// How the text gives NaN: as `nan`, or by its bits, `nan:7ff8000000000000`, so that it reads back bit for bit.
enum class NanText : bool { short_form, bits };

/// The programs in the attributes of a program's instructions, and in theirs: each once, before those that use it, by which
/// order they are named @f0, @f1, …
class Functions {
public:
    explicit Functions(const Program::Body& body) { add(body); }
    std::span<const Subprogram> all() const noexcept { return all_; }
    std::string name(const Subprogram& its) const { return "@f" + std::to_string(numbers_.at(its)); }

private:
    struct Hash {
        std::size_t operator()(const Subprogram& its) const noexcept { return its.hash(); }
    };
    void add(const Program::Body& body);
    std::vector<Subprogram> all_;
    std::unordered_map<Subprogram, std::size_t, Hash> numbers_;
};

std::string value_text(const Attribute::Value& value, NanText nan, const Functions* functions = nullptr);

/// "%3 = sum %2 axes=(1,) keepdims=false : float64(2,)", without the source line.
std::string instruction_text(Index index, const Instruction& instruction, NanText nan, const Functions& functions);

}  // namespace gradtape::detail

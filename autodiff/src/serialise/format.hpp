// What the writer and the reader of program files agree on.
#pragma once

#include <gradtape/primitive.hpp>

#include "../support/extents.hpp"

#include <cstdint>
#include <string_view>

namespace gradtape::detail::format {

inline constexpr std::string_view magic = "gradtape program ";
inline constexpr std::string_view version = "1";
inline constexpr std::string_view version_with_functions = "2";

/// Integers in attributes and extents of shapes are at most this: shape rules can add and multiply two of them.
inline constexpr std::int64_t most = std::int64_t(1) << 31;

/// FNV-1a: an odd multiplier, so a change of any one byte changes it. Against damage, not against malice.
inline std::uint64_t checksum(std::string_view bytes, std::uint64_t seed = 0xCBF29CE484222325u) noexcept {
    for (const char byte : bytes) seed = (seed ^ static_cast<unsigned char>(byte)) * 0x100000001B3u;
    return seed;
}

inline bool is_letter(char c) noexcept { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
inline bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }
/// File names are bytes but for control characters.
inline bool is_printable(char c) noexcept { return static_cast<unsigned char>(c) >= 32 && c != 127; }

inline bool is_name(std::string_view name) noexcept {
    if (name.empty() || !is_letter(name[0])) return false;
    for (const char c : name)
        if (!is_letter(c) && !is_digit(c)) return false;
    return true;
}

/// "axes=… (integers)": what an attribute of this kind is called in messages.
constexpr const char* to_string(Setting::Kind kind) noexcept {
    switch (kind) {
        case Setting::Kind::flag: return "true or false";
        case Setting::Kind::integer: return "an integer";
        case Setting::Kind::number: return "a number";
        case Setting::Kind::dtype: return "an element type";
        case Setting::Kind::extents: return "a shape";
        case Setting::Kind::program: return "a program";
        default: return "a list of integers";
    }
}

inline bool are_allowed(std::span<const std::int64_t> integers) noexcept {
    for (const std::int64_t i : integers)
        if (i < -most || i > most) return false;
    return true;
}

/// Extents of a shape that may exist, and can be written.
inline bool is_allowed(const Shape& extents) noexcept {
    return are_allowed({extents.begin(), extents.end()}) && may_exist(extents);
}

}  // namespace gradtape::detail::format

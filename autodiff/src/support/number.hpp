// Numbers as text.
#pragma once

#include <charconv>
#include <string>

namespace gradtape::detail {

/// The shortest text that reads back as the same float or double.
template <class T>
std::string shortest(T number) {
    char text[32];
    return {text, std::to_chars(text, text + sizeof text, number).ptr};
}

}  // namespace gradtape::detail

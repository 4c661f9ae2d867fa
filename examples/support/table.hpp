// Plain tables on stdout.
#pragma once

#include <string>
#include <vector>

namespace examples {

/// printf into a string.
[[gnu::format(printf, 1, 2)]] std::string text(const char* format, ...);

/// Prints rows under a heading: the first column to the left, the others to the right.
void print_table(const std::string& title, const std::vector<std::string>& heading,
                 const std::vector<std::vector<std::string>>& rows);

}  // namespace examples

#include "table.hpp"

#include <algorithm>
#include <cstdarg>
#include <cstdio>

namespace examples {

std::string text(const char* format, ...) {
    va_list arguments, again;
    va_start(arguments, format);
    va_copy(again, arguments);
    std::string result(std::size_t(std::vsnprintf(nullptr, 0, format, arguments)), '\0');
    std::vsnprintf(result.data(), result.size() + 1, format, again);
    // The sign of a NaN says nothing.
    for (std::size_t at; (at = result.find("-nan")) != result.npos;) result.replace(at, 4, " nan");
    va_end(again);
    va_end(arguments);
    return result;
}

namespace {

// Characters, not bytes: the continuation bytes of UTF-8 take no room.
std::size_t width(const std::string& cell) {
    return std::size_t(std::count_if(cell.begin(), cell.end(), [](char c) { return (c & 0xC0) != 0x80; }));
}

}  // namespace

void print_table(const std::string& title, const std::vector<std::string>& heading,
                 const std::vector<std::vector<std::string>>& rows) {
    std::vector<std::size_t> widths;
    const auto measure = [&widths](const std::vector<std::string>& row) {
        widths.resize(std::max(widths.size(), row.size()));
        for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], width(row[i]));
    };
    measure(heading);
    for (const auto& row : rows) measure(row);
    const auto print = [&widths](const std::vector<std::string>& row) {
        std::string line = "  ";
        for (std::size_t i = 0; i < row.size(); ++i) {
            const std::string gap(widths[i] - width(row[i]), ' ');
            line += i == 0 ? row[i] + gap : "  " + gap + row[i];
        }
        line.erase(line.find_last_not_of(' ') + 1);
        std::printf("%s\n", line.c_str());
    };
    std::printf("\n%s\n", title.c_str());
    print(heading);
    std::size_t total = 0;
    for (std::size_t w : widths) total += w + 2;
    std::printf("  %s\n", std::string(total - 2, '-').c_str());
    for (const auto& row : rows) print(row);
}

}  // namespace examples

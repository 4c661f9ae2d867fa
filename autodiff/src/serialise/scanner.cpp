// Words and numbers of program files. Numbers are accepted only as they are written: one text for one value.
#include "scanner.hpp"

#include "../ir/print.hpp"
#include "../support/number.hpp"

#include <algorithm>
#include <bit>
#include <charconv>
#include <cmath>

namespace gradtape {

FormatError::FormatError(const std::string& problem, std::size_t line, std::size_t column, ErrorFacts facts)
    : Error(problem, std::move(facts)), line_(line), column_(column) {}

namespace detail {
namespace {

/// What stands in the file, short and printable, for messages.
std::string quoted(std::string_view text) {
    constexpr std::size_t longest = 40;
    std::string result = "'";
    for (const char c : text.substr(0, longest)) result += format::is_printable(c) ? c : '?';
    return result + (text.size() > longest ? "…'" : "'");
}

}  // namespace

void Scanner::fail(const std::string& problem, std::size_t at) const {
    const std::string_view before = bytes_.substr(0, at);
    const std::size_t line = 1 + std::size_t(std::count(before.begin(), before.end(), '\n'));
    const std::size_t start = before.rfind('\n');
    const std::size_t column = start == before.npos ? at + 1 : at - start;
    const std::string place = "line " + std::to_string(line) + ", column " + std::to_string(column) + ": ";
    throw FormatError((reading_.name.empty() ? "" : reading_.name + ", ") + place + problem, line, column,
                      {reading_.function, {}, {}, reading_.where});
}

void Scanner::fill_line() {
    constexpr std::size_t least = 1 << 16;
    std::size_t end = at_;  // of the line, or of what can be text: no line has a control character
    while (bytes_.size() < size()) {
        while (end < bytes_.size() && format::is_printable(bytes_[end])) ++end;
        if (end < bytes_.size()) return;
        bytes_ = source_.first(std::max(2 * bytes_.size(), least));
    }
}

void Scanner::end_line() {
    expect("\n");
    fill_line();
}

bool Scanner::take(std::string_view text) noexcept {
    if (!sees(text)) return false;
    at_ += text.size();
    return true;
}

void Scanner::expect(std::string_view text) {
    if (take(text)) return;
    const std::string wanted = text == "\n" ? "the end of the line" : "'" + std::string(text) + "'";
    fail("expected " + wanted + (at_ >= bytes_.size() ? ", but the file ends" : ", not " + quoted(bytes_.substr(at_, 12))));
}

std::string_view Scanner::take(std::size_t count) noexcept {
    const std::string_view taken = bytes_.substr(at_, count);
    at_ += taken.size();
    return taken;
}

std::string_view Scanner::word() noexcept {
    return take(std::min(bytes_.find_first_of(" \n", at_), bytes_.size()) - at_);
}

std::string_view Scanner::line_rest() noexcept { return take(std::min(bytes_.find('\n', at_), bytes_.size()) - at_); }

std::string_view Scanner::name(const char* what) {
    std::size_t length = 0;
    while (format::is_letter(next(length)) || format::is_digit(next(length))) ++length;
    if (!format::is_name(bytes_.substr(at_, length))) fail(std::string("expected ") + what);
    return take(length);
}

std::uint64_t Scanner::digits(std::uint64_t most) {
    const std::size_t start = at_;
    std::size_t length = 0;
    while (format::is_digit(next(length))) ++length;
    if (length == 0) fail("expected digits");
    const std::string_view text = take(length);
    if (length > 1 && text[0] == '0') fail("a number starts with 0", start);
    std::uint64_t value = 0;
    const auto read = std::from_chars(text.data(), text.data() + length, value);
    if (read.ec != std::errc() || value > most)
        fail("number " + quoted(text) + " is out of range; at most " + std::to_string(most) + " is allowed", start);
    return value;
}

std::int64_t Scanner::integer() {
    const std::size_t start = at_;
    const bool negative = take("-");
    const std::int64_t value = std::int64_t(digits(std::uint64_t(format::most)));
    if (negative && value == 0) fail("0 has no sign", start);
    return negative ? -value : value;
}

std::uint64_t Scanner::hex() {
    const std::size_t start = at_;
    const std::string_view text = take(std::size_t(16));
    std::uint64_t value = 0;
    const bool digits = text.size() == 16 && text.find_first_not_of("0123456789abcdef") == text.npos;
    if (!digits) fail("expected 16 hexadecimal digits", start);
    std::from_chars(text.data(), text.data() + 16, value, 16);
    return value;
}

double Scanner::number() {
    const std::size_t start = at_;
    if (take("nan:")) {
        const double value = std::bit_cast<double>(hex());
        if (!std::isnan(value)) fail("these are not the bits of a NaN", start);
        return value;
    }
    const std::string_view text = word();
    const std::optional<double> value = read_number(text);
    if (!value) fail(quoted(text) + " is no number, or out of range", start);
    const std::string written = value_text(*value, NanText::bits);
    if (text != written) fail("number " + quoted(text) + " is written " + written, start);
    return *value;
}

DType Scanner::dtype() {
    const std::size_t start = at_;
    const std::string_view text = name("an element type");
    for (const DType dtype : {DType::float32, DType::float64, DType::int64, DType::boolean})
        if (text == to_string(dtype)) return dtype;
    fail("unknown element type " + quoted(text), start);
}

Integers Scanner::integers(std::size_t most) {
    expect("(");
    Integers result;
    if (take(")")) return result;
    result.push_back(integer());
    if (take(",)")) return result;
    while (!take(")")) {
        expect(", ");
        if (result.size() == most) fail("more than " + std::to_string(most) + " axes");
        result.push_back(integer());
    }
    if (result.size() == 1) fail("expected ',' in a list of one", at_ - 1);
    return result;
}

Shape Scanner::list() {
    Shape result;
    for (std::int64_t integer : integers(Shape::max_rank)) result.push_back(integer);
    return result;
}

Shape Scanner::extents() {
    const std::size_t start = at_;
    const Shape shape = list();
    if (!format::is_allowed(shape)) fail("shape " + to_string(shape) + " has a negative extent or too many elements", start);
    return shape;
}

}  // namespace detail
}  // namespace gradtape

// Walks over the text of a program file, and refuses with line and column.
#pragma once

#include "format.hpp"
#include "read.hpp"

namespace gradtape::detail {

class Scanner {
public:
    Scanner(Source& source, Reading reading) : source_(source), reading_(std::move(reading)) { fill_line(); }

    const Reading& reading() const noexcept { return reading_; }
    std::size_t at() const noexcept { return at_; }
    /// How many bytes the file has.
    std::size_t size() const noexcept { return source_.size(); }
    /// What has been asked for of them: all up to the end of the current line.
    std::string_view bytes() const noexcept { return bytes_; }
    /// Asks for all.
    void fill() { bytes_ = source_.first(size()); }
    bool sees(std::string_view text) const noexcept { return bytes_.substr(at_, text.size()) == text; }
    char next(std::size_t ahead = 0) const noexcept { return at_ + ahead < bytes_.size() ? bytes_[at_ + ahead] : '\0'; }
    /// Steps over `text` where it comes next.
    bool take(std::string_view text) noexcept;
    /// Steps over `text`, which must come next.
    void expect(std::string_view text);
    /// Steps to the next line.
    void end_line();
    std::string_view take(std::size_t count) noexcept;
    /// The characters up to a blank or the end of the line.
    std::string_view word() noexcept;
    std::string_view line_rest() noexcept;
    std::string_view name(const char* what);

    /// Digits without leading zeros, at most `most`.
    std::uint64_t digits(std::uint64_t most);
    std::int64_t integer();
    /// 16 hexadecimal digits.
    std::uint64_t hex();
    double number();
    DType dtype();
    /// "(2, 3)"
    Shape list();
    /// The same of any length.
    Integers integers(std::size_t most = std::size_t(-1));
    Shape extents();

    [[noreturn]] void fail(const std::string& problem) const { fail(problem, at_); }
    [[noreturn]] void fail(const std::string& problem, std::size_t at) const;

private:
    void fill_line();

    Source& source_;
    Reading reading_;
    std::string_view bytes_;
    std::size_t at_ = 0;
};

}  // namespace gradtape::detail

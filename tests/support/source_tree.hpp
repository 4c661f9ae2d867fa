// The checkout as text, for tests of the house rules: files, includes, functions, commands.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace house {

/// A file of the checkout; `path` is relative to its top, with '/'.
struct SourceFile {
    std::string path;
    std::string text;
};

/// All files below the folders whose name ends with one of `endings`, sorted by path.
std::vector<SourceFile> files(const std::vector<std::string>& folders, const std::vector<std::string>& endings);
/// All C++ files of the project.
std::vector<SourceFile> cpp_files();

/// A file's text; fails the test where it cannot be read.
std::string read(const std::string& path);
std::vector<std::string> lines_of(const std::string& text);

/// One `#include` line: the name between <> or "".
struct Include {
    std::string name;
    std::size_t line;
    bool angled;
};
std::vector<Include> includes(const std::string& text);

/// The text with comments, literals and preprocessor lines blanked; line breaks stay.
std::string bare_code(const std::string& text);

/// A function body or lambda that stands in no other one.
struct Function {
    std::string head;
    std::size_t first_line, last_line;
    std::size_t lines() const noexcept { return last_line - first_line + 1; }
};
std::vector<Function> functions(const std::string& text);

/// What a shell command printed on standard output, and its exit status.
struct Printed {
    std::string text;
    int status;
};
Printed run(const std::string& command);

/// `text` as one word for the shell.
std::string quoted(const std::string& text);

}  // namespace house

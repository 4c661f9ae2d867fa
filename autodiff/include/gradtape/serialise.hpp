// Programs as files: saved, and loaded in another process, where they replay bit for bit the same.
#pragma once

#include <gradtape/program.hpp>

#include <string_view>
#include <system_error>

namespace gradtape {

struct Primitive;

/// A file of a program that is not one. Lines and columns count from 1, columns in bytes; what is wrong in the bytes
/// behind the text is said to be on the line after it.
class FormatError : public Error {
public:
    FormatError(const std::string& problem, std::size_t line, std::size_t column, ErrorFacts facts);
    std::size_t line() const noexcept { return line_; }
    std::size_t column() const noexcept { return column_; }

private:
    std::size_t line_, column_;
};

/// A file that cannot be written or read, or is none: a directory, a FIFO, a device.
class FileError : public Error {
public:
    FileError(const std::string& problem, std::string path, std::error_code code, ErrorFacts facts);
    /// As it was asked for.
    const std::string& path() const noexcept { return path_; }
    std::error_code code() const noexcept { return code_; }

private:
    std::string path_;
    std::error_code code_;
};

struct SaveOptions {
    bool leaf_values = true;  ///< with the recorded inputs and parameters; else a Replay must be given all of them
};

/// The primitives of the user's that a file may use. They are named as their records say; the library's are known.
using OwnPrimitives = std::span<const Primitive* const>;

/// The file's bytes: text, then the tensors (docs/program_text.md gives the grammar). The same program gives the same
/// bytes everywhere. Error where the program breaks a rule; ValueError for what has no text: a name that is no
/// identifier or that two primitives have, attributes that the primitive's `settings` do not list.
std::string to_bytes(const Program& program, const SaveOptions& options = {}, Where where = Where::here());
/// The program that `bytes` are. FormatError where they are none: nothing else is accepted than what to_bytes gives.
/// ValueError where `own` has two primitives of one name, or one with a name of the library's.
/// Memory taken stays in proportion to `bytes`.
/// The program, its copies and what is compiled of it share the file names in their source lines; a Where taken from
/// them is valid as long as one of them lives. Errors and a NonFinite keep the names they need.
Program from_bytes(std::string_view bytes, OwnPrimitives own = {}, Where where = Where::here());

/// Writes to_bytes to a file of another name in the same folder, then renames it: `path` is never half a file, and whoever
/// has the old one open keeps it. A link is followed; an old file's mode is kept, and a read-only one is refused.
/// A std::filesystem::path will do. FileError where something fails, and where `path` is no regular file; the other file
/// is then removed.
void save(const std::string& path, const Program& program, const SaveOptions& options = {},
          Where where = Where::here());
/// from_bytes of a file; messages name it. It is opened once, so files that are saved meanwhile do no harm. FileError
/// where it cannot be read or is no regular file. What is no program is refused at its first wrong line, however large.
Program load(const std::string& path, OwnPrimitives own = {}, Where where = Where::here());

}  // namespace gradtape

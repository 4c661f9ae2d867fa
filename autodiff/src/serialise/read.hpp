// The reader of program files.
#pragma once

#include <gradtape/serialise.hpp>

namespace gradtape::detail {

/// A file's bytes from its start. A reader asks for no more than it is about to understand, so that a large file that is
/// no program is refused at its first lines.
class Source {
public:
    virtual ~Source() = default;
    /// How many bytes there are.
    virtual std::size_t size() const noexcept = 0;
    /// At least the first `count` of them, or all there are. What was given before is no longer valid.
    virtual std::string_view first(std::size_t count) = 0;
};

/// Who reads what, for messages.
struct Reading {
    const char* function;  ///< "load"
    std::string name;      ///< the file's, if it has one
    Where where;
};

Program read_program(Source& source, OwnPrimitives own, Reading reading);

}  // namespace gradtape::detail

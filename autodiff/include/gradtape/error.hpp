// What gradtape throws: one form of message, and the facts behind it as data members.
#pragma once

#include <gradtape/shape.hpp>

#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

namespace gradtape {

/// The facts of an error. Tests read these rather than the text.
struct ErrorFacts {
    std::string primitive;         ///< what was asked for: a primitive, or a public function
    std::vector<Shape> shapes;     ///< the operands' shapes, where shapes are the matter
    std::optional<int> axis;       ///< the offending axis, where there is one
    Where where;                   ///< the user's source line, where known
};

/// Base of all errors. `what()` reads `[matmul] inner extents differ: … (model.cpp:41)`.
class Error : public std::runtime_error {
public:
    Error(const std::string& problem, ErrorFacts facts);

    const std::string& primitive() const noexcept { return facts_.primitive; }
    const std::vector<Shape>& shapes() const noexcept { return facts_.shapes; }
    std::optional<int> axis() const noexcept { return facts_.axis; }
    /// Its file name lives as long as the error or a copy of it, whatever program or tape it came from.
    Where where() const noexcept { return facts_.where; }

private:
    ErrorFacts facts_;
    std::shared_ptr<const std::string> file_;  ///< what facts_.where.file points to
};

/// Shapes that do not fit each other or the request.
struct ShapeError : Error {
    using Error::Error;
};
/// An element type that the primitive does not take.
struct DTypeError : Error {
    using Error::Error;
};
/// A node of another tape, or of a cleared one.
struct TapeError : Error {
    using Error::Error;
};
/// A derivative that does not exist: through integers, or of a primitive without a rule.
struct NotDifferentiable : Error {
    using Error::Error;
};
/// An argument whose value is out of range.
struct ValueError : Error {
    using Error::Error;
};

}  // namespace gradtape

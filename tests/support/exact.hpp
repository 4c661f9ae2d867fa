// The elementwise primitives and their slopes to more digits than double has: 64 bits, with exponents beyond all of double's.
#pragma once

#include <optional>
#include <string>

namespace gradtape::test::exact {

using Real = long double;

/// A primitive's value at (x, y, w), of which it takes as many as it has operands, and its slope in each operand.
struct Reference {
    Real (*value)(Real x, Real y, Real w);
    Real (*slope[3])(Real x, Real y, Real w);
};
std::optional<Reference> reference(const std::string& primitive);

}  // namespace gradtape::test::exact

// Leaves: values that come from outside the program. `constant` with a `value` attribute repeats one number.
#include "define.hpp"

namespace gradtape::detail::GRADTAPE_ISA {
namespace {

constexpr Primitive leaf(const char* name) {
    Define d(name, 0);
    d.leaf = true;
    return d;
}

}  // namespace

GRADTAPE_PRIMITIVE(input) = leaf("input");
GRADTAPE_PRIMITIVE(parameter) = leaf("parameter");
GRADTAPE_PRIMITIVE(constant) = leaf("constant");

}  // namespace gradtape::detail::GRADTAPE_ISA

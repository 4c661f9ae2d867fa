// Leaves: values that come from outside the program. `constant` with a `value` attribute repeats one number.
// And guard, a value that C++ code has looked at; and result, one of several that a kernel gives.
#include "family.hpp"

namespace gradtape::detail::GRADTAPE_ISA {

GRADTAPE_PRIMITIVE(input, leaf())
GRADTAPE_PRIMITIVE(parameter, leaf())
GRADTAPE_PRIMITIVE(constant, leaf().with_optional_settings({"value", Kind::number}))

// z = x, which must be `expected`, bit for bit (or NaN as well), whenever the program is replayed: control flow
// depended on it
GRADTAPE_PRIMITIVE(guard, of(1).effect()
    .shaped([](const ShapeCall& call) {
        if (call[0].shape.elements() != 1) call.refuse("needs one element, not shape " + to_string(call[0].shape));
        call.attributes.get<double>("expected");
        return call[0];
    })
    .with_settings({"expected", Kind::number}).identity().piecewise_constant().on(any_real))

// z = a further result of the instruction that its operand is the first result of; recorded behind it. That one's rules are
// asked for the derivatives of all.
GRADTAPE_PRIMITIVE(result, of(1).further_result().with_settings({"index", Kind::integer}))

}  // namespace gradtape::detail::GRADTAPE_ISA

// The reader of program files.
#pragma once

#include <gradtape/serialise.hpp>

namespace gradtape::detail {

/// from_bytes; `source` is what messages call the bytes.
Program read_program(std::string_view bytes, OwnPrimitives own, std::string source);

}  // namespace gradtape::detail

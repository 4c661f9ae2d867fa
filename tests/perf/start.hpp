// What every program that measures does first.
#pragma once

#include <string>

namespace perf {

/// Sets OpenBLAS and libtorch to one thread and says on stderr which they are. Returns libtorch's name and version;
/// empty where the program was built without it.
std::string start();

}  // namespace perf

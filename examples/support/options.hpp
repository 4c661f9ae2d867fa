// What every example program accepts on its command line.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

namespace examples {

struct Options {
    std::uint64_t seed = 1;              ///< of the first run; run i (from 0) has seed + i
    int runs = 200;                      ///< initialisations
    std::filesystem::path out = "out";   ///< folder of pictures and report.json
    bool plain = false;                  ///< record every step anew, in place of replaying compiled steps
    bool quick = false;                  ///< few runs and coarse pictures, to see that everything works
};

/// Reads --seed, --runs, --out, --plain and --quick; prints and exits on --help and on mistakes. Makes the folder.
Options read_options(int argc, char** argv, const std::string& description);

}  // namespace examples

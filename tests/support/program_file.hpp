// Files of programs for tests: to change them and set their checksum right again, and to compare what comes back.
#pragma once

#include <filesystem>
#include <gradtape/compile.hpp>
#include <gradtape/serialise.hpp>

#include "ir/program.hpp"

namespace gradtape::test {

/// A folder that is gone afterwards.
struct Folder {
    Folder();
    ~Folder();
    Folder(const Folder&) = delete;
    std::filesystem::path path;
};

std::string read_file(const std::filesystem::path& path);

/// A training step: an input, a constant tensor, a parameter that is updated, a guard.
Program training_step(Tape& tape);

/// The program of a body.
Program program_of(const Program::Body& body);

/// The file with the checksum that its bytes ask for; as it is where it has no line for one.
std::string sealed(std::string bytes);

/// "" where both have the same instructions to the last bit, source lines (their text), results, updates and values.
std::string difference(const Program& a, const Program& b);

/// Outputs and parameters of `runs` replays, byte for byte, up to the first guard that fails, which is named.
std::string replayed(const Compiled& compiled, int runs);

}  // namespace gradtape::test

// Every source file is built: a test that no meson.build lists would pass for ever.
#include "support/source_tree.hpp"

#include <doctest/doctest.h>

#include <set>

using namespace house;

namespace {

namespace fs = std::filesystem;

// The meson.build that is nearest above a file.
std::string build_file(const std::string& path) {
    fs::path folder = fs::path(path).parent_path();
    while (!folder.empty() && !fs::exists(fs::path(GRADTAPE_SOURCE_DIR) / folder / "meson.build"))
        folder = folder.parent_path();
    return (folder / "meson.build").generic_string();
}

// True where `build` names the file: 'src/x.cpp', or 'x' for a program x.cpp.
bool lists(const std::string& build, const std::string& path) {
    const fs::path inside = fs::path(path).lexically_relative(fs::path(build).parent_path());
    const std::string text = read(build);
    return text.find("'" + inside.generic_string() + "'") != std::string::npos ||
           text.find("'" + inside.stem().generic_string() + "'") != std::string::npos;
}

}  // namespace

TEST_CASE("nothing lies about at the top level") {
    const std::set<std::string> rooms = {"autodiff", "nn", "examples", "tests", "docs", "meson.build", "meson_options.txt",
                                         "README.md", "LICENSE", "build", "out"};  // git ignores the last two
    for (const auto& entry : fs::directory_iterator(GRADTAPE_SOURCE_DIR)) {
        const std::string name = entry.path().filename().string();
        CHECK_MESSAGE((name.starts_with('.') || rooms.contains(name)), name << " does not belong here");
    }
}

TEST_CASE("every source file is listed in a meson.build") {
    for (const SourceFile& file : files({"autodiff", "nn", "examples", "tests", "docs"}, {".cpp"})) {
        const std::string build = build_file(file.path);
        CHECK_MESSAGE(lists(build, file.path), build << " does not list " << file.path);
    }
    CHECK_FALSE(lists("tests/meson.build", "tests/no_such_test.cpp"));
}

// Every public header compiles alone, without warnings, also those that a strict user asks for.
#include "support/source_tree.hpp"

#include <doctest/doctest.h>

using namespace house;

TEST_CASE("every public header compiles alone") {
    const std::string root = GRADTAPE_SOURCE_DIR;
    std::size_t tried = 0;
    for (const std::string folder : {"autodiff/include/", "nn/include/"})
        for (const SourceFile& file : files({folder}, {".hpp"})) {
            const std::string name = file.path.substr(folder.size());
            CHECK_MESSAGE(file.text.find("#pragma once") != std::string::npos, name << " has no #pragma once");
            const Printed compiled =
                run("echo '#include <" + name + ">\n#include <" + name + ">' | " + GRADTAPE_CXX +
                    " -std=c++20 -fsyntax-only -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion"
                    " -Wold-style-cast -Wnon-virtual-dtor -Woverloaded-virtual -Werror -x c++ -I " + quoted(root + "/autodiff/include") +
                    " -I " + quoted(root + "/nn/include") + " - 2>&1");
            CHECK_MESSAGE(compiled.status == 0, name << " does not compile alone:\n" << compiled.text);
            ++tried;
        }
    CHECK(tried > 9);
}

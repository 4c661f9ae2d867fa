// Code for one instruction set must not reach a processor without it: what the sets' objects share, base defines.
#include "support/source_tree.hpp"

#include <doctest/doctest.h>

#include <set>
#include <sstream>

using namespace house;

namespace {

// Weak symbols of one set's objects, which the linker may take from any set's.
std::set<std::string> weak_symbols(const std::string& folder) {
    const Printed printed = run("nm --defined-only --no-demangle " + quoted(folder) + "/*.o");
    REQUIRE(printed.status == 0);
    std::set<std::string> names;
    for (const std::string& line : lines_of(printed.text)) {
        std::istringstream words(line);
        std::string address, kind, name;
        if (words >> address >> kind >> name && (kind == "W" || kind == "V" || kind == "u")) names.insert(name);
    }
    return names;
}

}  // namespace

TEST_CASE("instruction sets share only symbols that base defines too") {
    const std::string folder = std::string(GRADTAPE_BUILD_DIR) + "/autodiff/libgradtape_";
    const std::set<std::string> base = weak_symbols(folder + "base.a.p");
    CHECK(!base.empty());
    for (const std::string isa : {"avx2", "avx512"}) {
        if (!std::filesystem::exists(folder + isa + ".a.p")) continue;  // another processor family, or not asked for
        const std::string own = "8gradtape6detail" + std::to_string(isa.size()) + isa;  // as mangled names have it
        for (const std::string& symbol : weak_symbols(folder + isa + ".a.p")) {
            const bool fine = symbol.find(own) != std::string::npos || base.contains(symbol);
            CHECK_MESSAGE(fine, isa << " defines " << symbol << ", and base does not");
        }
    }
}

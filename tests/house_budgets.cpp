// Budgets of size: files, functions, and what a public header costs whoever includes it.
#include "support/source_tree.hpp"

#include <doctest/doctest.h>

#include <map>

using namespace house;

namespace {

constexpr std::size_t max_file_lines = 500;
constexpr std::size_t max_function_lines = 60;
constexpr std::size_t max_include_chain = 4;
constexpr std::size_t max_preprocessed_lines = 60'000;  // <vector>, <memory>, <span>, <string> alone: 40,000

// The longest chain of includes among `headers` (name → text) below `name`, as names from the top.
std::vector<std::string> longest_chain(const std::map<std::string, std::string>& headers, const std::string& name) {
    std::vector<std::string> longest;
    for (const Include& include : includes(headers.at(name)))
        if (headers.contains(include.name))
            if (auto below = longest_chain(headers, include.name); below.size() > longest.size()) longest = below;
    longest.insert(longest.begin(), name);
    return longest;
}

// An umbrella header holds nothing but includes.
bool is_umbrella(const std::string& text) {
    return bare_code(text).find_first_not_of(" \n") == std::string::npos;
}

}  // namespace

TEST_CASE("every file is short enough to read") {
    for (const SourceFile& file : cpp_files()) {
        const std::size_t lines = lines_of(file.text).size();
        CHECK_MESSAGE(lines <= max_file_lines, file.path << " has " << lines << " lines");
    }
}

TEST_CASE("every function fits one screen") {
    std::size_t seen = 0;
    for (const SourceFile& file : cpp_files())
        for (const Function& function : functions(file.text)) {
            ++seen;
            CHECK_MESSAGE(function.lines() <= max_function_lines,
                          file.path << ":" << function.first_line << " has " << function.lines() << " lines");
        }
    CHECK(seen > 100);
}

TEST_CASE("public headers include each other in short chains") {
    for (const std::string folder : {"autodiff/include/", "nn/include/"}) {
        std::map<std::string, std::string> headers;
        for (const SourceFile& file : files({folder}, {".hpp"})) headers[file.path.substr(folder.size())] = file.text;
        CHECK(!headers.empty());
        for (const auto& [name, text] : headers) {
            if (is_umbrella(text)) continue;
            const auto chain = longest_chain(headers, name);
            std::string printed;
            for (const std::string& link : chain) printed += (printed.empty() ? "" : " > ") + link;
            CHECK_MESSAGE(chain.size() - 1 <= max_include_chain, printed);
        }
    }
}

TEST_CASE("including gradtape costs little more than the standard library") {
    const std::string root = GRADTAPE_SOURCE_DIR;
    const std::string preprocess = std::string("echo '#include <gradtape/gradtape.hpp>' | ") + GRADTAPE_CXX +
                                   " -std=c++20 -E -P -x c++ -I " + quoted(root + "/autodiff/include") + " -";
    const Printed printed = run(preprocess);
    REQUIRE(printed.status == 0);
    const std::size_t lines = lines_of(printed.text).size();
    CHECK(lines > 1000);
    CHECK(lines <= max_preprocessed_lines);
}

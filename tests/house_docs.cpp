// Code and output shown in the documents are those of real programs.
//
//   ```cpp file=examples/first.cpp                    the whole file
//   ```cpp file=examples/first.cpp region=model       what stands between `// [model]` and `// [/model]`
//   ```text output=examples/first.cpp                 all that the program prints
//   ```cpp sketch                                     not a program: shown to explain, not to be compiled
#include "support/source_tree.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <sstream>

using namespace house;

namespace {

struct Block {
    std::string document, language;
    std::size_t line;
    std::map<std::string, std::string> options;
    std::vector<std::string> lines;
};

std::string trimmed_right(std::string line) {
    line.erase(line.find_last_not_of(" \t\r") + 1);
    return line;
}

std::vector<Block> blocks(const SourceFile& document) {
    std::vector<Block> found;
    bool inside = false;
    const auto lines = lines_of(document.text);
    for (std::size_t i = 0; i < lines.size(); ++i) {
        const bool fence = lines[i].rfind("```", 0) == 0;
        if (fence && !inside) {
            Block block{document.path, "", i + 1, {}, {}};
            std::istringstream info(lines[i].substr(3));
            info >> block.language;
            for (std::string word; info >> word;) {
                const std::size_t equals = word.find('=');
                block.options[word.substr(0, equals)] = equals == std::string::npos ? "" : word.substr(equals + 1);
            }
            found.push_back(block);
        } else if (!fence && inside) {
            found.back().lines.push_back(trimmed_right(lines[i]));
        }
        if (fence) inside = !inside;
    }
    return found;
}

std::vector<Block> all_blocks() {
    std::vector<Block> found;
    std::vector<SourceFile> documents = files({"docs"}, {".md"});
    documents.push_back({"README.md", read("README.md")});
    for (const SourceFile& document : documents)
        for (Block& block : blocks(document)) found.push_back(std::move(block));
    return found;
}

bool blank(const std::string& line) { return line.find_first_not_of(' ') == std::string::npos; }

// Without common indentation, trailing blanks, marker lines, and empty lines at both ends.
std::vector<std::string> tidy(std::vector<std::string> lines) {
    std::erase_if(lines, [](const std::string& line) {
        const std::size_t start = line.find_first_not_of(' ');
        return start != std::string::npos && line.compare(start, 4, "// [") == 0 && line.back() == ']';
    });
    std::size_t indentation = std::string::npos;
    for (const std::string& line : lines)
        if (!blank(line)) indentation = std::min(indentation, line.find_first_not_of(' '));
    for (std::string& line : lines) line = blank(line) ? "" : trimmed_right(line.substr(indentation));
    while (!lines.empty() && lines.back().empty()) lines.pop_back();
    while (!lines.empty() && lines.front().empty()) lines.erase(lines.begin());
    return lines;
}

// The lines between `// [name]` and `// [/name]`; none where the markers are missing.
std::vector<std::string> region(const std::vector<std::string>& lines, const std::string& name) {
    const auto marker = [&](const std::string& mark) {
        return std::find_if(lines.begin(), lines.end(), [&](const std::string& line) {
            return line.find("// [" + mark + "]") != std::string::npos;
        });
    };
    const auto first = marker(name), last = marker("/" + name);
    return first < last && last != lines.end() ? std::vector<std::string>(first + 1, last) : std::vector<std::string>{};
}

std::vector<std::string> source_of(const Block& block) {
    const auto lines = lines_of(read(block.options.at("file")));
    const auto wanted = block.options.find("region");
    return tidy(wanted == block.options.end() ? lines : region(lines, wanted->second));
}

// Empty where both are the same; else the first lines that differ.
std::string difference(const std::vector<std::string>& shown, const std::vector<std::string>& real) {
    for (std::size_t i = 0; i < std::max(shown.size(), real.size()); ++i) {
        const std::string a = i < shown.size() ? shown[i] : "(end)", b = i < real.size() ? real[i] : "(end)";
        if (a != b) return "line " + std::to_string(i + 1) + "\n  document: " + a + "\n  program:  " + b;
    }
    return "";
}

std::string place(const Block& block) { return block.document + ":" + std::to_string(block.line); }

}  // namespace

TEST_CASE("C++ in the documents is taken from files that are compiled") {
    std::size_t compared = 0;
    for (const Block& block : all_blocks()) {
        if (block.language != "cpp" || block.options.contains("sketch")) continue;
        const bool named = block.options.contains("file");
        CHECK_MESSAGE(named, place(block) << ": a cpp block names its file, or says that it is a sketch");
        if (!named) continue;
        const std::string differs = difference(tidy(block.lines), source_of(block));
        const std::string& file = block.options.at("file");
        CHECK_MESSAGE(differs.empty(), place(block) << " differs from " << file << " at " << differs);
        ++compared;
    }
    CHECK(compared > 0);
}

TEST_CASE("output in the documents is what the programs print") {
    std::size_t compared = 0;
    for (const Block& block : all_blocks()) {
        const auto option = block.options.find("output");
        if (option == block.options.end()) continue;
        const std::string program = option->second.substr(0, option->second.rfind(".cpp"));
        const Printed printed = run(quoted(std::string(GRADTAPE_BUILD_DIR) + "/" + program));
        CHECK_MESSAGE(printed.status == 0, program << " ended with status " << printed.status);
        const std::string differs = difference(tidy(block.lines), tidy(lines_of(printed.text)));
        CHECK_MESSAGE(differs.empty(), place(block) << " differs from what " << program << " prints at " << differs);
        ++compared;
    }
    CHECK(compared > 0);
}

TEST_CASE("documents are read as they are meant") {
    const auto found =
        blocks({"x.md", "```cpp file=a.cpp region=b\n  int x;\n```\ntext\n```text output=a.cpp\n1\n```\n"});
    REQUIRE(found.size() == 2);
    CHECK(found[0].options.at("region") == "b");
    CHECK(tidy(found[0].lines) == std::vector<std::string>{"int x;"});
    CHECK(found[1].options.at("output") == "a.cpp");
    CHECK(region({"a", "  // [r]", "b", "// [/r]", "c"}, "r") == std::vector<std::string>{"b"});
    CHECK(region({"a", "// [r]", "b"}, "r").empty());
    CHECK(difference({"a"}, {"a"}).empty());
    CHECK_FALSE(difference({"a"}, {"a", "b"}).empty());
}

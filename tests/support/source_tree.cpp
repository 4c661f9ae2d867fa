#include "support/source_tree.hpp"

#include <doctest/doctest.h>

#include <sys/wait.h>

#include <algorithm>
#include <cctype>
#include <cstdio>
#include <fstream>
#include <memory>
#include <regex>
#include <sstream>

namespace house {

namespace fs = std::filesystem;

std::vector<SourceFile> files(const std::vector<std::string>& folders, const std::vector<std::string>& endings) {
    const fs::path root = GRADTAPE_SOURCE_DIR;
    std::vector<SourceFile> found;
    for (const std::string& folder : folders) {
        if (!fs::exists(root / folder)) continue;
        for (const auto& entry : fs::recursive_directory_iterator(root / folder)) {
            const std::string ending = entry.path().extension().string();
            const bool wanted = std::find(endings.begin(), endings.end(), ending) != endings.end();
            if (!wanted || !entry.is_regular_file()) continue;
            const std::string path = fs::relative(entry.path(), root).generic_string();
            found.push_back({path, read(path)});
        }
    }
    std::sort(found.begin(), found.end(), [](const SourceFile& a, const SourceFile& b) { return a.path < b.path; });
    return found;
}

std::vector<SourceFile> cpp_files() {
    return files({"autodiff", "nn", "examples", "tests", "docs"}, {".cpp", ".hpp"});
}

std::string read(const std::string& path) {
    std::ifstream in(fs::path(GRADTAPE_SOURCE_DIR) / path, std::ios::binary);
    CHECK_MESSAGE(in.good(), "cannot read " << path);
    std::ostringstream text;
    text << in.rdbuf();
    return text.str();
}

std::vector<std::string> lines_of(const std::string& text) {
    std::vector<std::string> lines;
    std::istringstream in(text);
    for (std::string line; std::getline(in, line);) lines.push_back(line);
    return lines;
}

std::vector<Include> includes(const std::string& text) {
    static const std::regex pattern(R"re(^\s*#\s*include\s*([<"])([^>"]+)[>"].*)re");
    std::vector<Include> found;
    const std::vector<std::string> lines = lines_of(text);
    std::smatch match;
    for (std::size_t i = 0; i < lines.size(); ++i)
        if (std::regex_match(lines[i], match, pattern)) found.push_back({match[2], i + 1, match[1] == "<"});
    return found;
}

Printed run(const std::string& command) {
    FILE* pipe = popen(("(" + command + ") </dev/null").c_str(), "r");
    REQUIRE(pipe != nullptr);
    Printed result{};
    char buffer[4096];
    while (const std::size_t n = std::fread(buffer, 1, sizeof buffer, pipe)) result.text.append(buffer, n);
    const int status = pclose(pipe);
    result.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    return result;
}

std::string quoted(const std::string& text) {
    return "'" + std::regex_replace(text, std::regex("'"), R"('\'')") + "'";
}

}  // namespace house

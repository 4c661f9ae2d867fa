// What the documents claim of all cases names the test that holds it.
#include "support/source_tree.hpp"

#include <doctest/doctest.h>

#include <regex>

using namespace house;

namespace {

/// A paragraph, item of a list or row of a table, without code blocks and headings.
struct Passage {
    std::size_t line;
    std::string text;
};

bool starts_item(const std::string& line) {
    static const std::regex item(R"(\s*(- |\d+\. |\|).*)");
    return std::regex_match(line, item);
}

std::vector<Passage> passages(const std::string& text) {
    std::vector<Passage> found;
    bool code = false, open = false;
    const std::vector<std::string> lines = lines_of(text);
    for (std::size_t i = 0; i < lines.size(); ++i) {
        const std::string& line = lines[i];
        const bool fence = line.find("```") == line.find_first_not_of(' ') && !line.empty() && line.find("```") != line.npos;
        if (fence) code = !code;
        const bool prose = !fence && !code && line.find_first_not_of(' ') != line.npos && line[0] != '#' && line.rfind("    ", 0) != 0;
        if (!prose) {
            open = false;
            continue;
        }
        if (!open || starts_item(line)) found.push_back({i + 1, ""});
        found.back().text += line + " ";
        open = true;
    }
    return found;
}

/// The tests that a passage names, in full or, after one that is, by file name.
std::vector<std::string> tests_in(const std::string& text) {
    static const std::regex test(R"(tests/\w+\.cpp)");
    return {std::sregex_token_iterator(text.begin(), text.end(), test), std::sregex_token_iterator()};
}

/// Why a passage does not stand; "" where it does.
std::string objection(const std::string& text) {
    static const std::regex code("`[^`]*`");
    static const std::regex claim(R"(\b(no|never|every)\b)", std::regex::icase);
    const std::vector<std::string> tests = tests_in(text);
    for (const std::string& test : tests)
        if (!std::filesystem::exists(std::filesystem::path(GRADTAPE_SOURCE_DIR) / test)) return test + " is not there";
    if (!tests.empty() || !std::regex_search(std::regex_replace(text, code, ""), claim)) return "";
    return "it says no, never or every, and names no test";
}

// Definitions; measurements, whose program checks them itself.
bool claims_nothing(const std::string& path) { return path == "docs/vocabulary.md" || path == "docs/benchmarks.md"; }

}  // namespace

TEST_CASE("what the documents claim with no, never or every names a test") {
    std::vector<SourceFile> documents = files({"docs"}, {".md"});
    documents.push_back({"README.md", read("README.md")});
    std::size_t claims = 0;
    for (const SourceFile& document : documents) {
        if (claims_nothing(document.path)) continue;
        for (const Passage& passage : passages(document.text)) {
            const std::string why = objection(passage.text);
            CHECK_MESSAGE(why.empty(), document.path, ":", passage.line, ": ", why, ": ", passage.text);
            claims += !tests_in(passage.text).empty();
        }
    }
    CHECK(claims > 20);
}

TEST_CASE("claims without a test are seen") {
    CHECK(objection("It never fails.") != "");
    CHECK(objection("Every one.") != "");
    CHECK(objection("It never fails (`tests/no_such_test.cpp`).") != "");
    CHECK(objection("It never fails (`tests/house_claims.cpp`).") == "");
    CHECK(objection("Write `no` where nobody knows.") == "");
    const std::vector<Passage> found = passages("# Every\n\na\nb\n- c\n  d\n\n```\nnever\n```\n| e |\n");
    REQUIRE(found.size() == 3);
    CHECK(found[0].text == "a b ");
    CHECK(found[1].text == "- c   d ");
    CHECK(found[2].text == "| e | ");
}

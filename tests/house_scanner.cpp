// The function finder that the budgets rest on, tried on the forms this project writes.
#include "support/source_tree.hpp"

#include <doctest/doctest.h>

using namespace house;

namespace {

// "first-last first-last …" of the functions in `text`.
std::string spans(const std::string& text) {
    std::string result;
    for (const Function& f : functions(text))
        result += (result.empty() ? "" : " ") + std::to_string(f.first_line) + "-" + std::to_string(f.last_line);
    return result;
}

}  // namespace

TEST_CASE("functions are found in namespaces and classes") {
    CHECK(spans("namespace a {\n\nint f() {\n    return 1;\n}\n}\n") == "3-5");
    CHECK(spans("class A : public B {\npublic:\n    int f() const { return 1; }\n    struct C {\n    };\n};") == "3-3");
    CHECK(spans("DECLARE(a)\nDECLARE(b)\nnamespace c {\nint f() {\n}\n}\n") == "4-5");
    CHECK(spans("struct alignas(64) A {\n    int x[2] = {1, 2};\n};\nint f() {\n}") == "4-5");
    CHECK(spans("template <class T>\nauto f(T t) -> std::vector<T> {\n}\n") == "1-3");
    CHECK(spans("template <class T>\n    requires C<T>\nvoid f(T t) {\n    if (t) {\n    }\n}\n") == "1-6");
}

TEST_CASE("functions with braces in their head are found whole") {
    CHECK(spans("A::A(int x) : x_{x}, y_(2) {\n    go();\n}\nint f() {}\n") == "1-3 4-4");
    CHECK(spans("Node f(const A& a = {}, W w = W{1}) {\n    return 0;\n}\n") == "1-3");
    CHECK(spans("int f(std::vector<int> = {1}) noexcept {\n\n}") == "1-3");
}

TEST_CASE("lambdas count one by one, and tables not at all") {
    CHECK(spans("constexpr auto k = [](auto x) {\n    return x;\n};\n") == "1-3");
    CHECK(spans("constexpr P p = make(1)\n    .vjp([](O x) {\n        return x;\n    })\n    .on([](int) {\n    });\n") ==
          "1-4 4-6");
    CHECK(spans("const int table[] = {\n    1,\n    2,\n};\nint f() {\n}\n") == "5-6");
    CHECK(spans("const std::vector<P> table = {\n    {f(1), 2},\n    {f(2), 3},\n};\nint f() {\n}\n") == "5-6");
}

TEST_CASE("text that looks like code does not count") {
    CHECK(spans("// int f() {\n/* { */\n#define F(x) { \\\n    x }\nint f() {\n    g(\"{\", '{', R\"(})\", 1'000);\n}\n") ==
          "5-7");
    CHECK(bare_code("int a = 1'000'000;  // it's") == "int a = 1'000'000;         ");
}

TEST_CASE("include lines are read in both forms") {
    const auto found = includes("#include <a/b.hpp>\n  # include \"c.hpp\"  // why\n// #include <d>\n");
    REQUIRE(found.size() == 2);
    CHECK(found[0].name == "a/b.hpp");
    CHECK(found[0].angled);
    CHECK(found[1].name == "c.hpp");
    CHECK(found[1].line == 2);
}

// The public functions, read from the headers: each that may refuse something is in the table of tests/errors_kinds.cpp.
#include "support/source_tree.hpp"

#include <doctest/doctest.h>

#include <map>
#include <regex>
#include <set>

using namespace house;

namespace {

/// `text` less what is nested in brackets of this kind.
std::string outside(const std::string& text, char open, char close) {
    std::string flat;
    int depth = 0;
    for (char c : text) {
        if (c == close && depth > 0) --depth;
        if (depth == 0) flat += c;
        if (c == open) ++depth;
    }
    return flat;
}

/// The name that a declaration gives to a function that may throw; "" where it declares something else.
std::string function_in(std::string declaration) {
    static const std::regex other(R"(\b(using|friend|static_assert|concept|typedef)\b|= delete|= default|GRADTAPE_DELETED|~|^\s*,)");
    static const std::regex silent(R"(\)[^()]*\bnoexcept\b)"), heads(R"(\btemplate\s*<>|\brequires\s*\(\)\s*)"), initialisers(R"(\)\s*:[^:].*)");
    static const std::regex function(R"((operator\(\)|operator\s*[^\s\w(]+|\w+)\s*\(\)(\s*const)?(\s*&&?)?\s*$)");
    if (std::regex_search(declaration, other)) return "";
    declaration = std::regex_replace(declaration, std::regex("\\s+"), " ");
    declaration = std::regex_replace(declaration, std::regex(R"(\boperator ?\(\))"), "operator@");
    declaration = outside(declaration, '(', ')');
    if (std::regex_search(declaration, silent)) return "";
    declaration = std::regex_replace(declaration, initialisers, ")");
    std::smatch found;
    if (!std::regex_search(declaration, found, function) || found[1] == "requires") return "";
    return found[1] == "operator@" ? "operator()" : found[1].str();
}

/// The functions that a header declares for everybody, and may throw.
class Declarations {
public:
    explicit Declarations(const std::string& header) : text_(bare_code(header)) {
        scopes_.push_back({true, true});
        for (char c : text_) take(c);
    }
    std::set<std::string> names;

private:
    struct Scope {
        bool seen;    ///< what is declared in it is anybody's
        bool entered;  ///< false: a body
    };

    void take(char c) {
        parentheses_ += (c == '(') - (c == ')');
        if (parentheses_ == 0 && c == '{') return open();
        if (parentheses_ == 0 && c == '}') return close();
        if (parentheses_ == 0 && c == ';') return end();
        head_ += c;
        static const std::regex label(R"(\s*(public|private|protected)\s*:)");
        std::smatch found;
        if (c == ':' && std::regex_match(head_, found, label)) {
            scopes_.back().seen = found[1] == "public" && scopes_[scopes_.size() - 2].seen;
            head_.clear();
        }
    }
    void end() {
        if (scopes_.back().seen && scopes_.back().entered)
            if (const std::string name = function_in(head_); !name.empty()) names.insert(name);
        head_.clear();
    }
    void open() {
        static const std::regex scope(R"(^\s*(namespace|class|struct|union)\b[^(]*$)");
        const std::string head = std::regex_replace(outside(head_, '<', '>'), std::regex(R"(\b(template\s*<>|requires\s[^\n]*))"), "");
        std::smatch found;
        const bool enters = std::regex_search(head, found, scope) && scopes_.back().entered;
        const bool hidden = enters && (found[1] == "class" || head.find("detail") != head.npos);
        const bool seen = scopes_.back().seen;
        if (!enters) end();
        scopes_.push_back({enters && seen && !hidden, enters});
        head_.clear();
    }
    void close() {
        if (scopes_.size() > 1) scopes_.pop_back();
        head_.clear();
    }

    std::string text_, head_;
    std::vector<Scope> scopes_;
    int parentheses_ = 0;
};

/// What refuses nothing, and why.
const std::map<std::string, const char*> exempt{
    {"Error", "an error"}, {"FileError", "an error"}, {"FormatError", "an error"}, {"GuardFailed", "an error"},
    {"NonFiniteGradient", "an error"}, {"NonFiniteLoss", "an error"},
    {"operator<<", "prints what cannot be used as well"}, {"printed", "likewise"}, {"reason", "prints"},
    {"Compiled", "holds what it is given"}, {"DTypes", "holds what it is given"}, {"ListElement", "holds what it is given"},
    {"Operand", "holds what it is given"}, {"Outcome", "holds what it is given"}, {"Parameter", "holds what it is given"},
    {"Several", "holds what it is given"}, {"Sgd", "holds what it is given: step refuses"}, {"Tape", "an enumerator"},
    {"Visitor", "a flag"}, {"here", "a line"}, {"element", "in the name of Tensor::from"}, {"primitive_table", "takes nothing"},
    {"result", "within a kernel"}, {"result_count", "within rules and passes"}, {"give", "within a rule"}, {"with_axis", "within a rule"}, {"wants", "within a rule"}, {"is_constant", "within a rule"},
    {"vjp_by_operand", "takes rules"}, {"jvp_by_operand", "takes rules"}, {"Stream", "takes every seed and name"}, {"bits32", "takes nothing"}, {"bits64", "takes nothing"},
    {"random_key", "takes every seed"}, {"shuffle", "takes every list"}, {"compare", "of traces, which are whole"},
    {"guard_failed", "of an error"}, {"recorded_again", "takes nothing"}, {"next", "of batches, which are whole"},
    {"visit", "shows members"}, {"show", "calls visit"}, {"parameters", "calls visit"}, {"weights", "calls visit"},
};

TEST_CASE("errors: every public function that may refuse something is tried with what it cannot take") {
    const std::string table = read("tests/errors_kinds.cpp");
    std::set<std::string> all;
    for (const SourceFile& header : files({"autodiff/include", "nn/include"}, {".hpp"}))
        for (const std::string& name : Declarations(header.text).names) {
            all.insert(name);
            if (exempt.count(name)) continue;
            CHECK_MESSAGE(table.find("CASE(\"" + name + "\",") != table.npos, header.path, ": ", name, " is not in the table");
        }
    CHECK(all.size() > 150);
    for (const auto& its : exempt) CHECK_MESSAGE(all.count(its.first), its.first, " is no public function any more: ", its.second);
}

TEST_CASE("errors: public functions are found in headers") {
    const Declarations found(R"(
namespace a {
namespace detail { void inner(int x); }
template <class T> requires(!b<T>(1)) T free(const T& x, Where where = Where::here()) { return body(x); }
class C : public B {
public:
    C(int i, Options o = {}) : i_(i), j_{i}, k_(i) {}
    template <class A> requires requires(A a) { a + a; } explicit C(A a);
    C(const C&) = default;
    ~C();
    void operator()(int i);
    bool operator==(C c) const;
    int silent() const noexcept { return called(1); }
    T& value() &;
    void told(int) = delete;
    std::vector<int> list{};
private:
    void hidden(int i);
};
struct S { void shown(); enum class E { one(1) }; };
}
)");
    CHECK(found.names == std::set<std::string>{"free", "C", "operator()", "operator==", "value", "shown"});
}

}  // namespace

// Reads a grammar in EBNF and matches texts against it: so that a grammar in the documents is the one that is tested.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace gradtape::test {

/// Productions `name = … ;` of "terminals", names, a | b, [ optional ], { repeated }, ( group ) and "a" … "z".
/// The first alternative that fits is taken, and repetitions take as much as they can.
class Grammar {
public:
    /// Throws std::runtime_error where the text is no such grammar, or uses a name that it does not define.
    explicit Grammar(std::string_view ebnf);

    struct Part {
        std::string rule;
        std::string text;
    };
    struct Match {
        bool whole = false;        ///< all of the text is a `rule`
        std::size_t end = 0;       ///< how far it was one
        std::vector<Part> parts{}; ///< what each rule matched, in the order in which they ended
    };
    Match match(std::string_view rule, std::string_view text) const;

private:
    struct Expression {
        enum class Kind { terminal, range, rule, sequence, choice, optional, repeated };
        Kind kind = Kind::sequence;
        std::string text{};
        std::vector<Expression> inner{};
    };
    class Reader;
    class Matcher;
    std::map<std::string, Expression, std::less<>> rules_;
};

}  // namespace gradtape::test

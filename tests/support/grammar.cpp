// EBNF: a reader for the notation, and a matcher with ordered choice.
#include "grammar.hpp"

#include <cctype>
#include <stdexcept>

namespace gradtape::test {

class Grammar::Reader {
public:
    Reader(std::string_view text, Grammar& grammar) : rest_(text), grammar_(grammar) { advance(); }

    void read() {
        while (!token_.empty()) {
            const std::string name = take();
            expect("=");
            grammar_.rules_[name] = choice();
            expect(";");
        }
        for (const std::string& name : used_)
            if (!grammar_.rules_.contains(name)) throw std::runtime_error("grammar: '" + name + "' is not defined");
    }

private:
    Expression choice() {
        Expression result{Expression::Kind::choice};
        do result.inner.push_back(sequence());
        while (accept("|"));
        return result.inner.size() == 1 ? result.inner[0] : result;
    }

    Expression sequence() {
        Expression result{Expression::Kind::sequence};
        while (!token_.empty() && std::string_view(";|)]}").find(token_[0]) == std::string_view::npos)
            result.inner.push_back(item());
        return result;
    }

    Expression item() {
        if (accept("(")) return enclosed(Expression::Kind::sequence, ")");
        if (accept("[")) return enclosed(Expression::Kind::optional, "]");
        if (accept("{")) return enclosed(Expression::Kind::repeated, "}");
        const std::string token = take();
        if (token[0] == '"') {
            if (!accept("…")) return {Expression::Kind::terminal, token.substr(1)};
            return {Expression::Kind::range, token.substr(1) + take().substr(1)};
        }
        if (!std::isalpha(static_cast<unsigned char>(token[0]))) throw std::runtime_error("grammar: stray " + token);
        used_.push_back(token);
        return {Expression::Kind::rule, token};
    }

    Expression enclosed(Expression::Kind kind, const char* close) {
        Expression result{kind, "", {choice()}};
        expect(close);
        return result;
    }

    bool accept(std::string_view token) {
        if (token_ != token) return false;
        advance();
        return true;
    }
    void expect(std::string_view token) {
        if (!accept(token))
            throw std::runtime_error("grammar: '" + std::string(token) + "' expected before '" + token_ + "'");
    }
    std::string take() {
        if (token_.empty()) throw std::runtime_error("grammar: ends too early");
        std::string token = token_;
        advance();
        return token;
    }

    // A terminal is kept with its opening quote only; "\n" in it is a line end.
    void advance() {
        rest_.remove_prefix(std::min(rest_.find_first_not_of(" \n"), rest_.size()));
        std::size_t length = rest_.empty() ? 0 : rest_.starts_with("…") ? std::string_view("…").size() : 1;
        if (rest_.starts_with('"')) {
            length = rest_.find('"', 1);
            if (length == std::string_view::npos) throw std::runtime_error("grammar: a terminal does not end");
            token_ = rest_.substr(0, length++);
            if (const std::size_t at = token_.find("\\n"); at != std::string::npos) token_.replace(at, 2, "\n");
        } else {
            while (length > 0 && std::isalpha(static_cast<unsigned char>(rest_[0])) && length < rest_.size() &&
                   std::isalnum(static_cast<unsigned char>(rest_[length])))
                ++length;
            token_ = rest_.substr(0, length);
        }
        rest_.remove_prefix(length);
    }

    std::string_view rest_;
    Grammar& grammar_;
    std::string token_;
    std::vector<std::string> used_;
};

class Grammar::Matcher {
public:
    Matcher(const Grammar& grammar, std::string_view text) : grammar_(grammar), text_(text) {}

    /// Moves `at` past what fits; where nothing does, leaves it, and the parts found, as they were.
    bool match(const Expression& e, std::size_t& at) {
        const std::size_t start = at, known = parts.size();
        if (fits(e, at)) return true;
        at = start;
        parts.resize(known);
        return false;
    }

    std::vector<Part> parts;

private:
    bool fits(const Expression& e, std::size_t& at) {
        switch (e.kind) {
            case Expression::Kind::terminal:
                if (!text_.substr(at).starts_with(e.text)) return false;
                at += e.text.size();
                return true;
            case Expression::Kind::range:
                return at < text_.size() && text_[at] >= e.text[0] && text_[at] <= e.text[1] && ++at;
            case Expression::Kind::rule: {
                const std::size_t start = at;
                if (!match(grammar_.rules_.at(e.text), at)) return false;
                parts.push_back({e.text, std::string(text_.substr(start, at - start))});
                return true;
            }
            case Expression::Kind::sequence:
                for (const Expression& inner : e.inner)
                    if (!match(inner, at)) return false;
                return true;
            case Expression::Kind::choice:
                for (const Expression& inner : e.inner)
                    if (match(inner, at)) return true;
                return false;
            case Expression::Kind::optional: match(e.inner[0], at); return true;
            case Expression::Kind::repeated:
                for (std::size_t before = at; match(e.inner[0], at) && at > before;) before = at;
                return true;
        }
        return false;
    }

    const Grammar& grammar_;
    std::string_view text_;
};

Grammar::Grammar(std::string_view ebnf) { Reader(ebnf, *this).read(); }

Grammar::Match Grammar::match(std::string_view rule, std::string_view text) const {
    Matcher matcher(*this, text);
    std::size_t at = 0;
    const bool fits = matcher.match({Expression::Kind::rule, std::string(rule)}, at);
    return {fits && at == text.size(), at, std::move(matcher.parts)};
}

}  // namespace gradtape::test

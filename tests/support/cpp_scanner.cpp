// Finds functions in C++ text by counting braces: enough of the language for this project's own style.
#include "support/source_tree.hpp"

#include <algorithm>
#include <cctype>
#include <regex>

namespace house {

namespace {

bool is_word(char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '_'; }

// Replaces text[from, to) by blanks, keeping line breaks.
void blank(std::string& text, std::size_t from, std::size_t to) {
    for (std::size_t i = from; i < std::min(to, text.size()); ++i)
        if (text[i] != '\n') text[i] = ' ';
}

// The end of the literal that opens at `at` with a quote.
std::size_t literal_end(const std::string& text, std::size_t at) {
    const char quote = text[at];
    if (quote == '"' && at > 0 && text[at - 1] == 'R') {
        const std::size_t open = text.find('(', at);
        const std::size_t close = text.find(")" + text.substr(at + 1, open - at - 1) + "\"", open);
        return close == std::string::npos ? text.size() : close + open - at + 1;
    }
    std::size_t i = at + 1;
    while (i < text.size() && text[i] != quote && text[i] != '\n') i += text[i] == '\\' ? 2 : 1;
    return i + 1;
}

// The end of a preprocessor line that starts at `at`, continuations included.
std::size_t directive_end(const std::string& text, std::size_t at) {
    std::size_t end = text.find('\n', at);
    while (end != std::string::npos && end > at && text[end - 1] == '\\') end = text.find('\n', end + 1);
    return std::min(end, text.size());
}

// What stands before an opening brace decides what the brace opens.
enum class Opens { scope, function, expression };

std::ptrdiff_t open_parentheses(const std::string& code) {
    return std::count(code.begin(), code.end(), '(') - std::count(code.begin(), code.end(), ')');
}

std::string without_nesting(const std::string& head) {
    std::string flat;
    int depth = 0;
    for (char c : head) {
        if (c == ')' || c == ']') --depth;
        if (depth == 0) flat += c;
        if (c == '(' || c == '[') ++depth;
    }
    return flat;
}

std::string without_template_parameters(std::string head) {
    for (std::size_t at; (at = head.find("template")) != std::string::npos;) {
        std::size_t i = head.find('<', at);
        if (i == std::string::npos) break;
        int depth = 0;
        do {
            if (head[i] == '<') ++depth;
            if (head[i] == '>' && head[i - 1] != '-') --depth;
            ++i;
        } while (i < head.size() && depth > 0);
        head.erase(at, i - at);
    }
    return head;
}

Opens what_opens(const std::string& raw_head) {
    static const std::regex type_or_namespace(
        R"(^\s*([A-Z_0-9]+\([^()]*\)\s*)*(inline\s+)?(namespace|class|struct|union|enum|extern)\b)");
    static const std::regex lambda_end(R"(\](\s*\([^]*\))?\s*(mutable|constexpr|noexcept|->[^(){};]*|\s)*$)");
    static const std::regex initialiser_list(R"(\)[^()]*[^:]:[^:][^]*[A-Za-z0-9_>]\s*$)");
    static const std::regex after_signature(R"((const|noexcept|override|final|try|mutable|\))\s*$)");
    const std::string head = without_template_parameters(raw_head);
    if (std::regex_search(head, lambda_end) && head.find('[') != std::string::npos) return Opens::function;
    if (open_parentheses(head) > 0) return Opens::expression;
    const std::string flat = without_nesting(head);
    if (std::regex_search(flat, type_or_namespace)) return Opens::scope;
    if (head.find('(') == std::string::npos) return Opens::expression;
    if (head.find_last_not_of(" \n") != std::string::npos && head[head.find_last_not_of(" \n")] == '=')
        return Opens::expression;
    if (std::regex_search(head, after_signature) || flat.find("->") != std::string::npos ||
        flat.find("requires") != std::string::npos)
        return Opens::function;
    return std::regex_search(flat, initialiser_list) ? Opens::expression : Opens::function;
}

class Scanner {
public:
    explicit Scanner(const std::string& text) : code_(bare_code(text)) {}

    std::vector<Function> scan() {
        for (std::size_t i = 0; i < code_.size(); ++i) step(code_[i]);
        return found_;
    }

private:
    struct Frame {
        Opens kind;
        std::string head;  // what stood before the brace; restored after an expression's or lambda's end
        std::size_t first_line;
    };

    void step(char c) {
        if (c == '\n') ++line_;
        if (c == '{') return open();
        if (c == '}') return close();
        if (inside_function_ > 0) return;
        if (c == ';' && open_parentheses_ == 0) return start_head("", line_);
        if (c == ':' && (head_ == "public" || head_ == "private" || head_ == "protected")) return start_head("", line_);
        if (head_.empty() && std::isspace(static_cast<unsigned char>(c))) return;
        if (head_.empty()) head_line_ = line_;
        open_parentheses_ += c == '(' ? 1 : c == ')' ? -1 : 0;
        head_ += c;
    }

    void start_head(const std::string& head, std::size_t line) {
        head_ = head;
        head_line_ = line;
        open_parentheses_ = open_parentheses(head);
    }

    void open() {
        const Opens kind = inside_function_ > 0 ? Opens::scope : what_opens(head_);
        frames_.push_back({kind, head_, head_.empty() ? line_ : head_line_});
        if (kind == Opens::function) ++inside_function_;
        start_head("", line_);
    }

    void close() {
        if (frames_.empty()) return;
        const Frame frame = frames_.back();
        frames_.pop_back();
        start_head("", line_);
        if (frame.kind == Opens::function) {
            --inside_function_;
            found_.push_back({frame.head, frame.first_line, line_});
        }
        if (inside_function_ > 0) return;
        const bool in_call = open_parentheses(frame.head) > 0;  // a lambda among a call's arguments
        if (frame.kind == Opens::expression || in_call)
            start_head(frame.head + "0", in_call ? line_ : frame.first_line);
    }

    std::string code_, head_;
    std::size_t line_ = 1, head_line_ = 1;
    std::ptrdiff_t open_parentheses_ = 0;
    int inside_function_ = 0;
    std::vector<Frame> frames_;
    std::vector<Function> found_;
};

}  // namespace

std::string bare_code(const std::string& text) {
    std::string bare = text;
    bool line_start = true;
    for (std::size_t i = 0; i < bare.size();) {
        const char c = bare[i];
        std::size_t end = i + 1;
        if (bare.compare(i, 2, "//") == 0) {
            end = directive_end(bare, i);
        } else if (bare.compare(i, 2, "/*") == 0) {
            const std::size_t close = bare.find("*/", i + 2);
            end = close == std::string::npos ? bare.size() : close + 2;
        } else if (c == '#' && line_start) {
            end = directive_end(bare, i);
        } else if (c == '"' || (c == '\'' && (i == 0 || !is_word(bare[i - 1])))) {
            end = literal_end(bare, i);
        }
        line_start = c == '\n' || (line_start && std::isspace(static_cast<unsigned char>(c)));
        if (end > i + 1) blank(bare, i, end);
        i = end;
    }
    return bare;
}

std::vector<Function> functions(const std::string& text) { return Scanner(text).scan(); }

}  // namespace house

#include "refusals.hpp"

#include <algorithm>

namespace gradtape::test {
namespace {

std::vector<const Tape*>& alive() {
    static std::vector<const Tape*> tapes;
    return tapes;
}

}  // namespace

Tape::Tape(Recording recording) : gradtape::Tape(recording) { alive().push_back(this); }
Tape::~Tape() { std::erase(alive(), this); }

std::vector<std::size_t> recorded() {
    std::vector<std::size_t> result;
    for (const Tape* tape : alive()) result.push_back(tape->size());
    return result;
}

std::string compare(const Error& error, const Refusal& expected, unsigned line) {
    const std::string text = error.what();
    const auto say = [&](const std::string& what) { return what + " in: " + text; };
    if (error.primitive() != expected.name) return say("primitive() is '" + error.primitive() + "'");
    const std::string head = "[" + std::string(expected.name) + "] ";
    if (text.rfind(head, 0) != 0) return say("the message does not begin with " + head);
    if (error.shapes().size() < expected.shapes.size())
        return say(std::to_string(error.shapes().size()) + " shapes");
    for (std::size_t i = 0; i < expected.shapes.size(); ++i) {
        if (!(error.shapes()[i] == expected.shapes[i])) return say("shape " + to_string(error.shapes()[i]));
        if (text.find(to_string(expected.shapes[i])) == std::string::npos)
            return say("no " + to_string(expected.shapes[i]));
    }
    if (expected.axis && error.axis() != expected.axis)
        return say(error.axis() ? "axis " + std::to_string(*error.axis()) : "no axis");
    if (!error.where().file) return say("no source line");
    if (line != 0 && error.where().line != line) return say("line is not " + std::to_string(line));
    if (text.find(to_string(error.where())) == std::string::npos) return say("the line is not in the text");
    return "";
}

}  // namespace gradtape::test

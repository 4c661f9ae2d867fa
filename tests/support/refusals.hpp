// Checks of what an error says: its class, its fields, the form of its message, and the line it blames.
#pragma once

#include "tensors.hpp"

#include <cstring>
#include <vector>

namespace gradtape::test {

/// A tape on which a refused call may record nothing: `refused` looks at all those that are alive. It goes by the name that
/// tests call a tape by.
class Tape : public gradtape::Tape {
public:
    explicit Tape(gradtape::Recording recording = gradtape::Recording::eager);
    ~Tape();
    Tape(const Tape&) = delete;
};

/// What has been recorded on those tapes: the sizes, and which instruction would be the next.
std::vector<std::size_t> recorded();

struct Refusal {
    const char* name = "";        ///< expected primitive(), and the message's `[name] `
    std::vector<Shape> shapes{};  ///< expected first entries of shapes()
    std::optional<int> axis{};    ///< expected axis(), where given
};

/// "" where the error's facts are the expected ones, and its message ends with its source line: `line`, or any where that is 0.
std::string compare(const Error& error, const Refusal& expected, unsigned line);

/// "" where `call` throws an E with the expected facts that blames the line of this very call, and has recorded nothing.
template <class E>
std::string refused(const std::function<void()>& call, const Refusal& expected, unsigned line = __builtin_LINE()) {
    const std::vector<std::size_t> before = recorded();
    try {
        call();
    } catch (const E& error) {
        if (recorded() != before) return std::string("something has been recorded: ") + error.what();
        return compare(error, expected, line);
    } catch (const std::exception& error) {
        return std::string("another class of error: ") + error.what();
    }
    return "nothing was thrown";
}

/// The same for what blames the line that recorded, not the one that asked.
template <class E>
std::string refused_anywhere(const std::function<void()>& call, const Refusal& expected) {
    return refused<E>(call, expected, 0);
}

}  // namespace gradtape::test

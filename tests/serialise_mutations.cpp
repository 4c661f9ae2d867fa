// Damaged program files: seconds of deterministic mutations, each refused with a FormatError or read as what it says.
#include "support/awkward_program.hpp"
#include "support/program_file.hpp"
#include "support/replay_program.hpp"

#include <gradtape/control.hpp>

#include <doctest/doctest.h>

#include <chrono>
#include <cstdlib>
#include <random>

namespace gradtape::test {
namespace {

/// Functions within functions, with tensors of their own.
std::string with_functions() {
    Tape tape;
    const Node x = tape.input(Tensor{{1, 2, 3}, {4, 5, 6}});
    const auto inner = [](std::span<const Node> y) { return std::vector<Node>{y[0] * Tensor{3, 4, 5}, sum(y[0])}; };
    const auto outer = [&](std::span<const Node> y) { return call(inner, {exp(call(inner, y)[0])}); };
    const std::vector<Node> z = call(outer, x);
    return to_bytes(Program(tape, {z, grad(sum(z[0]) + z[1], x)}));
}

std::vector<std::string> corpus() {
    std::vector<std::string> files;
    for (std::uint64_t seed = 1; files.size() < 40; ++seed) {
        files.push_back(to_bytes(program_of(awkward_program(seed))));
        files.push_back(to_bytes(program_of(replay_program(seed).body), {.leaf_values = seed % 2 == 0}));
        std::erase_if(files, [](const std::string& file) { return file.size() > 20'000; });
    }
    for (int k = 0; k < 8; ++k) files.push_back(with_functions());
    Tape tape;
    const Node x = tape.input(Tensor{{1, 2, 3}, {4, 5, 6}}), w = tape.parameter(Tensor{0.1, 0.2, 0.3});
    const Node mask = tape.constant(Tensor(true));
    const Node y = pad(concatenate({slice(matmul(x, w), {{0, 2, 1}}), sum(x * w, 1)}, 0), {1}, {2}, -inf);
    files.push_back(to_bytes(Program(tape, {y, mask}, {{w, w * 2}})));
    return files;
}

class Mutator {
public:
    explicit Mutator(std::uint64_t seed) : random_(seed) {}

    std::string operator()(std::string file, const std::string& other) {
        for (std::size_t changes = 1 + below(3); changes > 0; --changes) change(file, other);
        return file;
    }
    std::size_t below(std::size_t n) { return n ? random_() % n : 0; }

private:
    void change(std::string& file, const std::string& other) {
        // the text matters most; the tensors behind it are most of the bytes
        const std::size_t text = std::min(file.find("\ndata ") + 40, file.size());
        const std::size_t at = below(below(10) ? text : file.size() + 1);
        const std::size_t length = std::min(below(below(4) ? 8 : 200), file.size() - at);
        static constexpr const char* words[] = {"%", "0", "9999999999999999999999", "-1", "(2, 3)", "(0,)", " ", "\n", "nan:", "inf",
            "2147483648", "2147483647", "(2147483648, 2147483648, 2147483648)", "float32", "boolean", "int64", "return", "value %0",
            "keepdims=true", "axes=(0,)", "update %0 %1\n", "()", "(1, 1, 1, 1, 1, 1, 1, 1, 1)", "concatenate", "matmul", "guard", "constant",
            "  # ", ":", "body=@f0", "body=@f1", "function @f1\n", "call", "value @f0 %1", "1e999", "transpose", "-0", "\0\xFF"};
        switch (below(7)) {
            case 0: if (at < file.size()) file[at] = char(below(256)); break;
            case 1: if (at < file.size()) file[at] = char(file[at] ^ (1 << below(8))); break;
            case 2: file.erase(at, length); break;
            case 3: file.insert(at, file.substr(below(file.size()), length)); break;
            case 4: file.replace(at, length, words[below(std::size(words))]); break;
            case 5: file.replace(at, length, other.substr(below(other.size()), below(60))); break;
            default: file.resize(below(4) ? at : file.size() + below(9)); break;
        }
    }

    std::mt19937_64 random_;
};

/// "" where the file is refused with a FormatError that has a place in it, or is the very file of what was read.
std::string complaint(const std::string& file, std::size_t& accepted) {
    try {
        const Program program = from_bytes(file);
        ++accepted;
        return to_bytes(program) == file ? "" : "accepted, but written otherwise";
    } catch (const FormatError& error) {
        return error.line() >= 1 && error.column() >= 1 && error.column() <= file.size() + 1 ? "" : "no place";
    } catch (const std::exception& error) {
        return std::string("another exception: ") + error.what();
    }
}

/// How long to mutate files: as the environment says, else a moment.
double fuzz_seconds() {
    const char* asked = std::getenv("GRADTAPE_FUZZ_SECONDS");
    return asked ? std::atof(asked) : 2;
}

TEST_CASE("serialise: mutated files are refused, or are files themselves") {
    const std::vector<std::string> files = corpus();
    Mutator mutate(1);
    std::size_t tried = 0, accepted = 0, unsealed = 0;
    const std::chrono::duration<double> time(fuzz_seconds());
    const auto start = std::chrono::steady_clock::now();
    while (std::chrono::steady_clock::now() - start < time) {
        const std::string& from = files[mutate.below(files.size())];
        const std::string bytes = mutate(from, files[mutate.below(files.size())]);
        ++tried;
        CAPTURE(bytes);
        REQUIRE(complaint(sealed(bytes), accepted) == "");
        if (bytes != from) REQUIRE(complaint(bytes, unsealed) == "");
    }
    MESSAGE(tried << " files tried in " << time.count() << " s, " << accepted
                  << " of them accepted with their checksum set right");
    CHECK(unsealed == 0);
    CHECK(accepted > 0);  // the mutations are not all hopeless
}

TEST_CASE("serialise: every prefix is refused") {
    const std::string file = corpus().back();
    std::size_t accepted = 0;
    for (std::size_t length = 0; length < file.size(); ++length) {
        CHECK(complaint(file.substr(0, length), accepted) == "");
        CHECK(complaint(sealed(file.substr(0, length)), accepted) == "");
    }
    CHECK(accepted == 0);
}

TEST_CASE("serialise: random bytes are refused") {
    Mutator random(2);
    std::size_t accepted = 0;
    for (int i = 0; i < 2000; ++i) {
        std::string bytes(random.below(300), '\0');
        for (char& byte : bytes) byte = char(random.below(256));
        CHECK(complaint(bytes, accepted) == "");
        CHECK(complaint("gradtape program 1\n" + bytes, accepted) == "");
        CHECK(complaint("gradtape program 2\nfunction @f0\n" + bytes, accepted) == "");
    }
    CHECK(accepted == 0);
}

}  // namespace
}  // namespace gradtape::test

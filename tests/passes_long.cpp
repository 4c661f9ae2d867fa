// Long programs: every pass ends, which one of quadratic time would not, and on a small stack.
#include "support/pass_check.hpp"
#include "support/small_stack.hpp"

#include "ir/verify.hpp"
#include "tape/evaluate.hpp"

#include <doctest/doctest.h>


namespace gradtape::test {
namespace {

/// About `size` instructions: a chain of one kind, from an input, a parameter and a constant.
using Chain = Node (*)(Node x, Node p, Node c, int size);
struct NamedChain {
    const char* name;
    Chain record;
};

const NamedChain chains[] = {
    {"products", [](Node x, Node p, Node, int size) {
         for (int i = 0; i < size; ++i) x = x * p;
         return x;
     }},
    {"constants", [](Node x, Node, Node c, int size) {
         for (int i = 0; i < size; ++i) c = c * 0.999999;
         return x + c;
     }},
    {"reshapes and negations", [](Node x, Node, Node, int size) {
         for (int i = 0; i < size / 4; ++i) x = reshape(-(-reshape(x, {2, 1})), {1, 2});
         return x;
     }},
    {"equals", [](Node x, Node p, Node, int size) {
         Node y = x;
         for (int i = 0; i < size / 2; ++i) y = y + x * p;
         return y;
     }},
    {"different constants", [](Node x, Node, Node, int size) {
         for (int i = 0; i < size / 2; ++i) x = x + double(i);
         return x;
     }},
    {"fan-out and fan-in", [](Node x, Node p, Node, int size) {
         std::vector<Node> parts;
         for (int i = 0; i < size; ++i) parts.push_back(i % 2 ? x * p : x);
         return concatenate(parts, 0);
     }},
    {"identities", [](Node x, Node, Node, int size) {
         for (int i = 0; i < size / 2; ++i) x = stop_gradient(x * 1.0);
         return x;
     }},
};

Body long_program(Chain chain, int size) {
    Tape tape;
    const Node x = tape.input(Tensor{0.5, 0.25}), p = tape.parameter(Tensor{1.0, 0.999999});
    const Node c = tape.constant(Tensor{2.0, 3.0});
    return Program(tape, {chain(x, p, c, size)}).body();
}

// Under sanitizers a tenth of the length.
#if defined(GRADTAPE_SANITIZED)
constexpr int share = 10;
#else
constexpr int share = 1;
#endif

TEST_CASE("passes: long programs, on a small stack, keep every bit") {
    const std::vector<Tensor> inputs = {Tensor{0.75, -0.5}}, parameters = {Tensor{1.0000001, 0.9999998}};
    for (const NamedChain& chain : chains) {
        CAPTURE(std::string(chain.name));
        std::string wrong;
        on_a_small_stack([&] {
            // One of a million instructions; the others stay shorter for the sake of the tests' time.
            const Body body = long_program(chain.record, (&chain == chains ? 1000000 : 150000) / share);
            const std::vector<Tensor> expected = detail::evaluate(body, inputs, parameters);
            for (const NamedPass& pass : passes().first(4)) {  // each alone
                const Body after = pass.run(body);
                detail::verify(after.instructions, after.outputs);
            }
            const Body after = passes().back().run(body);
            wrong = different(expected, detail::evaluate(after, inputs, parameters));
        });
        CHECK(wrong == "");
    }
}

}  // namespace
}  // namespace gradtape::test

// Prints a small recording, its derivative included, as text (default) or as a Graphviz graph (--dot).
#include <gradtape/gradtape.hpp>

#include <cstdio>
#include <cstring>

namespace gt = gradtape;

int main(int count, char** arguments) {
    // [record]
    gt::Tape tape;
    const gt::Node x = tape.input(gt::Tensor{{1, 2, 3}, {4, 5, 6}});
    const gt::Node w = tape.parameter(gt::Tensor{0.1, 0.2, 0.3});
    const gt::Node y = sum(square(x * w - 1.0), -1);
    const gt::Node loss = mean(y);
    const gt::Program program(tape, {loss, grad(loss, w)});
    // [/record]
    const bool dot = count > 1 && std::strcmp(arguments[1], "--dot") == 0;
    std::fputs((dot ? to_dot(program) : to_text(program)).c_str(), stdout);
}

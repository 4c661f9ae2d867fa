// A line for every primitive of the table: how fast its kernel goes, replayed alone. Elementwise primitives and
// reductions run on 10⁵ elements, the others on the largest of their test samples.
#include "tests/support/samples.hpp"

#include <gradtape/compile.hpp>
#include <gradtape/primitive.hpp>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <ctime>

using namespace gradtape;

namespace {

double now() {
    timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return double(t.tv_sec) * 1e9 + double(t.tv_nsec);
}

std::int64_t elements(const test::Sample& sample) {
    std::int64_t most = 0;
    for (const Shape& shape : sample.shapes) most = std::max(most, shape.elements());
    return most;
}

test::Sample choose(const Primitive& primitive) {
    if (primitive.elementwise) {
        test::Sample sample = test::samples(primitive)[0];
        for (Shape& shape : sample.shapes) shape = {100000};
        return sample;
    }
    const std::vector<test::Sample> all = test::samples(primitive);
    test::Sample sample = *std::max_element(all.begin(), all.end(), [](const auto& a, const auto& b) { return elements(a) < elements(b); });
    const auto list = sample.attributes.list();
    if (list.empty() || std::strcmp(list[0].name, "axes") != 0) return sample;
    const Attributes along{{"axes", Shape{1}}}, reduced{{"axes", Shape{1}}, {"keepdims", false}};
    return {{{100, 1000}}, list.size() == 1 ? along : reduced};
}

/// Nanoseconds of one run: the least of several samples of about 2 ms.
double measure(Replay& replay) {
    double best = 1e300;
    for (int sample = 0, runs = 1; sample < 12; ++sample) {
        const double start = now();
        for (int i = 0; i < runs; ++i) replay.run();
        const double each = (now() - start) / runs;
        best = std::min(best, each);
        runs = std::max(1, int(2e6 / std::max(each, 1.0)));
    }
    return best;
}

void line(const Primitive& primitive, DType dtype) {
    const test::Sample sample = choose(primitive);
    test::Random random(1);
    Tape tape;
    std::vector<Node> operands;
    for (const Tensor& operand : test::sample_operands(primitive, sample, dtype, random)) operands.push_back(tape.input(operand));
    const Node z = gradtape::apply(primitive, operands, sample.attributes);
    double bytes = double(z.value().bytes());
    for (const Node& x : operands) bytes += double(x.value().bytes());
    const std::vector<Node> outputs{z};
    Replay replay(compile(tape, outputs, {}, {.fold = false, .simplify = false}));
    const double ns = measure(replay), count = double(std::max<std::int64_t>(1, std::max(elements(sample), z.shape().elements())));
    std::printf("%-16s %-8s %9.0f %12.1f %10.3f %8.2f\n", primitive.name, to_string(dtype), count, ns, ns / count, bytes / ns);
}

}  // namespace

int main(int count, char** arguments) {
    const std::string only = count > 1 ? arguments[1] : "";
    std::printf("%-16s %-8s %9s %12s %10s %8s\n", "primitive", "dtype", "elements", "ns", "ns/element", "GB/s");
    for (const Primitive* primitive : test::operations())
        if (!primitive->effect && std::string(primitive->name).find(only) != std::string::npos)
            for (DType dtype : {DType::float32, DType::float64}) {
                try {
                    line(*primitive, dtype);
                } catch (const DTypeError&) {
                    // logic takes booleans only
                }
            }
}

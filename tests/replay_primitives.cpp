// Every primitive, alone and among others, replays to the bits of plain evaluation, however it is compiled.
#include "support/replay_check.hpp"
#include "support/samples.hpp"

#include <doctest/doctest.h>

#ifdef __x86_64__
#include <cpuid.h>
#endif
#include <optional>

namespace gradtape::test {
namespace {

const DType dtypes[] = {DType::float64, DType::float32, DType::int64, DType::boolean};

/// How a primitive is met: its operands and result as they are, or between elementwise neighbours that may be fused
/// with it; all operands inputs, or one of them a constant.
struct Setting {
    bool neighbours;
    int constant;  ///< operand; −1: none
};

/// x · 1 with a 1 that no pass knows: the same bits from an elementwise instruction.
Node neighbour(Node x, Node one) {
    return x.dtype() == DType::boolean ? logical_and(x, cast(one, DType::boolean)) : x * cast(one, x.dtype());
}

Case make_case(const Primitive& primitive, const Sample& sample, DType dtype, const Setting& setting, Random& random) {
    Case its;
    Tape tape;
    const auto input = [&](const Tensor& recorded, const Tensor& fresh) {
        its.recorded.inputs.push_back(recorded);
        its.fresh.inputs.push_back(fresh);
        return tape.input(recorded);
    };
    const Node one = input(Tensor(1.0), Tensor(1.0));
    const auto recorded = sample_operands(primitive, sample, dtype, random);
    const auto fresh = sample_operands(primitive, sample, dtype, random);
    std::vector<Node> x;
    for (std::size_t k = 0; k < recorded.size(); ++k) {
        x.push_back(int(k) == setting.constant ? tape.constant(recorded[k]) : input(recorded[k], fresh[k]));
        if (setting.neighbours) x.back() = neighbour(x.back(), one);
    }
    const Attributes attributes = primitive.effect ? Attributes{{"expected", 0.0}} : sample.attributes;
    Node z = apply(primitive, x, attributes);
    std::vector<Node> outputs = {z};
    if (setting.neighbours) outputs.push_back(neighbour(z, one));
    if (primitive.differentiable && is_floating(z.dtype()))
        for (const Node& its : x)
            if (is_floating(its.dtype()) && (primitive.indices || same_node(its, x.back())))
                outputs.push_back(grad(sum(setting.neighbours ? outputs[1] : z), its));
    its.body = Program(tape, outputs).body();
    settle_guards(its.body, its.recorded);
    return its;
}

std::vector<Sample> with_long_ones(const Primitive& primitive) {
    std::vector<Sample> result = samples(primitive);
    if (primitive.elementwise)
        for (const Shape& shape : {Shape{1023}, Shape{1025}, Shape{50, 50}, Shape{4097}})
            result.push_back({std::vector<Shape>(std::size_t(primitive.arity), shape), result.front().attributes});
    return result;
}

/// f(case) for all samples and those dtypes that the primitive takes. Gives their number.
template <class F>
int for_each_case(const Primitive& primitive, std::initializer_list<Setting> settings, Random& random, F f) {
    int checked = 0;
    for (const Sample& sample : with_long_ones(primitive))
        for (DType dtype : dtypes)
            for (const Setting& setting : settings) {
                Case its;
                try {
                    its = make_case(primitive, sample, dtype, setting, random);
                } catch (const DTypeError&) {
                    continue;  // not one of the primitive's dtypes
                }
                f(its);
                ++checked;
            }
    return checked;
}

TEST_CASE("replay: every primitive, alone and between neighbours, on inputs and on constants") {
    for (const Primitive* primitive : operations()) {
        CAPTURE(std::string(primitive->name));
        Random random(std::hash<std::string_view>()(primitive->name));
        std::size_t turn = 0;
        const int checked = for_each_case(*primitive, {{false, -1}, {true, -1}, {true, 0}}, random, [&](const Case& its) {
            const std::string wrong = check_replay(its, turn++);
            if (!wrong.empty()) FAIL_CHECK(report(its, wrong));
        });
        CHECK(checked >= 4);  // so every option set has its turn
    }
}

#ifdef __x86_64__
/// Whether upper halves of AVX registers are in use; nothing where the processor does not tell. (Intel 64 and IA-32
/// Architectures Software Developer's Manual, volume 1, 13.6: XINUSE, read by XGETBV with ECX = 1.)
std::optional<bool> upper_halves_in_use() {
    unsigned a = 0, b = 0, c = 0, d = 0;
    if (!__builtin_cpu_supports("avx") || !__get_cpuid_count(0xd, 1, &a, &b, &c, &d) || !(a & 4)) return {};
    asm volatile("xgetbv" : "=a"(a), "=d"(d) : "c"(1));
    return a & (1 << 2 | 1 << 6);  // of 256 and of 512 bits
}

// An instruction without AVX after one that leaves them in use waits, 100 ns on some processors.
TEST_CASE("replay: every primitive leaves the registers as code without AVX wants them") {
    if (!upper_halves_in_use()) return;
    asm volatile("vzeroupper");
    CHECK(!*upper_halves_in_use());
    asm volatile("vpcmpeqd %%ymm15, %%ymm15, %%ymm15" ::: "xmm15");
    CHECK(*upper_halves_in_use());
    asm volatile("vzeroupper");
    for (const Primitive* primitive : operations()) {
        CAPTURE(std::string(primitive->name));
        Random random(1);
        for_each_case(*primitive, {{false, -1}}, random, [](const Case& its) {
            CHECK(!*upper_halves_in_use());  // after recording
            Replay replay(compile(Program(std::make_unique<Program::Body>(its.body))));
            for (std::size_t i = 0; i < its.recorded.inputs.size(); ++i) replay.set_input(i, its.recorded.inputs[i]);
            asm volatile("vzeroupper");
            replay.run();
            CHECK(!*upper_halves_in_use());
        });
    }
}
#endif

}  // namespace
}  // namespace gradtape::test

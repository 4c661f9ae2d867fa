// Programs as files: what is saved is what is loaded, here and in another process.
#include "support/awkward_program.hpp"
#include "support/program_file.hpp"
#include "support/random_program.hpp"
#include "support/replay_program.hpp"
#include "support/samples.hpp"

#include <filesystem>
#include <gradtape/nonfinite.hpp>

#include <doctest/doctest.h>

#include <array>
#include <bit>
#include <cfenv>
#include <cstdlib>
#include <fstream>
#include <random>

#ifdef __SSE2__
#include <xmmintrin.h>
#endif

namespace gradtape::test {
namespace {

namespace fs = std::filesystem;

/// "" where the program comes back from its bytes, and the bytes from it.
std::string round_trip(const Program& program, OwnPrimitives own = {}) {
    const std::string bytes = to_bytes(program);
    const Program loaded = from_bytes(bytes, own);
    const std::string what = difference(program, loaded);
    return !what.empty() ? what : to_bytes(loaded) != bytes ? "other bytes" : to_text(loaded) != to_text(program) ? "other text" : "";
}

TEST_CASE("serialise: every primitive, with what its derivative records, comes back") {
    for (const Primitive* p : operations())
        for (const Sample& sample : samples(*p)) {
            CAPTURE(std::string(p->name));
            Tape tape;
            const Node z = record_with_derivative(tape, *p, sample);
            CHECK(round_trip(Program(tape, {z})) == "");
        }
}

TEST_CASE("serialise: every attribute that instructions carry is one of the primitive's settings") {
    for (const Primitive* p : operations())
        for (const Sample& sample : samples(*p)) {
            std::size_t settings = 0;
            while (settings < Attributes::max && p->settings[settings].name) ++settings;
            const auto attributes = sample.attributes.list();
            const bool fits = attributes.size() == settings || (attributes.empty() && p->settings_optional);
            CHECK_MESSAGE(fits, p->name);
            for (std::size_t k = 0; k < attributes.size(); ++k) CHECK(std::string(attributes[k].name) == p->settings[k].name);
        }
}

TEST_CASE("serialise: random programs come back, and replay bit for bit") {
    for (std::uint64_t seed = 1; seed <= 300; ++seed) {
        CAPTURE(seed);
        const Program awkward = program_of(awkward_program(seed)), program = program_of(replay_program(seed).body);
        CHECK(round_trip(awkward) == "");
        CHECK(round_trip(program) == "");
        if (seed > 60 || program.body().input_values.size() != program.body().inputs.size()) continue;
        CHECK(replayed(compile(from_bytes(to_bytes(program))), 3) == replayed(compile(program), 3));
    }
}

TEST_CASE("serialise: updates, leaf values and guards") {
    Tape tape;
    const Program program = training_step(tape);
    CHECK(round_trip(program) == "");
    CHECK(to_text(program).find("\nupdate %1 %") != std::string::npos);
    const Program loaded = from_bytes(to_bytes(program));
    CHECK(loaded.body().updates.size() == 1);
    Replay trained(compile(loaded));
    trained.run();
    const double first = trained.output(0).item();
    for (int i = 0; i < 50; ++i) trained.run();
    CHECK(trained.output(0).item() < first / 2);
    CHECK(replayed(compile(loaded), 20) == replayed(compile(program), 20));

    trained.set_parameter(1, Tensor(0.5));
    CHECK_THROWS_AS(trained.run(), GuardFailed);
}

TEST_CASE("serialise: without leaf values, a replay must be given all") {
    Tape tape;
    const Program program = training_step(tape);
    const Program loaded = from_bytes(to_bytes(program, {.leaf_values = false}));
    CHECK(loaded.body().constants.size() == 1);
    CHECK(loaded.body().input_values.empty());
    CHECK(to_bytes(loaded) == to_bytes(program, {.leaf_values = false}));
    Replay replay(compile(loaded)), whole(compile(program));
    CHECK_THROWS_AS(replay.run(), ValueError);
    replay.set_input(0, program.body().input_values[0]);
    for (std::size_t k : {0, 1}) replay.set_parameter(k, program.body().parameter_values[k]);
    replay.run();
    whole.run();
    CHECK(same_bits(replay.output(0), whole.output(0)));
    CHECK(same_bits(replay.parameter(0), whole.parameter(0)));
}

/// Numbers whose text is long, short, an edge or none.
std::vector<double> awkward_numbers() {
    std::vector<double> values = {0.0, -0.0, 1.0 / 3, 0.1, 5e-324, -5e-324, 1e-310, 2.2250738585072009e-308,
                                  2.2250738585072014e-308, 1.7976931348623157e308, inf, -inf, 1e22, 1e23, 1e-7, 123456789.123};
    for (std::uint64_t bits : {0x7FF8000000000000u, 0xFFF8000000000000u, 0x7FF0000000000001u, ~0ul, 0x7FF8DEADBEEF0001u})
        values.push_back(std::bit_cast<double>(bits));
    std::mt19937_64 random(1);
    for (int i = 0; i < 200; ++i) values.push_back(std::bit_cast<double>(random()));
    return values;
}

/// Another rounding mode for a while, and with `flush` subnormal numbers taken and given as 0 where the processor can.
class Environment {
public:
    Environment(int mode, bool flush) {
        std::fegetenv(&before_);
        std::fesetround(mode);
#ifdef __SSE2__
        if (flush) _mm_setcsr(_mm_getcsr() | 0x8040u);
#endif
        (void)flush;
    }
    ~Environment() { std::fesetenv(&before_); }
    Environment(const Environment&) = delete;

private:
    std::fenv_t before_;
};

bool flushes() {
    const volatile double smallest = 5e-324;
    return smallest * 1.0 == 0;
}

TEST_CASE("serialise: numbers keep every bit, in every rounding mode and where subnormal numbers are flushed") {
    const std::vector<double> numbers = awkward_numbers();
    Tape tape;
    for (double v : numbers) tape.full({2}, v);
    const Tensor tensor = Tensor::from<double>(numbers, {std::int64_t(numbers.size())});
    tape.constant(tensor);
    const Program program(tape, {});
    const std::string bytes = to_bytes(program), text = to_text(program), elements = to_string(tensor);
    for (const int mode : {FE_TONEAREST, FE_UPWARD, FE_DOWNWARD, FE_TOWARDZERO})
        for (const bool flush : {false, true}) {
            std::string written, complaint, text_now, elements_now;
            bool kept = false;
            {
                const Environment environment(mode, flush);
                const bool flushed = flushes();
                written = to_bytes(program);
                complaint = difference(program, from_bytes(bytes));
                text_now = to_text(program);
                elements_now = to_string(tensor);
                kept = std::fegetround() == mode && flushes() == flushed;
            }
            CAPTURE(mode);
            CAPTURE(flush);
            CHECK(kept);
            CHECK(written == bytes);
            CHECK(complaint == "");
            CHECK(text_now == text);
            CHECK(elements_now == elements);
        }
}

TEST_CASE("serialise: tensors of every dtype, empty ones, and all bits of NaN") {
    Tape tape;
    Tensor odd = Tensor::uninitialised({DType::float32, {3}});
    const std::uint32_t bits[] = {0x7FC12345, 0xFF800001, 0x80000000};
    for (int i = 0; i < 3; ++i) odd.mutable_data<float>()[std::size_t(i)] = std::bit_cast<float>(bits[i]);
    Random random(4);
    for (DType dtype : {DType::float32, DType::float64, DType::int64, DType::boolean})
        for (const Shape& shape : {Shape{}, Shape{0, 3}, Shape{5}, Shape{2, 1, 3}}) {
            tape.constant(random.tensor(shape, -3, 3).as(dtype));
            tape.input(random.tensor(shape, -3, 3).as(dtype));
        }
    tape.constant(odd);
    CHECK(round_trip(Program(tape, {})) == "");
}

TEST_CASE("serialise: abstract recordings have types only") {
    Tape tape(gradtape::Recording::abstract);
    const Node x = tape.input({DType::float64, {1000, 1000}}), w = tape.parameter({DType::float64, {1000, 1000}});
    const Program program(tape, {sum(matmul(x, w))});
    const std::string bytes = to_bytes(program);
    CHECK(bytes.size() < 1000);
    CHECK(round_trip(program) == "");
}

TEST_CASE("serialise: source lines outlive the file's bytes and the program, as long as what is compiled lives") {
    std::optional<Compiled> compiled;
    {
        std::string bytes = "gradtape program 1\n%0 = parameter : float64()  # a file, héé.cpp:7\n"
                            "%1 = guard %0 expected=1 : float64()  # x:y.cpp:4294967295\nreturn %1\nvalue %0\ndata 8 0123456789abcdef\n";
        const double two = 2;
        bytes.append(reinterpret_cast<const char*>(&two), 8);
        const Program program = from_bytes(sealed(bytes));
        std::fill(bytes.begin(), bytes.end(), '!');
        CHECK(to_string(program.body().instructions[0].where) == "a file, héé.cpp:7");
        compiled = compile(program);
    }
    CHECK(replayed(*compiled, 1).find("(x:y.cpp:4294967295)") != std::string::npos);
}

/// A copy of what `action` throws.
template <class Wanted, class Action>
std::optional<Wanted> thrown(const Action& action) {
    try {
        action();
    } catch (const Wanted& error) {
        return error;
    }
    return {};
}

TEST_CASE("serialise: what is thrown and found of a loaded program outlives it") {
    std::optional<GuardFailed> guard;
    std::optional<ShapeError> shape;
    std::optional<NonFinite> found;
    {
        Tape tape;
        const Program program = from_bytes(to_bytes(training_step(tape)));
        const std::vector<Tensor> inputs = program.body().input_values, weights = program.body().parameter_values;
        Replay replay(compile(program));
        replay.set_parameter(1, Tensor(0.5));
        guard = thrown<GuardFailed>([&] { replay.run(); });
        shape = thrown<ShapeError>([&] { find_nonfinite(program, std::vector{Tensor(1.0)}, weights); });
        found = find_nonfinite(program, inputs, std::vector{Tensor{inf, 0, 0}, weights[1]});
    }
    const auto has_place = [](Where where) { return to_string(where).rfind("program_file.cpp:", 0) == 0; };
    REQUIRE(guard);
    CHECK(has_place(guard->where()));
    REQUIRE(shape);
    CHECK(to_string(shape->where()).rfind("serialise_programs.cpp:", 0) == 0);  // the caller's
    REQUIRE(found);
    CHECK(has_place(found->made_by.where));
    CHECK(to_string(*found).find("(program_file.cpp:") != std::string::npos);
}

TEST_CASE("serialise: primitives of the user's") {
    static const Primitive doubled = [] {
        Primitive p;
        p.name = "doubled";
        p.arity = 1;
        p.shape = [](const ShapeCall& call) { return call[0]; };
        p.kernel = [](const KernelCall& call) {
            for (std::size_t i = 0; i < call.result<double>().size(); ++i) call.result<double>()[i] = call.input<double>(0)[i] * 2;
        };
        p.settings[0] = {"times", Setting::Kind::integer};
        return p;
    }();
    static const Primitive named_add = [] {
        Primitive p = doubled;
        p.name = "add";
        return p;
    }();
    const Primitive* const own[] = {&doubled};
    Tape tape;
    const Node x = tape.input(Tensor{1, 2});
    const Program good(tape, {apply(doubled, {x}, {{"times", std::int64_t(1)}})});
    CHECK(round_trip(good, own) == "");
    CHECK(replayed(compile(from_bytes(to_bytes(good), own)), 1) == replayed(compile(good), 1));
    CHECK_THROWS_WITH_AS(from_bytes(to_bytes(good)), doctest::Contains("unknown primitive 'doubled'"), FormatError);

    Tape other;
    const Node y = other.input(Tensor{1, 2});
    CHECK_THROWS_WITH_AS(to_bytes(Program(other, {apply(named_add, {y}, {{"times", std::int64_t(1)}})})),
                         doctest::Contains("another primitive is called 'add' too; rename one"), ValueError);
    CHECK_THROWS_WITH_AS(from_bytes(to_bytes(good), std::array{&named_add}), doctest::Contains("two primitives are called 'add'"), ValueError);
    static const Primitive another_doubled = doubled;
    Tape both;
    const Node twice = apply(another_doubled, {apply(doubled, {both.input(Tensor{1, 2})}, {{"times", std::int64_t(1)}})},
                             {{"times", std::int64_t(1)}});
    CHECK_THROWS_WITH_AS(to_bytes(Program(both, {twice})), doctest::Contains("another primitive is called 'doubled' too"), ValueError);
    CHECK_THROWS_WITH_AS(from_bytes(to_bytes(good), std::array{&doubled, &another_doubled}),
                         doctest::Contains("two primitives are called 'doubled'"), ValueError);
    CHECK(from_bytes(to_bytes(good), std::array{&doubled, &doubled}).size() == good.size());
    CHECK_THROWS_AS(from_bytes(to_bytes(good), std::array<const Primitive*, 2>{&doubled, nullptr}), ValueError);
    for (const Attributes& bad : {Attributes(), Attributes{{"time", std::int64_t(1)}}, Attributes{{"times", 1.0}},
                                  Attributes{{"times", std::int64_t(1) << 40}}}) {
        Tape third;
        CHECK_THROWS_AS(to_bytes(Program(third, {apply(doubled, {third.input(Tensor{1, 2})}, bad)})), ValueError);
    }
}

constexpr int programs_for_child = 40;
fs::path program_path(const fs::path& folder, int k) { return folder / (std::to_string(k) + ".gradtape"); }
fs::path result_path(const fs::path& folder, int k) { return folder / (std::to_string(k) + ".results"); }

// Run by the next test in a process of its own, which knows nothing but the files.
TEST_CASE("serialise: the other process" * doctest::skip()) {
    const fs::path folder = std::getenv("GRADTAPE_PROGRAMS");
    for (int k = 0; k < programs_for_child; ++k)
        std::ofstream(result_path(folder, k), std::ios::binary) << replayed(compile(load(program_path(folder, k))), 3);
}

TEST_CASE("serialise: a program loaded by another process replays bit for bit") {
    Folder folder;
    std::vector<std::string> expected;
    for (int k = 0; k < programs_for_child; ++k) {
        Tape tape;
        const Program program = k == 0 ? training_step(tape) : program_of(replay_program(std::uint64_t(k)).body);
        save(program_path(folder.path, k), program);
        expected.push_back(replayed(compile(program), 3));
    }
    CHECK(expected[0].size() > 3 * sizeof(double));
    const std::string self = fs::read_symlink("/proc/self/exe").string();
    setenv("GRADTAPE_PROGRAMS", folder.path.c_str(), 1);
    CHECK(std::system(("'" + self + "' --no-skip --test-case='serialise: the other process' > /dev/null").c_str()) == 0);
    for (int k = 0; k < programs_for_child; ++k) {
        CAPTURE(k);
        CHECK(read_file(result_path(folder.path, k)) == expected[std::size_t(k)]);
    }
}

}  // namespace
}  // namespace gradtape::test

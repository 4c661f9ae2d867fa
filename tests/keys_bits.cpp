// Keys and the bits that are made of them: known answers, every mode, children, shapes, what is refused.
#include "support/refusals.hpp"
#include "support/samples.hpp"

#include "passes/passes.hpp"

#include <gradtape/nn/init.hpp>
#include <gradtape/portable.hpp>

#include <doctest/doctest.h>

#include <bit>
#include <cmath>
#include <set>

namespace gradtape::test {
namespace {

using Integers = std::vector<std::int64_t>;

Tensor key_of(std::uint64_t k0, std::uint64_t k1) {
    return Tensor::from<std::int64_t>({std::int64_t(k0), std::int64_t(k1)}, {2});
}

Integers integers(const Tensor& tensor) {
    const auto elements = tensor.data<std::int64_t>();
    return {elements.begin(), elements.end()};
}

Integers draw(const Tensor& key, const Shape& shape, std::int64_t bits = 64) {
    Tape tape;
    return integers(random_bits(tape.input(key), shape, bits).value());
}

TEST_CASE("keys: random_bits gives Random123's known answers") {
    CHECK(draw(key_of(0, 0), {4}, 32) == Integers{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8});
    CHECK(draw(key_of(0, 0), {2}, 64) == Integers{std::int64_t(0xe169c58d6627e8d5), std::int64_t(0x9b00dbd8bc57ac4c)});
    // The others of kat_vectors have blocks in the middle of a part (tests/nn_init.cpp); here, that a part begins where it does.
    const Primitive* p = nullptr;
    for (const Primitive* q : operations())
        if (std::string(q->name) == "random_bits") p = q;
    REQUIRE(p);
    Tape tape;
    const Node key = tape.input(key_of(0x299f31d0a4093822, 0x0370734413198a2e));
    const Attributes attributes{{"shape", Shape{4}}, {"bits", std::int64_t(32)}, {"part", std::int64_t(0x05a308)}};
    const auto expected = philox4x32_10({0, 0x05a30800, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0});
    CHECK(integers(gradtape::apply(*p, {key}, attributes).value()) == Integers(expected.begin(), expected.end()));
}

TEST_CASE("keys: bits are those of a stream of nn under the same seed and name") {
    const std::uint64_t name = 0xaf63dc4c8601ec8c, seed = 0x9123456789abcdef;  // FNV-1a of "a"
    nn::Stream words(seed, "a"), pairs(seed, "a"), numbers(seed, "a");
    for (const std::int64_t word : draw(key_of(seed, name), {1001}, 32)) CHECK(word == std::int64_t(words.bits32()));
    for (const std::int64_t pair : draw(key_of(seed, name), {77, 13}, 64)) CHECK(pair == std::int64_t(pairs.bits64()));
    Tape tape;
    for (const double u : values(uniform(tape.input(key_of(seed, name)), {500}))) CHECK(u == numbers.uniform());
}

TEST_CASE("keys: fewer bits are the top ones of the same words, and the first elements do not depend on the shape") {
    const Tensor key = random_key(12);
    const Integers words = draw(key, {1000}, 32), pairs = draw(key, {1000}, 64);
    for (int bits = 1; bits <= 64; ++bits) {
        const Integers fewer = draw(key, {1000}, bits);
        bool same = true;
        for (std::size_t i = 0; i < 1000; ++i) {
            const std::uint64_t all = bits <= 32 ? std::uint64_t(words[i]) << 32 : std::uint64_t(pairs[i]);
            same = same && fewer[i] == std::int64_t(all >> (64 - bits));
        }
        CHECK_MESSAGE(same, bits, " bits");
    }
    for (const Shape& shape : {Shape{}, Shape{1}, Shape{0}, Shape{3}, Shape{2, 0, 3}, Shape{7, 9}, Shape{257}}) {
        const Integers some = draw(key, shape);
        CHECK(some == Integers(pairs.begin(), pairs.begin() + shape.elements()));
    }
}

TEST_CASE("keys: eager, compiled, replayed, on more threads and after a file, all bits are the same") {
    Tape tape;
    const Node key = tape.input(random_key(5));
    const std::vector<Node> children = split(key, 2);
    const std::vector<Node> drawn = {random_bits(key, {1000}), uniform(children[0], {300, 7}, DType::float32, -1, 3),
                                     normal(children[1], {999}), exponential(fold_in(key, 3), {5, 5}), gumbel(key, {64}),
                                     cast(bernoulli(key, 0.3, {17}), DType::float64)};
    const Program program(tape, drawn), loaded = from_bytes(to_bytes(program));
    CHECK(to_text(loaded) == to_text(program));
    for (const Program* each : {&program, &loaded})
        for (const std::size_t threads : {1, 2}) {
            CompileOptions options;
            options.threads = threads;
            Replay replay(compile(*each, options));
            for (int run = 0; run < 2; ++run) {
                replay.run();
                for (std::size_t i = 0; i < drawn.size(); ++i) CHECK(same_bits(replay.output(i), drawn[i].value()));
            }
        }
    // Another key gives what the tape gives for it.
    Replay replay(compile(program));
    replay.set_input(0, random_key(6));
    replay.run();
    Tape other;
    CHECK(same_bits(replay.output(0), random_bits(other.input(random_key(6)), {1000}).value()));
    CHECK_FALSE(same_bits(replay.output(0), drawn[0].value()));
}

TEST_CASE("keys: passes treat bits as any other value: merged, dropped, folded") {
    Tape tape;
    const Node key = tape.input(random_key(1)), constant = tape.constant(random_key(1));
    const Node twice = random_bits(key, {9}) + random_bits(key, {9});
    random_bits(key, {10});
    const Node folded = random_bits(constant, {9});
    const auto left = [](const Program::Body& body) {
        std::size_t count = 0;
        for (const auto& instruction : body.instructions) count += std::string(instruction.primitive->name) == "random_bits";
        return count;
    };
    const Program program(tape, {twice, folded});
    CHECK(left(program.body()) == 4);
    CHECK(left(detail::merge_common(program.body())) == 3);
    CHECK(left(detail::remove_dead(program.body())) == 3);
    CHECK(left(detail::remove_dead(detail::fold_constants(program.body()))) == 2);
    Replay replay(compile(program));
    replay.run();
    CHECK(same_bits(replay.output(0), twice.value()));
    CHECK(same_bits(replay.output(1), folded.value()));
}

TEST_CASE("keys: children, grandchildren and folded keys are all different, and so are their numbers") {
    Tape tape;
    const Node key = tape.input(random_key(3));
    std::vector<Node> keys = split(key, 40);
    for (const Node& child : split(keys[7], 3)) keys.push_back(child);
    for (std::int64_t i = -5; i < 40; ++i) keys.push_back(fold_in(key, i));
    for (std::int64_t i = 0; i < 5; ++i) keys.push_back(fold_in(keys[0], i));
    keys.push_back(fold_in(fold_in(key, 1), 2));
    keys.push_back(fold_in(fold_in(key, 2), 1));
    keys.push_back(key);
    std::set<Integers> seen, numbers;
    for (const Node& each : keys) {
        CHECK(each.dtype() == DType::int64);
        CHECK(each.shape() == Shape{2});
        seen.insert(integers(each.value()));
        for (const std::int64_t number : integers(random_bits(each, {8}).value())) numbers.insert({number});
    }
    CHECK(seen.size() == keys.size());
    CHECK(numbers.size() == 8 * keys.size());
    CHECK(split(key, 0).empty());
    CHECK(same_bits(split(key, 2)[1].value(), split(key, 5)[1].value()));
    // A number, a tensor and a node are the same to fold_in.
    CHECK(same_bits(fold_in(key, 9).value(), fold_in(key, tape.input(Tensor(std::int64_t(9)))).value()));
    CHECK(same_bits(fold_in(key, 9).value(), fold_in(key, Tensor(std::int64_t(9))).value()));
    CHECK(integers(random_key(-1)) == Integers{-1, 0});
    CHECK(integers(random_key(std::uint64_t(1) << 63)) == Integers{INT64_MIN, 0});
}

/// Their correlation, in standard deviations of that of independent numbers.
double correlation(const std::vector<double>& x, const std::vector<double>& y) {
    double total = 0;
    for (std::size_t i = 0; i < x.size(); ++i) total += 12 * (x[i] - 0.5) * (y[i] - 0.5);
    return total / std::sqrt(double(x.size()));
}
std::vector<double> shifted(std::vector<double> x) {
    std::rotate(x.begin(), x.begin() + 1, x.end());
    return x;
}

TEST_CASE("keys: neighbouring keys, children and steps have uncorrelated numbers, and bits that flip like coins") {
    constexpr std::int64_t n = 20000;
    Tape tape;
    const Node key = tape.input(random_key(0));
    std::vector<Node> keys;
    for (const std::uint64_t k0 : {0, 1, 2}) keys.push_back(tape.input(key_of(k0, 0)));
    for (const std::uint64_t k1 : {1, 2}) keys.push_back(tape.input(key_of(0, k1)));
    for (const Node& child : split(key, 3)) keys.push_back(child);
    for (int i = 0; i < 3; ++i) keys.push_back(fold_in(key, i));
    std::vector<std::vector<double>> drawn;
    std::vector<Integers> bits;
    for (const Node& each : keys) {
        drawn.push_back(values(uniform(each, {n})));
        bits.push_back(integers(random_bits(each, {n}).value()));
    }
    for (std::size_t i = 0; i < keys.size(); ++i)
        for (std::size_t j = 0; j < i; ++j) {
            CHECK(std::abs(correlation(drawn[i], drawn[j])) < 4.5);
            CHECK(std::abs(correlation(drawn[i], shifted(drawn[j]))) < 4.5);
            std::int64_t flips = 0;
            for (std::size_t k = 0; k < std::size_t(n); ++k) flips += std::popcount(std::uint64_t(bits[i][k] ^ bits[j][k]));
            CHECK(std::abs(double(flips) - 32.0 * n) < 4.5 * 4 * std::sqrt(double(n)));
        }
    for (const auto& x : drawn) CHECK(std::abs(correlation(x, shifted(x))) < 4.5);
}

TEST_CASE("keys: vmap over keys draws for each what it gives alone") {
    Tape tape;
    const Node key = tape.input(random_key(5));
    const std::vector<Node> keys = split(key, 3);
    const Node x = tape.input(Tensor::full({3, 40}, 1)), together = stack(keys, 0);
    const auto f = [](std::span<const Node> v) {
        return std::vector<Node>{normal(v[0], {4}), dropout(fold_in(v[0], 7), 0.5, v[1]), random_bits(split(v[0], 2)[1], {3, 3}, 32)};
    };
    const std::vector<Node> all = vmap(f, std::vector<Node>{together, x});
    for (std::int64_t i = 0; i < 3; ++i) {
        const std::vector<Node> one = f(std::vector<Node>{keys[std::size_t(i)], reshape(slice(x, {{i, i + 1}}), {40})});
        for (std::size_t k = 0; k < one.size(); ++k)
            CHECK(same_bits(reshape(slice(all[k], {{i, i + 1}}), one[k].shape()).value(), one[k].value()));
    }
}

TEST_CASE("keys: what is no key, no shape and no number of bits is refused") {
    Tape tape;
    const Node key = tape.input(random_key(1)), x = tape.input(Tensor{1, 2}), three = tape.input(Tensor::zeros({3}, DType::int64));
    const Node scalar = tape.input(Tensor(std::int64_t(1))), rows = tape.input(Tensor::zeros({2, 2}, DType::int64));
    const auto each = [&](Node k, auto check) {
        check("random_bits", [=] { random_bits(k, {3}); });
        check("split", [=] { split(k, 2); });
        check("fold_in", [=] { fold_in(k, 2); });
        check("uniform", [=] { uniform(k, {3}); });
        check("normal", [=] { normal(k, {3}); });
        check("exponential", [=] { exponential(k, {3}); });
        check("gumbel", [=] { gumbel(k, {3}); });
        check("bernoulli", [=] { bernoulli(k, 0.5, {3}); });
        check("categorical", [=] { categorical(k, x); });
        check("permutation", [=] { permutation(k, 3); });
        check("dropout", [=] { dropout(k, 0.5, x); });
    };
    each(x, [](const char* name, auto call) { CHECK(refused_anywhere<DTypeError>(call, {name, {Shape{2}}}) == ""); });
    for (const Node& k : {three, scalar, rows})
        each(k, [&](const char* name, auto call) { CHECK(refused_anywhere<ShapeError>(call, {name, {k.shape()}}) == ""); });
    CHECK(refused<ShapeError>([&] { random_bits(key, {3, -1}); }, {"random_bits"}) == "");
    CHECK(refused<ShapeError>([&] { normal(key, {-3}); }, {"random_bits"}) == "");
    CHECK(refused<ShapeError>([&] { random_bits(key, {std::int64_t(1) << 41}); }, {"random_bits"}) == "");
    CHECK(refused<ShapeError>([&] { random_bits(key, {3}, 0); }, {"random_bits"}) == "");
    CHECK(refused<ShapeError>([&] { random_bits(key, {3}, 65); }, {"random_bits"}) == "");
    CHECK(refused<ValueError>([&] { split(key, -1); }, {"split"}) == "");
    CHECK(refused<ValueError>([&] { split(key, INT64_MAX); }, {"split"}) == "");
    CHECK(refused<DTypeError>([&] { fold_in(key, 0.5); }, {"fold_in"}) == "");
    CHECK(refused<DTypeError>([&] { fold_in(key, x); }, {"fold_in"}) == "");
    CHECK(refused<ShapeError>([&] { fold_in(key, three); }, {"fold_in", {Shape{3}}}) == "");
    CHECK(refused<DTypeError>([&] { uniform(key, {3}, DType::int64); }, {"uniform"}) == "");
    CHECK(refused<DTypeError>([&] { normal(key, {3}, DType::boolean); }, {"normal"}) == "");
}

}  // namespace
}  // namespace gradtape::test

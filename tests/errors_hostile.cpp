// Extents, axes, steps and widths that no array has, thrown at everything that takes one: errors, and nothing else.
#include "support/refusals.hpp"
#include "support/samples.hpp"

#include "support/extents.hpp"
#include "tape/recorder.hpp"

#include <gradtape/compile.hpp>

#include <doctest/doctest.h>

namespace gradtape::test {
namespace {

constexpr std::int64_t huge = std::int64_t(1) << 62, tera = std::int64_t(1) << 40, giga = std::int64_t(1) << 31;

/// Of a computing tape no extent is asked for that might be granted and is large.
std::int64_t extent(Random& random, bool abstract) {
    static constexpr std::int64_t list[] = {0,         1,         2,        3,        -1,   -2,   huge,    -huge,
                                            INT64_MAX, INT64_MIN, huge + 1, -3,       1,    0,    tera,    giga,
                                            tera + 1,  giga + 1,  tera / 2, giga - 1, 1000, tera, giga / 2};
    return list[random.below(abstract ? int(std::size(list)) : 14)];
}

Shape extents(Random& random, bool abstract) {
    Shape shape;
    for (int rank = random.below(5); rank > 0; --rank) shape.push_back(extent(random, abstract));
    return shape;
}

Attribute::Value hostile(Setting::Kind kind, Random& random, bool abstract) {
    using Kind = Setting::Kind;
    if (random.chance(0.05)) return 0.5;  // of another type, mostly
    switch (kind) {
        case Kind::flag: return random.chance(0.5);
        case Kind::integer: return extent(random, abstract);
        case Kind::number: return random.uniform(-2, 2);
        case Kind::dtype: return DType(random.below(4));
        default: return extents(random, abstract);
    }
}

/// "" where `call` gives a node that may exist, or throws an Error.
template <class Call>
std::string accepted_or_refused(Call call) {
    try {
        const Node z = call();
        return detail::may_exist(z.shape()) ? "" : "accepted: " + to_string(z.shape());
    } catch (const Error&) {
        return "";
    } catch (const std::exception& error) {
        return error.what();
    }
}

std::vector<Node> operands(gradtape::Tape& tape, const Primitive& p, const Sample& sample, Random& random) {
    std::vector<Node> nodes;
    for (const Tensor& tensor : sample_operands(p, sample, a_dtype(p), random))
        nodes.push_back(tape.input(tensor));
    return nodes;
}

TEST_CASE("errors: hostile attributes of every primitive") {
    Random random(11);
    for (bool abstract : {false, true})
        for (const Primitive* p : operations()) {
            if (!p->settings[0].name) continue;
            CAPTURE(std::string(p->name));
            gradtape::Tape tape(abstract ? Recording::abstract : Recording::eager);
            const std::vector<Node> x = operands(tape, *p, samples(*p).at(0), random);
            for (int round = 0; round < 300; ++round) {
                std::vector<Attribute> list;
                for (const Setting& setting : p->settings)
                    if (setting.name && random.chance(0.98)) list.push_back({setting.name, hostile(setting.kind, random, abstract)});
                const Attributes attributes{std::span<const Attribute>(list)};
                CHECK(accepted_or_refused([&] { return gradtape::apply(*p, x, attributes); }) == "");
            }
        }
}

TEST_CASE("errors: hostile shapes in every public operation that takes one") {
    Random random(12);
    for (bool abstract : {false, true}) {
        gradtape::Tape tape(abstract ? Recording::abstract : Recording::eager);
        const Node x = tape.input(Tensor::full({2, 1, 3}, 1)), none = tape.input(Tensor::full({0, 3}, 1));
        const auto shape = [&] { return extents(random, abstract); };
        const auto one = [&] { return extent(random, abstract); };
        for (int round = 0; round < 400; ++round)
            for (Node y : {x, none}) {
                CHECK(accepted_or_refused([&] { return broadcast_to(y, shape()); }) == "");
                CHECK(accepted_or_refused([&] { return mean(broadcast_to(y, shape())); }) == "");
                CHECK(accepted_or_refused([&] { return reshape(y, shape()); }) == "");
                CHECK(accepted_or_refused([&] { return sum_to(y, shape()); }) == "");
                CHECK(accepted_or_refused([&] { return transpose(y, shape()); }) == "");
                CHECK(accepted_or_refused([&] { return slice(y, {{one(), one(), one()}, {{}, one(), one()}}); }) == "");
                CHECK(accepted_or_refused([&] { return pad(y, shape(), shape()); }) == "");
                CHECK(accepted_or_refused([&] { return pad(y, {one(), one(), one()}, {0, one(), 1}); }) == "");
                CHECK(accepted_or_refused([&] { return sum(y, Axes(shape())); }) == "");
                CHECK(accepted_or_refused([&] { return softmax(y, int(one())); }) == "");
                CHECK(accepted_or_refused([&] { return gradtape::concatenate({y, y}, int(one())); }) == "");
                CHECK(accepted_or_refused([&] { return gradtape::stack({y, y}, int(one())); }) == "");
                CHECK(accepted_or_refused([&] { return tape.full(shape(), 1); }) == "");
                CHECK(accepted_or_refused([&] { return tape.input(Type{DType::float32, shape()}); }) == "");
                CHECK(accepted_or_refused([&] { return tape.parameter(Type{DType::int64, shape()}); }) == "");
            }
        for (const detail::Instruction& made : detail::Recorder::in(tape).instructions())
            CHECK(detail::may_exist(made.type.shape));
    }
}

TEST_CASE("errors: hostile shapes of tensors") {
    Random random(13);
    for (int round = 0; round < 2000; ++round) {
        const Shape shape = extents(random, false);
        CAPTURE(to_string(shape));
        const bool exists = detail::may_exist(shape);
        const std::vector<double> elements(exists ? std::size_t(shape.elements()) : 1);
        const auto check = [&](auto make) {
            if (exists)
                (void)make();
            else
                CHECK_THROWS_AS((void)make(), ShapeError);
        };
        check([&] { return Tensor::full(shape, 1); });
        check([&] { return Tensor::uninitialised({DType::boolean, shape}); });
        check([&] { return Tensor::from(std::span<const double>(elements), shape); });
        check([&] { return Tensor::adopt({DType::boolean, shape}, nullptr, nullptr); });
    }
}

TEST_CASE("errors: extents that are not there") {
    Shape shape{2, 3}, scalar;
    const Shape& fixed = shape;
    CHECK_THROWS_AS(shape[2], ShapeError);
    CHECK_THROWS_AS(fixed[2], ShapeError);
    CHECK_THROWS_AS(fixed[std::size_t(-1)], ShapeError);
    CHECK_THROWS_AS(scalar[0], ShapeError);
    CHECK_THROWS_AS(scalar.back(), ShapeError);
    CHECK_THROWS_AS(scalar.pop_back(), ShapeError);
    CHECK(fixed.back() == 3);
    CHECK((Shape{huge, 4}).elements() == 0);  // defined, though no such value exists
}

TEST_CASE("errors: more bytes than can be counted are refused when a program is compiled") {
    gradtape::Tape tape(Recording::abstract);
    Node z = tape.input(Type{DType::float64, {tera}});
    for (int k = 0; k < (1 << 19) + 3; ++k) z = exp(z);
    CompileOptions options{.fold = false, .simplify = false, .merge = false, .remove_dead = false, .fuse = false, .reuse = false};
    CHECK(refused<ShapeError>([&] { (void)compile(tape, {z}, {}, options); }, {"compile"}) == "");
    options.reuse = true;
    CHECK(compile(tape, {z}, {}, options).peak_bytes() < std::size_t(64) * 8 * tera);
}

}  // namespace
}  // namespace gradtape::test

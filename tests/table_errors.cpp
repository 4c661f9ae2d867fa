// What every primitive refuses, generated from the table: the error names the primitive and shows the shapes.
#include "support/refusals.hpp"
#include "support/samples.hpp"

#include <doctest/doctest.h>

namespace gradtape::test {
namespace {

std::vector<Node> leaves(Tape& tape, const Primitive& p, const Sample& sample, DType dtype) {
    Random random(3);
    return parameters(tape, sample_operands(p, sample, dtype, random));
}

TEST_CASE("table: a wrong number of operands") {
    for (const Primitive* p : operations()) {
        CAPTURE(std::string(p->name));
        const Sample sample = samples(*p).at(0);
        const DType dtype = a_dtype(*p);
        Tape tape;
        std::vector<Node> x = leaves(tape, *p, sample, dtype);
        const std::size_t size = tape.size();
        const std::span<const Node> none;
        CHECK(refused<ValueError>([&] { gradtape::apply(*p, none, sample.attributes); }, {p->name}) == "");
        if (p->arity == Primitive::variadic) continue;
        x.push_back(x[0]);
        CHECK(refused<ValueError>([&] { gradtape::apply(*p, x, sample.attributes); }, {p->name}) == "");
        CHECK(tape.size() == size);
    }
}

TEST_CASE("table: elementwise operands of unlike shapes") {
    for (const Primitive* p : operations()) {
        if (!p->elementwise || p->arity < 2) continue;
        CAPTURE(std::string(p->name));
        const DType dtype = a_dtype(*p);
        for (std::size_t k = 0; k < std::size_t(p->arity); ++k) {
            Sample sample{std::vector<Shape>(std::size_t(p->arity), Shape({2, 3})), {}};
            sample.shapes[k] = {4};
            Tape tape;
            const std::vector<Node> x = leaves(tape, *p, sample, dtype);
            CHECK(refused<ShapeError>([&] { gradtape::apply(*p, x); }, {p->name, sample.shapes}) == "");
        }
    }
}

TEST_CASE("table: elementwise operands of unlike dtypes") {
    for (const Primitive* p : operations()) {
        if (!p->elementwise) continue;
        for (DType dtype : {DType::float32, DType::float64, DType::int64, DType::boolean}) {
            CAPTURE(std::string(p->name));
            CAPTURE(std::string(to_string(dtype)));
            const Sample sample{std::vector<Shape>(std::size_t(p->arity), Shape({2, 3})), {}};
            Tape tape;
            std::vector<Node> x = leaves(tape, *p, sample, dtype);
            if (!p->dtypes.contains(dtype)) continue;
            for (std::size_t k = p->loop_operand; k < x.size() && x.size() > p->loop_operand + 1; ++k) {
                std::vector<Node> mixed = x;
                const DType other = dtype == DType::float32 ? DType::float64 : DType::float32;
                mixed[k] = tape.parameter(Tensor::full({2, 3}, 1, other));
                CHECK(refused<DTypeError>([&] { gradtape::apply(*p, mixed); }, {p->name}) == "");
            }
        }
    }
}

TEST_CASE("table: a missing attribute is an error, not undefined behaviour") {
    for (const Primitive* p : operations()) {
        if (p->elementwise) continue;
        for (const Sample& sample : samples(*p)) {
            if (sample.attributes.list().empty() || p->settings_optional) continue;
            CAPTURE(std::string(p->name));
            Tape tape;
            const std::vector<Node> x = leaves(tape, *p, sample, a_dtype(*p));
            CHECK_THROWS_AS(gradtape::apply(*p, x), Error);
            break;
        }
    }
}

TEST_CASE("table: operands on different tapes, and stale ones") {
    for (const Primitive* p : operations()) {
        CAPTURE(std::string(p->name));
        const DType dtype = a_dtype(*p);
        const Sample sample = samples(*p).at(0);
        Tape tape, other;
        const std::vector<Node> x = leaves(tape, *p, sample, dtype);
        if (x.size() > 1) {
            std::vector<Node> mixed = x;
            mixed.back() = other.parameter(x.back().value());
            CHECK(refused<TapeError>([&] { gradtape::apply(*p, mixed, sample.attributes); }, {p->name}) == "");
        }
        tape.clear();
        CHECK(refused<TapeError>([&] { gradtape::apply(*p, x, sample.attributes); }, {p->name}) == "");
    }
}

}  // namespace
}  // namespace gradtape::test

// Every primitive's value and declared facts, generated from the table: nobody lists primitives here.
#include "kernels/kernels.hpp"
#include "support/naive.hpp"
#include "support/samples.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <cstring>

namespace gradtape::test {
namespace {

constexpr DType dtypes[] = {DType::float32, DType::float64, DType::int64, DType::boolean};

std::string describe(const Primitive& p, const Sample& sample, DType dtype) {
    std::string text = name_of(p, sample) + " " + to_string(dtype);
    for (const Shape& shape : sample.shapes) text += " " + to_string(shape);
    return text;
}

double unit(DType dtype) { return dtype == DType::float32 ? 6e-8 : dtype == DType::float64 ? 1.2e-16 : 0; }

/// "" where z agrees with the reference: within a few units in the last place of the element, and, for sums of many
/// terms, of the largest.
std::string against_reference(const Tensor& z, const std::vector<long double>& expected, double amplified) {
    if (expected.size() != std::size_t(z.elements())) return "the reference has another number of elements";
    if (z.dtype() == DType::int64) {
        for (std::size_t i = 0; i < expected.size(); ++i)
            if (std::abs(expected[i]) < 0x1p63L && z.data<std::int64_t>()[i] != std::int64_t(expected[i]))
                return "integer " + std::to_string(i) + " differs";
        return "";
    }
    std::vector<double> rounded;
    for (long double e : expected) rounded.push_back(z.dtype() == DType::float32 ? double(float(e)) : double(e));
    return mismatch(z, rounded, {.relative = 6 * unit(z.dtype()), .scale = 4 * amplified * unit(z.dtype())});
}

TEST_CASE("table: every primitive has samples, a reference and a shape rule") {
    CHECK(operations().size() >= 55);
    for (const Primitive* p : operations()) {
        CAPTURE(std::string(p->name));
        CHECK(bool(p->shape));
        CHECK_FALSE(samples(*p).empty());
        CHECK(std::strlen(p->name) > 0);
        for (const Primitive* q : operations()) CHECK((p == q || std::strcmp(p->name, q->name) != 0));
        for (const Sample& sample : samples(*p))
            if (p->arity != Primitive::variadic) CHECK(sample.shapes.size() == std::size_t(p->arity));
    }
}

TEST_CASE("table: values and shapes agree with a naive reference in every dtype") {
    for (const Primitive* p : operations())
        for (DType dtype : dtypes) {
            if (!p->dtypes.contains(dtype)) {
                const bool may_refuse = !p->differentiable || !is_floating(dtype);
                CHECK_MESSAGE(may_refuse, std::string(p->name), " refuses ", std::string(to_string(dtype)));
                continue;
            }
            Random random(std::uint64_t(dtype) + 3);
            for (const Sample& sample : samples(*p)) {
                CAPTURE(describe(*p, sample, dtype));
                const std::vector<Tensor> operands = sample_operands(*p, sample, dtype, random);
                Tape tape;
                const Node z = applied(*p, parameters(tape, operands), sample);
                std::vector<naive::Array> arrays;
                for (const Tensor& tensor : operands) arrays.push_back(naive::from(tensor));
                const auto expected = naive::evaluate(name_of(*p, sample), arrays, sample.attributes, z.type());
                REQUIRE_MESSAGE(expected, "no reference for ", std::string(p->name), " in tests/support/naive.cpp");
                CHECK(against_reference(z.value(), *expected, sample.amplified) == "");
                verify(Program(tape, {z}));
            }
        }
}

/// Numbers that expose branches in kernels: signed zeros, infinities, NaN, tiny, huge, and where exp leaves its range.
std::vector<double> awkward() {
    std::vector<double> result = {0.0,  -0.0, 1.0,   -1.0,  0.5,   -0.5,  1e-8,  -1e-8, inf,   -inf,  nan,    2.0,
                                  3.0,  -3.0, 17.3,  -17.3, 88.0,  -88.0, 89.0,  -87.5, 100.0, -100.0, 700.0, -700.0,
                                  1e10, -1e10, 1e30, -1e30, 0.625, -0.625, 0.3,  20.0,  -20.0, 9.0,   -9.0};
    Random random(17);
    for (int i = 0; i < 40; ++i) result.push_back(random.uniform(-4, 4));
    return result;
}

/// Operands of an elementwise primitive: awkward numbers in different orders.
std::vector<Tensor> awkward_operands(const Primitive& p, DType dtype) {
    std::vector<Tensor> result;
    const std::vector<double> numbers = awkward();
    for (std::size_t k = 0; k < std::size_t(p.arity); ++k) {
        std::vector<double> elements;
        for (std::size_t i = 0; i < 4 * numbers.size(); ++i) {
            double x = numbers[(i * (k == 0 ? 1 : k == 1 ? 7 : 11) + i / numbers.size() * k * 5) % numbers.size()];
            const DType own = operand_dtype(p, k, dtype);
            if (own == DType::boolean) x = x > 0;
            if (own == DType::int64) x = std::isfinite(x) ? std::trunc(std::fmod(x, 1000)) : 5;
            elements.push_back(x);
        }
        result.push_back(make(elements, operand_dtype(p, k, dtype)));
    }
    return result;
}

TEST_CASE("table: elementwise values are right at infinities, zeros, NaN and extremes") {
    for (const Primitive* p : operations()) {
        if (!p->elementwise) continue;
        for (DType dtype : floating) {
            if (!p->dtypes.contains(dtype)) continue;
            if (std::string(p->name) == "clamp") continue;  // bounds in order are its precondition
            CAPTURE(std::string(p->name));
            CAPTURE(std::string(to_string(dtype)));
            const std::vector<Tensor> operands = awkward_operands(*p, dtype);
            Tape tape;
            const Attributes attributes = samples(*p).front().attributes;
            const Node z = gradtape::apply(*p, parameters(tape, operands), attributes);
            std::vector<naive::Array> arrays;
            for (const Tensor& tensor : operands) arrays.push_back(naive::from(tensor));
            const auto expected = naive::evaluate(p->name, arrays, attributes, z.type());
            REQUIRE(expected);
            std::vector<double> rounded;
            const double tiny = dtype == DType::float32 ? 2e-38 : 5e-308;  // exp may flush denormals
            for (long double e : *expected)
                rounded.push_back(z.dtype() == DType::float32 ? double(float(e)) : double(e));
            CHECK(mismatch(z, rounded, {.relative = 8 * unit(dtype), .absolute = tiny}) == "");
        }
    }
}

/// Elements first, first + step, … of each operand.
std::vector<Tensor> picked(const std::vector<Tensor>& operands, const std::vector<std::size_t>& order) {
    std::vector<Tensor> result;
    for (const Tensor& tensor : operands) {
        const std::vector<double> all = values(tensor);
        std::vector<double> elements;
        for (std::size_t i : order) elements.push_back(all[i]);
        result.push_back(make(elements, tensor.dtype()));
    }
    return result;
}

/// "" where element j of `part` has the bits of element order[j] of `whole`.
std::string same_elements(const Tensor& part, const Tensor& whole, const std::vector<std::size_t>& order) {
    const std::size_t size = size_of(part.dtype());
    for (std::size_t j = 0; j < order.size(); ++j)
        if (std::memcmp(static_cast<const char*>(part.raw()) + j * size,
                        static_cast<const char*>(whole.raw()) + order[j] * size, size) != 0)
            return "element " + std::to_string(order[j]) + " at position " + std::to_string(j) + " of " +
                   std::to_string(order.size()) + " has other bits";
    return "";
}

TEST_CASE("table: an element's bits depend neither on its position nor on its neighbours nor on the length") {
    for (const Primitive* p : operations()) {
        if (!p->elementwise) continue;
        for (DType dtype : dtypes) {
            if (!p->dtypes.contains(dtype)) continue;
            CAPTURE(std::string(p->name));
            CAPTURE(std::string(to_string(dtype)));
            const std::vector<Tensor> operands = awkward_operands(*p, dtype);
            const std::size_t n = std::size_t(operands[0].elements());
            Tape tape;
            const Attributes attributes = samples(*p).front().attributes;
            const Tensor whole = gradtape::apply(*p, parameters(tape, operands), attributes).value();
            const auto check = [&](const std::vector<std::size_t>& order) {
                const Tensor part = gradtape::apply(*p, parameters(tape, picked(operands, order)), attributes).value();
                CHECK(same_elements(part, whole, order) == "");
            };
            Random random(23);
            std::vector<std::size_t> order(n);
            for (std::size_t i = 0; i < n; ++i) order[i] = i;
            for (std::size_t i = n; i-- > 1;) std::swap(order[i], order[std::size_t(random.below(int(i) + 1))]);
            check(order);
            for (std::size_t length = 1; length <= 33; ++length)
                check({order.begin() + std::ptrdiff_t(length), order.begin() + std::ptrdiff_t(2 * length)});
        }
    }
}

TEST_CASE("table: commutative primitives give the same bits with operands swapped") {
    int found = 0;
    for (const Primitive* p : operations()) {
        if (!p->commutative) continue;
        ++found;
        for (DType dtype : dtypes) {
            if (!p->dtypes.contains(dtype)) continue;
            CAPTURE(std::string(p->name));
            CAPTURE(std::string(to_string(dtype)));
            REQUIRE(p->arity == 2);
            const std::vector<Tensor> x = awkward_operands(*p, dtype);
            Tape tape;
            const std::vector<Node> n = parameters(tape, x);
            CHECK(same_bits(gradtape::apply(*p, {n[0], n[1]}).value(), gradtape::apply(*p, {n[1], n[0]}).value()));
        }
    }
    CHECK(found >= 4);
}

TEST_CASE("table: other kernels may write over their first operand where the primitive says so") {
    std::size_t found = 0;
    for (const Primitive* p : operations()) {
        if (!p->in_place || p->elementwise) continue;
        for (const Sample& sample : samples(*p)) {
            CAPTURE(std::string(p->name));
            Tape tape;
            Random random(++found);
            std::vector<Tensor> operands;
            std::vector<Node> nodes;
            for (std::size_t k = 0; k < sample.shapes.size(); ++k)
                operands.push_back(is_index(*p, k) ? sample_indices(sample, k, random) : random.tensor(sample.shapes[k], -1, 1));
            for (const Tensor& operand : operands) nodes.push_back(tape.input(operand));
            const Tensor expected = applied(*p, nodes, sample).value();
            std::vector<KernelCall::In> in;
            std::vector<Type> types;
            for (const Tensor& operand : operands) types.push_back(operand.type());
            Tensor target = Tensor::uninitialised(types[0]);
            std::memcpy(const_cast<void*>(target.raw()), operands[0].raw(), operands[0].bytes());
            for (std::size_t k = 0; k < operands.size(); ++k)
                in.push_back({k == 0 ? target.raw() : operands[k].raw(), &types[k]});
            detail::kernel_of(*p)({in, const_cast<void*>(target.raw()), types[0], sample.attributes});
            CHECK(same_bits(target, expected));
        }
    }
    CHECK(found > 0);
}

TEST_CASE("table: elementwise loops may write over an operand where the primitive says so") {
    for (const Primitive* p : operations()) {
        if (!p->in_place || !p->elementwise) continue;
        for (DType dtype : dtypes) {
            if (!p->dtypes.contains(dtype)) continue;
            CAPTURE(std::string(p->name));
            CAPTURE(std::string(to_string(dtype)));
            const std::vector<Tensor> operands = awkward_operands(*p, dtype);
            Tape tape;
            const Tensor expected = gradtape::apply(*p, parameters(tape, operands)).value();
            for (std::size_t k = p->loop_operand; k < std::size_t(p->arity); ++k) {
                const std::size_t n = std::size_t(operands[k].elements());
                Tensor target = Tensor::uninitialised(operands[k].type());
                std::memcpy(const_cast<void*>(target.raw()), operands[k].raw(), operands[k].bytes());
                std::vector<detail::Stream> streams;
                for (std::size_t j = 0; j < operands.size(); ++j)
                    streams.push_back({j == k ? target.raw() : operands[j].raw(), 1});
                detail::kernels_of(*p).loop(dtype, dtype)(n, streams.data(), const_cast<void*>(target.raw()));
                CHECK(same_bits(target, expected));
            }
        }
    }
}

/// Each operand with its first element in every place: as a node written out, as one broadcast, and as a number.
struct Constant {
    Node written, broadcast, number;
};
Constant constant_operand(Tape& tape, const Tensor& operand) {
    const double value = operand.elements() ? values(operand)[0] : 0;
    const std::vector<double> elements(std::size_t(operand.elements()), value);
    return {tape.parameter(make(elements, operand.shape(), operand.dtype())),
            broadcast_to(tape.parameter(make({value}, Shape{}, operand.dtype())), operand.shape()),
            tape.full(operand.shape(), value, operand.dtype())};
}

TEST_CASE("table: repeated operands (broadcast scalars, numbers) give the bits of written-out ones") {
    Random random(29);
    for (const Primitive* p : operations())
        for (DType dtype : floating) {
            if (!p->dtypes.contains(dtype)) continue;
            for (const Sample& sample : samples(*p)) {
                CAPTURE(describe(*p, sample, dtype));
                Tape tape;
                const std::vector<Tensor> operands = sample_operands(*p, sample, dtype, random);
                std::vector<Node> all_written, all_broadcast, all_numbers;
                for (std::size_t k = 0; k < operands.size(); ++k) {
                    const Constant c = constant_operand(tape, operands[k]);
                    all_written.push_back(c.written);
                    all_broadcast.push_back(c.broadcast);
                    all_numbers.push_back(c.number);
                    std::vector<Node> written = parameters(tape, operands), broadcast = written, number = written;
                    written[k] = c.written;
                    broadcast[k] = c.broadcast;
                    number[k] = c.number;
                    const Tensor expected = applied(*p, written, sample).value();
                    CHECK(same_bits(applied(*p, broadcast, sample).value(), expected));
                    CHECK(same_bits(applied(*p, number, sample).value(), expected));
                }
                const Tensor expected = applied(*p, all_written, sample).value();
                CHECK(same_bits(applied(*p, all_broadcast, sample).value(), expected));
                CHECK(same_bits(applied(*p, all_numbers, sample).value(), expected));
            }
        }
}

TEST_CASE("table: transposed operands") {
    Random random(31);
    for (const Primitive* p : operations())
        for (DType dtype : floating) {
            if (!p->dtypes.contains(dtype)) continue;
            for (const Sample& sample : samples(*p)) {
                CAPTURE(describe(*p, sample, dtype));
                Tape tape;
                std::vector<Node> plain, turned;
                for (const Tensor& tensor : sample_operands(*p, sample, dtype, random)) {
                    plain.push_back(tape.parameter(tensor));
                    const Node other_way = tape.parameter(transpose(plain.back()).value());
                    turned.push_back(transpose(other_way));
                }
                CHECK(same_bits(applied(*p, turned, sample).value(),
                                applied(*p, plain, sample).value()));
            }
        }
}

}  // namespace
}  // namespace gradtape::test

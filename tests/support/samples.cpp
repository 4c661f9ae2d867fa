#include "samples.hpp"

#include <algorithm>
#include <gradtape/linalg.hpp>

#include <cmath>
#include <map>
#include <set>

namespace gradtape::test {
namespace {

Attributes reduced(const Shape& axes, bool keepdims) { return {{"axes", axes}, {"keepdims", keepdims}}; }
Attributes along(const Shape& axes) { return {{"axes", axes}}; }
Attributes to_shape(const Shape& shape) { return {{"shape", shape}}; }
Attributes windows(Integers start, Integers step) { return {{"start", std::move(start)}, {"step", std::move(step)}}; }
Attributes window(const Shape& start, const Shape& step, const Shape& shape) {
    return {{"start", start}, {"step", step}, {"shape", shape}};
}
Attributes padded(const Shape& before, const Shape& after, double value) {
    return {{"before", before}, {"after", after}, {"value", value}};
}
Attributes permuted(const Shape& permutation) { return {{"permutation", permutation}}; }
Attributes flags(bool x, bool y) { return {{"transpose_x", x}, {"transpose_y", y}}; }
Attributes axis(std::int64_t axis) { return {{"axis", axis}}; }
Attributes expected(double value) { return {{"expected", value}}; }
Attributes bits(const Shape& shape, std::int64_t bits, std::int64_t part = 0) {
    return {{"shape", shape}, {"bits", bits}, {"part", part}};
}
Attributes triangle(bool lower, std::int64_t diagonal) { return {{"lower", lower}, {"diagonal", diagonal}}; }
Attributes system(bool lower, bool transpose, bool unit_diagonal) {
    return {{"lower", lower}, {"transpose", transpose}, {"unit_diagonal", unit_diagonal}};
}
Attributes dtype(DType dtype) { return {{"dtype", dtype}}; }

const Shape scalar = {};

std::vector<Sample> reductions(bool takes_empty) {
    std::vector<Sample> result = {
        {{{5}}, reduced({0}, false)},          {{{5}}, reduced({0}, true)},
        {{{1}}, reduced({0}, false)},          {{{3, 4}}, reduced({0}, false)},
        {{{3, 4}}, reduced({1}, true)},        {{{3, 4}}, reduced({0, 1}, false)},
        {{{2, 3, 4}}, reduced({1}, false)},    {{{2, 3, 4}}, reduced({1, 2}, true)},
        {{{2, 3, 4}}, reduced({0, 1}, false)}, {{{2, 3}}, reduced(scalar, false)},
        {{scalar}, reduced(scalar, false)},    {{{37}}, reduced({0}, false)},
        {{{33, 17}}, reduced({0}, false)},     {{{17, 33}}, reduced({1}, false)},
        {{{0, 3}}, reduced({1}, false)},       {{{1, 1, 1}}, reduced({1}, true)},
        {{{3, 0, 2}}, reduced({2}, false)},
    };
    if (takes_empty) {
        result.push_back({{{0}}, reduced({0}, false)});
        result.push_back({{{2, 0, 3}}, reduced({1}, true)});
    }
    return result;
}

std::vector<Sample> along_axes() {
    return {{{{5}}, along({0})},    {{{3, 4}}, along({1})},    {{{3, 4}}, along({0})}, {{{2, 3, 4}}, along({1})},
            {{{1, 7}}, along({1})}, {{{2, 3, 4}}, along({1, 2})}, {{{0, 3}}, along({1})}, {{{3, 0}}, along({1})},
            {{{1}}, along({0})},    {{{19, 33}}, along({1})}};
}

/// Those of sum, with the sum as a second operand. (The mean of nothing is NaN, which no difference can be held against.)
std::vector<Sample> means() {
    std::vector<Sample> result = reductions(false);
    for (Sample& sample : result) {
        const Shape axes = sample.attributes.get<Shape>("axes"), from = sample.shapes[0];
        Shape to;
        for (std::size_t i = 0; i < from.rank(); ++i) {
            const bool reduced = !axes.empty() && std::int64_t(i) >= axes[0] && std::int64_t(i) <= axes.back();
            if (!reduced) to.push_back(from[i]);
            if (reduced && sample.attributes.get<bool>("keepdims")) to.push_back(1);
        }
        sample.shapes.push_back(to);
    }
    return result;
}

std::vector<Sample> squares(bool large) {
    std::vector<Sample> result = {{{{3, 3}}}, {{{4, 4}}}, {{{1, 1}}}, {{{2, 3, 3}}}, {{{0, 0}}}, {{{0, 2, 2}}}, {{{2, 1, 2, 2}}}};
    if (large) result.push_back({{{33, 33}}});
    return result;
}
std::vector<Sample> rectangles(bool large) {
    std::vector<Sample> result = squares(large);
    for (const Shape& shape : {Shape{4, 3}, Shape{3, 4}, Shape{4, 1}, Shape{1, 4}, Shape{2, 5, 2}, Shape{2, 2, 5}, Shape{3, 0}, Shape{0, 3}})
        result.push_back({{shape}, {}});
    if (large) result.push_back({{{70, 5}}, {}}), result.push_back({{{5, 70}}, {}});
    return result;
}
/// Vectors turn by the rounding of a matrix, divided by how far its values are apart.
std::vector<Sample> spectral(std::vector<Sample> samples) {
    for (Sample& sample : samples) sample.amplified = 64;
    return samples;
}
/// With the factors of the first operand, which `applied` computes, as the last two.
std::vector<Sample> factored(std::vector<Sample> samples) {
    for (Sample& sample : samples) {
        Shape rows = sample.shapes[0];
        rows.pop_back();
        sample.shapes.push_back(sample.shapes[0]);
        sample.shapes.push_back(rows);
        sample.highest = rows.back() - 1;
    }
    return samples;
}
std::vector<Sample> systems() {
    std::vector<Sample> result;
    for (bool transpose : {false, true})
        for (const auto& shapes : std::vector<std::vector<Shape>>{{{3, 3}, {3, 2}}, {{3, 3}, {3, 3}}, {{1, 1}, {1, 4}}, {{2, 3, 3}, {2, 3, 1}},
                                                                  {{0, 0}, {0, 3}}, {{2, 2}, {2, 0}}, {{20, 20}, {20, 5}}})
            result.push_back({shapes, {{"transpose", transpose}}});
    return factored(result);
}

// A primitive that is not elementwise, or has attributes, needs an entry; the table's tests say which one is missing.
const std::map<std::string, std::vector<Sample>> structural = {
    {"sum", reductions(true)},
    {"mean", means()},
    {"norm", reductions(true)},
    {"direction", along_axes()},
    {"prod", reductions(true)},
    {"max", reductions(false)},
    {"min", reductions(false)},
    {"logsumexp", reductions(true)},
    {"softmax", along_axes()},
    {"log_softmax", along_axes()},
    {"broadcast_to",
     {{{{3}}, to_shape({2, 3})}, {{{3, 1}}, to_shape({3, 4})}, {{scalar}, to_shape({2, 2})}, {{{1}}, to_shape({0})},
      {{{2, 1, 3}}, to_shape({4, 2, 5, 3})}, {{{2, 3}}, to_shape({2, 3})}, {{{1, 3}}, to_shape({0, 3})},
      {{scalar}, to_shape(scalar)}, {{{1, 17}}, to_shape({9, 17})}, {{{17, 1}}, to_shape({17, 9})}}},
    {"reshape",
     {{{{2, 3}}, to_shape({3, 2})}, {{{6}}, to_shape({1, 6, 1})}, {{scalar}, to_shape({1})},
      {{{1, 1}}, to_shape(scalar)},
      {{{0, 3}}, to_shape({3, 0, 5})}}},
    {"transpose",
     {{{{2, 3}}, permuted({1, 0})}, {{{2, 3, 4}}, permuted({2, 0, 1})}, {{{2, 3, 4}}, permuted({0, 2, 1})},
      {{scalar}, permuted(scalar)}, {{{5}}, permuted({0})}, {{{0, 3}}, permuted({1, 0})},
      {{{2, 1, 3, 2}}, permuted({3, 1, 0, 2})}, {{{33, 18}}, permuted({1, 0})}, {{{3, 33, 18}}, permuted({0, 2, 1})}}},
    {"slice",
     {{{{6}}, window({1}, {1}, {3})}, {{{6}}, window({5}, {-2}, {3})}, {{{6}}, window({0}, {1}, {0})},
      {{{3, 4}}, window({1, 0}, {1, 2}, {2, 2})}, {{{3, 4}}, window({2, 3}, {-1, -1}, {3, 4})},
      {{scalar}, window({}, {}, scalar)},
      {{{3, 4}}, window({0, 1}, {1, 1}, {3, 2})}, {{{2, 3, 4}}, window({0, 1, 3}, {1, 1, -3}, {2, 2, 2})}}},
    {"unslice",
     {{{{3}}, window({1}, {1}, {6})}, {{{3}}, window({5}, {-2}, {6})}, {{{0}}, window({0}, {1}, {6})},
      {{{2, 2}}, window({1, 0}, {1, 2}, {3, 4})}, {{{3, 4}}, window({2, 3}, {-1, -1}, {3, 4})}}},
    {"add_slices",
     {{{{6}, {3}}, windows({1}, {1})}, {{{6}, {3}, {2}, {6}}, windows({0, 1, 5}, {2, -1, -1})}, {{{3}}, windows({}, {})},
      {{{3, 4}, {2, 2}, {3, 4}, {0, 4}, {1, 1}}, windows({1, 0, 0, 0, 0, 0, 2, 3}, {1, 2, 1, 1, 1, 1, 1, 1})},
      {{scalar, scalar, scalar}, windows({}, {})}, {{{0}, {0}}, windows({0}, {1})},
      {{{2, 3, 4}, {2, 2, 2}, {1, 3, 1}}, windows({0, 1, 3, 1, 0, 2}, {1, 1, -3, 1, 1, 1})}}},
    {"concatenate",
     {{{{2}, {3}}, axis(0)}, {{{2, 3}, {2, 1}, {2, 2}}, axis(1)}, {{{2, 3}}, axis(0)}, {{{0, 3}, {2, 3}}, axis(0)},
      {{{1, 2, 2}, {2, 2, 2}, {1, 2, 2}, {1, 2, 2}}, axis(0)},
      {{{0}, {0}}, axis(0)}, {{{2, 1, 3}, {2, 4, 3}}, axis(1)}}},
    {"pad",
     {{{{3}}, padded({1}, {2}, 1.0)}, {{{2, 3}}, padded({0, 1}, {1, 0}, 0.0)}, {{scalar}, padded(scalar, scalar, 1.0)},
      {{{0}}, padded({2}, {1}, 1.0)}, {{{2, 3}}, padded({0, 0}, {0, 0}, 0.0)},
      {{{2, 1, 2}}, padded({1, 0, 2}, {0, 3, 1}, 1.0)}}},
    {"matmul",
     {{{{2, 3}, {3, 4}}, {}}, {{{3, 2}, {3, 4}}, flags(true, false)}, {{{2, 3}, {4, 3}}, flags(false, true)},
      {{{3, 2}, {4, 3}}, flags(true, true)}, {{{1, 1}, {1, 1}}, {}}, {{{2, 0}, {0, 3}}, {}}, {{{0, 2}, {2, 3}}, {}},
      {{{2, 3, 4}, {2, 4, 5}}, {}}, {{{2, 4, 3}, {2, 5, 4}}, flags(true, true)}, {{{2, 3, 1, 4}, {2, 3, 4, 2}}, {}},
      {{{1, 17}, {17, 1}}, {}}, {{{33, 19}, {19, 21}}, {}}, {{{9, 65}, {66, 65}}, flags(false, true)},
      {{{70, 66}, {70, 67}}, flags(true, false)}, {{{4, 3}, {3, 4}}, {}}, {{{3, 3}, {3, 3}}, flags(true, false)},
      {{{3, 3}, {3, 3}}, flags(false, true)}}},
    {"addmm",
     {{{{2, 4}, {2, 3}, {3, 4}, scalar}, {}}, {{{2, 4}, {3, 2}, {3, 4}, {1}}, flags(true, false)},
      {{{2, 4}, {2, 3}, {4, 3}, {1, 1}}, flags(false, true)}, {{{2, 4}, {3, 2}, {4, 3}, scalar}, flags(true, true)},
      {{{1, 1}, {1, 1}, {1, 1}, scalar}, {}}, {{{2, 3}, {2, 0}, {0, 3}, scalar}, {}},
      {{{0, 3}, {0, 2}, {2, 3}, scalar}, {}}, {{{1, 7}, {1, 17}, {17, 7}, scalar}, {}},
      {{{7, 1}, {7, 17}, {17, 1}, scalar}, {}}, {{{33, 21}, {33, 19}, {19, 21}, scalar}, {}}}},
    {"triangle",
     {{{{3, 4}}, triangle(true, 0)}, {{{4, 3}}, triangle(false, 0)}, {{{2, 3, 3}}, triangle(true, -1)}, {{{3, 3}}, triangle(false, 2)},
      {{{3, 3}}, triangle(true, -5)}, {{{0, 3}}, triangle(true, 0)}, {{{1, 1}}, triangle(false, 0)}}},
    {"cholesky", squares(true)},
    {"eigh", spectral(squares(false))},
    {"qr", rectangles(true)},
    {"svd", spectral(rectangles(false))},
    {"lu", squares(true)},
    {"adjugate", factored(squares(false))},
    {"inv", factored(squares(true))},
    {"det", factored(squares(false))},
    {"slogdet", factored(squares(false))},
    {"solve", systems()},
    {"triangular_solve",
     {{{{3, 3}, {3, 2}}, system(true, false, false)}, {{{3, 3}, {3, 2}}, system(false, true, false)},
      {{{2, 3, 3}, {2, 3, 1}}, system(true, true, true)}, {{{3, 3}, {3, 3}}, system(false, false, true)},
      {{{1, 1}, {1, 4}}, system(true, false, false)}, {{{0, 0}, {0, 3}}, system(true, false, false)},
      {{{2, 2}, {2, 0}}, system(true, false, false)}, {{{2, 2, 3, 3}, {2, 2, 3, 2}}, system(false, false, false)},
      {{{37, 37}, {37, 5}}, system(true, false, false)}, {{{37, 37}, {37, 5}}, system(false, true, false)}}},
    {"cast",
     {{{{5}}, dtype(DType::float32)}, {{{2, 3}}, dtype(DType::float64)}, {{scalar}, dtype(DType::float32)},
      {{{5}}, dtype(DType::int64)}, {{{5}}, dtype(DType::boolean)}, {{{0}}, dtype(DType::float64)}}},
    {"random_bits",
     {{{{2}}, bits({5}, 64)}, {{{2}}, bits(scalar, 53)}, {{{2}}, bits({0}, 32)}, {{{2}}, bits({1}, 1)}, {{{2}}, bits({3, 7}, 32)},
      {{{2}}, bits({300}, 24)}, {{{2}}, bits({3, 43}, 33)}, {{{2}}, bits({129}, 64, (1 << 24) - 1)},
      {{{2}}, bits({7}, 32, 1)}, {{{2}}, bits({2, 0, 3}, 64)}, {{{3, 2}}, bits({5}, 32)}, {{{2, 1, 2}}, bits({2, 3}, 64)}, {{{0, 2}}, bits({4}, 64)}}},
    {"guard", {{{scalar}, expected(0.5)}, {{{1}}, expected(0)}, {{{1, 1}}, expected(-1)}}},
    {"barrier", {{{{5}, {2}}, {}}, {{{2, 3}, {2, 3}}, {}}, {{scalar, {0}}, {}}, {{{0}, scalar}, {}}, {{{17}, scalar}, {}}}},
    {"stop_gradient", {{{{5}}, {}}, {{{2, 3}}, {}}, {{scalar}, {}}, {{{0}}, {}}}},
};

}  // namespace

bool has_bodies(const Primitive& primitive) {
    return std::any_of(std::begin(primitive.settings), std::end(primitive.settings),
                       [](const Setting& its) { return its.name && its.kind == Setting::Kind::program; });
}

std::vector<const Primitive*> operations() {
    std::vector<const Primitive*> result;
    for (const Primitive* p : primitive_table())
        if (!p->leaf && !p->takes_result && !has_bodies(*p)) result.push_back(p);
    return result;
}

Node applied(const Primitive& primitive, const std::vector<Node>& operands, const Sample& sample) {
    std::vector<Node> all = operands;
    if (is_given(primitive, all.size() - 1)) {
        const Lu factors = lu(all[0]);
        all[all.size() - 2] = stop_gradient(factors.factors);
        all[all.size() - 1] = factors.permutation;
    }
    return apply_all(primitive, all, sample.attributes)[sample.result];
}

std::string name_of(const Primitive& primitive, const Sample& sample) {
    return primitive.name + (sample.result ? "#" + std::to_string(sample.result) : "");
}

std::vector<Sample> samples(const Primitive& primitive) {
    const auto found = structural.find(primitive.name);
    const std::vector<Sample> listed = found != structural.end() ? found->second : indexing_samples(primitive.name);
    std::vector<Sample> result;
    for (int k = 0; k < primitive.results; ++k)
        for (Sample sample : listed) {
            sample.result = std::size_t(k);
            result.push_back(sample);
        }
    if (!listed.empty() || !primitive.elementwise) return result;
    const Shape shapes[] = {{5}, scalar, {1}, {0}, {2, 3}, {17}, {1, 1}, {3, 0, 2}};
    for (const Shape& shape : shapes)
        result.push_back({std::vector<Shape>(std::size_t(primitive.arity), shape), {}});
    return result;
}

DType operand_dtype(const Primitive& primitive, std::size_t k, DType dtype) {
    if (is_index(primitive, k)) return DType::int64;
    return primitive.elementwise && k < primitive.loop_operand ? DType::boolean : dtype;
}

bool is_given(const Primitive& primitive, std::size_t k) {
    static const std::set<std::string> factored = {"adjugate", "det", "inv", "slogdet", "solve"};
    return factored.contains(primitive.name) && k + 2 >= std::size_t(primitive.arity);
}

bool is_index(const Primitive& primitive, std::size_t k) { return primitive.indices >> k & 1; }

const Domain& domain_of(const Primitive& primitive, std::size_t k) {
    return primitive.domain[std::min<std::size_t>(k, 2)];
}

DType a_dtype(const Primitive& primitive) {
    for (const DType dtype : {DType::float64, DType::boolean, DType::int64})
        if (primitive.dtypes.contains(dtype)) return dtype;
    return DType::float32;
}

Tensor sample_operand(const Primitive& primitive, std::size_t k, const Shape& shape, DType dtype, Random& random) {
    const Domain& domain = domain_of(primitive, k);
    std::vector<double> elements;
    for (std::int64_t i = 0; i < shape.elements(); ++i) {
        double x = random.uniform(domain.low, domain.high);
        while (std::abs(x - domain.kink) < domain.gap) x = random.uniform(domain.low, domain.high);
        if (dtype == DType::boolean) x = random.below(2);
        if (dtype == DType::int64) x = std::floor(x * 4);
        elements.push_back(x);
    }
    if (domain.diagonal != 0 && shape.rank() >= 2) {
        const std::int64_t rows = shape[shape.rank() - 2], columns = shape.back();
        for (std::int64_t i = 0; i < shape.elements(); ++i)
            if (i / columns % rows == i % columns) elements[std::size_t(i)] += domain.diagonal * double(i % columns + 1);
    }
    return make(elements, shape, dtype);
}

Tensor sample_indices(const Sample& sample, std::size_t k, Random& random) {
    std::vector<double> elements;
    for (std::int64_t i = 0; i < sample.shapes[k].elements(); ++i)
        elements.push_back(double(sample.lowest + random.below(int(sample.highest - sample.lowest + 1))));
    return make(elements, sample.shapes[k], DType::int64);
}

std::vector<Tensor> sample_operands(const Primitive& primitive, const Sample& sample, DType dtype, Random& random) {
    std::vector<Tensor> result;
    for (std::size_t k = 0; k < sample.shapes.size(); ++k)
        result.push_back(is_index(primitive, k)
                             ? sample_indices(sample, k, random)
                             : sample_operand(primitive, k, sample.shapes[k], operand_dtype(primitive, k, dtype), random));
    return result;
}

Node record_with_derivative(Tape& tape, const Primitive& primitive, const Sample& sample) {
    Random random(2);
    std::vector<Node> x;
    for (const Tensor& t : sample_operands(primitive, sample, a_dtype(primitive), random))
        x.push_back(x.empty() ? tape.parameter(t) : tape.input(t));
    const Node z = applied(primitive, x, sample);
    const auto last = std::find_if(x.rbegin(), x.rend(), [](Node its) { return is_floating(its.dtype()); });
    if (primitive.differentiable && is_floating(z.dtype()) && last != x.rend()) vjp(z, *last, full_like(z, 0.1));
    return z;
}

}  // namespace gradtape::test

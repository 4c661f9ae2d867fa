// Matrix products.
#include "define.hpp"

#include "../kernels/gemm.hpp"

#include <array>

namespace gradtape::detail::GRADTAPE_ISA {
namespace {

Transposed flags(const Attributes& attributes) {
    const auto list = attributes.list();
    if (list.empty()) return {};
    return {std::get<bool>(list[0].value), std::get<bool>(list[1].value)};
}

struct Sizes {
    std::int64_t batch = 1, m, n, k, k_of_y;
};
Sizes sizes(const Shape& x, const Shape& y, Transposed t) {
    const auto last = [](const Shape& s, bool other) { return s[s.rank() - (other ? 2 : 1)]; };
    Sizes s{1, last(x, !t.x), last(y, t.y), last(x, t.x), last(y, !t.y)};
    for (std::size_t i = 0; i + 2 < x.rank(); ++i) s.batch *= x[i];
    return s;
}

Type matmul_type(const ShapeCall& call) {
    const Shape &x = call[0].shape, &y = call[1].shape;
    if (!is_floating(call[0].dtype) || call[0].dtype != call[1].dtype)
        call.refuse_dtype(std::string("takes two operands of float32 or of float64, not ") + to_string(call[0].dtype) +
                          " and " + to_string(call[1].dtype));
    bool batches = x.rank() >= 2 && x.rank() == y.rank();
    for (std::size_t i = 0; batches && i + 2 < x.rank(); ++i) batches = x[i] == y[i];
    if (!batches) call.refuse("leading extents differ: x " + to_string(x) + ", y " + to_string(y));
    const Transposed t = flags(call.attributes);
    const Sizes s = sizes(x, y, t);
    if (s.k != s.k_of_y)
        call.refuse("inner extents differ: x " + to_string(x) + (t.x ? " transposed" : "") + ", y " + to_string(y) +
                    (t.y ? " transposed" : "") + "; need x.shape[" + (t.x ? "-2" : "-1") + "] == y.shape[" +
                    (t.y ? "-1" : "-2") + "]");
    Type type = call[0];
    type.shape[x.rank() - 2] = s.m;
    type.shape[x.rank() - 1] = s.n;
    return type;
}

// Facts of a settled product: transposed x and y, batch, m, n, k, parts. The parts of a batch are whole products.
template <class T>
void multiply_matrices(const std::int64_t* facts, const void* const* inputs, void* output, Parts parts) {
    const auto [tx, ty, batch, m, n, k] = std::array{facts[0], facts[1], facts[2], facts[3], facts[4], facts[5]};
    const Product<T> first{tx != 0, ty != 0, m, n, k, static_cast<const T*>(inputs[0]), static_cast<const T*>(inputs[1]),
                           static_cast<T*>(output)};
    if (batch == 1) return gemm(first, parts);
    for (std::int64_t i = batch * parts.begin / facts[6]; i < batch * parts.end / facts[6]; ++i) {
        Product<T> p = first;
        p.a += i * m * k;
        p.b += i * k * n;
        p.c += i * m * n;
        gemm(p);
    }
}

Prepared prepare_matmul(std::span<const Type* const> x, const Type& z, const Attributes& attributes) {
    const Transposed t = flags(attributes);
    const Sizes s = sizes(x[0]->shape, x[1]->shape, t);
    const std::int64_t parts = s.batch == 1 ? gemm_parts(s.m, s.n, s.k) : parts_of(s.batch, s.m * s.n * s.k, 1 << 20);
    return {z.dtype == DType::float32 ? &multiply_matrices<float> : &multiply_matrices<double>,
            {t.x, t.y, s.batch, s.m, s.n, s.k, parts}, parts, s.batch == 1 ? gemm_ways : 1};
}

}  // namespace

// z = op(x) op(y). x̄ = z̄ op(y)ᵀ and ȳ = op(x)ᵀ z̄ (Giles 2008, 2.2.2), with the transpositions folded into the flags.
GRADTAPE_PRIMITIVE(matmul) = Define("matmul", 2)
    .with_optional_settings({"transpose_x", Kind::flag}, {"transpose_y", Kind::flag})
    .shaped(matmul_type)
    .settled<prepare_matmul>()
    .vjp([](const Operands& x, Node, Node z_bar) {
             const Transposed t = flags(x.attributes);
             return t.x ? gradtape::matmul(x[1], z_bar, {t.y, true}) : gradtape::matmul(z_bar, x[1], {false, !t.y});
         },
         [](const Operands& x, Node, Node z_bar) {
             const Transposed t = flags(x.attributes);
             return t.y ? gradtape::matmul(z_bar, x[0], {true, t.x}) : gradtape::matmul(x[0], z_bar, {!t.x, false});
         })
    .multilinear().on(any_real);

}  // namespace gradtape::detail::GRADTAPE_ISA

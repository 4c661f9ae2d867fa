// Matrix products.
#include "define.hpp"

#include "../kernels/gemm.hpp"
#include "../kernels/small_gemm.hpp"

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

/// The type of the product of operands `from` and `from` + 1.
Type product_type(const ShapeCall& call, std::size_t from) {
    const Type &first = call[from], &second = call[from + 1];
    const Shape &x = first.shape, &y = second.shape;
    if (!is_floating(first.dtype) || first.dtype != second.dtype)
        call.refuse_dtype(std::string("takes two operands of float32 or of float64, not ") + to_string(first.dtype) +
                          " and " + to_string(second.dtype));
    bool batches = x.rank() >= 2 && x.rank() == y.rank();
    for (std::size_t i = 0; batches && i + 2 < x.rank(); ++i) batches = x[i] == y[i];
    if (!batches) call.refuse("leading extents differ: x " + to_string(x) + ", y " + to_string(y));
    const Transposed t = flags(call.attributes);
    const Sizes s = sizes(x, y, t);
    if (s.k != s.k_of_y)
        call.refuse("inner extents differ: x " + to_string(x) + (t.x ? " transposed" : "") + ", y " + to_string(y) +
                    (t.y ? " transposed" : "") + "; need x.shape[" + (t.x ? "-2" : "-1") + "] == y.shape[" +
                    (t.y ? "-1" : "-2") + "]");
    Type type = first;
    type.shape[x.rank() - 2] = s.m;
    type.shape[x.rank() - 1] = s.n;
    return type;
}

// Facts of a settled product: transposed x and y, batch, m, n, k, parts. The parts of a batch are whole products.
template <class T>
void multiply_matrices(const std::int64_t* facts, const void* const* inputs, void* output, const Parts& parts) {
    const auto [tx, ty, batch, m, n, k] = std::array{facts[0], facts[1], facts[2], facts[3], facts[4], facts[5]};
    const Product<T> first(tx != 0, ty != 0, m, n, k, static_cast<const T*>(inputs[0]), static_cast<const T*>(inputs[1]),
                           static_cast<T*>(output));
    if (batch == 1) return gemm(first, parts);
    for (std::int64_t i = batch * parts.begin / facts[6]; i < batch * parts.end / facts[6]; ++i) {
        Product<T> p = first;
        p.a += i * m * k;
        p.b += i * k * n;
        p.c += i * m * n;
        gemm(p);
    }
}

/// A single product that goes to the small kernel: nothing is left to decide. Another fact is its finish.
template <class T>
void multiply_small(const std::int64_t* facts, const void* const* inputs, void* output, const Parts&) {
    Product<T> p(facts[0] != 0, facts[1] != 0, facts[3], facts[4], facts[5], static_cast<const T*>(inputs[0]),
                 static_cast<const T*>(inputs[1]), static_cast<T*>(output));
    if (facts[7] > 0) p.bias = static_cast<const T*>(inputs[2]);
    p.relu = facts[7] == 2;
    small_gemm(p);
}

template <class T>
Prepared settled_product(Transposed t, const Sizes& s) {
    const std::int64_t parts = s.batch == 1 ? gemm_parts(s.m, s.n, s.k) : parts_of(s.batch, s.m * s.n * s.k, 1 << 20);
    const bool small = s.batch == 1 && parts == 1 && gemm_is_small<T>(t.x, t.y, s.m, s.n, s.k);
    return {small ? &multiply_small<T> : &multiply_matrices<T>, {t.x, t.y, s.batch, s.m, s.n, s.k, parts}, parts,
            s.batch == 1 ? gemm_ways : 1, small ? 7 : -1};
}

Prepared prepare_matmul(std::span<const Type* const> x, const Type& z, const Attributes& attributes) {
    const Transposed t = flags(attributes);
    const Sizes s = sizes(x[0]->shape, x[1]->shape, t);
    return z.dtype == DType::float32 ? settled_product<float>(t, s) : settled_product<double>(t, s);
}

Node x_cotangent(Node y, Node z_bar, Transposed t) {
    return t.x ? gradtape::matmul(y, z_bar, {t.y, true}) : gradtape::matmul(z_bar, y, {false, !t.y});
}
Node y_cotangent(Node x, Node z_bar, Transposed t) {
    return t.y ? gradtape::matmul(z_bar, x, {true, t.x}) : gradtape::matmul(x, z_bar, {!t.x, false});
}

}  // namespace

// z = op(x) op(y). x̄ = z̄ op(y)ᵀ and ȳ = op(x)ᵀ z̄ (Giles 2008, 2.2.2), with the transpositions folded into the flags.
GRADTAPE_PRIMITIVE(matmul) = Define("matmul", 2)
    .with_optional_settings({"transpose_x", Kind::flag}, {"transpose_y", Kind::flag})
    .shaped([](const ShapeCall& call) { return product_type(call, 0); }).takes(floats)
    .settled<prepare_matmul>()
    .vjp([](const Operands& x, Node, Node z_bar) { return x_cotangent(x[1], z_bar, flags(x.attributes)); },
         [](const Operands& x, Node, Node z_bar) { return y_cotangent(x[0], z_bar, flags(x.attributes)); })
    .multilinear().on(any_real);

// z = w + s op(x) op(y) for matrices and a number s: what a rewrite that may change rounding makes of w + s matmul(x, y).
// In place of w it is one call.
namespace {

Type addmm_type(const ShapeCall& call) {
    const Type product = product_type(call, 1);
    if (call[0] != product || product.shape.rank() != 2)
        call.refuse("the product of x " + to_string(call[1].shape) + " and y " + to_string(call[2].shape) + " is " +
                    to_string(product) + ", w is " + to_string(call[0]) + "; need two equal matrices");
    if (call[3].dtype != product.dtype || call[3].shape.elements() != 1)
        call.refuse("the scale is " + to_string(call[3]) + "; need one number of dtype " + to_string(product.dtype));
    return product;
}

// Facts: transposed x and y, m, n, k.
template <class T>
void add_product(const std::int64_t* facts, const void* const* inputs, void* output, const Parts& parts) {
    Product<T> p(facts[0] != 0, facts[1] != 0, facts[2], facts[3], facts[4], static_cast<const T*>(inputs[1]),
                 static_cast<const T*>(inputs[2]), static_cast<T*>(output));
    p.add = true;
    p.scale = *static_cast<const T*>(inputs[3]);
    if (output != inputs[0]) copy_part(p, static_cast<const T*>(inputs[0]), parts);
    gemm(p, parts);
}

Prepared prepare_addmm(std::span<const Type* const> x, const Type& z, const Attributes& attributes) {
    const Transposed t = flags(attributes);
    const Sizes s = sizes(x[1]->shape, x[2]->shape, t);
    return {z.dtype == DType::float32 ? &add_product<float> : &add_product<double>,
            {t.x, t.y, s.m, s.n, s.k}, gemm_parts(s.m, s.n, s.k), gemm_ways};
}

Node as_number(const Operands& x) { return gradtape::reshape(x[3], {}); }

}  // namespace
GRADTAPE_PRIMITIVE(addmm) = Define("addmm", 4)
    .with_optional_settings({"transpose_x", Kind::flag}, {"transpose_y", Kind::flag})
    .shaped(addmm_type).takes(floats)
    .settled<prepare_addmm>()
    .vjp([](const Operands&, Node, Node z_bar) { return z_bar; },
         [](const Operands& x, Node, Node z_bar) {
             return x_cotangent(x[2], as_number(x) * z_bar, flags(x.attributes));
         },
         [](const Operands& x, Node, Node z_bar) {
             return y_cotangent(x[1], as_number(x) * z_bar, flags(x.attributes));
         },
         [](const Operands& x, Node, Node z_bar) {
             const Node slope = gradtape::sum(z_bar * gradtape::matmul(x[1], x[2], flags(x.attributes)));
             return gradtape::reshape(slope, x[3].shape());
         })
    .jvp([](const Operands&, Node, Node w_dot) { return w_dot; },
         [](const Operands& x, Node, Node x_dot) {
             return as_number(x) * gradtape::matmul(x_dot, x[2], flags(x.attributes));
         },
         [](const Operands& x, Node, Node y_dot) {
             return as_number(x) * gradtape::matmul(x[1], y_dot, flags(x.attributes));
         },
         [](const Operands& x, Node, Node dot) {
             return gradtape::reshape(dot, {}) * gradtape::matmul(x[1], x[2], flags(x.attributes));
         })
    .overwriting()
    .on(any_real);

}  // namespace gradtape::detail::GRADTAPE_ISA

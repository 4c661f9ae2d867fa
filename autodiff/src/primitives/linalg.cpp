// Matrix products.
#include "family.hpp"

#include "../kernels/prepare_product.hpp"

namespace gradtape::detail::GRADTAPE_ISA {
namespace {

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

Node x_cotangent(Node y, Node z_bar, Transposed t) {
    return t.x ? gradtape::matmul(y, z_bar, {t.y, true}) : gradtape::matmul(z_bar, y, {false, !t.y});
}
Node y_cotangent(Node x, Node z_bar, Transposed t) {
    return t.y ? gradtape::matmul(z_bar, x, {true, t.x}) : gradtape::matmul(x, z_bar, {!t.x, false});
}

}  // namespace

// z = op(x) op(y). x̄ = z̄ op(y)ᵀ and ȳ = op(x)ᵀ z̄ (Giles 2008, 2.2.2), with the transpositions folded into the flags.
GRADTAPE_KERNELS(matmul, settled<prepare_matmul>())
GRADTAPE_PRIMITIVE(matmul, of(2)
    .with_optional_settings({"transpose_x", Kind::flag}, {"transpose_y", Kind::flag})
    .shaped([](const ShapeCall& call) { return product_type(call, 0); }).takes(floats)
    .vjp([](const Operands& x, Node, Node z_bar) { return x_cotangent(x[1], z_bar, flags(x.attributes)); },
         [](const Operands& x, Node, Node z_bar) { return y_cotangent(x[0], z_bar, flags(x.attributes)); })
    .multilinear()
    .batch([](const BatchCall& call) {
        const Transposed t = flags(call.x.attributes);
        const Node x = call.x[0], y = call.x[1];
        if (call.batched[1] || t.x || x.shape().rank() != 3) return call.apply(all_with_axis(call), call.x.attributes);
        // Rows of a batch of matrices, times one matrix: a single product.
        const std::int64_t m = x.shape(1), k = x.shape(2);
        const Node z = gradtape::matmul(gradtape::reshape(x, {call.size * m, k}), y, t);
        call.give(0, gradtape::reshape(z, {call.size, m, z.shape(1)}));
    }).on(any_real))

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

Node as_number(const Operands& x) { return gradtape::reshape(x[3], {}); }

}  // namespace
GRADTAPE_KERNELS(addmm, settled<prepare_addmm>())
GRADTAPE_PRIMITIVE(addmm, of(4)
    .with_optional_settings({"transpose_x", Kind::flag}, {"transpose_y", Kind::flag})
    .shaped(addmm_type).takes(floats)
    .vjp(passes_on,
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
    .jvp(passes_on,
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
    .batch([](const BatchCall& call) {
        const Node product = gradtape::matmul(call.with_axis(1), call.with_axis(2), flags(call.x.attributes));
        const Node scale = gradtape::reshape(call.with_axis(3), {call.size, 1, 1});
        call.give(0, call.with_axis(0) + scale * product);
    })
    .on(any_real))

}  // namespace gradtape::detail::GRADTAPE_ISA

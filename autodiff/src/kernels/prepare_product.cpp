// Settling the sizes of matrix products.
#include "prepare_product.hpp"

#include <array>

#include "gemm.hpp"
#include "small_gemm.hpp"

namespace gradtape::detail::GRADTAPE_ISA {
namespace {

// Facts of a settled product: transposed x and y, batch, m, n, k, parts. The parts of a batch are whole products.
template <class T>
void multiply_matrices(const std::int64_t* facts, const void* const* inputs, void* const* outputs, const Parts& parts) {
    const auto [tx, ty, batch, m, n, k] = std::array{facts[0], facts[1], facts[2], facts[3], facts[4], facts[5]};
    const Product<T> first(tx != 0, ty != 0, m, n, k, static_cast<const T*>(inputs[0]), static_cast<const T*>(inputs[1]),
                           static_cast<T*>(outputs[0]));
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
void multiply_small(const std::int64_t* facts, const void* const* inputs, void* const* outputs, const Parts&) {
    Product<T> p(facts[0] != 0, facts[1] != 0, facts[3], facts[4], facts[5], static_cast<const T*>(inputs[0]),
                 static_cast<const T*>(inputs[1]), static_cast<T*>(outputs[0]));
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

// Facts: transposed x and y, m, n, k.
template <class T>
void add_product(const std::int64_t* facts, const void* const* inputs, void* const* outputs, const Parts& parts) {
    Product<T> p(facts[0] != 0, facts[1] != 0, facts[2], facts[3], facts[4], static_cast<const T*>(inputs[1]),
                 static_cast<const T*>(inputs[2]), static_cast<T*>(outputs[0]));
    p.add = true;
    p.scale = *static_cast<const T*>(inputs[3]);
    if (outputs[0] != inputs[0]) copy_part(p, static_cast<const T*>(inputs[0]), parts);
    gemm(p, parts);
}

}  // namespace

Prepared prepare_matmul(std::span<const Type* const> x, const Type& z, const Attributes& attributes) {
    const Transposed t = flags(attributes);
    const Sizes s = sizes(x[0]->shape, x[1]->shape, t);
    return z.dtype == DType::float32 ? settled_product<float>(t, s) : settled_product<double>(t, s);
}

Prepared prepare_addmm(std::span<const Type* const> x, const Type& z, const Attributes& attributes) {
    const Transposed t = flags(attributes);
    const Sizes s = sizes(x[1]->shape, x[2]->shape, t);
    return {z.dtype == DType::float32 ? &add_product<float> : &add_product<double>,
            {t.x, t.y, s.m, s.n, s.k}, gemm_parts(s.m, s.n, s.k), gemm_ways};
}

}  // namespace gradtape::detail::GRADTAPE_ISA

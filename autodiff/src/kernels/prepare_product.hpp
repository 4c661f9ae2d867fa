// Settling the sizes of matrix products: attributes `transpose_x` and `transpose_y`, or none.
#pragma once

#include "kernels.hpp"

namespace gradtape::detail {

inline Transposed flags(const Attributes& attributes) {
    const auto list = attributes.list();
    if (list.empty()) return {};
    return {std::get<bool>(list[0].value), std::get<bool>(list[1].value)};
}

/// Of op(x) op(y): (batch, m, n) from (batch, m, k) and (batch, k_of_y, n).
struct Sizes {
    std::int64_t batch = 1, m, n, k, k_of_y;
};
inline Sizes sizes(const Shape& x, const Shape& y, Transposed t) {
    const auto last = [](const Shape& s, bool other) { return s[s.rank() - (other ? 2 : 1)]; };
    Sizes s{1, last(x, !t.x), last(y, t.y), last(x, t.x), last(y, !t.y)};
    for (std::size_t i = 0; i + 2 < x.rank(); ++i) s.batch *= x[i];
    return s;
}

namespace GRADTAPE_ISA {

Prepared prepare_matmul(std::span<const Type* const> x, const Type& z, const Attributes& attributes);
Prepared prepare_addmm(std::span<const Type* const> x, const Type& z, const Attributes& attributes);

}  // namespace GRADTAPE_ISA
}  // namespace gradtape::detail

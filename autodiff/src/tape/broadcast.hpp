// NumPy's broadcasting rule.
#pragma once

#include <gradtape/shape.hpp>

#include <algorithm>
#include <array>
#include <optional>

namespace gradtape::detail {

/// The shape that both operands are broadcast to; or, where two extents clash, those.
struct Broadcast {
    Shape shape;
    std::optional<std::array<std::int64_t, 2>> clash;
};

inline Broadcast broadcast(const Shape& x, const Shape& y) {
    Broadcast result;
    const std::size_t rank = std::max(x.rank(), y.rank());
    for (std::size_t back = rank; back > 0; --back) {  // axes are counted from the right
        const std::int64_t a = back > x.rank() ? 1 : x[x.rank() - back];
        const std::int64_t b = back > y.rank() ? 1 : y[y.rank() - back];
        if (a != b && a != 1 && b != 1) return {{}, {{a, b}}};
        result.shape.push_back(a == 1 ? b : a);
    }
    return result;
}

}  // namespace gradtape::detail

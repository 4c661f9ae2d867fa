// Axes that count from the end.
#pragma once

#include <gradtape/error.hpp>

namespace gradtape::detail {

/// The place of `axis` in a shape, or in one of `more` axes more; ShapeError in the name of `asker` where there is none.
inline std::size_t at_axis(const char* asker, Axis axis, const Shape& shape, Where where, std::size_t more = 0) {
    const std::int64_t rank = std::int64_t(shape.rank() + more), i = axis.value();
    if (i < -rank || i >= rank)
        throw ShapeError("axis " + std::to_string(i) + " is out of range for shape " + to_string(shape),
                         {asker, {shape}, int(i), where});
    return std::size_t(i < 0 ? i + rank : i);
}

}  // namespace gradtape::detail

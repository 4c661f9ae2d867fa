// Which shapes and element types may exist: the one home of that question. And sums that stop at the largest number instead of wrapping.
#pragma once

#include <gradtape/error.hpp>

#include <limits>

namespace gradtape::detail {

/// Elements that a value has at most, an extent of 0 counted as 1. So the elements, bytes and strides of a value, and the
/// three extents of a matrix product multiplied, fit into 63 bits.
inline constexpr std::int64_t most_elements = std::int64_t(1) << 40;

/// False where an extent is negative, or the elements are too many.
inline bool may_exist(const Shape& shape) noexcept {
    std::int64_t elements = 1;
    bool fits = true;
    for (const std::int64_t extent : shape) {
        fits = fits && extent >= 0 && !__builtin_mul_overflow(elements, extent > 0 ? extent : 1, &elements);
        fits = fits && elements <= most_elements;
    }
    return fits;
}

/// Says why a shape may not exist, in the name of who made it. `what` comes before the shape: "result of shape ".
[[noreturn]] void refuse_shape(const Shape& shape, const char* asker, Where where, const char* what = "shape ");

inline void check_exists(const Shape& shape, const char* asker, Where where, const char* what = "shape ") {
    if (!may_exist(shape)) [[unlikely]] refuse_shape(shape, asker, where, what);
}

/// False for what was made of a number that names no element type.
constexpr bool exists(DType dtype) noexcept { return dtype <= DType::boolean; }
[[noreturn]] void refuse_dtype(DType dtype, const char* asker, Where where);

inline void check_exists(const Type& type, const char* asker, Where where, const char* what = "shape ") {
    check_exists(type.shape, asker, where, what);
    if (!exists(type.dtype)) [[unlikely]] refuse_dtype(type.dtype, asker, where);
}

/// x + y, or the largest number there is: no shape of such an extent may exist, and no plan of so many bytes.
template <class Integer>
constexpr Integer saturated_sum(Integer x, Integer y) noexcept {
    Integer sum = 0;
    return __builtin_add_overflow(x, y, &sum) ? (y < 0 ? std::numeric_limits<Integer>::min() : std::numeric_limits<Integer>::max()) : sum;
}

}  // namespace gradtape::detail

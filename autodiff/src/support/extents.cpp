// What is wrong with a shape or an element type that may not exist.
#include "extents.hpp"

namespace gradtape::detail {

void refuse_shape(const Shape& shape, const char* asker, Where where, const char* what) {
    for (std::size_t i = 0; i < shape.rank(); ++i)
        if (shape[i] < 0)
            throw ShapeError("negative extent in " + (what + to_string(shape)), {asker, {shape}, int(i), where});
    throw ShapeError(what + to_string(shape) + " has too many elements; at most 2^40 are taken, an extent of 0 counted as 1",
                     {asker, {shape}, {}, where});
}

void refuse_dtype(DType dtype, const char* asker, Where where) {
    throw DTypeError("there is no element type " + std::to_string(int(dtype)), {asker, {}, {}, where});
}

}  // namespace gradtape::detail

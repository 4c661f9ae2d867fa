// Repeated values: one block that stands for a whole tensor.
#include "execute.hpp"

#include "../support/convert.hpp"

#include <algorithm>
#include <cstring>

namespace gradtape::detail {
namespace {

template <class T>
void fill(void* out, std::size_t count, T value) {
    T* elements = static_cast<T*>(out);
    std::fill(elements, elements + count, value);
}

template <class T>
T load(const void* element) {
    T value;
    std::memcpy(&value, element, sizeof value);
    return value;
}

void fill_from(DType dtype, const void* element, void* out, std::size_t count) {
    switch (size_of(dtype)) {
        case 8: return fill(out, count, load<std::uint64_t>(element));
        case 4: return fill(out, count, load<std::uint32_t>(element));
        default: return fill(out, count, load<std::uint8_t>(element));
    }
}

}  // namespace

void repeat(DType dtype, const void* element, void* block, std::size_t bytes) {
    char* out = static_cast<char*>(block);
    for (char* const end = out + bytes; out != end; out += 64) {
        switch (size_of(dtype)) {  // of fixed counts, which become a few stores
            case 8: fill(out, 8, load<std::uint64_t>(element)); break;
            case 4: fill(out, 16, load<std::uint32_t>(element)); break;
            default: fill(out, 64, load<std::uint8_t>(element));
        }
    }
}

void repeat_number(DType dtype, double value, void* block) {
    switch (dtype) {
        case DType::float32: return fill(block, 16, convert<float>(value));
        case DType::float64: return fill(block, 8, value);
        case DType::int64: return fill(block, 8, convert<std::int64_t>(value));
        case DType::boolean: return fill(block, 64, convert<std::uint8_t>(value));
    }
}

void write_out(const Type& type, const void* block, void* out) {
    fill_from(type.dtype, block, out, std::size_t(type.shape.elements()));
}

}  // namespace gradtape::detail

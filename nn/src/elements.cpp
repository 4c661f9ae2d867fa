#include "elements.hpp"

#include <charconv>

namespace gradtape::nn {

std::string number(double value) {
    char text[32];
    const auto end = std::to_chars(text, text + sizeof text, value).ptr;
    return {text, end};
}

Tensor& reuse(Tensor& tensor, const Type& type) {
    if (!tensor.unique() || tensor.type() != type) tensor = Tensor::uninitialised(type);
    return tensor;
}

std::byte* writable(Tensor& tensor) {
    switch (tensor.dtype()) {
        case DType::float32:
            return reinterpret_cast<std::byte*>(tensor.mutable_data<float>().data());
        case DType::float64:
            return reinterpret_cast<std::byte*>(tensor.mutable_data<double>().data());
        case DType::int64:
            return reinterpret_cast<std::byte*>(tensor.mutable_data<std::int64_t>().data());
        default:
            return reinterpret_cast<std::byte*>(tensor.mutable_data<bool>().data());
    }
}

}  // namespace gradtape::nn

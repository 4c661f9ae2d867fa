#include "elements.hpp"

#include <charconv>
#include <cmath>

namespace gradtape::nn {

std::string number(double value) {
    if (value != value) return "nan";  // of either sign
    char text[32];
    const auto end = std::to_chars(text, text + sizeof text, value).ptr;
    return {text, end};
}

std::string non_finite_in(const Tensor& tensor, Where where) {
    return with_elements(tensor, where, [&](auto values) -> std::string {
        for (std::size_t i = 0; i < values.size(); ++i) {
            const double value = double(values[i]);
            if (std::isfinite(value)) continue;
            Shape at = tensor.shape();
            std::int64_t left = std::int64_t(i);
            for (std::size_t axis = at.rank(); axis-- > 0; left /= tensor.shape()[axis]) at[axis] = left % tensor.shape()[axis];
            return (std::isnan(value) ? std::string("NaN") : number(value)) + (at.empty() ? "" : " at " + to_string(at));
        }
        return {};
    });
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

// Texts of errors, shapes, types and tensors.
#include <gradtape/error.hpp>
#include <gradtape/tensor.hpp>

#include "support/number.hpp"


namespace gradtape {
namespace {

std::string message(const std::string& problem, const ErrorFacts& facts) {
    std::string text;
    if (!facts.primitive.empty()) text += "[" + facts.primitive + "] ";
    text += problem;
    if (facts.where.file) text += " (" + to_string(facts.where) + ")";
    return text;
}

std::string element(const Tensor& tensor, std::size_t i) {
    switch (tensor.dtype()) {
        case DType::float32: return detail::shortest(tensor.data<float>()[i]);
        case DType::float64: return detail::shortest(tensor.data<double>()[i]);
        case DType::int64: return std::to_string(tensor.data<std::int64_t>()[i]);
        default: return tensor.data<bool>()[i] ? "true" : "false";
    }
}

}  // namespace

Error::Error(const std::string& problem, ErrorFacts facts)
    : std::runtime_error(message(problem, facts)), facts_(std::move(facts)) {
    if (!facts_.where.file) return;
    file_ = std::make_shared<const std::string>(facts_.where.file);
    facts_.where.file = file_->c_str();
}

std::string to_string(Where where) {
    if (!where.file) return {};
    const std::string path = where.file;
    return path.substr(path.find_last_of('/') + 1) + ":" + std::to_string(where.line);
}

void Shape::too_many_axes(Where where) {
    throw ShapeError("more than " + std::to_string(max_rank) + " axes", {"shape", {}, {}, where});
}

void Shape::out_of_range(std::size_t i, std::size_t rank, Where where) {
    throw ShapeError((i < max_rank ? "no extent " + std::to_string(i) : std::string("no such extent")) + " in a shape of " +
                         std::to_string(rank) + (rank == 1 ? " axis" : " axes"), {"shape", {}, {}, where});
}

const char* to_string(DType dtype) noexcept {
    switch (dtype) {
        case DType::float32: return "float32";
        case DType::float64: return "float64";
        case DType::int64: return "int64";
        default: return "boolean";
    }
}

std::string to_string(const Shape& shape) {
    std::string text = "(";
    for (std::size_t i = 0; i < shape.rank(); ++i) {
        if (i) text += ", ";
        text += std::to_string(shape[i]);
    }
    return text + (shape.rank() == 1 ? ",)" : ")");
}

std::string to_string(const Type& type) { return to_string(type.dtype) + to_string(type.shape); }

template <>
std::string detail::printed(const Tensor& tensor) {
    return tensor.raw() ? to_string(tensor) : to_string(tensor.type()) + " moved from";
}

std::string to_string(const Tensor& tensor, Where where) {
    if (!tensor.raw()) throw TapeError("this tensor has no elements: it was moved from, or never set", {"to_string", {}, {}, where});
    constexpr std::size_t most = 64;  // elements printed
    const auto& shape = tensor.shape();
    const std::size_t count = std::size_t(tensor.elements());
    std::string text = to_string(tensor.type()) + " ";
    if (count == 0) return text + "[]";
    for (std::size_t i = 0; i < count; ++i) {
        // Brackets open and close where an index of a leading axis changes.
        std::size_t opens = 0, run = 1;
        for (std::size_t axis = shape.rank(); axis-- > 0;) {
            run *= std::size_t(shape[axis]);
            if (i % run == 0) ++opens;
        }
        if (i) text += (opens ? "], [" : ", ");
        if (i && opens > 1) text.insert(text.size() - 3, opens - 1, ']');
        text.append(i ? (opens > 1 ? opens - 1 : 0) : opens, '[');
        if (i == most && count > 2 * most) {
            text += "…";
            return text + std::string(shape.rank(), ']');
        }
        text += element(tensor, i);
    }
    return text + std::string(shape.rank(), ']');
}

}  // namespace gradtape

// An independent scalar implementation of every primitive, by name: plain loops over long doubles.
#pragma once

#include "tensors.hpp"

#include <gradtape/primitive.hpp>

namespace gradtape::test::naive {

struct Array {
    Type type;
    std::vector<long double> elements;
};
Array from(const Tensor& tensor);

using Real = long double;
using Reals = std::vector<Real>;

/// What a reference sees.
struct Call {
    const std::vector<Array>& operands;
    const Attributes& attributes;
    const Type& result;
    const Array& operator[](std::size_t i) const { return operands[i]; }
    const Shape& x() const { return operands[0].type.shape; }
    const Shape& shape(const char* name) const { return attributes.get<Shape>(name); }
    std::size_t axis() const { return std::size_t(attributes.get<std::int64_t>("axis")); }
};

/// What primitive `name` gives for these operands; nothing where this file has no reference for it.
std::optional<std::vector<long double>> evaluate(const std::string& name, const std::vector<Array>& operands,
                                                 const Attributes& attributes, const Type& result);

/// The same for those of indexing and order.
std::optional<std::vector<long double>> indexing(const std::string& name, const std::vector<Array>& operands,
                                                 const Attributes& attributes, const Type& result);

}  // namespace gradtape::test::naive

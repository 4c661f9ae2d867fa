// Batching rules that several families share.
#pragma once

#include <gradtape/ops.hpp>
#include <gradtape/primitive.hpp>

namespace gradtape::detail {

/// `attributes` with another value for the one called `name`.
inline Attributes changed(const Attributes& attributes, std::string_view name, Attribute::Value value) {
    std::vector<Attribute> list(attributes.list().begin(), attributes.list().end());
    for (Attribute& attribute : list)
        if (name == attribute.name) attribute.value = value;
    return Attributes(std::span<const Attribute>(list));
}

/// With one more in front.
inline Shape behind(std::int64_t first, const Shape& rest) {
    Shape result{first};
    for (std::int64_t each : rest) result.push_back(each);
    return result;
}

/// Axes count from one axis further on.
inline Shape shifted(const Shape& axes) {
    Shape result;
    for (std::int64_t axis : axes) result.push_back(axis + 1);
    return result;
}

/// All operands, with the axis.
inline std::vector<Node> all_with_axis(const BatchCall& call) {
    std::vector<Node> nodes;
    for (std::size_t k = 0; k < call.x.count(); ++k) nodes.push_back(call.with_axis(k));
    return nodes;
}

/// The primitive itself along the same axes, one further on.
inline void batch_axes(const BatchCall& call) {
    call.apply(all_with_axis(call), changed(call.x.attributes, "axes", shifted(call.x.attributes.get<Shape>("axes"))));
}

inline void batch_axis(const BatchCall& call) {
    call.apply(all_with_axis(call), changed(call.x.attributes, "axis", call.x.attributes.get<std::int64_t>("axis") + 1));
}

}  // namespace gradtape::detail

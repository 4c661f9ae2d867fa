// Attributes: equality and hash by construction, over every stored value.
#include <gradtape/primitive.hpp>

#include "../support/hash.hpp"

#include <bit>

namespace gradtape {

using detail::mix;

namespace {

/// Doubles by their bits: 0 and −0 differ, a NaN equals itself.
std::uint64_t bits(double value) { return std::bit_cast<std::uint64_t>(value); }

}  // namespace

bool operator==(const Attribute& a, const Attribute& b) {
    if (std::string_view(a.name) != b.name || a.value.index() != b.value.index()) return false;
    if (const double* x = std::get_if<double>(&a.value)) return bits(*x) == bits(std::get<double>(b.value));
    return a.value == b.value;
}

Attributes::Attributes(std::initializer_list<Attribute> attributes, Where where)
    : Attributes(std::span(attributes.begin(), attributes.size()), where) {}

Attributes::Attributes(std::span<const Attribute> attributes, Where where) {
    if (attributes.size() == 0) return;
    if (attributes.size() > max) throw ValueError("more than 4 attributes", {"attributes", {}, {}, where});
    for (const Attribute& attribute : attributes)
        if (!attribute.name) throw ValueError("an attribute has no name", {"attributes", {}, {}, where});
#if __cpp_lib_shared_ptr_arrays >= 201707L
    const auto list = std::make_shared<Attribute[]>(attributes.size());
#else  // libc++ 14
    const std::shared_ptr<Attribute[]> list(new Attribute[attributes.size()]);
#endif
    std::copy(attributes.begin(), attributes.end(), list.get());
    list_ = list;
    count_ = attributes.size();
}

std::span<const Attribute> Attributes::list() const noexcept {
    return list_ ? std::span<const Attribute>(list_.get(), count_) : std::span<const Attribute>();
}

const Attribute::Value& Attributes::find(std::string_view name, Where where) const {
    for (const Attribute& attribute : list())
        if (attribute.name == name) return attribute.value;
    throw ValueError("attribute '" + std::string(name) + "' is missing", {"attributes", {}, {}, where});
}

bool operator==(const Attributes& a, const Attributes& b) {
    const auto x = a.list(), y = b.list();
    return x.size() == y.size() && std::equal(x.begin(), x.end(), y.begin());
}

std::size_t Attributes::hash() const noexcept {
    std::size_t seed = list().size();
    for (const Attribute& attribute : list()) {
        seed = mix(seed, std::hash<std::string_view>()(attribute.name));
        seed = std::visit(
            [&]<class T>(const T& value) {
                if constexpr (std::is_same_v<T, Shape>) {
                    std::size_t s = mix(seed, value.rank());
                    for (auto extent : value) s = mix(s, std::uint64_t(extent));
                    return s;
                } else if constexpr (std::is_same_v<T, Integers>) {
                    std::size_t s = mix(seed, value.size());
                    for (auto integer : value) s = mix(s, std::uint64_t(integer));
                    return s;
                } else if constexpr (std::is_same_v<T, double>) {
                    return mix(seed, bits(value));
                } else if constexpr (std::is_same_v<T, Subprogram>) {
                    return mix(seed, value.hash());
                } else {
                    return mix(seed, std::uint64_t(value));
                }
            },
            attribute.value);
    }
    return seed;
}

void detail::refuse_operand(std::size_t index, std::size_t count, Where where) {
    throw ValueError("operand " + std::to_string(index) + " is asked for; there are " + std::to_string(count),
                     {where.file ? "kernel" : "", {}, {}, where});
}

void detail::refuse_elements(const Type& type, DType asked, Where where) {
    throw DTypeError(std::string("elements of ") + to_string(type.dtype) + " are asked for as " + to_string(asked),
                     {"kernel", {type.shape}, {}, where});
}

void ShapeCall::refuse(const std::string& problem, std::optional<int> axis) const {
    std::vector<Shape> shapes;
    for (const Type* type : operands) shapes.push_back(type->shape);
    throw ShapeError(problem, {primitive, shapes, axis, where});
}

void ShapeCall::refuse_dtype(const std::string& problem) const {
    std::vector<Shape> shapes;
    for (const Type* type : operands) shapes.push_back(type->shape);
    throw DTypeError(problem, {primitive, shapes, {}, where});
}

}  // namespace gradtape

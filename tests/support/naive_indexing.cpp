// References for indexing and order: by multi-indices, and by counting how many elements come before one.
#include "naive.hpp"

#include "oracle.hpp"

#include <cmath>
#include <map>

namespace gradtape::test::naive {
namespace {

/// The multi-index in x of what is at `index` among the picked.
Shape place(const Call& call, const Shape& index) {
    const Shape& indices = call[1].type.shape;
    const std::size_t axis = call.axis();
    Shape where, mine;
    if (call.attributes.get<bool>("along")) {
        where = index;
        mine = index;
    } else {
        for (std::size_t i = 0; i < indices.rank(); ++i) where.push_back(index[axis + i]);
        for (std::size_t i = 0; i < axis; ++i) mine.push_back(index[i]);
        mine.push_back(0);
        for (std::size_t i = axis + indices.rank(); i < index.rank(); ++i) mine.push_back(index[i]);
    }
    const auto at = std::int64_t(call[1].elements[std::size_t(oracle::offset(indices, where))]), n = call.x()[axis];
    mine[axis] = (at + n) % n;
    return mine;
}

Reals gather(const Call& call) {
    Reals result;
    oracle::each_index(call.result.shape, [&](const Shape& index) {
        result.push_back(call[0].elements[std::size_t(oracle::offset(call.x(), place(call, index)))]);
    });
    return result;
}

Reals scattered(const Call& call, bool add) {
    Reals result = call[0].elements;
    std::size_t next = 0;
    oracle::each_index(call[2].type.shape, [&](const Shape& index) {
        Real& z = result[std::size_t(oracle::offset(call.x(), place(call, index)))];
        z = call[2].elements[next++] + (add ? z : 0);
    });
    return result;
}

Shape shifted(const Call& call, Shape index) {
    for (std::size_t i = 0; i < index.rank(); ++i) index[i] += std::int64_t(call[1].elements[i]);
    return index;
}

Reals dynamic_slice(const Call& call) {
    Reals result;
    oracle::each_index(call.result.shape, [&](const Shape& index) {
        result.push_back(call[0].elements[std::size_t(oracle::offset(call.x(), shifted(call, index)))]);
    });
    return result;
}

Reals dynamic_update_slice(const Call& call) {
    Reals result = call[0].elements;
    std::size_t next = 0;
    oracle::each_index(call[2].type.shape, [&](const Shape& index) {
        result[std::size_t(oracle::offset(call.x(), shifted(call, index)))] = call[2].elements[next++];
    });
    return result;
}

/// Whether a comes before b: NaN is the greatest.
bool before(Real a, Real b, bool descending) {
    if (std::isnan(a) || std::isnan(b)) return descending ? std::isnan(a) && !std::isnan(b) : !std::isnan(a) && std::isnan(b);
    return descending ? a > b : a < b;
}

/// For each element of x its place along the axis, if the line were sorted; and its value and index, put at that place.
Reals sort(const Call& call, bool indices) {
    const bool descending = call.attributes.get<bool>("descending");
    const std::size_t axis = call.axis();
    Reals result(std::size_t(call.result.shape.elements()));
    oracle::each_index(call.x(), [&](const Shape& index) {
        const Real mine = call[0].elements[std::size_t(oracle::offset(call.x(), index))];
        Shape other = index, to = index;
        to[axis] = 0;
        for (other[axis] = 0; other[axis] < call.x()[axis]; ++other[axis]) {
            const Real its = call[0].elements[std::size_t(oracle::offset(call.x(), other))];
            to[axis] += before(its, mine, descending) || (!before(mine, its, descending) && other[axis] < index[axis]);
        }
        if (to[axis] < call.result.shape[axis])
            result[std::size_t(oracle::offset(call.result.shape, to))] = indices ? Real(index[axis]) : mine;
    });
    return result;
}

/// The first that no other comes before; a NaN comes before all.
Reals choose(const Call& call, bool largest) {
    Reals result;
    oracle::each_index(call.result.shape, [&](const Shape& index) {
        Shape at;
        for (std::size_t i = 0; i < call.x().rank(); ++i) at.push_back(i < call.axis() ? index[i] : i == call.axis() ? 0 : index[i - 1]);
        Reals line;
        for (std::int64_t k = 0; k < call.x()[call.axis()]; ++k) {
            at[call.axis()] = k;
            const Real x = call[0].elements[std::size_t(oracle::offset(call.x(), at))];
            line.push_back(largest || std::isnan(x) ? x : -x);
        }
        std::size_t best = line.size();
        while (best-- > 0) {
            bool first = true;
            for (std::size_t k = 0; k < line.size(); ++k)
                first = first && !before(line[k], line[best], true) && (k >= best || before(line[best], line[k], true));
            if (first) break;
        }
        result.push_back(Real(best));
    });
    return result;
}

/// Each sum from scratch.
Reals cumsum(const Call& call) {
    const bool reverse = call.attributes.get<bool>("reverse");
    const std::size_t axis = call.axis();
    Reals result;
    oracle::each_index(call.x(), [&](const Shape& index) {
        Real total = 0;
        Shape at = index;
        for (std::int64_t k = 0; k < call.x()[axis]; ++k) {
            at[axis] = k;
            if (reverse ? k >= index[axis] : k <= index[axis]) total += call[0].elements[std::size_t(oracle::offset(call.x(), at))];
        }
        result.push_back(total);
    });
    return result;
}

const std::map<std::string, std::function<Reals(const Call&)>> references = {
    {"gather", gather},
    {"scatter", [](const Call& call) { return scattered(call, false); }},
    {"scatter_add", [](const Call& call) { return scattered(call, true); }},
    {"dynamic_slice", dynamic_slice},
    {"dynamic_update_slice", dynamic_update_slice},
    {"argmax", [](const Call& call) { return choose(call, true); }},
    {"argmin", [](const Call& call) { return choose(call, false); }},
    {"sort", [](const Call& call) { return sort(call, false); }},
    {"sort#1", [](const Call& call) { return sort(call, true); }},
    {"cumsum", cumsum},
};

}  // namespace

std::optional<std::vector<long double>> indexing(const std::string& name, const std::vector<Array>& operands,
                                                 const Attributes& attributes, const Type& result) {
    const auto found = references.find(name);
    if (found == references.end()) return {};
    return found->second(Call{operands, attributes, result});
}

}  // namespace gradtape::test::naive

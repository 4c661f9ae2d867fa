#include "samples.hpp"

#include <map>

namespace gradtape::test {
namespace {

Attributes picks(std::int64_t axis, bool along) { return {{"axis", axis}, {"along", along}}; }
Attributes axis(std::int64_t axis) { return {{"axis", axis}}; }
Attributes sorts(std::int64_t axis, bool descending, std::int64_t count) {
    return {{"axis", axis}, {"descending", descending}, {"count", count}};
}
Attributes sums(std::int64_t axis, bool reverse) { return {{"axis", axis}, {"reverse", reverse}}; }

const Shape scalar = {};

/// x, indices, and of what is scattered the updates.
std::vector<Sample> picked(bool scattered) {
    struct Row {
        Shape x, indices, picked;
        std::int64_t axis;
    };
    const Row whole[] = {{{5}, {3}, {3}, 0},          {{5}, scalar, scalar, 0},         {{3, 4}, {2}, {2, 4}, 0},
                         {{3, 4}, {7}, {3, 7}, 1},    {{3, 4}, {2, 2}, {3, 2, 2}, 1},   {{2, 3, 4}, {5}, {2, 5, 4}, 1},
                         {{1}, {4}, {4}, 0},          {{3, 2}, {0}, {0, 2}, 0},         {{3, 0}, {2}, {2, 0}, 0},
                         {{1, 1, 1}, {1}, {1, 1, 1}, 1}, {{2, 3, 2}, scalar, {2, 3}, 2}, {{9, 17}, {33}, {33, 17}, 0},
                         {{0, 3}, {2}, {0, 2}, 1},    {{2, 3}, {3}, {3, 3}, 0},         {{4, 3}, {4}, {4, 3}, 0}};
    const Row along[] = {{{5}, {3}, {3}, 0},       {{5}, {9}, {9}, 0},             {{3, 4}, {2, 4}, {2, 4}, 0}, {{3, 4}, {3, 7}, {3, 7}, 1},
                         {{2, 3, 4}, {2, 5, 4}, {2, 5, 4}, 1}, {{1}, {4}, {4}, 0}, {{3, 2}, {0, 2}, {0, 2}, 0}, {{3, 0}, {2, 0}, {2, 0}, 0},
                         {{9, 17}, {9, 33}, {9, 33}, 1}, {{3, 3}, {3, 3}, {3, 3}, 1}};
    std::vector<Sample> result;
    const auto add = [&](const Row& row, bool its) {
        Sample sample{{row.x, row.indices}, picks(row.axis, its)};
        if (scattered) sample.shapes.push_back(row.picked);
        sample.lowest = -row.x[std::size_t(row.axis)];
        sample.highest = row.x[std::size_t(row.axis)] - 1;
        result.push_back(sample);
    };
    for (const Row& row : whole) add(row, false);
    for (const Row& row : along) add(row, true);
    return result;
}

/// x, starts, and of what is updated the update; each start fits in every axis.
std::vector<Sample> windows(bool update) {
    struct Row {
        Shape x, window;
        std::int64_t highest;
    };
    const Row rows[] = {{{5}, {3}, 2},       {{5}, {5}, 0}, {{5}, {0}, 5},    {{1}, {1}, 0},      {scalar, scalar, 0}, {{4, 5}, {2, 3}, 2},
                        {{3, 4, 5}, {1, 2, 3}, 2}, {{2, 3}, {2, 3}, 0}, {{0, 3}, {0, 2}, 0}, {{3, 2}, {0, 2}, 0}, {{17, 9}, {16, 7}, 1},
                        {{3, 3}, {3, 3}, 0}, {{2, 3, 2, 3}, {1, 2, 1, 1}, 1}};
    std::vector<Sample> result;
    for (const Row& row : rows) {
        Sample sample{{row.x, {std::int64_t(row.x.rank())}}, {}};
        if (update)
            sample.shapes.push_back(row.window);
        else
            sample.attributes = {{"shape", row.window}};
        sample.highest = row.highest;
        result.push_back(sample);
    }
    return result;
}

const std::vector<Sample> chosen = {
    {{{5}}, axis(0)}, {{{1}}, axis(0)}, {{{3, 4}}, axis(0)}, {{{3, 4}}, axis(1)}, {{{2, 3, 4}}, axis(1)},
    {{{0, 3}}, axis(1)}, {{{33, 17}}, axis(0)}, {{{1, 1}}, axis(1)}, {{{3, 0, 2}}, axis(2)}};

const std::map<std::string, std::vector<Sample>> all = {
    {"gather", picked(false)},
    {"scatter", picked(true)},
    {"scatter_add", picked(true)},
    {"dynamic_slice", windows(false)},
    {"dynamic_update_slice", windows(true)},
    {"argmax", chosen},
    {"argmin", chosen},
    {"sort",
     {{{{5}}, sorts(0, false, 5)}, {{{5}}, sorts(0, true, 2)}, {{{1}}, sorts(0, false, 1)}, {{{3, 4}}, sorts(0, false, 3)},
      {{{3, 4}}, sorts(1, true, 3)}, {{{2, 3, 4}}, sorts(1, false, 2)}, {{{0}}, sorts(0, false, 0)}, {{{4}}, sorts(0, true, 0)},
      {{{3, 0, 2}}, sorts(0, true, 3)}, {{{33, 17}}, sorts(0, false, 33)}, {{{7, 41}}, sorts(1, true, 41)}}},
    {"cumsum",
     {{{{5}}, sums(0, false)}, {{{5}}, sums(0, true)}, {{{1}}, sums(0, false)}, {{{3, 4}}, sums(0, true)}, {{{3, 4}}, sums(1, false)},
      {{{2, 3, 4}}, sums(1, false)}, {{{0}}, sums(0, false)}, {{{3, 0, 2}}, sums(0, true)}, {{{19, 17}}, sums(1, true)}}},
};

}  // namespace

std::vector<Sample> indexing_samples(const std::string& primitive) {
    const auto found = all.find(primitive);
    return found == all.end() ? std::vector<Sample>() : found->second;
}

}  // namespace gradtape::test

// Moving elements: every function against index arithmetic, for all element sizes.
#include <array>
#include <doctest/doctest.h>

#include "support/kernel_sets.hpp"

using namespace gradtape::test;
using gradtape::Shape;
using std::int64_t;

namespace {

struct Layouts {
    std::string isa;
    decltype(&gradtape::detail::base::transpose) transpose;
    decltype(&gradtape::detail::base::broadcast_to) broadcast_to;
    decltype(&gradtape::detail::base::slice) slice, unslice;
    decltype(&gradtape::detail::base::pad) pad;
    decltype(&gradtape::detail::base::concatenate) concatenate;
};

std::vector<Layouts> layouts() {
    std::vector<Layouts> sets;
#define MAKE(ISA)                                                                                                   \
    Layouts {                                                                                                       \
        #ISA, gradtape::detail::ISA::transpose, gradtape::detail::ISA::broadcast_to, gradtape::detail::ISA::slice,  \
            gradtape::detail::ISA::unslice, gradtape::detail::ISA::pad, gradtape::detail::ISA::concatenate          \
    }
    GRADTAPE_SETS(sets, MAKE);
#undef MAKE
    return sets;
}

using Index = std::array<int64_t, Shape::max_rank>;

int64_t offset(const Shape& shape, const Index& index) {
    int64_t at = 0;
    for (std::size_t i = 0; i < shape.rank(); ++i) at = at * shape[i] + index[i];
    return at;
}
template <class F>
void for_each_index(const Shape& shape, F f) {
    const int64_t n = shape.elements();
    for (int64_t flat = 0; flat < n; ++flat) {
        Index index{};
        int64_t rest = flat;
        for (std::size_t i = shape.rank(); i-- > 0; rest /= shape[i]) index[i] = rest % shape[i];
        f(index);
    }
}

template <class E>
std::vector<E> counted(int64_t n, int64_t first = 1) {
    std::vector<E> x;
    for (int64_t i = 0; i < n; ++i) x.push_back(E((first + i) * 2654435761u));
    return x;
}

template <class E, class F>
std::vector<E> moved(const std::vector<E>& x, int64_t z_elements, F f) {
    Buffer<E> from(x), to(z_elements);
    f(from.get(), to.get());
    CHECK(from.intact());
    CHECK(to.intact());
    CHECK(from.elements() == x);
    return to.elements();
}

struct Random {
    std::uint64_t state = 5;
    int64_t below(int64_t n) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        return int64_t(state >> 33) % n;
    }
    Shape shape(std::size_t rank) {
        const int64_t extents[] = {1, 2, 3, 4, 5, 7, 8, 9, 1, 2, 3, 4, 17, 20, 0};
        Shape s;
        for (std::size_t i = 0; i < rank; ++i) s.push_back(extents[below(rank > 4 ? 4 : below(4) == 0 ? 15 : 12)]);
        return s;
    }
    Shape permutation(std::size_t rank) {
        Shape p;
        for (std::size_t i = 0; i < rank; ++i) p.push_back(int64_t(i));
        for (std::size_t i = rank; i > 1; --i) std::swap(p[i - 1], p[std::size_t(below(int64_t(i)))]);
        return p;
    }
};

template <class E>
void check_transpose(const Layouts& set, const Shape& shape, const Shape& permutation) {
    INFO(set.isa);
    CAPTURE(to_string(shape));
    CAPTURE(to_string(permutation));
    Shape z_shape;
    for (int64_t axis : permutation) z_shape.push_back(shape[std::size_t(axis)]);
    const auto x = counted<E>(shape.elements());
    std::vector<E> expected;
    for_each_index(z_shape, [&](const Index& index) {
        Index from{};
        for (std::size_t i = 0; i < permutation.rank(); ++i) from[std::size_t(permutation[i])] = index[i];
        expected.push_back(x[std::size_t(offset(shape, from))]);
    });
    CHECK(moved(x, shape.elements(), [&](const E* from, E* to) {
              set.transpose(from, to, shape, permutation, sizeof(E));
          }) == expected);
}

TEST_CASE_TEMPLATE("transpose", E, std::uint8_t, std::uint32_t, std::uint64_t) {
    for (auto& set : layouts()) {
        Random random;
        for (int i = 0; i < 300; ++i) {
            const std::size_t rank = i % 20 == 0 ? 8 : std::size_t(i % 5);
            check_transpose<E>(set, random.shape(rank), random.permutation(rank));
        }
        for (int64_t m : {1, 3, 8, 15, 16, 31, 64, 100})
            for (int64_t n : {1, 2, 7, 8, 16, 33, 70}) {
                check_transpose<E>(set, {m, n}, {1, 0});
                check_transpose<E>(set, {2, m, n}, {0, 2, 1});
                check_transpose<E>(set, {m, 3, n}, {2, 1, 0});
                check_transpose<E>(set, {m, n, 4}, {1, 0, 2});
            }
    }
}

template <class E>
void check_broadcast(const Layouts& set, const Shape& from, const Shape& to) {
    INFO(set.isa);
    CAPTURE(to_string(from));
    CAPTURE(to_string(to));
    const auto x = counted<E>(from.elements());
    std::vector<E> expected;
    for_each_index(to, [&](const Index& index) {
        Index source{};
        for (std::size_t i = 0; i < from.rank(); ++i)
            source[i] = from[i] == 1 ? 0 : index[i + to.rank() - from.rank()];
        expected.push_back(x[std::size_t(offset(from, source))]);
    });
    CHECK(moved(x, to.elements(), [&](const E* in, E* out) { set.broadcast_to(in, out, from, to, sizeof(E)); }) ==
          expected);
}

TEST_CASE_TEMPLATE("broadcast_to", E, std::uint8_t, std::uint32_t, std::uint64_t) {
    for (auto& set : layouts()) {
        Random random;
        for (int i = 0; i < 300; ++i) {
            const Shape to = random.shape(std::size_t(i % 6));
            Shape from;
            for (std::size_t axis = std::size_t(random.below(int64_t(to.rank()) + 1)); axis < to.rank(); ++axis)
                from.push_back(random.below(2) ? 1 : to[axis]);
            check_broadcast<E>(set, from, to);
        }
        check_broadcast<E>(set, {}, {});
        check_broadcast<E>(set, {}, {1000});
        check_broadcast<E>(set, {3}, {5000, 3});
        check_broadcast<E>(set, {700}, {20, 700});
        check_broadcast<E>(set, {5000}, {5, 5000});
        check_broadcast<E>(set, {200, 1}, {200, 3});
        check_broadcast<E>(set, {4, 1, 5}, {2, 4, 6, 5});
        check_broadcast<E>(set, {1, 0}, {3, 0});
    }
}

struct Cut {
    Shape whole, start, step, part;
};
Cut random_cut(Random& random, std::size_t rank) {
    Cut cut;
    cut.whole = random.shape(rank);
    for (std::size_t i = 0; i < rank; ++i) {
        const int64_t extent = cut.whole[i];
        const int64_t step = random.below(3) ? 1 : (random.below(2) ? 1 : -1) * (1 + random.below(3));
        const int64_t start = extent == 0 ? 0 : random.below(extent);
        const int64_t room = extent == 0 ? 0 : step > 0 ? (extent - start + step - 1) / step : start / -step + 1;
        const bool all = random.below(3) == 0 && extent > 0;
        cut.start.push_back(all ? 0 : start);
        cut.step.push_back(all ? 1 : step);
        cut.part.push_back(all ? extent : random.below(room + 1));
    }
    return cut;
}

TEST_CASE_TEMPLATE("slice and its reverse", E, std::uint8_t, std::uint32_t, std::uint64_t) {
    for (auto& set : layouts()) {
        Random random;
        for (int i = 0; i < 500; ++i) {
            const Cut cut = random_cut(random, i % 50 == 0 ? 8 : std::size_t(i % 5));
            INFO(set.isa);
            CAPTURE(to_string(cut.whole));
            CAPTURE(to_string(cut.start));
            CAPTURE(to_string(cut.step));
            CAPTURE(to_string(cut.part));
            const auto whole = counted<E>(cut.whole.elements()), part = counted<E>(cut.part.elements());
            std::vector<E> sliced, scattered(whole.size(), E(0));
            for_each_index(cut.part, [&](const Index& index) {
                Index at{};
                for (std::size_t axis = 0; axis < cut.part.rank(); ++axis)
                    at[axis] = cut.start[axis] + index[axis] * cut.step[axis];
                sliced.push_back(whole[std::size_t(offset(cut.whole, at))]);
                scattered[std::size_t(offset(cut.whole, at))] = part[std::size_t(offset(cut.part, index))];
            });
            CHECK(moved(whole, cut.part.elements(), [&](const E* from, E* to) {
                      set.slice(from, to, cut.whole, cut.start, cut.step, cut.part, sizeof(E));
                  }) == sliced);
            CHECK(moved(part, cut.whole.elements(), [&](const E* from, E* to) {
                      set.unslice(from, to, cut.part, cut.start, cut.step, cut.whole, sizeof(E));
                  }) == scattered);
        }
    }
}

TEST_CASE_TEMPLATE("pad", E, std::uint8_t, std::uint32_t, std::uint64_t) {
    for (auto& set : layouts()) {
        Random random;
        for (int i = 0; i < 200; ++i) {
            const Shape from = random.shape(std::size_t(i % 5));
            Shape before, to;
            for (int64_t extent : from) {
                before.push_back(random.below(4));
                to.push_back(before.back() + extent + random.below(3));
            }
            const auto x = counted<E>(from.elements());
            const E value = E(77);
            std::vector<E> expected(std::size_t(to.elements()), value);
            for_each_index(from, [&](const Index& index) {
                Index at{};
                for (std::size_t axis = 0; axis < from.rank(); ++axis) at[axis] = before[axis] + index[axis];
                expected[std::size_t(offset(to, at))] = x[std::size_t(offset(from, index))];
            });
            CHECK(moved(x, to.elements(), [&](const E* in, E* out) {
                      set.pad(in, out, from, before, to, &value, sizeof(E));
                  }) == expected);
        }
    }
}

TEST_CASE_TEMPLATE("concatenate", E, std::uint8_t, std::uint32_t, std::uint64_t) {
    for (auto& set : layouts()) {
        Random random;
        for (int i = 0; i < 200; ++i) {
            Shape to = random.shape(std::size_t(1 + i % 4));
            const std::size_t axis = std::size_t(random.below(int64_t(to.rank())));
            const std::size_t count = std::size_t(1 + random.below(4));
            std::vector<int64_t> extents;
            std::vector<std::vector<E>> parts;
            to[axis] = 0;
            for (std::size_t p = 0; p < count; ++p) {
                extents.push_back(random.below(6));
                to[axis] += extents.back();
                Shape part = to;
                part[axis] = extents.back();
                parts.push_back(counted<E>(part.elements(), 1000 * int64_t(p)));
            }
            std::vector<E> expected;
            for_each_index(to, [&](Index index) {
                std::size_t p = 0;
                while (index[axis] >= extents[p]) index[axis] -= extents[p++];
                Shape part = to;
                part[axis] = extents[p];
                expected.push_back(parts[p][std::size_t(offset(part, index))]);
            });
            // the kernel goes by shapes and the size of an element: the dtype is any
            std::vector<gradtape::Type> types(count, {gradtape::DType::float64, to});
            std::vector<gradtape::KernelCall::In> in;
            for (std::size_t p = 0; p < count; ++p) {
                types[p].shape[axis] = extents[p];
                in.push_back({parts[p].data(), &types[p]});
            }
            Buffer<E> result(to.elements());
            set.concatenate(in, result.get(), to, axis, sizeof(E));
            CHECK(result.intact());
            CHECK(result.elements() == expected);
        }
    }
}

}  // namespace

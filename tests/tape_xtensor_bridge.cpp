// xtensor in and out: containers, adaptors, views and expressions; zero-copy adaptors that keep the memory alive.
#include "support/tensors.hpp"

#include <gradtape/xtensor.hpp>

#include <doctest/doctest.h>

#if __has_include(<xtensor/views/xview.hpp>)
#include <xtensor/containers/xfixed.hpp>
#include <xtensor/views/xview.hpp>
#else
#include <xtensor/xfixed.hpp>
#include <xtensor/xview.hpp>
#endif

namespace gradtape::test {
namespace {

TEST_CASE("xtensor: containers of every kind become leaves") {
    Tape tape;
    const xt::xarray<double> a = {{1, 2, 3}, {4, 5, 6}};
    const xt::xtensor<float, 1> b = {1.5f, 2.5f};
    const xt::xtensor_fixed<double, xt::xshape<2, 2>> c = {{1, 2}, {3, 4}};
    const xt::xarray<double, xt::layout_type::column_major> d = {{1, 2, 3}, {4, 5, 6}};
    const xt::xarray<int> i = {1, -2};
    const xt::xarray<bool> m = {true, false, true};
    const xt::xarray<double> scalar = 7.0, none = xt::zeros<double>({0, 3});

    const Node na = tape.parameter(a);
    CHECK(na.shape() == Shape({2, 3}));
    CHECK(na.dtype() == DType::float64);
    CHECK(mismatch(na, {1, 2, 3, 4, 5, 6}) == "");
    CHECK(tape.parameter(b).dtype() == DType::float32);
    CHECK(mismatch(tape.parameter(b), {1.5, 2.5}) == "");
    CHECK(mismatch(tape.parameter(c), {1, 2, 3, 4}) == "");
    CHECK(tape.parameter(d).shape() == Shape({2, 3}));
    CHECK(mismatch(tape.parameter(d), {1, 2, 3, 4, 5, 6}) == "");  // row-major, whatever the source was
    CHECK(tape.input(i).dtype() == DType::int64);
    CHECK(mismatch(tape.input(i), {1, -2}) == "");
    CHECK(tape.input(m).dtype() == DType::boolean);
    CHECK(mismatch(tape.input(m), {1, 0, 1}) == "");
    CHECK(tape.input(scalar).shape() == Shape{});
    CHECK(tape.input(none).shape() == Shape({0, 3}));
}

TEST_CASE("xtensor: views, strided views, adaptors and unevaluated expressions become leaves") {
    Tape tape;
    const xt::xarray<double> a = {{1, 2, 3, 4}, {5, 6, 7, 8}, {9, 10, 11, 12}};
    CHECK(mismatch(tape.input(xt::view(a, 1)), {5, 6, 7, 8}) == "");
    CHECK(mismatch(tape.input(xt::view(a, xt::all(), 2)), {3, 7, 11}) == "");
    CHECK(mismatch(tape.input(xt::view(a, xt::range(0, 3, 2), xt::range(1, 3))), {2, 3, 10, 11}) == "");
    CHECK(mismatch(tape.input(xt::transpose(a)), {1, 5, 9, 2, 6, 10, 3, 7, 11, 4, 8, 12}) == "");
    CHECK(mismatch(tape.input(2.0 * a + 1.0), {3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25}) == "");
    CHECK(mismatch(tape.input(xt::view(a, xt::all(), xt::newaxis(), 0) + xt::view(a, 0)),
                   {2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13}) == "");
    CHECK(tape.input(a > 6.0).dtype() == DType::boolean);
    CHECK(mismatch(tape.input(xt::view(a, 1) > 6.0), {0, 0, 1, 1}) == "");
    std::vector<double> mine = {1, 2, 3, 4};
    const std::vector<std::size_t> shape = {2, 2};
    const Node adapted = tape.input(xt::adapt(mine, shape));
    mine[0] = 100;  // the leaf has a copy
    CHECK(mismatch(adapted, {1, 2, 3, 4}) == "");
}

TEST_CASE("xtensor: a leaf does not follow later changes of its source") {
    Tape tape;
    xt::xarray<double> a = {1, 2};
    const Node x = tape.parameter(a);
    a(0) = 50;
    CHECK(mismatch(x, {1, 2}) == "");
}

TEST_CASE("xtensor: values come out without a copy, with their shape") {
    Tape tape;
    const Node x = tape.parameter(Tensor{{1, 2, 3}, {4, 5, 6}});
    const Node y = x * x;
    const auto view = as_xtensor<double>(y);
    CHECK(view.dimension() == 2);
    CHECK(view.shape()[0] == 2);
    CHECK(view.shape()[1] == 3);
    CHECK(view(1, 2) == 36);
    CHECK(static_cast<const void*>(view.data()) == y.value().raw());
    const xt::xarray<double> doubled = 2.0 * view;
    CHECK(doubled(0, 1) == 8);
    CHECK(as_xtensor<double>(sum(y))() == 91);
    CHECK(as_xtensor<bool>(x > 3.0)(1, 0));
    CHECK(as_xtensor<double>(tape.input(Tensor::full({0, 3}, 0))).size() == 0);
    CHECK_THROWS_AS(as_xtensor<float>(y), DTypeError);
}

TEST_CASE("xtensor: an adaptor outlives clear(), new recordings and the tape") {
    using Adaptor = decltype(as_xtensor<double>(Tensor()));
    std::optional<Adaptor> kept, leaf;
    {
        Tape tape;
        const Node x = tape.parameter(Tensor{1, 2, 3});
        kept.emplace(as_xtensor<double>(x * 10));
        leaf.emplace(as_xtensor<double>(x));
        tape.clear();
        for (int i = 0; i < 100; ++i) {
            const Node y = tape.parameter(Tensor{-1, -1, -1});
            (void)(y * 10 + y);
        }
        CHECK((*kept)(2) == 30);
    }
    CHECK((*kept)(0) == 10);
    CHECK((*kept)(2) == 30);
    CHECK((*leaf)(1) == 2);
}

TEST_CASE("xtensor: a result goes back in as an input") {
    Tape tape;
    const Node x = tape.parameter(Tensor{1, 2, 3});
    const Node again = tape.input(as_xtensor<double>(x * 2) + 1.0);
    CHECK(mismatch(again, {3, 5, 7}) == "");
    CHECK(mismatch(grad(sum(again * x), x), {3, 5, 7}) == "");  // a new leaf: no path through xtensor
}

}  // namespace
}  // namespace gradtape::test

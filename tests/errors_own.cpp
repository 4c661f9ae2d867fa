// Primitives of the user's: what is checked of their records, of what they are given, and of what they give.
#include "support/own_primitive.hpp"
#include "support/refusals.hpp"

#include <gradtape/compile.hpp>

#include <doctest/doctest.h>

namespace gradtape::test {
namespace {

Tape* reached = nullptr;
Node leaf;
std::unique_ptr<gradtape::Tape> doomed;

Type type_of_any(DType dtype, const Shape& shape) { return {dtype, shape}; }
void no_kernel(const KernelCall&) {}

template <class Change>
Primitive with(Change change) {
    Primitive p = user_primitive("mine", nullptr, no_kernel);
    change(p);
    return p;
}

TEST_CASE("errors: a primitive whose record lacks something or contradicts itself") {
    const auto wrong = [&](const Primitive& p) {
        for (Recording recording : {Recording::eager, Recording::abstract}) {
            Tape on(recording);
            const Node leaf_on = on.parameter(Tensor{1, 2});
            const std::string text = refused_anywhere<ValueError>([&] { (void)gradtape::apply(p, {leaf_on}); },
                                                                  {p.name && *p.name ? p.name : "apply"});
            if (!text.empty()) return text;
        }
        return std::string();
    };
    CHECK(wrong(with([](Primitive& p) { p.name = nullptr; })) == "");
    CHECK(wrong(with([](Primitive& p) { p.name = ""; })) == "");
    CHECK(wrong(with([](Primitive& p) { p.shape = nullptr; })) == "");
    CHECK(wrong(with([](Primitive& p) { p.kernel = nullptr; })) == "");
    CHECK(wrong(with([](Primitive& p) { p.arity = 0; })) == "");
    CHECK(wrong(with([](Primitive& p) { p.arity = -2; })) == "");
    CHECK(wrong(with([](Primitive& p) { p.arity = 2; })) == "");
    CHECK(wrong(with([](Primitive& p) { p.leaf = true; })) == "");
    CHECK(wrong(with([](Primitive& p) { p.elementwise = true, p.kernel = nullptr; })) == "");
    CHECK(wrong(with([](Primitive& p) { p.elementwise = true, p.loop_operand = 1; })) == "");
    CHECK(wrong(with([](Primitive& p) { p.elementwise = true, p.arity = Primitive::variadic; })) == "");
    CHECK(wrong(with([](Primitive& p) { p.op = std::int16_t(primitive_table().size()); })) == "");
    CHECK(wrong(with([](Primitive& p) { p.op = -2; })) == "");
    CHECK(wrong(with([](Primitive& p) { p.identity = true, p.arity = 2; })) == "");
    CHECK(wrong(with([](Primitive& p) { p.part = p.rest = primitive_table()[9]; })) == "");
}

TEST_CASE("errors: rules and kernels that ask for operands or elements that are not there") {
    const auto fails = [](auto error, const Primitive& p, const char* name) {
        Tape tape;
        const Node x = tape.parameter(Tensor{1, 2});
        const auto apply = [&] { return sum(gradtape::apply(p, {x})); };
        if (!p.vjp) return refused_anywhere<decltype(error)>([&] { (void)apply(); }, {name});
        const Node y = apply();
        return refused_anywhere<decltype(error)>([&] { (void)grad(y, x); }, {name});
    };
    const ValueError value("", {});
    const DTypeError dtype("", {});
    CHECK(fails(value, with([](Primitive& p) { p.shape = [](const ShapeCall& call) { return call[1]; }; }), "mine") == "");
    CHECK(fails(value, with([](Primitive& p) { p.vjp = [](const VjpCall& call) { call.give(0, call.x[1]); }; }), "mine") == "");
    CHECK(fails(value, with([](Primitive& p) { p.vjp = [](const VjpCall& call) { call.x.is_constant(1); }; }), "mine") == "");
    CHECK(fails(value, with([](Primitive& p) { p.kernel = [](const KernelCall& call) { call.input<double>(1); }; }), "kernel") == "");
    CHECK(fails(dtype, with([](Primitive& p) { p.kernel = [](const KernelCall& call) { call.input<float>(0); }; }), "kernel") == "");
    CHECK(fails(dtype, with([](Primitive& p) { p.kernel = [](const KernelCall& call) { call.result<float>(); }; }), "kernel") == "");
}

template <class E>
std::string result_refused(const Primitive& p) {
    for (Recording recording : {Recording::eager, Recording::abstract}) {
        Tape tape(recording);
        const Node x = tape.parameter(Tensor{1, 2});
        const std::string text = refused<E>([&] { (void)gradtape::apply(p, {x}); }, {"mine"});
        if (!text.empty()) return text;
    }
    return "";
}

TEST_CASE("errors: a result that does not fit the record") {
    CHECK(result_refused<ShapeError>(with([](Primitive& p) {
        p.shape = [](const ShapeCall&) { return type_of_any(DType::float64, {-1, -2}); };
    })) == "");
    CHECK(result_refused<ShapeError>(with([](Primitive& p) {
        p.shape = [](const ShapeCall&) { return type_of_any(DType::float64, {std::int64_t(1) << 62, 4}); };
    })) == "");
    CHECK(result_refused<ShapeError>(with([](Primitive& p) {
        p.identity = true;
        p.shape = [](const ShapeCall&) { return type_of_any(DType::float64, {3}); };
    })) == "");
    CHECK(result_refused<DTypeError>(with([](Primitive& p) {
        p.identity = true;
        p.shape = [](const ShapeCall&) { return type_of_any(DType::boolean, {2}); };
    })) == "");
    CHECK(result_refused<ShapeError>(with([](Primitive& p) {
        p.elementwise = true;
        p.shape = [](const ShapeCall&) { return type_of_any(DType::float64, {1}); };
    })) == "");
    CHECK(result_refused<DTypeError>(with([](Primitive& p) {
        p.elementwise = true;
        p.dtypes = {DType::float32};
    })) == "");
}

TEST_CASE("errors: attributes that are not those of the settings, and errors of rules without a line") {
    using Kind = Setting::Kind;
    const Primitive p = with([](Primitive& p) {
        p.settings[0] = {"axis", Kind::integer};
        p.settings[1] = {"scale", Kind::number};
    });
    Tape tape;
    const Node x = tape.parameter(Tensor{1, 2});
    const std::int64_t one = 1;
    CHECK(refused<ValueError>([&] { (void)gradtape::apply(p, {x}); }, {"mine"}) == "");
    CHECK(refused<ValueError>([&] { (void)gradtape::apply(p, {x}, {{"axis", one}}); }, {"mine"}) == "");
    CHECK(refused<ValueError>([&] { (void)gradtape::apply(p, {x}, {{"axis", 1.0}, {"scale", 1.0}}); }, {"mine"}) == "");
    CHECK(refused<ValueError>([&] { (void)gradtape::apply(p, {x}, {{"scale", 1.0}, {"axis", one}}); }, {"mine"}) == "");
    CHECK(refused<ValueError>([&] { (void)gradtape::apply(p, {x}, {{"axis", one}, {"scale", 1.0}, {"more", one}}); }, {"mine"}) == "");
    CHECK(gradtape::apply(p, {x}, {{"axis", one}, {"scale", 1.0}}).shape() == Shape{2});
    const Primitive asks = with([](Primitive& p) {
        p.shape = [](const ShapeCall& call) {
            (void)call.attributes.get<double>("scale");
            return call[0];
        };
    });
    CHECK(refused<ValueError>([&] { (void)gradtape::apply(asks, {x}); }, {"mine"}) == "");
    CHECK(refused<ValueError>([&] { (void)gradtape::apply(asks, {x}, {{"scale", true}}); }, {"mine"}) == "");
    const Primitive beyond = with([](Primitive& p) {
        p.shape = [](const ShapeCall& call) { return type_of_any(DType::float64, {call[0].shape[3]}); };
    });
    CHECK(refused<ShapeError>([&] { (void)gradtape::apply(beyond, {x}); }, {"mine"}) == "");
    for (const Primitive* library : primitive_table())  // their settings too
        if (std::string_view(library->name) == "matmul") {
            const Node m = tape.parameter(Tensor{{1, 2}, {3, 4}});
            CHECK(refused<ValueError>([&] { (void)gradtape::apply(*library, {m, m}, {{"transpose_x", 1.0}, {"transpose_y", 0.0}}); },
                                      {"matmul"}) == "");
        }
}

TEST_CASE("errors: a shape rule or a kernel that uses the tape it is recorded on") {
    Tape tape;
    reached = &tape;
    leaf = tape.parameter(Tensor{1, 2});
    const Primitive records = with([](Primitive& p) {
        p.shape = [](const ShapeCall& call) {
            (void)(leaf * 2);
            return call[0];
        };
    });
    const Primitive clears = with([](Primitive& p) {
        p.kernel = [](const KernelCall&) { reached->clear(); };
    });
    const Primitive adds = with([](Primitive& p) {
        p.kernel = [](const KernelCall&) { (void)reached->constant(Tensor(1.0)); };
    });
    const Primitive reads = with([](Primitive& p) {
        p.kernel = [](const KernelCall&) { (void)leaf.value(); };
    });
    for (const Primitive* p : {&records, &clears, &adds, &reads})
        CHECK_THROWS_AS(gradtape::apply(*p, {leaf}), TapeError);
    CHECK(tape.size() == 1);
    CHECK(mismatch(leaf * 2, {2, 4}) == "");
    const Primitive destroys = with([](Primitive& p) {
        p.kernel = [](const KernelCall&) { doomed.reset(); };
    });
    doomed = std::make_unique<gradtape::Tape>();
    const Node last = doomed->parameter(Tensor{1, 2});
    CHECK_THROWS_AS(gradtape::apply(destroys, {last}), TapeError);
    CHECK_THROWS_AS(last.shape(), TapeError);
    leaf = Node();
}

}  // namespace
}  // namespace gradtape::test

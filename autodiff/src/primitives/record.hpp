// Building blocks of records: `binary().commutative().vjp(…)`. Each call states one fact.
#pragma once

#include "catalogue.hpp"

#include <algorithm>
#include <limits>

namespace gradtape::detail {
namespace {

constexpr double unbounded = std::numeric_limits<double>::infinity();

using Kind = Setting::Kind;

constexpr DTypes floats{DType::float32, DType::float64};
constexpr DTypes numbers{DType::float32, DType::float64, DType::int64};

constexpr Domain any_real{-2, 2};
constexpr Domain positive{0.2, 3};
constexpr Domain away_from_zero{-2, 2, 0, 0.1};

inline Type first_type(const ShapeCall& call) { return call[0]; }
inline Type boolean_type(const ShapeCall& call) { return {DType::boolean, call[0].shape}; }

/// A record under construction.
struct Define : Primitive {
    template <class Change>
    constexpr Define with(Change change) const {
        Define d = *this;
        change(d);
        return d;
    }

    constexpr Define(Op op, const char* its_name) {
        name = its_name;
        Primitive::op = std::int16_t(op);
        never_throws = true;
    }
    /// Not elementwise, of so many operands.
    constexpr Define of(int operands) const { return with([&](Define& d) { d.arity = operands; }); }
    constexpr Define elementwise(int operands, ShapeRule rule = first_type) const {
        return with([&](Define& d) {
            d.arity = operands;
            d.shape = rule;
            d.Primitive::elementwise = true;
            d.in_place = rule == first_type;
            d.broadcasts = operands > 1;
        });
    }
    constexpr Define leaf() const { return with([](Define& d) { d.Primitive::leaf = true; }); }
    constexpr Define further_result() const { return with([](Define& d) { d.takes_result = true; }); }
    /// So many results.
    constexpr Define giving(int count) const { return with([&](Define& d) { d.results = count; }); }
    /// As many as its attributes say; it has bodies, and these may throw.
    constexpr Define giving_by(int (*count)(const Attributes&)) const {
        return with([&](Define& d) {
            d.results = 0;
            d.results_by = count;
            d.never_throws = false;
        });
    }
    constexpr Define with_room(std::size_t (*bytes)(const Attributes&)) const { return with([&](Define& d) { d.scratch = bytes; }); }
    constexpr Define inlined() const { return with([](Define& d) { d.Primitive::inlined = true; }); }
    constexpr Define effect() const { return with([](Define& d) { d.Primitive::effect = true; }); }
    constexpr Define unary() const { return elementwise(1).takes(floats); }
    constexpr Define binary() const { return elementwise(2).takes(floats); }
    constexpr Define ternary() const { return elementwise(3).takes(floats); }
    constexpr Define comparison() const { return elementwise(2, boolean_type).piecewise_constant(); }
    constexpr Define logic(int operands) const { return elementwise(operands, boolean_type).takes({DType::boolean}).piecewise_constant(); }
    /// Which operand's dtype decides: those before it are boolean.
    constexpr Define decided_by(std::size_t operand) const { return with([&](Define& d) { d.loop_operand = operand; }); }
    /// Operand k is int64 whatever dtype the others have, and its values may be refused: the kernel throws.
    constexpr Define indexed_by(int k) const {
        return with([&](Define& d) {
            d.indices = std::uint8_t(1 << k);
            d.never_throws = false;
        });
    }
    constexpr Define shaped(ShapeRule rule) const { return with([&](Define& d) { d.shape = rule; }); }
    /// Its kernel may, for want of memory.
    constexpr Define may_throw() const { return with([](Define& d) { d.never_throws = false; }); }
    /// By one kernel for all instruction sets.
    constexpr Define computed(Kernel function) const { return with([&](Define& d) { d.kernel = function; }); }
    /// One rule, of a VjpCall; or one for each operand.
    template <class... Rules>
    constexpr Define vjp(Rules... rules) const {
        return with([&](Define& d) {
            if constexpr ((std::is_convertible_v<Rules, VjpRule> && ...))
                d.Primitive::vjp = (rules, ...);
            else
                d.Primitive::vjp = vjp_by_operand(rules...);
        });
    }
    /// One rule, of a JvpCall; or one for each operand.
    template <class... Rules>
    constexpr Define jvp(Rules... rules) const {
        return with([&](Define& d) {
            if constexpr ((std::is_convertible_v<Rules, JvpRule> && ...))
                d.Primitive::jvp = (rules, ...);
            else
                d.Primitive::jvp = jvp_by_operand(rules...);
        });
    }
    constexpr Define batch(BatchRule rule) const { return with([&](Define& d) { d.Primitive::batch = rule; }); }
    constexpr Define vjp_parts(PartsRule rule) const { return with([&](Define& d) { d.Primitive::vjp_parts = rule; }); }
    constexpr Define commutative() const { return with([](Define& d) { d.Primitive::commutative = true; }); }
    /// The dtypes that its operands may have; without this, all.
    constexpr Define takes(DTypes dtypes) const { return with([&](Define& d) { d.dtypes = dtypes; }); }
    constexpr Define linear() const { return with([](Define& d) { d.Primitive::linear = true; }); }
    constexpr Define multilinear() const { return with([](Define& d) { d.Primitive::multilinear = true; }); }
    constexpr Define along_axes() const { return with([](Define& d) { d.Primitive::along_axes = true; }); }
    constexpr Define identity() const { return with([](Define& d) { d.Primitive::identity = true; }); }
    constexpr Define overwriting() const { return with([](Define& d) { d.in_place = true; }); }
    constexpr Define piecewise_constant() const { return with([](Define& d) { d.differentiable = false; }); }
    /// The attributes of its instructions, in their order.
    constexpr Define with_settings(Setting a, Setting b = {}, Setting c = {}, Setting e = {}) const {
        return with([&](Define& d) {
            d.settings[0] = a;
            d.settings[1] = b;
            d.settings[2] = c;
            d.settings[3] = e;
        });
    }
    constexpr Define with_optional_settings(Setting a, Setting b = {}) const {
        Define d = with_settings(a, b);
        d.settings_optional = true;
        return d;
    }
    /// The test domain, by operand; the last given serves the rest.
    constexpr Define on(Domain x0) const { return on(x0, x0, x0); }
    constexpr Define on(Domain x0, Domain x1) const { return on(x0, x1, x1); }
    constexpr Define on(Domain x0, Domain x1, Domain x2) const {
        return with([&](Define& d) {
            d.domain[0] = x0;
            d.domain[1] = x1;
            d.domain[2] = x2;
        });
    }
    /// x ↦ last(first(x)), or last(first(x), x): bit for bit.
    constexpr Define made_of(const Primitive& first, const Primitive& last) const {
        return with([&](Define& d) {
            d.part = &first;
            d.rest = &last;
        });
    }
    constexpr Define accurate_to(double value, double slope) const {
        return with([&](Define& d) { d.accuracy = {value, slope}; });
    }
};

/// The rule of an operand whose cotangent is the result's.
constexpr auto passes_on = [](const Operands&, Node, Node z_bar) { return z_bar; };
/// Of one that no derivative reaches.
constexpr auto gives_nothing = [](const Operands&, Node, Node) { return Node(); };

/// Where `cotangent` is 0 the product is 0, whatever the slope is there.
inline Node chain(Node slope, Node cotangent) { return multiply_no_nan(slope, cotangent); }

/// cotangent / divisor, where the slope is 1 / divisor: not formed first, since it overflows where the quotient does not.
inline Node chain_over(Node divisor, Node cotangent) { return divide_no_nan(cotangent, divisor); }

}  // namespace
}  // namespace gradtape::detail

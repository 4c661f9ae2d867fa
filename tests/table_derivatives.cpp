// Every primitive's derivatives, generated from the table: differences, forward against reverse, second order, fan-out,
// float against double, broadcast operands, and closure of the rules.
#include "support/refusals.hpp"
#include "support/samples.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <set>
#include <sstream>

namespace gradtape::test {
namespace {

/// One sample of a differentiable primitive: operands, and the random numbers that turn it into one scalar.
struct Case {
    const Primitive* primitive;
    Sample sample;
    std::vector<Tensor> at;
    std::vector<std::size_t> active;  ///< floating operands
    std::string text;
};

std::vector<Case> cases() {
    std::vector<Case> result;
    Random random(41);
    for (const Primitive* p : operations()) {
        if (!p->differentiable) continue;
        for (const Sample& sample : samples(*p)) {
            Case c{p, sample, sample_operands(*p, sample, DType::float64, random), {}, name_of(*p, sample)};
            std::int64_t total = 0;
            for (std::size_t k = 0; k < c.at.size(); ++k) {
                c.text += " " + to_string(c.at[k].shape());
                total += c.at[k].elements();
                if (is_floating(c.at[k].dtype()) && !is_given(*p, k)) c.active.push_back(k);
            }
            if (total <= 700) result.push_back(std::move(c));
        }
    }
    return result;
}

std::vector<Node> pick(const std::vector<Node>& nodes, const std::vector<std::size_t>& which) {
    std::vector<Node> result;
    for (std::size_t k : which) result.push_back(nodes[k]);
    return result;
}

Tensor random_like(const Tensor& like, Random& random) { return random.tensor(like.shape(), -1, 1, like.dtype()); }

double dot(const Tensor& a, const Tensor& b) {
    const std::vector<double> x = values(a), y = values(b);
    double total = 0;
    for (std::size_t i = 0; i < x.size(); ++i) total += x[i] * y[i];
    return total;
}

std::vector<Tensor> moved(const Case& c, const std::vector<Tensor>& direction, double step) {
    std::vector<Tensor> result = c.at;
    for (std::size_t j = 0; j < c.active.size(); ++j) {
        std::vector<double> elements = values(c.at[c.active[j]]);
        const std::vector<double> d = values(direction[j]);
        for (std::size_t i = 0; i < elements.size(); ++i) elements[i] += step * d[i];
        result[c.active[j]] = make(elements, c.at[c.active[j]].shape());
    }
    return result;
}

/// Result, and cotangents of the active operands, at `at`.
struct Evaluated {
    Tensor z;
    std::vector<Tensor> bars;
};
Evaluated evaluate(const Case& c, const std::vector<Tensor>& at, const Tensor* z_bar) {
    Tape tape;
    const std::vector<Node> x = parameters(tape, at);
    const Node z = applied(*c.primitive, x, c.sample);
    Evaluated result{z.value(), {}};
    if (z_bar) {
        const Node bar = tape.constant(*z_bar);
        for (Node b : vjp(std::vector<Node>{z}, pick(x, c.active), std::vector<Node>{bar}))
            result.bars.push_back(b.value());
    }
    return result;
}

bool is_differentiable(const Case& c) { return is_floating(evaluate(c, c.at, nullptr).z.dtype()); }

TEST_CASE("table: vjp against central differences along a random direction") {
    Random random(43);
    for (const Case& c : cases()) {
        if (!is_differentiable(c)) continue;
        CAPTURE(c.text);
        std::vector<Tensor> direction;
        for (std::size_t k : c.active) direction.push_back(random_like(c.at[k], random));
        const Tensor z_bar = random_like(evaluate(c, c.at, nullptr).z, random);
        if (z_bar.dtype() != DType::float64) continue;  // cast to float32: see the float test
        const Evaluated here = evaluate(c, c.at, &z_bar);
        if (!std::isfinite(dot(here.z, here.z))) continue;  // logsumexp of nothing: the edge tests
        double reverse = 0, scale = 1e-3;
        for (std::size_t j = 0; j < c.active.size(); ++j) {
            CHECK(here.bars[j].shape() == c.at[c.active[j]].shape());
            CHECK(here.bars[j].dtype() == DType::float64);
            reverse += dot(here.bars[j], direction[j]);
            for (double b : values(here.bars[j])) scale += std::abs(b);
        }
        const double h = 1e-5;
        const double numeric = (dot(z_bar, evaluate(c, moved(c, direction, h), nullptr).z) -
                                dot(z_bar, evaluate(c, moved(c, direction, -h), nullptr).z)) / (2 * h);
        CHECK(std::abs(reverse - numeric) <= 2e-8 * scale);
    }
}

TEST_CASE("table: each operand's cotangent against differences in that operand alone") {
    Random random(47);
    for (const Case& c : cases()) {
        if (!is_differentiable(c) || c.active.size() < 2) continue;
        const Tensor z = evaluate(c, c.at, nullptr).z;
        const Tensor z_bar = random.tensor(z.shape(), -1, 1);
        const Evaluated here = evaluate(c, c.at, &z_bar);
        for (std::size_t j = 0; j < c.active.size(); ++j) {
            CAPTURE(c.text + ", operand " + std::to_string(c.active[j]));
            std::vector<Tensor> direction;
            for (std::size_t k : c.active) direction.push_back(Tensor::zeros(c.at[k].shape()));
            direction[j] = random_like(c.at[c.active[j]], random);
            const double h = 1e-5;
            const double numeric = (dot(z_bar, evaluate(c, moved(c, direction, h), nullptr).z) -
                                    dot(z_bar, evaluate(c, moved(c, direction, -h), nullptr).z)) / (2 * h);
            double scale = 1e-3;
            for (double b : values(here.bars[j])) scale += std::abs(b);
            CHECK(std::abs(dot(here.bars[j], direction[j]) - numeric) <= 2e-8 * scale);
        }
    }
}

TEST_CASE("table: forward and reverse are transposes of each other") {
    Random random(53);
    for (const Case& c : cases()) {
        if (!is_differentiable(c)) continue;
        CAPTURE(c.text);
        Tape tape;
        const std::vector<Node> x = parameters(tape, c.at), wrt = pick(x, c.active);
        const Node z = applied(*c.primitive, x, c.sample);
        std::vector<Node> tangents;
        for (std::size_t k : c.active) tangents.push_back(tape.constant(random_like(c.at[k], random)));
        const Tensor z_bar = random.tensor(z.shape(), -1, 1, z.dtype());
        const Tensor z_dot = jvp(std::vector<Node>{z}, wrt, tangents)[0].value();
        CHECK(z_dot.type() == z.type());
        const auto bars = vjp(std::vector<Node>{z}, wrt, std::vector<Node>{tape.constant(z_bar)});
        double reverse = 0, scale = 1e-3;
        for (std::size_t j = 0; j < bars.size(); ++j) {
            reverse += dot(bars[j].value(), tangents[j].value());
            for (double b : values(bars[j])) scale += std::abs(b);
        }
        CHECK(std::abs(dot(z_bar, z_dot) - reverse) <= (z.dtype() == DType::float32 ? 1e-6 : 2e-14) * scale);
        for (std::size_t j = 0; j < wrt.size() && wrt.size() > 1; ++j) {  // one tangent at a time, the others zero
            std::vector<Node> one(wrt.size());
            one[j] = tangents[j];
            const double forward = dot(z_bar, jvp(std::vector<Node>{z}, wrt, one)[0].value());
            CHECK(std::abs(forward - dot(bars[j].value(), tangents[j].value())) <= 1e-14 * scale);
        }
    }
}

/// The derivative of Σ_j ⟨x̄_j, w_j⟩ as a number, at `at`.
double weighed_gradient(const Case& c, const std::vector<Tensor>& at, const Tensor& z_bar,
                        const std::vector<Tensor>& w) {
    const Evaluated e = evaluate(c, at, &z_bar);
    double total = 0;
    for (std::size_t j = 0; j < w.size(); ++j) total += dot(e.bars[j], w[j]);
    return total;
}

TEST_CASE("table: second derivatives against differences of the gradient") {
    Random random(59);
    for (const Case& c : cases()) {
        if (!is_differentiable(c)) continue;
        CAPTURE(c.text);
        Tape tape;
        const std::vector<Node> x = parameters(tape, c.at), wrt = pick(x, c.active);
        const Node z = applied(*c.primitive, x, c.sample);
        if (z.dtype() != DType::float64) continue;
        const Tensor z_bar = random.tensor(z.shape(), -1, 1);
        std::vector<Tensor> w, v;
        Node total = tape.constant(0.0);
        const Node bar = tape.parameter(z_bar);
        const auto bars = vjp(std::vector<Node>{z}, wrt, std::vector<Node>{bar});
        for (std::size_t j = 0; j < wrt.size(); ++j) {
            w.push_back(random_like(c.at[c.active[j]], random));
            v.push_back(random_like(c.at[c.active[j]], random));
            total = total + sum(bars[j] * tape.constant(w[j]));
        }
        const auto second = grad(total, wrt);
        double exact = 0, scale = 1e-3;
        for (std::size_t j = 0; j < wrt.size(); ++j) {
            exact += dot(second[j].value(), v[j]);
            for (double s : values(second[j])) scale += std::abs(s);
        }
        for (const Node& b : bars)
            for (double e : values(b)) scale += 0.1 * std::abs(e);
        const double h = 1e-5;
        const double numeric = (weighed_gradient(c, moved(c, v, h), z_bar, w) -
                                weighed_gradient(c, moved(c, v, -h), z_bar, w)) / (2 * h);
        CHECK(std::abs(exact - numeric) <= 1e-7 * scale);
        // In the cotangent a vjp is linear: its derivative there is ⟨Jẋ, ·⟩, whatever the rule looks like.
        const Node linear = grad(total, bar);
        std::vector<Node> tangents;
        for (const Tensor& t : w) tangents.push_back(tape.constant(t));
        const Node z_dot = jvp(std::vector<Node>{z}, wrt, tangents)[0];
        CHECK(mismatch(linear, values(z_dot), {.scale = 1e-13, .absolute = 1e-14}) == "");
        verify(Program(tape, {total}));
    }
}

TEST_CASE("table: one node in several operands accumulates") {
    Random random(61);
    int tried = 0;
    for (const Case& c : cases()) {
        if (!is_differentiable(c) || c.active.size() < 2) continue;
        bool same_shape = true;
        for (std::size_t k : c.active) same_shape = same_shape && c.at[k].shape() == c.at[c.active[0]].shape();
        if (!same_shape) continue;
        ++tried;
        CAPTURE(c.text);
        Tape tape;
        const Tensor& value = c.at[c.active.back()];  // the last domain is the narrowest: divisors, exponents, logs
        const Tensor positive = abs(tape.constant(value)).value();
        std::vector<Node> apart = parameters(tape, c.at), together = apart;
        const Node shared = tape.parameter(positive);
        for (std::size_t k : c.active) {
            apart[k] = tape.parameter(positive);
            together[k] = shared;
        }
        const Node z = applied(*c.primitive, together, c.sample);
        const Node z_bar = tape.constant(random.tensor(z.shape(), -1, 1, z.dtype()));
        const Node once = vjp(z, shared, z_bar);
        const Node other = applied(*c.primitive, apart, c.sample);
        const auto bars = vjp(std::vector<Node>{other}, pick(apart, c.active), std::vector<Node>{z_bar});
        Node total = bars[0];
        for (std::size_t j = 1; j < bars.size(); ++j) total = total + bars[j];
        CHECK(same_bits(other.value(), z.value()));
        CHECK(mismatch(once, values(total), {.scale = 1e-15}) == "");
    }
    CHECK(tried > 50);
}

TEST_CASE("table: float agrees with double") {
    Random random(67);
    for (const Case& c : cases()) {
        if (!is_differentiable(c)) continue;
        if (std::string(c.primitive->name) == "cast") continue;
        CAPTURE(c.text);
        std::vector<Tensor> narrow, wide;
        for (const Tensor& tensor : c.at) {
            narrow.push_back(is_floating(tensor.dtype()) ? tensor.as(DType::float32) : tensor);
            wide.push_back(is_floating(tensor.dtype()) ? narrow.back().as(DType::float64) : tensor);
        }
        const Tensor z_bar = random.tensor(evaluate(c, c.at, nullptr).z.shape(), -1, 1, DType::float32);
        const Tensor wide_bar = z_bar.as(DType::float64);
        const Evaluated a = evaluate(c, narrow, &z_bar), b = evaluate(c, wide, &wide_bar);
        for (std::size_t j = 0; j < a.bars.size(); ++j) {
            CHECK(a.bars[j].dtype() == DType::float32);
            CHECK(mismatch(a.bars[j], values(b.bars[j]), {.scale = 4e-6, .absolute = 4e-7}) == "");
        }
    }
}

TEST_CASE("table: casts carry cotangents between floating types and stop them at others") {
    const Primitive* cast_primitive = nullptr;
    for (const Primitive* p : operations())
        if (std::string(p->name) == "cast") cast_primitive = p;
    REQUIRE(cast_primitive);
    Tape tape;
    const Node x = tape.parameter(Tensor{1.25, -2.5});
    const Node narrow = gradtape::apply(*cast_primitive, {x}, {{"dtype", DType::float32}});
    const Node bar = vjp(narrow, x, tape.constant(make({0.5, 3}, DType::float32)));
    CHECK(bar.dtype() == DType::float64);
    CHECK(mismatch(bar, {0.5, 3}) == "");
    const Node flags = gradtape::apply(*cast_primitive, {x}, {{"dtype", DType::int64}});
    CHECK(mismatch(grad(sum(cast(flags, DType::float64) * x), x), {1, -2}) == "");
}

TEST_CASE("table: operands broadcast from a scalar get their share summed") {
    Random random(71);
    for (const Case& c : cases()) {
        if (!is_differentiable(c)) continue;
        for (std::size_t j = 0; j < c.active.size(); ++j) {
            const std::size_t k = c.active[j];
            const std::string name = c.primitive->name;
            if (c.at[k].elements() == 0 || name == "max" || name == "min") continue;  // ties: see the edge tests
            if (domain_of(*c.primitive, k).diagonal != 0) continue;  // singular then
            CAPTURE(c.text + ", operand " + std::to_string(k));
            Tape tape;
            std::vector<Node> x = parameters(tape, c.at), full = x;
            const double value = values(c.at[k])[0];
            const Node small = tape.parameter(Tensor(value));
            x[k] = broadcast_to(small, c.at[k].shape());
            full[k] = tape.parameter(x[k].value());
            const Node z = applied(*c.primitive, x, c.sample);
            const Node z_full = applied(*c.primitive, full, c.sample);
            const Node z_bar = tape.constant(random.tensor(z.shape(), -1, 1, z.dtype()));
            const Node bar = vjp(z, small, z_bar);
            CHECK(bar.shape() == Shape{});
            const std::vector<double> parts = values(vjp(z_full, full[k], z_bar));
            double total = 0, scale = 1e-3;
            for (double p : parts) {
                total += p;
                scale += std::abs(p);
            }
            CHECK(std::abs(bar.item() - total) <= 1e-6 * scale * (z.dtype() == DType::float32 ? 1 : 1e-8));
        }
    }
}

TEST_CASE("table: a zero cotangent gives zeros, and none at all a symbolic zero") {
    for (const Case& c : cases()) {
        if (!is_differentiable(c)) continue;
        CAPTURE(c.text);
        Tape tape;
        const std::vector<Node> x = parameters(tape, c.at), wrt = pick(x, c.active);
        const Node z = applied(*c.primitive, x, c.sample);
        const std::vector<Node> zs = {z}, zero = {tape.full(z.shape(), 0, z.dtype())}, none = {Node()};
        for (const auto& bars : {vjp(zs, wrt, zero), vjp(zs, wrt, none)})
            for (std::size_t j = 0; j < bars.size(); ++j) {
                CHECK(bars[j].shape() == wrt[j].shape());
                for (double b : values(bars[j])) CHECK(b == 0);
            }
    }
}

TEST_CASE("table: primitives without a derivative let nothing through") {
    Random random(73);
    int found = 0;
    for (const Primitive* p : operations()) {
        if (p->differentiable) continue;
        for (const Sample& sample : samples(*p)) {
            if (!p->dtypes.contains(DType::float64)) continue;
            ++found;
            CAPTURE(std::string(p->name));
            Tape tape;
            const std::vector<Node> x = parameters(tape, sample_operands(*p, sample, DType::float64, random));
            const Node z = cast(applied(*p, x, sample), DType::float64);
            for (const Node& bar : grad(sum(z), x)) {
                CHECK(bar.type() == x[0].type());
                for (double b : values(bar)) CHECK(b == 0);
            }
            for (double d : values(jvp(std::vector<Node>{z}, x, x)[0])) CHECK(d == 0);
        }
    }
    CHECK(found > 20);
}

/// The primitives of a program's text, from instruction `first` on: `%3 = name …`.
std::set<std::string> primitives_used(const Program& program, std::size_t first) {
    std::set<std::string> result;
    std::istringstream lines(to_text(program));
    std::size_t index = 0;
    for (std::string line; std::getline(lines, line); ++index) {
        const std::size_t at = line.find(" = ");
        if (line[0] != '%' || at == std::string::npos || index < first) continue;
        const std::size_t end = line.find_first_of(" (:", at + 3);
        result.insert(line.substr(at + 3, end - at - 3));
    }
    return result;
}

TEST_CASE("table: every differentiable primitive has a rule for each mode") {
    for (const Primitive* p : operations()) {
        CAPTURE(std::string(p->name));
        if (!p->differentiable) continue;
        CHECK((p->vjp || p->vjp_parts));
        CHECK((p->jvp || p->elementwise || p->linear || p->multilinear));
    }
}

/// The rule of a primitive that has forgotten one operand.
VjpRule whole_rule = nullptr;
std::size_t forgotten = 0;
void forgetful_rule(const VjpCall& call) {
    std::vector<Node> x_bar(call.x.count());
    std::vector<GiveState> states(call.x.count(), GiveState::unwanted);
    for (std::size_t k = 0; k < states.size(); ++k)
        if (k != forgotten && call.wants(k)) states[k] = GiveState::wanted;
    whole_rule({call.x, call.z, call.z_bar, x_bar, states, call.results, call.z_bars});
    for (std::size_t k = 0; k < states.size(); ++k)
        if (states[k] == GiveState::given) call.give(k, x_bar[k]);
}

TEST_CASE("table: a primitive whose rule forgets one operand is refused there, in both modes, and nowhere else") {
    for (const Case& c : cases()) {
        if (!is_differentiable(c) || c.primitive->vjp_parts) continue;
        for (std::size_t k : c.active) {
            CAPTURE(c.text + ", operand " + std::to_string(k));
            forgotten = k;
            whole_rule = c.primitive->vjp;
            Primitive p = *c.primitive;
            p.vjp = forgetful_rule;
            p.jvp = nullptr;
            p.linear = p.multilinear = false;
            Tape tape;
            const std::vector<Node> x = parameters(tape, c.at);
            const Node y = applied(p, x, c.sample);
            const std::vector<Node> ys = {y};
            const Node z_bar = tape.constant(Tensor::zeros(y.shape(), y.dtype()));
            for (std::size_t j : c.active) {
                const std::vector<Node> wrt = {x[j]}, bars = {z_bar}, dots = {x[j]};
                const auto back = [&] { (void)vjp(ys, wrt, bars); };
                const auto forth = [&] { (void)jvp(ys, wrt, dots); };
                if (j != forgotten) {
                    CHECK_NOTHROW(back());
                    continue;
                }
                CHECK(refused_anywhere<NotDifferentiable>(back, {p.name}) == "");
                CHECK(refused_anywhere<NotDifferentiable>(forth, {p.name}) == "");
                try {
                    back();
                } catch (const NotDifferentiable& error) {
                    CHECK(std::string(error.what()).find("operand " + std::to_string(k)) != std::string::npos);
                }
            }
        }
    }
}

TEST_CASE("table: every primitive that a rule emits has rules itself") {
    std::set<std::string> with_rules, leaves;
    for (const Primitive* p : primitive_table()) {
        if (p->leaf) leaves.insert(p->name);
        else with_rules.insert(p->name);  // each of them: see above
    }
    std::set<std::string> emitted;
    Random random(79);
    for (const Case& c : cases()) {
        if (!is_differentiable(c)) continue;
        CAPTURE(c.text);
        Tape tape;
        const std::vector<Node> x = parameters(tape, c.at), wrt = pick(x, c.active);
        const Node z = applied(*c.primitive, x, c.sample);
        const std::size_t before = tape.size();
        const Node z_bar = tape.parameter(random.tensor(z.shape(), -1, 1, z.dtype()));
        std::vector<Node> results = vjp(std::vector<Node>{z}, wrt, std::vector<Node>{z_bar});
        for (Node dot : jvp(std::vector<Node>{z}, wrt, wrt)) results.push_back(dot);
        for (const std::string& name : primitives_used(Program(tape, results), before)) {
            emitted.insert(name);
            const bool has_rules = with_rules.count(name) || leaves.count(name);
            CHECK_MESSAGE(has_rules, std::string(c.primitive->name), " emits ", name);
        }
    }
    CHECK(emitted.count("multiply") == 1);  // the reader of the text found something
    CHECK(emitted.size() > 15);
}

}  // namespace
}  // namespace gradtape::test

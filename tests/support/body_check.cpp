#include "body_check.hpp"

#include "replay_check.hpp"

#include <gradtape/serialise.hpp>
#include <gradtape/vmap.hpp>

namespace gradtape::test {
namespace {

std::vector<Node> leaves(Tape& tape, const std::vector<Tensor>& at) {
    std::vector<Node> x;
    for (const Tensor& t : at) x.push_back(tape.input(t));
    return x;
}

std::vector<Node> floating_of(std::span<const Node> nodes) {
    std::vector<Node> result;
    for (const Node& node : nodes)
        if (is_floating(node.dtype())) result.push_back(node);
    return result;
}

/// A direction that depends on the place only.
Node direction(Node x, double scale) {
    Tensor t = Tensor::uninitialised(x.type());
    for (std::int64_t i = 0; i < t.elements(); ++i) {
        const double value = scale * (1 + double((i * 7 + 3) % 5)) / 4;
        x.dtype() == DType::float32 ? t.mutable_data<float>()[std::size_t(i)] = float(value) : t.mutable_data<double>()[std::size_t(i)] = value;
    }
    return sibling_constant(x, t);
}

/// A number that depends on all floating results, each element with a weight of its own.
Node weighted(std::span<const Node> results) {
    Node total;
    for (const Node& z : floating_of(results)) {
        const Node share = cast(sum(z * direction(z, 0.7)), DType::float64);
        total = total.is_valid() ? total + share : share;
    }
    return total;
}

std::vector<Node> forward(const BodyFunction& f, std::span<const Node> x) {
    const std::vector<Node> z = f(x).all(), ys = floating_of(z), wrt = floating_of(x);
    std::vector<Node> dots;
    for (const Node& its : wrt) dots.push_back(direction(its, 0.3));
    std::vector<Node> all = z;
    for (const Node& dot : jvp(ys, wrt, dots)) all.push_back(dot);
    return all;
}

std::string compare(std::span<const Node> a, std::span<const Node> b, double near, const std::string& what) {
    if (a.size() != b.size()) return what + ": another number of results";
    for (std::size_t k = 0; k < a.size(); ++k) {
        if (a[k].type() != b[k].type()) return what + " " + std::to_string(k) + " is " + to_string(a[k].type()) + ", not " + to_string(b[k].type());
        if (near == 0 && !same_bits(a[k].value(), b[k].value()))
            return what + " " + std::to_string(k) + ": " + to_string(a[k].value()) + ", not " + to_string(b[k].value());
        const std::string why = mismatch(a[k], values(b[k]), {.relative = near, .scale = near, .absolute = near});
        if (!why.empty()) return what + " " + std::to_string(k) + ": " + why;
    }
    return "";
}

double near_of(const BodyCase& its) {
    for (const Tensor& t : its.at)
        if (t.dtype() == DType::float32) return 1e-4;
    return 1e-11;
}

/// Three examples: each operand, and two others near it.
std::string check_batch(const BodyCase& its) {
    Tape tape;
    std::vector<Node> x;
    MapAxes axes;
    for (std::size_t k = 0; k < its.at.size(); ++k) {
        const bool shared = std::find(its.shared.begin(), its.shared.end(), k) != its.shared.end();
        const Node one = tape.input(its.at[k]);
        const Node other = is_floating(one.dtype()) ? one * 0.9 + 0.05 : one, third = is_floating(one.dtype()) ? one * 1.1 : one;
        x.push_back(shared ? one : stack(one, other, third));
        axes.in.push_back(shared ? unmapped : 0);
    }
    const auto both = [&](const BodyFunction& f, bool derivatives) {
        return vmap([&](std::span<const Node> at) {
            if (!derivatives) return f(at).all();
            return its.reverse ? with_derivatives(its, f, at) : forward(f, at);
        }, x, axes);
    };
    std::string why = compare(both(its.with_bodies, false), both(its.written_out, false), near_of(its), "batch: result");
    if (why.empty()) why = compare(both(its.with_bodies, true), both(its.written_out, true), near_of(its), "batch: derivative");
    if (!why.empty() || !its.reverse) return why;
    // and the gradient of a batch
    const auto pulled = [&](const BodyFunction& f) { return grad(weighted(vmap(f, x, axes)), floating_of(x)); };
    return compare(pulled(its.with_bodies), pulled(its.written_out), near_of(its), "batch: gradient");
}

}  // namespace

std::vector<Node> with_derivatives(const BodyCase& its, const BodyFunction& f, std::span<const Node> x) {
    if (!its.reverse) return forward(f, x);
    std::vector<Node> all = f(x).all();
    const Node y = weighted(all);
    const std::vector<Node> wrt = floating_of(x), slopes = grad(y, wrt);
    all.insert(all.end(), slopes.begin(), slopes.end());
    std::vector<Node> dots;
    for (const Node& node : wrt) dots.push_back(direction(node, 0.2));
    for (const Node& dot : jvp(slopes, wrt, dots)) all.push_back(dot);  // forward over reverse
    Node total;
    for (std::size_t k = 0; k < wrt.size(); ++k) {
        const Node share = cast(sum(slopes[k] * direction(slopes[k], 0.4)), DType::float64);
        total = total.is_valid() ? total + share : share;
    }
    for (const Node& second : grad(total, wrt)) all.push_back(second);  // reverse over reverse
    return all;
}

std::string check_derivatives(const BodyCase& its) {
    Tape tape;
    const std::vector<Node> x = leaves(tape, its.at);
    std::string why = compare(its.with_bodies(x).all(), its.written_out(x).all(), its.same_bits ? 0 : near_of(its), "result");
    if (why.empty()) why = compare(forward(its.with_bodies, x), forward(its.written_out, x), near_of(its), "forward");
    if (why.empty() && its.reverse)
        why = compare(with_derivatives(its, its.with_bodies, x), with_derivatives(its, its.written_out, x), near_of(its), "derivative");
    return why.empty() ? check_batch(its) : why;
}

std::string check_compiled(const BodyCase& its) {
    Tape tape;
    const std::vector<Node> x = leaves(tape, its.at);
    const Program program(tape, with_derivatives(its, its.with_bodies, x));
    Case replayed{program.body(), {its.at, {}}, {{}, {}}};
    for (const Tensor& t : its.at) replayed.fresh.inputs.push_back(is_floating(t.dtype()) ? (tape.input(t) * 0.8).value().copy() : t);
    if (const std::string why = check_replay(replayed); !why.empty()) return why;
    NamedOptions calls{"calls as they are", {.inline_calls = false}};
    if (const std::string why = check_replay(replayed, calls); !why.empty()) return why;
    calls.options.debug = true;
    if (const std::string why = check_replay(replayed, calls); !why.empty()) return why;
    const std::string bytes = to_bytes(program);
    const Program loaded = from_bytes(bytes);
    if (to_bytes(loaded) != bytes) return "the file that is saved again differs";
    if (to_text(loaded) != to_text(program)) return "the text of what was loaded differs";
    Replay one{compile(program)}, two{compile(loaded)};
    one.run();
    two.run();
    for (std::size_t k = 0; k < program.body().outputs.size(); ++k)
        if (!same_bits(one.output(k), two.output(k))) return "what was loaded gives another result " + std::to_string(k);
    return "";
}

}  // namespace gradtape::test

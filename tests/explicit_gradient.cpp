// explicit_backprop against oracles that share nothing with it: complex step, finite differences, saturation by hand.
#include <gradtape/nn/explicit_backprop.hpp>

#include "examples/support/post_data.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <complex>
#include <limits>

namespace eb = gradtape::nn::explicit_backprop;
using gradtape::DType;
using gradtape::Tensor;

namespace {

struct Case {
    eb::Network network;
    Tensor X, y;
    eb::Labels labels;
};

std::int64_t between(post::SplitMix64& g, std::int64_t least, std::int64_t most) {
    return least + std::int64_t(g.below(std::uint64_t(most - least + 1)));
}

Tensor uniform(post::SplitMix64& g, std::int64_t n, std::int64_t m, double limit) {
    Tensor M = Tensor::uninitialised({DType::float64, {n, m}});
    for (double& entry : M.mutable_data<double>()) entry = g.u(-limit, limit);
    return M;
}

/// A network of 1 to 6 layers and a batch for it; weights up to `scale`/√k_t.
Case random_case(post::SplitMix64& g, std::int64_t widest, double scale) {
    constexpr double slopes[] = {0.5, 1, 2, 5};
    const std::int64_t layers = between(g, 1, 6), batch = between(g, 1, widest);
    Case c;
    std::int64_t width = between(g, 1, widest);
    c.X = uniform(g, batch, width, 2);
    for (std::int64_t t = 0; t < layers; ++t) {
        const bool last = t + 1 == layers;
        const std::int64_t next = last ? 1 : between(g, 1, widest);
        c.network.W.push_back(uniform(g, next, width, scale / std::sqrt(double(width))));
        const auto function = last ? eb::Function::sigmoid : eb::Function(g.below(3));
        c.network.a.push_back({function, slopes[g.below(4)]});
        width = next;
    }
    c.labels = g.below(2) ? eb::Labels::zero_one : eb::Labels::plus_minus_one;
    c.y = Tensor::uninitialised({DType::float64, {batch}});
    for (double& label : c.y.mutable_data<double>())
        label = g.below(2) ? 1 : c.labels == eb::Labels::zero_one ? 0 : -1;
    return c;
}

/// One sigmoid of slope k with weight w, fed one sample x with label y.
Case neuron(double k, double w, double x, double y) {
    return {{{Tensor::full({1, 1}, w)}, {{eb::Function::sigmoid, k}}}, Tensor::full({1, 1}, x), Tensor{y},
            eb::Labels::zero_one};
}

Case narrow(const Case& c) {
    Case n = c;
    for (Tensor& W : n.network.W) W = W.as(DType::float32);
    n.X = n.X.as(DType::float32);
    return n;
}

using Complex = std::complex<double>;

Complex activate(const eb::Activation& a, Complex z) {
    const Complex u = a.k * z;
    switch (a.function) {
        case eb::Function::sigmoid: return u.real() > 0 ? 1.0 / (1.0 + std::exp(-u)) : std::exp(u) / (1.0 + std::exp(u));
        case eb::Function::tanh: return std::tanh(u);
        default: return u.real() > 0 ? u : 0.0;
    }
}

/// The mean log-loss by a forward pass in complex arithmetic, with `shift` added to entry `entry` of W^t.
Complex complex_loss(const Case& c, std::size_t t_shifted, std::size_t entry, Complex shift) {
    const auto X = c.X.data<double>(), y = c.y.data<double>();
    const std::size_t n = y.size();
    Complex sum = 0;
    for (std::size_t s = 0; s < n; ++s) {
        const std::size_t inputs = X.size() / n;
        std::vector<Complex> o(X.begin() + std::ptrdiff_t(s * inputs), X.begin() + std::ptrdiff_t((s + 1) * inputs));
        Complex z;
        for (std::size_t t = 0; t < c.network.W.size(); ++t) {
            const auto W = c.network.W[t].data<double>();
            std::vector<Complex> next(W.size() / o.size());
            for (std::size_t i = 0; i < next.size(); ++i) {
                z = 0;
                for (std::size_t j = 0; j < o.size(); ++j) {
                    const std::size_t at = i * o.size() + j;
                    z += (W[at] + (t == t_shifted && at == entry ? shift : 0.0)) * o[j];
                }
                next[i] = activate(c.network.a[t], z);
            }
            o = next;
        }
        const Complex u = c.network.a.back().k * z;
        const Complex v = y[s] == 1 ? -u : u;  // −log of the probability of the label is log(1 + e^v)
        sum += v.real() > 0 ? v + std::log(1.0 + std::exp(-v)) : std::log(1.0 + std::exp(v));
    }
    return sum / double(n);
}

double largest(const std::vector<Tensor>& W) {
    double most = 0;
    for (const Tensor& w : W) {
        const Tensor wide = w.as(DType::float64);
        for (double entry : wide.data<double>()) most = std::max(most, std::abs(entry));
    }
    return most;
}

/// The largest difference of two gradients, relative to the largest entry of the second; NaN where there is a NaN.
double difference(const eb::Gradient& a, const eb::Gradient& b) {
    REQUIRE(a.W.size() == b.W.size());
    double most = 0;
    for (std::size_t t = 0; t < a.W.size(); ++t) {
        const Tensor left = a.W[t].as(DType::float64), right = b.W[t].as(DType::float64);
        REQUIRE(left.shape() == right.shape());
        for (std::size_t i = 0; i < left.data<double>().size(); ++i) {
            const double d = std::abs(left.data<double>()[i] - right.data<double>()[i]);
            if (!(d <= most)) most = d;
        }
    }
    const double scale = largest(b.W);
    return scale > 0 ? most / scale : most;
}

bool all_finite(const eb::Gradient& g) {
    bool finite = std::isfinite(g.log_loss);
    for (const Tensor& W : g.W) {
        const Tensor wide = W.as(DType::float64);
        for (double entry : wide.data<double>()) finite = finite && std::isfinite(entry);
    }
    return finite;
}

eb::Gradient gradient(const Case& c, eb::Form form = eb::Form::batch,
                      eb::FirstPartial first = eb::FirstPartial::stable) {
    return eb::gradient(c.network, c.X, c.y, {c.labels, first, form});
}

}  // namespace

TEST_CASE("explicit: every entry of the gradient against complex step, relative 1e-12") {
    post::SplitMix64 g(11);
    for (int n = 0; n < 60; ++n) {
        const Case c = random_case(g, 7, 2);
        const eb::Gradient got = gradient(c);
        eb::Gradient wanted = got;
        for (std::size_t t = 0; t < c.network.W.size(); ++t) {
            wanted.W[t] = Tensor::zeros(c.network.W[t].shape());
            const auto entries = wanted.W[t].mutable_data<double>();
            for (std::size_t i = 0; i < entries.size(); ++i)
                entries[i] = complex_loss(c, t, i, {0, 1e-40}).imag() / 1e-40;
        }
        INFO("network ", n);
        CHECK(difference(got, wanted) <= 1e-12);
        CHECK(got.log_loss == doctest::Approx(complex_loss(c, 0, 0, 0).real()).epsilon(1e-13));
    }
}

TEST_CASE("explicit: the gradient along a random direction against central differences of log_loss") {
    post::SplitMix64 g(12);
    for (int n = 0; n < 60; ++n) {
        const Case c = random_case(g, 12, 1.5);
        const eb::Gradient got = gradient(c);
        constexpr double h = 1e-6;
        double slope = 0, scale = 0;
        Case up = c, down = c;
        for (std::size_t t = 0; t < c.network.W.size(); ++t) {
            up.network.W[t] = Tensor::from(c.network.W[t].data<double>(), c.network.W[t].shape());
            down.network.W[t] = Tensor::from(c.network.W[t].data<double>(), c.network.W[t].shape());
            for (std::size_t i = 0; i < std::size_t(c.network.W[t].elements()); ++i) {
                const double v = g.u(-1, 1);
                up.network.W[t].mutable_data<double>()[i] += h * v;
                down.network.W[t].mutable_data<double>()[i] -= h * v;
                slope += v * got.W[t].data<double>()[i];
                scale += std::abs(v * got.W[t].data<double>()[i]);
            }
        }
        const double measured = (eb::log_loss(up.network, c.X, c.y, c.labels) -
                                 eb::log_loss(down.network, c.X, c.y, c.labels)) / (2 * h);
        INFO("network ", n, ": ", slope, " against ", measured);
        CHECK(std::abs(slope - measured) <= 1e-5 * scale + 1e-9);
    }
}

TEST_CASE("explicit: sample by sample, the whole batch at once, and the mean of single samples agree") {
    post::SplitMix64 g(13);
    for (int n = 0; n < 100; ++n) {
        const Case c = random_case(g, 64, 2);
        const eb::Gradient batch = gradient(c), sample = gradient(c, eb::Form::sample);
        INFO("network ", n);
        CHECK(difference(sample, batch) <= 1e-12);
        CHECK(sample.log_loss == doctest::Approx(batch.log_loss).epsilon(1e-13));
        CHECK(eb::log_loss(c.network, c.X, c.y, c.labels) == batch.log_loss);

        const auto rows = std::size_t(c.y.elements()), width = std::size_t(c.X.shape()[1]);
        eb::Gradient mean = batch;
        for (Tensor& W : mean.W) W = Tensor::zeros(W.shape());
        for (std::size_t s = 0; s < rows; ++s) {
            const Case one{c.network, Tensor::from(c.X.data<double>().subspan(s * width, width), {1, c.X.shape()[1]}),
                           Tensor{c.y.data<double>()[s]}, c.labels};
            const eb::Gradient part = gradient(one);
            for (std::size_t t = 0; t < mean.W.size(); ++t)
                for (std::size_t i = 0; i < part.W[t].data<double>().size(); ++i)
                    mean.W[t].mutable_data<double>()[i] += part.W[t].data<double>()[i] / double(rows);
        }
        CHECK(difference(mean, batch) <= 1e-12);
    }
}

TEST_CASE("explicit: float against double, relative 1e-4") {
    post::SplitMix64 g(14);
    for (int n = 0; n < 100; ++n) {
        const Case c = random_case(g, 32, 1);
        for (const eb::Form form : {eb::Form::batch, eb::Form::sample}) {
            const eb::Gradient single = gradient(narrow(c), form);
            CHECK(single.W[0].dtype() == DType::float32);
            INFO("network ", n);
            CHECK(difference(single, gradient(c)) <= 1e-4);
        }
    }
}

TEST_CASE("explicit: both label conventions, label dtypes and shapes give the same bits") {
    post::SplitMix64 g(15);
    Case c = random_case(g, 9, 1);
    const auto n = c.y.elements();
    std::vector<std::int64_t> integers;
    std::vector<double> signs, ring;
    for (std::int64_t i = 0; i < n; ++i) {
        const bool positive = g.below(2);
        integers.push_back(positive), ring.push_back(positive), signs.push_back(positive ? 1 : -1);
    }
    const auto with = [&](const Tensor& y, eb::Labels labels) {
        return eb::gradient(c.network, c.X, y, {.labels = labels});
    };
    const auto wanted = with(Tensor::from<double>(ring, {n}), eb::Labels::zero_one);
    for (const auto& got : {with(Tensor::from<double>(signs, {n, 1}), eb::Labels::plus_minus_one),
                            with(Tensor::from<std::int64_t>(integers, {n}), eb::Labels::zero_one),
                            with(Tensor::from<std::int64_t>(integers, {n}).as(DType::boolean), eb::Labels::zero_one)}) {
        CHECK(got.log_loss == wanted.log_loss);
        for (std::size_t t = 0; t < got.W.size(); ++t) CHECK(gradtape::same_bits(got.W[t], wanted.W[t]));
    }
}

TEST_CASE("explicit: one saturated neuron has the loss and gradient found by hand") {
    for (const double k : {0.5, 1.0, 2.0, 5.0})
        for (const double z : {-1000.0, -300.0, 300.0, 1000.0})
            for (const double y : {0.0, 1.0})
                for (const bool single : {false, true}) {
                    Case c = neuron(k, 1, z, y);
                    if (single) c = narrow(c);
                    for (const eb::Form form : {eb::Form::batch, eb::Form::sample}) {
                        const eb::Gradient got = gradient(c, form);
                        // On the right side both vanish; on the wrong one the loss is k|z|, so its slope is k|z|.
                        const double wanted = (z > 0) == (y == 1) ? 0 : k * std::abs(z);
                        CHECK(got.log_loss == doctest::Approx(wanted).epsilon(1e-30));
                        CHECK(std::abs(got.W[0].item() - wanted) < 1e-30);
                    }
                }
}

TEST_CASE("explicit: saturated networks, |z| up to about 1000, stay finite in the stable form") {
    post::SplitMix64 g(16);
    double farthest = 0;
    for (int n = 0; n < 100; ++n) {
        Case c = random_case(g, 16, 1);
        // Bounded activations, so that every z is bounded by the weights: 250 √k_t at most, twice that at the inputs.
        for (eb::Activation& a : c.network.a)
            if (a.function == eb::Function::relu) a.function = eb::Function::tanh;
        for (Tensor& W : c.network.W) {
            W = Tensor::from(W.data<double>(), W.shape());
            for (double& w : W.mutable_data<double>()) w *= 250;
        }
        for (const Tensor& z : eb::forward(c.network, c.X).z)
            for (double entry : z.data<double>()) farthest = std::max(farthest, std::abs(entry));
        for (const Case& tried : {c, narrow(c)})
            for (const eb::Form form : {eb::Form::batch, eb::Form::sample}) CHECK(all_finite(gradient(tried, form)));
    }
    CHECK(farthest > 500);
}

TEST_CASE("explicit: the post's first partial agrees where o is not rounded, and breaks where it rounds to 1") {
    post::SplitMix64 g(17);
    for (int n = 0; n < 50; ++n) {
        Case c = random_case(g, 8, 0.5);
        c.network.a.back().k = 1;
        CHECK(difference(gradient(c, eb::Form::batch, eb::FirstPartial::post), gradient(c)) <= 1e-12);
        CHECK(difference(gradient(c, eb::Form::sample, eb::FirstPartial::post), gradient(c)) <= 1e-12);
    }
    // o rounds to 1 at half a unit in the last place of 1: e^(−kz) = 2^−24 in float, 2^−53 in double.
    for (const double k : {1.0, 2.0})
        for (const double y : {0.0, 1.0})
            for (const bool single : {false, true}) {
                const double edge = single ? 16.64 : 36.74;
                for (const double kz : {edge - 0.02, edge + 0.02}) {
                    Case c = neuron(k, kz / k, 1, y);
                    if (single) c = narrow(c);
                    INFO("k ", k, " y ", y, " kz ", kz);
                    CHECK(all_finite(gradient(c)));
                    CHECK(all_finite(gradient(c, eb::Form::batch, eb::FirstPartial::post)) == (kz < edge));
                }
            }
}

TEST_CASE("explicit: kinks, NaN and the forward pass") {
    // relu: a(0) = 0 and a′(0) = 0, and a NaN goes through.
    const eb::Network net{{Tensor{{1, 0}, {0, 1}}, Tensor{{1, 1}}},
                          {{eb::Function::relu, 1}, {eb::Function::sigmoid, 1}}};
    eb::Network kink = net;
    kink.W[0] = Tensor{{3, -2}, {0, 1}};
    for (const eb::Form form : {eb::Form::batch, eb::Form::sample}) {
        const auto at_kink = eb::gradient(kink, Tensor{{2, 3}}, Tensor{1.0}, {.form = form});
        CHECK(at_kink.W[0].data<double>()[0] == 0);
        CHECK(at_kink.W[0].data<double>()[2] != 0);
    }
    const double nan = std::numeric_limits<double>::quiet_NaN();
    for (const eb::Form form : {eb::Form::batch, eb::Form::sample}) {
        const auto lost = eb::gradient(net, Tensor{{nan, 3}}, Tensor{1.0}, {.form = form});
        CHECK(std::isnan(lost.log_loss));
        CHECK(std::isnan(lost.W[0].data<double>()[0]));
    }

    const auto f = eb::forward(net, Tensor{{-1, 2}, {1, 1}});
    REQUIRE(f.O.size() == 3);
    REQUIRE(f.z.size() == 3);
    CHECK(f.z[0].elements() == 0);
    CHECK(gradtape::same_bits(f.z[1], Tensor{{-1, 2}, {1, 1}}));
    CHECK(gradtape::same_bits(f.O[1], Tensor{{0, 2}, {1, 1}}));
    CHECK(gradtape::same_bits(f.z[2], Tensor::full({2, 1}, 2)));
    CHECK(f.O[2].data<double>()[0] == doctest::Approx(1 / (1 + std::exp(-2.0))).epsilon(1e-15));
}

TEST_CASE("explicit: forward takes any number of outputs") {
    const eb::Network net{{Tensor{{1, 2}, {3, 4}, {5, 6}}}, {{eb::Function::tanh, 2}}};
    const auto f = eb::forward(net, Tensor{{0.1, -0.1}});
    CHECK(f.O[1].shape() == gradtape::Shape{1, 3});
    CHECK(f.O[1].data<double>()[1] == doctest::Approx(std::tanh(-0.2)).epsilon(1e-15));
}

TEST_CASE("explicit: step subtracts in place, and never from a tensor that somebody else holds") {
    for (const DType dtype : {DType::float64, DType::float32}) {
        eb::Network net{{Tensor{{1, 2}}.as(dtype)}, {{eb::Function::sigmoid, 1}}};
        eb::Gradient g;
        g.W = {Tensor{{4, -2}}.as(dtype)};
        const Tensor held = net.W[0];
        eb::step(net, g, 0.5);
        CHECK(gradtape::same_bits(held, Tensor{{1, 2}}.as(dtype)));
        CHECK(gradtape::same_bits(net.W[0], Tensor{{-1, 3}}.as(dtype)));
        const void* memory = net.W[0].raw();
        eb::step(net, g, 0.5);
        CHECK(net.W[0].raw() == memory);
        CHECK(gradtape::same_bits(net.W[0], Tensor{{-3, 4}}.as(dtype)));
    }
}

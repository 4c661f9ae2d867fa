// The post's published weights: outputs and gradients against another implementation's, to twelve digits.
#include "support/explicit_trainer.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

using namespace explicit_trainer;
using gradtape::Tensor;

namespace {

/// Half a unit of the twelfth digit of a number as it was printed.
double last_digit(double printed) {
    return printed == 0 ? 0 : 0.51 * std::pow(10.0, std::floor(std::log10(std::abs(printed))) - 11);
}

struct Row {
    double x1, x2, z, o;
};

void check_outputs(const eb::Network& network, const std::vector<Row>& rows) {
    for (const Row& row : rows) {
        const auto f = eb::forward(network, Tensor{{row.x1, row.x2, 1}});
        INFO("at (", row.x1, ", ", row.x2, ")");
        CHECK(std::abs(f.z.back().item() - row.z) <= last_digit(row.z));
        CHECK(std::abs(f.O.back().item() - row.o) <= last_digit(row.o));
    }
}

void check_entries(const Tensor& got, const std::vector<double>& wanted, double tolerance) {
    const auto entries = got.data<double>();
    REQUIRE(entries.size() == wanted.size());
    for (std::size_t i = 0; i < wanted.size(); ++i) {
        INFO("entry ", i, " off by ", entries[i] - wanted[i]);
        CHECK(std::abs(entries[i] - wanted[i]) <= tolerance + last_digit(wanted[i]));
    }
}

void check_gradient(const eb::Network& network, const Tensor& x, double y, double loss, const std::vector<double>& W0,
                    const std::vector<double>& W1) {
    for (const eb::Form form : {eb::Form::batch, eb::Form::sample})
        for (const eb::FirstPartial first : {eb::FirstPartial::stable, eb::FirstPartial::post}) {
            const auto g = eb::gradient(network, x, Tensor{y},
                                        {.labels = eb::Labels::plus_minus_one, .first_partial = first, .form = form});
            CHECK(std::abs(g.log_loss - loss) <= last_digit(loss));
            double largest = 0;
            for (const auto* wanted : {&W0, &W1})
                for (double entry : *wanted) largest = std::max(largest, std::abs(entry));
            // The post's first partial loses digits of 1 − o: 1e-12 of the largest entry is for the stable form.
            const double tolerance = (first == eb::FirstPartial::stable ? 1e-12 : 1e-11) * largest;
            check_entries(g.W[0], W0, tolerance);
            check_entries(g.W[1], W1, tolerance);
        }
}

}  // namespace

TEST_CASE("explicit: outputs of the constructed network") {
    check_outputs(network(post::constructed_weights(), 2), {{0, 0, 1.28566392622, 9.28993337236e-01},
                                                            {1, 0, 1.19996080096, 9.16821325066e-01},
                                                            {0, 1, 1.19996080096, 9.16821325066e-01},
                                                            {-1, 0, 1.19996080096, 9.16821325066e-01},
                                                            {0, -1, 1.19996080096, 9.16821325066e-01},
                                                            {1, 1, 1.11425767571, 9.02781133226e-01},
                                                            {2, 2, 0.356938065805, 6.71257076799e-01},
                                                            {-2, 1, 0.735597870757, 8.13239064820e-01},
                                                            {0.5, -0.5, 1.24937131786, 9.24053627048e-01},
                                                            {3, 0, 0.440793870296, 7.07151131876e-01},
                                                            {10, 0, 0.32163645864, 6.55492932830e-01},
                                                            {0, -10, 0.32163645864, 6.55492932830e-01}});
}

TEST_CASE("explicit: outputs of the published trained network") {
    check_outputs(network(post::trained_weights(), 2), {{0, 0, 3.7999942239, 9.99499793117e-01},
                                                        {1, 0, 1.63801894459, 9.63597558456e-01},
                                                        {0, 1, -6.08082823897, 5.22705934360e-06},
                                                        {-1, 0, 3.669888106, 9.99351225395e-01},
                                                        {0, -1, -2.04146180426, 1.65786228316e-02},
                                                        {1, 1, -3.34075337647, 1.25231698589e-03},
                                                        {2, 2, -7.39999949313, 3.73630177152e-07},
                                                        {-2, 1, -1.70002967953, 3.22936096326e-02},
                                                        {0.5, -0.5, 2.19967324333, 9.87863732556e-01},
                                                        {3, 0, -1.9, 2.18812709361e-02},
                                                        {10, 0, -1.9, 2.18812709361e-02},
                                                        {0, -10, -5.3, 2.49153889394e-05}});
}

TEST_CASE("explicit: with c = 3 the constructed region is an endless cross; c = 3.9 bounds it and fits data 2") {
    const auto z = [](double c, double x1, double x2) {
        return eb::forward(network(post::constructed_weights(c), 2), Tensor{{x1, x2, 1}}).z.back().item();
    };
    for (double far : {10.0, 1e3, 1e6}) {
        CHECK(z(3, far, 0) > 0);
        CHECK(z(3, 0, -far) > 0);
        CHECK(z(3.365164, far, 0) > 0);
        CHECK(z(3.365166, far, 0) < 0);
        CHECK(z(3.9, far, 0) < 0);
    }
    CHECK(z(4.459659, 0, 0) > 0);
    CHECK(z(4.459661, 0, 0) < 0);

    const auto mislabelled = [](double c, const post::DataSet& set) {
        return score(network(post::constructed_weights(c), 2), set).mislabelled;
    };
    CHECK(mislabelled(3, post::data_2()) == 71);
    CHECK(mislabelled(3.9, post::data_2()) == 0);
    CHECK(mislabelled(3, post::data_2c()) == 0);
    CHECK(score(network(post::trained_weights(), 2), post::data_2c()).mislabelled == 1);
}

TEST_CASE("explicit: gradients at the constructed weights") {
    const auto net = network(post::constructed_weights(), 2);
    const double a = 1.00979158265e-03, b = 6.86200689727e-03, c = 4.78432919675e-02;
    check_gradient(net, {{0.5, -0.5, 1}}, 1, 7.89851710935e-02,
                   {-a, a, -2.01958316530e-03, -b, b, -1.37240137945e-02, -b, b, -1.37240137945e-02, -a, a,
                    -2.01958316530e-03, c, -c, 9.56865839351e-02},
                   {-1.50876150399e-01, -1.44689099800e-01, -1.44689099800e-01, -1.50876150399e-01,
                    -1.33786686758e-01});

    const double d = 1.80024527124e-03, e = 1.34251415360, f = -1.69146449330;
    check_gradient(net, {{2, 2, 1}}, -1, 1.11247922211,
                   {d, d, 9.00122635620e-04, d, d, 9.00122635620e-04, e, e, 6.71257076799e-01, e, e, 6.71257076799e-01,
                    f, f, -8.45732246648e-01},
                   {1.34206394130, 1.34206394130, 6.71257076799e-01, 6.71257076799e-01, 1.18248254363});

    const double g = 3.85041432372e-01, h = 6.47741828589e-02, i = 9.04539326717e-03, j = 1.15512429712;
    check_gradient(net, {{-1, 0, 1}}, -1, 2.48676427489, {-g, 0, g, -h, 0, h, -i, 0, i, -h, 0, h, j, 0, -j},
                   {1.61506708829, 1.80066236843, 1.82910874285, 1.80066236843, 1.61506708829});
}

TEST_CASE("explicit: gradients at the published trained weights") {
    const double a = 9.45735732258e-09, b = 7.94022958159e-06, c = 2.07567178643e-17, d = 1.94180279108e-02,
                 e = 2.56319029874e-13;
    check_gradient(network(post::trained_weights(), 2), {{0.5, -0.5, 1}}, 1, 1.22105132609e-02,
                   {a, -a, 1.89147146452e-08, -b, b, -1.58804591632e-05, c, -c, 4.15134357287e-17, d, -d,
                    3.88360558217e-02, e, -e, 5.12638059748e-13},
                   {-2.42725303850e-02, -2.42711890123e-02, -3.77394870261e-18, -1.21362674443e-02, -5.57215282336e-14});
}

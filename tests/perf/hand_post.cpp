// The post's training step and the chain of small operations, as scalar loops.
#include "hand.hpp"

#include <cmath>
#include <stdexcept>

namespace perf {
namespace {

template <int Hidden>
class PostLoops {
public:
    explicit PostLoops(const PostProblem& p) : p_(p) {}

    void run() {
        const double k = p_.k, scale = k / p_.batch;
        double g0[Hidden][3] = {}, g1[Hidden] = {}, total = 0;
        for (int i = 0; i < p_.batch; ++i) {
            const double* x = &p_.x[3 * i];
            double h[Hidden], z = 0;
            for (int j = 0; j < Hidden; ++j) {
                const double* w = &p_.w0[3 * j];
                h[j] = 1 / (1 + std::exp(-k * (w[0] * x[0] + w[1] * x[1] + w[2] * x[2])));
                z += p_.w1[j] * h[j];
            }
            // log(1 + e^−m) with m = y k z, and its derivative −σ(−m), from one exponential that cannot overflow.
            const double y = p_.y[i], m = y * k * z, e = std::exp(-std::abs(m));
            total += std::log1p(e) + (m < 0 ? -m : 0);
            const double delta = -y * scale * (m < 0 ? 1 : e) / (1 + e);
            for (int j = 0; j < Hidden; ++j) {
                g1[j] += delta * h[j];
                const double d = delta * p_.w1[j] * k * h[j] * (1 - h[j]);
                for (int c = 0; c < 3; ++c) g0[j][c] += d * x[c];
            }
        }
        loss_ = total / p_.batch;
        for (int j = 0; j < Hidden; ++j) {
            g1_[j] = g1[j];
            p_.w1[j] -= p_.rate * g1[j];
            for (int c = 0; c < 3; ++c) {
                g0_[3 * j + c] = g0[j][c];
                p_.w0[3 * j + c] -= p_.rate * g0[j][c];
            }
        }
    }

    std::vector<double> result() const {
        std::vector<double> all{loss_};
        all.insert(all.end(), g0_, g0_ + 3 * Hidden);
        all.insert(all.end(), g1_, g1_ + Hidden);
        all.insert(all.end(), p_.w0.begin(), p_.w0.end());
        all.insert(all.end(), p_.w1.begin(), p_.w1.end());
        return all;
    }

private:
    PostProblem p_;
    double loss_ = 0, g0_[3 * Hidden] = {}, g1_[Hidden] = {};
};

class ChainLoops {
public:
    explicit ChainLoops(const ChainProblem& p) : p_(p), value_(p.operations + 1), grad_(3 * p.x.size()) {}

    void run() {
        sum_ = 0;
        for (std::size_t i = 0; i < p_.x.size(); ++i) element(i);
    }

    std::vector<double> result() const {
        std::vector<double> all{sum_};
        all.insert(all.end(), grad_.begin(), grad_.begin() + std::ptrdiff_t(p_.all ? 3 : 1) * p_.x.size());
        return all;
    }

private:
    void element(std::size_t i) {
        const float a = p_.a[i], b = p_.b[i];
        value_[0] = p_.x[i];
        for (int o = 0; o < p_.operations; ++o) {
            const float y = value_[o];
            value_[o + 1] = o % 3 == 0 ? std::tanh(y) : o % 3 == 1 ? y * a : y + b;
        }
        float bar = 1, a_bar = 0, b_bar = 0;
        for (int o = p_.operations; o-- > 0;) {
            if (o % 3 == 2) b_bar += bar;
            if (o % 3 == 1) {
                a_bar += bar * value_[o];
                bar *= a;
            }
            if (o % 3 == 0) bar *= 1 - value_[o + 1] * value_[o + 1];
        }
        sum_ += value_.back();
        const std::size_t n = p_.x.size();
        grad_[i] = bar;
        grad_[n + i] = a_bar;
        grad_[2 * n + i] = b_bar;
    }

    ChainProblem p_;
    std::vector<float> value_, grad_;
    double sum_ = 0;
};

}  // namespace

Contender hand_post(const PostProblem& problem) {
    if (problem.hidden == 3) return contender(std::make_shared<PostLoops<3>>(problem));
    if (problem.hidden == 5) return contender(std::make_shared<PostLoops<5>>(problem));
    throw std::invalid_argument("loops are written for 3 and 5 hidden units");
}

Contender hand_chain(const ChainProblem& problem) { return contender(std::make_shared<ChainLoops>(problem)); }

}  // namespace perf

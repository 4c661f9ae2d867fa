// Loops over SIMD registers, compiled for the machine they run on. No xtensor here: this file's -march is its own.
#include "hand.hpp"

#include <xsimd/xsimd.hpp>

#include <algorithm>
#include <cmath>
#include <stdexcept>

namespace perf {
namespace {

using Batch = xsimd::batch<float>;
constexpr std::size_t width = Batch::size;

float add_up(Batch b) {
    float lanes[width], sum = 0;
    b.store_unaligned(lanes);
    for (float lane : lanes) sum += lane;
    return sum;
}

class Fused {
public:
    explicit Fused(const std::vector<float>& x) : x_(x), gradient_(x.size()) {}

    void run() {
        double total = 0;
        constexpr std::size_t block = 4096;  // partial sums in float, their sum in double
        const std::size_t n = x_.size() / width * width;
        for (std::size_t start = 0; start < n; start += block) {
            Batch sum(0.0f);
            for (std::size_t i = start; i < std::min(n, start + block); i += width) {
                const Batch x = Batch::load_unaligned(&x_[i]);
                const Batch t = xsimd::tanh(x), s = 1.0f / (1.0f + xsimd::exp(-x)), e = xsimd::exp(-(x * x));
                sum += t * s + 0.5f * e;
                ((1.0f - t * t) * s + t * s * (1.0f - s) - x * e).store_unaligned(&gradient_[i]);
            }
            total += add_up(sum);
        }
        for (std::size_t i = n; i < x_.size(); ++i) total += scalar(i);
        sum_ = total;
    }

    std::vector<double> result() const {
        std::vector<double> all(gradient_.begin(), gradient_.end());
        all.push_back(sum_ / double(x_.size()));  // of the gradient's order of magnitude, to be compared with it
        return all;
    }

private:
    double scalar(std::size_t i) {
        const float x = x_[i], t = std::tanh(x), s = 1 / (1 + std::exp(-x)), e = std::exp(-x * x);
        gradient_[i] = (1 - t * t) * s + t * s * (1 - s) - x * e;
        return t * s + 0.5f * e;
    }

    std::vector<float> x_, gradient_;
    double sum_ = 0;
};

class Chain {
public:
    explicit Chain(const ChainProblem& p) : p_(p), value_(p.operations + 1), gradient_(p.x.size()) {
        if (p.all || p.x.size() % width != 0)
            throw std::invalid_argument("the loop is written for the gradient of x, in whole registers");
    }

    void run() {
        sum_ = 0;
        for (std::size_t i = 0; i < p_.x.size(); i += width) elements(i);
    }

    std::vector<double> result() const {
        std::vector<double> all{sum_};
        all.insert(all.end(), gradient_.begin(), gradient_.end());
        return all;
    }

private:
    void elements(std::size_t i) {
        const Batch a = Batch::load_unaligned(&p_.a[i]), b = Batch::load_unaligned(&p_.b[i]);
        value_[0] = Batch::load_unaligned(&p_.x[i]);
        for (int o = 0; o < p_.operations; ++o) {
            const Batch y = value_[o];
            value_[o + 1] = o % 3 == 0 ? xsimd::tanh(y) : o % 3 == 1 ? y * a : y + b;
        }
        Batch bar(1.0f);
        for (int o = p_.operations; o-- > 0;) {
            if (o % 3 == 1) bar *= a;
            if (o % 3 == 0) bar *= 1.0f - value_[o + 1] * value_[o + 1];
        }
        sum_ += add_up(value_.back());
        bar.store_unaligned(&gradient_[i]);
    }

    ChainProblem p_;
    std::vector<Batch> value_;
    std::vector<float> gradient_;
    double sum_ = 0;
};

class Sum {
public:
    explicit Sum(const SumProblem& p)
        : p_(p), out_(p.axis < 0 ? 1 : std::size_t(p.axis == 0 ? p.columns : p.rows)) {}

    void run() {
        for (int i = 0; i < small_repeats; ++i) once();
    }

    std::vector<double> result() const { return {out_.begin(), out_.end()}; }

private:
    void once() {
        const auto rows = std::size_t(p_.rows), columns = std::size_t(p_.columns);
        if (p_.axis == 0) return over_rows(rows, columns);
        if (p_.axis == 1) {
            for (std::size_t r = 0; r < rows; ++r) out_[r] = float(along(&p_.x[r * columns], columns));
            return;
        }
        out_[0] = float(along(p_.x.data(), rows * columns));
    }

    void over_rows(std::size_t rows, std::size_t columns) {
        std::copy(p_.x.begin(), p_.x.begin() + std::ptrdiff_t(columns), out_.begin());
        for (std::size_t r = 1; r < rows; ++r)
            for (std::size_t c = 0; c < columns; ++c) out_[c] += p_.x[r * columns + c];
    }

    static double along(const float* x, std::size_t n) {
        Batch sum[8] = {};
        std::size_t i = 0;
        for (; i + 8 * width <= n; i += 8 * width)
            for (std::size_t j = 0; j < 8; ++j) sum[j] += Batch::load_unaligned(x + i + j * width);
        for (; i + width <= n; i += width) sum[0] += Batch::load_unaligned(x + i);
        double total = add_up(((sum[0] + sum[1]) + (sum[2] + sum[3])) + ((sum[4] + sum[5]) + (sum[6] + sum[7])));
        for (; i < n; ++i) total += x[i];
        return total;
    }

    SumProblem p_;
    std::vector<float> out_;
};

}  // namespace

Contender hand_fused(const std::vector<float>& x) { return contender(std::make_shared<Fused>(x)); }
Contender hand_chain_simd(const ChainProblem& problem) { return contender(std::make_shared<Chain>(problem)); }
Contender hand_sum(const SumProblem& problem) { return contender(std::make_shared<Sum>(problem)); }

}  // namespace perf

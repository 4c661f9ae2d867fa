// Training steps and products on OpenBLAS directly.
#include "hand.hpp"

#include <cblas.h>

#include <algorithm>
#include <cmath>

namespace perf {
namespace {

// One product in row-major order: c (m, n) = op(a) op(b).
struct Product {
    bool a_transposed, b_transposed;
    int m, n, k;
    const float *a, *b;
    float* c;

    void run() const {
        cblas_sgemm(CblasRowMajor, a_transposed ? CblasTrans : CblasNoTrans, b_transposed ? CblasTrans : CblasNoTrans,
                    m, n, k, 1.0f, a, a_transposed ? m : k, b, b_transposed ? k : n, 0.0f, c, n);
    }
};

// Forward x Wᵀ for each layer; backward dᵀ x for each layer and d W for each but the first. Nothing else needs BLAS.
class MlpStep {
public:
    explicit MlpStep(const MlpProblem& p) : p_(p), value_(p.layers() + 1), delta_(p.layers() + 1) {
        value_[0] = p_.x;
        for (std::size_t l = 0; l < p_.layers(); ++l) {
            const int in = p_.widths[l], out = p_.widths[l + 1];
            value_[l + 1].resize(std::size_t(p_.batch) * out);
            delta_[l + 1].resize(std::size_t(p_.batch) * out);
            gw_.emplace_back(p_.w[l].size());
            gb_.emplace_back(p_.b[l].size());
            float *x = value_[l].data(), *w = p_.w[l].data(), *d = delta_[l + 1].data();
            forward_.push_back({false, true, p_.batch, out, in, x, w, value_[l + 1].data()});
            weights_.push_back({true, false, out, in, p_.batch, d, x, gw_[l].data()});
            if (l > 0) inputs_.push_back({false, false, p_.batch, in, out, d, w, delta_[l].data()});
        }
    }

    void products() {
        for (const Product& product : forward_) product.run();
        for (std::size_t l = p_.layers(); l-- > 0;) {
            weights_[l].run();
            if (l > 0) inputs_[l - 1].run();
        }
    }

    void run() {
        for (std::size_t l = 0; l < p_.layers(); ++l) {
            forward_[l].run();
            add_bias(l, l + 1 < p_.layers());
        }
        softmax_cross_entropy();
        for (std::size_t l = p_.layers(); l-- > 0;) {
            weights_[l].run();
            bias_gradient(l);
            if (l > 0) {
                inputs_[l - 1].run();
                for (std::size_t i = 0; i < delta_[l].size(); ++i)
                    delta_[l][i] = value_[l][i] > 0 ? delta_[l][i] : 0;
            }
        }
        for (std::size_t l = 0; l < p_.layers(); ++l) {
            for (std::size_t i = 0; i < gw_[l].size(); ++i) p_.w[l][i] -= p_.rate * gw_[l][i];
            for (std::size_t i = 0; i < gb_[l].size(); ++i) p_.b[l][i] -= p_.rate * gb_[l][i];
        }
    }

    std::vector<double> result() const {
        std::vector<double> all{loss_};
        for (const auto* group : {&gw_, &gb_, &p_.w, &p_.b})
            for (const auto& values : *group) all.insert(all.end(), values.begin(), values.end());
        return all;
    }

private:
    void add_bias(std::size_t l, bool relu) {
        const std::size_t out = p_.b[l].size();
        for (int i = 0; i < p_.batch; ++i) {
            float* row = &value_[l + 1][std::size_t(i) * out];
            for (std::size_t j = 0; j < out; ++j) {
                const float z = row[j] + p_.b[l][j];
                row[j] = relu && z < 0 ? 0 : z;
            }
        }
    }

    void softmax_cross_entropy() {
        const std::size_t out = p_.b.back().size();
        double total = 0;
        for (int i = 0; i < p_.batch; ++i) {
            const float* z = &value_.back()[std::size_t(i) * out];
            float* d = &delta_.back()[std::size_t(i) * out];
            const float top = *std::max_element(z, z + out);
            float sum = 0;
            for (std::size_t j = 0; j < out; ++j) sum += d[j] = std::exp(z[j] - top);
            total += std::log(sum) + top - z[p_.labels[i]];
            for (std::size_t j = 0; j < out; ++j) d[j] /= sum * float(p_.batch);
            d[p_.labels[i]] -= 1.0f / float(p_.batch);
        }
        loss_ = total / p_.batch;
    }

    void bias_gradient(std::size_t l) {
        const std::size_t out = gb_[l].size();
        std::fill(gb_[l].begin(), gb_[l].end(), 0.0f);
        for (int i = 0; i < p_.batch; ++i)
            for (std::size_t j = 0; j < out; ++j) gb_[l][j] += delta_[l + 1][std::size_t(i) * out + j];
    }

    MlpProblem p_;
    std::vector<std::vector<float>> value_, delta_, gw_, gb_;
    std::vector<Product> forward_, weights_, inputs_;
    double loss_ = 0;
};

void gemm(int m, int n, int k, const float* a, const float* b, float* c) {
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, m, n, k, 1, a, k, b, n, 0, c, n);
}
void gemm(int m, int n, int k, const double* a, const double* b, double* c) {
    cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, m, n, k, 1, a, k, b, n, 0, c, n);
}

}  // namespace

HandMlp hand_mlp(const MlpProblem& problem) {
    auto step = std::make_shared<MlpStep>(problem);
    return {contender(step), {[step] { step->products(); }, {}}};
}

template <class T>
Contender hand_matmul(const MatmulProblem<T>& problem) {
    auto p = std::make_shared<MatmulProblem<T>>(problem);
    auto c = std::make_shared<std::vector<T>>(std::size_t(problem.m) * problem.n);
    return {[p, c] {
                for (int i = 0; i < small_repeats; ++i) gemm(p->m, p->n, p->k, p->x.data(), p->y.data(), c->data());
            },
            [c] { return std::vector<double>(c->begin(), c->end()); }};
}
template Contender hand_matmul(const MatmulProblem<float>&);
template Contender hand_matmul(const MatmulProblem<double>&);

const char* one_thread_blas() {
    openblas_set_num_threads(1);
    return openblas_get_config();
}

}  // namespace perf

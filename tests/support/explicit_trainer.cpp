#include "support/explicit_trainer.hpp"

#include <algorithm>
#include <cmath>
#include <stdexcept>

namespace explicit_trainer {
namespace {

using gradtape::Tensor;

double finite(double loss) {
    // NaN < best is false: without this a diverged network would pass for a bad one.
    if (!std::isfinite(loss)) throw std::runtime_error("the loss is not finite");
    return loss;
}

/// What an epoch makes of the weights it meets.
class Selection {
public:
    Selection(post::Select select, const eb::Network& start, const post::DataSet& data) : select_(select), data_(data) {
        if (select == post::Select::best) consider(start);
    }

    void met(const eb::Network& network) {
        if (select_ == post::Select::best) consider(network);
        if (select_ == post::Select::average) add(network.W);
    }

    void apply(eb::Network& network) {
        if (select_ == post::Select::best) network.W = best_;
        if (select_ == post::Select::average) {
            for (Tensor& W : sum_)
                for (double& entry : W.mutable_data<double>()) entry /= count_;
            network.W = sum_;
        }
    }

private:
    void consider(const eb::Network& network) {
        const double loss = finite(score(network, data_).log_loss);
        if (!best_.empty() && loss >= least_) return;
        least_ = loss;
        best_ = network.W;
    }
    void add(const std::vector<Tensor>& W) {
        if (sum_.empty())
            for (const Tensor& w : W) sum_.push_back(Tensor::zeros(w.shape()));
        for (std::size_t t = 0; t < W.size(); ++t) {
            const auto from = W[t].data<double>();
            const auto to = sum_[t].mutable_data<double>();
            for (std::size_t i = 0; i < to.size(); ++i) to[i] += from[i];
        }
        ++count_;
    }

    post::Select select_;
    const post::DataSet& data_;
    std::vector<Tensor> best_, sum_;
    double least_ = 0, count_ = 0;
};

}  // namespace

eb::Network network(std::vector<Tensor> W, double k) {
    const std::vector<eb::Activation> a(W.size(), {eb::Function::sigmoid, k});
    return {std::move(W), a};
}

Score score(const eb::Network& network, const post::DataSet& data) {
    // One pass for both: the loss is log(1 + e^(−k y z)).
    const Tensor z = eb::forward(network, data.X).z.back();
    const auto zs = z.data<double>(), y = data.y.data<double>();
    Score result{0, 0};
    for (std::size_t i = 0; i < y.size(); ++i) {
        const double u = -network.a.back().k * y[i] * zs[i];
        result.log_loss += (u > 0 ? u : 0) + std::log1p(std::exp(-std::abs(u)));
        result.mislabelled += (zs[i] > 0) != (y[i] > 0);
    }
    result.log_loss /= double(y.size());
    return result;
}

Result train(const post::Example& example, std::uint64_t w, const eb::Options& given) {
    eb::Options options = given;
    options.labels = eb::Labels::plus_minus_one;
    const std::int64_t samples = example.data.y.shape()[0];
    post::Run run(w, example.widths, samples);
    Result result{network(run.weights, example.k), {}, -1};
    run.weights.clear();

    const auto record = [&] {
        result.history.push_back(score(result.network, example.data));
        finite(result.history.back().log_loss);
        if (result.history.back().mislabelled == 0 && result.first_all_right < 0)
            result.first_all_right = int(result.history.size()) - 1;
    };
    record();
    for (const post::Phase& phase : example.phases)
        for (int epoch = 0; epoch < phase.epochs; ++epoch) {
            run.generator.shuffle(run.order);
            Selection selection(phase.select, result.network, example.data);
            for (std::int64_t first = 0; first < samples; first += example.batch) {
                const std::int64_t count = std::min(example.batch, samples - first);
                const auto batch = post::rows(example.data, run.order, std::size_t(first), std::size_t(count));
                eb::step(result.network, eb::gradient(result.network, batch.X, batch.y, options), phase.rate);
                selection.met(result.network);
            }
            selection.apply(result.network);
            record();
        }
    return result;
}

}  // namespace explicit_trainer

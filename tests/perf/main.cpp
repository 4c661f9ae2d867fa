// Times gradtape, libtorch and hand-written code on the same works. tests/perf/run builds and starts it.
#include "hand.hpp"
#include "measure.hpp"
#include "ours.hpp"
#include "report.hpp"
#include "start.hpp"
#include "torch_peer.hpp"

#include <cstdio>
#include <cstdlib>
#include <exception>

namespace {

using namespace perf;

struct Options {
    std::string json, markdown, only;
    int rounds = 51;
    double compile_us = 0;  ///< of compile_time_user.cpp, measured by tests/perf/run
};

/// A work: who does it, what it is held against, and how many units one run has.
struct Work {
    std::string name;
    Contender ours, libtorch, limit;
    Contender check;  ///< computes the whole where the limit is only part of the work; not timed
    Against against = Against::limit;
    std::optional<double> target;
    double units = 1;
    double tolerance = 1e-4;            ///< of the largest result; float unless said
    std::optional<double> bound_us;     ///< a limit that is a number, not code
    Clock clock = Clock::processor;
};

Line measure(const Work& work, int rounds) {
    const auto available = [](std::initializer_list<const Contender*> list) {
        std::vector<const Contender*> found;
        for (const Contender* c : list)
            if (*c) found.push_back(c);
        return found;
    };
    require_agreement(work.name, available({&work.check, &work.limit, &work.ours, &work.libtorch}), work.tolerance);
    const auto medians = interleaved_medians(available({&work.ours, &work.libtorch, &work.limit}), rounds,
                                             std::numeric_limits<double>::infinity(), work.clock);
    Line line{work.name, medians[0] / work.units, {}, work.bound_us, work.target, work.against};
    std::size_t next = 1;
    if (work.libtorch) line.libtorch_us = medians[next++] / work.units;
    if (work.limit) line.limit_us = medians[next] / work.units;
    return line;
}

Work post(int hidden) {
    const PostProblem p = post_problem(hidden);
    return {.name = "post's 3-" + std::to_string(hidden) + "-1 training step, batch 10, double", .ours = ours_post(p),
            .libtorch = torch_post(p), .limit = hand_post(p), .check = {}, .against = Against::libtorch, .target = 15,
            .tolerance = 1e-12, .bound_us = {}};
}

/// The same step by other parts of the library: for information.
Work post_by(const std::string& means, Contender (*make)(const PostProblem&), int hidden) {
    const PostProblem p = post_problem(hidden);
    return {.name = "post's 3-" + std::to_string(hidden) + "-1 training step, by " + means, .ours = make(p),
            .libtorch = torch_post(p), .limit = hand_post(p), .check = {}, .against = Against::libtorch, .target = {},
            .tolerance = 1e-12, .bound_us = {}};
}

Work mlp(std::vector<int> widths, int batch, std::optional<double> target, bool by_trainer = false) {
    std::string name = "MLP ";
    for (std::size_t i = 0; i < widths.size(); ++i) name += (i > 0 ? "-" : "") + std::to_string(widths[i]);
    name += " training step, " + (by_trainer ? "by nn::Trainer" : "batch " + std::to_string(batch) + ", float");
    const MlpProblem p = mlp_problem(std::move(widths), batch);
    const HandMlp hand = hand_mlp(p);
    return {.name = name, .ours = by_trainer ? trainer_mlp(p) : ours_mlp(p), .libtorch = torch_mlp(p),
            .limit = hand.products, .check = hand.step, .target = target, .bound_us = {}};
}

Work chain(bool all) {
    const ChainProblem p = chain_problem(2000, 16, all);
    const std::string leaves = all ? "for 3 leaves" : "for 1 leaf";
    return {.name = "elementwise node, n = 16, record and reverse " + leaves, .ours = ours_chain(p),
            .libtorch = torch_chain(p), .limit = {}, .check = hand_chain(p),
            .target = all ? std::optional<double>() : 1.0, .units = 2000, .tolerance = 1e-3, .bound_us = 0.5};
}

Work fused() {
    const std::vector<float> x = numbers(1'000'000);
    return {.name = "sum(tanh x sigmoid x + exp(-x^2)/2) and gradient, 1e6 floats", .ours = ours_fused(x),
            .libtorch = torch_fused(x), .limit = hand_fused(x), .check = {}, .target = {}, .bound_us = {}};
}

Work sum_over(int rows, int columns, int axis) {
    const SumProblem p = sum_problem(rows, columns, axis);
    const std::string what = axis < 0 ? "" : " over axis " + std::to_string(axis);
    return {.name = "sum of (" + std::to_string(rows) + ", " + std::to_string(columns) + ")" + what + ", float",
            .ours = ours_sum(p), .libtorch = torch_sum(p), .limit = hand_sum(p), .check = {}, .target = {},
            .units = small_repeats, .bound_us = {}};
}

template <class T>
Work product(int m, int n, int k) {
    const auto p = matmul_problem<T>(m, n, k);
    return {.name = "matmul " + std::to_string(m) + "x" + std::to_string(n) + "x" + std::to_string(k) +
                    (sizeof(T) == 4 ? ", float" : ", double"),
            .ours = ours_matmul(p), .libtorch = torch_matmul(p), .limit = hand_matmul(p), .check = {}, .target = {},
            .units = small_repeats, .bound_us = {}};
}

Work post_replayed(Against against, double target) {
    const PostProblem p = post_problem(3);
    const std::string rival = against == Against::limit ? "the loops" : "libtorch";
    return {.name = "replayed: post's 3-3-1 training step, against " + rival, .ours = replayed_post(p),
            .libtorch = torch_post(p), .limit = hand_post(p), .check = {}, .against = against, .target = target,
            .tolerance = 1e-12, .bound_us = {}};
}

/// `how`: what the options are, for the name.
Work mlp_replayed(std::vector<int> widths, int batch, double target, const gradtape::CompileOptions& options = {},
                  const std::string& how = "") {
    Work work = mlp(widths, batch, target);
    work.name = "replayed: " + work.name + how;
    work.ours = replayed_mlp(mlp_problem(std::move(widths), batch), options);
    return work;
}

/// Two threads against one, by the clock on the wall.
Work mlp_shared(std::vector<int> widths, int batch, double speedup) {
    Work work = mlp_replayed(widths, batch, 1 / speedup, {.threads = 2}, ", two threads against one");
    work.limit = replayed_mlp(mlp_problem(std::move(widths), batch));
    work.libtorch = {};
    work.clock = Clock::wall;
    return work;
}

Work fused_replayed(Against against, double target) {
    Work work = fused();
    work.name = "replayed: " + work.name + (against == Against::limit ? ", against the loop" : ", against libtorch");
    work.ours = replayed_fused(numbers(1'000'000));
    work.against = against;
    work.target = target;
    return work;
}

/// The limit is the same without loops over rows.
Work rows_replayed(RowsProblem::Kind kind, const std::string& what) {
    const RowsProblem p = rows_problem(kind, 512, 768);
    return {.name = "replayed: " + what + " of (512, 768), float, with gradients", .ours = replayed_rows(p), .libtorch = torch_rows(p),
            .limit = replayed_rows(p, false), .check = {}, .against = Against::libtorch, .target = {}, .tolerance = 2e-3, .bound_us = {}};
}

Work chain_replayed() {
    const ChainProblem p = chain_problem(2000, 16, false);
    const Counted ours = replayed_chain(p);
    return {.name = "replayed: elementwise instruction, n = 16", .ours = ours.contender, .libtorch = {}, .limit = {},
            .check = hand_chain(p), .target = 1.0, .units = ours.instructions, .tolerance = 1e-3, .bound_us = 0.030};
}

Work compiling() {
    const ChainProblem p = chain_problem(430, 16, false);
    const Counted ours = compiled_chain(p);
    return {.name = "compile() of " + std::to_string(int(ours.instructions)) + " instructions", .ours = ours.contender,
            .libtorch = {}, .limit = {}, .check = hand_chain(p), .target = 1.0, .bound_us = 5000};
}

Work hessian_vector_product() {
    const HessianVector replayed = hessian_vector(mlp_problem({784, 128, 10}, 64));
    return {.name = "replayed: Hessian-vector product of MLP 784-128-10, batch 64", .ours = replayed.product,
            .libtorch = {}, .limit = replayed.gradient, .check = replayed.reversed, .target = 2.5, .bound_us = {}};
}

Work per_sample_gradients() {
    const PostProblem p = post_problem(5, 256);
    return {.name = "per-sample gradients of the post's 3-5-1 network by vmap, batch 256, against a loop", .ours = per_sample(p, true),
            .libtorch = {}, .limit = per_sample(p, false), .check = {}, .target = 0.05, .tolerance = 1e-12, .bound_us = {}};
}

/// Made one at a time, since the large ones take much memory.
const std::vector<std::function<Work()>>& works() {
    static const std::vector<std::function<Work()>> list = {
        [] { return post(3); }, [] { return post(5); },
        [] { return post_by("nn::Trainer", trainer_post, 3); },
        [] { return post_by("explicit_backprop", explicit_post, 3); },
        [] { return post_by("explicit_backprop", explicit_post, 5); },
        [] { return mlp({64, 32, 32, 10}, 32, {}); }, [] { return mlp({784, 128, 10}, 64, {}); },
        [] { return mlp({784, 512, 512, 10}, 128, {}); }, [] { return mlp({784, 1024, 1024, 10}, 256, 1.15); },
        [] { return mlp({784, 1024, 1024, 10}, 256, {}, true); },
        [] { return post_replayed(Against::limit, 1.0); }, [] { return post_replayed(Against::libtorch, 100); },
        [] { return mlp_replayed({64, 32, 32, 10}, 32, 1.1); }, [] { return mlp_replayed({784, 128, 10}, 64, 1.12); },
        [] { return mlp_replayed({784, 512, 512, 10}, 128, 1.08); },
        [] { return mlp_replayed({784, 1024, 1024, 10}, 256, 1.06); },
        [] { return mlp_replayed({784, 512, 512, 10}, 128, 1.02, {.gemm_updates = true}, ", gemm_updates"); },
        [] { return mlp_replayed({784, 1024, 1024, 10}, 256, 1.01, {.gemm_updates = true}, ", gemm_updates"); },
        [] { return mlp_shared({784, 1024, 1024, 10}, 256, 1.85); },
        [] { return fused_replayed(Against::limit, 1.3); }, [] { return fused_replayed(Against::libtorch, 8); },
        [] { return rows_replayed(RowsProblem::Kind::layer_norm, "layer norm"); },
        [] { return rows_replayed(RowsProblem::Kind::rms_norm, "rms norm"); },
        [] { return rows_replayed(RowsProblem::Kind::softmax, "softmax written out"); },
        [] { return chain_replayed(); }, [] { return hessian_vector_product(); }, [] { return compiling(); },
        [] { return per_sample_gradients(); },
        [] { return chain(false); }, [] { return chain(true); }, [] { return fused(); },
        [] { return sum_over(1000, 1000, -1); }, [] { return sum_over(256, 1024, 0); },
        [] { return sum_over(256, 1024, 1); }, [] { return product<double>(10, 3, 3); },
        [] { return product<double>(10, 5, 3); }, [] { return product<double>(32, 32, 32); },
        [] { return product<float>(32, 32, 64); }, [] { return product<float>(64, 64, 64); },
        [] { return product<float>(128, 128, 128); }, [] { return product<float>(64, 128, 784); }};
    return list;
}

Options read(int count, char** arguments) {
    Options options;
    for (int i = 1; i < count; ++i) {
        const std::string argument = arguments[i];
        if (argument == "--quick") {
            options.rounds = 7;
        } else if (i + 1 < count && argument == "--json") {
            options.json = arguments[++i];
        } else if (i + 1 < count && argument == "--markdown") {
            options.markdown = arguments[++i];
        } else if (i + 1 < count && argument == "--only") {
            options.only = arguments[++i];
        } else if (i + 1 < count && argument == "--compile-us") {
            options.compile_us = std::atof(arguments[++i]);
        } else {
            throw std::runtime_error("unknown argument " + argument);
        }
    }
    return options;
}

void run(const Options& options) {
    start();
    std::vector<Line> lines;
    for (const auto& make : works()) {
        const Work work = make();
        if (work.name.find(options.only) == std::string::npos) continue;
        std::fprintf(stderr, "  %s\n", work.name.c_str());
        lines.push_back(measure(work, options.rounds));
    }
    if (options.compile_us > 0)
        lines.push_back({"compiling a user's file (model, loss, training loop)", options.compile_us, {}, 3e6, 1.0,
                         Against::limit});
    if (lines.empty()) throw std::runtime_error("no work's name contains '" + options.only + "'");
    print_table(lines);
    if (!options.json.empty()) write_json(options.json, lines);
    if (!options.markdown.empty()) write_markdown(options.markdown, lines);
}

}  // namespace

int main(int count, char** arguments) try {
    run(read(count, arguments));
} catch (const std::exception& error) {
    std::fprintf(stderr, "perf: %s\n", error.what());
    return 1;
}

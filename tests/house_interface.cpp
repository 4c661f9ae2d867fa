// What must not compile does not, and the compiler's message has our sentence and is short; and what must compile does.
#include "support/source_tree.hpp"

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>

#include <unistd.h>

using namespace house;

namespace {

/// A folder with a precompiled header of all that is public, so that each snippet takes a moment only.
class Compiler {
public:
    Compiler() : folder_(std::filesystem::temp_directory_path() / ("gradtape_interface." + std::to_string(::getpid()))) {
        std::filesystem::create_directories(folder_);
        std::ofstream(folder_ / "all.hpp") << "#include <gradtape/gradtape.hpp>\n#include <gradtape/check.hpp>\n"
                                              "#include <gradtape/nn/nn.hpp>\n#include <algorithm>\n#include <array>\n"
                                              "#include <deque>\n#include <iostream>\nnamespace gt = gradtape;\n"
                                              "namespace nn = gradtape::nn;\n";
        const Printed made = run(command() + " -x c++-header all.hpp -o all.hpp.gch 2>&1");
        REQUIRE_MESSAGE(made.status == 0, made.text);
    }
    ~Compiler() { std::filesystem::remove_all(folder_); }

    /// `body` as that of a function with a tape, two nodes, a tensor and a vector.
    Printed operator()(const std::string& before, const std::string& body) const {
        std::ofstream(folder_ / "snippet.cpp")
            << before << "\nvoid f([[maybe_unused]] gt::Tape& tape, [[maybe_unused]] gt::Node x, [[maybe_unused]] gt::Node y, "
                         "[[maybe_unused]] gt::Tensor t, [[maybe_unused]] std::vector<double> v) {\n" << body << "\n}\n";
        return run(command() + " -fsyntax-only -include all.hpp snippet.cpp 2>&1");
    }

private:
    std::string command() const {
        const std::string root = GRADTAPE_SOURCE_DIR;
        return "cd " + quoted(folder_.string()) + " && " + GRADTAPE_CXX + " -std=c++20 -Wall -I " +
               quoted(root + "/autodiff/include") + " -I " + quoted(root + "/nn/include");
    }
    std::filesystem::path folder_;
};

struct Refused {
    const char* body;
    const char* sentence;
    const char* before = "";
};

constexpr const char* no_condition = "a Node is a tensor, no condition: write .item(), logical_and, maximum or .is_valid()";
constexpr const char* bool_axis = "an axis is an integer; keepdims comes after the axes: sum(x, {}, true)";
constexpr const char* real_axis = "an axis is an integer; of two numbers the larger is maximum(x, y), the smaller minimum(x, y)";
constexpr const char* node_axis = "a node is no axis; of two nodes the larger is maximum(x, y), the smaller minimum(x, y)";
constexpr const char* keepdims = "keepdims is true or false; several axes are a list: sum(x, {0, 1})";
constexpr const char* two_tensors = "a tensor is a value: record one of the two by tape.constant";
constexpr const char* elements = "the elements of a tensor are float, double, std::int64_t or bool";
constexpr const char* from = "Tensor::from takes elements of float, double, bool or an integer type";
constexpr const char* function_called = "the function is called with its arguments, a std::span<const gradtape::Node>";
constexpr const char* function_returns = "the function returns what it computes, a gradtape::Node";
constexpr const char* compiled_returns = "a function to compile returns a gradtape::Node, or a vector of them";
constexpr const char* compiled_called = "a function to compile is called with its inputs, a std::span<const gradtape::Node>";
constexpr const char* loss_called = "a loss is called as loss(model, inputs, labels), the latter two gradtape::Node";
constexpr const char* loss_returns = "a loss returns a gradtape::Node, or an nn::Outcome of loss and scores";
constexpr const char* model = "struct Model { nn::Parameter w; void visit(nn::Visitor& v) { v(\"w\", w); } } m;";
constexpr const char* shown = "visit shows an nn::Parameter, a struct with visit, or arrays and optionals of these; no Tensor";

const Refused refused[] = {
    {"if (sum(x) < 0) x = y;", no_condition},
    {"while (x == y) x = y;", no_condition},
    {"(void)!x;", no_condition},
    {"(void)(x && true);", no_condition},
    {"(void)(false || x > 0);", no_condition},
    {"(void)(x ? 1 : 2);", no_condition},
    {"(void)bool(x);", no_condition},
    {"(void)std::max(x, y);", no_condition},
    {"(void)std::min(x, y);", no_condition},
    {"(void)std::clamp(x, y, y);", no_condition},
    {"max(x, 0.0);", real_axis},
    {"min(x, 1.5f);", real_axis},
    {"mean(x, 1.0);", real_axis},
    {"softmax(x, 1.0);", real_axis},
    {"stack(x, y, 1.0);", real_axis},
    {"x.shape(1.0);", real_axis},
    {"max(x, y);", node_axis},
    {"min(x, y);", node_axis},
    {"max(0.0, x);", node_axis},
    {"max(x, t);", "a tensor is no axis; the larger of two is maximum(x, y), the smaller minimum(x, y)"},
    {"sum(x, true);", bool_axis},
    {"logsumexp(x, false);", bool_axis},
    {"log_softmax(x, true);", bool_axis},
    {"sum(x, 0, 1);", keepdims},
    {"sum(x, {0}, 1.0);", keepdims},
    {"(void)(t + t);", two_tensors},
    {"(void)(2.0 * t);", two_tensors},
    {"(void)(t == t);", "compare two tensors by same_bits(a, b), or their data()"},
    {"(void)t.data<int>();", elements},
    {"(void)t.data<long long>();", elements},
    {"(void)gt::Tensor::from(std::vector<std::string>(1), {1});", from},
    {"(void)gt::Tensor::from(std::string(\"ab\"), {2});", from},
    {"(void)gt::Tensor::from(std::vector<long double>(1), {1});", from},
    {"gt::value_and_grad([](gt::Node a) { return a; }, {t});", function_called},
    {"gt::value_and_grad([](auto a) { (void)a; }, {t});", function_returns},
    {"gt::check_gradient([](auto) { return 1.0; }, {t});", function_returns},
    {"gt::check_gradient([] { return gt::Node(); }, {t});", function_called},
    {"gt::compile([](auto a) { (void)a; });", compiled_returns},
    {"gt::compile([](gt::Node a, gt::Node) { return a; });", compiled_called},
    {"nn::Trainer(m, [](Model&, gt::Node a) { return a; }, nn::Sgd(0.1));", loss_called, model},
    {"nn::Trainer(m, [](Model&, gt::Node, gt::Node) { return 1.0; }, nn::Sgd(0.1));", loss_returns, model},
    {"nn::fit(m, [](Model&, gt::Node a, gt::Node b) { mean(a - b); }, {}, {});", loss_returns, model},
    {"nn::fit(m, [](Model&, gt::Tensor, gt::Node b) { return b; }, {}, {});", loss_called, model},
    {"nn::parameters(m);", "a model shows its parameters: void visit(nn::Visitor& v)", "struct Model {} m;"},
    {"nn::parameters(m);", shown, "struct Model { gt::Tensor w; void visit(nn::Visitor& v) { v(\"w\", w); } } m;"},
    {"nn::parameters(m);", shown, "struct Model { std::vector<double> w; void visit(nn::Visitor& v) { v(\"w\", w); } } m;"},
    {"nn::updates(x, m, [](gt::Node w) { return w; });", "a rule of updates gives the new value", model},
};

}  // namespace

TEST_CASE("what must not compile is refused with a sentence, shortly") {
    const Compiler compile;
    for (const Refused& refused : ::refused) {
        const Printed printed = compile(refused.before, refused.body);
        CAPTURE(refused.body);
        CHECK(printed.status != 0);
        CHECK_MESSAGE(printed.text.find(refused.sentence) != std::string::npos, printed.text);
        CHECK_MESSAGE(lines_of(printed.text).size() <= 40, printed.text);
    }
}

TEST_CASE("what must compile does") {
    const Compiler compile;
    const char* accepted[] = {
        // numbers of every type, and tensors, on either side
        "x = x / v.size() * 3L + 3u * x - 2ll * x / 2ull + std::int8_t(1) - short(2) + 1.5f * x + 2.0L * x;"
        "x = x * t + t * x; x = maximum(x, 0); x = maximum(t, x); x = where(x > 0, t, 0); x = matmul(x, t);"
        "enum { three = 3 }; x = three * x; x = x * true;",
        "x += 1; x -= y; x *= 2.f; x /= v.size(); x += t; x = x == y; x = x != 0; x = 1 == x;",
        "(void)x.shape(-1); (void)x.shape(v.size()); (void)t.shape(-1); sum(x); sum(x, 0); sum(x, v.size()); sum(x, {}, true);"
        "sum(x, {0, -1}, true); max(x, 0); softmax(x, 1L); stack(x, y, -1);",
        // names found by their arguments
        "concatenate(x, y); concatenate(x, y, -1); concatenate(x, y, x); stack(x, y); stack(x, y, x, y, 1);"
        "std::vector<gt::Node> n{x, y}; stack(n); concatenate(n, 1); std::array<gt::Node, 2> a{x, y}; stack(a);",
        "using namespace gradtape; using namespace gradtape::nn; sigmoid(x); sigmoid(x, 2); relu(x); tanh(x); softmax(x);",
        "using gt::Tensor; int c[] = {1, 2}; std::array<float, 2> a{}; std::span<double> s = v; std::deque<std::uint8_t> d;"
        "std::vector<bool> b; const std::vector<std::uint64_t> u; t = Tensor::from(v, {3}); t = Tensor::from(c, {2});"
        "t = Tensor::from(a, {2}); t = Tensor::from(s, {1}); t = Tensor::from(d, {0}); t = Tensor::from(b, {0});"
        "t = Tensor::from(u, {0}); t = Tensor::from({1, 2}, {2}); t = Tensor::from<double>(v, {1}); t = t.copy();"
        "t = Tensor::from<float>({1, 2}, {2}); t = 1; t = 2.5f; t = 3UL; t = 3LL; t = true; t = Tensor{1, 2u, 3.f};",
        "std::cout << x << t << t.shape() << t.type() << t.dtype() << x.where() << to_string(x);",
        "std::vector<gt::Node> n; std::vector<gt::Update> u; gt::compile(tape, x); gt::compile(tape, n, u);"
        "gt::compile(tape, {x, n, {y, n}}, {u, {x, y}}); gt::compile(tape, {}, {{x, y}, {y, x}}); gt::compile(tape, n, {{x, y}});"
        "gt::compile(tape, {x}, {}, {.threads = 2}); gt::compile(tape, std::array{x, y}, gt::Update{x, y});"
        "gt::Program p(tape, {x, n}); gt::compile(p); gt::save(\"f\", p); (void)gt::load(std::string(\"f\"));"
        "gt::compile([](auto a) { return a[0] * 2; }); gt::compile([](std::span<const gt::Node>) { return std::vector<gt::Node>(); });",
        "struct M { nn::Parameter w; std::optional<nn::Dense> d; std::vector<nn::Parameter> a; void visit(nn::Visitor& s) {"
        "s(\"w\", w); s(\"d\", d); s(\"a\", a); } } m; nn::fit(m, [](const M&, auto a, auto b) { return nn::Outcome{mean(a - b), a}; },"
        "{}, {}); nn::ModelReplay step(m, tape, x, nn::updates(x, m, [](gt::Node w, gt::Node g) { return w - 0.1 * g; }));",
        "static_assert(!std::is_convertible_v<gt::Node, bool> && !std::is_constructible_v<bool, gt::Node>);"
        "static_assert(!std::is_convertible_v<gt::Node, double>);",
    };
    for (const char* body : accepted) {
        const Printed printed = compile("", body);
        CHECK_MESSAGE(printed.status == 0, body << "\n" << printed.text);
    }
}

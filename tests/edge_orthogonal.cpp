// Pinned values and derivatives of eigh, qr, svd and lstsq: equal values, dependent columns, what is not read, large matrices.
#include "support/refusals.hpp"
#include "support/tensors.hpp"

#include <gradtape/check.hpp>

#include <doctest/doctest.h>

#include <cmath>
#include <thread>

namespace gradtape::test {
namespace {

double largest_of(Node x) { return x.shape().elements() == 0 ? 0.0 : max(abs(x)).item(); }
Node identity(Node like, std::int64_t n) { return tril(triu(full_like(like, 1.0) + sibling_constant(like, Tensor::zeros({n, n}, like.dtype())))); }
/// How far columns are from length 1 and right angles.
double skew(Node q) { return largest_of(matmul(q, q, {.x = true}) - identity(sum(q) * 0.0, q.shape().back())); }
std::size_t count(const std::string& text, const std::string& word) {
    std::size_t found = 0;
    for (std::size_t at = 0; (at = text.find(word, at)) != std::string::npos; ++at) ++found;
    return found;
}
bool all_nan(const std::vector<double>& x) {
    return std::all_of(x.begin(), x.end(), [](double e) { return std::isnan(e); });
}

const double half = std::sqrt(0.5);

TEST_CASE("edge: eigh of size 60, in ascending order") {
    for (DType dtype : floating) {
        Tape tape;
        const std::int64_t n = 60;
        const double eps = dtype == DType::float32 ? 6e-8 : 1.2e-16;
        const Node m = tape.constant(Random(7).tensor({n, n}, -1, 1, dtype)), a = m + transpose(m);
        const auto [w, v] = eigh(a);
        CHECK(largest_of(matmul(a, v) - v * reshape(w, {1, n})) < 300 * eps * largest_of(w));
        CHECK(skew(v) < 300 * eps);
        CHECK(min(slice(w, {{1}}) - slice(w, {{std::nullopt, -1}})).item() > 0);
    }
}

TEST_CASE("edge: eigh reads the lower triangle, and its gradient is 0 above") {
    for (DType dtype : floating)
        for (double above : {7.0, inf, nan}) {
            const Tensor a = make({0, above, 1, 0}, {2, 2}, dtype);
            const Pulled w = pull([](Node x) { return eigh(x).values; }, a, {0, 1}), v = pull([](Node x) { return eigh(x).vectors; }, a, {1, 0, 0, 0});
            CHECK(mismatch(w.value, {-1, 1}, {.relative = 1e-6}) == "");
            CHECK(mismatch(w.x_bar, {0.5, 0, 1, 0.5}, {.relative = 1e-6}) == "");
            // the first of two that are largest is positive
            CHECK(mismatch(v.value, {half, half, -half, half}, {.relative = 1e-6}) == "");
            CHECK(v.x_bar[1] == 0);
        }
}

TEST_CASE("edge: eigh where two values are equal: values have their derivatives, vectors none") {
    for (DType dtype : floating)
        for (const double scale : {1.0, 0.0}) {
            const Tensor a = make({scale, nan, 0, scale}, {2, 2}, dtype);
            const Pulled w = pull([](Node x) { return eigh(x).values; }, a);
            CHECK(mismatch(w.value, {scale, scale}) == "");
            CHECK(mismatch(w.x_bar, {1, 0, 0, 1}) == "");
            // one of them alone has the mean of what both have
            CHECK(mismatch(pull([](Node x) { return eigh(x).values; }, a, {0, 1}).x_bar, {0.5, 0, 0, 0.5}) == "");
            for (const std::vector<double>& bar : {std::vector<double>{0, 1, 0, 0}, {1, 0, 0, 1}})
                CHECK(mismatch(pull([](Node x) { return eigh(x).vectors; }, a, bar).x_bar, {nan, 0, nan, nan}) == "");
            // the gradient of the values is made of the vectors
            const Unary squares = [](Node x) { return sum(square(eigh(x).values)); };
            CHECK(mismatch(derivative(squares, make({1, 0, 0, 1}, {2, 2}, dtype), 2), {nan, 0, nan, nan}) == "");
        }
    // vectors of other values keep theirs
    const Tensor a = make({1, 0, 0, 0, 1, 0, 0, 0, 3}, {3, 3});
    CHECK(mismatch(pull([](Node x) { return eigh(x).vectors; }, a, {0, 0, 0, 0, 0, 0, 0, 0, 1}).x_bar, {0, 0, 0, 0, 0, 0, 0, 0, 0}) == "");
    CHECK(mismatch(pull([](Node x) { return slice(eigh(x).vectors, {{}, {2}}); }, a, {1, 0, 0}).x_bar, {0, 0, 0, 0, 0, 0, 0.5, 0, 0}) == "");
}

TEST_CASE("edge: eigh, qr and svd of what is not finite are NaN, of that matrix of a batch only") {
    using Results = std::vector<Node>;
    const std::function<Results(Node)> all[] = {[](Node a) { const auto z = eigh(a); return Results{z.values, z.vectors}; },
                                                [](Node a) { const auto z = qr(a); return Results{z.q, z.r}; },
                                                [](Node a) { const auto z = svd(a); return Results{z.u, z.s, z.vt}; }};
    for (const auto& f : all)
        for (DType dtype : floating)
            for (double bad : {nan, inf, -inf}) {
                Tape tape;
                const Node a = tape.parameter(make({2, 0, 0, 1, 1, 0, bad, 1}, {2, 2, 2}, dtype));
                for (const Node& z : f(a)) {
                    const std::vector<double> elements = values(z), bar = values(grad(sum(square(z)), a)),
                                              masked = values(grad(sum(square(where(z == z, z, 0.0))), a));
                    const std::size_t n = elements.size() / 2;
                    CHECK(all_nan({elements.begin() + std::ptrdiff_t(n), elements.end()}));
                    CHECK(std::isfinite(elements[0]));
                    CHECK((std::isfinite(bar[0]) && std::isnan(bar[6])));
                    for (std::size_t i = 0; i < 4; ++i) CHECK((masked[i] == bar[i] && masked[4 + i] == 0));
                }
            }
}

TEST_CASE("edge: qr of tall, wide and large matrices") {
    for (DType dtype : floating)
        for (const Shape& shape : {Shape{80, 30}, Shape{30, 80}, Shape{50, 50}, Shape{2, 3, 200, 2}, Shape{7, 0}, Shape{0, 7}}) {
            CAPTURE(to_string(shape));
            Tape tape;
            const double eps = dtype == DType::float32 ? 6e-8 : 1.2e-16;
            const Node a = tape.constant(Random(3).tensor(shape, -1, 1, dtype));
            const auto [q, r] = qr(a);
            CHECK(largest_of(matmul(q, r) - a) < 100 * eps);
            CHECK(largest_of(tril(r, -1)) == 0);
            CHECK(skew(q) < 100 * eps);
            for (double diagonal : values(sum(tril(triu(r)), -1))) CHECK(diagonal > 0);
        }
}

TEST_CASE("edge: qr of dependent columns has a value, and no derivative") {
    for (DType dtype : floating)
        for (const Tensor& a : {make({1, 0, 0, 0, 0, 0}, {3, 2}, dtype), Tensor::zeros({2, 2}, dtype), make({0, 1, 2, 0, 3, 4}, {2, 3}, dtype)}) {
            Tape tape;
            const Node x = tape.parameter(a);
            const auto [q, r] = qr(x);
            CHECK(largest_of(matmul(q, r) - x) < 1e-6);
            CHECK(skew(q) < 1e-6);
            CHECK(all_nan(values(grad(sum(q) + sum(r), x))));
            CHECK(largest_of(grad(sum(where(r > 1e9, r, 0.0)), x)) == 0);
        }
}

TEST_CASE("edge: svd of tall, wide and large matrices") {
    for (DType dtype : floating)
        for (const Shape& shape : {Shape{80, 30}, Shape{30, 80}, Shape{50, 50}, Shape{2, 3, 200, 2}, Shape{7, 0}, Shape{0, 7}}) {
            CAPTURE(to_string(shape));
            Tape tape;
            const double eps = dtype == DType::float32 ? 6e-8 : 1.2e-16;
            const Node a = tape.parameter(Random(3).tensor(shape, -1, 1, dtype));
            const auto [u, s, vt] = svd(a);
            const std::size_t rank = shape.rank();
            Shape row = s.shape();
            row.push_back(row.back()), row[rank - 2] = 1;
            CHECK(largest_of(matmul(u * reshape(s, row), vt) - a) < 300 * eps);
            CHECK((skew(u) < 300 * eps && skew(transpose(vt, rank == 2 ? Shape{1, 0} : Shape{0, 1, 3, 2})) < 300 * eps));
            CHECK(mismatch(sort(s).values, values(flip(s, -1))) == "");
            CHECK(largest_of(grad(sum(s), a) - matmul(u, vt)) < 100 * eps);  // the nuclear norm's
        }
}

TEST_CASE("edge: svd where values are equal or 0: values have their derivatives, vectors none") {
    for (DType dtype : floating) {
        const Unary u = [](Node a) { return svd(a).u; }, s = [](Node a) { return svd(a).s; }, vt = [](Node a) { return svd(a).vt; };
        const Tensor one = make({1, 0, 0, 1}, {2, 2}, dtype), nothing = Tensor::zeros({3, 2}, dtype), flat = make({2, 0, 0, 0, 0, 0}, {3, 2}, dtype);
        CHECK(mismatch(pull(s, one).x_bar, {1, 0, 0, 1}) == "");
        CHECK(mismatch(pull(s, one, {1, 0}).x_bar, {0.5, 0, 0, 0.5}) == "");
        CHECK(mismatch(pull(s, flat).x_bar, {1, 0, 0, 0, 0, 0}) == "");
        CHECK(mismatch(pull(s, nothing).value, {0, 0}) == "");
        CHECK(mismatch(pull(s, nothing).x_bar, {0, 0, 0, 0, 0, 0}) == "");
        for (const Unary& f : {u, vt}) {
            CHECK(all_nan(pull(f, one).x_bar));
            CHECK(all_nan(pull(f, nothing).x_bar));
        }
        CHECK(all_nan(pull(u, flat).x_bar));
        CHECK(all_nan(derivative([](Node a) { return sum(square(svd(a).s)); }, one, 2)));
        for (const Tensor& a : {one, nothing, flat}) {
            Tape tape;
            CHECK((skew(svd(tape.constant(a)).u) < 1e-6 && skew(svd(tape.constant(a)).vt) < 1e-6));
        }
    }
}

TEST_CASE("edge: svd and eigh of numbers near the ends of their range") {
    for (double scale : {1e300, 1e-300}) {
        Tape tape;
        const Node a = tape.constant(make({3 * scale, 0, 4 * scale, 0}, {2, 2}));
        CHECK(mismatch(svd(a).s, {5 * scale, 0}, {.relative = 1e-14}) == "");
        CHECK(mismatch(eigh(tape.constant(make({0, 0, scale, 0}, {2, 2}))).values, {-scale, scale}, {.relative = 1e-14}) == "");
        CHECK(mismatch(qr(a).r, {5 * scale, 0, 0, 0}, {.relative = 1e-14}) == "");
    }
}

TEST_CASE("edge: one factorisation of eigh, qr, svd and lstsq serves value, gradient and Hessian-vector product") {
    const std::pair<const char*, Unary> all[] = {{" = eigh ", [](Node a) { const auto [w, v] = eigh(a); return sum(exp(w)) + sum(exp(v)); }},
                                                 {" = qr ", [](Node a) { const auto [q, r] = qr(a); return sum(exp(q)) + sum(square(r)); }},
                                                 {" = svd ", [](Node a) { const auto [u, s, vt] = svd(a); return sum(exp(u)) + sum(exp(vt)) + sum(exp(s)); }},
                                                 {" = qr ", [](Node a) { return sum(square(lstsq(a, full_like(a, 1)))); }}};
    for (const auto& [its_name, f] : all) {
        const std::string name = its_name;
        Tape tape;
        const Node a = tape.parameter(Tensor{{3, 0.5, 0.25}, {0.5, 7, -0.5}, {1, 0.25, 12}}), y = f(a);
        CAPTURE(std::string(name));
        CHECK(count(to_text(Program(tape, {y, grad(y, a), hvp(y, a, a)})), name) == 1);
    }
}

TEST_CASE("edge: lstsq solves the normal equations, of batches and vectors") {
    for (DType dtype : floating) {
        const double eps = dtype == DType::float32 ? 1e-5 : 1e-13;
        Tape tape;
        const Node a = tape.parameter(Random(4).tensor({9, 4}, -1, 1, dtype)), b = tape.parameter(Random(5).tensor({9, 2}, -1, 1, dtype));
        const Node x = lstsq(a, b), normal = solve(matmul(a, a, {.x = true}), matmul(a, b, {.x = true}));
        CHECK(largest_of(x - normal) < eps);
        for (const Node& z : {a, b}) CHECK(largest_of(grad(sum(square(x)), z) - grad(sum(square(normal)), z)) < 30 * eps);
        CHECK(largest_of(hvp(sum(square(x)), a, a) - hvp(sum(square(normal)), a, a)) < 300 * eps);
        const Node v = tape.constant(Random(6).tensor({9}, -1, 1, dtype));
        CHECK(lstsq(a, v).shape() == Shape{4});
        CHECK(lstsq(stack(a, a, a), v).shape() == Shape({3, 4}));
        CHECK(same_bits(slice(lstsq(stack(a, -a), v), {{0, 1}}).value(), reshape(lstsq(a, v), {1, 4}).value()));
        CHECK(lstsq(a, stack(b, b)).shape() == Shape({2, 4, 2}));
        const Node square_one = tape.constant(Tensor::full({3, 3}, 1, dtype));
        CHECK(all_nan(values(lstsq(square_one, tape.constant(Tensor::full({3}, 1, dtype))))));
    }
}

TEST_CASE("edge: lstsq of dependent columns is NaN, with its derivatives; a small column is none") {
    for (DType dtype : floating)
        for (const Tensor& a : {make({1, 1, 1, 1, 1, 1}, {3, 2}, dtype), make({1, 0, 2, 0, 3, 0}, {3, 2}, dtype), make({1, 3, 2, 6, 7, 21}, {3, 2}, dtype),
                                make({1, nan, 2, 6, 7, 2}, {3, 2}, dtype)}) {
            Tape tape;
            const Node x = tape.parameter(a), b = tape.parameter(make({1, 2, 4}, dtype)), z = lstsq(x, b);
            CHECK(all_nan(values(z)));
            CHECK((all_nan(values(grad(sum(z), x))) && all_nan(values(grad(sum(z), b)))));
            CHECK(largest_of(grad(sum(where(z == z, z, 0.0)), x)) == 0);
        }
    Tape tape;
    const Node small = tape.constant(Tensor{{1, 0}, {1, 1e-200}, {1, 0}}), b = tape.constant(Tensor{1, 2, 1});
    CHECK(mismatch(lstsq(small, b), {1, 1e200}, {.relative = 1e-13}) == "");
}

TEST_CASE("edge: factorisations on several threads at once, and of which not all results are wanted, have the same bits") {
    Tape tape;
    const Node a = tape.input(Random(11).tensor({3, 37, 37}, -1, 1)), b = tape.input(Random(12).tensor({2, 70, 70}, -1, 1));
    const auto [w, v] = eigh(a);
    const auto [u, s, vt] = svd(b);
    const auto [q, r] = qr(a);
    const std::vector<Node> all = {w, v, u, s, vt, q, r, lu(a).factors, solve(b, b * b), eigh(b).values, slogdet(a).logabsdet};
    const Compiled together = compile(tape, all);
    std::vector<Compiled> apart;
    for (const Node& z : all) apart.push_back(compile(tape, {z}));
    std::vector<int> differ(4);
    std::vector<std::thread> threads;
    for (std::size_t t = 0; t < differ.size(); ++t)
        threads.emplace_back([&, t] {
            for (int turn = 0; turn < 3; ++turn) {
                Replay whole(together);
                whole.run();
                for (std::size_t k = 0; k < all.size(); ++k) {
                    Replay one(apart[k]);
                    one.run();
                    differ[t] += !same_bits(whole.output(k), all[k].value()) + !same_bits(one.output(0), all[k].value());
                }
            }
        });
    for (std::thread& thread : threads) thread.join();
    CHECK(differ == std::vector<int>(4));
}

TEST_CASE("edge: what eigh, qr, svd and lstsq refuse") {
    Tape tape;
    const Node wide = tape.input(Tensor::zeros({2, 3})), vector = tape.input(Tensor{1, 2}), whole = tape.input(Tensor::zeros({2, 2}, DType::int64));
    const Node a = tape.input(Tensor::zeros({2, 3, 2})), other_batch = tape.input(Tensor::zeros({3, 3, 2}));
    CHECK(refused<ShapeError>([&] { eigh(wide); }, {"eigh", {{2, 3}}}) == "");
    CHECK(refused<ShapeError>([&] { qr(vector); }, {"qr", {{2}}}) == "");
    CHECK(refused<ShapeError>([&] { svd(vector); }, {"svd", {{2}}}) == "");
    CHECK(refused<DTypeError>([&] { svd(whole); }, {"svd"}) == "");
    CHECK(refused<ShapeError>([&] { lstsq(wide, vector); }, {"lstsq", {{2, 3}, {2}}}) == "");
    CHECK(refused<ShapeError>([&] { lstsq(a, vector); }, {"lstsq", {{2, 3, 2}, {2}}}) == "");
    CHECK(refused<ShapeError>([&] { lstsq(a, other_batch); }, {"lstsq"}) == "");
    CHECK(refused<DTypeError>([&] { lstsq(whole, vector); }, {"lstsq"}) == "");
}

}  // namespace
}  // namespace gradtape::test

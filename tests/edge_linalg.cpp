// Pinned values and derivatives of factorisations: matrices that have none, what is not read, batches, residuals of large ones.
#include "support/refusals.hpp"
#include "support/tensors.hpp"

#include <gradtape/check.hpp>
#include <gradtape/linalg.hpp>

#include <doctest/doctest.h>

#include <cmath>

namespace gradtape::test {
namespace {

/// A random symmetric matrix (n, n) whose eigenvalues are positive.
Node definite(Tape& tape, std::int64_t n, std::uint64_t seed) {
    const Node m = tape.constant(Random(seed).tensor({n, n}, -1, 1));
    std::vector<double> ones;
    for (std::int64_t i = 0; i < n * n; ++i) ones.push_back(i % (n + 1) == 0);
    return tape.parameter((matmul(m, m, {.y = true}) + tape.constant(make(ones, {n, n}))).value());
}
double largest(Node x) { return max(abs(x)).item(); }

TEST_CASE("edge: cholesky reads the lower triangle, and its gradient is 0 above") {
    for (DType dtype : floating) {
        for (double above : {7.0, inf, nan}) {
            const Pulled z = pull([](Node a) { return cholesky(a); }, make({4, above, 2, 5}, {2, 2}, dtype));
            CHECK(mismatch(z.value, {2, 0, 1, 2}) == "");
            CHECK(mismatch(z.x_bar, {0.1875, 0, 0.25, 0.25}, {.relative = 1e-6}) == "");  // of √a, b/√a and √(c − b²/a)
        }
    }
}

TEST_CASE("edge: cholesky is NaN where a matrix is not positive definite or not finite, and that one only") {
    for (DType dtype : floating) {
        const Unary f = [](Node a) { return cholesky(a); };
        for (const auto& bad : {std::vector<double>{1, 0, 2, 1}, {0, 0, 0, 0}, {1, 0, 1, 1}, {-1, 0, 0, 1}, {nan, 0, 0, 1}, {1, 0, nan, 1}, {1, 0, 0, inf}, {inf, 0, 1, 1}}) {
            std::vector<double> both = {4, 0, 2, 5};
            both.insert(both.end(), bad.begin(), bad.end());
            const Pulled z = pull(f, make(both, {2, 2, 2}, dtype));
            CHECK(mismatch(z.value, {2, 0, 1, 2, nan, 0, nan, nan}) == "");
            const std::vector<double> bar = z.x_bar;
            CHECK(bar[0] == doctest::Approx(0.1875));
            CHECK((std::isnan(bar[4]) && bar[5] == 0 && std::isnan(bar[6]) && std::isnan(bar[7])));
            // left out by where, it does not reach the others
            const Unary g = [](Node a) {
                const Node l = cholesky(a);
                return where(l == l, l, 0.0);
            };
            const std::vector<double> masked = pull(g, make(both, {2, 2, 2}, dtype)).x_bar;
            CHECK(masked[0] == doctest::Approx(0.1875));
            for (std::size_t i = 4; i < 8; ++i) CHECK(masked[i] == 0);
        }
    }
}

TEST_CASE("edge: cholesky and triangular systems of size 90, whose factors give the matrix again") {
    Tape tape;
    const std::int64_t n = 90;
    const Node a = definite(tape, n, 5), l = cholesky(a);
    CHECK(largest(matmul(l, l, {.y = true}) - a) < 1e-13 * largest(a));
    CHECK(largest(triu(l, 1)) == 0);
    const Node b = tape.constant(Random(6).tensor({n, 3}, -1, 1));
    const Node x = triangular_solve(l, triangular_solve(l, b), {.transpose = true});
    CHECK(largest(matmul(a, x) - b) < 1e-12);
    CHECK(largest(triangular_solve(a, matmul(triu(a), b), {.lower = false}) - b) < 1e-10);
}

TEST_CASE("edge: triangular_solve reads one triangle, broadcasts batches, and takes vectors") {
    Tape tape;
    const Node a = tape.parameter(Tensor{{2, nan}, {1, 4}}), v = tape.constant(Tensor{2, 9});
    CHECK(mismatch(triangular_solve(a, v), {1, 2}) == "");
    CHECK(triangular_solve(a, v).shape() == Shape{2});
    CHECK(mismatch(triangular_solve(a, v, {.transpose = true}), {-0.125, 2.25}) == "");
    CHECK(mismatch(triangular_solve(a, v, {.unit_diagonal = true}), {2, 7}) == "");
    CHECK(mismatch(grad(sum(triangular_solve(a, v)), a), {-0.375, 0, -0.25, -0.5}) == "");
    CHECK(mismatch(grad(sum(triangular_solve(a, v, {.unit_diagonal = true})), a), {0, 0, -2, 0}) == "");
    const Node stacked = tape.constant(Tensor::full({5, 2, 3}, 1));
    CHECK(triangular_solve(a, stacked).shape() == Shape({5, 2, 3}));
    CHECK(triangular_solve(stack(a, a, a), tape.constant(Tensor{{2, 1}, {9, 1}})).shape() == Shape({3, 2, 2}));
    CHECK(mismatch(triangular_solve(tape.constant(Tensor{{0, 0}, {1, 1}}), v), {nan, nan}) == "");
    CHECK(mismatch(triangular_solve(tape.constant(Tensor{{1, 0}, {1, nan}}), v), {nan, nan}) == "");
    CHECK(mismatch(triangular_solve(tape.constant(Tensor{{1e-310, 0}, {0, 1}}), tape.constant(Tensor{3e-310, 2})), {3, 2}, {.relative = 1e-13}) == "");
    const Node both = triangular_solve(stack(a, a), v);
    CHECK(both.shape() == Shape({2, 2}));
    CHECK(mismatch(both, {1, 2, 1, 2}) == "");
    CHECK(solve(stack(triu(a), triu(a) * 0.0 + 1.0, triu(a)), v).shape() == Shape({3, 2}));
}

TEST_CASE("edge: solve, inv, det and slogdet of a regular matrix of size 70") {
    Tape tape;
    const std::int64_t n = 70;
    const Node a = tape.parameter(Random(9).tensor({n, n}, -1, 1)), b = tape.constant(Random(8).tensor({n}, -1, 1));
    const Lu factors = lu(a);
    CHECK(largest(matmul(a, solve(a, b)) - b) < 1e-11);
    CHECK(same_bits(solve(factors, b).value(), solve(a, b).value()));
    const Node product = matmul(a, inv(factors));
    CHECK(std::abs(sum(product).item() - double(n)) < 1e-9);
    const auto [sign, log] = slogdet(factors);
    CHECK(det(factors).item() == doctest::Approx(sign.item() * std::exp(log.item())));
    CHECK(mismatch(grad(log, a), values(transpose(inv(a)).value()), {.scale = 1e-12}) == "");
}

TEST_CASE("edge: one factorisation serves value, gradient and Hessian-vector product") {
    const Unary all[] = {[](Node a) { return sum(square(solve(a, full_like(a, 1)))); }, [](Node a) { return sum(square(inv(a))); },
                         [](Node a) { return slogdet(a).logabsdet; }, [](Node a) { return square(det(a)); }};
    for (const Unary& f : all) {
        Tape tape;
        const Node a = definite(tape, 4, 3), y = f(a);
        const std::string text = to_text(Program(tape, {y, grad(y, a), hvp(y, a, a)}));
        std::size_t count = 0;
        for (std::size_t at = 0; (at = text.find(" = lu ", at)) != std::string::npos; ++at) ++count;
        CHECK(count == 1);
    }
}

TEST_CASE("edge: a batch of right sides is one system, for which its matrix is not copied") {
    Tape tape;
    const Node a = definite(tape, 3, 3), b = tape.input(Random(2).tensor({5, 3, 2}, -1, 1));
    const std::pair<const char*, Binary> all[] = {{" = solve ", [](Node x, Node y) { return solve(x, y); }},
                                                  {" = triangular_solve ", [](Node x, Node y) { return triangular_solve(x, y); }}};
    for (const auto& [name, function] : all) {
        const Binary f = function;  // a lambda of clang 14 captures no structured binding
        const Node z = vmap([&](std::span<const Node> at) { return std::vector<Node>{f(at[0], at[1])}; }, {a, b}, {{unmapped, 0}, 0})[0];
        CHECK(mismatch(z, values(f(a, b)), {.relative = 1e-13}) == "");
        const std::string text = to_text(Program(tape, z));
        const std::size_t at = text.find(name);
        CHECK(at != text.npos);
        CHECK(text.find("float64(3, 10)", at) < text.find('\n', at));
    }
}

TEST_CASE("edge: of a singular matrix") {
    for (DType dtype : floating) {
        const Tensor rank_one = make({1, 2, 2, 4}, {2, 2}, dtype), nothing = Tensor::zeros({2, 2}, dtype);
        const Pulled one = pull([](Node a) { return det(a); }, rank_one), none = pull([](Node a) { return det(a); }, nothing);
        CHECK(mismatch(one.value, {0}) == "");
        CHECK(mismatch(one.x_bar, {4, -2, -2, 1}, {.relative = 1e-6}) == "");  // the adjugate's transposed
        CHECK(mismatch(none.x_bar, {0, 0, 0, 0}) == "");
        const Tensor rank_two = make({0, 0, 0, 0, 2, 1, 0, 1, 3}, {3, 3}, dtype);
        CHECK(mismatch(pull([](Node a) { return det(a); }, rank_two).x_bar, {5, 0, 0, 0, 0, 0, 0, 0, 0}, {.relative = 1e-6}) == "");
        for (const Tensor& a : {rank_one, nothing}) {
            CHECK(mismatch(pull([](Node x) { return inv(x); }, a).value, {nan, nan, nan, nan}) == "");
            CHECK(mismatch(pull([](Node x) { return solve(x, full_like(x, 1)); }, a).x_bar, {nan, nan, nan, nan}) == "");
            CHECK(mismatch(pull([](Node x) { return slogdet(x).sign; }, a).value, {0}) == "");
            CHECK(mismatch(pull([](Node x) { return slogdet(x).logabsdet; }, a).value, {-inf}) == "");
            CHECK(mismatch(pull([](Node x) { return slogdet(x).logabsdet; }, a).x_bar, {nan, nan, nan, nan}) == "");
            CHECK(mismatch(derivative([](Node x) { return det(x); }, a, 2), {nan, nan, nan, nan}) == "");
        }
    }
}

TEST_CASE("edge: lu, solve, inv and det of what is not finite are NaN, of that matrix of a batch only") {
    const Unary all[] = {[](Node a) { return lu(a).factors; }, [](Node a) { return solve(a, full_like(a, 1)); }, [](Node a) { return inv(a); },
                         [](Node a) { return reshape(det(a), {2, 1, 1}) * full_like(a, 1); },
                         [](Node a) { return reshape(slogdet(a).logabsdet, {2, 1, 1}) * full_like(a, 1); }};
    for (DType dtype : floating)
        for (double bad : {nan, inf, -inf})
            for (std::size_t at = 4; at < 8; ++at)
                for (const Unary& f : all) {
                    std::vector<double> a = {2, 1, 1, 3, 2, 1, 1, 3};
                    a[at] = bad;
                    const Pulled z = pull(f, make(a, {2, 2, 2}, dtype));
                    for (std::size_t i = 0; i < 8; ++i) {
                        CHECK(std::isnan(z.value[i]) == (i >= 4));
                        CHECK(std::isnan(z.x_bar[i]) == (i >= 4));
                    }
                }
    Tape tape;  // pivots of a matrix of NaNs are places of it
    const Lu z = lu(tape.input(Tensor::full({9, 9}, nan)));
    CHECK(mismatch(z.permutation, {0, 1, 2, 3, 4, 5, 6, 7, 8}) == "");
}

TEST_CASE("edge: what factorisations refuse") {
    Tape tape;
    const Node wide = tape.input(Tensor::zeros({2, 3})), vector = tape.input(Tensor{1, 2}), whole = tape.input(Tensor::zeros({2, 2}, DType::int64));
    const Node a = tape.input(Tensor::zeros({2, 2, 2})), long_one = tape.input(Tensor::zeros({3, 2})), other_batch = tape.input(Tensor::zeros({3, 2, 2}));
    CHECK(refused<ShapeError>([&] { cholesky(wide); }, {"cholesky", {{2, 3}}}) == "");
    CHECK(refused<ShapeError>([&] { cholesky(vector); }, {"cholesky", {{2}}}) == "");
    CHECK(refused<ShapeError>([&] { tril(vector); }, {"triangle", {{2}}}) == "");
    CHECK(refused<DTypeError>([&] { cholesky(whole); }, {"cholesky"}) == "");
    CHECK(refused<ShapeError>([&] { triangular_solve(a, long_one); }, {"triangular_solve", {{2, 2, 2}, {3, 2}}}) == "");
    CHECK(refused<ShapeError>([&] { triangular_solve(a, other_batch); }, {"triangular_solve"}) == "");
}

}  // namespace
}  // namespace gradtape::test

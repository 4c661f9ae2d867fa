#include "naive_matrices.hpp"

#include <algorithm>
#include <cmath>

namespace gradtape::test::naive {
namespace {

using Real = long double;
using Reals = std::vector<Real>;

Matrix zeros(std::size_t rows, std::size_t columns) { return {rows, columns, Reals(rows * columns)}; }

/// a⁻¹ b by Gauss and Jordan with the largest of all elements as pivot.
Matrix solved(Matrix a, Matrix b) {
    const std::size_t n = a.rows;
    std::vector<std::size_t> row_of(n);  // of each unknown
    std::vector<bool> used(n), found(n);
    for (std::size_t step = 0; step < n; ++step) {
        std::size_t r = n, c = n;
        for (std::size_t i = 0; i < n; ++i)
            for (std::size_t j = 0; j < n; ++j)
                if (!used[i] && !found[j] && (r == n || std::abs(a(i, j)) > std::abs(a(r, c)))) r = i, c = j;
        used[r] = found[c] = true;
        row_of[c] = r;
        for (std::size_t i = 0; i < n; ++i) {
            if (i == r) continue;
            const Real factor = a(i, c) / a(r, c);
            for (std::size_t j = 0; j < n; ++j) a(i, j) -= factor * a(r, j);
            for (std::size_t j = 0; j < b.columns; ++j) b(i, j) -= factor * b(r, j);
        }
    }
    Matrix x = zeros(n, b.columns);
    for (std::size_t i = 0; i < n; ++i)
        for (std::size_t j = 0; j < b.columns; ++j) x(i, j) = b(row_of[i], j) / a(row_of[i], i);
    return x;
}

/// Row by row, each element by its own sum; and which rows of a they are.
struct Eliminated {
    Matrix lu;
    Reals rows;
};
Eliminated eliminated(const Matrix& a) {
    const std::size_t n = a.rows;
    Eliminated z{a, {}};
    for (std::size_t i = 0; i < n; ++i) z.rows.push_back(Real(i));
    for (std::size_t k = 0; k < n; ++k) {
        std::size_t pivot = k;
        for (std::size_t i = k; i < n; ++i) {
            for (std::size_t j = 0; j < k; ++j) z.lu(i, k) -= z.lu(i, j) * z.lu(j, k);
            if (std::abs(z.lu(i, k)) > std::abs(z.lu(pivot, k))) pivot = i;
        }
        std::swap(z.rows[k], z.rows[pivot]);
        for (std::size_t j = 0; j < n; ++j)
            if (pivot != k) std::swap(z.lu(k, j), z.lu(pivot, j));
        for (std::size_t i = k + 1; i < n; ++i) z.lu(i, k) /= z.lu(k, k);
        for (std::size_t j = k + 1; j < n; ++j)
            for (std::size_t i = 0; i < k; ++i) z.lu(k, j) -= z.lu(k, i) * z.lu(i, j);
    }
    return z;
}

/// Of the rows and columns that are left, by the first row's minors (Laplace).
Real determinant(const Matrix& a) {
    if (a.rows == 0) return 1;
    Real total = 0;
    for (std::size_t c = 0; c < a.rows; ++c) {
        Matrix minor = zeros(a.rows - 1, a.rows - 1);
        for (std::size_t i = 1; i < a.rows; ++i)
            for (std::size_t j = 0; j < a.rows; ++j)
                if (j != c) minor(i - 1, j - (j > c)) = a(i, j);
        total += (c % 2 ? -1 : 1) * a(0, c) * determinant(minor);
    }
    return total;
}

}  // namespace

Matrix matrix(const Shape& shape, const Reals& elements, std::int64_t k) {
    const std::size_t rows = std::size_t(shape[shape.rank() - 2]), columns = std::size_t(shape.back()), size = rows * columns;
    const auto first = elements.begin() + k * std::int64_t(size);
    return {rows, columns, Reals(first, first + std::int64_t(size))};
}

Reals triangle(const Matrices& x, const Attributes& attributes) {
    Matrix z = x[0];
    const std::int64_t diagonal = attributes.get<std::int64_t>("diagonal");
    for (std::size_t i = 0; i < z.rows; ++i)
        for (std::size_t j = 0; j < z.columns; ++j) {
            const std::int64_t column = std::int64_t(i) + diagonal;  // of the diagonal in this row
            const bool kept = std::int64_t(j) == column || (std::int64_t(j) < column) == attributes.get<bool>("lower");
            if (!kept) z(i, j) = 0;
        }
    return z.elements;
}

/// By Schur complements, outer products: a = l lᵀ + the rest.
Reals cholesky(const Matrices& x, const Attributes&) {
    Matrix rest = x[0], l = zeros(rest.rows, rest.rows);
    const std::size_t n = rest.rows;
    for (std::size_t k = 0; k < n; ++k) {
        const Real pivot = rest(k, k);
        for (std::size_t i = k; i < n; ++i) l(i, k) = rest(i, k) / std::sqrt(pivot);
        for (std::size_t i = k; i < n; ++i)
            for (std::size_t j = k; j <= i; ++j) rest(i, j) -= rest(i, k) * rest(j, k) / pivot * (i == k || j == k ? 0 : 1);
    }
    return l.elements;
}

/// The triangle written out, as any other matrix.
Reals triangular_solve(const Matrices& x, const Attributes& attributes) {
    const std::size_t n = x[0].rows;
    Matrix a = zeros(n, n);
    for (std::size_t i = 0; i < n; ++i)
        for (std::size_t j = 0; j < n; ++j) {
            Real element = attributes.get<bool>("lower") ? (j <= i ? x[0](i, j) : 0) : (j >= i ? x[0](i, j) : 0);
            if (i == j && attributes.get<bool>("unit_diagonal")) element = 1;
            attributes.get<bool>("transpose") ? a(j, i) = element : a(i, j) = element;
        }
    return solved(a, x[1]).elements;
}

Reals lu(const Matrices& x, const Attributes&) { return eliminated(x[0]).lu.elements; }
Reals lu_rows(const Matrices& x, const Attributes&) { return eliminated(x[0]).rows; }
Reals solve(const Matrices& x, const Attributes& attributes) {
    Matrix a = x[0];
    for (std::size_t i = 0; i < a.rows && attributes.get<bool>("transpose"); ++i)
        for (std::size_t j = 0; j < i; ++j) std::swap(a(i, j), a(j, i));
    return solved(a, x[1]).elements;
}
Reals inv(const Matrices& x, const Attributes&) {
    Matrix one = zeros(x[0].rows, x[0].rows);
    for (std::size_t i = 0; i < one.rows; ++i) one(i, i) = 1;
    return solved(x[0], one).elements;
}
Reals det(const Matrices& x, const Attributes&) { return {determinant(x[0])}; }
Reals det_sign(const Matrices& x, const Attributes&) { return {determinant(x[0]) > 0 ? Real(1) : Real(-1)}; }
Reals log_det(const Matrices& x, const Attributes&) { return {std::log(std::abs(determinant(x[0])))}; }

/// Element (j, i) is the determinant with row i that of the unit matrix at j.
Reals adjugate(const Matrices& x, const Attributes&) {
    Matrix z = x[0];
    for (std::size_t i = 0; i < z.rows; ++i)
        for (std::size_t j = 0; j < z.rows; ++j) {
            Matrix a = x[0];
            for (std::size_t c = 0; c < z.rows; ++c) a(i, c) = c == j;
            z(j, i) = determinant(a);
        }
    return z.elements;
}

}  // namespace gradtape::test::naive

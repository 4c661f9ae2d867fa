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

namespace {

Matrix symmetric(const Matrix& x, Real shift) {
    Matrix a = x;
    for (std::size_t i = 0; i < a.rows; ++i) {
        for (std::size_t j = 0; j < i; ++j) a(j, i) = a(i, j);
        a(i, i) -= shift;
    }
    return a;
}
/// How many values are below `shift`: negative pivots (Sylvester).
std::size_t below(const Matrix& x, Real shift) {
    const Matrix a = symmetric(x, shift);
    std::size_t negative = 0;
    Matrix rest = a;
    for (std::size_t k = 0; k < a.rows; ++k) {
        negative += rest(k, k) < 0;
        for (std::size_t i = k + 1; i < a.rows; ++i)
            for (std::size_t j = a.rows; j-- > k;) rest(i, j) -= rest(i, k) / rest(k, k) * rest(k, j);
    }
    return negative;
}

}  // namespace

/// By bisection.
Reals eigenvalues(const Matrices& x, const Attributes&) {
    Reals result;
    for (std::size_t k = 0; k < x[0].rows; ++k) {
        Real low = -1000, high = 1000;
        for (int step = 0; step < 80; ++step) {
            const Real middle = (low + high) / 2;
            (below(x[0], middle) > k ? high : low) = middle;
        }
        result.push_back((low + high) / 2);
    }
    return result;
}

/// By inverse iteration.
Reals eigenvectors(const Matrices& x, const Attributes& attributes) {
    const std::size_t n = x[0].rows;
    Matrix z = zeros(n, n);
    const Reals values = eigenvalues(x, attributes);
    for (std::size_t k = 0; k < n; ++k) {
        Matrix v = zeros(n, 1);
        for (std::size_t i = 0; i < n; ++i) v(i, 0) = 1 + Real(i) / 7;
        for (int step = 0; step < 6; ++step) {
            v = solved(symmetric(x[0], values[k] + 1e-6L), v);
            Real length = 0, largest = 0;
            for (std::size_t i = 0; i < n; ++i) {
                length = std::hypot(length, v(i, 0));
                if (std::abs(v(i, 0)) > std::abs(largest)) largest = v(i, 0);
            }
            for (Real& e : v.elements) e /= std::copysign(length, largest);
        }
        for (std::size_t i = 0; i < n; ++i) z(i, k) = v(i, 0);
    }
    return z.elements;
}

namespace {

/// By Gram and Schmidt, twice.
struct Orthogonal {
    Matrix q, r;
};
Orthogonal orthogonal(const Matrix& a) {
    const std::size_t least = std::min(a.rows, a.columns);
    Orthogonal z{zeros(a.rows, least), zeros(least, a.columns)};
    for (std::size_t c = 0; c < a.columns; ++c) {
        Reals rest;
        for (std::size_t i = 0; i < a.rows; ++i) rest.push_back(a(i, c));
        for (int again = 0; again < 2; ++again)
            for (std::size_t j = 0; j < std::min(c, least); ++j) {
                Real dot = 0;
                for (std::size_t i = 0; i < a.rows; ++i) dot += z.q(i, j) * rest[i];
                for (std::size_t i = 0; i < a.rows; ++i) rest[i] -= dot * z.q(i, j);
                z.r(j, c) += dot;
            }
        if (c >= least) continue;
        Real length = 0;
        for (Real e : rest) length = std::hypot(length, e);
        z.r(c, c) = length;
        for (std::size_t i = 0; i < a.rows; ++i) z.q(i, c) = rest[i] / length;
    }
    return z;
}

Matrix transposed(const Matrix& a) {
    Matrix z = zeros(a.columns, a.rows);
    for (std::size_t i = 0; i < a.rows; ++i)
        for (std::size_t j = 0; j < a.columns; ++j) z(j, i) = a(i, j);
    return z;
}
Matrix product(const Matrix& a, const Matrix& b) {
    Matrix z = zeros(a.rows, b.columns);
    for (std::size_t i = 0; i < a.rows; ++i)
        for (std::size_t j = 0; j < b.columns; ++j)
            for (std::size_t k = 0; k < a.columns; ++k) z(i, j) += a(i, k) * b(k, j);
    return z;
}

/// Squares of the values, and one side's vectors, are those of the product with the transposed matrix.
struct Singular {
    Matrix u, vt;
    Reals s;
};
Singular singular(const Matrix& a, const Attributes& attributes) {
    const bool wide = a.rows < a.columns;
    const Matrix at = transposed(a), squares = wide ? product(a, at) : product(at, a);
    const std::size_t n = squares.rows;
    const Reals values = eigenvalues({squares}, attributes);
    const Matrix ascending{n, n, eigenvectors({squares}, attributes)};
    Matrix given = zeros(n, n);
    Singular z{{}, {}, {}};
    for (std::size_t k = 0; k < n; ++k) {
        z.s.push_back(std::sqrt(values[n - 1 - k]));
        for (std::size_t i = 0; i < n; ++i) given(i, k) = ascending(i, n - 1 - k);
    }
    Matrix other = product(wide ? at : a, given);
    for (std::size_t i = 0; i < other.rows; ++i)
        for (std::size_t k = 0; k < n; ++k) other(i, k) /= z.s[k];
    z.u = wide ? given : other;
    z.vt = transposed(wide ? other : given);
    for (std::size_t k = 0; k < n; ++k) {
        Real largest = 0;
        for (std::size_t i = 0; i < z.u.rows; ++i)
            if (std::abs(z.u(i, k)) > std::abs(largest)) largest = z.u(i, k);
        for (std::size_t i = 0; i < z.u.rows && largest < 0; ++i) z.u(i, k) = -z.u(i, k);
        for (std::size_t j = 0; j < z.vt.columns && largest < 0; ++j) z.vt(k, j) = -z.vt(k, j);
    }
    return z;
}

}  // namespace

Reals qr_q(const Matrices& x, const Attributes&) { return orthogonal(x[0]).q.elements; }
Reals qr_r(const Matrices& x, const Attributes&) { return orthogonal(x[0]).r.elements; }
Reals svd_u(const Matrices& x, const Attributes& attributes) { return singular(x[0], attributes).u.elements; }
Reals svd_s(const Matrices& x, const Attributes& attributes) { return singular(x[0], attributes).s; }
Reals svd_vt(const Matrices& x, const Attributes& attributes) { return singular(x[0], attributes).vt.elements; }

}  // namespace gradtape::test::naive

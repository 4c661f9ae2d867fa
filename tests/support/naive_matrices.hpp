// References for linear algebra: one matrix at a time, by textbook methods other than the library's.
#pragma once

#include <gradtape/primitive.hpp>

#include <vector>

namespace gradtape::test::naive {

struct Matrix {
    std::size_t rows = 0, columns = 0;
    std::vector<long double> elements;
    long double& operator()(std::size_t i, std::size_t j) { return elements[i * columns + j]; }
    long double operator()(std::size_t i, std::size_t j) const { return elements[i * columns + j]; }
};
/// Matrix k of a batch.
Matrix matrix(const Shape& shape, const std::vector<long double>& elements, std::int64_t k);

using Matrices = std::vector<Matrix>;
std::vector<long double> triangle(const Matrices& x, const Attributes& attributes);
std::vector<long double> cholesky(const Matrices& x, const Attributes& attributes);
std::vector<long double> triangular_solve(const Matrices& x, const Attributes& attributes);
std::vector<long double> eigenvalues(const Matrices& x, const Attributes& attributes);
std::vector<long double> eigenvectors(const Matrices& x, const Attributes& attributes);
std::vector<long double> qr_q(const Matrices& x, const Attributes& attributes);
std::vector<long double> qr_r(const Matrices& x, const Attributes& attributes);
std::vector<long double> svd_u(const Matrices& x, const Attributes& attributes);
std::vector<long double> svd_s(const Matrices& x, const Attributes& attributes);
std::vector<long double> svd_vt(const Matrices& x, const Attributes& attributes);
std::vector<long double> lu(const Matrices& x, const Attributes& attributes);
std::vector<long double> lu_rows(const Matrices& x, const Attributes& attributes);
std::vector<long double> solve(const Matrices& x, const Attributes& attributes);
std::vector<long double> inv(const Matrices& x, const Attributes& attributes);
std::vector<long double> adjugate(const Matrices& x, const Attributes& attributes);
std::vector<long double> det(const Matrices& x, const Attributes& attributes);
std::vector<long double> det_sign(const Matrices& x, const Attributes& attributes);
std::vector<long double> log_det(const Matrices& x, const Attributes& attributes);

}  // namespace gradtape::test::naive

// A matrix product as the kernels take it.
#pragma once

#include <cstdint>

namespace gradtape::detail {

/// c (m, n) = op(a) op(b); or c + scale op(a) op(b), if `add`. The small kernel goes on to add `bias` (n) to each row, unless
/// it is null, and then to apply relu, if asked to. Row-major: a is stored (m, k), or (k, m) if ta; b is
/// stored (k, n), or (n, k) if tb. Rows lie a_row, b_row and c_row elements apart.
template <class T>
struct Product {
    bool ta, tb;
    bool add = false, relu = false;
    std::int64_t m, n, k;
    const T *a, *b;
    T* c;
    T scale = 1;
    std::int64_t a_row, b_row, c_row;
    const T* bias = nullptr;

    /// Without gaps between rows. (A constructor, because compilers clear an aggregate as a block before they fill it in,
    /// which costs more than the product of two small matrices.)
    Product(bool ta, bool tb, std::int64_t m, std::int64_t n, std::int64_t k, const T* a, const T* b, T* c)
        : ta(ta), tb(tb), m(m), n(n), k(k), a(a), b(b), c(c), a_row(ta ? m : k), b_row(tb ? k : n), c_row(n) {}
};

/// c' = op(b)' op(a)', of the same operands, and no more.
template <class T>
Product<T> transposed(const Product<T>& p) {
    Product<T> other(!p.tb, !p.ta, p.n, p.m, p.k, p.b, p.a, p.c);
    other.a_row = p.b_row;
    other.b_row = p.a_row;
    return other;
}

/// Rows begin to end of c.
template <class T>
Product<T> rows(Product<T> p, std::int64_t begin, std::int64_t end) {
    p.a += p.ta ? begin : begin * p.a_row;
    p.c += begin * p.c_row;
    p.m = end - begin;
    return p;
}

/// Columns begin to end of c.
template <class T>
Product<T> columns(Product<T> p, std::int64_t begin, std::int64_t end) {
    p.b += p.tb ? begin * p.b_row : begin;
    p.c += begin;
    if (p.bias) p.bias += begin;
    p.n = end - begin;
    return p;
}

}  // namespace gradtape::detail

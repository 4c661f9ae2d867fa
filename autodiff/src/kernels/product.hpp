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
    std::int64_t m, n, k;
    const T *a, *b;
    T* c;
    bool add = false;
    T scale = 1;
    std::int64_t a_row = ta ? m : k, b_row = tb ? k : n, c_row = n;
    const T* bias = nullptr;
    bool relu = false;
};

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

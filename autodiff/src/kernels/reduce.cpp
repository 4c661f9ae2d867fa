// Sum, product, maximum and minimum along one axis.
#include "reduce.hpp"

#include <type_traits>

#include "fold.hpp"

namespace gradtape::detail::GRADTAPE_ISA {
namespace {

template <class Op, class T>
void fold_each_row(const T* x, T* z, int64_t outer, int64_t reduced) {
    for_each_register<T>(outer, [=](int64_t first, int count) GRADTAPE_INLINE_LAMBDA {
        const Vec<T> result = fold_each<Op, T>(count, [=](int r) GRADTAPE_INLINE_LAMBDA {
            return fold_row_to_register<Op>(x + (first + r) * reduced, reduced);
        });
        store_count<T>(z + first, result, count);
    });
}

template <class Op, int N, class T>
GRADTAPE_INLINE void fold_columns(const T* x, T* z, int64_t reduced, int64_t inner) {
    auto at = [=](int64_t row, int j) GRADTAPE_INLINE_LAMBDA { return load(x + row * inner + j * lanes<T>); };
    const Row<T, N> sum = fold_rows<Op, T, N>(reduced, at, [](Row<T, N>&) {});
    for (int j = 0; j < N; ++j) store(z + j * lanes<T>, sum.at[j]);
}

template <class Op, class T>
GRADTAPE_INLINE void fold_first_columns(const T* x, T* z, int64_t reduced, int64_t inner, int count) {
    auto at = [=](int64_t row, int) GRADTAPE_INLINE_LAMBDA {
        return load_first(x + row * inner, count, Op::template identity<T>);
    };
    store_first(z, fold_rows<Op, T, 1>(reduced, at, [](Row<T, 1>&) {}).at[0], count);
}

template <class Op, class T>
void fold_all_columns(const T* x, T* z, int64_t outer, int64_t reduced, int64_t inner) {
    constexpr int width = lanes<T>, N = row_registers<T>;
    for (int64_t o = 0; o < outer; ++o, x += reduced * inner, z += inner) {
        int64_t i = 0;
#ifdef __AVX512F__  // whose 32 registers let a kilobyte of each row be read at a time
        for (; i + 16 * width <= inner; i += 16 * width) fold_columns<Op, 16>(x + i, z + i, reduced, inner);
#endif
        for (; i + N * width <= inner; i += N * width) fold_columns<Op, N>(x + i, z + i, reduced, inner);
        for (; i + width <= inner; i += width) fold_columns<Op, 1>(x + i, z + i, reduced, inner);
        if (i < inner) fold_first_columns<Op>(x + i, z + i, reduced, inner, static_cast<int>(inner - i));
    }
}

// Integers: every order gives the same bits (sums and products wrap around), so there is no tree to keep.
template <class Op>
void fold_integers(const int64_t* x, int64_t* z, int64_t outer, int64_t reduced, int64_t inner, int64_t identity) {
    auto combine = [](int64_t a, int64_t b) GRADTAPE_INLINE_LAMBDA {
        using U = std::uint64_t;
        if constexpr (std::is_same_v<Op, Sum> || std::is_same_v<Op, Prod>)
            return static_cast<int64_t>(Op::combine(static_cast<U>(a), static_cast<U>(b)));
        else
            return Op::combine(a, b);
    };
    for (int64_t o = 0; o < outer; ++o, z += inner) {
        for (int64_t i = 0; i < inner; ++i) z[i] = identity;
        for (int64_t r = 0; r < reduced; ++r, x += inner)
            for (int64_t i = 0; i < inner; ++i) z[i] = combine(z[i], x[i]);
    }
}

template <class Op, class T>
void reduce(const T* x, T* z, int64_t outer, int64_t reduced, int64_t inner, [[maybe_unused]] T integer_identity) {
    if constexpr (std::is_integral_v<T>)
        fold_integers<Op>(x, z, outer, reduced, inner, integer_identity);
    else if (inner == 1)
        fold_each_row<Op>(x, z, outer, reduced);
    else
        fold_all_columns<Op>(x, z, outer, reduced, inner);
}

}  // namespace

template <class T>
void reduce_sum(const T* x, T* z, int64_t outer, int64_t reduced, int64_t inner) {
    reduce<Sum>(x, z, outer, reduced, inner, T(0));
}
template <class T>
void reduce_prod(const T* x, T* z, int64_t outer, int64_t reduced, int64_t inner) {
    reduce<Prod>(x, z, outer, reduced, inner, T(1));
}
template <class T>
void reduce_max(const T* x, T* z, int64_t outer, int64_t reduced, int64_t inner) {
    reduce<Max>(x, z, outer, reduced, inner, std::numeric_limits<T>::lowest());
}
template <class T>
void reduce_min(const T* x, T* z, int64_t outer, int64_t reduced, int64_t inner) {
    reduce<Min>(x, z, outer, reduced, inner, std::numeric_limits<T>::max());
}

#define GRADTAPE_INSTANTIATE(T)                                          \
    template void reduce_sum(const T*, T*, int64_t, int64_t, int64_t);   \
    template void reduce_prod(const T*, T*, int64_t, int64_t, int64_t);  \
    template void reduce_max(const T*, T*, int64_t, int64_t, int64_t);   \
    template void reduce_min(const T*, T*, int64_t, int64_t, int64_t);
GRADTAPE_INSTANTIATE(float)
GRADTAPE_INSTANTIATE(double)
GRADTAPE_INSTANTIATE(std::int64_t)
#undef GRADTAPE_INSTANTIATE

}  // namespace gradtape::detail::GRADTAPE_ISA

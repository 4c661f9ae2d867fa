// Elementwise operations in a row, a few registers at a time: each link of a chain computes a tile, and passes it on in
// registers to the link after it by a tail call. The same kernels as in loops, on the same elements: the same bits.
#pragma once

#include <gradtape/primitive.hpp>

#include "simd.hpp"

namespace gradtape::detail::GRADTAPE_ISA {
namespace {

constexpr int tile_registers = 4;  ///< hides the latency of one operation behind the others' work
static_assert(tile_registers * sizeof(Vec<float>) <= tile_bytes);

/// The true type of Link::whole (of as many registers as a tile has) and Link::last (of one): the tile is at `offset`
/// bytes, and the chain starts again at `first` for the next one before `end`.
template <class... V>
using LinkFunction = void (*)(const Link* link, std::size_t offset, const Link* first, std::size_t end, V... registers);

template <class... V>
LinkFunction<V...> function_of(const Link& link) {
    return reinterpret_cast<LinkFunction<V...>>(sizeof...(V) == 1 ? link.last : link.whole);
}

template <class... V>
void end_chain(const Link*, std::size_t offset, const Link* first, std::size_t end, V... given) {
    constexpr std::size_t step = (sizeof(V) + ...);
    offset += step;
    if (offset + step <= end) function_of<V...>(*first)(first, offset, first, end, given...);
}

template <class T>
GRADTAPE_INLINE T* address(const Place& place, std::size_t offset) {
    return const_cast<T*>(reinterpret_cast<const T*>(static_cast<const char*>(place.data) + (offset & place.within)));
}

/// Writes a result down where the link says so, and goes on to the next link.
template <class T, class... V>
GRADTAPE_INLINE void hand_on(const Link* link, std::size_t offset, const Link* first, std::size_t end, V... result) {
    if (link->out.data) {
        T* out = address<T>(link->out, offset);
        ((xsimd::batch<T>(result).store_unaligned(out), out += lanes<T>), ...);
    }
    function_of<V...>(link[1])(link + 1, offset, first, end, result...);
}

/// z = kernel(x) on one tile. Long kernels should be compiled once: whether x comes in registers is seen at run time.
template <const auto& kernel, class T, class... V>
GRADTAPE_FLAT void run_unary(const Link* link, std::size_t offset, const Link* first, std::size_t end, V... x) {
    if (link->in[0].is_number()) {
        ((x = all(*address<T>(link->in[0], 0))), ...);
    } else if (link->in[0].data) {
        const T* in = address<T>(link->in[0], offset);
        ((x = load(in), in += lanes<T>), ...);
    }
    hand_on<T>(link, offset, first, end, kernel(xsimd::batch<T>(x)).data...);
}

/// An operand of a tile, register by register.
template <class T>
struct FromMemory {
    const T* in;
    GRADTAPE_INLINE Vec<T> next() {
        const Vec<T> its = load(in);
        in += lanes<T>;
        return its;
    }
};
template <class T>
struct RepeatedNumber {
    Vec<T> value;
    GRADTAPE_INLINE Vec<T> next() { return value; }
};

/// z = kernel(x, y) on one tile; operand `in_registers` is what the link before has left there.
template <const auto& kernel, class T, int in_registers, class... V>
GRADTAPE_FLAT void run_binary(const Link* link, std::size_t offset, const Link* first, std::size_t end, V... given) {
    using Batch = xsimd::batch<T>;
    const auto elements = [&](int k) GRADTAPE_INLINE_LAMBDA { return FromMemory<T>{address<T>(link->in[k], offset)}; };
    const auto number = [&](int k) GRADTAPE_INLINE_LAMBDA { return RepeatedNumber<T>{all(*address<T>(link->in[k], 0))}; };
    const auto compute = [&](auto x, auto y) GRADTAPE_INLINE_LAMBDA {
        const auto one = [&](Vec<T> mine) GRADTAPE_INLINE_LAMBDA {
            const Batch left = in_registers == 0 ? mine : x.next(), right = in_registers == 1 ? mine : y.next();
            return kernel(left, right).data;
        };
        ((given = one(given)), ...);  // one after the other, as arguments of a call need not be
    };
    if (in_registers != 0 && link->in[0].is_number())
        compute(number(0), elements(1));
    else if (in_registers != 1 && link->in[1].is_number())
        compute(elements(0), number(1));
    else
        compute(elements(0), elements(1));
    hand_on<T>(link, offset, first, end, given...);
}

/// A chain over elements begin … end; the last register is computed in full, its surplus lands in padding.
template <class T>
void run_chain(const Link* links, std::size_t begin, std::size_t end) {
    constexpr std::size_t one = sizeof(Vec<T>), whole = tile_registers * one;
    const Vec<T> unset{};
    begin *= sizeof(T);
    end = (end * sizeof(T) + one - 1) / one * one;
    const std::size_t rest = end - (end - begin) % whole;
    if (begin < rest) function_of<Vec<T>, Vec<T>, Vec<T>, Vec<T>>(*links)(links, begin, links, rest, unset, unset, unset, unset);
    if (rest < end) function_of<Vec<T>>(*links)(links, rest, links, end, unset);
}

/// Sets what runs link[0], and what ends the chain.
template <class V>
void set_functions(Link* link, LinkFunction<V, V, V, V> whole, LinkFunction<V> last) {
    const LinkFunction<V, V, V, V> end = &end_chain<V, V, V, V>;
    const LinkFunction<V> end_of_last = &end_chain<V>;
    link[0].whole = reinterpret_cast<void (*)()>(whole);
    link[0].last = reinterpret_cast<void (*)()>(last);
    link[1].whole = reinterpret_cast<void (*)()>(end);
    link[1].last = reinterpret_cast<void (*)()>(end_of_last);
}

/// A primitive's `links`.
template <const auto& kernel, class T>
RunChain unary_link(Link* link, int) {
    using V = Vec<T>;
    set_functions<V>(link, &run_unary<kernel, T, V, V, V, V>, &run_unary<kernel, T, V>);
    return &run_chain<T>;
}
template <const auto& kernel, class T>
RunChain binary_link(Link* link, int in_registers) {
    using V = Vec<T>;
    const auto set = [&](auto which) {
        set_functions<V>(link, &run_binary<kernel, T, which, V, V, V, V>, &run_binary<kernel, T, which, V>);
    };
    if (in_registers < 0) set(std::integral_constant<int, -1>{});
    if (in_registers == 0) set(std::integral_constant<int, 0>{});
    if (in_registers == 1) set(std::integral_constant<int, 1>{});
    return &run_chain<T>;
}

}  // namespace
}  // namespace gradtape::detail::GRADTAPE_ISA

// Elementwise operations in a row, a few registers at a time: each link of a chain computes a tile, and passes it on in
// registers to the link after it by a tail call. The same kernels as in loops, on the same elements: the same bits.
#pragma once

#include "kernels.hpp"

#include "simd.hpp"

namespace gradtape::detail::GRADTAPE_ISA {
namespace {

/// As many as are passed in registers: a link has its own costs once a tile.
constexpr std::size_t tile_registers = 8;
static_assert(tile_registers * sizeof(Vec<float>) <= tile_bytes);

/// f<0, …, n - 1>()
template <std::size_t n, class F>
auto numbered(F f) {
    return [&]<std::size_t... i>(std::index_sequence<i...>) { return f.template operator()<i...>(); }(
        std::make_index_sequence<n>{});
}

/// The register with the number i of a tile.
template <class T, std::size_t i>
using Register = Vec<T>;

/// The true type of Link::whole (of as many registers as a tile has) and Link::last (of one): the tile is at `offset`
/// bytes.
template <class T, std::size_t... i>
using LinkFunction = void (*)(const Link* link, std::size_t offset, Register<T, i>... registers);

template <class T, std::size_t... i>
LinkFunction<T, i...> function_of(const Link& link) {
    return reinterpret_cast<LinkFunction<T, i...>>(sizeof...(i) == 1 ? link.last : link.whole);
}

/// Back to run_chain: not on to the next tile, for which the stack would grow where a compiler makes no tail calls.
template <class T, std::size_t... i>
void end_chain(const Link*, std::size_t, Register<T, i>...) {}

template <class T>
GRADTAPE_INLINE T* address(const Place& place, std::size_t offset) {
    return const_cast<T*>(reinterpret_cast<const T*>(static_cast<const char*>(place.data) + (offset & place.within)));
}

/// Writes a result down where the link says so, and goes on to the next link.
template <class T, std::size_t... i>
GRADTAPE_INLINE void hand_on(const Link* link, std::size_t offset, Register<T, i>... result) {
    if (link->out.data) {
        T* out = address<T>(link->out, offset);
        ((xsimd::batch<T>(result).store_unaligned(out), out += lanes<T>), ...);
    }
    function_of<T, i...>(link[1])(link + 1, offset, result...);
}

/// z = kernel(x) on one tile. Long kernels should be compiled once: whether x comes in registers is seen at run time.
template <const auto& kernel, class T, std::size_t... i>
GRADTAPE_FLAT void run_unary(const Link* link, std::size_t offset, Register<T, i>... x) {
    if (link->in[0].is_number()) {
        ((x = all(*address<T>(link->in[0], 0))), ...);
    } else if (link->in[0].data) {
        const T* in = address<T>(link->in[0], offset);
        ((x = load(in), in += lanes<T>), ...);
    }
    hand_on<T, i...>(link, offset, kernel(xsimd::batch<T>(x)).data...);
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
template <const auto& kernel, class T, int in_registers, std::size_t... i>
GRADTAPE_FLAT void run_binary(const Link* link, std::size_t offset, Register<T, i>... given) {
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
    hand_on<T, i...>(link, offset, given...);
}

/// A chain over elements begin … end; the last register is computed in full, its surplus lands in padding.
template <class T>
void run_chain(const Link* links, std::size_t begin, std::size_t end) {
    constexpr std::size_t one = sizeof(Vec<T>), whole = tile_registers * one;
    begin *= sizeof(T);
    end = (end * sizeof(T) + one - 1) / one * one;
    const std::size_t rest = end - (end - begin) % whole;
    const auto run = [=]<std::size_t... i>(std::size_t from, std::size_t to, std::index_sequence<i...>) {
        for (; from < to; from += sizeof...(i) * one) function_of<T, i...>(*links)(links, from, Register<T, i>{}...);
    };
    run(begin, rest, std::make_index_sequence<tile_registers>{});
    run(rest, end, std::make_index_sequence<1>{});
    leave_registers();
}

/// Sets what runs link[0], run<i…>(), and what ends the chain.
template <class T, class Run>
RunChain set_functions(Link* link, Run run) {
    const auto set = [](Link& one, auto function) {
        one.whole = reinterpret_cast<void (*)()>(numbered<tile_registers>(function));
        one.last = reinterpret_cast<void (*)()>(numbered<1>(function));
    };
    set(link[0], run);
    set(link[1], []<std::size_t... i>() { return &end_chain<T, i...>; });
    return &run_chain<T>;
}

/// A primitive's `links`.
template <const auto& kernel, class T>
RunChain unary_link(Link* link, int) {
    return set_functions<T>(link, []<std::size_t... i>() { return &run_unary<kernel, T, i...>; });
}
template <const auto& kernel, class T>
RunChain binary_link(Link* link, int in_registers) {
    const auto set = [=](auto which) {
        return set_functions<T>(link, []<std::size_t... i>() { return &run_binary<kernel, T, decltype(which){}, i...>; });
    };
    if (in_registers == 0) return set(std::integral_constant<int, 0>{});
    if (in_registers == 1) return set(std::integral_constant<int, 1>{});
    return set(std::integral_constant<int, -1>{});
}

}  // namespace
}  // namespace gradtape::detail::GRADTAPE_ISA

// The kernels of every instruction set this machine can run, side by side, and buffers that notice a stray write.
#pragma once

#include <cstdint>
#include <cstring>
#include <limits>
#include <new>
#include <string>
#include <vector>

#include "kernels/kernels.hpp"
#include "kernels/product.hpp"

// As in autodiff/src/kernels/*.hpp, which name one instruction set at a time. A signature that differs does not link.
#define GRADTAPE_DECLARE_KERNELS(ISA)                                                                                \
    namespace gradtape::detail::ISA {                                                                                \
    using std::int64_t;                                                                                              \
    template <class T> void reduce_sum(const T*, T*, int64_t, int64_t, int64_t);                                     \
    template <class T> void reduce_prod(const T*, T*, int64_t, int64_t, int64_t);                                    \
    template <class T> void reduce_max(const T*, T*, int64_t, int64_t, int64_t);                                     \
    template <class T> void reduce_min(const T*, T*, int64_t, int64_t, int64_t);                                     \
    template <class T> void logsumexp(const T*, T*, int64_t, int64_t, int64_t);                                      \
    template <class T> void softmax(const T*, T*, int64_t, int64_t, int64_t, T*);                                     \
    template <class T> void log_softmax(const T*, T*, int64_t, int64_t, int64_t);                                    \
    int64_t gemm_parts(int64_t, int64_t, int64_t);                                                                   \
    template <class T> void gemm(const Product<T>&, const Parts&);                                                   \
    template <class T> void gemm(const Product<T>&);                                                                 \
    template <class T> void small_gemm(const Product<T>&);                                                           \
    template <class T> bool small_gemm_wins(bool, bool, int64_t, int64_t, int64_t);                                  \
    void transpose(const void*, void*, const Shape&, const Shape&, std::size_t);                                     \
    void broadcast_to(const void*, void*, const Shape&, const Shape&, std::size_t);                                  \
    void slice(const void*, void*, const Shape&, const Shape&, const Shape&, const Shape&, std::size_t);             \
    void unslice(const void*, void*, const Shape&, const Shape&, const Shape&, const Shape&, std::size_t);           \
    void pad(const void*, void*, const Shape&, const Shape&, const Shape&, const void*, std::size_t);                \
    void concatenate(std::span<const KernelCall::In>, void*, const Shape&, std::size_t, std::size_t);                \
    }
GRADTAPE_DECLARE_KERNELS(base)
GRADTAPE_DECLARE_KERNELS(avx2)
GRADTAPE_DECLARE_KERNELS(avx512)
#undef GRADTAPE_DECLARE_KERNELS

// GRADTAPE_SETS(list, make): list.push_back(make(isa)) for each instruction set that was built and runs here.
#if defined(GRADTAPE_WITH_AVX2)
#define GRADTAPE_IF_AVX2(statement) if (gradtape::test::runs_avx2()) statement
#else
#define GRADTAPE_IF_AVX2(statement) static_cast<void>(0)
#endif
#if defined(GRADTAPE_WITH_AVX512)
#define GRADTAPE_IF_AVX512(statement) if (gradtape::test::runs_avx512()) statement
#else
#define GRADTAPE_IF_AVX512(statement) static_cast<void>(0)
#endif
#define GRADTAPE_SETS(list, make)                    \
    list.push_back(make(base));                      \
    GRADTAPE_IF_AVX2(list.push_back(make(avx2)));    \
    GRADTAPE_IF_AVX512(list.push_back(make(avx512)))

namespace gradtape::test {

#if defined(__aarch64__)
inline constexpr bool base_is_fused = true;  ///< products use fused multiply-add
#else
inline constexpr bool base_is_fused = false;
#endif

inline bool runs_avx2() {
#if defined(__x86_64__)
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
#else
    return false;
#endif
}
inline bool runs_avx512() {
#if defined(__x86_64__)
    return runs_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512cd") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bw");
#else
    return false;
#endif
}

/// n elements at a multiple of 64 bytes, as the library's arena gives them, between two guards. The elements start as
/// NaN (or a large integer), and so does the padding behind them, which kernels may read and overwrite.
template <class T>
class Buffer {
public:
    explicit Buffer(std::int64_t n) : size_(n), bytes_((std::size_t(n) * sizeof(T) + 63) / 64 * 64) {
        data_ = static_cast<std::byte*>(::operator new(bytes_ + 2 * guard, std::align_val_t(64)));
        std::memset(data_, 0xA5, bytes_ + 2 * guard);
        for (std::size_t i = 0; i < bytes_ / sizeof(T); ++i) get()[i] = fresh();
    }
    explicit Buffer(const std::vector<T>& elements) : Buffer(std::int64_t(elements.size())) {
        for (std::size_t i = 0; i < elements.size(); ++i) get()[i] = elements[i];
    }
    Buffer(const Buffer&) = delete;
    Buffer& operator=(const Buffer&) = delete;
    ~Buffer() { ::operator delete(data_, std::align_val_t(64)); }

    T* get() { return reinterpret_cast<T*>(data_ + guard); }
    std::vector<T> elements() { return {get(), get() + size_}; }
    bool intact() const {
        for (std::size_t i = 0; i < guard; ++i)
            if (data_[i] != std::byte(0xA5) || data_[guard + bytes_ + i] != std::byte(0xA5)) return false;
        return true;
    }

private:
    static constexpr std::size_t guard = 256;
    static T fresh() {
        if constexpr (std::numeric_limits<T>::has_quiet_NaN) return std::numeric_limits<T>::quiet_NaN();
        return std::numeric_limits<T>::max();
    }
    std::int64_t size_;
    std::size_t bytes_;
    std::byte* data_;
};

/// The same bits, or both NaN.
template <class T>
bool same(T a, T b) {
    return (a != a && b != b) || std::memcmp(&a, &b, sizeof(T)) == 0;
}
template <class T>
bool same(const std::vector<T>& a, const std::vector<T>& b) {
    if (a.size() != b.size()) return false;
    for (std::size_t i = 0; i < a.size(); ++i)
        if (!same(a[i], b[i])) return false;
    return true;
}

/// Numbers of both signs and of several magnitudes.
template <class T>
std::vector<T> random_elements(std::int64_t n, std::uint64_t seed) {
    std::vector<T> z(static_cast<std::size_t>(n));
    std::uint64_t state = seed * 0x9E3779B97F4A7C15u + 1;
    for (T& e : z) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        const double unit = double(state >> 11) / double(1ull << 53);
        e = T((unit - 0.5) * double(1 << (state >> 8 & 7)));
    }
    return z;
}

}  // namespace gradtape::test

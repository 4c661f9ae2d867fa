// Small products against OpenBLAS, one line a size: where `small_gemm_wins` draws its line. And against the kernels that
// libxsmm makes for one size, where libxsmm-dev is installed (those of untransposed operands: it gives none of others).
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>

#include "kernels/blas.hpp"
#include "support/kernel_sets.hpp"

#ifdef GRADTAPE_LIBXSMM
#include <libxsmm.h>
#endif

using namespace gradtape::test;
using std::int64_t;

namespace {

struct Size {
    bool ta, tb;
    int64_t m, n, k;
};

/// The shortest of a few stretches of 0.5 ms, in ns for one call.
template <class F>
double nanoseconds(F f) {
    using Clock = std::chrono::steady_clock;
    double best = 1e30;
    int64_t repeats = 1;
    for (int sample = 0; sample < 9;) {
        const auto start = Clock::now();
        for (int64_t i = 0; i < repeats; ++i) f();
        const double taken = std::chrono::duration<double, std::nano>(Clock::now() - start).count();
        if (taken < 5e5) {
            repeats *= 2;
        } else {
            best = std::min(best, taken / double(repeats));
            ++sample;
        }
    }
    return best;
}

template <class T>
using Gemm = void(const gradtape::detail::Product<T>&);

template <class T>
struct Kernel {
    std::string isa;
    Gemm<T>* small;
    bool (*wins)(bool, bool, int64_t, int64_t, int64_t);
};

template <class T>
std::vector<Kernel<T>> kernels(const char* only) {
    std::vector<Kernel<T>> sets;
#define MAKE(ISA) Kernel<T>{#ISA, gradtape::detail::ISA::small_gemm<T>, gradtape::detail::ISA::small_gemm_wins<T>}
    GRADTAPE_SETS(sets, MAKE);
#undef MAKE
    if (only) std::erase_if(sets, [&](auto& set) { return set.isa != only; });
    return sets;
}

#ifdef GRADTAPE_LIBXSMM
auto libxsmm_kernel(int m, int n, int k, double one, double none) {
    return libxsmm_dmmdispatch(m, n, k, nullptr, nullptr, nullptr, &one, &none, nullptr, nullptr);
}
auto libxsmm_kernel(int m, int n, int k, float one, float none) {
    return libxsmm_smmdispatch(m, n, k, nullptr, nullptr, nullptr, &one, &none, nullptr, nullptr);
}

/// By columns, as libxsmm has it, the product is bᵀ aᵀ. 0 where it has no kernel.
template <class T>
double libxsmm(const gradtape::detail::Product<T>& p) {
    const auto kernel = p.ta || p.tb ? nullptr : libxsmm_kernel(int(p.n), int(p.m), int(p.k), T(1), T(0));
    const double time = kernel ? nanoseconds([&] { kernel(p.b, p.a, p.c); }) : 0;
    if (runs_avx2()) asm volatile("vzeroupper");  // which its kernels do not, and SSE's wait for
    return time;
}
#endif

template <class T>
void measure(Size s, const char* only) {
    Buffer<T> a(random_elements<T>(s.m * s.k, 1)), b(random_elements<T>(s.k * s.n, 2)), c(s.m * s.n);
    const gradtape::detail::Product<T> product{s.ta, s.tb, s.m, s.n, s.k, a.get(), b.get(), c.get()};
    const double blas = nanoseconds([&] { gradtape::detail::blas_gemm(product); });
    std::printf("%-6s %c%c %4d x%4d x%5d  OpenBLAS %10.1f", sizeof(T) == 4 ? "float" : "double", s.ta ? 't' : 'n',
                s.tb ? 't' : 'n', int(s.m), int(s.n), int(s.k), blas);
#ifdef GRADTAPE_LIBXSMM
    if (const double made = libxsmm(product)) std::printf("   libxsmm %10.1f (%5.2f)", made, made / blas);
#endif
    for (auto& set : kernels<T>(only)) {
        const double ours = nanoseconds([&] { set.small(product); });
        const bool wins = set.wins(s.ta, s.tb, s.m, s.n, s.k);
        std::printf("   %s %10.1f (%5.2f%s)", set.isa.c_str(), ours, ours / blas,
                    wins == (ours < blas) ? "" : wins ? ", small chosen" : ", OpenBLAS chosen");
    }
    std::printf("\n");
    std::fflush(stdout);
}

}  // namespace

/// gemm_small [isa]: all sizes, for one instruction set or for all.
int main(int, char** argv) {
    const Size post[] = {{false, false, 10, 3, 3}, {false, true, 10, 3, 3},   {false, true, 10, 1, 3},
                         {true, false, 3, 3, 10},  {true, false, 1, 3, 10},   {false, false, 10, 1, 3},
                         {false, true, 10, 5, 3},  {false, false, 32, 32, 32}};
    for (Size s : post) measure<double>(s, argv[1]);
    const int64_t shapes[][3] = {
        {32, 32, 64}, {32, 10, 32}, {32, 32, 32}, {64, 64, 64}, {48, 48, 48}, {64, 10, 128}, {64, 128, 10},
        {128, 10, 64}, {32, 6, 32}, {128, 6, 64}, {64, 12, 64}, {96, 96, 96}, {128, 128, 128}, {64, 128, 784}, {784, 128, 64}, {128, 10, 512}, {128, 512, 10},
        {1, 4, 4}, {1, 8, 8}, {1, 16, 16}, {1, 32, 32}, {1, 64, 64}, {1, 256, 256}, {1, 1000, 1000}, {1, 64, 8},
        {1, 8, 64}, {1, 100, 4}, {1, 4, 100}, {16, 1, 16}, {256, 1, 256}, {256, 2, 256}, {256, 4, 256}, {1000, 3, 3},
        {4, 4, 1000}, {3, 3, 1000}, {2, 2, 100}, {2, 64, 64}, {4, 64, 64}, {4, 256, 256}, {256, 256, 2},
        {192, 192, 192}, {256, 256, 256}, {128, 128, 1000}, {1000, 128, 128}, {128, 1000, 128}, {10, 3, 1},
        {64, 64, 1}, {8, 3, 8}, {16, 1024, 128}, {64, 4096, 8}, {16, 2048, 64}, {128, 784, 64}, {1024, 16, 128},
        {1024, 64, 32}, {128, 512, 784}, {512, 784, 128}, {512, 512, 512}, {256, 1024, 1024}, {1024, 1024, 256}, {1024, 1024, 1024}, {16, 16, 16}, {8, 8, 8}, {4, 4, 4}, {1, 1, 64}, {1, 1, 1000}, {1000, 10, 10}, {10, 10, 1000},
    };
    for (auto& shape : shapes)
        for (bool ta : {false, true})
            for (bool tb : {false, true}) {
                const Size s{ta, tb, shape[0], shape[1], shape[2]};
                measure<float>(s, argv[1]);
                measure<double>(s, argv[1]);
            }
}

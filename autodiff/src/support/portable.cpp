#include "portable.hpp"

#include <gradtape/portable.hpp>

namespace gradtape {

std::array<std::uint32_t, 4> philox4x32_10(std::array<std::uint32_t, 4> c, std::array<std::uint32_t, 2> key) noexcept {
    std::uint32_t words[4][1] = {{c[0]}, {c[1]}, {c[2]}, {c[3]}};
    detail::philox(words, key[0] | std::uint64_t(key[1]) << 32);
    return {words[0][0], words[1][0], words[2][0], words[3][0]};
}

double portable_log(double x) noexcept { return detail::logarithm_by_series(x); }

}  // namespace gradtape

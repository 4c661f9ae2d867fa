// Random numbers as values: bits of a key, and what makes numbers of a distribution of them. Integers, and doubles in basic
// operations only, so that all bits are the same on every processor.
#include "../support/portable.hpp"
#include "family.hpp"

#include <cmath>

namespace gradtape::detail::GRADTAPE_ISA {
namespace {

constexpr DTypes integers{DType::int64};
constexpr Domain any_bits{-0x1p61, 0x1p61};  // tests take integers from four times that

/// A stream of 2⁶⁴ blocks in parts; a tensor has at most as many elements as a part has blocks, so no two parts meet.
constexpr std::uint64_t blocks_of_part = std::uint64_t(1) << 40;
constexpr std::int64_t parts = std::int64_t(1) << 24;

Type double_type(const ShapeCall& call) { return {DType::float64, call[0].shape}; }

Type random_bits_type(const ShapeCall& call) {
    if (call[0].dtype != DType::int64)
        call.refuse_dtype("a key is int64 of shape (2,), keys are of shape (…, 2), not " + to_string(call[0]) + "; make one with random_key");
    Shape shape = call[0].shape;
    if (shape.rank() == 0 || shape.back() != 2)
        call.refuse("a key is int64 of shape (2,), keys are of shape (…, 2), not " + to_string(call[0]) + "; make one with random_key");
    const std::int64_t bits = call.attributes.get<std::int64_t>("bits"), part = call.attributes.get<std::int64_t>("part");
    if (bits < 1 || bits > 64) call.refuse(std::to_string(bits) + " bits; need 1 to 64");
    if (part < 0 || part >= parts) call.refuse("part " + std::to_string(part) + "; need 0 to " + std::to_string(parts - 1));
    shape.pop_back();
    for (const std::int64_t extent : call.attributes.get<Shape>("shape")) shape.push_back(extent, call.where);
    return {DType::int64, shape};
}

/// Elements of `words` 32-bit words each, of which the top bits are kept.
template <int words>
void fill_bits(const std::int64_t* key, std::uint64_t block, int bits, std::span<std::int64_t> z) {
    constexpr int lanes = 32, per_pass = 4 * lanes / words;
    const std::uint64_t name = std::uint64_t(key[1]);
    for (std::size_t at = 0; at < z.size(); at += per_pass, block += lanes) {
        std::uint32_t c[4][lanes];
        for (int l = 0; l < lanes; ++l) {
            c[0][l] = std::uint32_t(block + std::uint64_t(l));
            c[1][l] = std::uint32_t((block + std::uint64_t(l)) >> 32);
            c[2][l] = std::uint32_t(name);
            c[3][l] = std::uint32_t(name >> 32);
        }
        philox(c, std::uint64_t(key[0]));
        std::int64_t pass[per_pass];
        for (int l = 0; l < lanes; ++l) {
            if constexpr (words == 1) {
                for (int w = 0; w < 4; ++w) pass[4 * l + w] = std::int64_t(c[w][l] >> (32 - bits));
            } else {
                for (int w = 0; w < 2; ++w)
                    pass[2 * l + w] = std::int64_t((c[2 * w][l] | std::uint64_t(c[2 * w + 1][l]) << 32) >> (64 - bits));
            }
        }
        std::copy_n(pass, std::min<std::size_t>(per_pass, z.size() - at), z.data() + at);
    }
}

void random_bits_kernel(const KernelCall& call) {
    const std::int64_t* key = static_cast<const std::int64_t*>(call.inputs[0].data);
    const int bits = int(call.attributes.get<std::int64_t>("bits"));
    const std::uint64_t block = std::uint64_t(call.attributes.get<std::int64_t>("part")) * blocks_of_part;
    const std::span z(static_cast<std::int64_t*>(call.output), std::size_t(call.type.shape.elements()));
    const std::size_t keys = std::size_t(call.inputs[0].type->shape.elements()) / 2, each = keys ? z.size() / keys : 0;
    for (std::size_t i = 0; i < keys; ++i, key += 2)
        bits <= 32 ? fill_bits<1>(key, block, bits, z.subspan(i * each, each)) : fill_bits<2>(key, block, bits, z.subspan(i * each, each));
}

/// 2⁵⁴ (u − ½), an odd integer between −2⁵³ and 2⁵³, for the u in (0, 1) that 64 random bits stand for: the middle of one of
/// 2⁵³ equal intervals. Exact, and symmetric.
inline double centred(std::int64_t bits) { return double(2 * (bits >> 11) + 1); }

template <std::size_t n>
inline double polynomial(const double (&coefficients)[n], double x) {
    double sum = coefficients[n - 1];
    for (std::size_t i = n - 1; i-- > 0;) sum = sum * x + coefficients[i];
    return sum;
}

/// Φ⁻¹(½ + q), 0 < |q| < ½, to about 16 digits: the rational approximations of Wichura 1988, algorithm AS 241 (PPND16).
inline double normal_quantile_at(double q) {
    constexpr double a[] = {3.3871328727963666080e0, 1.3314166789178437745e2, 1.9715909503065514427e3, 1.3731693765509461125e4,
                            4.5921953931549871457e4, 6.7265770927008700853e4, 3.3430575583588128105e4, 2.5090809287301226727e3};
    constexpr double b[] = {1, 4.2313330701600911252e1, 6.8718700749205790830e2, 5.3941960214247511077e3,
                            2.1213794301586595867e4, 3.9307895800092710610e4, 2.8729085735721942674e4, 5.2264952788528545610e3};
    constexpr double c[] = {1.42343711074968357734e0, 4.63033784615654529590e0, 5.76949722146069140550e0, 3.64784832476320460504e0,
                            1.27045825245236838258e0, 2.41780725177450611770e-1, 2.27238449892691845833e-2, 7.74545014278341407640e-4};
    constexpr double d[] = {1, 2.05319162663775882187e0, 1.67638483018380384940e0, 6.89767334985100004550e-1,
                            1.48103976427480074590e-1, 1.51986665636164571966e-2, 5.47593808499534494600e-4, 1.05075007164441684324e-9};
    constexpr double e[] = {6.65790464350110377720e0, 5.46378491116411436990e0, 1.78482653991729133580e0, 2.96560571828504891230e-1,
                            2.65321895265761230930e-2, 1.24266094738807843860e-3, 2.71155556874348757815e-5, 2.01033439929228813265e-7};
    constexpr double f[] = {1, 5.99832206555887937690e-1, 1.36929880922735805310e-1, 1.48753612908506148525e-2,
                            7.86869131145613259100e-4, 1.84631831751005468180e-5, 1.42151175831644588870e-7, 2.04426310338993978564e-15};
    const double size = std::fabs(q);
    if (size <= 0.425) {
        const double r = 0.180625 - q * q;
        return q * polynomial(a, r) / polynomial(b, r);
    }
    const double r = std::sqrt(-logarithm_by_series(0.5 - size));
    const double z = r <= 5 ? polynomial(c, r - 1.6) / polynomial(d, r - 1.6) : polynomial(e, r - 5) / polynomial(f, r - 5);
    return q < 0 ? -z : z;
}

/// −log u > 0, of which no digits are lost where u is near 1.
inline double minus_log(std::int64_t bits) {
    const double q = centred(bits) * 0x1p-54, rest = 0.5 - q;  // 1 − u, exact where u ≥ ½
    if (q < 0.2) return -logarithm_by_series(0.5 + q);
    return twice_artanh(rest / (2 - rest));
}

template <const auto& kernel>
constexpr Table of_bits() {
    return Table().with(DType::int64, &scalar_loop<kernel, double, std::int64_t>);
}

}  // namespace

// z = the top `bits` bits of Philox 4x32-10, two's complement where they are 64. Philox's key is k₀; its counter has k₁ as
// high half and the block's number as low half, the blocks of part p being those from p 2⁴⁰ on. Elements of 32 bits or fewer
// take one word of a block, others two, the low one first. Of keys of shape (…, 2), z has the leading axes before its own.
GRADTAPE_KERNELS(random_bits, whole(random_bits_kernel))
GRADTAPE_PRIMITIVE(random_bits, of(1)
    .with_settings({"shape", Kind::extents}, {"bits", Kind::integer}, {"part", Kind::integer})
    .shaped(random_bits_type).takes(integers).piecewise_constant()
    .batch([](const BatchCall& call) { call.apply(call.x.nodes, call.x.attributes); }).on(any_bits))

// z = Φ⁻¹(u)
constexpr auto normal_quantile_kernel = [](std::int64_t x) { return normal_quantile_at(centred(x) * 0x1p-54); };
GRADTAPE_KERNELS(normal_quantile, of_bits<normal_quantile_kernel>())
GRADTAPE_PRIMITIVE(normal_quantile, elementwise(1, double_type).takes(integers).piecewise_constant().on(any_bits))

// z = −log u
constexpr auto exponential_quantile_kernel = [](std::int64_t x) { return minus_log(x); };
GRADTAPE_KERNELS(exponential_quantile, of_bits<exponential_quantile_kernel>())
GRADTAPE_PRIMITIVE(exponential_quantile, elementwise(1, double_type).takes(integers).piecewise_constant().on(any_bits))

// z = −log(−log u)
constexpr auto gumbel_quantile_kernel = [](std::int64_t x) { return -logarithm_by_series(minus_log(x)); };
GRADTAPE_KERNELS(gumbel_quantile, of_bits<gumbel_quantile_kernel>())
GRADTAPE_PRIMITIVE(gumbel_quantile, elementwise(1, double_type).takes(integers).piecewise_constant().on(any_bits))

}  // namespace gradtape::detail::GRADTAPE_ISA

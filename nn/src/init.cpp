#include <gradtape/nn/init.hpp>

#include "elements.hpp"

#include <cmath>

namespace gradtape::nn {

namespace {

/// FNV-1a, 64 bits.
std::uint64_t hash(std::string_view text) {
    std::uint64_t h = 0xcbf29ce484222325;
    for (unsigned char c : text) h = (h ^ c) * 0x100000001b3;
    return h;
}

struct Product128 {
    std::uint64_t high, low;
};
Product128 multiply128(std::uint64_t a, std::uint64_t b) {
    const std::uint64_t a0 = a & 0xffffffff, a1 = a >> 32, b0 = b & 0xffffffff, b1 = b >> 32;
    const std::uint64_t low = a0 * b0, middle = a1 * b0 + (low >> 32), other = a0 * b1 + (middle & 0xffffffff);
    return {a1 * b1 + (middle >> 32) + (other >> 32), a * b};
}

void require_range(bool ok, const char* name, const std::string& problem, Where where) {
    if (!ok) throw ValueError(problem, {name, {}, {}, where});
}

template <class Draw>
Tensor fill(const Type& type, Where where, Draw&& draw) {
    Tensor result = Tensor::uninitialised(type, where);
    if (type.dtype == DType::float64) {
        for (double& x : result.mutable_data<double>()) x = draw();
    } else if (type.dtype == DType::float32) {
        for (float& x : result.mutable_data<float>()) x = float(draw());
    } else {
        throw DTypeError(std::string("initial weights are float32 or float64, not ") + to_string(type.dtype),
                         {"initialise", {type.shape}, {}, where});
    }
    return result;
}

struct Fans {
    double in, out;
};
Fans fans(const char* name, const Type& type, Where where) {
    if (type.shape.rank() < 2)
        throw ShapeError("a weight of shape " + to_string(type.shape) + " has no inputs and outputs; need (out, in)",
                         {name, {type.shape}, {}, where});
    const double out = double(type.shape[0]);
    return {out == 0 ? 0 : double(type.shape.elements()) / out, out};
}

Initialiser symmetric(double bound, Where where) { return uniform(-bound, bound, where); }

}  // namespace

Stream::Stream(std::uint64_t seed, std::string_view name, std::uint64_t block)
    : key_{std::uint32_t(seed), std::uint32_t(seed >> 32)}, block_(block) {
    const std::uint64_t h = hash(name);
    name_ = {std::uint32_t(h), std::uint32_t(h >> 32)};
}

std::uint32_t Stream::bits32() {
    if (used_ == 4) {
        words_ = philox4x32_10({std::uint32_t(block_), std::uint32_t(block_ >> 32), name_[0], name_[1]}, key_);
        ++block_;
        used_ = 0;
    }
    return words_[used_++];
}

std::uint64_t Stream::bits64() {
    const std::uint64_t low = bits32();
    return low | std::uint64_t(bits32()) << 32;
}

double Stream::uniform(double low, double high) {
    const double x = low + (high - low) * uniform();
    return x < high || low == high ? x : std::nextafter(high, low);
}

std::uint64_t Stream::below(std::uint64_t n, Where where) {
    require_range(n > 0, "below", "there is no number below 0; need n > 0", where);
    Product128 p = multiply128(bits64(), n);
    if (p.low < n)
        for (const std::uint64_t threshold = -n % n; p.low < threshold;) p = multiply128(bits64(), n);
    return p.high;
}

double Stream::normal() {
    double u, s;
    do {
        u = 2 * uniform() - 1;
        const double v = 2 * uniform() - 1;
        s = u * u + v * v;
    } while (s >= 1 || s == 0);
    return u * std::sqrt(-2 * portable_log(s) / s);
}

void Stream::shuffle(std::span<std::int64_t> items) {
    for (std::size_t i = items.size(); i > 1; --i) std::swap(items[i - 1], items[below(i)]);
}

Initialiser constant(double value, Where where) {
    return [=](const Type& type, Stream&) { return fill(type, where, [=] { return value; }); };
}

Initialiser uniform(double low, double high, Where where) {
    require_range(std::isfinite(high - low) && low <= high, "uniform",
                  "bounds " + number(low) + ", " + number(high) + "; need finite low <= high", where);
    return [=](const Type& type, Stream& random) { return fill(type, where, [&] { return random.uniform(low, high); }); };
}

Initialiser normal(double mean, double deviation, Where where) {
    require_range(std::isfinite(mean) && std::isfinite(deviation) && deviation >= 0, "normal",
                  "mean " + number(mean) + ", deviation " + number(deviation) + "; need finite, deviation >= 0", where);
    return [=](const Type& type, Stream& random) {
        return fill(type, where, [&] { return mean + deviation * random.normal(); });
    };
}

Initialiser xavier_uniform(double gain, Where where) {
    return [=](const Type& type, Stream& random) {
        const Fans f = fans("xavier_uniform", type, where);
        return symmetric(gain * std::sqrt(6 / std::max(1.0, f.in + f.out)), where)(type, random);
    };
}

Initialiser xavier_normal(double gain, Where where) {
    return [=](const Type& type, Stream& random) {
        const Fans f = fans("xavier_normal", type, where);
        return normal(0, gain * std::sqrt(2 / std::max(1.0, f.in + f.out)), where)(type, random);
    };
}

Initialiser kaiming_uniform(Where where) {
    return [where](const Type& type, Stream& random) {
        return symmetric(std::sqrt(6 / std::max(1.0, fans("kaiming_uniform", type, where).in)), where)(type, random);
    };
}

Initialiser kaiming_normal(Where where) {
    return [where](const Type& type, Stream& random) {
        return normal(0, std::sqrt(2 / std::max(1.0, fans("kaiming_normal", type, where).in)), where)(type, random);
    };
}

}  // namespace gradtape::nn

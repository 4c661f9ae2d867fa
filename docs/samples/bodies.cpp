// Programs within programs: recomputation, and derivatives of one's own.
#include <gradtape/control.hpp>
#include <gradtape/gradtape.hpp>

#include <cstdio>

namespace gt = gradtape;
using Nodes = std::span<const gt::Node>;

// [own]
/// log(1 + eˣ) without overflow. The gradient of this formula is the difference of two slopes, whose digits cancel; by the
/// rule it is the sigmoid.
gt::Node log1pexp(gt::Node x) {
    return gt::custom_vjp([](Nodes at) { return maximum(at[0], 0) + log1p(exp(-abs(at[0]))); },
                          [](Nodes at, Nodes, Nodes z_bar) { return z_bar[0] * sigmoid(at[0]); }, {x})[0];
}

/// x, whose cotangent is clipped to [−1, 1].
gt::Node clip_gradient(gt::Node x) {
    return gt::custom_vjp([](Nodes at) { return at[0]; }, [](Nodes, Nodes, Nodes z_bar) { return clamp(z_bar[0], -1, 1); }, {x})[0];
}

/// The sign of x, differentiated as if it were x: a straight-through estimate.
gt::Node hard_sign(gt::Node x) {
    return gt::custom_jvp([](Nodes at) { return sign(at[0]); }, [](Nodes, Nodes, Nodes x_dot) { return x_dot[0]; }, {x})[0];
}
// [/own]

// [segments]
/// 64 layers; the gradient of the first input needs the values between the segments, and within one at a time.
std::size_t bytes_of(int per_segment) {
    gt::Tape tape(gt::Recording::abstract);
    const gt::Node w = tape.parameter({gt::DType::float64, {64, 64}});
    gt::Node h = tape.input(gt::Type{gt::DType::float64, {64, 64}});
    const gt::Node first = h;
    const auto segment = [&](Nodes at) {
        gt::Node y = at[0];
        for (int k = 0; k < per_segment; ++k) y = tanh(matmul(y, at[1]));
        return y;
    };
    for (int done = 0; done < 64; done += per_segment) h = gt::checkpoint(segment, {h, w})[0];
    return gt::compile(tape, {grad(sum(h), first)}).arena_bytes();
}
// [/segments]

int main() {
    // [print]
    gt::Tape tape;
    const gt::Node x = tape.input(gt::Tensor{-30, 0, 800});
    const auto print = [&](const char* name, gt::Node (*f)(gt::Node)) {
        const gt::Node y = f(x);
        std::printf("%s: %s, slope %s\n", name, to_string(y.value()).c_str(), to_string(grad(sum(y * 3.0), x).value()).c_str());
    };
    print("log1pexp", log1pexp);
    print("clip_gradient", clip_gradient);
    print("hard_sign", hard_sign);
    const gt::Node slope = grad(sum(log1pexp(x)), x);
    std::printf("second derivative: %s\n", to_string(grad(sum(slope), x).value()).c_str());
    for (int per_segment : {1, 4, 8, 16, 64}) std::printf("segments of %2d: %4zu KiB\n", per_segment, bytes_of(per_segment) / 1024);
    // [/print]
}

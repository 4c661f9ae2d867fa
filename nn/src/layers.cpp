#include <gradtape/nn/layers.hpp>

namespace gradtape::nn {

namespace {

void check_weights(const Dense& dense, Where where) {
    const Shape& w = dense.weight.shape();
    if (w.rank() != 2)
        throw ShapeError("weight has shape " + to_string(w) + "; need (out, in)", {"dense", {w}, {}, where});
    if (!dense.bias) return;
    const Tensor& b = dense.bias->value();
    if (b.shape() != Shape{w[0]})
        throw ShapeError("bias " + to_string(b.shape()) + " does not fit weight " + to_string(w) + "; need (" +
                             std::to_string(w[0]) + ",)",
                         {"dense", {w, b.shape()}, {}, where});
    if (b.dtype() != dense.weight.value().dtype())
        throw DTypeError(std::string("weight is ") + to_string(dense.weight.value().dtype()) + ", bias " +
                             to_string(b.dtype()) + "; need one dtype",
                         {"dense", {w, b.shape()}, {}, where});
}

}  // namespace

Dense::Dense(std::int64_t in, std::int64_t out, Stream random, const DenseOptions& options, Where where) {
    if (in <= 0 || out <= 0)
        throw ShapeError(std::to_string(in) + " inputs, " + std::to_string(out) + " outputs; need at least one of each",
                         {"dense", {}, {}, where});
    if (!options.weight) throw ValueError("there is no initialiser of the weight: it is empty", {"dense", {}, {}, where});
    weight = Parameter(options.weight({options.dtype, {out, in}}, random));
    if (options.bias) bias = Parameter(Tensor::zeros({out}, options.dtype, where));
    check_weights(*this, where);
}

Dense::Dense(Tensor weight, Where where) : weight(std::move(weight)) { check_weights(*this, where); }

Dense::Dense(Tensor weight, Tensor bias, Where where) : weight(std::move(weight)), bias(Parameter(std::move(bias))) {
    check_weights(*this, where);
}

Node Dense::operator()(Node x, Where where) const {
    const Shape& w = weight.shape();
    const Type in = x.type(where);
    if (w.rank() != 2 || in.shape.empty() || in.shape.back() != w[1])
        throw ShapeError("x " + to_string(in.shape) + " does not fit weight " + to_string(w) +
                             "; need x.shape[-1] == weight.shape[1]",
                         {"dense", {in.shape, w}, -1, where});
    if (in.dtype != weight.value().dtype())
        throw DTypeError(std::string("x is ") + to_string(in.dtype) + ", the weight " +
                             to_string(weight.value().dtype()) + "; cast one of them",
                         {"dense", {in.shape, w}, {}, where});
    const Node z = matmul(Operand(x, where), Operand(weight.on(x, where), where), {.y = true});
    return bias ? add(Operand(z, where), Operand(bias->on(x, where), where)) : z;
}

}  // namespace gradtape::nn

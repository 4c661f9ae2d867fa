#include <gradtape/nn/losses.hpp>

#include <gradtape/ops.hpp>

#include "elements.hpp"

#include <cmath>

namespace gradtape::nn {

namespace {

/// One call of a loss: its name and the user's line, which every instruction it records carries.
struct Call {
    const char* name;
    Where where;

    Operand operator()(Node node) const { return {node, where}; }
    Operand operator()(double number) const { return {number, where}; }

    /// TapeError where one of them cannot be used.
    void require_nodes(Node x, Node y) const {
        (void)x.type(where);
        (void)y.type(where);
    }
    [[noreturn]] void refuse_shapes(const char* problem, Node x, Node y, const char* need) const {
        throw ShapeError(std::string(problem) + ": predictions " + to_string(x.shape()) + ", targets " +
                             to_string(y.shape()) + "; need " + need,
                         {name, {x.shape(), y.shape()}, {}, where});
    }
    [[noreturn]] void refuse_value(const std::string& problem, Node x) const {
        throw ValueError(problem, {name, {x.shape()}, {}, where});
    }
    void require_samples(Node x, Node y) const {
        if (x.shape().elements() == 0) refuse_shapes("there is no sample", x, y, "at least one");
    }
    void require_floating(Node x) const {
        if (!is_floating(x.dtype()))
            throw DTypeError(std::string("predictions are ") + to_string(x.dtype()) + "; need float32 or float64",
                             {name, {x.shape()}, {}, where});
    }

    /// `targets` in the dtype and shape of `predictions`. (n) and (n, 1) fit each other, and nothing else does:
    /// broadcasting them would silently make n × n losses.
    Node match(Node predictions, Node targets) const {
        require_floating(predictions);
        const Shape p = predictions.shape(), t = targets.shape();  // copies: recording moves the instructions
        const auto is_column = [](const Shape& s) { return s.rank() == 1 || (s.rank() == 2 && s[1] == 1); };
        if (p != t) {
            if (!is_column(p) || !is_column(t) || p[0] != t[0])
                refuse_shapes("shapes differ", predictions, targets, "equal shapes, or (n) and (n, 1)");
            targets = reshape((*this)(targets), p);
        }
        require_samples(predictions, targets);
        return targets.dtype() == predictions.dtype() ? targets : cast((*this)(targets), predictions.dtype());
    }

    void check_binary_labels(Node labels, Labels convention) const {
        if (convention != Labels::zero_one && convention != Labels::plus_minus_one)
            refuse_value(std::string("labels of Labels::") + to_string(convention) +
                             "; need Labels::zero_one or Labels::plus_minus_one",
                         labels);
        check_labels(peek(labels, where), convention, name, where);
    }
};

void check_probabilities(const Call& call, Node probabilities) {
    with_elements(peek(probabilities, call.where), call.where, [&](auto values) {
        for (std::size_t i = 0; i < values.size(); ++i)
            if (const double p = double(values[i]); p < 0 || p > 1)
                call.refuse_value("element " + std::to_string(i) + ": probability " + number(p) +
                                      "; need 0 <= p <= 1 (for logits use log_loss)",
                                  probabilities);
    });
}

void check_classes(const Call& call, Node targets, std::int64_t classes) {
    const Tensor value = peek(targets, call.where);
    const auto labels = value.data<std::int64_t>();
    for (std::size_t row = 0; row < labels.size(); ++row)
        if (labels[row] < 0 || labels[row] >= classes)
            call.refuse_value("row " + std::to_string(row) + ": class " + std::to_string(labels[row]) +
                                  "; need 0 <= class < " + std::to_string(classes),
                              targets);
}

void check_distributions(const Call& call, Node targets) {
    with_elements(peek(targets, call.where), call.where, [&](auto values) {
        const auto classes = std::size_t(targets.shape()[1]);
        const double tolerance = targets.dtype() == DType::float32 ? 1e-5 : 1e-10;
        for (std::size_t row = 0; row * classes < values.size(); ++row) {
            double total = 0;
            for (std::size_t j = 0; j < classes; ++j) {
                const double p = double(values[row * classes + j]);
                if (!(p >= 0))
                    call.refuse_value("row " + std::to_string(row) + ", column " + std::to_string(j) +
                                          ": probability " + number(p) + "; need p >= 0",
                                      targets);
                total += p;
            }
            if (!(std::abs(total - 1) <= tolerance * double(classes)))
                call.refuse_value("row " + std::to_string(row) + ": probabilities sum to " + number(total) + "; need 1",
                                  targets);
        }
    });
}

namespace parts {

Node log_loss(Node logits, Node labels, Labels convention, Where where) {
    const Call at{"log_loss", where};
    at.require_nodes(logits, labels);
    at.check_binary_labels(labels, convention);
    Node y = at.match(logits, labels);
    if (convention == Labels::zero_one) y = subtract(at(multiply(at(2.0), at(y))), at(1.0));
    return mean(at(softplus(at(negative(at(multiply(at(y), at(logits))))))));
}

Node log_loss_from_probabilities(Node probabilities, Node labels, Labels convention, Where where) {
    if (const Node logits = producer_operand(probabilities, "sigmoid", 0, where); logits.is_valid())
        return parts::log_loss(logits, labels, convention, where);
    const Call at{"log_loss_from_probabilities", where};
    at.require_nodes(probabilities, labels);
    at.check_binary_labels(labels, convention);
    const Node y = at.match(probabilities, labels);
    check_probabilities(at, probabilities);
    const Node is_positive = greater(at(y), at(0.0));
    const Node q = gradtape::where(at(is_positive), at(probabilities), at(subtract(at(1.0), at(probabilities))));
    const double t = probabilities.dtype() == DType::float32 ? 0x1p-63 : 0x1p-511;
    const Node tangent = add(at(multiply(at(q), at(1 / t))), at(std::log(t) - 1));
    const Node log_q = gradtape::where(at(less(at(q), at(t))), at(tangent), at(log(at(q))));
    return negative(at(mean(at(log_q))));
}

Node cross_entropy(Node logits, Node targets, Where where) {
    const Call at{"cross_entropy", where};
    at.require_nodes(logits, targets);
    at.require_floating(logits);
    const Shape z = logits.shape(), t = targets.shape();  // copies: recording moves the instructions
    if (z.rank() != 2)
        at.refuse_shapes("logits are not a matrix", logits, targets, "predictions of shape (n, classes)");
    at.require_samples(logits, targets);
    const Node log_p = log_softmax(at(logits), 1);
    Node chosen;
    if (targets.dtype() == DType::int64) {
        if (t != Shape{z[0]} && t != Shape{z[0], 1})
            at.refuse_shapes("class numbers do not fit", logits, targets, "targets of shape (n) or (n, 1)");
        check_classes(at, targets, z[1]);
        std::vector<std::int64_t> numbers(static_cast<std::size_t>(z[1]));
        for (std::size_t j = 0; j < numbers.size(); ++j) numbers[j] = std::int64_t(j);
        const Node classes =
            sibling_constant(logits, Tensor::from(std::span<const std::int64_t>(numbers), {1, z[1]}), where);
        const Node is_target = equal(at(reshape(at(targets), {z[0], 1})), at(classes));
        chosen = gradtape::where(at(is_target), at(log_p), at(0.0));
    } else {
        if (t != z) at.refuse_shapes("probabilities do not fit", logits, targets, "targets of shape (n, classes)");
        if (targets.dtype() != logits.dtype()) targets = cast(at(targets), logits.dtype());
        check_distributions(at, targets);
        chosen = multiply_no_nan(at(log_p), at(targets));
    }
    return negative(at(mean(at(sum(at(chosen), 1)))));
}

Node mean_squared_error(Node predictions, Node targets, Where where) {
    const Call at{"mean_squared_error", where};
    at.require_nodes(predictions, targets);
    const Node t = at.match(predictions, targets);
    return mean(at(square(at(subtract(at(predictions), at(t))))));
}

}  // namespace parts
}  // namespace

// A loss is made of several operations; where one of them is refused, none is recorded.

Node log_loss(Node logits, Node labels, Labels convention, Where where) {
    return all_or_nothing(logits, [&] { return parts::log_loss(logits, labels, convention, where); }, where);
}

Node log_loss_from_probabilities(Node probabilities, Node labels, Labels convention, Where where) {
    return all_or_nothing(probabilities, [&] { return parts::log_loss_from_probabilities(probabilities, labels, convention, where); }, where);
}

Node cross_entropy(Node logits, Node targets, Where where) {
    return all_or_nothing(logits, [&] { return parts::cross_entropy(logits, targets, where); }, where);
}

Node mean_squared_error(Node predictions, Node targets, Where where) {
    return all_or_nothing(predictions, [&] { return parts::mean_squared_error(predictions, targets, where); }, where);
}

}  // namespace gradtape::nn

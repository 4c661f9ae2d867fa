#include <gradtape/nn/labels.hpp>

#include "elements.hpp"

#include <cmath>

namespace gradtape::nn {

namespace {

bool allowed(double label, Labels convention) {
    switch (convention) {
        case Labels::zero_one:
            return label == 0 || label == 1;
        case Labels::plus_minus_one:
            return label == -1 || label == 1;
        case Labels::classes:
            return label >= 0;
        default:
            return std::isfinite(label);
    }
}

const char* wanted(Labels convention) {
    switch (convention) {
        case Labels::zero_one:
            return "0 or 1";
        case Labels::plus_minus_one:
            return "-1 or +1";
        case Labels::classes:
            return "0, 1, 2, ...";
        default:
            return "finite numbers";
    }
}

/// Number of rows with a NaN, or whose largest score is not that of the row's label.
template <class T>
std::int64_t count_wrong_classes(std::span<const T> scores, std::span<const std::int64_t> labels, std::size_t classes) {
    std::int64_t wrong = 0;
    for (std::size_t row = 0; row < labels.size(); ++row) {
        const auto s = scores.subspan(row * classes, classes);
        std::size_t largest = 0;
        bool nan = false;
        for (std::size_t j = 0; j < classes; ++j) {
            nan = nan || s[j] != s[j];
            if (s[j] > s[largest]) largest = j;
        }
        wrong += nan || labels[row] != std::int64_t(largest);
    }
    return wrong;
}

template <class Scores, class Values>
std::int64_t count_wrong_signs(Scores scores, Values labels) {
    std::int64_t wrong = 0;
    for (std::size_t i = 0; i < scores.size(); ++i) wrong += labels[i] > 0 ? !(scores[i] > 0) : !(scores[i] <= 0);
    return wrong;
}

[[noreturn]] void refuse_scores(const Tensor& scores, const Tensor& labels, Where where) {
    throw ShapeError("scores " + to_string(scores.shape()) + " do not fit labels " + to_string(labels.shape()) +
                         "; need a score for each label, or a row of scores for each class label",
                     {"count_mislabelled", {scores.shape(), labels.shape()}, {}, where});
}

}  // namespace

const char* to_string(Labels convention) noexcept {
    switch (convention) {
        case Labels::zero_one:
            return "zero_one";
        case Labels::plus_minus_one:
            return "plus_minus_one";
        case Labels::classes:
            return "classes";
        default:
            return "real";
    }
}

void check_labels(const Tensor& labels, Labels convention, const char* asked_by, Where where) {
    if (!asked_by) asked_by = "check_labels";
    if (convention == Labels::classes && labels.dtype() != DType::int64)
        throw DTypeError(std::string("class labels are ") + to_string(labels.dtype()) + "; need int64",
                         {asked_by, {labels.shape()}, {}, where});
    const std::int64_t rows = labels.shape().empty() ? 1 : labels.shape()[0];
    const std::int64_t columns = rows == 0 ? 0 : labels.elements() / rows;
    with_elements(labels, where, [&](auto values) {
        for (std::size_t i = 0; i < values.size(); ++i) {
            if (allowed(double(values[i]), convention)) continue;
            const std::int64_t row = std::int64_t(i) / columns, column = std::int64_t(i) % columns;
            throw ValueError("row " + std::to_string(row) + (columns > 1 ? ", column " + std::to_string(column) : "") +
                                 ": label " + number(double(values[i])) + "; need " + wanted(convention) +
                                 " (Labels::" + to_string(convention) + ")",
                             {asked_by, {labels.shape()}, {}, where});
        }
    });
}

std::int64_t count_mislabelled(const Tensor& scores, const Tensor& labels, Labels convention, Where where) {
    if (convention == Labels::real)
        throw ValueError("real labels have no classes; need Labels::zero_one, plus_minus_one or classes",
                         {"count_mislabelled", {scores.shape(), labels.shape()}, {}, where});
    if (!is_floating(scores.dtype()))
        throw DTypeError(std::string("scores are ") + to_string(scores.dtype()) + "; need float32 or float64",
                         {"count_mislabelled", {scores.shape(), labels.shape()}, {}, where});
    check_labels(labels, convention, "count_mislabelled", where);
    if (convention == Labels::classes) {
        const Shape& s = scores.shape();
        if (s.rank() != 2 || s[0] != labels.elements() || s[1] == 0) refuse_scores(scores, labels, where);
        const auto classes = std::size_t(s[1]);
        return scores.dtype() == DType::float32
                   ? count_wrong_classes(scores.data<float>(where), labels.data<std::int64_t>(where), classes)
                   : count_wrong_classes(scores.data<double>(where), labels.data<std::int64_t>(where), classes);
    }
    if (scores.elements() != labels.elements()) refuse_scores(scores, labels, where);
    return with_elements(labels, where, [&](auto values) {
        return scores.dtype() == DType::float32 ? count_wrong_signs(scores.data<float>(where), values)
                                                : count_wrong_signs(scores.data<double>(where), values);
    });
}

}  // namespace gradtape::nn

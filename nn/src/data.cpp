#include <gradtape/nn/data.hpp>

#include <gradtape/nn/init.hpp>

#include "elements.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>

namespace gradtape::nn {

namespace {

std::int64_t rows_of(const Tensor& tensor) { return tensor.shape().empty() ? 0 : tensor.shape()[0]; }

/// First NaN or infinity; −1 where there is none.
std::int64_t first_non_finite(const Tensor& tensor, Where where) {
    return with_elements(tensor, where, [](auto values) {
        for (std::size_t i = 0; i < values.size(); ++i)
            if (!std::isfinite(double(values[i]))) return std::int64_t(i);
        return std::int64_t(-1);
    });
}

bool has_one_class(const Tensor& labels, Where where) {
    return with_elements(labels, where, [](auto values) {
        return std::all_of(values.begin(), values.end(), [&](auto v) { return v == values[0]; });
    });
}

double element(const Tensor& tensor, std::int64_t i, Where where) {
    return with_elements(tensor, where, [&](auto values) { return double(values[std::size_t(i)]); });
}

void check_counts(const Dataset& data, Where where) {
    const Shape &x = data.inputs.shape(), &y = data.labels.shape();
    const ErrorFacts facts{"dataset", {x, y}, 0, where};
    if (x.empty() || y.empty()) throw ShapeError("inputs and labels need an axis of samples", facts);
    if (x[0] != y[0])
        throw ShapeError("inputs " + to_string(x) + " have " + std::to_string(x[0]) + " samples, labels " +
                             to_string(y) + " have " + std::to_string(y[0]) + "; need as many of each",
                         facts);
    if (data.inputs.elements() == 0 || data.labels.elements() == 0)
        throw ShapeError("inputs " + to_string(x) + " and labels " + to_string(y) + " hold no samples", facts);
    for (const Tensor* tensor : {&data.inputs, &data.labels}) require_elements(*tensor, where);
}

void check_finite(const Tensor& tensor, const char* what, Where where) {
    const std::int64_t i = first_non_finite(tensor, where);
    if (i < 0) return;
    const std::int64_t columns = tensor.elements() / tensor.shape()[0];
    throw ValueError(std::string(what) + " row " + std::to_string(i / columns) + ", column " +
                         std::to_string(i % columns) + ": " + number(element(tensor, i, where)) + "; need finite numbers",
                     {"dataset", {tensor.shape()}, {}, where});
}

/// The rows of each class, in order of the class's label.
std::map<double, std::vector<std::int64_t>> rows_by_class(const Dataset& data, Where where) {
    std::map<double, std::vector<std::int64_t>> rows;
    const bool classes = data.convention != Labels::real && data.labels.elements() == data.size();
    for (std::int64_t row = 0; row < data.size(); ++row) rows[classes ? element(data.labels, row, where) : 0.0].push_back(row);
    return rows;
}

void check_permutation(std::span<const std::int64_t> order, Where where) {
    std::vector<bool> seen(order.size(), false);
    for (std::int64_t row : order) {
        const bool exists = row >= 0 && std::size_t(row) < order.size();
        if (!exists || seen[std::size_t(row)])
            throw ValueError("the order given by `reorder` holds row " + std::to_string(row) +
                                 (exists ? " twice" : ", which does not exist") + "; need each of the " +
                                 std::to_string(order.size()) + " rows once",
                             {"batches", {}, {}, where});
        seen[std::size_t(row)] = true;
    }
}

void gather(const Tensor& from, std::span<const std::int64_t> rows, Tensor& to) {
    Shape shape = from.shape();
    const std::size_t bytes = from.bytes() / std::size_t(std::max<std::int64_t>(1, shape[0]));
    shape[0] = std::int64_t(rows.size());
    std::byte* out = writable(reuse(to, {from.dtype(), shape}));
    const auto* in = static_cast<const std::byte*>(from.raw());
    for (std::size_t i = 0; i < rows.size(); ++i)
        std::memcpy(out + i * bytes, in + std::size_t(rows[i]) * bytes, bytes);
}

}  // namespace

std::vector<std::string> check(const Dataset& data, Where where) {
    check_counts(data, where);
    check_finite(data.inputs, "inputs", where);
    check_finite(data.labels, "labels", where);
    check_labels(data.labels, data.convention, "dataset", where);
    if (data.convention == Labels::real || !has_one_class(data.labels, where)) return {};
    return {"all " + std::to_string(data.size()) + " labels are " + number(element(data.labels, 0, where)) +
            ": there is one class only"};
}

Tensor take_rows(const Tensor& tensor, std::span<const std::int64_t> rows, Where where) {
    for (std::int64_t row : rows)
        if (row < 0 || row >= rows_of(tensor))
            throw ValueError("row " + std::to_string(row) + " of " + to_string(tensor.shape()) + " does not exist",
                             {"take_rows", {tensor.shape()}, 0, where});
    if (tensor.shape().empty()) throw ShapeError("a scalar has no rows", {"take_rows", {tensor.shape()}, {}, where});
    require_elements(tensor, where);
    Tensor result;
    gather(tensor, rows, result);
    return result;
}

Split split(const Dataset& data, double fraction, std::uint64_t seed, Where where) {
    check_counts(data, where);
    if (!(fraction >= 0 && fraction <= 1))
        throw ValueError("fraction " + number(fraction) + "; need 0 <= fraction <= 1", {"split", {}, {}, where});
    Stream random(seed, "split");
    std::vector<std::int64_t> train, held_out;
    for (auto& [label, rows] : rows_by_class(data, where)) {
        random.shuffle(rows);
        const auto count = std::ptrdiff_t(std::llround(fraction * double(rows.size())));
        held_out.insert(held_out.end(), rows.begin(), rows.begin() + count);
        train.insert(train.end(), rows.begin() + count, rows.end());
    }
    std::sort(train.begin(), train.end());
    std::sort(held_out.begin(), held_out.end());
    const auto part = [&](const std::vector<std::int64_t>& rows) {
        return Dataset{take_rows(data.inputs, rows, where), take_rows(data.labels, rows, where), data.convention};
    };
    return {part(train), part(held_out)};
}

Batches::Batches(const Dataset& data, BatchOptions options, Where where) : data_(data), options_(std::move(options)) {
    check_counts(data, where);
    const std::int64_t n = data.size();
    const auto refuse = [&](const std::string& problem) {
        throw ValueError(problem, {"batches", {data.inputs.shape()}, {}, where});
    };
    if (options_.size <= 0) refuse("batch size " + std::to_string(options_.size) + "; need at least 1");
    if (options_.size > n) {
        warnings_.push_back("a batch of " + std::to_string(options_.size) + " is more than the " + std::to_string(n) +
                            " samples; using " + std::to_string(n));
        options_.size = n;
    }
    if (options_.last == LastBatch::error && n % options_.size != 0)
        refuse("batches of " + std::to_string(options_.size) + " leave " + std::to_string(n % options_.size) + " of " +
               std::to_string(n) + " samples; need a divisor, or LastBatch::keep or drop");
    for (std::int64_t row = 0; row < n; ++row) order_.push_back(row);
    position_ = n;
}

std::int64_t Batches::count() const noexcept {
    const std::int64_t n = data_.size(), size = options_.size;
    return options_.last == LastBatch::keep ? (n + size - 1) / size : n / size;
}

void Batches::start_epoch(Where where) {
    ++epoch_;
    position_ = 0;
    index_ = 0;
    if (options_.reorder) {
        options_.reorder(epoch_, order_);
        check_permutation(order_, where);
        return;
    }
    for (std::size_t row = 0; row < order_.size(); ++row) order_[row] = std::int64_t(row);
    // An epoch has blocks of its own in the stream, so that its order depends on nothing but seed and epoch.
    Stream(options_.seed, "batches", std::uint64_t(epoch_) << 40).shuffle(order_);
}

const Batch* Batches::next() {
    if (index_ == count() || epoch_ == 0) return nullptr;
    const std::int64_t size = std::min(options_.size, data_.size() - position_);
    batch_.rows = std::span<const std::int64_t>(order_).subspan(std::size_t(position_), std::size_t(size));
    gather(data_.inputs, batch_.rows, batch_.inputs);
    gather(data_.labels, batch_.rows, batch_.labels);
    batch_.convention = data_.convention;
    batch_.epoch = epoch_;
    batch_.index = ++index_;
    position_ += size;
    return &batch_;
}

}  // namespace gradtape::nn

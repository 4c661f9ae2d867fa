// Checks a derivative against central differences: for the user's own functions and primitives.
#pragma once

#include <gradtape/transforms.hpp>

#include <functional>

namespace gradtape {

struct CheckOptions {
    double relative = 1e-6;   ///< allowed |difference| relative to max(|gradient|, |numeric|)
    double absolute = 1e-8;   ///< and in absolute terms
    /// Of the central difference, times |x| of each element; of 0, times the largest of its tensor, or 1. Where that step
    /// disagrees, others from 1e-7 to 1e8 times it are tried, and the one whose value is surest decides.
    double step = 1e-5;
    int order = 2;            ///< 1: the gradient; 2: also the gradient of a random combination of it
    std::uint64_t seed = 1;   ///< of the random cotangents
    bool equal_nan = false;   ///< a gradient and a difference that are both NaN agree
};

/// What was found. Converts to true where every element agreed.
struct CheckResult {
    bool ok = true;
    double worst = 0;        ///< largest difference, relative to the tolerance
    std::string report;      ///< "order 1, x0[3]: gradient 1.25, numeric 2.5 (difference …, allowed …, step …, rounding …)"
    explicit operator bool() const noexcept { return ok; }
};

/// Compares the gradient of `function` (any shape of result) with central differences, element by element, at float64
/// points `at`. Never throws for a wrong derivative: it reports the worst element, by how much, and at which step.
CheckResult check_gradient(const std::function<Node(std::span<const Node>)>& function, std::span<const Tensor> at,
                           const CheckOptions& options = {}, Where where = Where::here());
template <class Function>
CheckResult check_gradient(const Function& function, std::span<const Tensor> at, const CheckOptions& options = {},
                           Where where = Where::here()) {
    if constexpr (detail::is_function_of_nodes<Function>())
        return check_gradient(std::function<Node(std::span<const Node>)>(function), at, options, where);
}
template <class Function>
CheckResult check_gradient(const Function& function, std::initializer_list<Tensor> at, const CheckOptions& options = {},
                           Where where = Where::here()) {
    return check_gradient(function, std::span<const Tensor>(at.begin(), at.size()), options, where);
}

}  // namespace gradtape

// Where NaNs and infinities come from: a program is run again, plainly, until the first one appears.
#pragma once

#include <gradtape/program.hpp>

namespace gradtape {

/// The first instruction of a program whose value is not finite, and what it was computed from.
struct NonFinite {
    /// A value in figures.
    struct Figures {
        std::uint32_t index = 0;  ///< %index in the printed program
        Type type;
        double low = 0, high = 0;  ///< range of the finite elements, where there are any
        std::int64_t nans = 0, infinities = 0;

        std::int64_t finite() const noexcept { return type.shape.elements() - nans - infinities; }
    };

    Origin made_by;                 ///< the primitive ("input", "parameter" or "constant" for a leaf) and its line
    Figures value;
    std::vector<Figures> operands;  ///< in order; empty for a leaf
    std::shared_ptr<const void> names;  ///< keeps made_by's file name alive, where the program was loaded

    bool leaf() const noexcept { return operands.empty(); }
};

/// Runs `program` on the given leaves and names the first instruction with a NaN or an infinity in its value. A leaf
/// counts as one: a constant of -inf is found before what it causes. Inputs and parameters come in the order in which
/// they were recorded; ValueError, ShapeError or DTypeError where they do not fit. Replays pay nothing for this.
std::optional<NonFinite> find_nonfinite(const Program& program, std::span<const Tensor> inputs,
                                        std::span<const Tensor> parameters, Where where = Where::here());

/// "[log] gives 1 NaN, 2 infinite, others in [-3, 1.5]: %4 : float64(5,); operand %3 : float64(5,) in [-1, 4.5]
/// (model.cpp:41)".
std::string to_string(const NonFinite& found);

}  // namespace gradtape

// A program on its way through a pass: old instructions are kept, replaced or left out, and the rest is renumbered.
#pragma once

#include "passes.hpp"

namespace gradtape::detail {

/// True for the leaves whose value is part of the program: those that are neither inputs nor parameters.
std::vector<char> constant_leaves(const Body& body);

/// The number that a constant repeats in every element; null for other instructions.
const double* repeated_number(const Instruction& instruction);

/// How often each instruction is read: by others, as an output, and as the value of an update.
std::vector<std::uint32_t> count_reads(const Body& body);

class Rewriter {
public:
    /// Instructions of `old` are visited in order; each is kept, or stands for an earlier value, or is left out.
    explicit Rewriter(const Body& old);

    const Instruction& old(Index index) const { return old_.instructions[index]; }
    /// The new number of an old instruction that was kept or replaced.
    Index now(Index old_index) const noexcept { return now_[old_index]; }
    /// The old instruction with its operands in new numbers.
    Instruction renumbered(Index old_index) const;

    /// Copies instruction `old_index`, in new numbers, with its tensor where it is a constant.
    Index keep(Index old_index) { return put(old_index, renumbered(old_index)); }
    /// `instruction`, already in new numbers, takes the place of `old_index`.
    Index put(Index old_index, Instruction instruction);
    /// `old_index` becomes another name for the new value `value`.
    void replace(Index old_index, Index value) noexcept { now_[old_index] = value; }
    /// An instruction that no old one stands for.
    Index append(Instruction instruction);
    /// The tensor of the constant that was appended last.
    void give(Index constant, const Tensor& value) { made_.constants.push_back({constant, value}); }
    /// Takes back the last instruction made.
    void drop_last();

    std::size_t size() const noexcept { return made_.instructions.size(); }
    const Instruction& made(Index new_index) const { return made_.instructions[new_index]; }
    /// The tensor of the new instruction, where it is a constant that has one.
    const Tensor* tensor(Index new_index) const;

    /// The new program: leaf lists, outputs and updates in new numbers.
    Body finish() &&;

private:
    const Body& old_;
    Body made_;
    std::vector<Index> now_;
    std::size_t next_constant_ = 0;  // of old_.constants: instructions are visited in order
};

}  // namespace gradtape::detail

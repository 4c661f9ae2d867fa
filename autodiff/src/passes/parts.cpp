// Functions of one value that are made of the same part: where there are two or more, the part becomes an instruction, and each
// of them what it makes of that.
#include "rewrite.hpp"

namespace gradtape::detail {
namespace {

constexpr std::uint32_t none = ~0u;

/// A part of some value.
struct Part {
    const Primitive* part;
    const Primitive* user;     ///< the first that is made of it
    std::uint32_t next;        ///< another part of the same value
    bool shared = false;       ///< there are other users
    Index computed = none;     ///< where it is in the new program
};

class SharedParts {
public:
    explicit SharedParts(const Body& body) : of_value_(body.instructions.size(), none) {
        for (const Instruction& z : body.instructions)
            if (z.primitive->part) add(z);
    }
    bool any_shared() const { return any_shared_; }
    /// That which z is made of; none where nothing else is.
    Part* shared(const Instruction& z) {
        Part* const part = z.primitive->part ? find(z) : nullptr;
        return part && part->shared ? part : nullptr;
    }

private:
    Part* find(const Instruction& z) {
        for (std::uint32_t k = of_value_[z.operands[0]]; k != none; k = parts_[k].next)
            if (parts_[k].part == z.primitive->part) return &parts_[k];
        return nullptr;
    }
    void add(const Instruction& z) {
        if (Part* const known = find(z)) {
            known->shared |= known->user != z.primitive;
            any_shared_ |= known->shared;
            return;
        }
        std::uint32_t& first = of_value_[z.operands[0]];
        parts_.push_back({z.primitive->part, z.primitive, first});
        first = std::uint32_t(parts_.size() - 1);
    }

    std::vector<Part> parts_;
    std::vector<std::uint32_t> of_value_;  // by instruction: the number of a part of it
    bool any_shared_ = false;
};

}  // namespace

Body share_parts(const Body& body) {
    SharedParts parts(body);
    if (!parts.any_shared()) return body;
    Rewriter rewriter(body);
    for (Index i = 0; i < body.instructions.size(); ++i) {
        Part* const part = parts.shared(body.instructions[i]);
        if (!part) {
            rewriter.keep(i);
            continue;
        }
        const Instruction z = rewriter.renumbered(i);
        const Primitive* const rest = z.primitive->rest;
        if (part->computed == none) part->computed = rewriter.append({part->part, {}, z.operands, z.type, z.where});
        const Index operands[] = {part->computed, z.operands[0]};
        rewriter.put(i, {rest, {}, std::span(operands, std::size_t(rest->arity)), z.type, z.where});
    }
    return std::move(rewriter).finish();
}

}  // namespace gradtape::detail

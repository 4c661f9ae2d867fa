// Common subexpressions: equal instructions on equal operands become one. Constants are equal where all their bits are.
#include "../support/hash.hpp"
#include "rewrite.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

namespace gradtape::detail {
namespace {

/// A repeated number other than NaN.
bool is_number(const Instruction& instruction) {
    const double* value = repeated_number(instruction);
    return value && !std::isnan(*value);
}

/// Swapping operands keeps the bits, except that of two different NaNs x + y passes on the first.
bool may_swap(const Rewriter& rewriter, const Instruction& instruction) {
    if (!instruction.primitive->commutative || instruction.operands.size() != 2) return false;
    return !is_floating(instruction.type.dtype) || is_number(rewriter.made(instruction.operands[0])) ||
           is_number(rewriter.made(instruction.operands[1]));
}

SmallVector<Index, 3> sorted_operands(const Rewriter& rewriter, const Instruction& instruction) {
    SmallVector<Index, 3> operands = instruction.operands;
    if (may_swap(rewriter, instruction) && operands[0] > operands[1]) std::swap(operands[0], operands[1]);
    return operands;
}

std::size_t hash_of(const Tensor& tensor) {
    // Long tensors that start alike are told apart by comparing them.
    const std::size_t bytes = std::min<std::size_t>(tensor.bytes(), 4096);
    return std::hash<std::string_view>()({static_cast<const char*>(tensor.raw()), bytes});
}

bool same_tensors(const Tensor* a, const Tensor* b) {
    if (!a || !b) return a == b;
    return a->raw() == b->raw() || std::memcmp(a->raw(), b->raw(), a->bytes()) == 0;
}

std::size_t hash_of(const Rewriter& rewriter, Index index) {
    const Instruction& instruction = rewriter.made(index);
    std::size_t seed = std::hash<const void*>()(instruction.primitive);
    for (Index operand : sorted_operands(rewriter, instruction)) seed = mix(seed, operand);
    seed = mix(seed, instruction.attributes.hash());
    if (!instruction.primitive->leaf) return seed;
    for (auto extent : instruction.type.shape) seed = mix(seed, std::size_t(extent));
    const Tensor* tensor = rewriter.tensor(index);
    return tensor ? mix(seed, hash_of(*tensor)) : seed;
}

bool are_equal(const Rewriter& rewriter, Index i, Index j) {
    const Instruction &a = rewriter.made(i), &b = rewriter.made(j);
    if (a.primitive != b.primitive || !(a.type == b.type) || !(a.attributes == b.attributes)) return false;
    if (!(sorted_operands(rewriter, a) == sorted_operands(rewriter, b))) return false;
    return !a.primitive->leaf || same_tensors(rewriter.tensor(i), rewriter.tensor(j));
}

/// Instructions by what they compute: an open hash table, at most half full.
class Seen {
public:
    explicit Seen(std::size_t most) : entries_(std::bit_ceil(2 * most + 1)) {}

    /// The equal of `index` that came first: `index` itself where there was none.
    Index first(const Rewriter& rewriter, Index index) {
        const std::size_t hash = hash_of(rewriter, index), mask = entries_.size() - 1;
        const auto part = std::uint32_t(hash >> 32);
        for (std::size_t slot = (hash ^ hash >> 32) & mask;; slot = (slot + 1) & mask) {
            Entry& entry = entries_[slot];
            if (entry.index == none) entry = {part, index};
            if (entry.hash == part && (entry.index == index || are_equal(rewriter, entry.index, index))) return entry.index;
        }
    }

private:
    static constexpr Index none = ~Index(0);
    struct Entry {
        std::uint32_t hash = 0;
        Index index = none;
    };
    std::vector<Entry> entries_;
};

}  // namespace

Body merge_common(const Body& body) {
    Rewriter rewriter(body);
    const std::vector<char> constant = constant_leaves(body);
    Seen known(body.instructions.size());
    for (Index i = 0; i < body.instructions.size(); ++i) {
        const Primitive& primitive = *body.instructions[i].primitive;
        const Index made = rewriter.keep(i);
        if (primitive.effect || (primitive.leaf && !constant[i])) continue;
        const Index first = known.first(rewriter, made);
        if (first == made) continue;
        rewriter.replace(i, first);
        rewriter.drop_last();
    }
    return std::move(rewriter).finish();
}

}  // namespace gradtape::detail

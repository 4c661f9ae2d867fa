// Off unless asked for, since it changes rounding: w ± s (x y) becomes one product that is added to w in place.
#include "rewrite.hpp"

#include "../primitives/catalogue.hpp"

#include <optional>

namespace gradtape::detail {
namespace {

class Updates {
public:
    explicit Updates(const Body& body) : body_(body), rewriter_(body), reads_(count_reads(body)) {}

    Body run() && {
        for (Index i = 0; i < body_.instructions.size(); ++i)
            if (!rewrite(i)) rewriter_.keep(i);
        return std::move(rewriter_).finish();
    }

private:
    /// s op(x) op(y), read by nobody else; s is missing where it is 1.
    struct Scaled {
        Index product;
        std::optional<Index> scale;
    };

    const Instruction& at(Index i) const { return body_.instructions[i]; }
    bool is(Index i, Op op) const { return at(i).primitive == &primitive(op); }
    bool is_product(Index i) const { return is(i, Op::matmul) && at(i).type.shape.rank() == 2 && reads_[i] == 1; }
    bool is_number(Index i) const {
        return repeated_number(at(i)) || (is(i, Op::broadcast_to) && at(at(i).operands[0]).type.shape.elements() == 1);
    }

    std::optional<Scaled> scaled_product(Index i) const {
        if (is_product(i)) return Scaled{i, {}};
        if (!is(i, Op::multiply) || reads_[i] != 1) return {};
        const Index a = at(i).operands[0], b = at(i).operands[1];
        if (is_product(a) && is_number(b)) return Scaled{a, b};
        if (is_product(b) && is_number(a)) return Scaled{b, a};
        return {};
    }

    bool rewrite(Index i) {
        const bool minus = is(i, Op::subtract);
        if (!minus && !is(i, Op::add)) return false;
        for (std::size_t k : {1, 0}) {
            if (k == 0 && minus) break;
            if (is(at(i).operands[1 - k], Op::broadcast_to)) continue;  // a bias: it is cheaper to add in passing
            if (const auto scaled = scaled_product(at(i).operands[k])) {
                put(i, at(i).operands[1 - k], *scaled, minus);
                return true;
            }
        }
        return false;
    }

    Index constant(double value, const Instruction& like) {
        return rewriter_.append({&primitive(Op::constant), {{"value", value}}, {}, {like.type.dtype, {}}, like.where});
    }

    /// The scale as one number, in new numbers.
    Index number(const Scaled& scaled, bool minus, const Instruction& z) {
        if (!scaled.scale) return constant(minus ? -1 : 1, z);
        const Instruction& scale = at(*scaled.scale);
        if (const double* value = repeated_number(scale)) return constant(minus ? -*value : *value, z);
        const Index source = rewriter_.now(scale.operands[0]);
        if (!minus) return source;
        const Index list[] = {source};
        return rewriter_.append({&primitive(Op::negative), {}, list, at(scale.operands[0]).type, z.where});
    }

    void put(Index i, Index w, const Scaled& scaled, bool minus) {
        const Instruction &z = at(i), &product = at(scaled.product);
        const Index list[] = {rewriter_.now(w), rewriter_.now(product.operands[0]), rewriter_.now(product.operands[1]),
                              number(scaled, minus, z)};
        rewriter_.put(i, {&primitive(Op::addmm), product.attributes, list, z.type, z.where});
    }

    const Body& body_;
    Rewriter rewriter_;
    std::vector<std::uint32_t> reads_;
};

}  // namespace

Body gemm_updates(const Body& body) { return Updates(body).run(); }

}  // namespace gradtape::detail

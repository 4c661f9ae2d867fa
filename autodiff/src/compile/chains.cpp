// Making chains, in linear time but for a logarithm: each group is sorted into layers of one kind, links of one dtype or other
// operations, each as early as its operands allow; and each layer of links is put in order.
#include "chains.hpp"

#include "../kernels/kernels.hpp"

#include <algorithm>
#include <optional>

namespace gradtape::detail {
namespace {

constexpr std::size_t most_links = 64;  ///< of a chain: bounds the stack where a compiler makes no tail calls

enum class Layer : std::uint8_t { other, float32, float64 };

class ChainMaker {
public:
    ChainMaker(const Program::Body& body, Schedule& schedule)
        : body_(body), schedule_(schedule), links_(body.instructions.size()), layer_(body.instructions.size()),
          reads_(body.instructions.size()), linked_(body.instructions.size()) {}

    std::vector<ChainLink> run() {
        for (std::uint32_t u = 0; u < schedule_.units.size(); ++u)
            if (schedule_.units[u].kind == Unit::Kind::group && is_worth(schedule_.units[u].members)) add(u);
        return std::move(links_);
    }

private:
    const Instruction& at(Index i) const { return body_.instructions[i]; }

    Layer kind_of(Index i) const {
        const DType dtype = at(i).type.dtype;
        if (!is_floating(dtype) || !kernels_of(*at(i).primitive).links[dtype == DType::float64]) return Layer::other;
        return dtype == DType::float64 ? Layer::float64 : Layer::float32;
    }

    /// A single link has nothing to hand on, but reads a column as a number for each row.
    bool is_worth(const std::vector<Index>& members) const {
        const auto& operands = at(members[0]).operands;
        return members.size() > 1 || std::any_of(operands.begin(), operands.end(), [&](Index operand) {
            return schedule_.spread[schedule_.root[operand]] == Spread::column;
        });
    }

    /// What i reads of its own unit.
    template <class F>
    void each_member_read(Index i, std::uint32_t u, F f) const {
        for (std::size_t k = 0; k < at(i).operands.size(); ++k) {
            const Index r = schedule_.root[at(i).operands[k]];
            if (schedule_.unit_of[r] == u) f(r, k);
        }
    }

    void add(std::uint32_t u) {
        std::vector<Layer> kinds;
        std::vector<std::vector<Index>> layers;
        std::vector<std::size_t> of_kind[3];  // which layers are
        for (Index i : schedule_.units[u].members) {
            const Layer kind = kind_of(i);
            std::size_t least = 0;
            each_member_read(i, u, [&](Index r, std::size_t) {
                least = std::max<std::size_t>(least, layer_[r] + (kinds[layer_[r]] == kind ? 0 : 1));
            });
            std::vector<std::size_t>& same = of_kind[std::size_t(kind)];
            if (same.empty() || same.back() < least) {
                same.push_back(layers.size());
                kinds.push_back(kind);
                layers.emplace_back();
            }
            const std::size_t layer = *std::lower_bound(same.begin(), same.end(), least);
            layer_[i] = std::uint32_t(layer);
            layers[layer].push_back(i);
        }
        std::vector<Index>& members = schedule_.units[u].members;
        members.clear();
        for (std::size_t layer = 0; layer < layers.size(); ++layer) {
            if (kinds[layer] != Layer::other && is_worth(layers[layer])) link(layers[layer], u);
            members.insert(members.end(), layers[layer].begin(), layers[layer].end());
        }
        for (Index i : members)
            each_member_read(i, u, [&](Index r, std::size_t k) {
                if (links_[r].chain == no_chain || links_[i].chain != links_[r].chain)
                    links_[r].read_outside = true;
                else if (links_[i].in_registers != std::int8_t(k))
                    links_[r].read_later = true;
            });
    }

    /// Makes a layer a chain, in the order of a depth-first search from what only others read: a link's operands come just
    /// before it, and last the one that nobody else reads.
    void link(std::vector<Index>& layer, std::uint32_t u) {
        const std::vector<Index> given = std::exchange(layer, {});
        for (Index i : given) each_member_read(i, u, [&](Index r, std::size_t) { ++reads_[r]; });
        std::vector<Index> open;
        for (Index end : given) {
            if (reads_[end] == 0) open.push_back(end);
            while (!open.empty()) {
                const Index i = open.back();
                if (const std::optional<Index> operand = next_operand(i, u)) {
                    open.push_back(*operand);
                    continue;
                }
                open.pop_back();
                add_link(layer, i);
            }
        }
        ++chains_;
    }

    /// What is to come before i: first what others read too, and will find in memory.
    std::optional<Index> next_operand(Index i, std::uint32_t u) const {
        std::optional<Index> next;
        each_member_read(i, u, [&](Index r, std::size_t) {
            if (layer_[r] == layer_[i] && !linked_[r] && (!next || reads_[r] > reads_[*next])) next = r;
        });
        return next;
    }

    /// i comes after the last of `layer`.
    void add_link(std::vector<Index>& layer, Index i) {
        const bool first = layer.size() % most_links == 0;
        if (first && !layer.empty()) ++chains_;
        links_[i].chain = chains_;
        linked_[i] = 1;
        for (std::size_t k = 0; k < at(i).operands.size() && !first && links_[i].in_registers < 0; ++k)
            if (schedule_.root[at(i).operands[k]] == layer.back()) links_[i].in_registers = std::int8_t(k);
        layer.push_back(i);
    }

    const Program::Body& body_;
    Schedule& schedule_;
    std::vector<ChainLink> links_;
    std::vector<std::uint32_t> layer_;  // by instruction: within its group
    std::vector<std::uint32_t> reads_;  // by instruction: how many members of its group read it
    std::vector<char> linked_;          // by instruction: it has its place in a chain
    std::uint32_t chains_ = 0;
};

}  // namespace

std::vector<ChainLink> make_chains(const Program::Body& body, Schedule& schedule) { return ChainMaker(body, schedule).run(); }

}  // namespace gradtape::detail

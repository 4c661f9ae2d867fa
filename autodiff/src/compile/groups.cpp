// Members become loops or links of chains; values that no other unit reads live in slots, of a block or of a tile.
#include "groups.hpp"

#include "../passes/rewrite.hpp"

#include <algorithm>
#include <bit>

namespace gradtape::detail {
namespace {

constexpr std::size_t block_elements = 1024;  ///< 2^k; fits, with a handful of operands, into the first cache
constexpr std::int64_t shortest_row = 192;    ///< that a group is run by
constexpr std::size_t part_elements = 32768;  ///< that one thread takes at least, 2^k blocks
constexpr std::size_t shared_work = std::size_t(1) << 18;  ///< elements times operations that are worth a second thread

/// A number that is free, or else the next one.
std::size_t take(std::vector<std::size_t>& free, std::size_t& next) {
    if (free.empty()) return next++;
    const std::size_t number = free.back();
    free.pop_back();
    return number;
}

}  // namespace

Groups::Groups(const Schedule& schedule, const std::vector<ChainLink>& links, const CompileOptions& options,
               ValuePlan& values, Plan& plan)
    : schedule_(schedule), links_(links), options_(options), values_(values), plan_(plan) {
    choose_slot_size();
}

/// Of a group that is best run row by row, the elements of a row: where columns are spread over its rows, or rows are
/// repeated whose size is no power of two. Else 0.
std::size_t Groups::row_length(const Unit& unit) const {
    const std::int64_t all = values_.at_a_time(unit.count);
    if (!options_.fuse || !options_.chain || options_.threads > 1) return 0;
    for (Index i : unit.members)
        for (Index operand : at(i).operands) {
            const Index r = root(operand);
            if (schedule_.spread[r] != Spread::row && schedule_.spread[r] != Spread::column) continue;
            const std::int64_t from = at(root(at(r).operands[0])).type.shape.elements();
            const bool row = schedule_.spread[r] == Spread::row;
            const std::int64_t length = row ? from : unit.count / from;
            if (length < shortest_row || length > std::int64_t(block_elements) || length % 64 != 0 || length >= all) continue;
            if (!row || !std::has_single_bit(std::size_t(length))) return std::size_t(length);
        }
    return 0;
}

/// Slots hold a block of the widest elements that some group has.
void Groups::choose_slot_size() {
    std::size_t widest = 0;
    for (const Unit& unit : schedule_.units) {
        if (unit.kind != Unit::Kind::group) continue;
        std::size_t size = 1;
        for (Index i : unit.members) {
            size = std::max(size, size_at(i));
            for (Index operand : at(i).operands) size = std::max(size, size_at(operand));
        }
        widest = std::max(widest, std::min(block_elements, std::size_t(unit.count)) * size);
    }
    plan_.slot_bytes = std::max(tile_bytes, (widest + tile_bytes - 1) / tile_bytes * tile_bytes);
}

BufferId Groups::slot(std::size_t k) {
    // One after the other, a thread's each.
    while (slots_.size() <= k) slots_.push_back(values_.room(plan_.slot_bytes * options_.threads));
    return slots_[k];
}

/// Room for a tile between two links. Several share the memory of a slot.
BufferId Groups::tile(std::size_t k) {
    const std::size_t in_one = plan_.slot_bytes / tile_bytes;
    for (; tiles_.size() <= k;) {
        const std::size_t number = tiles_.size() % in_one;
        if (number == 0) tiles_in_ = values_.room(plan_.slot_bytes * options_.threads);
        tiles_.push_back(values_.part_of(tiles_in_, number * tile_bytes, tile_bytes));
    }
    return tiles_[k];
}

void Groups::add(std::uint32_t u) {
    const Unit& unit = schedule_.units[u];
    State g{u, new_group(unit)};
    for (std::size_t m = 0; m < unit.members.size(); ++m)
        for (Index operand : at(unit.members[m]).operands) g.last[root(operand)] = m;
    for (std::size_t m = 0; m < unit.members.size(); ++m) {
        const std::uint32_t chain = links_[unit.members[m]].chain;
        if (chain != g.chain) end_chain(g);
        chain == no_chain ? add_member(g, m) : add_link(g, m);
    }
    end_chain(g);
    if (g.group.count <= g.group.block) {
        g.group.first = plan_.settled_ops;
        plan_.settled_ops += g.group.ops.size();
    }
    plan_.steps.push_back({Step::Kind::group, std::uint32_t(plan_.groups.size())});
    plan_.groups.push_back(std::move(g.group));
}

/// How a group is cut into blocks and parts.
Group Groups::new_group(const Unit& unit) {
    const std::size_t count = std::size_t(values_.at_a_time(unit.count));
    const std::size_t row = row_length(unit);
    const std::size_t block = row ? row : options_.fuse ? block_elements : (count + 15) / 16 * 16 + 16;
    const std::size_t whole = std::max(block, (count + block - 1) / block * block);
    const bool shared = options_.fuse && options_.threads > 1 && count * unit.members.size() >= shared_work;
    std::size_t part = part_elements;
    while (count > 64 * part) part *= 2;
    if (!shared || count <= part) return {count, block, whole, Group::npos, false, {}, row != 0};
    plan_.threads = options_.threads;
    return {count, block, part, Group::npos, false, {}};
}

void Groups::add_member(State& g, std::size_t m) {
    const Index i = schedule_.units[g.unit].members[m];
    const Instruction& instruction = at(i);
    GroupOp op;
    op.arity = std::uint8_t(instruction.operands.size());
    for (std::size_t k = 0; k < op.arity; ++k) op.in[k] = lane(g, root(instruction.operands[k]));
    if (!has_loops(*instruction.primitive)) {
        op.kind = GroupOp::Kind::reduce;
        op.reduction = kernels_of(*instruction.primitive).streams[instruction.type.dtype == DType::float64];
        g.group.reduces = true;
        const std::size_t state = padded_state(*op.reduction, std::size_t(schedule_.units[g.unit].count));
        op.state = values_.room_for_unit(state * g.group.parts());
        op.out = {values_.store(i, g.unit, false), 0, 0, false};
    } else {
        op.dtype = at(instruction.operands[instruction.primitive->loop_operand]).type.dtype;
        op.loop = kernels_of(*instruction.primitive).loop(op.dtype, instruction.type.dtype);
        op.out = result_lane(g, i, m);
    }
    g.group.ops.push_back(op);
    for (Index operand : instruction.operands) release(g, root(operand), m, false);
}

/// Adds to the group's open chain, or opens one. Slots that its links read are free when all of it has run.
void Groups::add_link(State& g, std::size_t m) {
    const Index i = schedule_.units[g.unit].members[m];
    const Instruction& instruction = at(i);
    const ChainLink& chain_link = links_[i];
    if (g.chain == no_chain) {
        g.chain = chain_link.chain;
        g.run = GroupOp();
        g.run.kind = GroupOp::Kind::chain;
        g.run.first_link = plan_.links.size();
        plan_.links.emplace_back();
    }
    PlannedLink link;
    for (std::size_t k = 0; k < instruction.operands.size(); ++k) {
        const Index r = root(instruction.operands[k]);
        if (chain_link.in_registers != std::int8_t(k)) link.in[k] = operand_place(g, r, link.in[0].within != Place::number);
    }
    for (Index operand : instruction.operands) {
        release(g, root(operand), m, true);
        g.read_by_chain.push_back({root(operand), m});
    }
    if (values_.stored(i) || chain_link.read_outside)
        link.out = place(g, result_lane(g, i, m), size_at(i));
    else if (chain_link.read_later)
        link.out = tile_place(g, i);
    Link functions[2] = {};
    g.run.chain = kernels_of(*instruction.primitive).links[instruction.type.dtype == DType::float64](functions, chain_link.in_registers);
    link.functions = functions[0];
    plan_.links.back() = link;
    if (g.group.by_rows) note_moving(g, link);
    plan_.links.emplace_back().functions = functions[1];
    ++g.run.links;
}

void Groups::end_chain(State& g) {
    if (g.chain == no_chain) return;
    g.chain = no_chain;
    g.group.ops.push_back(g.run);
    for (const auto& [r, m] : g.read_by_chain) release(g, r, m, false);
    g.read_by_chain.clear();
}

PlannedPlace Groups::place(const State& g, const Lane& lane, std::size_t element_bytes) const {
    const std::size_t within = lane.advance ? ~std::size_t(0) : lane.step ? block_elements * element_bytes - 1 : 0;
    return {lane.buffer, lane.slot, within, g.group.by_rows && lane.advance ? g.group.block * element_bytes : 0};
}

/// The places of the latest link that move from row to row.
void Groups::note_moving(State& g, const PlannedLink& link) {
    const auto note = [&](std::uint8_t which, const PlannedPlace& place) {
        if (place.row_bytes) g.group.moving.push_back({plan_.links.size() - 1, which, place.buffer, place.row_bytes});
    };
    note(0, link.in[0]);
    note(1, link.in[1]);
    note(2, link.out);
}

/// Where a link finds the row, or the number, that a row of r is made of; nowhere where it is not made of one.
PlannedPlace Groups::row_place(const State& g, Index r, bool may_be_number) const {
    const Index source = root(at(r).operands[0]);
    const std::int64_t all = at(r).type.shape.elements(), from = at(source).type.shape.elements(), length = std::int64_t(g.group.block);
    if (schedule_.spread[r] == Spread::row && from == length) return {values_.whole(source), false, ~std::size_t(0)};
    if (schedule_.spread[r] == Spread::column && from * length == all && may_be_number)
        return {values_.rows(source), false, Place::number, size_at(r)};
    return {};
}

/// Where a link finds r. A number that is repeated is found where it is, unless it is the link's second. A row of 2^k bytes,
/// read over and over, is found where it is, or in a tile of its copies.
PlannedPlace Groups::operand_place(State& g, Index r, bool may_be_number) {
    if (repeated_number(at(r))) return {values_.block_of(r), false, may_be_number ? Place::number : 0};
    if (may_be_number && schedule_.spread[r] == Spread::repeat)
        return {values_.whole(root(at(r).operands[0])), false, Place::number};
    if (g.group.by_rows && schedule_.spread[r] != Spread::none)
        if (const PlannedPlace found = row_place(g, r, may_be_number); found.buffer != no_buffer) return found;
    if (g.held.contains(r) || schedule_.spread[r] != Spread::row) return place(g, lane(g, r), size_at(r));
    const Index source = root(at(r).operands[0]);
    const std::size_t elements = std::size_t(at(source).type.shape.elements()), bytes = elements * size_at(r);
    const bool in_line = !g.group.by_rows || g.group.block * size_at(r) % bytes == 0;  // with where rows begin
    if (!std::has_single_bit(bytes) || !in_line) return place(g, lane(g, r), size_at(r));
    if (bytes >= tile_bytes) return {values_.whole(source), false, bytes - 1};
    const auto [known, fresh] = g.rows.try_emplace(r);
    if (fresh) known->second = repeat(g, r, elements).buffer;
    return {known->second, true, tile_bytes - 1};
}

PlannedPlace Groups::tile_place(State& g, Index i) {
    const std::size_t k = take(g.free_tiles, g.tiles);
    const Lane lane{tile(k), 0, 0, true};
    g.held[i] = {lane, k, true};
    return place(g, lane, size_at(i));
}

Lane Groups::lane(State& g, Index r) {
    if (repeated_number(at(r))) return {values_.block_of(r), 0, 0, false};
    if (const auto known = g.held.find(r); known != g.held.end()) return known->second.lane;
    if (schedule_.spread[r] == Spread::none || !options_.fuse) return whole_lane(r);
    return load(g, r);
}

/// Reads a broadcast's source into a slot, in the group's own rhythm.
Lane Groups::load(State& g, Index r) {
    if (schedule_.spread[r] == Spread::repeat) {
        const Lane lane = repeat(g, r, 1);
        g.held[r] = {lane};
        return lane;
    }
    const Index source = root(at(r).operands[0]);
    const bool row = schedule_.spread[r] == Spread::row;
    const std::int64_t elements = at(source).type.shape.elements();
    const std::size_t from = std::size_t(row ? elements : values_.at_a_time(elements));
    GroupOp op;
    op.kind = row ? GroupOp::Kind::row : GroupOp::Kind::column;
    op.arity = 1;
    op.dtype = at(r).type.dtype;
    op.in[0] = {row ? values_.whole(source) : values_.rows(source), 0, 1, false};
    op.period = row ? from : g.group.count / from;
    const Held held = take_slot(g);
    op.out = held.lane;
    g.group.ops.push_back(op);
    g.held[r] = held;
    return op.out;
}

/// Fills a tile with the `period` elements of a broadcast's source: at a part's first block only, for the whole group.
Lane Groups::repeat(State& g, Index r, std::size_t period) {
    GroupOp op;
    op.kind = GroupOp::Kind::repeat;
    op.arity = 1;
    op.dtype = at(r).type.dtype;
    op.in[0] = {values_.whole(root(at(r).operands[0])), 0, 1, false};
    op.period = period;
    op.out = {tile(g.tiles++), 0, 0, true};
    g.group.ops.push_back(op);
    return op.out;
}

Lane Groups::result_lane(State& g, Index i, std::size_t m) {
    if (!options_.fuse) values_.must_store(i);
    if (values_.stored(i)) {
        values_.store(i, g.unit, at(i).primitive->in_place);
        return (g.held[i] = {whole_lane(i)}).lane;
    }
    // In place of an operand whose last use this is: a loop reads each register before it writes it.
    if (options_.reuse)
        for (Index operand : at(i).operands) {
            const auto known = g.held.find(root(operand));
            if (known == g.held.end() || g.last[root(operand)] != m || known->second.lane.step == 0) continue;
            if (known->second.lane.advance || size_at(operand) != size_at(i)) continue;
            g.last[root(operand)] = Group::npos;
            return (g.held[i] = Held(known->second)).lane;
        }
    return (g.held[i] = take_slot(g)).lane;
}

Groups::Held Groups::take_slot(State& g) {
    const std::size_t k = take(g.free_slots, g.slots);
    return {{slot(k), 0, 1, true}, k};
}

/// Member m has read r: where it is the last to do so, r's slot, or its tile, is free.
void Groups::release(State& g, Index r, std::size_t m, bool tile) {
    const auto known = g.held.find(r);
    if (g.last[r] != m || known == g.held.end() || known->second.slot == Group::npos || known->second.tile != tile) return;
    (tile ? g.free_tiles : g.free_slots).push_back(known->second.slot);
    g.last[r] = Group::npos;
}

}  // namespace gradtape::detail

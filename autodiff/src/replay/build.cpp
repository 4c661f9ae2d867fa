// From units to a plan: every value gets a buffer, every operation its operands' addresses.
#include "memory.hpp"
#include "pairs.hpp"
#include "plan.hpp"
#include "schedule.hpp"
#include "sharing.hpp"

#include "../passes/rewrite.hpp"

#include <algorithm>
#include <unordered_map>

namespace gradtape::detail {
namespace {

constexpr std::size_t block_elements = 1024;  ///< fits, with a handful of operands, into the first cache
constexpr std::size_t part_elements = 32768;  ///< that one thread takes at least, 2^k blocks
constexpr std::size_t shared_work = std::size_t(1) << 18;  ///< elements times operations that are worth a second thread
constexpr BufferId no_buffer = ~0u;
constexpr std::uint32_t never = ~0u;

class Builder {
public:
    Builder(const Program::Body& body, const CompileOptions& options)
        : body_(body), options_(options), schedule_(schedule(body, options.fuse)),
          pairs_(options.fuse && options.join ? find_pairs(body, schedule_) : Pairs{}), layout_(options.reuse) {
        const std::size_t n = body.instructions.size();
        buffer_.assign(n, no_buffer);
        last_use_.assign(n, 0);
        stored_.assign(n, 0);
        reads_.assign(n, {});
        freed_.assign(n, 0);
        taken_over_.assign(n, 0);
    }

    Plan run() {
        plan_.debug = options_.debug;
        for (const auto& constant : body_.constants) constant_at_.emplace(constant.index, &constant.value);
        add_leaves();
        find_uses();
        choose_outputs();
        choose_updates();
        add_slots();
        for (std::uint32_t u = 0; u < schedule_.units.size(); ++u) add_unit(u);
        finish();
        return std::move(plan_);
    }

private:
    /// What a group has of its own while it is built.
    struct GroupState {
        std::uint32_t unit;
        Group group;
        std::unordered_map<Index, Lane> lanes;       // members and broadcasts that live in slots
        std::unordered_map<Index, std::size_t> last;  // op index of the last use within the group
        std::vector<std::size_t> free_slots;
        std::size_t slots = 0;
    };

    const Instruction& at(Index i) const { return body_.instructions[i]; }
    Index root(Index i) const { return schedule_.root[i]; }
    bool is_leaf(Index r) const { return at(r).primitive->leaf; }
    std::size_t bytes_of(Index r) const { return padded_bytes(at(r).type); }

    bool is_hidden(Index i) const { return !pairs_.hidden.empty() && pairs_.hidden[i]; }
    Index first_of_pair(Index i) const { return pairs_.first.empty() ? no_index : pairs_.first[i]; }

    /// What the loop of i reads: its operands, or those of a pair.
    SmallVector<Index, 3> read_by(Index i) const {
        const Index first = first_of_pair(i);
        if (first == no_index) return at(i).operands;
        Index list[3];
        std::size_t count = 0;
        for (Index operand : at(first).operands) list[count++] = operand;
        for (std::size_t k = 0; k < at(i).operands.size(); ++k)
            if (k != pairs_.place[i]) list[count++] = at(i).operands[k];
        return SmallVector<Index, 3>(std::span<const Index>(list, count));
    }

    BufferId add_buffer(Home home, std::size_t place, std::size_t bytes) {
        plan_.buffers.push_back({home, place, bytes});
        return BufferId(plan_.buffers.size() - 1);
    }

    void add_leaves() {
        for (std::size_t k = 0; k < body_.inputs.size(); ++k) {
            buffer_[body_.inputs[k]] = add_buffer(Home::input, k, bytes_of(body_.inputs[k]));
            plan_.input_buffers.push_back(buffer_[body_.inputs[k]]);
        }
        for (std::size_t k = 0; k < body_.parameters.size(); ++k) {
            buffer_[body_.parameters[k]] = add_buffer(Home::parameter, k, bytes_of(body_.parameters[k]));
            plan_.parameter_buffers.push_back(buffer_[body_.parameters[k]]);
        }
        plan_.updated.assign(body_.parameters.size(), 0);
        parameter_of_.assign(body_.instructions.size(), never);
        for (std::size_t k = 0; k < body_.parameters.size(); ++k) parameter_of_[body_.parameters[k]] = std::uint32_t(k);
    }

    BufferId add_constant(const Tensor& value) {
        plan_.constants.push_back(value);
        return add_buffer(Home::constant, plan_.constants.size() - 1, value.bytes());
    }

    /// The block that stands for a repeated constant.
    BufferId block_of(Index r) {
        auto [it, fresh] = blocks_.try_emplace(r, no_buffer);
        if (fresh) {
            const DType dtype = at(r).type.dtype;
            it->second = add_constant(Tensor::full({std::int64_t(64 / size_of(dtype))}, *repeated_number(at(r)), dtype));
        }
        return it->second;
    }

    /// The buffer with all elements of value r.
    BufferId whole(Index r) {
        if (buffer_[r] != no_buffer) return buffer_[r];
        if (const double* number = repeated_number(at(r)))
            buffer_[r] = add_constant(Tensor::full(at(r).type.shape, *number, at(r).type.dtype));
        else if (const auto constant = constant_at_.find(r); constant != constant_at_.end())
            buffer_[r] = add_constant(*constant->second);
        else
            throw Error("value %" + std::to_string(r) + " has no buffer", {"compile", {}, {}, at(r).where});
        return buffer_[r];
    }

    /// Which values must be written out in full, and when each is last read.
    void find_uses() {
        for (std::uint32_t u = 0; u < schedule_.units.size(); ++u) {
            const Unit& unit = schedule_.units[u];
            const bool group = unit.kind == Unit::Kind::group;
            for (std::size_t m = 0; m < unit.members.size(); ++m) {
                const Index i = unit.members[m];
                if (is_hidden(i)) continue;
                if (!group || !at(i).primitive->elementwise) stored_[i] = unit.kind != Unit::Kind::guard;
                for (Index operand : read_by(i)) use(root(operand), u, group, std::uint32_t(m));
            }
        }
    }

    void use(Index r, std::uint32_t u, bool by_group, std::uint32_t member) {
        if (by_group && schedule_.spread[r] != Spread::none) {
            // Read in passing: what counts is its source, read as something other than whole, equal lanes.
            r = root(at(r).operands[0]);
            member = never;
        }
        last_use_[r] = std::max(last_use_[r], u);
        if (schedule_.unit_of[r] != u) stored_[r] = 1;
        reads_[r] = {u, reads_[r].unit == u ? std::max(reads_[r].member, member) : member};
    }

    /// The first output made by a step lives in that output's own tensor; further and leaf outputs are copied at the end.
    void choose_outputs() {
        for (std::size_t k = 0; k < body_.outputs.size(); ++k) {
            const Index r = root(body_.outputs[k]);
            const Type& type = at(body_.outputs[k]).type;
            last_use_[r] = never;
            if (!is_leaf(r) && buffer_[r] == no_buffer) {
                stored_[r] = 1;
                buffer_[r] = add_buffer(Home::output, k, bytes_of(r));
                plan_.outputs.push_back({type, buffer_[r]});
            } else {
                const BufferId own = add_buffer(Home::output, k, padded_bytes(type));
                plan_.outputs.push_back({type, own});
                late_outputs_.push_back({r, own});
            }
        }
    }

    void choose_updates() {
        std::uint32_t last_guard = 0;
        bool guarded = false;
        for (std::uint32_t u = 0; u < schedule_.units.size(); ++u)
            if (schedule_.units[u].kind == Unit::Kind::guard) last_guard = u, guarded = true;
        for (const auto& update : body_.updates)
            if (is_leaf(root(update.value))) last_use_[root(update.value)] = never;
        for (const auto& update : body_.updates) {
            const Index p = update.parameter, v = root(update.value);
            plan_.updated[parameter_of_[p]] = 1;
            if (v == p) continue;
            if (in_place_update(p, v) && !(guarded && schedule_.unit_of[v] < last_guard)) {
                buffer_[v] = buffer_[p];
                stored_[v] = 1;
            } else {
                if (!is_leaf(v)) stored_[v] = 1;
                late_updates_.push_back({v, buffer_[p]});
            }
            last_use_[v] = never;
        }
    }

    /// Whether v can be written over parameter p: nobody reads p after v is begun, or beside it, or as a result.
    bool in_place_update(Index p, Index v) const {
        if (!options_.reuse || is_leaf(v) || buffer_[v] != no_buffer || last_use_[p] == never) return false;
        const std::uint32_t u = schedule_.unit_of[v];
        return u != no_unit && can_overwrite(p, v) && read_before(p, u, v);
    }

    /// Whether v's own kernel may write over p while it reads it.
    bool can_overwrite(Index p, Index v) const {
        const Instruction& instruction = at(v);
        if (instruction.primitive->elementwise || !instruction.primitive->in_place) return instruction.primitive->elementwise;
        std::size_t reads = 0;
        for (Index operand : instruction.operands) reads += root(operand) == p;
        return reads == 1 && root(instruction.operands[0]) == p;
    }

    /// All reads of r come before unit u, or in it at lanes equal to v's and not after v.
    bool read_before(Index r, std::uint32_t u, Index v) const {
        if (last_use_[r] > u) return false;
        if (last_use_[r] < u || reads_[r].unit != u) return true;
        const auto& members = schedule_.units[u].members;
        const auto position = std::find(members.begin(), members.end(), v) - members.begin();
        return reads_[r].member != never && reads_[r].member <= std::uint32_t(position) &&
               at(r).type.shape.elements() == at(v).type.shape.elements() && size_of(at(r).type.dtype) == size_of(at(v).type.dtype);
    }

    /// Slots hold a block of the widest elements that some group has.
    void add_slots() {
        std::size_t widest = 0;
        for (const Unit& unit : schedule_.units) {
            if (unit.kind != Unit::Kind::group) continue;
            std::size_t size = 1;
            for (Index i : unit.members) {
                size = std::max(size, size_of(at(i).type.dtype));
                for (Index operand : at(i).operands) size = std::max(size, size_of(at(operand).type.dtype));
            }
            widest = std::max(widest, std::min(block_elements, std::size_t(unit.count)) * size);
        }
        plan_.slot_bytes = std::max<std::size_t>(64, (widest + 63) / 64 * 64);
    }

    BufferId slot(std::size_t k) {
        const std::size_t bytes = plan_.slot_bytes * options_.threads;  // one after the other, a thread's each
        while (slots_.size() <= k) slots_.push_back(add_buffer(Home::arena, layout_.take(bytes), bytes));
        return slots_[k];
    }

    void add_unit(std::uint32_t u) {
        const Unit& unit = schedule_.units[u];
        switch (unit.kind) {
            case Unit::Kind::group: add_group(u); break;
            case Unit::Kind::call: add_call(u); break;
            case Unit::Kind::guard: add_guard(u); break;
        }
        for (Index i : unit.members) {
            note_death(i, u);
            for (Index operand : at(i).operands) {
                note_death(root(operand), u);
                if (schedule_.spread[root(operand)] != Spread::none) note_death(root(at(root(operand)).operands[0]), u);
            }
        }
        for (const auto& [offset, bytes] : states_) layout_.give_back(offset, bytes);
        states_.clear();
    }

    void note_death(Index r, std::uint32_t u) {
        if (last_use_[r] != u || buffer_[r] == no_buffer || freed_[r]) return;
        const Buffer& buffer = plan_.buffers[buffer_[r]];
        if (buffer.home != Home::arena) return;
        freed_[r] = 1;
        if (taken_over_[r]) return;
        if (plan_.debug) plan_.dead_after.push_back({buffer_[r], std::uint32_t(plan_.steps.size() - 1)});
        layout_.give_back(buffer.place, buffer.bytes);
    }

    void store(Index r) {
        if (buffer_[r] != no_buffer) return;
        const std::size_t bytes = bytes_of(r);
        plan_.unplanned_bytes += bytes;
        buffer_[r] = add_buffer(Home::arena, layout_.take(bytes), bytes);
    }

    void add_call(std::uint32_t u) {
        const Index i = schedule_.units[u].members[0];
        const Instruction& instruction = at(i);
        Call call{{}, instruction.primitive, instruction.attributes, {}, instruction.type, {}, 0, {}};
        std::vector<const Type*> types;
        for (Index operand : instruction.operands) {
            call.operands.push_back(whole(root(operand)));
            call.types.push_back(at(operand).type);
            types.push_back(&at(operand).type);
        }
        store(i);
        call.result = buffer_[i];
        if (instruction.primitive->prepare)
            call.prepared = instruction.primitive->prepare(types, instruction.type, instruction.attributes);
        if (options_.threads > 1) call.way = way_of_sharing(call);
        if (call.way) plan_.threads = options_.threads;
        plan_.widest_call = std::max(plan_.widest_call, call.operands.size());
        plan_.steps.push_back({Step::Kind::call, std::uint32_t(plan_.calls.size())});
        plan_.calls.push_back(std::move(call));
    }

    void add_guard(std::uint32_t u) {
        const Instruction& instruction = at(schedule_.units[u].members[0]);
        const Index x = root(instruction.operands[0]);
        plan_.steps.push_back({Step::Kind::guard, std::uint32_t(plan_.guards.size())});
        plan_.guards.push_back({whole(x), instruction.type.dtype, instruction.attributes.get<double>("expected"), instruction.where});
    }

    void add_group(std::uint32_t u) {
        const Unit& unit = schedule_.units[u];
        GroupState g{u, new_group(unit), {}, {}, {}, 0};
        for (std::size_t m = 0; m < unit.members.size(); ++m)
            if (!is_hidden(unit.members[m]))
                for (Index operand : read_by(unit.members[m])) g.last[root(operand)] = m;
        for (std::size_t m = 0; m < unit.members.size(); ++m)
            if (!is_hidden(unit.members[m])) add_member(g, unit.members[m], m);
        if (g.group.count <= g.group.block) {
            g.group.first = plan_.settled_ops;
            plan_.settled_ops += g.group.ops.size();
        }
        plan_.steps.push_back({Step::Kind::group, std::uint32_t(plan_.groups.size())});
        plan_.groups.push_back(std::move(g.group));
    }

    /// How a group is cut into blocks and parts.
    Group new_group(const Unit& unit) {
        const std::size_t count = std::size_t(unit.count);
        const std::size_t block = options_.fuse ? block_elements : (count + 15) / 16 * 16 + 16;
        const std::size_t whole = std::max(block, (count + block - 1) / block * block);
        const bool shared = options_.fuse && options_.threads > 1 && count * unit.members.size() >= shared_work;
        std::size_t part = part_elements;
        while (count > 64 * part) part *= 2;
        if (!shared || count <= part) return {count, block, whole, Group::npos, false, {}};
        plan_.threads = options_.threads;
        return {count, block, part, Group::npos, false, {}};
    }

    void add_member(GroupState& g, Index i, std::size_t m) {
        const Instruction& instruction = at(i);
        const SmallVector<Index, 3> operands = read_by(i);
        GroupOp op;
        op.arity = std::uint8_t(operands.size());
        for (std::size_t k = 0; k < op.arity; ++k) op.in[k] = lane(g, root(operands[k]));
        if (!instruction.primitive->elementwise) {
            op.kind = GroupOp::Kind::reduce;
            op.reduction = instruction.primitive->streams[instruction.type.dtype == DType::float64];
            const std::size_t bytes = padded_state(*op.reduction, g.group.count) * g.group.parts(), place = layout_.take(bytes);
            g.group.reduces = true;
            states_.push_back({place, bytes});
            op.state = add_buffer(Home::arena, place, bytes);
            store(i);
            op.out = {buffer_[i], 0, 0, false};
        } else {
            op.dtype = at(instruction.operands[instruction.primitive->loop_operand]).type.dtype;
            const Index first = first_of_pair(i);
            op.loop = first == no_index ? loop_of(*instruction.primitive, op.dtype, instruction.type.dtype)
                                        : loop_of_pair(at(first), instruction, pairs_.place[i]);
            op.out = result_lane(g, i, m);
        }
        g.group.ops.push_back(op);
        for (Index operand : operands) release(g, root(operand), m);
    }

    Lane whole_lane(Index r) { return {whole(r), std::uint16_t(size_of(at(r).type.dtype)), 1, false}; }

    Lane lane(GroupState& g, Index r) {
        if (repeated_number(at(r))) return {block_of(r), 0, 0, false};
        if (const auto known = g.lanes.find(r); known != g.lanes.end()) return known->second;
        if (schedule_.spread[r] == Spread::none || !options_.fuse) return whole_lane(r);
        return load(g, r);
    }

    /// Reads a broadcast's source into a slot, in the group's own rhythm.
    Lane load(GroupState& g, Index r) {
        const Index source = root(at(r).operands[0]);
        GroupOp op;
        op.arity = 1;
        op.dtype = at(r).type.dtype;
        op.in[0] = {whole(source), 0, 1, false};
        const std::size_t from = std::size_t(at(source).type.shape.elements());
        const bool repeat = schedule_.spread[r] == Spread::repeat;
        op.kind = repeat ? GroupOp::Kind::repeat : schedule_.spread[r] == Spread::row ? GroupOp::Kind::row : GroupOp::Kind::column;
        op.period = schedule_.spread[r] == Spread::row ? from : g.group.count / from;
        // A repeated value is written at the first block only: its slot is its own for the whole group.
        op.out = {repeat ? slot(g.slots++) : take_slot(g), 0, std::uint8_t(repeat ? 0 : 1), true};
        g.group.ops.push_back(op);
        g.lanes[r] = op.out;
        return op.out;
    }

    BufferId take_slot(GroupState& g) {
        if (g.free_slots.empty()) return slot(g.slots++);
        const std::size_t k = g.free_slots.back();
        g.free_slots.pop_back();
        return slot(k);
    }

    void release(GroupState& g, Index r, std::size_t m) {
        const auto known = g.lanes.find(r);
        if (g.last[r] != m || known == g.lanes.end() || !known->second.slot || known->second.step == 0) return;
        const auto k = std::find(slots_.begin(), slots_.end(), known->second.buffer) - slots_.begin();
        if (std::size_t(k) < slots_.size()) g.free_slots.push_back(std::size_t(k));
        g.last[r] = std::size_t(-1);
    }

    Lane result_lane(GroupState& g, Index i, std::size_t m) {
        if (!stored_[i] && !options_.fuse) stored_[i] = 1;
        if (!stored_[i]) {
            // In place of an operand whose last use this is: a loop reads each register before it writes it.
            if (options_.reuse)
                for (Index operand : read_by(i)) {
                    const auto known = g.lanes.find(root(operand));
                    if (known == g.lanes.end() || g.last[root(operand)] != m || known->second.step == 0) continue;
                    if (known->second.advance || size_of(at(operand).type.dtype) != size_of(at(i).type.dtype)) continue;
                    g.last[root(operand)] = std::size_t(-1);
                    return g.lanes[i] = known->second;
                }
            return g.lanes[i] = Lane{take_slot(g), 0, 1, true};
        }
        if (buffer_[i] == no_buffer && options_.reuse && at(i).primitive->in_place) take_over(g.unit, i);
        store(i);
        return g.lanes[i] = whole_lane(i);
    }

    /// Gives i the buffer of an operand of its unit that nobody needs any more.
    void take_over(std::uint32_t u, Index i) {
        for (Index operand : read_by(i)) {
            const Index r = root(operand);
            if (buffer_[r] == no_buffer || plan_.buffers[buffer_[r]].home != Home::arena || schedule_.unit_of[r] == u) continue;
            if (last_use_[r] != u || taken_over_[r] || bytes_of(r) != bytes_of(i) || !read_before(r, u, i)) continue;
            taken_over_[r] = 1;
            plan_.unplanned_bytes += bytes_of(i);
            buffer_[i] = add_buffer(Home::arena, plan_.buffers[buffer_[r]].place, bytes_of(i));
            return;
        }
    }

    void copy(BufferId from, BufferId to, std::size_t bytes) {
        plan_.steps.push_back({Step::Kind::copy, std::uint32_t(plan_.copies.size())});
        plan_.copies.push_back({from, to, bytes});
    }

    void finish() {
        for (const auto& [r, own] : late_outputs_) copy(whole(r), own, plan_.buffers[own].bytes);
        // New values first leave the parameters they may be read from, then take their places.
        std::vector<std::pair<BufferId, BufferId>> moves;
        for (const auto& [v, parameter] : late_updates_) {
            const std::size_t bytes = plan_.buffers[parameter].bytes;
            BufferId from = whole(v);
            if (plan_.buffers[from].home == Home::parameter) {
                const BufferId aside = add_buffer(Home::arena, layout_.take(bytes), bytes);
                copy(from, aside, bytes);
                from = aside;
            }
            moves.push_back({from, parameter});
        }
        for (const auto& [from, to] : moves) copy(from, to, plan_.buffers[to].bytes);
        plan_.arena_bytes = layout_.size();
    }

    struct Read {
        std::uint32_t unit = 0, member = 0;
    };

    const Program::Body& body_;
    const CompileOptions& options_;
    Schedule schedule_;
    Pairs pairs_;
    Layout layout_;
    Plan plan_;
    std::vector<BufferId> buffer_;            // by value
    std::vector<std::uint32_t> last_use_;     // by value: unit, or never for results
    std::vector<char> stored_;                // by value: written out in full
    std::vector<Read> reads_;                 // by value: latest reading unit, and the last member of it that reads
    std::vector<std::uint32_t> parameter_of_;
    std::unordered_map<Index, const Tensor*> constant_at_;
    std::unordered_map<Index, BufferId> blocks_;
    std::vector<char> freed_, taken_over_;    // by value
    std::vector<std::pair<Index, BufferId>> late_outputs_, late_updates_;
    std::vector<std::pair<std::size_t, std::size_t>> states_;
    std::vector<BufferId> slots_;
};

}  // namespace

Plan make_plan(const Program::Body& body, const CompileOptions& options) { return Builder(body, options).run(); }

}  // namespace gradtape::detail

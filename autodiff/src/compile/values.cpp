// Uses are counted first; then results and updates choose their places, and the rest is placed as units are added.
#include "values.hpp"

#include "../passes/rewrite.hpp"
#include "../support/extents.hpp"

#include <algorithm>

namespace gradtape::detail {
namespace {

constexpr std::uint32_t never = ~0u;

}  // namespace

ValuePlan::ValuePlan(const Program::Body& body, const CompileOptions& options, const Schedule& schedule, Plan& plan,
                     Where where)
    : body_(body), options_(options), schedule_(schedule), plan_(plan), where_(where), layout_(options.reuse) {
    const std::size_t n = body.instructions.size();
    buffer_.assign(n, no_buffer);
    last_use_.assign(n, 0);
    stored_.assign(n, 0);
    reads_.assign(n, {});
    freed_.assign(n, 0);
    taken_over_.assign(n, 0);
    local_.assign(n, 0);
    for (const auto& constant : body.constants) constant_at_.emplace(constant.index, &constant.value);
    add_leaves();
    find_uses();
    choose_outputs();
    choose_updates();
    find_local();
}

void ValuePlan::check_bytes(std::size_t bytes) const {
    if (bytes > most_bytes)
        throw ShapeError("the values of this program need more than 2^62 bytes", {"compile", {}, {}, where_});
}

BufferId ValuePlan::room(std::size_t bytes) { return room_at(layout_.take(bytes), bytes); }

BufferId ValuePlan::room_at(std::size_t offset, std::size_t bytes) {
    check_bytes(layout_.size());
    return add_buffer(Home::arena, offset, bytes);
}

BufferId ValuePlan::add_buffer(Home home, std::size_t place, std::size_t bytes) {
    if (home != Home::arena) check_bytes(outside_ += bytes);
    plan_.buffers.push_back({home, place, bytes});
    return BufferId(plan_.buffers.size() - 1);
}

void ValuePlan::add_leaves() {
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

BufferId ValuePlan::add_constant(Constant constant, const Type& type) {
    plan_.constants.push_back(std::move(constant));
    return add_buffer(Home::constant, plan_.constants.size() - 1, std::size_t(type.shape.elements()) * size_of(type.dtype));
}

BufferId ValuePlan::block_of(Index r) {
    auto [it, fresh] = blocks_.try_emplace(r, no_buffer);
    if (fresh) {
        const DType dtype = at(r).type.dtype;
        const Type block{dtype, {std::int64_t(tile_bytes / size_of(dtype))}};
        it->second = add_constant(RepeatedNumber{block, *repeated_number(at(r))}, block);
    }
    return it->second;
}

BufferId ValuePlan::whole(Index r) {
    if (buffer_[r] != no_buffer) return buffer_[r];
    if (const double* number = repeated_number(at(r)))
        buffer_[r] = add_constant(RepeatedNumber{at(r).type, *number}, at(r).type);
    else if (const auto constant = constant_at_.find(r); constant != constant_at_.end())
        buffer_[r] = add_constant(*constant->second, at(r).type);
    else
        throw Error("value %" + std::to_string(r) + " has no buffer", {"compile", {}, {}, at(r).where});
    return buffer_[r];
}

/// Which values must be written out in full, and when each is last read.
void ValuePlan::find_uses() {
    for (std::uint32_t u = 0; u < schedule_.units.size(); ++u) {
        const Unit& unit = schedule_.units[u];
        const bool group = unit.kind == Unit::Kind::group;
        for (std::size_t m = 0; m < unit.members.size(); ++m) {
            const Index i = unit.members[m];
            const bool looped = has_loops(*at(i).primitive);
            if (group ? !looped : !reads_next(unit, m)) stored_[i] = unit.kind != Unit::Kind::guard;
            for (Index operand : at(i).operands)
                if (group || schedule_.unit_of[root(operand)] != u) use(root(operand), u, group || looped, std::uint32_t(m));
        }
    }
}

/// Whether member m is but a step towards the next one.
bool ValuePlan::reads_next(const Unit& unit, std::size_t m) const {
    if (m + 1 == unit.members.size()) return false;
    const auto& operands = at(unit.members[m + 1]).operands;
    return std::find(operands.begin(), operands.end(), unit.members[m]) != operands.end();
}

void ValuePlan::use(Index r, std::uint32_t u, bool by_group, std::uint32_t member) {
    if (by_group && schedule_.spread[r] != Spread::none) {
        // Read in passing: what counts is its source, read as something other than whole, equal lanes.
        r = root(at(r).operands[0]);
        member = never;
    }
    // What a loop over rows finds there, it needs to its end.
    const RowLoop* const loop = schedule_.loop_of(u);
    const bool from_before = loop && (schedule_.unit_of[r] == no_unit || schedule_.unit_of[r] < loop->first);
    last_use_[r] = std::max(last_use_[r], from_before ? loop->last : u);
    if (schedule_.unit_of[r] != u) stored_[r] = 1;
    reads_[r] = {u, reads_[r].unit == u ? std::max(reads_[r].member, member) : member};
}

/// The first output made by a step lives in that output's own tensor; further and leaf outputs are copied at the end.
void ValuePlan::choose_outputs() {
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

void ValuePlan::choose_updates() {
    // A run that a guard or a kernel stops leaves the parameters as they were. The last to do so may write over one itself: a
    // kernel that has no loops throws, if at all, before it writes in place.
    std::uint32_t last_stop = 0;
    bool may_stop = false;
    for (std::uint32_t u = 0; u < schedule_.units.size(); ++u)
        for (Index i : schedule_.units[u].members)
            if (schedule_.units[u].kind == Unit::Kind::guard || !at(i).primitive->never_throws) last_stop = u, may_stop = true;
    for (const auto& update : body_.updates)
        if (is_leaf(root(update.value))) last_use_[root(update.value)] = never;
    for (const auto& update : body_.updates) {
        const Index p = update.parameter, v = root(update.value);
        plan_.updated[parameter_of_[p]] = 1;
        if (v == p) continue;
        const std::uint32_t u = schedule_.unit_of[v];
        const bool too_early = may_stop && (has_loops(*at(v).primitive) ? u <= last_stop : u < last_stop);
        if (in_place_update(p, v) && !too_early) {
            buffer_[v] = buffer_[p];
            stored_[v] = 1;
        } else {
            if (!is_leaf(v)) stored_[v] = 1;
            late_updates_.push_back({v, buffer_[p]});
        }
        last_use_[v] = never;
    }
}

/// Whether v can be written over parameter p: nobody reads p after v is begun, or beside it, or as a result. A loop over rows
/// comes back to what it reads.
bool ValuePlan::in_place_update(Index p, Index v) const {
    if (!options_.reuse || is_leaf(v) || buffer_[v] != no_buffer || last_use_[p] == never) return false;
    const std::uint32_t u = schedule_.unit_of[v];
    return u != no_unit && !schedule_.loop_of(u) && can_overwrite(p, v) && read_before(p, u, v);
}

/// Whether v's own kernel may write over p while it reads it.
bool ValuePlan::can_overwrite(Index p, Index v) const {
    const Instruction& instruction = at(v);
    const Unit& unit = schedule_.units[schedule_.unit_of[v]];
    if (unit.kind == Unit::Kind::call && unit.members.size() > 1) return false;  // no loop, whatever v is
    if (has_loops(*instruction.primitive) || !instruction.primitive->in_place) return has_loops(*instruction.primitive);
    std::size_t reads = 0;
    for (Index operand : instruction.operands) reads += root(operand) == p;
    return reads == 1 && root(instruction.operands[0]) == p;
}

/// All reads of r come before unit u, or in it at lanes equal to v's and not after v.
bool ValuePlan::read_before(Index r, std::uint32_t u, Index v) const {
    if (last_use_[r] > u) return false;
    if (last_use_[r] < u || reads_[r].unit != u) return true;
    const auto& members = schedule_.units[u].members;
    const auto position = std::find(members.begin(), members.end(), v) - members.begin();
    return reads_[r].member != never && reads_[r].member <= std::uint32_t(position) &&
           at(r).type.shape.elements() == at(v).type.shape.elements() && size_of(at(r).type.dtype) == size_of(at(v).type.dtype);
}

/// What is made in a loop over rows and only read there is kept for the rows at hand.
void ValuePlan::find_local() {
    for (const RowLoop& loop : schedule_.loops)
        for (std::uint32_t u = loop.first; u <= loop.last; ++u)
            for (Index i : schedule_.units[u].members) local_[i] = last_use_[i] <= loop.last && !schedule_.is_of_all_rows(i);
}

/// What a loop over rows makes for others has its room before the loop begins: all of its units run before it is whole.
void ValuePlan::begin_loop(const RowLoop& loop) {
    loop_ = &loop;
    windows_.clear();
    plan_.steps.push_back({Step::Kind::rows, std::uint32_t(plan_.loops.size())});
    plan_.loops.push_back({0, std::size_t(loop.rows / loop.stretch), {}});
    for (std::uint32_t u = loop.first; u <= loop.last; ++u)
        for (Index i : schedule_.units[u].members)
            if (stored_[i] && !local_[i]) (void)store(i, u, false);
}

BufferId ValuePlan::rows(Index r) {
    const BufferId all = whole(r);
    const std::int64_t elements = at(r).type.shape.elements();
    if (!loop_ || local_[r] || elements % loop_->rows != 0 || schedule_.is_of_all_rows(r)) return all;
    const auto [window, fresh] = windows_.try_emplace(r, no_buffer);
    if (fresh) {
        const std::size_t bytes = std::size_t(at_a_time(elements)) * size_of(at(r).type.dtype);
        plan_.buffers.push_back({Home::window, 0, bytes});
        window->second = BufferId(plan_.buffers.size() - 1);
        plan_.loops.back().windows.push_back({window->second, all, bytes});
    }
    return window->second;
}

BufferId ValuePlan::store(Index i, std::uint32_t u, bool in_place) {
    if (buffer_[i] != no_buffer) return rows(i);
    plan_.unplanned_bytes = saturated_sum(plan_.unplanned_bytes, bytes_of(i));
    if (!(in_place && options_.reuse && take_over(u, i))) buffer_[i] = room(bytes_of(i));
    return rows(i);
}

/// Gives i the buffer of an operand of its unit that nobody needs any more.
bool ValuePlan::take_over(std::uint32_t u, Index i) {
    for (Index operand : at(i).operands) {
        const Index r = root(operand);
        if (buffer_[r] == no_buffer || plan_.buffers[buffer_[r]].home != Home::arena || schedule_.unit_of[r] == u) continue;
        if (last_use_[r] != u || taken_over_[r] || bytes_of(r) != bytes_of(i) || !can_overwrite(r, i) || !read_before(r, u, i)) continue;
        taken_over_[r] = 1;
        buffer_[i] = part_of(buffer_[r], 0, bytes_of(i));
        return true;
    }
    return false;
}

/// In a loop it is for all stretches, whose other values take turns in the rooms that there have been.
BufferId ValuePlan::room_for_unit(std::size_t bytes) {
    const BufferId buffer = room_at(loop_ ? layout_.take_new(bytes) : layout_.take(bytes), bytes);
    unit_rooms_.push_back({plan_.buffers[buffer].place, bytes});
    return buffer;
}

BufferId ValuePlan::part_of(BufferId room, std::size_t offset, std::size_t bytes) {
    return add_buffer(Home::arena, plan_.buffers[room].place + offset, bytes);
}

void ValuePlan::end_unit(std::uint32_t u) {
    const bool ends_loop = loop_ && u == loop_->last;
    for (std::uint32_t done = ends_loop ? loop_->first : u; done <= u; ++done)
        for (Index i : schedule_.units[done].members) {
            note_death(i, u);
            for (Index operand : at(i).operands) {
                note_death(root(operand), u);
                if (schedule_.spread[root(operand)] != Spread::none) note_death(root(at(root(operand)).operands[0]), u);
            }
        }
    if (loop_ && !ends_loop) return;
    for (const auto& [offset, bytes] : unit_rooms_) layout_.give_back(offset, bytes);
    unit_rooms_.clear();
    loop_ = nullptr;
}

void ValuePlan::note_death(Index r, std::uint32_t u) {
    if (last_use_[r] != u || buffer_[r] == no_buffer || freed_[r]) return;
    const Buffer& buffer = plan_.buffers[buffer_[r]];
    if (buffer.home != Home::arena) return;
    freed_[r] = 1;
    if (taken_over_[r]) return;
    if (plan_.debug) plan_.dead_after.push_back({buffer_[r], std::uint32_t(plan_.steps.size() - 1)});
    layout_.give_back(buffer.place, buffer.bytes);
}

void ValuePlan::copy(BufferId from, BufferId to, std::size_t bytes) {
    plan_.steps.push_back({Step::Kind::copy, std::uint32_t(plan_.copies.size())});
    plan_.copies.push_back({from, to, bytes});
}

void ValuePlan::finish() {
    for (const auto& [r, own] : late_outputs_) copy(whole(r), own, plan_.buffers[own].bytes);
    // New values first leave the parameters they may be read from, then take their places.
    std::vector<std::pair<BufferId, BufferId>> moves;
    for (const auto& [v, parameter] : late_updates_) {
        const std::size_t bytes = plan_.buffers[parameter].bytes;
        BufferId from = whole(v);
        if (plan_.buffers[from].home == Home::parameter) {
            const BufferId aside = room(bytes);
            copy(from, aside, bytes);
            from = aside;
        }
        moves.push_back({from, parameter});
    }
    for (const auto& [from, to] : moves) copy(from, to, plan_.buffers[to].bytes);
    plan_.arena_bytes = layout_.size();
}

}  // namespace gradtape::detail

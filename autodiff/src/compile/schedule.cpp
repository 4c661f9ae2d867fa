// Fusion. An elementwise instruction joins the group that computes its operands, or the latest group of its size that
// comes after them; so every unit only needs what earlier units gave. One pass over the program.
#include "schedule.hpp"

#include "../kernels/kernels.hpp"
#include "joins.hpp"
#include "rows.hpp"

#include <algorithm>
#include <optional>
#include <unordered_map>

namespace gradtape::detail {
namespace {

constexpr std::size_t largest_group = 128;

class Scheduler {
public:
    Scheduler(const Program::Body& body, const CompileOptions& options) : body_(body), fuse_(options.fuse) {
        const std::size_t n = body.instructions.size();
        if (options.fuse && options.join) joins_.emplace(body, result_);
        result_.unit_of.assign(n, no_unit);
        result_.root.resize(n);
        result_.spread.assign(n, Spread::none);
    }

    Schedule run() {
        for (Index i = 0; i < body_.instructions.size(); ++i) place(i);
        for (Index output : body_.outputs) write_out(result_.root[output]);
        for (const auto& update : body_.updates) write_out(result_.root[update.value]);
        return std::move(result_);
    }

private:
    const Instruction& at(Index i) const { return body_.instructions[i]; }

    void place(Index i) {
        const Instruction& instruction = at(i);
        const Primitive& primitive = *instruction.primitive;
        result_.root[i] = primitive.identity ? result_.root[instruction.operands[0]] : i;
        if (primitive.leaf) return;
        if (primitive.effect) return append(Unit::Kind::guard, i);
        if (primitive.identity) return;
        if (primitive.takes_result) return place_result(i);
        if (joins_ && joins_->take(i)) return;
        if (fuse_ && has_loops(primitive)) return place_elementwise(i);
        if (fuse_ && primitive.arity == 1) {
            const Spread spread = spread_of(instruction, at(instruction.operands[0]).type.shape);
            result_.spread[i] = spread;
            if (spread != Spread::none) return need(result_.root[instruction.operands[0]], false);
            if (streams_along(i)) return;
        }
        if (!fuse_ && has_loops(primitive)) return start_group(i);
        append(Unit::Kind::call, i);
    }

    /// A further result goes along with the first; where it is there already, it is another name for that.
    void place_result(Index i) {
        const Index first = at(i).operands[0];
        for (Index member : result_.units[result_.unit_of[first]].members)
            if (member != first && at(member).attributes == at(i).attributes) result_.root[i] = member;
        if (result_.root[i] == i) result_.append_to(result_.unit_of[first], i);
    }

    /// The first unit index at which value r may be used by a group of `count` elements.
    std::uint32_t ready(Index r, std::int64_t count) const {
        // A broadcast is ready when its source is, written out where that is a broadcast itself.
        if (result_.spread[r] != Spread::none) return result_.first_after(result_.root[at(r).operands[0]]);
        const std::uint32_t unit = result_.unit_of[r];
        if (unit == no_unit) return 0;
        const Unit& made_by = result_.units[unit];
        const bool in_step = made_by.kind == Unit::Kind::group && made_by.count == count && has_loops(*at(r).primitive);
        return in_step ? unit : unit + 1;
    }

    void place_elementwise(Index i) {
        const std::int64_t count = at(i).type.shape.elements();
        std::uint32_t earliest = 0;
        for (Index operand : at(i).operands) {
            need(result_.root[operand], true);
            earliest = std::max(earliest, ready(result_.root[operand], count));
        }
        const auto latest = latest_.find(count);
        if (earliest < result_.units.size() && has_room(earliest, count)) return result_.append_to(earliest, i);
        if (latest != latest_.end() && latest->second >= earliest && has_room(latest->second, count))
            return result_.append_to(latest->second, i);
        start_group(i);
    }

    bool has_room(std::uint32_t unit, std::int64_t count) const {
        const Unit& u = result_.units[unit];
        return u.kind == Unit::Kind::group && u.count == count && u.members.size() < largest_group;
    }

    /// A reduction of everything that a group computes is taken along, block by block.
    bool streams_along(Index i) {
        const Instruction& instruction = at(i);
        const Index x = result_.root[instruction.operands[0]];
        const std::uint32_t unit = result_.unit_of[x];
        const std::int64_t count = at(x).type.shape.elements();
        const DType dtype = instruction.type.dtype;
        if (!is_floating(dtype) || !kernels_of(*instruction.primitive).streams[dtype == DType::float64]) return false;
        if (instruction.type.shape.elements() != 1 || count < 2 || unit == no_unit) return false;
        if (!has_loops(*at(x).primitive) || !has_room(unit, count)) return false;
        result_.append_to(unit, i);
        return true;
    }

    void start_group(Index i) {
        const std::int64_t count = at(i).type.shape.elements();
        for (Index operand : at(i).operands) need(result_.root[operand], fuse_);
        append(Unit::Kind::group, i);
        result_.units.back().count = count;
        latest_[count] = std::uint32_t(result_.units.size() - 1);
    }

    void append(Unit::Kind kind, Index i) {
        if (kind != Unit::Kind::group)
            for (Index operand : at(i).operands) need(result_.root[operand], false);
        result_.units.push_back({kind, 0, {i}});
        result_.unit_of[i] = std::uint32_t(result_.units.size() - 1);
    }

    /// A broadcast is read in passing by groups; anything else needs it written out.
    void need(Index r, bool in_passing) {
        if (!in_passing && result_.spread[r] != Spread::none) write_out(r);
    }
    /// The source is there: where it is a broadcast itself, it was written out when r was placed.
    void write_out(Index r) {
        if (result_.spread[r] == Spread::none || result_.unit_of[r] != no_unit) return;
        result_.units.push_back({Unit::Kind::call, 0, {r}});
        result_.unit_of[r] = std::uint32_t(result_.units.size() - 1);
    }

    const Program::Body& body_;
    bool fuse_;
    Schedule result_;
    std::optional<Joins> joins_;  // none where kernels are not joined
    std::unordered_map<std::int64_t, std::uint32_t> latest_;  // by count: the latest group
};

}  // namespace

Schedule schedule(const Program::Body& body, const CompileOptions& options) {
    Schedule result = Scheduler(body, options).run();
    if (options.fuse && options.rows && options.threads == 1) find_row_loops(body, options, result);
    return result;
}

}  // namespace gradtape::detail

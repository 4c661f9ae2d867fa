// A loop over rows begins with a reduction along the last axes, or the group that makes its operand, and goes on with all
// that reads what it gives row by row. Units in between that do not fit come after it.
#include "rows.hpp"

#include "../kernels/kernels.hpp"
#include "../passes/rewrite.hpp"

#include <algorithm>
#include <numeric>

namespace gradtape::detail {
namespace {

/// Bytes of the widest value.
struct Sizes {
    std::int64_t worth, stretch, longest;  ///< of all rows: what is smaller stays in the cache anyway; of a stretch; of a row
};
constexpr Sizes usual{1 << 17, 1 << 16, 1 << 18};
constexpr Sizes small{0, 1 << 10, 1 << 18};  // so that tests meet loops
constexpr std::size_t most_skipped = 64;         ///< units in a row that do not fit, before a loop ends

class RowLoops {
public:
    RowLoops(const Program::Body& body, const CompileOptions& options, Schedule& schedule)
        : body_(body), schedule_(schedule), sizes_(options.debug ? small : usual), reads_(body.instructions.size()), inside_(body.instructions.size()),
          placed_(schedule.units.size()), in_loop_(schedule.units.size()), starts_(schedule.units.size()) {
        for (std::uint32_t u = 0; u < schedule.units.size(); ++u)
            each_read(u, [&](Index r, Reading) { ++reads_[r]; });
        for (Index output : body.outputs) ++reads_[schedule.root[output]];
        for (const auto& update : body.updates) ++reads_[schedule.root[update.value]];
    }

    void run() {
        find_starts();
        for (std::uint32_t u = 0; u < schedule_.units.size(); ++u) {
            if (placed_[u]) continue;
            if (starts_[u]) add_loop(u, starts_[u]);
            if (!placed_[u]) place(u);
        }
        if (!schedule_.loops.empty()) reorder();
    }

private:
    enum class Reading { by_rows, whole, number };

    const Instruction& at(Index i) const { return body_.instructions[i]; }
    std::int64_t elements(Index i) const { return at(i).type.shape.elements(); }
    const Unit& unit(std::uint32_t u) const { return schedule_.units[u]; }

    /// f(value, how) for what the members of unit u read; of a broadcast that is read in passing, its source.
    template <class F>
    void each_read(std::uint32_t u, F f) const {
        const bool group = unit(u).kind == Unit::Kind::group;
        for (Index i : unit(u).members)
            for (Index operand : at(i).operands) {
                const Index r = schedule_.root[operand];
                const Spread spread = group ? schedule_.spread[r] : Spread::none;
                if (spread == Spread::none)
                    f(r, group && repeated_number(at(r)) ? Reading::number : Reading::by_rows);
                else
                    f(schedule_.root[at(r).operands[0]], spread == Spread::column ? Reading::by_rows : Reading::whole);
            }
    }

    /// How many rows a kernel works on, each by itself; 0 where it is none of these.
    std::int64_t rows_of_call(std::uint32_t u) const {
        const Instruction& call = at(unit(u).members[0]);
        if (unit(u).kind != Unit::Kind::call || !call.primitive->along_axes) return 0;
        const Shape& axes = call.attributes.get<Shape>("axes");
        const Shape& shape = at(call.operands[0]).type.shape;
        if (axes.empty() || axes.back() + 1 != std::int64_t(shape.rank()) || shape.elements() == 0) return 0;
        std::int64_t rows = 1;
        for (std::int64_t i = 0; i < axes[0]; ++i) rows *= shape[std::size_t(i)];
        return rows;
    }

    /// How many rows a kernel sums up, which can take them one after the other; 0 where it is none of these.
    std::int64_t rows_of_sum(std::uint32_t u) const {
        const Instruction& call = at(unit(u).members[0]);
        if (unit(u).kind != Unit::Kind::call || !call.primitive->along_axes || !is_floating(call.type.dtype)) return 0;
        if (!kernels_of(*call.primitive).row_streams[call.type.dtype == DType::float64]) return 0;
        const Shape& axes = call.attributes.get<Shape>("axes");
        const Shape& shape = at(call.operands[0]).type.shape;
        if (axes.empty() || axes[0] != 0 || axes.size() == shape.rank() || shape.elements() == 0) return 0;
        std::int64_t rows = 1;
        for (std::int64_t axis : axes) rows *= shape[std::size_t(axis)];
        return shape.elements() > rows ? rows : 0;
    }

    void find_starts() {
        for (std::uint32_t u = 0; u < schedule_.units.size(); ++u) {
            const std::int64_t rows = rows_of_call(u);
            if (rows < 2) continue;
            const Index x = schedule_.root[at(unit(u).members[0]).operands[0]];
            if (elements(x) < sizes_.worth / std::int64_t(size_of(at(x).type.dtype))) continue;
            const std::uint32_t before = schedule_.unit_of[x];
            const bool made_by_group = before != no_unit && unit(before).kind == Unit::Kind::group;
            std::int64_t& start = starts_[made_by_group ? before : u];
            if (start == 0) start = rows;
        }
    }

    bool is_inside(Index r) const {
        const std::uint32_t u = schedule_.unit_of[r];
        return u != no_unit && in_loop_[u];
    }

    /// Whether u can be part of the loop, when all that it reads is there, row by row or from before.
    bool fits(std::uint32_t u, std::int64_t rows) const {
        const std::int64_t own = unit(u).kind == Unit::Kind::group ? unit(u).count : std::max(rows_of_call(u), rows_of_sum(u));
        if (own == 0 || own % rows != 0) return false;
        bool fine = true;
        each_read(u, [&](Index r, Reading how) {
            const std::uint32_t made_by = schedule_.unit_of[r];
            if (made_by == u) return;
            const bool there = made_by == no_unit || placed_[made_by] || in_loop_[made_by];
            const bool complete = how != Reading::by_rows || (made_by != no_unit && in_loop_[made_by] && rows_of_sum(made_by));
            fine = fine && there && (complete ? !is_inside(r) : elements(r) % rows == 0);
        });
        return fine;
    }

    bool continues(std::uint32_t u) const {
        bool reads = false;
        each_read(u, [&](Index r, Reading) { reads = reads || is_inside(r); });
        return reads;
    }

    void add_loop(std::uint32_t first, std::int64_t rows) {
        if (!fits(first, rows)) return;
        std::vector<std::uint32_t> units{first};
        in_loop_[first] = 1;
        std::size_t skipped = 0;
        for (std::uint32_t u = first + 1; u < schedule_.units.size() && skipped < most_skipped; ++u) {
            if (placed_[u]) continue;
            if (!fits(u, rows) || !continues(u)) {
                ++skipped;
                continue;
            }
            units.push_back(u);
            in_loop_[u] = 1;
            skipped = 0;
        }
        const std::int64_t stretch = units.size() < 2 ? 0 : stretch_of(units, rows);
        for (std::uint32_t u : units) in_loop_[u] = 0;
        if (stretch == 0) return;
        const auto at_first = std::uint32_t(order_.size());
        for (std::uint32_t u : units) {
            if (rows_of_sum(u)) schedule_.units[u].kind = Unit::Kind::row_sum;
            place(u);
        }
        schedule_.loops.push_back({at_first, std::uint32_t(order_.size() - 1), rows, stretch});
    }

    /// How many rows at a time, so that they divide all rows, and each piece of a value begins at a cache line; 0: there is no
    /// such number.
    std::int64_t stretch_of(const std::vector<std::uint32_t>& units, std::int64_t rows) {
        std::int64_t widest = 1, step = 1;
        const auto multiple = [&](std::int64_t each, std::int64_t of) {  // stretch · each is a multiple of `of`
            step = std::min(std::lcm(step, of / std::gcd(each, of)), rows + 1);
        };
        const auto piece = [&](Index r) {
            const std::int64_t bytes = elements(r) / rows * std::int64_t(size_of(at(r).type.dtype));
            widest = std::max(widest, bytes);
            return bytes;
        };
        for (std::uint32_t u : units) each_read(u, [&](Index r, Reading) { ++inside_[r]; });
        for (std::uint32_t u : units) {
            const std::int64_t each = unit(u).kind == Unit::Kind::group ? unit(u).count / rows : 0;
            each_read(u, [&](Index r, Reading how) {
                if (how == Reading::by_rows && !is_inside(r)) multiple(piece(r), 64);
                if (how == Reading::whole && each) multiple(each, elements(r));
            });
            if (rows_of_sum(u)) continue;
            for (Index i : unit(u).members) {
                const bool summed = each && !has_loops(*at(i).primitive);  // a group's own reduction, of all rows
                if (summed) multiple(each, 64);
                if (!summed && (piece(i), reads_[i] > inside_[i])) multiple(piece(i), 64);
            }
        }
        for (std::uint32_t u : units) each_read(u, [&](Index r, Reading) { inside_[r] = 0; });
        if (step * widest > sizes_.longest) return 0;
        const std::int64_t most = std::min(rows / 2, std::max(sizes_.stretch / widest, step));
        for (std::int64_t stretch = most / step * step; stretch > 0; stretch -= step)
            if (rows % stretch == 0) return stretch * widest >= sizes_.stretch / 16 ? stretch : 0;
        return 0;
    }

    void place(std::uint32_t u) {
        placed_[u] = 1;
        order_.push_back(u);
    }

    void reorder() {
        std::vector<Unit> units(order_.size());
        std::vector<std::uint32_t> now(order_.size());
        for (std::uint32_t k = 0; k < order_.size(); ++k) {
            units[k] = std::move(schedule_.units[order_[k]]);
            now[order_[k]] = k;
        }
        schedule_.units = std::move(units);
        for (std::uint32_t& u : schedule_.unit_of)
            if (u != no_unit) u = now[u];
    }

    const Program::Body& body_;
    Schedule& schedule_;
    const Sizes sizes_;
    std::vector<std::uint32_t> reads_, inside_;  // by value: how often it is read, and of that in the loop that is looked at
    std::vector<char> placed_, in_loop_;         // by unit
    std::vector<std::int64_t> starts_;           // by unit: of so many rows a loop may start there
    std::vector<std::uint32_t> order_;
};

}  // namespace

void find_row_loops(const Program::Body& body, const CompileOptions& options, Schedule& schedule) {
    RowLoops(body, options, schedule).run();
}

}  // namespace gradtape::detail

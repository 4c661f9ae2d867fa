// Where values live: each gets a buffer when it is first written or needed, and gives it back when nobody reads it any
// more.
#pragma once

#include "../replay/plan.hpp"
#include "memory.hpp"
#include "schedule.hpp"

#include <unordered_map>

namespace gradtape::detail {

class ValuePlan {
public:
    ValuePlan(const Program::Body& body, const CompileOptions& options, const Schedule& schedule, Plan& plan, Where where);

    const Instruction& at(Index i) const { return body_.instructions[i]; }
    /// The value whose bytes value i has.
    Index root(Index i) const { return schedule_.root[i]; }
    /// Whether i is written out in full.
    bool stored(Index i) const { return stored_[i]; }

    /// The buffer with all elements of value r.
    BufferId whole(Index r);
    /// The same; in a loop over rows, with those of the rows at hand.
    BufferId rows(Index r);
    /// The bytes that stand for a repeated constant.
    BufferId block_of(Index r);
    /// The buffer that i is written to, made where it has none: where `in_place`, an operand's that dies in unit u.
    BufferId store(Index i, std::uint32_t u, bool in_place);
    /// A value that has no place of its own to go to is written out in full.
    void must_store(Index i) { stored_[i] = 1; }

    /// The units that come are a loop's, which ends with its last one.
    void begin_loop(const RowLoop& loop);
    const RowLoop* loop() const { return loop_; }
    /// Of so many elements, how many are computed at a time.
    std::int64_t at_a_time(std::int64_t elements) const { return loop_ ? elements / loop_->rows * loop_->stretch : elements; }

    /// Room in the arena: until the end of the plan, or of the unit.
    BufferId room(std::size_t bytes);
    BufferId room_for_unit(std::size_t bytes);
    /// A part of such a room.
    BufferId part_of(BufferId room, std::size_t offset, std::size_t bytes);

    /// Unit u has been added: what dies with it makes room.
    void end_unit(std::uint32_t u);
    /// Copies what could not be computed in place, and settles the arena's size.
    void finish();

private:
    struct Read {
        std::uint32_t unit = 0, member = 0;
    };

    bool is_leaf(Index r) const { return at(r).primitive->leaf; }
    std::size_t bytes_of(Index r) const {
        const Type& type = at(r).type;
        return padded_bytes(local_[r] ? Type{type.dtype, {at_a_time(type.shape.elements())}} : type);
    }
    /// ShapeError where there are too many: no sum of them wraps.
    static constexpr std::size_t most_bytes = std::size_t(1) << 62;
    void check_bytes(std::size_t bytes) const;
    BufferId room_at(std::size_t offset, std::size_t bytes);
    BufferId add_buffer(Home home, std::size_t place, std::size_t bytes);
    BufferId add_constant(Constant constant, const Type& type);
    void add_leaves();
    void find_uses();
    bool reads_next(const Unit& unit, std::size_t m) const;
    void use(Index r, std::uint32_t u, bool by_group, std::uint32_t member);
    void find_local();
    void choose_outputs();
    void choose_updates();
    bool in_place_update(Index p, Index v) const;
    bool can_overwrite(Index p, Index v) const;
    bool read_before(Index r, std::uint32_t u, Index v) const;
    bool take_over(std::uint32_t u, Index i);
    void note_death(Index r, std::uint32_t u);
    void copy(BufferId from, BufferId to, std::size_t bytes);

    const Program::Body& body_;
    const CompileOptions& options_;
    const Schedule& schedule_;
    Plan& plan_;
    const Where where_;  // the caller's line
    Layout layout_;
    std::size_t outside_ = 0;  // bytes of all buffers that are not in the arena
    std::vector<BufferId> buffer_;         // by value
    std::vector<std::uint32_t> last_use_;  // by value: unit, or never for results
    std::vector<char> stored_;             // by value: written out in full
    std::vector<Read> reads_;              // by value: latest reading unit, and the last member of it that reads
    std::vector<char> freed_, taken_over_;  // by value
    std::vector<char> local_;              // by value: of one loop over rows, and only the rows at hand are kept
    const RowLoop* loop_ = nullptr;        // the present one
    std::unordered_map<Index, BufferId> windows_;  // of that
    std::vector<std::uint32_t> parameter_of_;
    std::unordered_map<Index, const Tensor*> constant_at_;
    std::unordered_map<Index, BufferId> blocks_;
    std::vector<std::pair<Index, BufferId>> late_outputs_, late_updates_;
    std::vector<std::pair<std::size_t, std::size_t>> unit_rooms_;
};

}  // namespace gradtape::detail

// Elementwise operations that run together, block by block: from a unit of the schedule to a group of the plan.
#pragma once

#include "chains.hpp"
#include "values.hpp"

namespace gradtape::detail {

class Groups {
public:
    Groups(const Schedule& schedule, const std::vector<ChainLink>& links, const CompileOptions& options, ValuePlan& values,
           Plan& plan);

    void add(std::uint32_t u);

private:
    /// Where a member or a broadcast is while its group runs.
    struct Held {
        Lane lane;
        std::size_t slot = Group::npos;  ///< number of its slot, or of its tile where `tile`
        bool tile = false;
    };
    /// What a group has of its own while it is built.
    struct State {
        std::uint32_t unit;
        Group group;
        std::unordered_map<Index, Held> held{};
        std::unordered_map<Index, BufferId> rows{};     // broadcasts of which copies fill a tile
        std::unordered_map<Index, std::size_t> last{};  // number of the member that is the last to read it
        std::vector<std::size_t> free_slots{}, free_tiles{};
        std::size_t slots = 0, tiles = 0;
        std::uint32_t chain = no_chain;  // the open one
        GroupOp run{};                   // what will run it
        std::vector<std::pair<Index, std::size_t>> read_by_chain{};  // value, number of the member that reads it
    };

    const Instruction& at(Index i) const { return values_.at(i); }
    Index root(Index i) const { return values_.root(i); }
    std::size_t size_at(Index i) const { return size_of(at(i).type.dtype); }

    void choose_slot_size();
    Group new_group(const Unit& unit);
    void add_member(State& g, std::size_t m);
    void add_link(State& g, std::size_t m);
    void end_chain(State& g);

    Lane lane(State& g, Index r);
    Lane load(State& g, Index r);
    Lane repeat(State& g, Index r, std::size_t period);
    Lane whole_lane(Index r) { return {values_.rows(r), std::uint16_t(size_at(r)), 1, false}; }
    Lane result_lane(State& g, Index i, std::size_t m);
    std::size_t row_length(const Unit& unit) const;
    PlannedPlace place(const State& g, const Lane& lane, std::size_t element_bytes) const;
    PlannedPlace operand_place(State& g, Index r, bool may_be_number);
    PlannedPlace row_place(const State& g, Index r, bool may_be_number) const;
    PlannedPlace tile_place(State& g, Index i);
    void note_moving(State& g, const PlannedLink& link);

    Held take_slot(State& g);
    BufferId slot(std::size_t k);
    BufferId tile(std::size_t k);
    void release(State& g, Index r, std::size_t m, bool tile);

    const Schedule& schedule_;
    const std::vector<ChainLink>& links_;  // by instruction
    const CompileOptions& options_;
    ValuePlan& values_;
    Plan& plan_;
    std::vector<BufferId> slots_, tiles_;
    BufferId tiles_in_ = no_buffer;  // the slot that the latest tiles are parts of
};

}  // namespace gradtape::detail

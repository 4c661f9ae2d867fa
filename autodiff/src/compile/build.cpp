// From units to a plan: every value gets a buffer, every operation its operands' addresses.
#include "build.hpp"

#include "groups.hpp"
#include "pipeline.hpp"

#include <algorithm>
#include <unordered_map>

namespace gradtape::detail {
namespace {

struct BodyHash {
    std::size_t operator()(const Subprogram& its) const noexcept { return its.hash(); }
};

/// The plans of a program's bodies, and of theirs: equal ones are one.
class Bodies {
public:
    std::shared_ptr<const Plan> plan_of(const Subprogram& body, CompileOptions options, Where where);

private:
    std::unordered_map<Subprogram, std::shared_ptr<const Plan>, BodyHash> plans_;
};

class Builder {
public:
    Builder(const Program::Body& body, const CompileOptions& options, Bodies& bodies, Where where)
        : options_(options), bodies_(bodies), schedule_(schedule(body, options)),
          links_(options.fuse && options.chain ? make_chains(body, schedule_)
                                               : std::vector<ChainLink>(body.instructions.size())),
          values_(body, options, schedule_, plan_, where), groups_(schedule_, links_, options, values_, plan_) {
        plan_.debug = options.debug;
    }

    Plan run() {
        make_bodies();
        for (std::uint32_t u = 0; u < schedule_.units.size(); ++u) {
            const RowLoop* const loop = schedule_.loop_of(u);
            if (loop && u == loop->first) values_.begin_loop(*loop);
            const std::size_t before = plan_.steps.size();
            switch (schedule_.units[u].kind) {
                case Unit::Kind::group: groups_.add(u); break;
                case Unit::Kind::call: add_call(u); break;
                case Unit::Kind::guard: add_guard(u); break;
                case Unit::Kind::row_sum: add_row_sum(u); break;
            }
            if (loop) plan_.loops.back().steps += plan_.steps.size() - before;
            values_.end_unit(u);
        }
        values_.finish();
        return std::move(plan_);
    }

private:
    const Instruction& at(Index i) const { return values_.at(i); }

    void add_call(std::uint32_t u) {
        const std::vector<Index>& members = schedule_.units[u].members;
        const Instruction& instruction = at(members[0]);
        Call call{.first = plan_.call_operands, .first_result = plan_.call_results,
                  .primitive = instruction.primitive, .where = instruction.where,
                  .kernel = kernel_of(*instruction.primitive), .attributes = instruction.attributes};
        for (Index operand : instruction.operands) {
            call.operands.push_back(values_.rows(values_.root(operand)));
            call.types.push_back(at(operand).type);
        }
        if (values_.loop()) take_rows(call);
        std::vector<const Type*> types;
        for (const Type& type : call.types) types.push_back(&type);
        const bool as_recorded = !values_.loop() && instruction.primitive->results == 1;
        for (std::size_t k = 0; k < std::size_t(instruction.primitive->result_count(instruction.attributes)); ++k)
            call.result_types.push_back(as_recorded ? instruction.type
                                                    : instruction.primitive->shape({types, call.attributes, instruction.primitive->name,
                                                                                    instruction.where, k}));
        if (const auto prepare = kernels_of(*instruction.primitive).prepare)
            call.prepared = prepare(types, call.result_types[0], call.attributes);
        add_bodies(call);
        if (instruction.primitive->results != 1)
            add_results(call, members, u);
        else
            add_result(call, members, u);
        if (call.prepared.parts > 1) plan_.threads = options_.threads;
        plan_.call_operands += call.operands.size();
        plan_.call_results += call.results.size();
        plan_.steps.push_back({Step::Kind::call, std::uint32_t(plan_.calls.size())});
        plan_.calls.push_back(std::move(call));
    }

    /// A kernel along the last axes works on the rows at hand: as on a matrix.
    void take_rows(Call& call) const {
        const Shape all = call.types[0].shape;
        std::int64_t length = 1;
        for (std::int64_t axis : call.attributes.get<Shape>("axes")) length *= all[std::size_t(axis)];
        const std::int64_t rows = values_.at_a_time(all.elements()) / length;
        for (Type& type : call.types) type.shape = type.shape == all ? Shape{rows, length} : Shape{rows, 1};
        std::vector<Attribute> attributes{{"axes", Shape{1}}};
        if (call.attributes.list().size() > 1) attributes.push_back({"keepdims", true});
        call.attributes = Attributes(attributes);
    }

    /// Bodies are compiled as the program is, each once, and run by one thread; in one room, since one runs at a time.
    void make_bodies() {
        std::size_t most = 0;
        for (const Unit& unit : schedule_.units)
            for (const Attribute& attribute : at(unit.members[0]).attributes.list())
                if (const Subprogram* its = std::get_if<Subprogram>(&attribute.value)) {
                    const std::shared_ptr<const Plan> plan = bodies_.plan_of(*its, options_, at(unit.members[0]).where);
                    if (number_of_body_.try_emplace(*its, plan_.bodies.size()).second) plan_.bodies.push_back(plan);
                    most = std::max(most, blocks(plan->arena_bytes));
                }
        if (most > 0) plan_.body_room = values_.room(most);
    }

    void add_bodies(Call& call) {
        if (call.primitive->scratch) call.scratch = values_.room_for_unit(blocks(call.primitive->scratch(call.attributes)));
        call.first_body = plan_.call_bodies;
        for (const Attribute& attribute : call.attributes.list())
            if (const Subprogram* its = std::get_if<Subprogram>(&attribute.value)) call.bodies.push_back(number_of_body_.at(*its));
        plan_.call_bodies += call.bodies.size();
    }
    static std::size_t blocks(std::size_t bytes) { return std::max<std::size_t>(64, (bytes + 63) / 64 * 64); }

    void add_result(Call& call, const std::vector<Index>& members, std::uint32_t u) {
        const Index last = members.back();
        call.results = {values_.store(last, u, at(last).primitive->in_place)};
        if (members.size() > 1) add_finish(call, members);
        plan_.joined += members.size() - 1;
    }

    /// The members after the first are further results.
    void add_results(Call& call, const std::vector<Index>& members, std::uint32_t u) {
        call.results.assign(call.result_types.size(), no_buffer);
        if (values_.stored(members[0])) call.results[0] = values_.store(members[0], u, false);
        for (std::size_t m = 1; m < members.size(); ++m)
            call.results[std::size_t(at(members[m]).attributes.get<std::int64_t>("index"))] = values_.store(members[m], u, false);
    }

    /// A product's bias, and relu: the members after the first.
    void add_finish(Call& call, const std::vector<Index>& members) {
        const auto& operands = at(members[1]).operands;
        const Index row = values_.root(at(operands[operands[0] == members[0] ? 1 : 0]).operands[0]);
        call.operands.push_back(values_.whole(row));
        call.types.push_back(at(row).type);
        call.prepared.facts[call.prepared.finish] = std::int64_t(members.size() - 1);
    }

    void add_row_sum(std::uint32_t u) {
        const Index i = schedule_.units[u].members[0];
        const Index x = values_.root(at(i).operands[0]);
        const RowReduction* const reduction = kernels_of(*at(i).primitive).row_streams[at(i).type.dtype == DType::float64];
        const std::int64_t length = at(i).type.shape.elements(), rows = at(x).type.shape.elements() / length;
        const std::size_t state = blocks(reduction->state_bytes(std::size_t(rows), std::size_t(length)));
        plan_.steps.push_back({Step::Kind::row_sum, std::uint32_t(plan_.row_sums.size())});
        plan_.row_sums.push_back({reduction, values_.rows(x), values_.room_for_unit(state), values_.store(i, u, false),
                                  std::size_t(values_.at_a_time(rows)), std::size_t(length)});
    }

    void add_guard(std::uint32_t u) {
        const Instruction& instruction = at(schedule_.units[u].members[0]);
        const BufferId x = values_.whole(values_.root(instruction.operands[0]));
        plan_.steps.push_back({Step::Kind::guard, std::uint32_t(plan_.guards.size())});
        plan_.guards.push_back({x, instruction.type.dtype, instruction.attributes.get<double>("expected"), instruction.where});
    }

    const CompileOptions& options_;
    Bodies& bodies_;
    Schedule schedule_;
    const std::vector<ChainLink> links_;
    Plan plan_;
    ValuePlan values_;
    Groups groups_;
    std::unordered_map<Subprogram, std::size_t, BodyHash> number_of_body_;
};

std::shared_ptr<const Plan> Bodies::plan_of(const Subprogram& body, CompileOptions options, Where where) {
    if (const auto known = plans_.find(body); known != plans_.end()) return known->second;
    options.threads = 1;
    std::string report;
    const Program::Body best = optimised(body.program().body(), options, report);
    return plans_[body] = std::make_shared<Plan>(Builder(best, options, *this, where).run());
}

}  // namespace

Plan make_plan(const Program::Body& body, const CompileOptions& options, Where where) {
    Bodies bodies;
    return Builder(body, options, bodies, where).run();
}

}  // namespace gradtape::detail

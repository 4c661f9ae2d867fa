// Running a plan.
#include "execution.hpp"

#include "../ir/own.hpp"
#include "sharing.hpp"

#include <algorithm>
#include <atomic>
#include <bit>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <new>

namespace gradtape::detail {
namespace {

std::shared_ptr<std::byte> make_arena(std::size_t bytes) {
    void* memory = std::aligned_alloc(64, std::max<std::size_t>(64, (bytes + 63) / 64 * 64));
    if (!memory) throw std::bad_alloc();
    return {static_cast<std::byte*>(memory), [](std::byte* p) { std::free(p); }};
}

Tensor unset(const Type& type) { return Tensor::adopt(type, nullptr, nullptr); }

Tensor copy_of(const Tensor& tensor) {
    Tensor copy = Tensor::uninitialised(tensor.type());
    std::memcpy(const_cast<void*>(copy.raw()), tensor.raw(), tensor.bytes());
    return copy;
}

bool fits(const std::vector<Tensor>& tensors, std::size_t i, const Tensor& value) {
    return i < tensors.size() && tensors[i].type() == value.type();
}

/// Why a tensor cannot be tensor i.
[[noreturn]] void refuse(const char* what, const std::vector<Tensor>& tensors, std::size_t i, const Type& given, Where where) {
    if (i >= tensors.size())
        throw ValueError(std::string("no ") + what + " " + std::to_string(i) + "; there are " + std::to_string(tensors.size()),
                         {"replay", {}, {}, where});
    const Type& wanted = tensors[i].type();
    const std::string problem = std::string(what) + " " + std::to_string(i) + " was recorded as " + to_string(wanted) +
                                ", got " + to_string(given) + "; record again for another type";
    const ErrorFacts facts{"replay", {wanted.shape, given.shape}, {}, where};
    if (wanted.shape == given.shape) throw DTypeError(problem, facts);
    throw ShapeError(problem, facts);
}

void check_elements(const char* what, std::size_t i, const Tensor& value, Where where) {
    if (!value.raw()) [[unlikely]]
        throw TapeError(std::string("the tensor for ") + what + " " + std::to_string(i) + " has no elements: it was moved from",
                        {"replay", {}, {}, where});
}

/// Repeats each of `source` `period` times, or all of it again and again; elements begin … begin + count of that.
template <class Word>
void spread_column(const void* source, std::size_t period, std::size_t begin, std::size_t count, void* out) {
    const Word* x = static_cast<const Word*>(source) + begin / period;
    Word* z = static_cast<Word*>(out);
    for (std::size_t left = period - begin % period; count > 0; ++x, left = period) {
        const std::size_t here = std::min(left, count);
        std::fill(z, z + here, *x);
        z += here;
        count -= here;
    }
}

void spread_row(const char* x, std::size_t size, std::size_t period, std::size_t begin, std::size_t count, char* z) {
    const std::size_t from = begin % period * size, bytes = count * size, row = std::min(period * size, bytes);
    const std::size_t rest = std::min(row, period * size - from);
    std::memcpy(z, x + from, rest);
    std::memcpy(z + rest, x, row - rest);
    for (std::size_t done = row; done < bytes; done *= 2) std::memcpy(z + done, z, std::min(done, bytes - done));
}

/// The elements that repeat, as often as fits; of a single one, no more than a group of `count` elements reads.
void fill_tile(const GroupOp& op, const char* source, std::size_t count, char* tile) {
    const std::size_t size = size_of(op.dtype), most = (count * size + 63) / 64 * 64;
    if (op.period != 1) return spread_row(source, size, op.period, 0, tile_bytes / size, tile);
    repeat(op.dtype, source, tile, std::min(tile_bytes, most));
}

double number(DType dtype, const void* element) {
    switch (dtype) {
        case DType::float32: return *static_cast<const float*>(element);
        case DType::float64: return *static_cast<const double*>(element);
        case DType::int64: return double(*static_cast<const std::int64_t*>(element));
        default: return *static_cast<const std::uint8_t*>(element);
    }
}

Tensor written_out(const Constant& constant) {
    if (const Tensor* tensor = std::get_if<Tensor>(&constant)) return *tensor;
    const RepeatedNumber& number = std::get<RepeatedNumber>(constant);
    return Tensor::full(number.type.shape, number.value, number.type.dtype);
}

void do_deferred(const Plan& plan) {
    Deferred& its = *plan.deferred;
    std::call_once(its.done, [&] {
        its.constants.clear();  // of an attempt that ran out of memory
        its.ways.clear();
        for (const Constant& constant : plan.constants) its.constants.push_back(written_out(constant));
        if (plan.threads > 1)
            for (const Call& call : plan.calls) its.ways.push_back(way_of_sharing(call));
    });
}

}  // namespace

/// A body's execution, as its kernel runs it.
class Execution::Body : public BodyRun {
public:
    Body(std::shared_ptr<const Plan> plan, char* arena) : its_(std::move(plan), arena) {}

    void operator()(const void* const* operands, void* const* results) override {
        const Plan& plan = *its_.plan;
        for (std::size_t k = 0; k < plan.input_buffers.size(); ++k) its_.point(plan.input_buffers[k], operands[k]);
        for (std::size_t k = 0; k < plan.outputs.size(); ++k) its_.point(plan.outputs[k].buffer, results[k]);
        its_.run_steps({});
    }

private:
    Execution its_;
};

Execution::~Execution() = default;

Execution::Execution(std::shared_ptr<const Plan> its_plan, char* arena) : plan(std::move(its_plan)) {
    do_deferred(*plan);
    at_.resize(plan->buffers.size());
    settle_all(arena);
}

Execution::Execution(std::shared_ptr<const Plan> its_plan, Where where) : plan(std::move(its_plan)) {
    do_deferred(*plan);
    arena_ = make_arena(plan->arena_bytes);
    at_.resize(plan->buffers.size());
    for (std::size_t i = 0; i < plan->input_types.size(); ++i) {
        inputs.push_back(plan->inputs.empty() ? unset(plan->input_types[i]) : plan->inputs[i]);
        point(plan->input_buffers[i], inputs[i].raw());
    }
    for (std::size_t i = 0; i < plan->parameter_types.size(); ++i) {
        parameters.push_back(plan->parameters.empty() ? unset(plan->parameter_types[i])
                             : plan->updated[i]       ? copy_of(plan->parameters[i])
                                                      : plan->parameters[i]);
        point(plan->parameter_buffers[i], parameters[i].raw());
    }
    for (const Result& output : plan->outputs) {
        outputs.push_back(Tensor::zeros(output.type.shape, output.type.dtype));
        point(output.buffer, outputs.back().raw());
    }
    released_ = plan->inputs.empty() || plan->parameters.empty();
    settle_all(reinterpret_cast<char*>(arena_.get()));
    if (plan->threads > 1) team_ = std::make_unique<Team>(plan->threads, where);
}

/// Finds addresses: those in the arena and of constants for good.
void Execution::settle_all(char* arena) {
    for (BufferId b = 0; b < plan->buffers.size(); ++b) {
        const Buffer& buffer = plan->buffers[b];
        if (buffer.home == Home::arena) point(b, arena + buffer.place);
        if (buffer.home == Home::constant) point(b, plan->deferred->constants[buffer.place].raw());
    }
    operands_.resize(plan->call_operands);
    results_.resize(plan->call_results);
    kernel_results_.resize(plan->call_results);
    kernel_operands_.resize(plan->call_operands);
    settled_.resize(plan->settled_ops);
    addresses_.resize(plan->buffers.size());
    links_.resize(plan->threads);
    for (std::size_t member = 0; member < plan->threads; ++member) settle_links(member);
    for (const Call& call : plan->calls) settle(call);
    for (const Group& group : plan->groups)
        if (group.first != Group::npos) settle(group);
    for (const auto& body : plan->bodies) bodies_.push_back(std::make_unique<Body>(body, at_[plan->body_room]));
    for (const Call& call : plan->calls)
        for (std::size_t body : call.bodies) body_runs_.push_back(bodies_[body].get());
}

void Execution::point(BufferId buffer, const void* data) {
    at_[buffer] = const_cast<char*>(static_cast<const char*>(data));
    if (!addresses_.empty())
        for (const void** address : addresses_[buffer]) *address = data;
}

/// Has `address` follow the buffer.
void Execution::name(BufferId buffer, const void*& address) {
    address = at_[buffer];
    const Home home = plan->buffers[buffer].home;
    if (home != Home::arena && home != Home::constant) addresses_[buffer].push_back(&address);
}

void Execution::settle(const Call& call) {
    for (std::size_t k = 0; k < call.operands.size(); ++k) {
        KernelCall::In& in = kernel_operands_[call.first + k];
        in.type = &call.types[k];
        name(call.operands[k], call.prepared.run ? operands_[call.first + k] : in.data);
    }
    for (std::size_t k = 0; k < call.results.size(); ++k)
        if (call.results[k] != no_buffer) name(call.results[k], results_[call.first_result + k]);
}

/// The links of chains, as a member of the team runs them.
void Execution::settle_links(std::size_t member) {
    std::vector<Link>& links = links_[member];
    links.resize(plan->links.size());
    const auto settle = [&](const PlannedPlace& planned, Place& place) {
        place = {nullptr, planned.within};
        if (planned.buffer == no_buffer || planned.row_bytes) return;
        name(planned.buffer, place.data);
        if (planned.slot) place.data = at_[planned.buffer] + member * plan->slot_bytes;
    };
    for (std::size_t l = 0; l < links.size(); ++l) {
        const PlannedLink& planned = plan->links[l];
        links[l] = planned.functions;
        settle(planned.in[0], links[l].in[0]);
        settle(planned.in[1], links[l].in[1]);
        settle(planned.out, links[l].out);
    }
}

void Execution::move_links(const Group& group, std::size_t row, std::size_t member) {
    for (const Group::Moving& moving : group.moving) {
        Link& link = links_[member][moving.link];
        (moving.which == 2 ? link.out : link.in[moving.which]).data = at_[moving.buffer] + row * moving.row_bytes;
    }
}

/// Small groups spend their time on finding addresses: these are found once, and again where a buffer moves.
void Execution::settle(const Group& group) {
    for (std::size_t k = 0; k < group.ops.size(); ++k) {
        const GroupOp& op = group.ops[k];
        if (op.kind != GroupOp::Kind::loop) continue;
        Settled& settled = settled_[group.first + k];
        settled.loop = op.loop;
        for (std::size_t i = 0; i < op.arity; ++i) {
            settled.in[i].step = op.in[i].step;
            name(op.in[i].buffer, settled.in[i].data);
        }
        name(op.out.buffer, settled.out);
    }
}

void Execution::set_input(std::size_t i, const Tensor& value, Where where) {
    if (!fits(inputs, i, value)) refuse("input", inputs, i, value.type(), where);
    check_elements("input", i, value, where);
    inputs[i] = value;
    point(plan->input_buffers[i], value.raw());
}

void Execution::set_parameter(std::size_t i, const Tensor& value, Where where) {
    if (!fits(parameters, i, value)) refuse("parameter", parameters, i, value.type(), where);
    check_elements("parameter", i, value, where);
    parameters[i] = value;
    point(plan->parameter_buffers[i], value.raw());
}

void Execution::release() {
    // A moved-from tensor has no owner.
    for (Tensor& input : inputs) { const Tensor gone = std::move(input); }
    for (std::size_t i = 0; i < parameters.size(); ++i)
        if (!plan->updated[i]) { const Tensor gone = std::move(parameters[i]); }
    released_ = true;
}

void Execution::check_bound(Where where) const {
    for (const auto* tensors : {&inputs, &parameters})
        for (std::size_t i = 0; i < tensors->size(); ++i)
            if (!(*tensors)[i].owner())
                throw ValueError(std::string(tensors == &inputs ? "input " : "parameter ") + std::to_string(i) +
                                     " is not set; set it before the run", {"replay", {}, {}, where});
}

/// Results that somebody still holds are left to them: the run writes into memory of its own.
void Execution::own_results() {
    for (std::size_t i = 0; i < outputs.size(); ++i)
        if (!outputs[i].unique()) {
            outputs[i] = Tensor::uninitialised(outputs[i].type());
            point(plan->outputs[i].buffer, outputs[i].raw());
        }
    for (std::size_t i = 0; i < parameters.size(); ++i)
        if (plan->updated[i] && !parameters[i].unique()) {
            parameters[i] = copy_of(parameters[i]);
            point(plan->parameter_buffers[i], parameters[i].raw());
        }
    // Another thread may have held what is ours again: it has read what it reads before this run writes.
    std::atomic_thread_fence(std::memory_order_acquire);
}

void Execution::run_op(const Group& group, const GroupOp& op, const Block& block) {
    const std::size_t begin = block.begin, count = block.count, shift = block.member * plan->slot_bytes;
    const auto address = [&](const Lane& lane) {
        return at_[lane.buffer] + begin * lane.advance + (lane.slot ? shift : 0);
    };
    const auto source = [&] { return at_[op.in[0].buffer]; };
    switch (op.kind) {
        case GroupOp::Kind::loop: {
            Stream in[3];
            for (std::size_t k = 0; k < op.arity; ++k) in[k] = {address(op.in[k]), op.in[k].step};
            op.loop(count, in, address(op.out));
            return;
        }
        case GroupOp::Kind::chain: {
            const std::size_t from = group.by_rows ? 0 : begin;
            return op.chain(&links_[block.member][op.first_link], from, from + count);
        }
        case GroupOp::Kind::repeat:
            if (begin % group.part == 0) fill_tile(op, source(), count, address(op.out));
            return;
        case GroupOp::Kind::row:
            return spread_row(source(), size_of(op.dtype), op.period, begin, count, address(op.out));
        case GroupOp::Kind::column:
            switch (size_of(op.dtype)) {
                case 8: return spread_column<std::uint64_t>(source(), op.period, begin, count, address(op.out));
                case 4: return spread_column<std::uint32_t>(source(), op.period, begin, count, address(op.out));
                default: return spread_column<std::uint8_t>(source(), op.period, begin, count, address(op.out));
            }
        case GroupOp::Kind::reduce: {
            char* const state = at_[op.state] + block.part * padded_state(*op.reduction, group.count);
            if (block.begins) op.reduction->begin(state);
            op.reduction->add(state, address(op.in[0]), count);
            return;
        }
    }
}

void Execution::run_part(const Group& group, std::size_t part, std::size_t member, bool begins) {
    const std::size_t end = std::min(group.count, (part + 1) * group.part);
    for (std::size_t begin = part * group.part; begin < end; begin += group.block) {
        const Block block{begin, std::min(group.block, end - begin), part, member, begins && begin == part * group.part};
        if (group.by_rows) move_links(group, begin / group.block, member);
        for (const GroupOp& op : group.ops) run_op(group, op, block);
    }
}

void Execution::end_reductions(const Group& group) {
    if (group.count == 0) return;
    for (const GroupOp& op : group.ops)
        if (op.kind == GroupOp::Kind::reduce) {
            char* const state = at_[op.state];
            for (std::size_t part = 1; part < group.parts(); ++part)
                op.reduction->append(state, state + part * padded_state(*op.reduction, group.count));
            op.reduction->end(state, at_[op.out.buffer]);
        }
}

void Execution::run_group(const Group& group, bool begins, bool ends) {
    if (group.first != Group::npos) {
        const Block block{0, group.count, 0, 0, begins};
        const Settled* settled = &settled_[group.first];
        for (const GroupOp& op : group.ops) {
            if (settled->loop)
                settled->loop(group.count, settled->in, const_cast<void*>(settled->out));
            else if (op.kind == GroupOp::Kind::chain)
                op.chain(&links_[0][op.first_link], 0, group.count);
            else
                run_op(group, op, block);
            ++settled;
        }
    } else if (const std::size_t parts = group.parts(); parts == 1) {
        run_part(group, 0, 0, begins);
    } else {
        team_->share(parts, [&](std::size_t member, std::size_t part) { run_part(group, part, member, true); });
    }
    if (group.reduces && ends) end_reductions(group);
}

void Execution::run_call(std::uint32_t number) {
    const Call& call = plan->calls[number];
    void* const* const outputs = const_cast<void* const*>(&results_[call.first_result]);
    if (const auto run = call.prepared.run) {
        const std::int64_t parts = call.prepared.parts;
        const std::optional<std::int64_t> way = team_ ? plan->deferred->ways[number] : std::nullopt;
        if (!way) return run(call.prepared.facts, &operands_[call.first], outputs, {0, parts});
        return team_->share(std::size_t(parts), [&](std::size_t, std::size_t k) {
            const std::int64_t part = std::int64_t(k);
            run(call.prepared.facts, &operands_[call.first], outputs, {part, part + 1, *way});
        });
    }
    const auto operands = std::span(kernel_operands_).subspan(call.first, call.operands.size());
    const auto further = std::span(kernel_results_).subspan(call.first_result + 1, call.results.size() - 1);
    for (std::size_t k = 0; k < further.size(); ++k) further[k] = {outputs[k + 1], &call.result_types[k + 1]};
    in_the_name_of(*call.primitive, call.where, [&] {
        call.kernel({operands, outputs[0], call.result_types[0], call.attributes, further, body_runs_.data() + call.first_body,
                     call.scratch == no_buffer ? nullptr : at_[call.scratch]});
    });
}

void Execution::run_row_sum(const RowSum& sum, bool begins, bool ends) {
    if (begins) sum.reduction->begin(at_[sum.state], sum.length);
    sum.reduction->add(at_[sum.state], at_[sum.x], sum.rows);
    if (ends) sum.reduction->end(at_[sum.state], at_[sum.z]);
}

/// Runs the steps after `step` for each stretch of rows.
void Execution::run_rows(std::size_t step, std::size_t& dead) {
    const RowSteps& loop = plan->loops[plan->steps[step].index];
    for (std::size_t n = 0; n < loop.stretches; ++n) {
        const bool begins = n == 0, ends = n + 1 == loop.stretches;
        for (const RowSteps::Window& window : loop.windows) point(window.buffer, at_[window.of] + n * window.bytes);
        for (std::size_t s = step + 1; s <= step + loop.steps; ++s) {
            const Step its = plan->steps[s];
            if (its.kind == Step::Kind::group)
                run_group(plan->groups[its.index], begins, ends);
            else if (its.kind == Step::Kind::row_sum)
                run_row_sum(plan->row_sums[its.index], begins, ends);
            else
                run_call(its.index);
            if (plan->debug && ends) spoil_dead(s, dead);
        }
    }
}

void Execution::check_guard(const Guard& guard) const {
    const double found = number(guard.dtype, at_[guard.buffer]);
    if (std::isnan(found) && std::isnan(guard.expected)) return;  // passes may change its sign
    if (std::bit_cast<std::uint64_t>(found) != std::bit_cast<std::uint64_t>(guard.expected))
        throw GuardFailed(guard.expected, found, guard.where);
}

/// Debug: fills a buffer with signalling NaN.
void Execution::spoil(BufferId buffer) {
    std::uint64_t* words = reinterpret_cast<std::uint64_t*>(at_[buffer]);
    std::fill(words, words + plan->buffers[buffer].bytes / 8, 0x7FF40000'7FA00000u);  // signalling as double and as float
}

/// Debug: what a run has not computed yet must not be read, nor handed out.
void Execution::spoil_all() {
    for (BufferId b = 0; b < plan->buffers.size(); ++b)
        if (plan->buffers[b].home == Home::arena || plan->buffers[b].home == Home::output) spoil(b);
}

/// Debug: values that are dead become signalling NaN, so that a wrong plan shows.
void Execution::spoil_dead(std::size_t step, std::size_t& next) {
    for (; next < plan->dead_after.size() && plan->dead_after[next].second == step; ++next)
        spoil(plan->dead_after[next].first);
}

/// While it lives, the execution runs.
class Execution::Running {
public:
    explicit Running(Execution& execution) noexcept : execution_(execution) { execution_.running_ = true; }
    ~Running() {
        execution_.running_ = false;
        if (execution_.retired_) [[unlikely]] delete &execution_;
    }
    Running(const Running&) = delete;

private:
    Execution& execution_;
};

void Execution::refuse_running(Where where) {
    throw TapeError("this replay is running: a kernel of its own, or another thread, cannot use it", {"replay", {}, {}, where});
}

void Execution::retire() noexcept {
    retired_ = running_;
    if (!running_) delete this;
}

void Execution::run(Where where) {
    const Running running(*this);
    run_steps(where);
}

void Execution::run_steps(Where where) {
    if (released_) check_bound(where);
    released_ = false;
    own_results();
    complete = false;
    if (plan->debug) spoil_all();
    std::size_t dead = 0;
    for (std::size_t s = 0; s < plan->steps.size(); ++s) {
        const Step step = plan->steps[s];
        switch (step.kind) {
            case Step::Kind::group: run_group(plan->groups[step.index]); break;
            case Step::Kind::call: run_call(step.index); break;
            case Step::Kind::guard: check_guard(plan->guards[step.index]); break;
            case Step::Kind::row_sum: run_row_sum(plan->row_sums[step.index], true, true); break;
            case Step::Kind::rows:
                run_rows(s, dead);
                s += plan->loops[step.index].steps;
                break;
            case Step::Kind::copy: {
                const Copy& copy = plan->copies[step.index];
                std::memcpy(at_[copy.to], at_[copy.from], copy.bytes);
                break;
            }
        }
        if (plan->debug) spoil_dead(s, dead);
    }
    complete = true;
}

}  // namespace gradtape::detail

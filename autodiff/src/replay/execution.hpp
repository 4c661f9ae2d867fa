// One replay's memory, and the running of a plan in it.
#pragma once

#include "plan.hpp"
#include "team.hpp"

namespace gradtape::detail {

struct Execution {
    Execution(std::shared_ptr<const Plan> plan, Where where);
    /// Of a body: in an arena, and on operands and results, of somebody else's.
    Execution(std::shared_ptr<const Plan> plan, char* arena);
    ~Execution();

    void set_input(std::size_t i, const Tensor& value, Where where);
    void set_parameter(std::size_t i, const Tensor& value, Where where);
    void run(Where where);
    void release();
    /// TapeError while it runs: a kernel of the user's may do anything.
    void check_idle(Where where) const {
        if (running_) [[unlikely]] refuse_running(where);
    }
    /// Deletes it, or has the present run do so.
    void retire() noexcept;

    std::shared_ptr<const Plan> plan;
    std::vector<Tensor> inputs, parameters, outputs;
    bool complete = false;  ///< the outputs are those of a whole run

private:
    class Running;
    class Body;
    void settle_all(char* arena);
    [[noreturn]] static void refuse_running(Where where);
    void run_steps(Where where);

    /// Where a block of a group lies, and in which slots it is computed.
    struct Block {
        std::size_t begin, count;
        std::size_t part, member;
        bool begins;  ///< the part's first
    };
    /// An operation of a group of a single block, with its addresses; `loop` is null where it is no loop.
    struct Settled {
        Loop loop = nullptr;
        Stream in[3] = {};
        const void* out = nullptr;
    };

    void point(BufferId buffer, const void* data);
    void name(BufferId buffer, const void*& address);
    void settle(const Call& call);
    void settle(const Group& group);
    void settle_links(std::size_t member);
    void move_links(const Group& group, std::size_t row, std::size_t member);
    void own_results();
    void check_bound(Where where) const;
    /// `begins` and `ends` are false where rows before and after are computed for themselves.
    void run_group(const Group& group, bool begins = true, bool ends = true);
    void run_part(const Group& group, std::size_t part, std::size_t member, bool begins);
    void run_rows(std::size_t step, std::size_t& dead);
    void run_row_sum(const RowSum& sum, bool begins, bool ends);
    void run_op(const Group& group, const GroupOp& op, const Block& block);
    void end_reductions(const Group& group);
    void run_call(std::uint32_t number);
    void check_guard(const Guard& guard) const;
    void spoil(BufferId buffer);
    void spoil_all();
    void spoil_dead(std::size_t step, std::size_t& next);

    std::shared_ptr<std::byte> arena_;
    bool released_ = false;                // whether there may be unset inputs or parameters
    bool running_ = false, retired_ = false;
    std::vector<char*> at_;                // by buffer
    std::vector<Settled> settled_;
    std::vector<std::vector<Link>> links_;  // by member of the team: the plan's, with addresses
    std::vector<std::vector<const void**>> addresses_;  // by buffer that may move: where settled operations name it
    std::unique_ptr<Team> team_;           // where steps are shared out
    std::vector<const void*> operands_, results_;  // of all calls: where they are
    std::vector<KernelCall::In> kernel_operands_;  // the same, for kernels whose sizes are not settled
    std::vector<KernelCall::Out> kernel_results_;
    std::vector<std::unique_ptr<Body>> bodies_;  // the plan's
    std::vector<BodyRun*> body_runs_;            // those of all calls
};

}  // namespace gradtape::detail

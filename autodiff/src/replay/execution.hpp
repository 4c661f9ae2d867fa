// One replay's memory, and the running of a plan in it.
#pragma once

#include "plan.hpp"

namespace gradtape::detail {

struct Execution {
    explicit Execution(std::shared_ptr<const Plan> plan);

    void set_input(std::size_t i, const Tensor& value);
    void set_parameter(std::size_t i, const Tensor& value);
    void run();
    void release();

    std::shared_ptr<const Plan> plan;
    std::vector<Tensor> inputs, parameters, outputs;
    bool complete = false;  ///< the outputs are those of a whole run

private:
    void point(BufferId buffer, const void* data) { at_[buffer] = const_cast<char*>(static_cast<const char*>(data)); }
    void own_results();
    void check_bound() const;
    void run_group(const Group& group);
    void run_op(const Group& group, const GroupOp& op, std::size_t begin, std::size_t count);
    void run_call(const Call& call);
    void check_guard(const Guard& guard) const;
    void spoil(BufferId buffer);
    void spoil_all();
    void spoil_dead(std::size_t step, std::size_t& next);

    std::shared_ptr<std::byte> arena_;
    bool released_ = false;                // whether there may be unset inputs or parameters
    std::vector<char*> at_;                // by buffer
    std::vector<const void*> operands_;    // scratch of run_call
    std::vector<KernelCall::In> kernel_operands_;
};

}  // namespace gradtape::detail

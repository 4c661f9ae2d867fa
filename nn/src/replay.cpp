#include <gradtape/nn/replay.hpp>

#include <algorithm>

namespace gradtape::nn {

ModelReplay::ModelReplay(std::function<void(Visitor&)> visit, const Tape& tape, const Several<Node>& outputs,
                         const Several<Update>& updates, const CompileOptions& options, Where where)
    : visit_(std::move(visit)), replay_([&] {
          const Compiled compiled = compile(tape, outputs, updates, options, where);
          visit_(visitor_);
          shown_ = visitor_.found().size();
          std::size_t updated = 0;
          for (std::size_t place = 0; place < shown_; ++place) {
              const Parameter& parameter = *visitor_.found()[place];
              const Node leaf = parameter.leaf(tape);
              const auto number = compiled.parameter_number(leaf, where);
              if (!number) continue;  // not used on this tape
              Bound bound{place, *number, {}};
              const auto is_its = [&](const Update& update) { return same_node(update.parameter, leaf); };
              if (std::any_of(updates.all().begin(), updates.all().end(), is_its)) {
                  bound.stand_in = Tensor::zeros(parameter.shape(), parameter.value().dtype(), where);
                  ++updated;
              }
              bound_.push_back(std::move(bound));
          }
          if (updated != updates.all().size())
              throw ValueError(std::to_string(updates.all().size() - updated) + " of " +
                                   std::to_string(updates.all().size()) + " updates are of parameter leaves that the "
                                   "model does not show, so their values would be lost; show them in visit",
                               {"model_replay", {}, {}, where});
          if (bound_.empty() && shown_ > 0)
              throw ValueError("no parameter of the model is on this recording, or each got another value since; record "
                               "again, and make all replays of one recording before running one",
                               {"model_replay", {}, {}, where});
          return Replay(compiled, where);
      }()) {}

void ModelReplay::run(Where where) {
    visitor_.clear();
    visit_(visitor_);
    const std::span<Parameter* const> parameters = visitor_.found();
    if (parameters.size() != shown_)
        throw ValueError("the model shows " + std::to_string(parameters.size()) + " parameters, and showed " +
                             std::to_string(shown_) + " when it was compiled; compile it again",
                         {"model_replay", {}, {}, where});
    for (const Bound& bound : bound_) replay_.set_parameter(bound.number, parameters[bound.place]->value(), where);
    // While the model holds a stand-in the replay has the value to itself, and writes the new one in its place.
    struct Lent {
        ModelReplay& self;
        std::span<Parameter* const> parameters;
        Where where;

        void exchange(bool back) {
            for (const Bound& bound : self.bound_) {
                if (!bound.stand_in) continue;
                Tensor value = back ? self.replay_.parameter(bound.number, where) : *bound.stand_in;
                parameters[bound.place]->exchange(value, where);
            }
        }
        ~Lent() { exchange(true); }
    } lent{*this, parameters, where};
    lent.exchange(false);
    replay_.run(where);
}

void ModelReplay::run(std::initializer_list<Tensor> inputs, Where where) {
    std::size_t i = 0;
    for (const Tensor& input : inputs) replay_.set_input(i++, input, where);
    run(where);
}

}  // namespace gradtape::nn

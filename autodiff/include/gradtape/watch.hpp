// Whether a recording may stand for what the code that made it does at its next call.
#pragma once

#include <gradtape/tape.hpp>

#include <memory>
#include <span>
#include <string>
#include <vector>

namespace gradtape {

class GuardFailed;

/// What one call of some code recorded, but for the values of inputs and parameters: to be compared with the next call's.
class Trace {
public:
    /// Of all that is on the tape. `named` are nodes whose places count too: results, and the parameters' leaves.
    explicit Trace(const Tape& tape, std::span<const Node> named = {}, Where where = Where::here());

private:
    friend class Watch;
    struct Step {
        const char* primitive;
        Where where;
        std::uint64_t structure;  ///< hash of primitive, operands, type and attributes
        std::uint64_t content;    ///< of a constant's elements, or of the number that a guard saw
        double seen;              ///< by a guard
    };
    std::vector<Step> steps_;
    std::vector<std::uint32_t> named_;
};

/// Watches code that is recorded and then replayed, for what a replay would not see: constants and instructions that C++
/// makes otherwise at the next call, and numbers read by Node::item that are others again and again. Where it finds one
/// it warns, with the line, and the code is to be recorded at every call: `plain()`. CompiledFunction and nn::Trainer
/// each have one.
class Watch {
public:
    /// `other_way`: a number that C++ read was another one, so what follows may differ rightly.
    enum class Verdict { same, other_way, different };

    /// Compares the recordings of two calls with inputs of the same types; where they are `different`, warns.
    Verdict compare(const Trace& earlier, const Trace& now);
    /// A recording was replayed.
    void replayed() noexcept {
        cost_ -= cost_ > 0;
        read_.reset();
    }
    /// A replay stopped: the code read another number.
    void guard_failed(const GuardFailed& failure);
    /// The code was recorded once more since numbers that it read were others; after a few times, warns.
    void recorded_again();

    /// Why there is to be another recording, where numbers that were read are the reason.
    std::string reason() const;

    bool plain() const noexcept { return !warnings_.empty(); }
    const std::vector<std::string>& warnings() const noexcept { return warnings_; }

private:
    void warn(const std::string& found, Where where, const std::string& advice);

    std::shared_ptr<const GuardFailed> read_;  // the last one since the last recording
    int cost_ = 0;                             // of recording again; each replay pays back 1
    std::vector<std::string> warnings_;
};

}  // namespace gradtape

// What is timed: contenders that do the same work, each able to show what it computed.
#pragma once

#include <functional>
#include <memory>
#include <vector>

namespace perf {

/// One way of doing a work. `run` does it once; `result` tells what the last run computed, so that contenders can be
/// compared before they are timed (for a training step: loss, gradients, updated weights, in the order of the layers).
/// An empty `run` means that the contender is not available; an empty `result`, that it computes only part of the work.
struct Contender {
    std::function<void()> run;
    std::function<std::vector<double>()> result;

    explicit operator bool() const { return bool(run); }
};

/// A contender made of an object with `run()` and `result()`.
template <class Object>
Contender contender(std::shared_ptr<Object> object) {
    return {[object] { object->run(); }, [object] { return object->result(); }};
}

}  // namespace perf

// The arena's layout: values whose lifetimes do not meet share memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <utility>

namespace gradtape::detail {

/// Hands out offsets while a program is walked from its first step to its last; freed room is merged and used again.
class Layout {
public:
    explicit Layout(bool reuse) : reuse_(reuse) {}

    std::size_t take(std::size_t bytes);
    /// Where nothing has been yet.
    std::size_t take_new(std::size_t bytes) { return std::exchange(end_, end_ + bytes); }
    void give_back(std::size_t offset, std::size_t bytes);
    std::size_t size() const noexcept { return end_; }

private:
    bool reuse_;
    std::size_t end_ = 0;
    std::map<std::size_t, std::size_t> free_;           // by offset
    std::multimap<std::size_t, std::size_t> by_size_;   // size to offset
    void forget(std::map<std::size_t, std::size_t>::iterator hole);
    void remember(std::size_t offset, std::size_t bytes);
};

}  // namespace gradtape::detail

// Best fit among the holes, in O(log n) a value.
#include "memory.hpp"

namespace gradtape::detail {

void Layout::forget(std::map<std::size_t, std::size_t>::iterator hole) {
    auto [first, last] = by_size_.equal_range(hole->second);
    for (auto it = first; it != last; ++it)
        if (it->second == hole->first) {
            by_size_.erase(it);
            break;
        }
    free_.erase(hole);
}

void Layout::remember(std::size_t offset, std::size_t bytes) {
    free_.emplace(offset, bytes);
    by_size_.emplace(bytes, offset);
}

std::size_t Layout::take(std::size_t bytes) {
    const auto fit = by_size_.lower_bound(bytes);
    if (fit != by_size_.end()) {
        const std::size_t offset = fit->second, room = fit->first;
        forget(free_.find(offset));
        if (room > bytes) remember(offset + bytes, room - bytes);
        return offset;
    }
    // A hole at the very end can grow.
    std::size_t offset = end_;
    if (!free_.empty()) {
        const auto last = std::prev(free_.end());
        if (last->first + last->second == end_) {
            offset = last->first;
            forget(last);
        }
    }
    end_ = offset + bytes;
    return offset;
}

void Layout::give_back(std::size_t offset, std::size_t bytes) {
    if (!reuse_) return;
    auto after = free_.lower_bound(offset);
    if (after != free_.end() && after->first == offset + bytes) {
        bytes += after->second;
        forget(after);
        after = free_.lower_bound(offset);
    }
    if (after != free_.begin()) {
        const auto before = std::prev(after);
        if (before->first + before->second == offset) {
            offset = before->first;
            bytes += before->second;
            forget(before);
        }
    }
    remember(offset, bytes);
}

}  // namespace gradtape::detail

// The arena's slow paths: new chunks, and starting over.
#include "arena.hpp"

#include <algorithm>
#include <cstdlib>
#include <new>

namespace gradtape::detail {
namespace {
constexpr std::size_t first_chunk = std::size_t(1) << 16;
constexpr std::size_t largest_step = std::size_t(1) << 26;
}  // namespace

Arena::Place Arena::allocate_in_next(std::size_t size) {
    // Chunks kept from an earlier recording come first; each is used from its start.
    while (++current_ < chunks_.size()) {
        if (chunks_[current_].size >= size) {
            used_ = size;
            return {chunks_[current_].memory.get(), current_};
        }
    }
    const std::size_t grown = chunks_.empty() ? first_chunk : std::min(2 * chunks_.back().size, largest_step);
    const std::size_t bytes = std::max(size, grown);
    void* memory = std::aligned_alloc(block, bytes);
    if (!memory) throw std::bad_alloc();
    chunks_.push_back({{static_cast<std::byte*>(memory), [](std::byte* p) { std::free(p); }}, bytes});
    current_ = std::uint32_t(chunks_.size() - 1);
    used_ = size;
    return {memory, current_};
}

void Arena::reset() {
    std::erase_if(chunks_, [](const Chunk& chunk) { return chunk.memory.use_count() > 1; });
    current_ = 0;
    used_ = 0;
}

std::size_t Arena::bytes() const noexcept {
    std::size_t sum = 0;
    for (const Chunk& chunk : chunks_) sum += chunk.size;
    return sum;
}

}  // namespace gradtape::detail

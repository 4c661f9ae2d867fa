// Bump allocation in shared chunks: a tensor taken out of the arena keeps its chunk alive.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace gradtape::detail {

class Arena {
public:
    static constexpr std::size_t block = 64;

    struct Place {
        void* data;
        std::uint32_t chunk;
    };

    /// 64-byte aligned room for `bytes`, rounded up to whole blocks and at least one.
    Place allocate(std::size_t bytes) {
        const std::size_t size = bytes < block ? block : (bytes + block - 1) / block * block;
        if (current_ < chunks_.size() && chunks_[current_].size - used_ >= size) {
            void* data = chunks_[current_].memory.get() + used_;
            used_ += size;
            return {data, current_};
        }
        return allocate_in_next(size);
    }

    /// How far it is used.
    struct Mark {
        std::uint32_t chunk = 0;
        std::size_t used = 0;
    };
    Mark mark() const noexcept { return {current_, used_}; }
    /// Makes free what was given out since `mark`: nothing may refer to it.
    void take_back(const Mark& mark) noexcept {
        current_ = mark.chunk;
        used_ = mark.used;
    }

    const std::shared_ptr<std::byte>& owner(std::uint32_t chunk) const { return chunks_[chunk].memory; }
    /// Makes all room free again. Chunks that tensors still refer to are left to them.
    void reset();
    std::size_t bytes() const noexcept;

private:
    struct Chunk {
        std::shared_ptr<std::byte> memory;
        std::size_t size;
    };
    Place allocate_in_next(std::size_t size);

    std::vector<Chunk> chunks_;
    std::uint32_t current_ = 0;
    std::size_t used_ = 0;
};

}  // namespace gradtape::detail

// A vector that keeps its first N elements in place; for trivially copyable elements.
#pragma once

#include <cstddef>
#include <cstring>
#include <span>
#include <type_traits>
#include <utility>

namespace gradtape::detail {

template <class T, std::size_t N>
class SmallVector {
    static_assert(std::is_trivially_copyable_v<T>);

public:
    SmallVector() = default;
    explicit SmallVector(std::span<const T> elements) {
        T* target = inline_;
        if (elements.size() > N) target = heap_ = new T[elements.size()];
        size_ = elements.size();
        if (size_) std::memcpy(target, elements.data(), size_ * sizeof(T));
    }
    SmallVector(const SmallVector& other) : SmallVector(other.span()) {}
    SmallVector(SmallVector&& other) noexcept { swap(other); }
    SmallVector& operator=(SmallVector other) noexcept {
        swap(other);
        return *this;
    }
    ~SmallVector() { delete[] heap_; }

    std::size_t size() const noexcept { return size_; }
    const T* data() const noexcept { return heap_ ? heap_ : inline_; }
    T* data() noexcept { return heap_ ? heap_ : inline_; }
    const T& operator[](std::size_t i) const noexcept { return data()[i]; }
    T& operator[](std::size_t i) noexcept { return data()[i]; }
    const T* begin() const noexcept { return data(); }
    const T* end() const noexcept { return data() + size_; }
    std::span<const T> span() const noexcept { return {data(), size_}; }

    friend bool operator==(const SmallVector& a, const SmallVector& b) noexcept {
        if (a.size_ != b.size_) return false;
        for (std::size_t i = 0; i < a.size_; ++i)
            if (!(a[i] == b[i])) return false;
        return true;
    }

private:
    void swap(SmallVector& other) noexcept {
        std::swap(inline_, other.inline_);
        std::swap(heap_, other.heap_);
        std::swap(size_, other.size_);
    }

    T inline_[N] = {};
    T* heap_ = nullptr;
    std::size_t size_ = 0;
};

}  // namespace gradtape::detail

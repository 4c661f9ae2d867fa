// Threads that share out the parts of one piece of work after another.
#pragma once

#include <gradtape/shape.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <thread>
#include <vector>

namespace gradtape::detail {

/// The calling thread, member 0, and `size - 1` helpers. Whoever is free takes the next part, so a helper that wakes
/// late costs nothing but its help; which member does a part must not matter to the result.
class Team {
public:
    /// Error, at `where`, where a helper cannot be started.
    Team(std::size_t size, Where where);
    ~Team() { stop(); }
    Team(const Team&) = delete;
    Team& operator=(const Team&) = delete;

    /// Calls work(member, part) once for each part, and returns when all have been done. 1 ≤ parts ≤ most_parts. The first
    /// exception that leaves `work`, on any thread, is thrown when all have been done.
    template <class Work>
    void share(std::size_t parts, const Work& work) {
        share(parts, [](const void* its, std::size_t member, std::size_t part) {
            (*static_cast<const Work*>(its))(member, part);
        }, &work);
    }

    static constexpr std::size_t most_parts = 1 << 16;

private:
    using Function = void (*)(const void* its, std::size_t member, std::size_t part);

    void share(std::size_t parts, Function function, const void* its);
    void stop() noexcept;
    [[noreturn]] void throw_failure();
    std::uint64_t take_parts(std::size_t member);
    void help(std::size_t member);
    std::uint64_t next_job(std::uint64_t seen) const;

    // One word says which piece of work there is (the upper 24 bits count them), how many parts it has (20 bits) and
    // how many of them are taken (20 bits): whoever takes a part knows from the old word whether there was one.
    std::atomic<std::uint64_t> ticket_{0};
    std::atomic<std::size_t> left_{0};  // parts that are not done
    std::atomic<bool> stopping_{false};
    std::atomic<bool> failed_{false};
    std::exception_ptr failure_;  // of the present piece of work
    Function function_ = nullptr;
    const void* its_ = nullptr;
    std::vector<std::thread> helpers_;
};

}  // namespace gradtape::detail

// Taking parts by one atomic addition; waiting, first awake, then asleep.
#include "team.hpp"

#include <gradtape/error.hpp>

#include <chrono>
#include <system_error>
#include <utility>

namespace gradtape::detail {
namespace {

constexpr int part_bits = 20;
constexpr std::uint64_t part_mask = (std::uint64_t(1) << part_bits) - 1;

std::uint64_t job_of(std::uint64_t ticket) { return ticket >> (2 * part_bits); }
std::uint64_t parts_of(std::uint64_t ticket) { return ticket >> part_bits & part_mask; }
std::uint64_t taken_of(std::uint64_t ticket) { return ticket & part_mask; }

void pause() {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
}

/// Looks `done` up until it is true, or for about as long as it takes to wake a sleeping thread.
template <class Done>
bool spin(Done done) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::microseconds(50);
    do {
        for (int i = 0; i < 32; ++i) {
            if (done()) return true;
            pause();
        }
    } while (std::chrono::steady_clock::now() < end);
    return false;
}

}  // namespace

Team::Team(std::size_t size, Where where) {
    helpers_.reserve(size - 1);
    try {
        for (std::size_t member = 1; member < size; ++member) helpers_.emplace_back([this, member] { help(member); });
    } catch (const std::system_error& error) {
        const std::size_t started = helpers_.size() + 1;
        stop();
        throw Error("thread " + std::to_string(started + 1) + " of " + std::to_string(size) + " cannot be started (" +
                        error.what() + "); compile for at most " + std::to_string(started), {"replay", {}, {}, where});
    }
}

void Team::stop() noexcept {
    stopping_.store(true, std::memory_order_relaxed);
    ticket_.fetch_add(std::uint64_t(1) << (2 * part_bits), std::memory_order_release);
    ticket_.notify_all();
    for (std::thread& helper : helpers_) helper.join();
}

void Team::share(std::size_t parts, Function function, const void* its) {
    // Nobody reads these now: helpers do so only for a part that they have taken, and all parts are done.
    function_ = function;
    its_ = its;
    left_.store(parts, std::memory_order_relaxed);
    const std::uint64_t job = job_of(ticket_.load(std::memory_order_relaxed)) + 1;
    ticket_.store(job << (2 * part_bits) | std::uint64_t(parts) << part_bits, std::memory_order_release);
    ticket_.notify_all();
    take_parts(0);
    const auto done = [this] { return left_.load(std::memory_order_acquire) == 0; };
    while (!spin(done)) std::this_thread::yield();
    if (failed_.load(std::memory_order_relaxed)) [[unlikely]] throw_failure();
}

void Team::throw_failure() {
    failed_.store(false, std::memory_order_relaxed);
    std::rethrow_exception(std::exchange(failure_, nullptr));
}

/// Does parts until none is left; the number of the piece of work that there was then.
std::uint64_t Team::take_parts(std::size_t member) {
    for (;;) {
        const std::uint64_t ticket = ticket_.fetch_add(1, std::memory_order_acq_rel);
        if (taken_of(ticket) >= parts_of(ticket)) return job_of(ticket);
        try {
            function_(its_, member, std::size_t(taken_of(ticket)));
        } catch (...) {
            if (!failed_.exchange(true)) failure_ = std::current_exception();
        }
        left_.fetch_sub(1, std::memory_order_acq_rel);
    }
}

void Team::help(std::size_t member) {
    std::uint64_t seen = 0;
    while (true) {
        seen = next_job(seen);
        if (stopping_.load(std::memory_order_relaxed)) return;
        seen = take_parts(member);
    }
}

/// Waits for a piece of work that is not `seen`.
std::uint64_t Team::next_job(std::uint64_t seen) const {
    std::uint64_t ticket = 0;
    const auto come = [&] { return job_of(ticket = ticket_.load(std::memory_order_acquire)) != seen; };
    while (!spin(come)) ticket_.wait(ticket, std::memory_order_acquire);
    return job_of(ticket);
}

}  // namespace gradtape::detail

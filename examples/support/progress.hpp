// A progress line on stderr: live on a terminal, an occasional plain line otherwise.
#pragma once

#include <chrono>
#include <string>

namespace examples {

class Progress {
public:
    /// `total` units of work; `what` names them: "runs".
    Progress(std::string title, long total, std::string what);
    ~Progress() { finish(); }
    Progress(const Progress&) = delete;
    Progress& operator=(const Progress&) = delete;

    /// `done` units are finished.
    void update(long done);
    /// Clears the live line; the work is done. Returns the seconds it took.
    double finish();

private:
    using Clock = std::chrono::steady_clock;
    double seconds() const { return std::chrono::duration<double>(Clock::now() - start_).count(); }

    std::string title_, what_;
    long total_;
    bool live_;
    bool line_ = false;   // a live line is on the screen
    Clock::time_point start_ = Clock::now();
    double next_ = 0;     // no line before this many seconds
};

}  // namespace examples

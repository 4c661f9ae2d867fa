#include "progress.hpp"

#include <unistd.h>

#include <cstdio>
#include <utility>

namespace examples {

Progress::Progress(std::string title, long total, std::string what)
    : title_(std::move(title)), what_(std::move(what)), total_(total), live_(isatty(STDERR_FILENO) == 1) {
    if (!live_) next_ = 5;   // short work needs no line in a log
}

void Progress::update(long done) {
    const double now = seconds();
    if (now < next_ || done <= 0) return;
    next_ = now + (live_ ? 0.1 : 5.0);
    line_ = live_;
    std::fprintf(stderr, "%s%s: %ld of %ld %s, %.0f s, about %.0f s left%s", live_ ? "\r\033[K" : "", title_.c_str(),
                 done, total_, what_.c_str(), now, now / double(done) * double(total_ - done), live_ ? "" : "\n");
    std::fflush(stderr);
}

double Progress::finish() {
    if (std::exchange(line_, false)) std::fprintf(stderr, "\r\033[K");
    return seconds();
}

}  // namespace examples

// Medians over interleaved repeats, and the check that contenders agree.
#include "measure.hpp"

#include <algorithm>
#include <cmath>
#include <ctime>
#include <stdexcept>

namespace perf {
namespace {

double now_us(clockid_t clock) {
    timespec t;
    clock_gettime(clock, &t);
    return double(t.tv_sec) * 1e6 + double(t.tv_nsec) * 1e-3;
}

double sample_us(const Contender& contender, long repeats, clockid_t clock) {
    const double start = now_us(clock);
    for (long i = 0; i < repeats; ++i) contender.run();
    return (now_us(clock) - start) / double(repeats);
}

long repeats_for(const Contender& contender, double wanted_us, clockid_t clock) {
    long repeats = 1;
    for (;;) {
        const double total = sample_us(contender, repeats, clock) * double(repeats);
        if (total >= wanted_us / 2) return std::max(1L, std::lround(double(repeats) * wanted_us / total));
        repeats *= 2;
    }
}

double largest(const std::vector<double>& values) {
    double m = 0;
    for (double v : values) m = std::max(m, std::abs(v));
    return m;
}

}  // namespace

double median(std::vector<double> values) {
    const auto middle = values.begin() + std::ptrdiff_t(values.size() / 2);
    std::nth_element(values.begin(), middle, values.end());
    return *middle;
}

std::vector<double> interleaved_medians(const std::vector<const Contender*>& contenders, int rounds, double seconds,
                                        Clock clock) {
    const clockid_t id = clock == Clock::processor ? CLOCK_PROCESS_CPUTIME_ID : CLOCK_MONOTONIC;
    std::vector<long> repeats;
    for (const Contender* c : contenders) repeats.push_back(repeats_for(*c, 2000, id));
    std::vector<std::vector<double>> samples(contenders.size());
    const double wall = now_us(CLOCK_MONOTONIC), cpu = now_us(CLOCK_PROCESS_CPUTIME_ID);
    for (int round = 0; round < rounds; ++round) {
        if (round >= 3 && now_us(CLOCK_MONOTONIC) - wall > seconds * 1e6) break;
        for (std::size_t i = 0; i < contenders.size(); ++i)
            samples[i].push_back(sample_us(*contenders[i], repeats[i], id));
    }
    // A hidden thread would spend more processor time than passes on the wall.
    if (clock == Clock::processor &&
        now_us(CLOCK_PROCESS_CPUTIME_ID) - cpu > 1.05 * (now_us(CLOCK_MONOTONIC) - wall) + 1e4)
        throw std::runtime_error("more than one thread ran while one was timed");
    std::vector<double> medians;
    for (auto& s : samples) medians.push_back(median(std::move(s)));
    return medians;
}

void require_agreement(const std::string& work, const std::vector<const Contender*>& contenders, double tolerance) {
    std::vector<double> expected;
    for (std::size_t i = 0; i < contenders.size(); ++i) {
        contenders[i]->run();
        if (!contenders[i]->result) continue;
        const std::vector<double> found = contenders[i]->result();
        if (expected.empty()) expected = found;
        const std::string who = work + ", contender " + std::to_string(i) + ": ";
        if (found.size() != expected.size() || found.empty())
            throw std::runtime_error(who + std::to_string(found.size()) + " results, not " +
                                     std::to_string(expected.size()));
        const double allowed = tolerance * largest(expected);
        for (std::size_t e = 0; e < found.size(); ++e)
            if (!(std::abs(found[e] - expected[e]) <= allowed))  // NaN does not agree either
                throw std::runtime_error(who + "result " + std::to_string(e) + " is " + std::to_string(found[e]) +
                                         ", not " + std::to_string(expected[e]));
    }
}

}  // namespace perf

// Runs the doctest cases of one test program; with GRADTAPE_TOTALS set, appends "passed failed" to that file.
#define DOCTEST_CONFIG_IMPLEMENT
#include <doctest/doctest.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iostream>

namespace {

struct Totals : doctest::IReporter {
    explicit Totals(const doctest::ContextOptions&) {}

    void test_run_end(const doctest::TestRunStats& stats) override {
        const char* path = std::getenv("GRADTAPE_TOTALS");
        if (!path) return;
        const auto failed = stats.numTestCasesFailed;
        std::ofstream totals(path, std::ios::app);
        totals << stats.numTestCasesPassingFilters - failed << ' ' << failed << std::endl;
        if (!totals) std::cerr << "cannot write " << path << ": " << std::strerror(errno) << std::endl, std::_Exit(1);
    }

    void report_query(const doctest::QueryData&) override {}
    void test_run_start() override {}
    void test_case_start(const doctest::TestCaseData&) override {}
    void test_case_reenter(const doctest::TestCaseData&) override {}
    void test_case_end(const doctest::CurrentTestCaseStats&) override {}
    void test_case_exception(const doctest::TestCaseException&) override {}
    void subcase_start(const doctest::SubcaseSignature&) override {}
    void subcase_end() override {}
    void log_assert(const doctest::AssertData&) override {}
    void log_message(const doctest::MessageData&) override {}
    void test_case_skipped(const doctest::TestCaseData&) override {}
};
DOCTEST_REGISTER_LISTENER("totals", 1, Totals);

}  // namespace

int main(int argc, char** argv) {
    doctest::Context context(argc, argv);
    return context.run();
}

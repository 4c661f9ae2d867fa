#include "number.hpp"

#include <cfenv>
#include <charconv>

namespace gradtape::detail {
namespace {

/// The floating-point environment that a program starts with, for a while. The standard library's conversions compute:
/// in another rounding mode they give other digits, and 0 for a subnormal number where the processor takes it for one.
class DefaultEnvironment {
public:
    DefaultEnvironment() noexcept {
        std::fegetenv(&before_);
        std::fesetenv(FE_DFL_ENV);
    }
    ~DefaultEnvironment() { std::fesetenv(&before_); }
    DefaultEnvironment(const DefaultEnvironment&) = delete;

private:
    std::fenv_t before_;
};

template <class T>
std::string text_of(T number) {
    const DefaultEnvironment environment;
    char text[32];
    return {text, std::to_chars(text, text + sizeof text, number).ptr};
}

}  // namespace

std::string shortest(float number) { return text_of(number); }
std::string shortest(double number) { return text_of(number); }

std::optional<double> read_number(std::string_view text) {
    const DefaultEnvironment environment;
    double value = 0;
    const auto read = std::from_chars(text.data(), text.data() + text.size(), value);
    if (read.ec != std::errc() || read.ptr != text.data() + text.size()) return {};
    return value;
}

}  // namespace gradtape::detail

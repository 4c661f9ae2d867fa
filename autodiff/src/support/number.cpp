#include "number.hpp"

#include <cerrno>
#include <cfenv>
#include <charconv>
#include <clocale>
#include <cmath>
#include <cstdlib>

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
    if (number != number) return "nan";  // of either sign
    const DefaultEnvironment environment;
    char text[32];
    return {text, std::to_chars(text, text + sizeof text, number).ptr};
}

#ifdef __cpp_lib_to_chars
std::optional<double> read(std::string_view text) {
    double value = 0;
    const auto read = std::from_chars(text.data(), text.data() + text.size(), value);
    if (read.ec != std::errc() || read.ptr != text.data() + text.size()) return {};
    return value;
}
#else
// libc++ reads no floating numbers: the C library does, which also takes blanks, a plus and hexadecimal digits.
std::optional<double> read(std::string_view text) {
    static const locale_t plain = newlocale(LC_ALL_MASK, "C", nullptr);
    if (text.empty() || text.find_first_of("+xX \t\n\v\f\r") < text.find_first_of("eE")) return {};
    const std::string copy(text);
    char* end = nullptr;
    errno = 0;
    const double value = strtod_l(copy.c_str(), &end, plain);
    const bool out_of_range = errno == ERANGE && (value == 0 || std::isinf(value));
    if (out_of_range || end != copy.c_str() + copy.size()) return {};
    return value;
}
#endif

}  // namespace

std::string shortest(float number) { return text_of(number); }
std::string shortest(double number) { return text_of(number); }

std::optional<double> read_number(std::string_view text) {
    const DefaultEnvironment environment;
    return read(text);
}

}  // namespace gradtape::detail

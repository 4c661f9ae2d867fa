// What the reader of program files refuses, and how it says so: message, line, column.
#include "support/program_file.hpp"

#include <doctest/doctest.h>

namespace gradtape::test {
namespace {

/// A small file; tests break it in one place.
std::string good() {
    std::string text =
        "gradtape program 1\n"                                                                        // 1
        "%0 = input : float64(2, 3)  # a.cpp:12\n"                                                    // 2
        "%1 = parameter : float64(3,)\n"                                                              // 3
        "%2 = broadcast_to %1 shape=(2, 3) : float64(2, 3)\n"                                         // 4
        "%3 = multiply %0 %2 : float64(2, 3)\n"                                                       // 5
        "%4 = sum %3 axes=(1,) keepdims=false : float64(2,)  # a.cpp:13\n"                            // 6
        "%5 = constant value=1.5 : float64(2,)\n"                                                     // 7
        "%6 = constant : boolean(3,)\n"                                                               // 8
        "%7 = pad %4 before=(0,) after=(1,) value=-0 : float64(3,)\n"                                 // 9
        "%8 = cast %6 dtype=float64 : float64(3,)\n"                                                  // 10
        "return %7 %5\n"                                                                              // 11
        "update %1 %7\n"                                                                              // 12
        "value %6\n"                                                                                  // 13
        "value %0\n"                                                                                  // 14
        "value %1\n"                                                                                  // 15
        "data 75 0000000000000000\n";                                                                 // 16
    text += std::string("\1\0\1", 3) + std::string(72, '\0');
    return sealed(text);
}

struct Break {
    const char *from, *to;
    std::size_t line, column;
    const char* message;
};

/// "" where the broken file is refused at the place, with the message.
std::string check(const Break& b, bool seal = true) {
    std::string bytes = good();
    const std::size_t at = bytes.find(b.from);
    if (at == bytes.npos) return "no such text";
    bytes.replace(at, std::string(b.from).size(), b.to);
    try {
        from_bytes(seal ? sealed(bytes) : bytes);
    } catch (const FormatError& error) {
        const std::string what = error.what();
        const std::string place = "[from_bytes] line " + std::to_string(b.line) + ", column " + std::to_string(b.column) + ": ";
        const bool right = what.rfind(place, 0) == 0 && what.find(b.message) != what.npos && error.line() == b.line &&
                           error.column() == b.column;
        return right ? "" : what;
    }
    return "accepted";
}

TEST_CASE("refusals: the file that they break is good") {
    const Program program = from_bytes(good());
    CHECK(to_bytes(program) == good());
    CHECK(program.size() == 9);
}

TEST_CASE("refusals: head, values, primitives") {
    const Break breaks[] = {
        {"gradtape", "Gradtape", 1, 1, "this is no program file"},
        {"program 1", "program 3", 1, 18, "unknown version"}, {"program 1", "program 2", 2, 1, "expected a function"},
        {"%1 = p", "%2 = p", 3, 1, "values are numbered in order: expected %1"},
        {"%1 = p", "%0 = p", 3, 1, "values are numbered in order: expected %1"},
        {"%1 = p", "%01 = p", 3, 2, "a number starts with 0"},
        {"%1 = p", "%99999999999999999999 = p", 3, 2, "out of range"},
        {"%1 = p", "%1= p", 3, 3, "expected ' = ', not '= parameter "},
        {"multiply", "multiplied", 5, 6, "unknown primitive 'multiplied'"},
        {"multiply", "9", 5, 6, "expected the name of a primitive"},
        {"multiply %0 %2", "multiply %0", 5, 17, "multiply takes 2 operands, not 1"},
        {"multiply %0 %2", "multiply %0 %2 %2", 5, 23, "multiply takes 2 operands, not 3"},
        {"multiply %0 %2", "concatenate axis=0", 5, 17, "concatenate takes at least 1 operands, not 0"},
        {"multiply %0 %2", "multiply %0 %3", 5, 18, "operand %3 is not computed before it is used"},
        {"multiply %0 %2", "multiply %0 %8", 5, 18, "operand %8 is not computed before it is used"},
        {"multiply %0 %2", "multiply %0 %x", 5, 19, "expected digits"},
        {"multiply %0 %2", "exp %6", 5, 10, "operand %6"},
    };
    for (const Break& b : breaks) CHECK_MESSAGE(check(b) == "", b.from << " -> " << b.to << ": " << check(b));
}

TEST_CASE("refusals: attributes") {
    const Break breaks[] = {
        {" keepdims=false", "", 6, 22, "attribute 'keepdims' of sum is missing"},
        {" axes=(1,) keepdims=false", "", 6, 12, "attribute 'axes' of sum is missing"},
        {"keepdims", "keepdim", 6, 23, "sum has no attribute 'keepdim'"},
        {"axes=(1,) keepdims=false", "keepdims=false axes=(1,)", 6, 13, "attribute 'keepdims' is out of order; expected axes"},
        {"axes=(1,)", "axes=(1,) axes=(1,)", 6, 23, "attribute 'axes' is given twice"},
        {"keepdims=false", "keepdims=false axes=(1,)", 6, 38, "attribute 'axes' is given twice; expected no more"},
        {"multiply %0 %2", "multiply %0 %2 axis=1", 5, 21, "multiply has no attribute 'axis'"},
        {"keepdims=false", "keepdims=0", 6, 32, "expected true or false"},
        {"axes=(1,)", "axes=1", 6, 18, "expected '(', not '1 keepdims=f'"},
        {"axes=(1,)", "axes=(1)", 6, 20, "expected ',' in a list of one"},
        {"axes=(1,)", "axes=(-0,)", 6, 19, "0 has no sign"},
        {"axes=(1,)", "axes=(2147483649,)", 6, 19, "out of range"},
        {"axes=(1,)", "axes=(1, 1, 1, 1, 1, 1, 1, 1, 1)", 6, 43, "more than 8 axes"},
        {"axes=(1,)", "axes=(2,)", 6, 6, "[sum] axis 2 of shape (2, 3)"},
        {"value=1.5", "value=1.50", 7, 21, "number '1.50' is written 1.5"},
        {"value=1.5", "value=nan", 7, 21, "number 'nan' is written nan:"},
        {"value=1.5", "value=nan:3ff0000000000000", 7, 21, "these are not the bits of a NaN"},
        {"value=1.5", "value=nan:7FF8000000000000", 7, 25, "expected 16 hexadecimal digits"},
        {"value=1.5", "value=1e999", 7, 21, "'1e999' is no number, or out of range"},
        {"value=1.5", "value=x", 7, 21, "'x' is no number, or out of range"},
        {"value=1.5", "value=", 7, 21, "'' is no number"},
        {"dtype=float64", "dtype=double", 10, 20, "unknown element type 'double'"},
        {"shape=(2, 3)", "shape=(2, -3)", 4, 28, "negative extent or too many elements"},
    };
    for (const Break& b : breaks) CHECK_MESSAGE(check(b) == "", b.from << " -> " << b.to << ": " << check(b));
}

TEST_CASE("refusals: types and source lines") {
    const Break breaks[] = {
        {"%2 : float64(2, 3)", "%2 : float64(3, 2)", 5, 6, "its rule says float64(2, 3)"},
        {"%2 : float64(2, 3)", "%2 : float32(2, 3)", 5, 6, "its rule says float64(2, 3)"},
        {"%8 = cast %6 dtype=float64 : float64(3,)", "%8 = exp %6 : boolean(3,)", 10, 6, "does not take boolean"},
        {": float64(2, 3)  # a", ": double(2, 3)  # a", 2, 14, "unknown element type 'double'"},
        {": float64(2, 3)  # a", ": float64(2,3)  # a", 2, 23, "expected ', '"},
        {": float64(2, 3)  # a", ": float64(2147483648, 2147483648)  # a", 2, 21, "too many elements"},
        {": float64(2, 3)  # a", ": float64(0, 2147483648, 2147483648)  # a", 2, 21, "too many elements"},
        {"  # a.cpp:12", " # a.cpp:12", 2, 27, "expected the end of the line"},
        {"  # a.cpp:12", "  # a.cpp", 2, 31, "expected a source line"},
        {"  # a.cpp:12", "  # :12", 2, 31, "expected a source line"},
        {"  # a.cpp:12", "  # a.cpp:1x", 2, 37, "expected the number of a source line"},
        {"  # a.cpp:12", "  # a.cpp:4294967296", 2, 37, "expected the number of a source line"},
        {"  # a.cpp:12", "  # a.cpp:", 2, 37, "expected the number of a source line"},
        {"  # a.cpp:12", "  # b/a.cpp:12", 2, 32, "a file name has a control character or '/'"},
        {"  # a.cpp:12", "  # a\x01.cpp:12", 2, 32, "a file name has a control character or '/'"},
    };
    for (const Break& b : breaks) CHECK_MESSAGE(check(b) == "", b.from << " -> " << b.to << ": " << check(b));
}

TEST_CASE("refusals: results, updates, data") {
    const Break breaks[] = {
        {"return %7", "return %9", 11, 8, "result %9 is not computed"},
        {"return %7 %5\n", "", 11, 1, "expected 'return', not 'update %1 %7"},
        {"update %1 %7\n", "update %0 %7\n", 12, 8, "%0 is no parameter"},
        {"update %1 %7\n", "update %1 %4\n", 12, 11, "an update of type float64(2,) for a parameter of type float64(3,)"},
        {"update %1 %7\n", "update %1 %9\n", 12, 11, "value %9 is not computed"},
        {"update %1 %7\n", "update %1 %7\nupdate %1 %8\n", 13, 8, "parameter %1 is updated twice"},
        {"value %6\n", "", 13, 7, "expected the value of %6"},
        {"value %6\n", "value %5\n", 13, 7, "expected the value of %6"},
        {"value %1\n", "", 15, 1, "the value of %1 is missing"},
        {"value %1\n", "value %1\nvalue %1\n", 16, 7, "no more leaves need a value"},
        {"data 75", "data 74", 16, 6, "the values have 75 bytes"},
        {"data 75", "data 075", 16, 6, "a number starts with 0"},
        {"data 75", "date 75", 16, 1, "expected 'data '"},
        {"float64(2, 3)  # a", "float64(2, 3000)  # a", 5, 6, "operands of types"},
        {"%0 = input : float64(2, 3)", "%0 = input : float64(2, 99999)", 5, 6, "operands of types"},
    };
    for (const Break& b : breaks) CHECK_MESSAGE(check(b) == "", b.from << " -> " << b.to << ": " << check(b));
    std::string bytes = good();
    CHECK_THROWS_WITH_AS(from_bytes(bytes + "x"), doctest::Contains("[from_bytes] line 17, column 76: 1 bytes too many (ser"), FormatError);
    CHECK_THROWS_WITH_AS(from_bytes(bytes.substr(0, bytes.size() - 2)),
                         doctest::Contains("[from_bytes] line 17, column 74: 2 bytes are missing at the end ("), FormatError);
    bytes.back() ^= 1;
    CHECK_THROWS_WITH_AS(from_bytes(bytes), doctest::Contains("[from_bytes] line 16, column 9: the checksum is wrong: the file is damaged ("), FormatError);
    bytes = good();
    bytes[bytes.size() - 75] = 2;
    CHECK_THROWS_WITH_AS(from_bytes(sealed(bytes)), doctest::Contains("[from_bytes] line 17, column 1: a boolean is neither 0 nor 1 ("),
                         FormatError);
    CHECK_THROWS_WITH_AS(from_bytes(""), doctest::Contains("this is no program file"), FormatError);
    CHECK(check({"data 75 ", "data 75 \t", 16, 9, "expected 16 hexadecimal digits"}, false) == "");
}

TEST_CASE("refusals: sizes are checked before memory is taken") {
    const std::string head = "gradtape program 1\n%0 = input : float64(1048576, 1048576)\nreturn\n";
    CHECK_THROWS_WITH_AS(from_bytes(head + "value %0\ndata 8796093022208 0000000000000000\n"),
                         doctest::Contains("the file is too short for a value of type float64(1048576, 1048576)"), FormatError);
    CHECK(from_bytes(sealed(head + "data 0 0000000000000000\n")).size() == 1);  // a type alone takes none
}

TEST_CASE("refusals: rules whose sums would overflow") {
    for (const char* line : {"%1 = slice %0 start=(2147483648,) step=(-2147483648,) shape=(2147483648,) : float64(2147483648,)",
                             "%1 = pad %0 before=(2147483648,) after=(2147483648,) value=0 : float64(2147483648,)",
                             "%1 = concatenate %0 %0 %0 %0 axis=-2147483648 : float64(1,)",
                             "%1 = reshape %0 shape=(2147483648, 1048576) : float64(2147483648, 1048576)",
                             "%1 = transpose %0 permutation=(-2147483648,) : float64(1,)"}) {
        CAPTURE(line);
        const std::string file = "gradtape program 1\n%0 = input : float64(2147483648,)\n" + std::string(line) + "\nreturn\n";
        CHECK_THROWS_AS(from_bytes(file), FormatError);
    }
}

}  // namespace
}  // namespace gradtape::test

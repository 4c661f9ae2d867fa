// Numbers and tensors as operands, comparison, printing: what users write without thinking of types.
#include <gradtape/gradtape.hpp>

#include "support/refusals.hpp"

#include <doctest/doctest.h>

#include <array>
#include <deque>
#include <limits>
#include <sstream>

namespace gradtape::test {
namespace {

std::string message(const std::function<void()>& call) {
    try {
        call();
    } catch (const Error& error) {
        return error.what();
    }
    return "nothing was thrown";
}

template <class T>
std::string printed(const T& x) {
    std::ostringstream out;
    out << x;
    return out.str();
}

/// Element i of a tensor that may be a temporary.
template <class T>
T at(const Tensor& tensor, std::size_t i) {
    return tensor.data<T>()[i];
}

constexpr std::int64_t most = std::numeric_limits<std::int64_t>::max();
constexpr std::int64_t odd = (std::int64_t(1) << 53) + 1;  // no double

TEST_CASE("interface: a number of any arithmetic type is an operand") {
    Tape tape;
    const Node x = tape.input(Tensor{1, 2});
    const auto with = [&](auto number) {
        CHECK(mismatch(x * number, {3, 6}) == "");
        CHECK(mismatch(number * x, {3, 6}) == "");
        CHECK(mismatch(x - number, {-2, -1}) == "");
        CHECK(mismatch(maximum(x, number), {3, 3}) == "");
        CHECK(mismatch(where(x > number, x, number), {3, 3}) == "");
    };
    enum Plain { three = 3 };
    with(3), with(3u), with(3L), with(3ul), with(3ll), with(3ull), with(short(3)), with(std::uint8_t(3)), with(std::int8_t(3));
    with(3.f), with(3.0), with(3.0L), with(std::size_t(3)), with(three), with(Number(3));
    CHECK(mismatch(x * true, {1, 2}) == "");
    CHECK(mismatch(x / std::vector<int>(4).size(), {0.25, 0.5}) == "");
    CHECK(mismatch(clamp(x, 1L, 1.5f), {1, 1.5}) == "");
}

TEST_CASE("interface: integers keep every digit with int64, and are refused where they do not fit") {
    Tape tape;
    const Node i = tape.input(Tensor(std::int64_t(1))), v = tape.input(Tensor::full({3}, 1, DType::int64));
    CHECK(at<std::int64_t>((i * odd).value(), 0) == odd);
    CHECK(at<std::int64_t>((most + 0 * v).value(), 2) == most);
    CHECK(at<std::int64_t>(tape.full({2}, odd, DType::int64).value(), 1) == odd);
    CHECK(at<std::int64_t>(full_like(v, odd).value(), 2) == odd);
    CHECK(at<std::int64_t>(Tensor::full({2}, -odd, DType::int64), 1) == -odd);
    CHECK(at<std::int64_t>(Tensor(odd), 0) == odd);
    CHECK(at<std::int64_t>(Tensor(std::uint64_t(most)), 0) == most);
    const std::uint64_t beyond = std::uint64_t(most) + 1;
    CHECK(refused<DTypeError>([&] { (void)(i + beyond); }, {"add"}) == "");
    CHECK(refused<DTypeError>([&] { (void)tape.full({1}, beyond, DType::int64); }, {"full"}) == "");
    CHECK(refused<ValueError>([&] { (void)Tensor(beyond); }, {"tensor"}) == "");
    const std::vector<std::uint64_t> numbers{1, beyond};
    CHECK(refused<ValueError>([&] { (void)Tensor::from(numbers, {2}); }, {"tensor"}) == "");
    CHECK((tape.input(Tensor(1.0)) * beyond).item() == 0x1p63);
    // A replay has the same digits.
    Replay replay(compile(tape, v * odd));
    replay.run();
    CHECK(at<std::int64_t>(replay.output(0), 2) == odd);
}

TEST_CASE("interface: a number that an element type cannot be is refused wherever one is given") {
    Tape tape;
    const Node i = tape.input(Tensor::full({2}, 1, DType::int64)), f = tape.input(Tensor::full({2}, 1, DType::float32));
    for (const double number : {0.5, -0.25, nan, -nan, inf, 1e300, 0x1p63}) {
        CHECK(refused<DTypeError>([&] { (void)tape.full({2}, number, DType::int64); }, {"full"}) == "");
        CHECK(refused<DTypeError>([&] { (void)Tensor::full({2}, number, DType::int64); }, {"full"}) == "");
        CHECK(refused<DTypeError>([&] { (void)full_like(i, number); }, {"full_like"}) == "");
        CHECK(refused<DTypeError>([&] { (void)(i * number); }, {"multiply"}) == "");
        CHECK(refused<DTypeError>([&] { (void)pad(i, {1}, {1}, number); }, {"pad"}) == "");
        CHECK(refused<DTypeError>([&] { (void)tape.full({2}, number, DType::boolean); }, {"full"}) == "");
    }
    for (const double number : {1e300, -1e39}) {
        CHECK(refused<DTypeError>([&] { (void)tape.full({2}, number, DType::float32); }, {"full"}) == "");
        CHECK(refused<DTypeError>([&] { (void)Tensor::full({2}, number, DType::float32); }, {"full"}) == "");
        CHECK(refused<DTypeError>([&] { (void)full_like(f, number); }, {"full_like"}) == "");
        CHECK(refused<DTypeError>([&] { (void)pad(f, {1}, {1}, number); }, {"pad"}) == "");
    }
    CHECK(at<float>(Tensor::full({2}, inf, DType::float32), 1) == float(inf));
    CHECK(at<float>(Tensor::full({2}, 0.1, DType::float32), 1) == 0.1f);
    CHECK(at<bool>(tape.full({2}, true, DType::boolean).value(), 0));
    CHECK(message([&] { (void)tape.full({1}, -nan, DType::int64); }).rfind("[full] number nan is no int64 (", 0) == 0);
    CHECK(message([&] { (void)clamp(f, 1e-9, 0); }).rfind("[clamp] low 1e-09 exceeds high 0 (", 0) == 0);
}

TEST_CASE("interface: a tensor as operand is a constant beside the node") {
    Tape tape;
    const Node x = tape.input(Tensor{1, 2}), m = tape.input(Tensor{{1, 2}, {3, 4}});
    const Tensor t{10, 20};
    CHECK(mismatch(x * t, {10, 40}) == "");
    CHECK(mismatch(t - x, {9, 18}) == "");
    CHECK(mismatch(m + t, {11, 22, 13, 24}) == "");
    CHECK(mismatch(where(x > 1, t, x), {1, 20}) == "");
    CHECK(mismatch(matmul(m, t), {50, 110}) == "");
    CHECK(mismatch(matmul(t, m), {70, 100}) == "");
    CHECK(mismatch(grad(sum(x * t), x), {10, 20}) == "");
    CHECK(mismatch(maximum(x, Tensor(1.5)), {1.5, 2}) == "");
    const std::size_t before = tape.size();
    CHECK(refused<ShapeError>([&] { (void)(x * Tensor{1, 2, 3}); }, {"multiply"}) == "");
    CHECK(refused<DTypeError>([&] { (void)(x * Tensor(1.f)); }, {"multiply"}) == "");
    CHECK(refused<ShapeError>([&] { (void)matmul(m, Tensor{1, 2, 3}); }, {"matmul"}) == "");
    CHECK(refused<TapeError>([&] { (void)exp(t); }, {"exp"}) == "");
    CHECK(refused<TapeError>([&] { (void)sum(t); }, {"sum"}) == "");
    CHECK(refused<TapeError>([&] { (void)multiply(t, 2); }, {"multiply"}) == "");
    CHECK(refused<TapeError>([&] { (void)matmul(t, t); }, {"matmul"}) == "");
    CHECK(tape.size() == before);
}

TEST_CASE("interface: a default-made node is never taken for a number") {
    Tape tape;
    const Node x = tape.input(Tensor{1, 2});
    CHECK(refused<TapeError>([&] { (void)(x + Node()); }, {"add"}) == "");
    CHECK(refused<TapeError>([&] { (void)(Node() * x); }, {"multiply"}) == "");
    const Node positive = x > 0;
    CHECK(refused<TapeError>([&] { (void)where(positive, x, Node()); }, {"where"}) == "");
    CHECK(refused<TapeError>([&] { (void)exp(Node()); }, {"exp"}) == "");
}

TEST_CASE("interface: comparison is by element, identity has a name, assignment renames") {
    Tape tape;
    Node x = tape.input(Tensor{1, 2});
    const Node y = tape.input(Tensor{1, 3}), first = x;
    CHECK(mismatch(x == y, {1, 0}) == "");
    CHECK(mismatch(x != 2, {1, 0}) == "");
    CHECK(mismatch(2 == x, {0, 1}) == "");
    CHECK(same_node(x, first));
    CHECK_FALSE(same_node(x, y));
    CHECK_FALSE(same_node(x, Node()));
    CHECK(same_node(Node(), Node()));
    x += 1;
    CHECK(mismatch(x, {2, 3}) == "");
    x -= y;
    CHECK(mismatch(x, {1, 0}) == "");
    x *= 4L;
    x /= std::size_t(2);
    CHECK(mismatch(x, {2, 0}) == "");
    CHECK(mismatch(first, {1, 2}) == "");
    CHECK(refused<ShapeError>([&] { x += Tensor{1, 2, 3}; }, {"add"}) == "");
}

TEST_CASE("interface: extents by axis") {
    Tape tape;
    const Tensor t = Tensor::zeros({2, 3, 5});
    const Node x = tape.input(t);
    CHECK(x.shape(0) == 2);
    CHECK(x.shape(-1) == 5);
    CHECK(t.shape(1u) == 3);
    CHECK(t.shape(-3) == 2);
    CHECK(refused<ShapeError>([&] { (void)x.shape(3); }, {"shape", {{2, 3, 5}}, 3}) == "");
    CHECK(refused<ShapeError>([&] { (void)t.shape(-4); }, {"shape", {{2, 3, 5}}, -4}) == "");
    const Node scalar = tape.input(Tensor(1.0));
    CHECK(refused<ShapeError>([&] { (void)scalar.shape(0); }, {"shape", {Shape{}}, 0}) == "");
}

TEST_CASE("interface: Tensor::from takes every range of numbers, and copies are alone") {
    const auto is = [](const Tensor& t, DType dtype, std::vector<double> expected) {
        return t.dtype() == dtype && values(t) == expected;
    };
    CHECK(is(Tensor::from(std::vector<float>{1, 2}, {2}), DType::float32, {1, 2}));
    CHECK(is(Tensor::from(std::array<double, 2>{1, 2}, {2, 1}), DType::float64, {1, 2}));
    CHECK(is(Tensor::from(std::vector<bool>{true, false}, {2}), DType::boolean, {1, 0}));
    CHECK(is(Tensor::from(std::deque<std::uint8_t>{200, 3}, {2}), DType::int64, {200, 3}));
    CHECK(is(Tensor::from(std::vector<int>{-1, 2}, {2}), DType::int64, {-1, 2}));
    CHECK(is(Tensor::from({1.5, 2.5}, {2}), DType::float64, {1.5, 2.5}));
    CHECK(is(Tensor::from<float>({1, 2}, {2}), DType::float32, {1, 2}));
    const short c[] = {7, 8};
    CHECK(is(Tensor::from(c, {2}), DType::int64, {7, 8}));
    CHECK(refused<ShapeError>([&] { (void)Tensor::from(c, {3}); }, {"tensor", {{3}}}) == "");
    Tensor t{1, 2};
    const Tensor shared = t;
    Tensor own = t.copy();
    CHECK(same_bits(own, t));
    own.mutable_data<double>()[0] = 5;
    CHECK(at<double>(t, 0) == 1);
    CHECK(refused<ValueError>([&] { (void)t.mutable_data<double>(); }, {"tensor"}) == "");
}

TEST_CASE("interface: names are found by the arguments, lists of results are mixed") {
    Tape tape;
    const Node x = tape.input(Tensor{1, 2}), y = tape.input(Tensor{3, 4});
    CHECK(mismatch(concatenate(x, y), {1, 2, 3, 4}) == "");
    CHECK(mismatch(concatenate(x, y, x), {1, 2, 3, 4, 1, 2}) == "");
    CHECK(mismatch(stack(x, y, 1), {1, 3, 2, 4}) == "");
    CHECK(mismatch(stack(x, y, x, y, -1), {1, 3, 1, 3, 2, 4, 2, 4}) == "");
    CHECK(refused<ShapeError>([&] { (void)stack(x, y, 2); }, {"stack", {{2}}, 2}) == "");
    const std::vector<Node> more{y, x + y};
    CHECK(compile(tape, {x, more, {y}}).output_count() == 4);
    CHECK(compile(tape, more).output_count() == 2);
    CHECK(compile(tape, x).output_count() == 1);
    CHECK(compile(tape, {}).output_count() == 0);
    auto f = compile([](auto v) { return v[0] * 2; });
    CHECK(f({Tensor(3.0)})[0].item() == 6);
}

TEST_CASE("interface: everything prints") {
    Tape tape;
    const Node x = tape.input(Tensor{1, -nan});
    CHECK(printed(x) == "%0 : float64(2,) [1, nan]");
    CHECK(printed(x.value()) == "float64(2,) [1, nan]");
    CHECK(printed(x.shape()) == "(2,)");
    CHECK(printed(x.type()) == "float64(2,)");
    CHECK(printed(x.dtype()) == "float64");
    CHECK(printed(Node()) == "none");
    Tape abstract(Recording::abstract);
    CHECK(printed(abstract.input(Type{DType::int64, {3}})) == "%0 : int64(3,)");
    tape.guard_reads(true);
    CHECK(printed(x) == "%0 : float64(2,) [1, nan]");
    tape.clear();
    CHECK(refused<TapeError>([&] { (void)to_string(x); }, {"to_string"}) == "");
}

}  // namespace
}  // namespace gradtape::test

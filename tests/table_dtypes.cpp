// Which element types every primitive takes: its record says so, its kernels and its shape rule do, and the headers promise it.
#include "kernels/kernels.hpp"
#include "support/refusals.hpp"
#include "support/samples.hpp"
#include "support/source_tree.hpp"

#include <doctest/doctest.h>

#include <map>
#include <regex>

namespace gradtape::test {
namespace {

constexpr DType every_dtype[] = {DType::float32, DType::float64, DType::int64, DType::boolean};

TEST_CASE("dtypes: a primitive takes those of its record, and refuses the others") {
    for (const Primitive* p : operations())
        for (const DType dtype : every_dtype)
            for (const Sample& sample : samples(*p)) {
                CAPTURE(std::string(p->name));
                CAPTURE(std::string(to_string(dtype)));
                Tape tape;
                Random random(3);
                const std::vector<Node> x = parameters(tape, sample_operands(*p, sample, dtype, random));
                if (p->dtypes.contains(dtype))
                    CHECK_NOTHROW(gradtape::apply(*p, x, sample.attributes));
                else
                    CHECK(refused<DTypeError>([&] { gradtape::apply(*p, x, sample.attributes); }, {p->name}) == "");
            }
}

TEST_CASE("dtypes: elementwise primitives have the kernels, and no others") {
    for (const Primitive* p : operations())
        for (const DType dtype : every_dtype) {
            if (!p->elementwise) continue;
            CAPTURE(std::string(p->name));
            const detail::Kernels& kernels = detail::kernels_of(*p);
            CHECK(bool(kernels.loops[std::size_t(dtype)]) == p->dtypes.contains(dtype));
            for (const DType to : every_dtype)
                if (kernels.loops_by_result) CHECK(bool(kernels.loop(dtype, to)));
        }
}

/// What a comment of theirs says; `otherwise` where it says nothing.
DTypes promise(const std::string& text, DTypes otherwise) {
    const auto says = [&](const char* words) { return text.find(words) != text.npos; };
    if (says("floating only") || says("Floating only")) return {DType::float32, DType::float64};
    if (says("boolean only")) return {DType::boolean};
    if (says("any dtype")) return {DType::float32, DType::float64, DType::int64, DType::boolean};
    if (says("float32, float64, int64") || says("Also int64")) return {DType::float32, DType::float64, DType::int64};
    if (says("float32, float64")) return {DType::float32, DType::float64};
    return otherwise;
}

/// By operation: what its comment says, or that of the operations above it, or the heading of its section.
std::map<std::string, DTypes> promises() {
    static const std::regex declaration(R"(^(?:Node|Sorted) (\w+)\(.*)");
    std::map<std::string, DTypes> result;
    std::string heading, comment, before;
    std::smatch match;
    const std::string text = house::read("autodiff/include/gradtape/ops.hpp") + house::read("autodiff/include/gradtape/ops_indexing.hpp");
    for (const std::string& line : house::lines_of(text)) {
        if (line.rfind("// ----", 0) == 0) {
            heading = line;
            comment.clear();
        }
        if (line.rfind("///", 0) == 0) comment = (before.rfind("///", 0) == 0 ? comment : "") + line;
        if (std::regex_match(line, match, declaration)) result.insert_or_assign(match[1], promise(comment, promise(heading, {})));
        before = line;
    }
    return result;
}

TEST_CASE("dtypes: the headers promise what the records say") {
    const std::map<std::string, DTypes> promised = promises();
    std::size_t found = 0;
    for (const Primitive* p : operations()) {
        const auto its = promised.find(p->name);
        if (its == promised.end()) continue;  // rules and other operations record it
        ++found;
        CHECK_MESSAGE(its->second == p->dtypes, p->name);
    }
    CHECK(found > 50);
}

}  // namespace
}  // namespace gradtape::test

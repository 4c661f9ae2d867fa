// Who may use whom: the dependency table of docs/design.md, read off the #include lines.
#include "support/source_tree.hpp"

#include <doctest/doctest.h>

#include <map>
#include <set>

using namespace house;

namespace {

namespace fs = std::filesystem;
using Names = std::set<std::string>;

// What a room may include beside itself and the standard library.
struct Rule {
    Names rooms;     // of autodiff/src
    Names headers;   // public ones, of autodiff/include/gradtape
    Names packages;  // first folder of other libraries' headers
    Names files;     // single ones of other rooms
};

const Names values = {"shape.hpp", "error.hpp", "tensor.hpp"};
const Names any_header = {"shape.hpp",   "error.hpp",      "tensor.hpp", "tape.hpp", "ops.hpp",
                          "program.hpp", "transforms.hpp", "check.hpp",  "primitive.hpp", "compile.hpp", "nonfinite.hpp",
                          "serialise.hpp"};

Names operator+(Names a, const Names& b) {
    a.insert(b.begin(), b.end());
    return a;
}

const Names of_records = {"program.hpp", "primitive.hpp"};

// The files of autodiff/src itself are the rooms error, tensor and ops.
const std::map<std::string, Rule> rules = {
    {"support", {{}, values, {}, {}}},
    {"error", {{"support"}, values, {}, {}}},
    {"tensor", {{"support"}, values, {}, {}}},
    {"ir", {{"support"}, values + of_records, {}, {}}},
    {"kernels", {{"support"}, values + Names{"primitive.hpp"}, {"xsimd", "xtensor", "xtensor-blas", "cblas.h"}, {}}},
    {"execute", {{"support", "ir"}, values + of_records, {}, {}}},
    // the catalogue names the primitives; recording needs the names, and finds the records by them
    {"tape", {{"support", "ir", "execute"}, any_header, {}, {"autodiff/src/primitives/catalogue.hpp"}}},
    {"ops", {{"support", "ir", "tape"}, any_header, {}, {}}},
    {"primitives", {{"support", "ir", "kernels"}, values + Names{"ops.hpp", "primitive.hpp"}, {"xsimd"}, {}}},
    {"transforms", {{"support", "ir", "tape"}, any_header, {}, {}}},
    // folding records on a scratch tape, so that constants are computed as everything else is
    {"passes", {{"support", "ir", "execute", "tape"}, any_header, {}, {"autodiff/src/primitives/catalogue.hpp"}}},
    // files are flushed and renamed by the system's own calls
    {"serialise", {{"support", "ir"}, any_header, {"fcntl.h", "sys", "unistd.h"}, {"autodiff/src/primitives/catalogue.hpp"}}},
    {"replay", {{"support", "ir", "execute", "tape", "passes", "kernels"}, any_header, {}, {"autodiff/src/primitives/catalogue.hpp"}}},
};

std::string room_of(const std::string& path) {
    const std::string below = path.substr(std::string("autodiff/src/").size());
    const std::size_t slash = below.find('/');
    return slash != std::string::npos ? below.substr(0, slash) : below.substr(0, below.find_first_of("_."));
}

bool starts_with(const std::string& text, const std::string& start) { return text.rfind(start, 0) == 0; }

bool is_standard(const Include& include) {
    return include.angled && include.name.find('.') == std::string::npos && include.name.find('/') == std::string::npos;
}

// Where a quoted include leads, as a path of the checkout; empty where no such file is.
std::string target(const SourceFile& from, const Include& include, const std::string& source_folder) {
    const fs::path root = GRADTAPE_SOURCE_DIR;
    for (const fs::path& base : {fs::path(from.path).parent_path(), fs::path(source_folder)}) {
        const fs::path candidate = (base / include.name).lexically_normal();
        if (fs::exists(root / candidate)) return candidate.generic_string();
    }
    return "";
}

// Why a file of autodiff/src may not include this; empty where it may.
std::string objection(const SourceFile& file, const Include& include) {
    const std::string room = room_of(file.path);
    const auto rule = rules.find(room);
    if (rule == rules.end()) return "room '" + room + "' is not in the table";
    if (is_standard(include)) return "";
    if (starts_with(include.name, "gradtape/"))
        return rule->second.headers.contains(include.name.substr(9)) ? "" : "this public header is not for the room";
    if (include.angled) {
        const std::string package = include.name.substr(0, include.name.find('/'));
        return rule->second.packages.contains(package) ? "" : "this library is not for the room";
    }
    const std::string path = target(file, include, "autodiff/src");
    if (!starts_with(path, "autodiff/src/")) return "no such file in autodiff/src";
    if (rule->second.files.contains(path)) return "";
    const std::string other = room_of(path);
    return other == room || rule->second.rooms.contains(other) ? "" : "room '" + other + "' is not for this room";
}

std::string report(const SourceFile& file, const Include& include, const std::string& why) {
    return file.path + ":" + std::to_string(include.line) + " includes " + include.name + ": " + why;
}

bool is_xtensor(const Include& include) {
    return starts_with(include.name, "xtensor/") || starts_with(include.name, "xtensor-blas/");
}

}  // namespace

TEST_CASE("rooms of autodiff include what the table allows") {
    const auto sources = files({"autodiff/src"}, {".cpp", ".hpp"});
    CHECK(sources.size() > 10);
    for (const SourceFile& file : sources)
        for (const Include& include : includes(file.text)) {
            const std::string why = objection(file, include);
            CHECK_MESSAGE(why.empty(), report(file, include, why));
        }
}

TEST_CASE("the table refuses what it should") {
    const auto refuses = [](const std::string& path, const Include& include) {
        return !objection({path, ""}, include).empty();
    };
    CHECK(refuses("autodiff/src/kernels/x.cpp", {"ir/instruction.hpp", 1, false}));
    CHECK(refuses("autodiff/src/kernels/x.cpp", {"../ir/instruction.hpp", 1, false}));
    CHECK(refuses("autodiff/src/transforms/vjp.cpp", {"../kernels/gemm.hpp", 1, false}));
    CHECK(refuses("autodiff/src/ir/x.cpp", {"xtensor/xarray.hpp", 1, true}));
    CHECK(refuses("autodiff/src/primitives/x.cpp", {"gradtape/transforms.hpp", 1, true}));
    CHECK(refuses("autodiff/src/attic/x.cpp", {"vector", 1, true}));
    CHECK_FALSE(refuses("autodiff/src/primitives/x.cpp", {"../kernels/gemm.hpp", 1, false}));
    CHECK_FALSE(refuses("autodiff/src/ir/x.cpp", {"vector", 1, true}));
}

TEST_CASE("only xtensor.hpp among the public headers of autodiff includes another library") {
    for (const SourceFile& file : files({"autodiff/include"}, {".hpp"}))
        for (const Include& include : includes(file.text)) {
            const bool ours = starts_with(include.name, "gradtape/") && !starts_with(include.name, "gradtape/nn/");
            const bool bridge = fs::path(file.path).filename() == "xtensor.hpp" && is_xtensor(include);
            CHECK_MESSAGE((is_standard(include) || ours || bridge), report(file, include, "not for public headers"));
        }
}

TEST_CASE("nn uses public headers only") {
    const auto sources = files({"nn"}, {".cpp", ".hpp"});
    CHECK(!sources.empty());
    for (const SourceFile& file : sources) {
        const bool witness = file.path.find("explicit_backprop") != std::string::npos;
        for (const Include& include : includes(file.text)) {
            const bool own = !include.angled && starts_with(target(file, include, "nn/src"), "nn/src/");
            const bool allowed = is_standard(include) || starts_with(include.name, "gradtape/") || own ||
                                 is_xtensor(include) || (witness && starts_with(include.name, "xsimd"));
            CHECK_MESSAGE(allowed, report(file, include, "nn uses gradtape's public headers only"));
        }
    }
}

TEST_CASE("the explicit witness sees no tape, directly or through a header") {
    const std::string root = GRADTAPE_SOURCE_DIR;
    const Names allowed = {"gradtape/shape.hpp", "gradtape/error.hpp", "gradtape/tensor.hpp"};
    std::size_t seen = 0;
    for (const SourceFile& file : files({"nn"}, {".cpp", ".hpp"})) {
        if (file.path.find("explicit_backprop") == std::string::npos) continue;
        ++seen;
        for (const Include& include : includes(file.text)) {
            const bool own = include.name.find("explicit_backprop") != std::string::npos;
            const bool fine = is_standard(include) || own || allowed.contains(include.name) || is_xtensor(include);
            CHECK_MESSAGE(fine, report(file, include, "the witness uses tensor data and xtensor only"));
        }
    }
    CHECK(seen >= 2);
    for (const std::string& header : allowed)
        for (const Include& include : includes(read("autodiff/include/" + header))) {
            const bool fine = is_standard(include) || allowed.contains(include.name);
            CHECK_MESSAGE(fine, header << " includes " << include.name);
        }
}

TEST_CASE("cblas.h and xtensor-blas never meet in one file") {
    for (const SourceFile& file : cpp_files()) {
        bool cblas = false, xtensor_blas = false;
        for (const Include& include : includes(file.text)) {
            cblas |= include.name == "cblas.h";
            xtensor_blas |= starts_with(include.name, "xtensor-blas/");
        }
        CHECK_MESSAGE(!(cblas && xtensor_blas), file.path);
    }
}

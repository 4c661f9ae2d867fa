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
    Names rooms;    // of autodiff/src
    Names headers;  // public ones, of autodiff/include/gradtape
    Names others;   // first folders of other libraries' headers, and single files of other rooms
};

bool starts_with(const std::string& text, const std::string& start) { return text.rfind(start, 0) == 0; }

// "support, `xsimd`" as names.
std::vector<std::string> names_in(const std::string& cell) {
    std::vector<std::string> names;
    std::string name;
    for (const char c : cell + ",")
        if (c == ',') {
            if (!name.empty()) names.push_back(name);
            name.clear();
        } else if (c != ' ' && c != '`') {
            name += c;
        }
    return names;
}

Names public_headers() {
    Names names;
    for (const SourceFile& file : files({"autodiff/include/gradtape"}, {".hpp"}))
        names.insert(fs::path(file.path).filename().string());
    names.erase("xtensor.hpp");
    return names;
}

Names headers_in(const std::string& cell) {
    Names headers;
    for (const std::string& name : names_in(cell)) {
        if (name == "values") headers.insert({"shape.hpp", "error.hpp", "tensor.hpp", "portable.hpp"});
        else if (name == "public") headers.merge(public_headers());
        else headers.insert(name);
    }
    return headers;
}

// The table of docs/design.md, by room.
std::map<std::string, Rule> read_rules() {
    std::map<std::string, Rule> rules;
    bool inside = false;
    for (const std::string& line : lines_of(read("docs/design.md"))) {
        if (starts_with(line, "| room | rooms |")) inside = true;
        if (!starts_with(line, "|")) inside = false;
        if (!inside) continue;
        std::vector<std::string> cells;
        for (std::size_t at = 1, end; (end = line.find('|', at)) != std::string::npos; at = end + 1)
            cells.push_back(line.substr(at, end - at));
        CHECK_MESSAGE(cells.size() == 4, line);
        if (cells.size() != 4 || starts_with(cells[0], "---") || cells[0] == " room ") continue;
        const std::vector<std::string> rooms = names_in(cells[1]), others = names_in(cells[3]);
        for (const std::string& room : names_in(cells[0]))
            rules[room] = {{rooms.begin(), rooms.end()}, headers_in(cells[2]), {others.begin(), others.end()}};
    }
    return rules;
}

const std::map<std::string, Rule>& rules() {
    static const std::map<std::string, Rule> all = read_rules();
    return all;
}

// The files of autodiff/src itself are the rooms error, tensor and ops.
std::string room_of(const std::string& path) {
    if (path.find("explicit_backprop") != std::string::npos) return "explicit_backprop";
    if (starts_with(path, "nn/")) return "nn";
    const std::string below = path.substr(std::string("autodiff/src/").size());
    const std::size_t slash = below.find('/');
    return slash != std::string::npos ? below.substr(0, slash) : below.substr(0, below.find_first_of("_."));
}

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

// Why a file may not include this; empty where it may. `used` gets the room or other name that allows it.
std::string objection(const SourceFile& file, const Include& include, Names* used = nullptr) {
    const std::string room = room_of(file.path);
    const auto found = rules().find(room);
    if (found == rules().end()) return "room '" + room + "' is not in the table";
    const Rule& rule = found->second;
    const auto take = [&](const Names& names, const std::string& name) {
        if (used) used->insert(name);
        return names.contains(name);
    };
    if (is_standard(include)) return "";
    if (starts_with(include.name, "gradtape/nn/")) {  // the witness has its own header there
        const bool own = include.name.find("explicit_backprop") != std::string::npos;
        return room == "nn" || (room == "explicit_backprop" && own) ? "" : "nn is not for the room";
    }
    if (starts_with(include.name, "gradtape/"))
        return rule.headers.contains(include.name.substr(9)) ? "" : "this public header is not for the room";
    if (include.angled)
        return take(rule.others, include.name.substr(0, include.name.find('/'))) ? "" : "this library is not for the room";
    const std::string folder = starts_with(file.path, "nn/") ? "nn/src" : "autodiff/src";
    const std::string path = target(file, include, folder);
    if (!starts_with(path, folder + "/")) return "no such file in " + folder;
    if (room_of(path) == room || take(rule.others, path.substr(folder.size() + 1))) return "";
    return take(rule.rooms, room_of(path)) ? "" : "room '" + room_of(path) + "' is not for this room";
}

std::string report(const SourceFile& file, const Include& include, const std::string& why) {
    return file.path + ":" + std::to_string(include.line) + " includes " + include.name + ": " + why;
}

bool is_xtensor(const Include& include) {
    return starts_with(include.name, "xtensor/") || starts_with(include.name, "xtensor-blas/");
}

}  // namespace

TEST_CASE("rooms include what the table of docs/design.md allows, and use what it allows") {
    CHECK(rules().size() > 10);
    const auto sources = files({"autodiff/src", "nn"}, {".cpp", ".hpp"});
    CHECK(sources.size() > 50);
    std::map<std::string, Names> used;
    for (const SourceFile& file : sources)
        for (const Include& include : includes(file.text)) {
            const std::string why = objection(file, include, &used[room_of(file.path)]);
            CHECK_MESSAGE(why.empty(), report(file, include, why));
        }
    for (const auto& [its_name, rule] : rules()) {
        const std::string& room = its_name;  // clang 14 captures no structured binding
        for (const Names* names : {&rule.rooms, &rule.others})
            for (const std::string& name : *names)
                CHECK_MESSAGE(used[room].contains(name), "nobody in ", room, " includes ", name);
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
    CHECK(refuses("autodiff/src/primitives/x.cpp", {"gradtape/compile.hpp", 1, true}));
    CHECK(refuses("autodiff/src/attic/x.cpp", {"vector", 1, true}));
    CHECK(refuses("nn/src/x.cpp", {"tape/recorder.hpp", 1, false}));
    CHECK(refuses("nn/src/explicit_backprop.cpp", {"gradtape/tape.hpp", 1, true}));
    CHECK(refuses("nn/src/explicit_backprop.cpp", {"gradtape/nn/layers.hpp", 1, true}));
    CHECK_FALSE(refuses("nn/src/explicit_backprop.cpp", {"gradtape/tensor.hpp", 1, true}));
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

TEST_CASE("what the explicit witness includes sees no tape either") {
    const Names& values = rules().at("explicit_backprop").headers;
    CHECK(values.size() == 4);
    for (const std::string& header : values)
        for (const Include& include : includes(read("autodiff/include/gradtape/" + header))) {
            const bool fine = is_standard(include) || values.contains(include.name.substr(include.name.find('/') + 1));
            CHECK_MESSAGE(fine, header << " includes " << include.name);
        }
}

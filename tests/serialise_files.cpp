// Program files on disk: whole or not there, whatever else happens to them; and what cannot be one is said to be what it is.
#include "support/program_file.hpp"

#include <filesystem>
#include <doctest/doctest.h>

#include <atomic>
#include <csignal>
#include <fstream>
#include <optional>
#include <thread>

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

namespace gradtape::test {
namespace {

namespace fs = std::filesystem;

Program small_program(double value = 1) {
    Tape tape;
    return Program(tape, {tape.parameter(Tensor{value, value}) * 2.0});
}

std::ptrdiff_t files_in(const fs::path& folder) { return std::distance(fs::directory_iterator(folder), {}); }

mode_t mode_of(const fs::path& path) {
    struct stat file {};
    REQUIRE(::lstat(path.c_str(), &file) == 0);
    return file.st_mode & 07777;
}

/// The error of `action`, which must be a FileError that has the path and the line of this file.
template <class Action>
std::string refusal(const fs::path& path, const Action& action) {
    try {
        action();
    } catch (const FileError& error) {
        CHECK(error.path() == path);
        CHECK(error.code().value() != 0);
        CHECK(to_string(error.where()).rfind("serialise_files.cpp:", 0) == 0);
        return error.what();
    }
    return "accepted";
}
std::string save_refusal(const fs::path& path) {
    return refusal(path, [&] { save(path, small_program()); });
}
std::string load_refusal(const fs::path& path) {
    return refusal(path, [&] { (void)load(path); });
}
bool says(const std::string& text, const std::string& part) {
    const bool found = text.find(part) != text.npos;
    if (!found) MESSAGE(text);
    return found;
}

TEST_CASE("files: whole or not there") {
    Folder folder;
    Tape tape;
    const Program program = training_step(tape);
    const fs::path path = folder.path / "step.gradtape";
    save(path, program);
    CHECK(read_file(path) == to_bytes(program));
    save(path, program, {.leaf_values = false});  // over an old one
    CHECK(read_file(path) == to_bytes(program, {.leaf_values = false}));
    CHECK(difference(load(path), from_bytes(read_file(path))) == "");
    CHECK(files_in(folder.path) == 1);
    std::ofstream(path) << "gradtape program 1\nreturn %0\n";
    CHECK_THROWS_WITH_AS(load(path),
                         doctest::Contains("[load] step.gradtape, line 2, column 8: result %0 is not computed before it is used (ser"),
                         FormatError);
}

TEST_CASE("files: what is no regular file is refused, and named") {
    Folder folder;
    const fs::path directory = folder.path / "directory", fifo = folder.path / "fifo", socket = folder.path / "socket";
    fs::create_directory(directory);
    REQUIRE(::mkfifo(fifo.c_str(), 0600) == 0);
    const int bound = ::socket(AF_UNIX, SOCK_STREAM, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    REQUIRE(socket.string().copy(address.sun_path, sizeof address.sun_path - 1) == socket.string().size());
    REQUIRE(::bind(bound, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
    const fs::path device = "/dev/null", link = folder.path / "link";
    fs::create_symlink(fifo, link);
    const std::pair<fs::path, const char*> kinds[] = {{directory, "it is a directory"}, {fifo, "it is a FIFO"},
        {socket, "it is a socket"}, {device, "it is a device"}, {link, "it is a FIFO"}, {folder.path, "it is a directory"},
        {folder.path / ".", "it is a directory"}};
    for (const auto& one : kinds) {
        const auto& path = one.first;  // clang 14 captures no structured binding
        const std::string kind = one.second;
        CAPTURE(path);
        CHECK(says(save_refusal(path), "[save] cannot save '" + path.string() + "': " + kind + "; needs a regular file ("));
        CHECK(says(load_refusal(path), "[load] cannot load '" + path.string() + "': " + kind + "; needs a regular file ("));
    }
    CHECK(files_in(folder.path) == 4);
    CHECK(files_in(directory) == 0);
    CHECK(fs::is_fifo(fifo));
    ::close(bound);
}

TEST_CASE("files: paths that lead nowhere") {
    Folder folder;
    const fs::path path = folder.path / "no" / "such";
    CHECK(says(save_refusal(path), "[save] cannot create a file in the folder of '" + path.string() + "': No such file or directory"));
    CHECK(says(load_refusal(path), "[load] cannot open '" + path.string() + "': No such file or directory"));
    CHECK(says(save_refusal(""), "the path names no file"));
    CHECK(says(save_refusal(folder.path / "new" / ""), "the path names no file"));
    CHECK(says(load_refusal(""), "No such file or directory"));
    save(folder.path / "file", small_program());
    CHECK(says(save_refusal(folder.path / "file" / ""), "Not a directory"));
    CHECK(says(load_refusal(folder.path / "file" / "x"), "Not a directory"));
    for (const std::string& name : {std::string("a\0b", 3), std::string("file\0", 5), std::string("\0", 1)}) {
        CHECK(says(save_refusal(folder.path / name), "the path has a NUL byte"));
        CHECK(says(load_refusal(folder.path / name), "the path has a NUL byte"));
    }
    CHECK(says(save_refusal(folder.path / std::string(256, 'x')), "File name too long"));
    CHECK(says(load_refusal(folder.path / "a\nb"), "/a?b': No such file"));
    CHECK(files_in(folder.path) == 1);
    save(folder.path / std::string(255, 'x'), small_program());  // as long as names can be
    CHECK(load(folder.path / std::string(255, 'x')).size() == small_program().size());
    CHECK(files_in(folder.path) == 2);
}

TEST_CASE("files: an old file's mode is kept; a new one's is the process's") {
    Folder folder;
    const fs::path path = folder.path / "step";
    const mode_t mask = ::umask(027);
    save(path, small_program());
    CHECK(mode_of(path) == 0640);
    for (const mode_t mode : {0600, 0666, 0755, 0644}) {
        REQUIRE(::chmod(path.c_str(), mode) == 0);
        save(path, small_program());
        CHECK(mode_of(path) == mode);
    }
    ::umask(mask);
    if (::geteuid() != 0) {  // root may write all
        REQUIRE(::chmod(path.c_str(), 0444) == 0);
        CHECK(says(save_refusal(path), "[save] cannot write '" + path.string() + "': Permission denied"));
        CHECK(mode_of(path) == 0444);
        REQUIRE(::chmod(folder.path.c_str(), 0555) == 0);
        CHECK(says(save_refusal(folder.path / "new"), "Permission denied"));
        REQUIRE(::chmod(folder.path.c_str(), 0755) == 0);
    }
    CHECK(files_in(folder.path) == 1);
}

TEST_CASE("files: links are followed, to files that are there or not") {
    Folder folder;
    const fs::path inner = folder.path / "inner";
    fs::create_directory(inner);
    fs::create_symlink("inner/second", folder.path / "first");
    fs::create_symlink("target", inner / "second");
    for (double value : {1.0, 2.0}) {
        save(folder.path / "first", small_program(value));
        CHECK(fs::is_symlink(folder.path / "first"));
        CHECK(fs::is_symlink(inner / "second"));
        CHECK(read_file(inner / "target") == to_bytes(small_program(value)));
    }
    CHECK(difference(load(folder.path / "first"), load(inner / "target")) == "");
    CHECK(files_in(folder.path) == 2);
    CHECK(files_in(inner) == 2);
    fs::create_symlink("b", folder.path / "a");
    fs::create_symlink("a", folder.path / "b");
    CHECK(says(save_refusal(folder.path / "a"), "Too many levels of symbolic links"));
    CHECK(says(load_refusal(folder.path / "a"), "Too many levels of symbolic links"));
}

TEST_CASE("files: a failed write leaves the old file, and nothing else") {
    Folder folder;
    const fs::path path = folder.path / "step";
    save(path, small_program());
    const std::string before = read_file(path);
    Tape tape;
    const Program large(tape, {tape.parameter(Tensor::zeros({10'000}))});
    rlimit limit{};
    REQUIRE(::getrlimit(RLIMIT_FSIZE, &limit) == 0);
    const rlimit small{1000, limit.rlim_max};
    const auto handler = std::signal(SIGXFSZ, SIG_IGN);
    REQUIRE(::setrlimit(RLIMIT_FSIZE, &small) == 0);
    std::string what;
    try {
        save(path, large);
    } catch (const FileError& error) {
        what = error.what();
    }
    REQUIRE(::setrlimit(RLIMIT_FSIZE, &limit) == 0);
    std::signal(SIGXFSZ, handler);
    CHECK(says(what, "[save] cannot write '" + path.string() + "': File too large"));
    CHECK(read_file(path) == before);
    CHECK(files_in(folder.path) == 1);
}

/// Bytes that this process has read, as the system counts them; none where it does not.
std::optional<std::size_t> bytes_read() {
    std::ifstream counts("/proc/self/io");
    std::string name;
    std::size_t count = 0;
    if (counts >> name >> count && name == "rchar:") return count;
    return {};
}

TEST_CASE("files: what is no program is refused without reading it all") {
    Folder folder;
    const fs::path path = folder.path / "large";
    const std::string head = to_bytes(small_program());
    const std::pair<std::string, const char*> starts[] = {
        {"", "this is no program file"}, {"\x89PNG", "this is no program file"}, {"gradtape program 1\n", "expected 'return'"},
        {"gradtape program 1\n%0 = input : float64(2,)\n%1 = ", "expected the name of a primitive"},
        {head.substr(0, head.find('\n', head.find("\ndata ") + 1) + 1), "bytes too many"}};
    for (const auto& [start, message] : starts) {
        std::ofstream(path, std::ios::binary) << start;
        fs::resize_file(path, std::uintmax_t(3) << 30);  // the rest is a hole
        const auto before = bytes_read();
        std::string what;
        try {
            (void)load(path);
        } catch (const FormatError& error) {
            what = error.what();
        }
        CHECK(says(what, message));
        const auto after = bytes_read();
        if (before && after) CHECK(*after - *before < 1'000'000);
    }
}

TEST_CASE("files: large texts and values are read in pieces") {
    Folder folder;
    Tape tape;
    Node x = tape.parameter(Tensor(3.0));
    for (int i = 0; i < 5'000; ++i) x = x * double(i);
    const Program program(tape, {x, tape.parameter(Tensor::full({50'000}, 3))});
    CHECK(to_bytes(program).size() > 600'000);
    save(folder.path / "long", program);
    CHECK(difference(load(folder.path / "long"), program) == "");
}

TEST_CASE("files: saved and loaded at once by several threads, every load has one of the programs") {
    Folder folder;
    const fs::path path = folder.path / "shared";
    const std::string first = to_bytes(small_program(1)), second = to_bytes(small_program(2));
    save(path, small_program(1));
    constexpr int rounds = 300;
    std::atomic<int> saving = 2;
    std::atomic<int> wrong = 0, loads = 0;
    const auto saver = [&](double value) {
        try {
            for (int i = 0; i < rounds; ++i) save(path, small_program(value));
        } catch (const std::exception&) {
            ++wrong;
        }
        --saving;
    };
    const auto loader = [&] {
        while (saving > 0) {
            try {
                const std::string bytes = to_bytes(load(path));
                if (bytes != first && bytes != second) ++wrong;
            } catch (const std::exception&) {
                ++wrong;
            }
            ++loads;
        }
    };
    std::thread threads[] = {std::thread(saver, 1), std::thread(saver, 2), std::thread(loader), std::thread(loader)};
    for (std::thread& thread : threads) thread.join();
    CHECK(wrong == 0);
    CHECK(loads > 10);
    CHECK(files_in(folder.path) == 1);
}

}  // namespace
}  // namespace gradtape::test

// Program files on disk: written beside their place, then put there whole; read from one open file.
#include <gradtape/primitive.hpp>
#include <gradtape/serialise.hpp>

#include "format.hpp"
#include "read.hpp"

#include <cerrno>
#include <filesystem>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace gradtape {
namespace {

namespace fs = std::filesystem;

std::string printable(std::string text) {
    for (char& c : text)
        if (!detail::format::is_printable(c)) c = '?';
    return text;
}

/// What is asked for, by whom: in every message.
struct Request {
    const char* function;
    const fs::path& path;
    Where where;

    /// "[save] cannot write 'step.gradtape': No space left on device (model.cpp:41)"
    [[noreturn]] void refuse(const std::string& problem, int error, const std::string& reason) const {
        throw FileError(problem + " '" + printable(path.string()) + "': " + reason, path.string(),
                        std::error_code(error, std::generic_category()), {function, {}, {}, where});
    }
    [[noreturn]] void refuse(const std::string& problem, int error) const {
        refuse(problem, error, std::generic_category().message(error));
    }
    /// The system would take the path to end at a NUL, so to be another one.
    void check() const {
        if (path.native().find('\0') != std::string::npos) refuse("cannot use", EINVAL, "the path has a NUL byte");
    }
    void require_regular(mode_t mode) const {
        if (S_ISREG(mode)) return;
        const char* kind = S_ISDIR(mode) ? "a directory" : S_ISFIFO(mode) ? "a FIFO" : S_ISSOCK(mode) ? "a socket" : "a device";
        refuse(std::string("cannot ") + function, S_ISDIR(mode) ? EISDIR : EINVAL,
               std::string("it is ") + kind + "; needs a regular file");
    }
};

/// A system call again as long as a signal interrupts it.
template <class Call>
auto uninterrupted(const Call& call) {
    auto result = call();
    while (result < 0 && errno == EINTR) result = call();
    return result;
}

/// An open file.
class Descriptor {
public:
    explicit Descriptor(int number) noexcept : number_(number) {}
    Descriptor(const Descriptor&) = delete;
    ~Descriptor() {
        if (number_ >= 0) ::close(number_);
    }
    explicit operator bool() const noexcept { return number_ >= 0; }
    int operator*() const noexcept { return number_; }
    bool close() noexcept { return ::close(std::exchange(number_, -1)) == 0 || errno == EINTR; }

private:
    int number_;
};

/// Where a file for `request` really goes: at the end of the links, of which the last may lead to nothing yet.
fs::path end_of_links(const Request& request) {
    fs::path path = request.path;
    for (int links = 0; links < 40; ++links) {
        std::error_code error;
        if (!fs::is_symlink(path, error)) return path;
        const fs::path next = fs::read_symlink(path, error);
        if (error) request.refuse("cannot follow the link", error.value());
        path = path.parent_path() / next;
    }
    request.refuse("cannot follow the link", ELOOP);
}

/// A new file in the folder of `target`; removed unless it took the target's place.
class Temporary {
public:
    Temporary(const Request& request, const fs::path& target, mode_t mode)
        : request_(request), target_(target), file_(create(mode)) {
        if (!file_) request_.refuse("cannot create a file in the folder of", errno);
    }
    ~Temporary() {
        if (file_there_) ::unlink(name_.c_str());
    }
    Temporary(const Temporary&) = delete;

    void write(std::string_view bytes) {
        while (!bytes.empty()) {
            const ssize_t written = uninterrupted([&] { return ::write(*file_, bytes.data(), bytes.size()); });
            if (written < 0) request_.refuse("cannot write", errno);
            bytes.remove_prefix(std::size_t(written));
        }
    }
    /// The mode of the file that it replaces, which the process's mask shall not narrow.
    void set_mode(mode_t mode) {
        if (::fchmod(*file_, mode) != 0) request_.refuse("cannot keep the mode of", errno);
    }
    void become_target() {
        if (uninterrupted([&] { return ::fsync(*file_); }) != 0) request_.refuse("cannot flush", errno);
        if (!file_.close()) request_.refuse("cannot close", errno);
        if (::rename(name_.c_str(), target_.c_str()) != 0) request_.refuse("cannot replace", errno);
        file_there_ = false;
    }

private:
    /// Its name does not grow with the target's, which may be as long as names can be.
    int create(mode_t mode) {
        constexpr int most = 10'000;  // files that crashed processes of the same number left, or threads that save
        for (int attempt = 0; attempt < most; ++attempt) {
            const std::string own = ".gradtape-" + std::to_string(::getpid()) + "-" + std::to_string(attempt) + ".tmp";
            name_ = (target_.parent_path() / own).string();
            const int file = uninterrupted([&] { return ::open(name_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode); });
            file_there_ = file >= 0;
            if (file_there_ || errno != EEXIST) return file;
        }
        return -1;
    }

    const Request& request_;
    const fs::path& target_;
    std::string name_;
    bool file_there_ = false;
    Descriptor file_;
};

struct Memory final : detail::Source {
    explicit Memory(std::string_view bytes) : bytes(bytes) {}
    std::size_t size() const noexcept override { return bytes.size(); }
    std::string_view first(std::size_t) override { return bytes; }
    std::string_view bytes;
};

/// A file as it was when it was opened.
class OpenFile final : public detail::Source {
public:
    OpenFile(const Request& request, int file, std::size_t size) : request_(request), file_(file), size_(size) {}
    std::size_t size() const noexcept override { return size_; }
    std::string_view first(std::size_t count) override {
        const std::size_t wanted = std::min(count, size_);
        std::size_t there = bytes_.size();
        if (wanted > there) bytes_.resize(wanted);
        while (there < wanted) {
            const ssize_t read = uninterrupted([&] { return ::read(file_, bytes_.data() + there, wanted - there); });
            if (read < 0) request_.refuse("cannot read", errno);
            if (read == 0) request_.refuse("cannot read", EIO, "it became shorter meanwhile");
            there += std::size_t(read);
        }
        return bytes_;
    }

private:
    const Request& request_;
    int file_;
    std::size_t size_;
    std::string bytes_;
};

}  // namespace

FileError::FileError(const std::string& problem, std::string path, std::error_code code, ErrorFacts facts)
    : Error(problem, std::move(facts)), path_(std::move(path)), code_(code) {}

Program from_bytes(std::string_view bytes, OwnPrimitives own, Where where) {
    Memory source(bytes);
    return detail::read_program(source, own, {"from_bytes", {}, where});
}

void save(const std::string& name, const Program& program, const SaveOptions& options, Where where) {
    const fs::path path(name);
    const Request request{"save", path, where};
    request.check();
    struct stat old {};
    const bool replaces = ::stat(path.c_str(), &old) == 0;
    if (!replaces && errno != ENOENT) request.refuse("cannot save", errno);
    if (replaces) request.require_regular(old.st_mode);
    if (replaces && ::faccessat(AT_FDCWD, path.c_str(), W_OK, AT_EACCESS) != 0) request.refuse("cannot write", errno);
    const std::string bytes = to_bytes(program, options, where);
    const fs::path target = end_of_links(request);
    if (!target.has_filename()) request.refuse("cannot save", ENOENT, "the path names no file");
    Temporary file(request, target, replaces ? old.st_mode & 0777 : 0666);
    file.write(bytes);
    if (replaces) file.set_mode(old.st_mode & 0777);
    file.become_target();
}

Program load(const std::string& name, OwnPrimitives own, Where where) {
    const fs::path path(name);
    const Request request{"load", path, where};
    request.check();
    // without waiting for a FIFO's writer
    const Descriptor file(uninterrupted([&] { return ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY); }));
    const int error = errno;
    struct stat now {};
    if (!file) {
        if (error == ENXIO && ::stat(path.c_str(), &now) == 0) request.require_regular(now.st_mode);  // a socket
        request.refuse("cannot open", error);
    }
    if (::fstat(*file, &now) != 0) request.refuse("cannot read", errno);
    request.require_regular(now.st_mode);
    OpenFile source(request, *file, std::size_t(now.st_size));
    return detail::read_program(source, own, {"load", printable(path.filename().string()), where});
}

}  // namespace gradtape

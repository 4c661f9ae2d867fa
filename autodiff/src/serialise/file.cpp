// Program files on disk: written beside their place, then put there whole.
#include <gradtape/primitive.hpp>
#include <gradtape/serialise.hpp>

#include "read.hpp"

#include <cerrno>
#include <fstream>
#include <utility>

#include <fcntl.h>
#include <unistd.h>

namespace gradtape {
namespace {

[[noreturn]] void refuse(const char* what, const std::filesystem::path& path, int error) {
    throw std::filesystem::filesystem_error(what, path, std::error_code(error, std::generic_category()));
}

/// A file of its own; removed unless it was renamed.
class Temporary {
public:
    explicit Temporary(const std::filesystem::path& target) {
        for (int attempt = 0; file_ < 0; ++attempt) {
            name_ = target.string() + "." + std::to_string(::getpid()) + "." + std::to_string(attempt) + ".tmp";
            file_ = ::open(name_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
            if (file_ < 0 && errno != EEXIST) refuse("cannot create a file", name_, errno);
        }
    }
    ~Temporary() {
        if (file_ >= 0) ::close(file_);
        if (!name_.empty()) ::unlink(name_.c_str());
    }
    Temporary(const Temporary&) = delete;

    void write(std::string_view bytes) {
        while (!bytes.empty()) {
            const ssize_t written = ::write(file_, bytes.data(), bytes.size());
            if (written < 0 && errno == EINTR) continue;
            if (written < 0) refuse("cannot write", name_, errno);
            bytes.remove_prefix(std::size_t(written));
        }
    }
    void become(const std::filesystem::path& target) {
        if (::fsync(file_) != 0) refuse("cannot flush", name_, errno);
        if (::close(std::exchange(file_, -1)) != 0) refuse("cannot close", name_, errno);
        std::filesystem::rename(name_, target);
        name_.clear();
    }

private:
    std::string name_;
    int file_ = -1;
};

}  // namespace

Program from_bytes(std::string_view bytes, OwnPrimitives own) { return detail::read_program(bytes, own, {}); }

void save(const std::filesystem::path& path, const Program& program, const SaveOptions& options) {
    const std::string bytes = to_bytes(program, options);
    Temporary file(path);
    file.write(bytes);
    file.become(path);
}

Program load(const std::filesystem::path& path, OwnPrimitives own) {
    if (!std::filesystem::is_regular_file(path)) refuse("no file to load a program from", path, ENOENT);
    std::string bytes(std::filesystem::file_size(path), '\0');
    std::ifstream file(path, std::ios::binary);
    if (!file.read(bytes.data(), std::streamsize(bytes.size())) || file.peek() != std::ifstream::traits_type::eof())
        refuse("cannot read", path, EIO);
    return detail::read_program(bytes, own, path.filename().string());
}

}  // namespace gradtape

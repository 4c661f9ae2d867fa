#include "report.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <stdexcept>

namespace examples {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

namespace {

class FolderLock {
public:
    explicit FolderLock(const fs::path& folder) : handle_(open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)) {
        if (handle_ < 0 || flock(handle_, LOCK_EX) != 0) {
            if (handle_ >= 0) close(handle_);
            throw std::runtime_error("cannot lock the folder " + folder.string());
        }
    }
    ~FolderLock() { close(handle_); }
    FolderLock(const FolderLock&) = delete;
    FolderLock& operator=(const FolderLock&) = delete;

private:
    int handle_;
};

Json read_sections(const fs::path& file) {
    if (!fs::exists(file)) return Json::object();
    std::ifstream stream(file);
    Json sections = Json::parse(stream, nullptr, false);
    if (sections.is_object()) return sections;
    std::fprintf(stderr, "%s is not a report; it is written anew\n", file.c_str());
    return Json::object();
}

}  // namespace

void write_report(const fs::path& folder, const std::string& section, const Json& content) {
    const FolderLock lock(folder);
    const fs::path file = folder / "report.json", part = folder / ".report.part.json";
    Json sections = read_sections(file);
    sections[section] = content;
    std::ofstream stream(part, std::ios::binary);
    stream << sections.dump(1, ' ', false, Json::error_handler_t::replace) << '\n';
    stream.close();
    if (!stream) throw std::runtime_error("cannot write " + part.string());
    fs::rename(part, file);
}

}  // namespace examples

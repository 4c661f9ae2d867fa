// libFuzzer's target: whatever from_bytes accepts, to_bytes gives back; all else is refused with a FormatError.
#include "../support/program_file.hpp"

#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
    const std::string bytes(reinterpret_cast<const char*>(data), size);
    for (const std::string& file : {bytes, gradtape::test::sealed(bytes)}) {
        try {
            if (gradtape::to_bytes(gradtape::from_bytes(file)) != file) std::abort();
        } catch (const gradtape::FormatError&) {
        }
    }
    return 0;
}

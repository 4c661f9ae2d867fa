// The whole of a kernel against its parts.
#include "sharing.hpp"

#include <cstring>

namespace gradtape::detail {
namespace {

template <class T>
void fill(Tensor& tensor, std::uint64_t& state) {
    T* const elements = static_cast<T*>(const_cast<void*>(tensor.raw()));
    for (std::int64_t i = 0; i < tensor.shape().elements(); ++i) {
        state = state * 6364136223846793005u + 1442695040888963407u;  // Knuth's MMIX generator
        elements[i] = T(double(state >> 11) * 0x1p-52 - 1);
    }
}

Tensor scrambled(const Type& type, std::uint64_t& state) {
    if (!is_floating(type.dtype)) return Tensor::zeros(type.shape, type.dtype);
    Tensor tensor = Tensor::uninitialised(type);
    type.dtype == DType::float32 ? fill<float>(tensor, state) : fill<double>(tensor, state);
    return tensor;
}

}  // namespace

std::optional<std::int64_t> way_of_sharing(const Call& call) {
    const Prepared& prepared = call.prepared;
    if (prepared.parts < 2) return {};
    std::uint64_t state = 1;
    std::vector<Tensor> tensors;
    std::vector<const void*> operands;
    for (const Type& type : call.types) {
        tensors.push_back(scrambled(type, state));
        operands.push_back(tensors.back().raw());
    }
    const auto results = [&] {
        std::vector<Tensor> made;
        for (std::size_t k = 0; k < call.results.size(); ++k)
            made.push_back(call.results[k] == no_buffer ? Tensor() : Tensor::uninitialised(call.result_types[k]));
        return made;
    };
    const auto places = [&](const std::vector<Tensor>& made) {
        std::vector<void*> at;
        for (std::size_t k = 0; k < made.size(); ++k)
            at.push_back(call.results[k] == no_buffer ? nullptr : const_cast<void*>(made[k].raw()));
        return at;
    };
    const std::vector<Tensor> whole = results(), cut = results();
    prepared.run(prepared.facts, operands.data(), places(whole).data(), {0, prepared.parts});
    for (std::int64_t way = 0; way < prepared.ways; ++way) {
        for (std::int64_t part = 0; part < prepared.parts; ++part)
            prepared.run(prepared.facts, operands.data(), places(cut).data(), {part, part + 1, way});
        bool same = true;
        for (std::size_t k = 0; k < whole.size(); ++k)
            same = same && (call.results[k] == no_buffer || std::memcmp(whole[k].raw(), cut[k].raw(), whole[k].bytes()) == 0);
        if (same) return way;
    }
    return {};
}

}  // namespace gradtape::detail

// Lists of parameters as they are given. Internal to nn.
#pragma once

#include <gradtape/nn/parameter.hpp>

namespace gradtape::nn {

/// ValueError where one of them is null.
inline void require_parameters(std::span<Parameter* const> parameters, const char* asker, Where where) {
    for (std::size_t i = 0; i < parameters.size(); ++i)
        if (!parameters[i])
            throw ValueError("parameter " + std::to_string(i) + " is a null pointer", {asker, {}, {}, where});
}

}  // namespace gradtape::nn

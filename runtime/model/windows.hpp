// What kinds with a sliding window share.
#pragma once

#include <string>

#include "runtime/model/network.hpp"

namespace splitsim::layers {

/// Errors: InputError if a window does not fit the padded input.
void require_fit(const Layer& layer);

/// "3" or "1 x 25".
std::string shown(Size2 size);

/// What a spec without a window lacks.
std::string lacks_window(const LayerSpec& spec);

}  // namespace splitsim::layers

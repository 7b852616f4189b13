// A context for work beside the training's, on the same device.
#pragma once

#include <optional>

#include "kernels/device/context.hpp"

namespace splitsim {

/// A stream of its own on a GPU, without products; nothing on a CPU, where every thread already trains.
template <class Context>
std::optional<Context> second_context() {
  if constexpr (Context::kIsDevice) {
    return std::optional<Context>(std::in_place, false);
  } else {
    return {};
  }
}

}  // namespace splitsim

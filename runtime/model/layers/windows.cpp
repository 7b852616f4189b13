#include "runtime/model/layers/windows.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.hpp"

namespace splitsim::layers {

void require_fit(const Layer& layer) {
  const LayerSpec& spec = layer.spec;
  const FeatureShape& in = layer.in;
  if (std::min(in.height, in.width) + 2 * spec.padding >= spec.kernel) return;
  throw InputError(fmt::format("model: layer '{}' (window {}, stride {}) does not fit its input of {} x {} x {}",
                               spec.name, spec.kernel, spec.stride, in.channels, in.height, in.width));
}

std::string lacks_window(const LayerSpec& spec) { return spec.kernel == 0 ? "kernel: missing" : ""; }

}  // namespace splitsim::layers

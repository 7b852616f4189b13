#include "runtime/model/windows.hpp"

#include <fmt/format.h>

#include "base/error.hpp"

namespace splitsim::layers {

void require_fit(const Layer& layer) {
  const LayerSpec& spec = layer.spec;
  const FeatureShape& in = layer.in;
  if (in.height + 2 * spec.padding.height >= spec.kernel.height &&
      in.width + 2 * spec.padding.width >= spec.kernel.width) {
    return;
  }
  throw InputError(fmt::format("model: layer '{}' (window {}, stride {}) does not fit its input of {} x {} x {}",
                               spec.name, shown(spec.kernel), shown(spec.stride), in.channels, in.height, in.width));
}

std::string shown(Size2 size) {
  return size.height == size.width ? fmt::to_string(size.height) : fmt::format("{} x {}", size.height, size.width);
}

std::string lacks_window(const LayerSpec& spec) { return spec.kernel == 0 ? "kernel: missing" : ""; }

}  // namespace splitsim::layers

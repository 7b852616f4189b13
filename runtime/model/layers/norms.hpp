// What norms with one gamma and one beta per channel share.
#pragma once

#include "runtime/model/layer_kind.hpp"

namespace splitsim::layers {

inline std::vector<LayerTensor> gamma_and_beta(const Layer& layer) {
  const std::int64_t channels = layer.in.channels;
  return {{.name = "weight", .shape = {channels}, .initial = 1.0f}, {.name = "bias", .shape = {channels}}};
}

/// Saved floats are the means, then as many inverse standard deviations.
inline NormMemory norm_memory(const LayerIo& io) {
  const std::int64_t moments = io.saved.floats.size() / 2;
  return {io.saved.floats.sub(0, moments), io.saved.floats.sub(moments, moments), io.workspace};
}

}  // namespace splitsim::layers

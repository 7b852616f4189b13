// What a layer of kind conv computes.
#pragma once

#include "kernels/nn/layers/conv/conv2d.hpp"
#include "runtime/model/network.hpp"

namespace splitsim::layers {

inline ConvShape conv_shape(const Layer& layer, Layout layout = Layout::kChannelsFirst,
                            Precision precision = Precision::kFp32) {
  const LayerSpec& spec = layer.spec;
  return {layer.in.channels, layer.in.height, layer.in.width,   spec.out, spec.kernel,
          spec.stride,       spec.padding,    spec.conv_groups, layout,   precision};
}

}  // namespace splitsim::layers

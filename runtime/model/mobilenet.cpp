// MobileNetV2 (Sandler et al., arXiv 1801.04381) with torchvision's layers and widths, in the usual form for small
// images: the stem and the second stage have stride 1. Without the dropout before the last layer.
#include <algorithm>
#include <array>

#include "runtime/model/models.hpp"

namespace splitsim {

namespace {

using Layers = std::vector<LayerSpec>;
using namespace layer;

// torchvision's rule: a multiple of 8, at least 8, and no more than a tenth below what was asked for.
std::int32_t rounded(double channels) {
  const std::int32_t nearest = std::max(8, static_cast<std::int32_t>(channels + 4.0) / 8 * 8);
  return static_cast<double>(nearest) < 0.9 * channels ? nearest + 8 : nearest;
}

LayerSpec depthwise(const std::string& name, std::int32_t channels, std::int32_t stride) {
  LayerSpec spec = conv(name, channels, 3, stride, 1, false);
  spec.conv_groups = channels;
  return spec;
}

void add_normed(Layers& layers, const std::string& at, int number, LayerSpec convolution, bool clipped) {
  const std::string n = std::to_string(number);
  convolution.name = at + "conv" + n;
  layers.push_back(std::move(convolution));
  layers.push_back(norm(at + "norm" + n));
  if (clipped) layers.push_back(relu6(at + "relu" + n));
}

struct Block {
  std::int32_t before, after, expansion, stride;
};

void add_block(Layers& layers, const std::string& name, const Block& block) {
  const std::string before = layers.back().name, at = name + ".";
  const std::int32_t hidden = block.before * block.expansion;
  int number = 0;
  if (block.expansion != 1) add_normed(layers, at, ++number, conv("", hidden, 1, 1, 0, false), true);
  add_normed(layers, at, ++number, depthwise("", hidden, block.stride), true);
  add_normed(layers, at, ++number, conv("", block.after, 1, 1, 0, false), false);
  if (block.stride == 1 && block.before == block.after) layers.push_back(add(at + "add", layers.back().name, before));
}

}  // namespace

Layers mobilenet_v2(const ModelRequest& request) {
  struct Stage {
    std::int32_t expansion, channels, blocks, stride;
  };
  constexpr std::array<Stage, 7> kStages = {
      {{1, 16, 1, 1}, {6, 24, 2, 1}, {6, 32, 3, 2}, {6, 64, 4, 2}, {6, 96, 3, 1}, {6, 160, 3, 2}, {6, 320, 1, 1}}};
  const double factor = request.width / 32.0;
  Layers layers;
  std::int32_t channels = rounded(request.width);
  add_normed(layers, "", 1, conv("", channels, 3, 1, 1, false), true);
  int number = 0;
  for (const Stage& stage : kStages) {
    const std::int32_t after = rounded(stage.channels * factor);
    for (std::int32_t b = 0; b < stage.blocks; ++b) {
      add_block(layers, "block" + std::to_string(++number),
                {channels, after, stage.expansion, b == 0 ? stage.stride : 1});
      channels = after;
    }
  }
  add_normed(layers, "", 2, conv("", rounded(1280 * std::max(1.0, factor)), 1, 1, 0, false), true);
  layers.push_back(global_avg_pool("pool"));
  layers.push_back(linear("fc", request.classes));
  return layers;
}

}  // namespace splitsim

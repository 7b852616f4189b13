// A small vision transformer (Dosovitskiy et al., arXiv 2010.11929) with pre-norm blocks, in the shape of ViT-Lite
// (Hassani et al., arXiv 2104.05704): patches of 4x4, 4 heads, an MLP twice as wide as the tokens; fewer blocks, and the mean
// of the tokens instead of a class token. Linear layers of tokens are 1x1 convolutions.
#include "runtime/model/layer_kind.hpp"
#include "runtime/model/models.hpp"

namespace splitsim {

namespace {

using Layers = std::vector<LayerSpec>;
using namespace layer;

constexpr std::int32_t kPatch = 4, kBlocks = 4, kHeads = 4, kMlp = 2;

LayerSpec per_token(const std::string& name, std::int32_t out) { return conv(name, out, 1, 1, 0); }

void add_block(Layers& layers, const std::string& name, std::int32_t width) {
  const std::string before = layers.back().name, at = name + ".";
  LayerSpec attention = plain("attention", at + "attention");
  attention.heads = kHeads;
  layers.push_back(plain("channel_norm", at + "norm1"));
  layers.push_back(per_token(at + "qkv", 3 * width));
  layers.push_back(std::move(attention));
  layers.push_back(per_token(at + "proj", width));
  layers.push_back(add(at + "add1", at + "proj", before));
  layers.push_back(plain("channel_norm", at + "norm2"));
  layers.push_back(per_token(at + "fc1", kMlp * width));
  layers.push_back(plain("gelu", at + "gelu"));
  layers.push_back(per_token(at + "fc2", width));
  layers.push_back(add(at + "add2", at + "fc2", at + "add1"));
}

}  // namespace

Layers vit(const ModelRequest& request) {
  LayerSpec patch = conv("patch", request.width, kPatch, kPatch, 0);
  patch.tiles = true;
  Layers layers = {patch, plain("position", "position")};
  for (std::int32_t b = 1; b <= kBlocks; ++b) add_block(layers, "block" + std::to_string(b), request.width);
  layers.push_back(plain("channel_norm", "norm"));
  layers.push_back(global_avg_pool("pool"));
  layers.push_back(linear("fc", request.classes));
  return layers;
}

}  // namespace splitsim

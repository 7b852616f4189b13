// ResNet-18 and -34 (He et al., arXiv 1512.03385) as torchvision writes them: basic blocks, convolutions without bias
// before norms, 1x1 convolutions where the shape changes, global average pooling. The stem is the usual one for small
// images (3x3, stride 1, no pooling) or ImageNet's (7x7, stride 2, 3x3 max pooling).
#include <array>

#include "base/error.hpp"
#include "runtime/model/models.hpp"

namespace splitsim {

namespace {

using Layers = std::vector<LayerSpec>;
using namespace layer;

void add_stem(Layers& layers, std::int32_t width, bool imagenet) {
  layers.push_back(imagenet ? conv("conv1", width, 7, 2, 3, false) : conv("conv1", width, 3, 1, 1, false));
  layers.push_back(norm("norm1"));
  layers.push_back(relu("relu1"));
  if (imagenet) layers.push_back(max_pool("pool1", 3, 2, 1));
}

// conv, norm, relu, conv, norm: what a basic block computes besides its skip connection.
void add_residual(Layers& layers, const std::string& block, std::int32_t width, std::int32_t stride) {
  layers.push_back(conv(block + ".conv1", width, 3, stride, 1, false));
  layers.push_back(norm(block + ".norm1"));
  layers.push_back(relu(block + ".relu1"));
  layers.push_back(conv(block + ".conv2", width, 3, 1, 1, false));
  layers.push_back(norm(block + ".norm2"));
}

void add_block(Layers& layers, const std::string& block, std::int32_t width, std::int32_t stride, bool same_shape) {
  const std::string before = layers.back().name;
  add_residual(layers, block, width, stride);
  const std::string residual = layers.back().name;
  std::string shortcut = before;
  if (!same_shape) {
    LayerSpec down = conv(block + ".down.conv", width, 1, stride, 0, false);
    down.input = before;
    layers.push_back(std::move(down));
    layers.push_back(norm(block + ".down.norm"));
    shortcut = layers.back().name;
  }
  layers.push_back(add(block + ".add", residual, shortcut));
  layers.push_back(relu(block + ".relu2"));
}

void add_stage(Layers& layers, int stage, std::int32_t blocks, std::int32_t width) {
  for (std::int32_t b = 0; b < blocks; ++b) {
    const std::int32_t stride = stage > 1 && b == 0 ? 2 : 1;
    add_block(layers, "layer" + std::to_string(stage) + "." + std::to_string(b), width << (stage - 1), stride,
              stride == 1);
  }
}

void add_head(Layers& layers, std::int32_t classes) {
  layers.push_back(global_avg_pool("pool"));
  layers.push_back(linear("fc", classes));
}

Layers resnet(const ModelRequest& request, const std::array<std::int32_t, 4>& blocks, bool imagenet) {
  Layers layers;
  add_stem(layers, request.width, imagenet);
  for (int stage = 1; stage <= 4; ++stage) {
    add_stage(layers, stage, blocks[static_cast<std::size_t>(stage - 1)], request.width);
  }
  add_head(layers, request.classes);
  return layers;
}

}  // namespace

Layers resnet18(const ModelRequest& request) { return resnet(request, {2, 2, 2, 2}, false); }
Layers resnet34(const ModelRequest& request) { return resnet(request, {3, 4, 6, 3}, false); }
Layers resnet18_imagenet(const ModelRequest& request) { return resnet(request, {2, 2, 2, 2}, true); }
Layers resnet34_imagenet(const ModelRequest& request) { return resnet(request, {3, 4, 6, 3}, true); }

// The net that the authors' published code trains, as read from it, not run (which stem it has is ours: the one for
// small images). Its splitter takes the modules of layer1 one by one, so that the client's blocks have no skip
// connections and no second ReLU; the server keeps the two blocks, all of whose modules are identities, and each adds
// its input to itself: cut activations arrive times 4. A doubling is exact in floating point.
Layers resnet18_gpsl(const ModelRequest& request) {
  if (request.cut != "layer1") {
    throw InputError("model.cut = \"" + request.cut + "\": allowed for resnet18_gpsl: layer1, which its cut defines");
  }
  Layers layers;
  add_stem(layers, request.width, false);
  add_residual(layers, "layer1.0", request.width, 1);
  add_residual(layers, "layer1.1", request.width, 1);
  layers.push_back(scale("double1", 2.0f));
  layers.push_back(scale("double2", 2.0f));
  for (int stage = 2; stage <= 4; ++stage) add_stage(layers, stage, 2, request.width);
  add_head(layers, request.classes);
  return layers;
}

}  // namespace splitsim

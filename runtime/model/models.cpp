#include "runtime/model/models.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <map>

#include "base/error.hpp"
#include "runtime/model/layer_kind.hpp"

namespace splitsim {

namespace layer {
LayerSpec conv(std::string name, std::int32_t out, Size2 kernel, Size2 stride, Size2 padding, bool bias) {
  return {.kind = &layer_kind("conv"),
          .name = std::move(name),
          .out = out,
          .kernel = kernel,
          .stride = stride,
          .padding = padding,
          .bias = bias};
}
LayerSpec linear(std::string name, std::int32_t out) {
  return {.kind = &layer_kind("linear"), .name = std::move(name), .out = out};
}
LayerSpec plain(const char* kind, std::string name) { return {.kind = &layer_kind(kind), .name = std::move(name)}; }
LayerSpec relu(std::string name) { return plain("relu", std::move(name)); }
LayerSpec relu6(std::string name) { return plain("relu6", std::move(name)); }
LayerSpec max_pool(std::string name, Size2 window, Size2 stride, Size2 padding) {
  return {
      .kind = &layer_kind("max_pool"), .name = std::move(name), .kernel = window, .stride = stride, .padding = padding};
}
LayerSpec global_avg_pool(std::string name) { return plain("global_avg_pool", std::move(name)); }
LayerSpec norm(std::string name, std::int32_t groups) {
  return {.kind = &layer_kind("norm"), .name = std::move(name), .groups = groups};
}
LayerSpec add(std::string name, std::string input, std::string other) {
  return {.kind = &layer_kind("add"), .name = std::move(name), .input = std::move(input), .other = std::move(other)};
}
LayerSpec concat(std::string name, std::string input, std::string other) {
  return {.kind = &layer_kind("concat"), .name = std::move(name), .input = std::move(input), .other = std::move(other)};
}
LayerSpec scale(std::string name, float factor) {
  return {.kind = &layer_kind("scale"), .name = std::move(name), .factor = factor};
}
}  // namespace layer

namespace {

using namespace layer;

std::vector<LayerSpec> mlp(const ModelRequest& request) {
  return {linear("fc1", 256), relu("relu1"), linear("fc2", 128), relu("relu2"), linear("fc3", request.classes)};
}

// LeNet-5's shape with ReLU and max pooling, as common in the federated and split learning literature.
std::vector<LayerSpec> lenet(const ModelRequest& request) {
  return {conv("conv1", 6, 5, 1, 2),
          relu("relu1"),
          max_pool("pool1", 2, 2),
          conv("conv2", 16, 5, 1, 0),
          relu("relu2"),
          max_pool("pool2", 2, 2),
          linear("fc1", 120),
          relu("relu3"),
          linear("fc2", 84),
          relu("relu4"),
          linear("fc3", request.classes)};
}

std::vector<LayerSpec> cnn(const ModelRequest& request) {
  std::vector<LayerSpec> layers;
  for (int block = 1; block <= 3; ++block) {
    const std::string n = std::to_string(block);
    layers.push_back(conv("conv" + n, request.width << (block - 1), 3, 1, 1));
    layers.push_back(norm("norm" + n, 8));
    layers.push_back(relu("relu" + n));
    layers.push_back(max_pool("pool" + n, 2, 2));
  }
  layers.push_back(linear("fc1", request.classes));
  return layers;
}

// VGG-11 (Simonyan & Zisserman, arXiv 1409.1556, configuration A) with norms, in its form for small images: a single
// linear layer behind the last pool.
std::vector<LayerSpec> vgg11(const ModelRequest& request) {
  struct Conv {
    std::int32_t widths;  // in multiples of the first
    bool pool;
  };
  std::vector<LayerSpec> layers;
  int n = 0, pools = 0;
  for (const Conv& c :
       {Conv{1, true}, {2, true}, {4, false}, {4, true}, {8, false}, {8, true}, {8, false}, {8, true}}) {
    const std::string number = std::to_string(++n);
    layers.push_back(conv("conv" + number, request.width * c.widths, 3, 1, 1));
    layers.push_back(norm("norm" + number));
    layers.push_back(relu("relu" + number));
    if (c.pool) layers.push_back(max_pool("pool" + std::to_string(++pools), 2, 2));
  }
  layers.push_back(linear("fc", request.classes));
  return layers;
}

struct Entry {
  ModelInfo info;
  std::int32_t width;  ///< of the first stage; 0: fixed
  std::vector<LayerSpec> (*layers)(const ModelRequest& request);
};
const std::vector<Entry>& registry() {
  static const std::vector<Entry> entries = {
      {{"mlp", "3 linear layers (256, 128, classes) with ReLU, of images or table rows; cuts fc1 relu1 fc2 relu2"},
       0,
       mlp},
      {{"lenet", "LeNet-5 with ReLU and max pooling; cuts conv1 relu1 pool1 conv2 relu2 pool2 fc1 relu3 fc2 relu4"},
       0,
       lenet},
      {{"cnn",
        "3 blocks of conv3x3 (32, 64, 128), norm (GroupNorm(8)), ReLU, max pool, then linear; cuts conv1 norm1 relu1 "
        "pool1 .. pool3"},
       32,
       cnn},
      {{"resnet18",
        "ResNet-18 for small images (3x3 stem without pooling); cuts conv1 norm1 relu1 layer1 .. layer4 "
        "and after blocks (layer1.0.relu2)"},
       64,
       resnet18},
      {{"resnet34", "ResNet-34 for small images; cuts as resnet18"}, 64, resnet34},
      {{"resnet18_imagenet", "ResNet-18 with ImageNet's stem (7x7 stride 2, max pool); cuts as resnet18, and pool1"},
       64,
       resnet18_imagenet},
      {{"resnet34_imagenet", "ResNet-34 with ImageNet's stem; cuts as resnet18_imagenet"}, 64, resnet34_imagenet},
      {{"resnet18_gpsl",
        "what the paper's code trains, as read from it: client layer1 without skip connections and second ReLU, cut "
        "activations times 4; cut layer1"},
       64,
       resnet18_gpsl},
      {{"vgg11",
        "VGG-11 with norms and one linear layer, images from 32x32; cuts conv1 norm1 relu1 pool1 conv2 .. "
        "pool5"},
       64,
       vgg11},
      {{"mobilenet_v2",
        "MobileNetV2 for small images (stem and second stage with stride 1); cuts conv1 norm1 relu1 block1 .. block17 "
        "conv2 norm2 relu2"},
       32,
       mobilenet_v2},
      {{"har_cnn",
        "sensor windows [C, 1, L]: 2 blocks of conv1x9 (32, 64), ReLU, max pool, then linear (1024, 512, classes); "
        "cuts "
        "conv1 relu1 pool1 .. pool2 fc1 relu3 fc2 relu4"},
       32,
       har_cnn},
      {{"text_cnn",
        "token sequences [1, 1, L]: embedding (64), convolutions of 3, 4 and 5 tokens (64 each), ReLU, max over time, "
        "linear; cuts embedding concat"},
       64,
       text_cnn},
      {{"vit",
        "a small vision transformer: patches of 4x4, 4 blocks of width 64 with 4 heads, mean pool, linear; cuts patch "
        "position block1 .. block4 norm pool"},
       64,
       vit},
  };
  return entries;
}

constexpr const char* kListed = "layers";

// Fills in what a list may leave out: names, and the outputs of the last linear layer.
std::vector<LayerSpec> listed(std::vector<LayerSpec> layers, std::int32_t classes) {
  std::map<const LayerKind*, int> counts;
  for (LayerSpec& spec : layers) {
    const int number = ++counts[spec.kind];
    if (spec.name.empty()) spec.name = spec.kind->name + std::to_string(number);
  }
  LayerSpec& last = layers.back();
  if (last.kind->takes_classes && last.out == 0) last.out = classes;
  for (const LayerSpec& spec : layers) {
    if (spec.kind->takes_classes && spec.out == 0) {
      throw InputError(
          fmt::format("model.layers.out = 0 (layer '{}'): allowed: an integer in [1, 65536]; only the last "
                      "layer takes the number of classes",
                      spec.name));
    }
  }
  return layers;
}

}  // namespace

const std::vector<ModelInfo>& model_infos() {
  static const std::vector<ModelInfo> infos = [] {
    std::vector<ModelInfo> list;
    for (const Entry& entry : registry()) {
      ModelInfo& info = list.emplace_back(entry.info);
      info.width = entry.width;
      for (const LayerSpec& spec : entry.layers({10, entry.width, "layer1"})) {
        info.norms = info.norms || spec.kind == &layer_kind("norm");
      }
    }
    list.push_back({kListed, "the layers listed in model.layers, each reading the one before", 0, true});
    return list;
  }();
  return infos;
}

std::vector<LayerSpec> model_layers(const ModelSettings& settings, std::int32_t classes) {
  if ((settings.name == kListed) != !settings.layers.empty()) {
    throw InputError(
        settings.layers.empty()
            ? "model.layers = []: allowed: at least one layer, since model.name = \"layers\""
            : fmt::format("model.layers: allowed with model.name = \"layers\" only, which is \"{}\"", settings.name));
  }
  if (settings.name == kListed) return listed(settings.layers, classes);
  std::vector<std::string> names;
  for (const Entry& entry : registry()) {
    if (entry.info.name == settings.name) {
      if (entry.width == 0 && settings.width != 0) {
        throw InputError(fmt::format("model.width = {}: allowed: 0, since the layers of {} are fixed", settings.width,
                                     settings.name));
      }
      return entry.layers({classes, settings.width > 0 ? settings.width : entry.width, settings.cut});
    }
    names.push_back(entry.info.name);
  }
  throw InputError(fmt::format("model.name = \"{}\": unknown model; allowed: {}, {}", settings.name,
                               fmt::join(names, ", "), kListed));
}

std::vector<LayerSpec> model_layers(const std::string& name, std::int32_t classes) {
  ModelSettings settings;
  settings.name = name;
  settings.cut = "layer1";
  return model_layers(settings, classes);
}

NetworkOptions network_options(const ModelSettings& settings, const CutSettings& cut, bool auxiliary,
                               std::int32_t vocabulary) {
  NetworkOptions options;
  options.norm[kClientSide] = settings.client_norm;
  options.norm[kServerSide] = settings.server_norm;
  options.client_segments = settings.client_norm_statistics == NormStatistics::kClient;
  options.init = settings.init;
  options.cut = cut;
  options.auxiliary = auxiliary;
  options.vocabulary = vocabulary;
  return options;
}

}  // namespace splitsim

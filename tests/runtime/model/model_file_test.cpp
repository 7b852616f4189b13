// Weights from files: names of ours and of torchvision's, each in its place; what is said of a file that does not fit.
#include "runtime/model/model_file.hpp"

#include <gtest/gtest.h>

#include <numeric>

#include "base/safetensors.hpp"
#include "runtime/model/models.hpp"
#include "tests/temp_dir.hpp"

namespace splitsim {
namespace {

using test::expect_input_error;
using test::TempDir;

struct Named {
  std::string theirs, ours;  ///< without the side
};

constexpr const char* kNormParts[] = {"weight", "bias", "running_mean", "running_var"};

void add_norm(std::vector<Named>& names, const std::string& theirs, const std::string& ours) {
  for (const std::string part : kNormParts) names.push_back({theirs + '.' + part, ours + '.' + part});
}

// As torchvision's ResNet-18 (2 blocks a stage) and -34 name them.
std::vector<Named> resnet_names(const std::vector<int>& blocks) {
  std::vector<Named> names = {{"conv1.weight", "conv1.weight"}, {"fc.weight", "fc.weight"}, {"fc.bias", "fc.bias"}};
  add_norm(names, "bn1", "norm1");
  for (std::size_t stage = 1; stage <= blocks.size(); ++stage) {
    for (int b = 0; b < blocks[stage - 1]; ++b) {
      const std::string block = "layer" + std::to_string(stage) + "." + std::to_string(b) + ".";
      for (const std::string n : {"1", "2"}) {
        names.push_back({block + "conv" + n + ".weight", block + "conv" + n + ".weight"});
        add_norm(names, block + "bn" + n, block + "norm" + n);
      }
      if (stage == 1 || b > 0) continue;
      names.push_back({block + "downsample.0.weight", block + "down.conv.weight"});
      add_norm(names, block + "downsample.1", block + "down.norm");
    }
  }
  return names;
}

// As torchvision's vgg11_bn and vgg11 number them, with a classifier of one layer.
std::vector<Named> vgg_names(bool norms) {
  const std::vector<int> convs =
      norms ? std::vector{0, 4, 8, 11, 15, 18, 22, 25} : std::vector{0, 3, 6, 8, 11, 13, 16, 18};
  std::vector<Named> names = {{"classifier.weight", "fc.weight"}, {"classifier.bias", "fc.bias"}};
  for (std::size_t i = 0; i < convs.size(); ++i) {
    const std::string conv = "features." + std::to_string(convs[i]), number = std::to_string(i + 1);
    names.push_back({conv + ".weight", "conv" + number + ".weight"});
    names.push_back({conv + ".bias", "conv" + number + ".bias"});
    if (norms) add_norm(names, "features." + std::to_string(convs[i] + 1), "norm" + number);
  }
  return names;
}

struct File {
  std::vector<std::string> names;
  std::vector<std::vector<std::int64_t>> shapes;
  std::vector<std::vector<float>> values;

  void add(const std::string& name, const std::vector<std::int64_t>& shape, float first) {
    names.push_back(name);
    shapes.push_back(shape);
    const auto size = std::accumulate(shape.begin(), shape.end(), std::int64_t{1}, std::multiplies<>());
    values.emplace_back(static_cast<std::size_t>(size));
    std::iota(values.back().begin(), values.back().end(), first);
  }
  std::size_t index(const std::string& name) const {
    return static_cast<std::size_t>(std::find(names.begin(), names.end(), name) - names.begin());
  }
  void write(const std::string& path) const {
    std::vector<TensorView> tensors;
    for (std::size_t i = 0; i < names.size(); ++i) {
      tensors.push_back({names[i], shapes[i], values[i]});
    }
    write_safetensors(path, tensors);
  }
};

Network network_of(const std::string& model, const std::string& cut, NormKind norm, const CutSettings& link = {}) {
  ModelSettings settings;
  settings.name = model;
  settings.cut = cut;
  if (model != "lenet") settings.width = 8;
  return build_network(model_layers(settings, 10), cut, {3, 32, 32}, 10, {.norm = {norm, norm}, .cut = link});
}

std::string without_side(const std::string& name) { return name.substr(name.find('.') + 1); }

// Every tensor of the network under its other name, tensor i counting up from 1000 i; in reverse, since order is free.
File file_of(const Network& network, const std::vector<Named>& names) {
  File file;
  const std::vector<ModelTensor> tensors = model_tensor_list(network);
  EXPECT_EQ(tensors.size(), names.size());
  for (std::size_t i = tensors.size(); i-- > 0;) {
    for (const Named& name : names) {
      if (name.ours == without_side(tensors[i].name)) {
        file.add(name.theirs, tensors[i].shape, static_cast<float>(1000 * i));
      }
    }
  }
  EXPECT_EQ(file.names.size(), tensors.size());
  return file;
}

void expect_in_place(const std::string& path, const Network& network) {
  const ModelWeights weights = read_model_file(path, network, {1, 1});
  const std::vector<ModelTensor> tensors = model_tensor_list(network);
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    const std::vector<float>& side = weights.side[tensors[i].side];
    for (std::int64_t e = 0; e < tensors[i].size; ++e) {
      const float value = side[static_cast<std::size_t>(tensors[i].offset + e)];
      ASSERT_EQ(value, static_cast<float>(1000 * i) + static_cast<float>(e)) << tensors[i].name << " " << e;
    }
  }
}

TEST(ModelFile, EveryTensorOfTorchvisionsHasItsPlace) {
  const TempDir dir;
  CutSettings link;
  const auto check = [&](const char* model, const char* cut, NormKind norm, const std::vector<Named>& names) {
    const Network network = network_of(model, cut, norm, link);
    File file = file_of(network, names);
    file.add(names[0].theirs.starts_with("classifier") ? "features.1.num_batches_tracked" : "bn1.num_batches_tracked",
             {}, 3.0f);
    file.write(dir / "file");
    expect_in_place(dir / "file", network);
  };
  check("resnet18", "layer1", NormKind::kBatch, resnet_names({2, 2, 2, 2}));
  check("resnet34", "layer2.0.relu2", NormKind::kBatch, resnet_names({3, 4, 6, 3}));
  check("resnet34_imagenet", "pool1", NormKind::kBatch, resnet_names({3, 4, 6, 3}));
  check("vgg11", "pool2", NormKind::kBatch, vgg_names(true));
  check("vgg11", "conv4", NormKind::kNone, vgg_names(false));
  link.up = Compression::kInt8;  // a layer more in between, which no file numbers
  check("vgg11", "conv4", NormKind::kNone, vgg_names(false));
}

// A listed layer may have a name that torchvision uses otherwise.
TEST(ModelFile, OwnNamesAreNotTranslated) {
  const TempDir dir;
  const std::vector<LayerSpec> layers = {layer::conv("features.1", 4, 3, 1, 1), layer::norm("bn1"), layer::relu("relu"),
                                         layer::linear("classifier", 10)};
  const Network network = build_network(layers, "relu", {1, 4, 4}, 10);
  std::vector<Named> names;
  for (const ModelTensor& tensor : model_tensor_list(network)) {
    names.push_back({tensor.name, without_side(tensor.name)});
  }
  file_of(network, names).write(dir / "file");
  expect_in_place(dir / "file", network);
}

TEST(ModelFile, WhatDoesNotFitIsNamedWithBothShapes) {
  const TempDir dir;
  const std::string path = dir / "file";
  const Network network = network_of("resnet18", "layer1", NormKind::kBatch);
  const File whole = file_of(network, resnet_names({2, 2, 2, 2}));
  const auto refused = [&](const File& file, const auto&... parts) {
    file.write(path);
    expect_input_error([&] { read_model_file(path, network, {1, 1}); }, "model.file = '" + path + "'", parts...);
  };
  const auto without = [&](const std::string& name) {
    File file = whole;
    const auto at = static_cast<std::ptrdiff_t>(file.index(name));
    file.names.erase(file.names.begin() + at);
    file.shapes.erase(file.shapes.begin() + at);
    file.values.erase(file.values.begin() + at);
    return file;
  };
  refused(without("fc.weight"), "'server.fc.weight'", "[10, 64]", "missing");
  refused(without("layer2.0.downsample.1.running_var"), "'server.layer2.0.down.norm.running_var'", "[16]", "missing");
  File other = without("fc.weight");
  other.add("fc.weight", {1000, 64}, 0.0f);
  refused(other, "'fc.weight' has the shape [1000, 64]", "allowed: [10, 64]");
  other = without("conv1.weight");
  other.add("conv1.weight", {8, 3, 7, 7}, 0.0f);
  refused(other, "'conv1.weight' has the shape [8, 3, 7, 7]", "allowed: [8, 3, 3, 3]");
  other = whole;
  other.add("layer9.conv1.weight", {2, 3}, 0.0f);
  refused(other, "'layer9.conv1.weight', [2, 3], belongs to no layer");
  other = whole;
  other.add("client.norm1.bias", {8}, 0.0f);
  refused(other, "'bn1.bias'", "'client.norm1.bias'", "both mean norm1.bias");
  // The default norm has no running statistics: the commonest of mistakes.
  whole.write(path);
  const Network group = network_of("resnet18", "layer1", NormKind::kGroup);
  expect_input_error([&] { read_model_file(path, group, {1, 1}); }, "running_", "model.client_norm = \"batch\"");
}

}  // namespace
}  // namespace splitsim

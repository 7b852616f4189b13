#include "runtime/model/model_file.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>

#include "base/error.hpp"
#include "base/safetensors.hpp"

namespace splitsim {

namespace {

constexpr const char* kSideNames[2] = {"client", "server"};

std::vector<std::int64_t> weight_shape(const Layer& layer) {
  switch (layer.spec.kind) {
    case LayerKind::kConv2d:
      return {layer.spec.out, layer.in.channels, layer.spec.kernel, layer.spec.kernel};
    case LayerKind::kLinear:
      return {layer.spec.out, layer.in.size()};
    default:
      return {layer.weight_size};
  }
}

std::string without_side(const std::string& name) {
  for (const char* side : kSideNames) {
    const std::string prefix = std::string(side) + '.';
    if (name.starts_with(prefix)) return name.substr(prefix.size());
  }
  return name;
}

// A file's name as ours, without the side.
std::string our_name(const std::string& name) {
  std::string ours = '.' + without_side(name);
  for (const auto& [theirs, mine] : {std::pair{".bn", ".norm"}, {".downsample.0.", ".down.conv."},
                                     {".downsample.1.", ".down.norm."}}) {
    const std::string from = theirs;
    if (const std::size_t at = ours.find(from); at != std::string::npos) ours.replace(at, from.size(), mine);
  }
  return ours.substr(1);
}

// One tensor into all replicas of its side. Errors: InputError for another shape.
void place(const std::string& path, const Tensor& from, const ModelTensor& to, std::int64_t replicas,
           std::int64_t stride, std::vector<float>& values) {
  std::vector<std::int64_t> each = to.shape;
  each.insert(each.begin(), replicas);
  const bool own = replicas > 1 && from.shape == each;
  if (!own && from.shape != to.shape) {
    throw InputError(fmt::format("model.file = '{}': tensor '{}' has the shape [{}]; allowed: [{}]{}", path, from.name,
                                 fmt::join(from.shape, ", "), fmt::join(to.shape, ", "),
                                 replicas > 1 ? fmt::format(" or [{}]", fmt::join(each, ", ")) : ""));
  }
  for (std::int64_t g = 0; g < replicas; ++g) {
    std::copy_n(from.values.begin() + (own ? g * to.size : 0), to.size, values.begin() + g * stride + to.offset);
  }
}

}  // namespace

std::vector<ModelTensor> model_tensor_list(const Network& network) {
  std::vector<ModelTensor> tensors;
  for (std::size_t i = 0; i < network.layers.size(); ++i) {
    const Layer& layer = network.layers[i];
    if (!layer.has_parameters()) continue;
    const int side = network.side(i);
    const auto add = [&](const char* what, std::int64_t offset, std::int64_t size, std::vector<std::int64_t> shape) {
      tensors.push_back(
          {fmt::format("{}.{}.{}", kSideNames[side], layer.spec.name, what), side, offset, size, std::move(shape)});
    };
    add("weight", layer.weight_offset, layer.weight_size, weight_shape(layer));
    if (layer.bias_size > 0) add("bias", layer.bias_offset, layer.bias_size, {layer.bias_size});
    if (layer.spec.kind != LayerKind::kBatchNorm) continue;
    const std::int64_t channels = layer.in.channels;
    add("running_mean", layer.running_offset, channels, {channels});
    add("running_var", layer.running_offset + channels, channels, {channels});
  }
  return tensors;
}

ModelWeights read_model_file(const std::string& path, const Network& network, const std::int64_t (&replicas)[2]) {
  if (path.empty()) throw InputError("model.file = '': allowed: a safetensors file, since model.init = \"file\"");
  const TensorFile file = read_safetensors(path, "num_batches_tracked");
  std::map<std::string, const Tensor*> found;
  for (const Tensor& tensor : file.tensors) {
    const auto [at, fresh] = found.emplace(our_name(tensor.name), &tensor);
    if (!fresh) {
      throw InputError(fmt::format("model.file = '{}': tensors '{}' and '{}' both mean {}", path, at->second->name,
                                   tensor.name, at->first));
    }
  }
  ModelWeights weights;
  for (int side = 0; side < 2; ++side) {
    weights.side[side].resize(static_cast<std::size_t>(replicas[side] * network.replica_size(side)));
  }
  for (const ModelTensor& tensor : model_tensor_list(network)) {
    const auto at = found.find(without_side(tensor.name));
    if (at == found.end()) {
      throw InputError(fmt::format("model.file = '{}': tensor '{}' of this model is missing", path, tensor.name));
    }
    place(path, *at->second, tensor, replicas[tensor.side], network.replica_size(tensor.side),
          weights.side[tensor.side]);
    found.erase(at);
  }
  for (const Tensor& tensor : file.tensors) {
    if (found.contains(our_name(tensor.name))) {
      throw InputError(fmt::format("model.file = '{}': tensor '{}' belongs to no layer of this model", path, tensor.name));
    }
  }
  return weights;
}

}  // namespace splitsim

#include "runtime/model/model_file.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <set>
#include <string_view>

#include "base/error.hpp"
#include "base/safetensors.hpp"

namespace splitsim {

namespace {

constexpr const char* kSideNames[2] = {"client", "server"};

std::string without_side(const std::string& name) {
  for (const char* side : kSideNames) {
    const std::string prefix = std::string(side) + '.';
    if (name.starts_with(prefix)) return name.substr(prefix.size());
  }
  return name;
}

// "features.<n>.<what>" as torchvision's VGGs have it: what of the n-th layer. Empty if it is not of this form.
std::string numbered_name(const std::string& name, const Network& network) {
  constexpr std::string_view kList = "features.";
  if (!name.starts_with(kList)) return {};
  std::size_t number = 0;
  const char* const end = name.data() + name.size();
  const auto [rest, error] = std::from_chars(name.data() + kList.size(), end, number);
  if (error != std::errc() || rest == end || *rest != '.' || number >= network.layers.size()) return {};
  if (number >= network.own_client_layers) number += network.client_layers - network.own_client_layers;
  if (number >= network.layers.size()) return {};
  return network.layers[number].spec.name + std::string(rest, end);
}

// A file's name as ours, without the side. `ours`: the names of this model's tensors; they are not translated.
std::string our_name(const std::string& name, const Network& network, const std::set<std::string>& ours) {
  const std::string plain = without_side(name);
  if (ours.contains(plain)) return plain;
  if (const std::string numbered = numbered_name(plain, network); !numbered.empty()) return numbered;
  std::string translated = '.' + plain;
  for (const auto& [theirs, mine] : {std::pair{".bn", ".norm"},
                                     {".downsample.0.", ".down.conv."},
                                     {".downsample.1.", ".down.norm."},
                                     {".classifier.", ".fc."}}) {
    const std::string_view from = theirs;
    if (const auto at = translated.find(from); at != std::string::npos) translated.replace(at, from.size(), mine);
  }
  return translated.substr(1);
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
    const int side = network.side(i);
    for (const LayerTensor& tensor : network.layers[i].tensors) {
      tensors.push_back({fmt::format("{}.{}.{}", kSideNames[side], network.layers[i].spec.name, tensor.name), side,
                         tensor.offset, tensor.size(), tensor.shape});
    }
  }
  return tensors;
}

ModelWeights read_model_file(const std::string& path, const Network& network, const std::int64_t (&replicas)[2]) {
  if (path.empty()) throw InputError("model.file = '': allowed: a safetensors file, since model.init = \"file\"");
  const TensorFile file = read_safetensors(path, "num_batches_tracked");
  const std::vector<ModelTensor> wanted = model_tensor_list(network);
  std::set<std::string> ours;
  for (const ModelTensor& tensor : wanted) ours.insert(without_side(tensor.name));
  std::map<std::string, const Tensor*> found;
  for (const Tensor& tensor : file.tensors) {
    const auto [at, fresh] = found.emplace(our_name(tensor.name, network, ours), &tensor);
    if (!fresh) {
      throw InputError(fmt::format("model.file = '{}': tensors '{}' and '{}' both mean {}", path, at->second->name,
                                   tensor.name, at->first));
    }
  }
  ModelWeights weights;
  for (int side = 0; side < 2; ++side) {
    weights.side[side].resize(static_cast<std::size_t>(replicas[side] * network.replica_size(side)));
  }
  for (const ModelTensor& tensor : wanted) {
    const auto at = found.find(without_side(tensor.name));
    if (at == found.end()) {
      throw InputError(fmt::format("model.file = '{}': tensor '{}' of this model, [{}], is missing", path, tensor.name,
                                   fmt::join(tensor.shape, ", ")));
    }
    place(path, *at->second, tensor, replicas[tensor.side], network.replica_size(tensor.side),
          weights.side[tensor.side]);
    found.erase(at);
  }
  for (const Tensor& tensor : file.tensors) {
    if (!found.contains(our_name(tensor.name, network, ours))) continue;
    const bool running = tensor.name.ends_with(".running_mean") || tensor.name.ends_with(".running_var");
    throw InputError(fmt::format(
        "model.file = '{}': tensor '{}', [{}], belongs to no layer of this model{}", path, tensor.name,
        fmt::join(tensor.shape, ", "),
        running ? " (running statistics: model.client_norm = \"batch\", model.server_norm = \"batch\")" : ""));
  }
  return weights;
}

}  // namespace splitsim

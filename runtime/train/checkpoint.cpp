#include "runtime/train/checkpoint.hpp"

#include <fmt/format.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "kernels/device/error.hpp"

namespace splitsim {

namespace {

using nlohmann::json;

constexpr const char* kSideNames[2] = {"client", "server"};
constexpr const char* kMomentNames[2] = {"first_moment", "second_moment"};

std::string tensor_name(int side, const char* what) { return std::string(kSideNames[side]) + "." + what; }

std::string checkpoint_file(const std::string& dir) { return dir + "/checkpoint/state.safetensors"; }

json to_json(const RunState& state) {
  return {{"epochs", state.epochs},
          {"now_ns", state.clock.now_ns},
          {"server_ready_ns", state.clock.server_ready_ns},
          {"client_ready_ns", state.clock.client_ready_ns},
          {"client_steps", state.participation.steps},
          {"client_samples", state.participation.samples},
          {"client_models", state.participation.models}};
}

RunState from_json(const json& j) {
  RunState state;
  j.at("epochs").get_to(state.epochs);
  j.at("now_ns").get_to(state.clock.now_ns);
  j.at("server_ready_ns").get_to(state.clock.server_ready_ns);
  j.at("client_ready_ns").get_to(state.clock.client_ready_ns);
  j.at("client_steps").get_to(state.participation.steps);
  j.at("client_samples").get_to(state.participation.samples);
  j.at("client_models").get_to(state.participation.models);
  return state;
}

TensorView flat(const std::string& name, const std::vector<float>& values) {
  return {name, {static_cast<std::int64_t>(values.size())}, {values.data(), static_cast<std::int64_t>(values.size())}};
}

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

}  // namespace

void check_inputs(const std::string& dir, const std::map<std::string, std::string>& recorded,
                  const std::map<std::string, std::string>& now) {
  for (const char* name : {"images", "labels", "partition", "schedule", "trace"}) {  // the cause before what follows
    const auto was = recorded.find(name), is = now.find(name);
    const std::string before = was == recorded.end() ? "" : was->second, after = is == now.end() ? "" : is->second;
    if (before == after) continue;
    const auto shown = [](const std::string& hash) { return hash.empty() ? "none" : "sha256 " + hash.substr(0, 12); };
    throw InputError(fmt::format("--resume {}: its {} has other content than the run began with ({}, recorded is {})",
                                 dir, name, shown(after), shown(before)));
  }
}

bool has_checkpoint(const std::string& dir) { return std::filesystem::exists(checkpoint_file(dir)); }

void save_checkpoint(const std::string& dir, const RunIdentity& identity, const RunState& state,
                     const TrainingState& training) {
  std::error_code error;
  const auto folder = std::filesystem::path(checkpoint_file(dir)).parent_path();
  std::filesystem::create_directories(folder, error);
  if (error) throw InputError(fmt::format("cannot make folder '{}': {}", folder.string(), error.message()));
  std::vector<TensorView> tensors;
  for (int side = 0; side < 2; ++side) {
    tensors.push_back(flat(tensor_name(side, "parameters"), training.parameters[side]));
    for (int m = 0; m < 2; ++m) {
      tensors.push_back(flat(tensor_name(side, kMomentNames[m]), training.moments[side][m]));
    }
  }
  json values = to_json(state);
  for (int side = 0; side < 2; ++side) values[tensor_name(side, "steps_taken")] = training.taken[side];
  write_safetensors(checkpoint_file(dir), tensors, {{"continuation_sha256", identity.continuation_sha256},
                                                    {"inputs", json(identity.inputs).dump()},
                                                    {"state", values.dump()}});
}

void load_checkpoint(const std::string& dir, const RunIdentity& identity, RunState& state, TrainingState& training) {
  const std::string path = checkpoint_file(dir);
  if (!has_checkpoint(dir)) throw InputError(fmt::format("--resume {}: there is no checkpoint {}", dir, path));
  const TensorFile file = read_safetensors(path);
  const auto entry = [&file](const char* name) {
    const auto found = file.metadata.find(name);
    return found == file.metadata.end() ? std::string() : found->second;
  };
  if (entry("continuation_sha256") != identity.continuation_sha256) {
    throw InputError(fmt::format(
        "--resume {}: its checkpoint belongs to another experiment or version (continuation_sha256 differs)", dir));
  }
  const json inputs = json::parse(entry("inputs"), nullptr, false);
  std::map<std::string, std::string> recorded;
  if (inputs.is_object()) {
    for (const auto& [name, hash] : inputs.items()) recorded[name] = hash.is_string() ? hash.get<std::string>() : "";
  }
  check_inputs(dir, recorded, identity.inputs);
  try {
    const json values = json::parse(file.metadata.at("state"));
    state = from_json(values);
    for (int side = 0; side < 2; ++side) values.at(tensor_name(side, "steps_taken")).get_to(training.taken[side]);
  } catch (const std::exception& error) {
    throw InputError(fmt::format("{}: the run's state is damaged ({})", path, error.what()));
  }
  for (const Tensor& tensor : file.tensors) {
    for (int side = 0; side < 2; ++side) {
      if (tensor.name == tensor_name(side, "parameters")) training.parameters[side] = tensor.values;
      for (int m = 0; m < 2; ++m) {
        if (tensor.name == tensor_name(side, kMomentNames[m])) training.moments[side][m] = tensor.values;
      }
    }
  }
}

std::vector<TensorView> model_tensors(const Network& network, const TrainingState& training,
                                      std::vector<std::vector<float>>& storage) {
  std::vector<TensorView> tensors;
  storage.clear();
  storage.reserve(4 * network.layers.size());  // views into it must stay
  for (std::size_t i = 0; i < network.layers.size(); ++i) {
    const Layer& layer = network.layers[i];
    if (!layer.has_parameters()) continue;
    const int side = network.side(i);
    const std::vector<float>& all = training.parameters[side];
    const std::int64_t stride = network.replica_size(side);
    const std::int64_t replicas = static_cast<std::int64_t>(all.size()) / stride;
    const auto add = [&](const char* what, std::int64_t offset, std::int64_t size, std::vector<std::int64_t> shape) {
      std::vector<float>& values = storage.emplace_back();
      values.reserve(static_cast<std::size_t>(replicas * size));
      for (std::int64_t g = 0; g < replicas; ++g) {
        const auto from = all.begin() + g * stride + offset;
        values.insert(values.end(), from, from + size);
      }
      if (replicas > 1) shape.insert(shape.begin(), replicas);
      tensors.push_back({fmt::format("{}.{}.{}", kSideNames[side], layer.spec.name, what),
                         std::move(shape),
                         {values.data(), static_cast<std::int64_t>(values.size())}});
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

}  // namespace splitsim

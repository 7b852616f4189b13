#include "runtime/train/checkpoint.hpp"

#include <fmt/format.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "kernels/device/error.hpp"
#include "runtime/model/model_file.hpp"

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
          {"client_models", state.participation.models},
          {"client_waiting_ns", state.participation.waiting_ns},
          {"client_active_ns", state.participation.active_ns}};
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
  j.at("client_waiting_ns").get_to(state.participation.waiting_ns);
  j.at("client_active_ns").get_to(state.participation.active_ns);
  return state;
}

TensorView flat(const std::string& name, const std::vector<float>& values) {
  return {name, {static_cast<std::int64_t>(values.size())}, {values.data(), static_cast<std::int64_t>(values.size())}};
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

std::vector<TensorView> model_tensors(const Network& network, const std::vector<float> (&parameters)[2],
                                      std::vector<std::vector<float>>& storage) {
  std::vector<TensorView> tensors;
  storage.clear();
  const std::vector<ModelTensor> list = model_tensor_list(network);
  storage.reserve(list.size());  // views into it must stay
  for (const ModelTensor& tensor : list) {
    const std::vector<float>& all = parameters[tensor.side];
    const std::int64_t stride = network.replica_size(tensor.side);
    const std::int64_t replicas = static_cast<std::int64_t>(all.size()) / stride;
    std::vector<float>& values = storage.emplace_back();
    values.reserve(static_cast<std::size_t>(replicas * tensor.size));
    for (std::int64_t g = 0; g < replicas; ++g) {
      const auto from = all.begin() + g * stride + tensor.offset;
      values.insert(values.end(), from, from + tensor.size);
    }
    std::vector<std::int64_t> shape = tensor.shape;
    if (replicas > 1) shape.insert(shape.begin(), replicas);
    tensors.push_back({tensor.name, std::move(shape), {values.data(), static_cast<std::int64_t>(values.size())}});
  }
  return tensors;
}

}  // namespace splitsim

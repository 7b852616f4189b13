#include "runtime/run/checkpoint.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <limits>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "base/error.hpp"
#include "runtime/model/model_file.hpp"

namespace splitsim {

namespace {

using nlohmann::json;

constexpr const char* kSideNames[2] = {"client", "server"};
constexpr const char* kMomentNames[2] = {"first_moment", "second_moment"};
constexpr const char* kKeptName = "kept";

std::string tensor_name(int side, const char* what) { return std::string(kSideNames[side]) + "." + what; }

std::string checkpoint_file(const std::string& dir) { return dir + "/checkpoint/state.safetensors"; }

json to_json(const RunState& state) {
  return {{"epochs", state.epochs},
          {"now_ns", state.clock.now_ns},
          {"server_ready_ns", state.clock.server_ready_ns},
          {"client_ready_ns", state.clock.client_ready_ns},
          {"client_steps", state.participation.steps},
          {"client_samples", state.participation.samples},
          {"client_sent", state.participation.sent},
          {"client_models", state.participation.models},
          {"client_waiting_ns", state.participation.waiting_ns},
          {"client_active_ns", state.participation.active_ns},
          {"client_missed_samples", state.participation.missed_samples},
          {"client_absences", state.participation.absences},
          {"client_late", state.participation.late},
          {"client_late_samples", state.participation.late_samples}};
}

constexpr std::int64_t kLargest = std::int64_t{1} << 62;  // sums with what a run may add stay within 63 bits

/// Integers only: what else JSON may hold would be converted in silence.
std::int64_t count_in(const json& j, std::int64_t largest = kLargest) {
  const std::int64_t value = j.is_number_integer() ? j.get<std::int64_t>() : -1;
  if (value < 0 || value > largest) throw std::runtime_error("a number is out of range");
  return value;
}

template <class T>
void counts_in(const json& j, std::size_t size, std::vector<T>& values) {
  if (!j.is_array() || j.size() != size) throw std::runtime_error("a list does not have the experiment's length");
  values.clear();
  for (const json& value : j) {
    values.push_back(static_cast<T>(count_in(value, std::min(kLargest, std::int64_t{std::numeric_limits<T>::max()}))));
  }
}

/// state: of the experiment at its start, which says how many clients there are.
void from_json(const json& j, RunState& state) {
  const std::size_t clients = state.participation.steps.size();
  state.epochs = static_cast<std::int32_t>(count_in(j.at("epochs"), std::numeric_limits<std::int32_t>::max()));
  if (state.epochs == 0) throw std::runtime_error("epochs = 0");  // the first one is saved after an epoch
  state.clock.now_ns = count_in(j.at("now_ns"));
  state.clock.server_ready_ns = count_in(j.at("server_ready_ns"));
  const json& ready = j.at("client_ready_ns");
  counts_in(ready, ready.empty() ? 0 : clients, state.clock.client_ready_ns);
  counts_in(j.at("client_steps"), clients, state.participation.steps);
  counts_in(j.at("client_samples"), clients, state.participation.samples);
  counts_in(j.at("client_sent"), clients, state.participation.sent);
  counts_in(j.at("client_models"), clients, state.participation.models);
  counts_in(j.at("client_waiting_ns"), clients, state.participation.waiting_ns);
  counts_in(j.at("client_active_ns"), clients, state.participation.active_ns);
  counts_in(j.at("client_missed_samples"), clients, state.participation.missed_samples);
  counts_in(j.at("client_absences"), clients, state.participation.absences);
  counts_in(j.at("client_late"), clients, state.participation.late);
  counts_in(j.at("client_late_samples"), clients, state.participation.late_samples);
}

TensorView flat(const std::string& name, const std::vector<float>& values) {
  return {name, {static_cast<std::int64_t>(values.size())}, values};
}

}  // namespace

void check_inputs(const std::string& dir, const std::map<std::string, std::string>& recorded,
                  const std::map<std::string, std::string>& now) {
  // The cause before what follows from it, then whatever else there is.
  std::vector<std::string> names = {"images", "labels", "partition"};
  for (const auto* inputs : {&recorded, &now}) {
    for (const auto& [name, hash] : *inputs) {
      if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
    }
  }
  for (const std::string& name : names) {
    const auto was = recorded.find(name), is = now.find(name);
    const std::string before = was == recorded.end() ? "" : was->second, after = is == now.end() ? "" : is->second;
    if (before == after) continue;
    const auto shown = [](const std::string& hash) { return hash.empty() ? "none" : "sha256 " + hash.substr(0, 12); };
    throw InputError(fmt::format("--resume {}: its {} has other content than the run began with ({}, recorded is {})",
                                 dir, name, shown(after), shown(before)));
  }
}

bool has_checkpoint(const std::string& dir) { return std::filesystem::exists(checkpoint_file(dir)); }

void save_checkpoint(const std::string& dir, const RunIdentity& identity, const RunState& state) {
  const TrainingState& training = state.training;
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
  tensors.push_back(flat(kKeptName, training.kept));
  json values = to_json(state);
  for (int side = 0; side < 2; ++side) values[tensor_name(side, "steps_taken")] = training.taken[side];
  write_safetensors(checkpoint_file(dir), tensors,
                    {{"continuation_sha256", identity.continuation_sha256},
                     {"inputs", json(identity.inputs).dump()},
                     {"state", values.dump()}});
}

void load_checkpoint(const std::string& dir, const RunIdentity& identity, RunState& state) {
  TrainingState& training = state.training;
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
    from_json(values, state);
    for (int side = 0; side < 2; ++side) {
      const json& taken = values.at(tensor_name(side, "steps_taken"));
      counts_in(taken, taken.size(), training.taken[side]);
    }
  } catch (const std::exception& error) {
    throw InputError(fmt::format("{}: the run's state is damaged ({})", path, error.what()));
  }
  for (const Tensor& tensor : file.tensors) {
    if (tensor.name == kKeptName) training.kept = tensor.values;
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
    tensors.push_back({tensor.name, std::move(shape), values});
  }
  return tensors;
}

}  // namespace splitsim

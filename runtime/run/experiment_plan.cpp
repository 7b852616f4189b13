#include "runtime/run/experiment_plan.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.hpp"
#include "base/files.hpp"
#include "base/hash.hpp"
#include "samplers/schedule/given_schedule.hpp"
#include "samplers/schedule/schedule_file.hpp"

namespace splitsim {

std::map<std::string, std::string> input_hashes(const Scene& scene) {
  const Config& config = scene.config;
  std::map<std::string, std::string> inputs = {{"images", scene.dataset.features_sha256()},
                                               {"labels", scene.dataset.labels_sha256()},
                                               {"partition", scene.population.sha256()}};
  if (config.sampler.kind == "file") inputs["schedule"] = load_schedule(config.sampler.file).sha256();
  if (scene.schedules) {
    inputs["schedule"] = given_schedule(*scene.schedules, 0, scene.population, scene.timing.profile).sha256();
  }
  if (!scene.timing.profile.trace_sha256.empty()) inputs["trace"] = scene.timing.profile.trace_sha256;
  if (scene.mode.needs_groups() && config.clients.grouping == Grouping::kFile) {
    Sha256 hash;
    hash.add(scene.groups.of);
    inputs["groups"] = hash.hex();
  }
  if (config.clients.availability == Availability::kTrace) {
    Sha256 hash;
    hash.add(read_text_file(config.clients.availability_file));
    inputs["availability"] = hash.hex();
  }
  if (!config.train.conv_table.empty()) {
    Sha256 hash;
    hash.add(read_text_file(config.train.conv_table));
    inputs["conv_table"] = hash.hex();
  }
  if (config.model.init == InitKind::kFile && !config.model.file.empty()) {
    Sha256 hash;
    hash.add(read_text_file(config.model.file));
    inputs["model_file"] = hash.hex();
  }
  return inputs;
}

ExperimentPlan describe(const Scene& scene, const ScheduleBounds& bounds) {
  const Dataset& data = scene.dataset;
  const Config& config = scene.config;
  ExperimentPlan plan;
  plan.dataset = data.name;
  plan.samples = data.kind;
  plan.train_samples = data.train_size();
  plan.test_samples = data.test_size();
  plan.validation_samples = data.validation_size();
  plan.pixel_mean.assign(data.mean.begin(), data.mean.end());
  plan.pixel_std.assign(data.std.begin(), data.std.end());
  plan.classes = data.classes;
  plan.clients = scene.population.clients;
  const std::vector<std::int64_t> sizes = scene.population.sizes();
  plan.smallest_client = *std::min_element(sizes.begin(), sizes.end());
  plan.largest_client = *std::max_element(sizes.begin(), sizes.end());
  plan.steps_per_epoch = bounds.steps;
  plan.slots_per_step = bounds.batch;
  plan.client_parameters = scene.network.parameters[kClientSide];
  plan.server_parameters = scene.network.parameters[kServerSide];
  plan.cut_bytes = scene.cut.activation;
  plan.config_sha256 = config_sha256(config);
  plan.inputs = input_hashes(scene);
  plan.partition_sha256 = plan.inputs["partition"];
  plan.silent = silent_settings(config, sampling_facts(scene.population, scene.timing.profile, config.sampler));
  for (std::string& text : silent_settings(config, scene.mode, TrainingFacts{data.test_size(), bounds.steps})) {
    plan.silent.push_back(std::move(text));
  }
  return plan;
}

void check_memory(const ExperimentPlan& plan, const char* backend) {
  if (plan.memory_bytes <= plan.available_bytes) return;
  const auto largest = std::max_element(plan.memory.begin(), plan.memory.end(),
                                        [](const MemoryItem& a, const MemoryItem& b) { return a.bytes < b.bytes; });
  throw OutOfMemory(
      fmt::format("the experiment needs {} bytes of {} memory and {} are available; the largest part is {} ({} "
                  "bytes): lower partition.clients, sampler.batch or eval.batch, or move model.cut",
                  plan.memory_bytes, backend, plan.available_bytes, largest->name, largest->bytes));
}

std::string model_sha256(const std::vector<float> (&sides)[2]) {
  Sha256 hash;
  for (const std::vector<float>& parameters : sides) hash.add(parameters);
  return hash.hex();
}

}  // namespace splitsim

#include "runtime/plan/scene.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/error.hpp"
#include "runtime/data/noise.hpp"
#include "runtime/model/models.hpp"
#include "samplers/keyed/keyed.hpp"
#include "samplers/pack/level_stock.hpp"

namespace splitsim {

namespace {

Population population_of(const Dataset& dataset, const Config& config) {
  try {
    return make_partition(dataset.train_labels, dataset.classes, config.partition, seeds_of(config).partition,
                          dataset.train_clients);
  } catch (const InputError& error) {
    if (dataset.validation_size() == 0 || config.partition.kind != "file") throw;
    throw InputError(
        fmt::format("{} (data.validation = {} holds out {} of the {} training samples: a partition file has "
                    "an entry for each of the other {})",
                    error.what(), config.data.validation, dataset.validation_size(),
                    dataset.train_size() + dataset.validation_size(), dataset.train_size()));
  }
}

ModelSync model_sync_of(ModelTraffic traffic) {
  switch (traffic) {
    case ModelTraffic::kStep:
      return ModelSync::kStep;
    case ModelTraffic::kRound:
      return ModelSync::kRound;
    case ModelTraffic::kNever:
    case ModelTraffic::kTurn:  // handing over is a part of the relay itself
      break;
  }
  return ModelSync::kNone;
}

ClockMode clock_mode(const Config& config, const LatencySettings& latency, const ModeMap& mode, const Groups& groups) {
  if (latency.barrier == Barrier::kRunAhead && !mode.may_run_ahead) {
    throw InputError(
        fmt::format("clock.barrier = \"run_ahead\": clients of train.mode = \"{}\" cannot run ahead of each other; "
                    "allowed: two, one",
                    config.train.mode));
  }
  ClockMode clock{.kind = mode.clock,
                  .service_order = config.train.service_order,
                  .round_steps = config.train.round,
                  .service_seed = seeds_of(config).sampler,
                  .model_sync = model_sync_of(mode.model_traffic),
                  .groups = groups,
                  .upload_every = mode.upload_every};
  clock.kind = resolved_kind(clock, latency);
  return clock;
}

}  // namespace

Scene make_scene(const Config& config, SceneParts given) {
  Scene scene;
  scene.config = config;
  scene.schedules = std::move(given.schedules);
  scene.dataset = given.dataset ? *std::move(given.dataset) : load_dataset(config.data, seeds_of(config).data);
  const Dataset& data = scene.dataset;
  scene.population =
      given.owner ? make_population(*std::move(given.owner), data.train_labels, config.partition.clients, data.classes)
                  : population_of(data, config);
  if (config.partition.has_noise()) {  // the clients' labels are those that they hold
    const std::vector<std::int32_t> owner = scene.population.owner;
    add_noise(scene.dataset, owner, config.partition, seeds_of(config).partition);
    scene.population = make_population(owner, scene.dataset.train_labels, scene.population.clients, data.classes);
  }
  scene.mode = mode_map(config.train);
  scene.network = build_network(model_layers(config.model, data.classes), config.model.cut,
                                {data.channels, data.height, data.width}, data.classes,
                                network_options(config.model, config.cut, scene.mode.local_loss, data.vocabulary));
  scene.cut = cut_costs_of(scene.network, scene.mode);
  if (given.cut_activation > 0) {
    scene.cut.activation = given.cut_activation;
    if (scene.cut.gradient > 0) scene.cut.gradient = given.cut_activation;
  }
  scene.groups = groups_of(config, scene.mode, scene.population.clients);
  scene.timing = make_timing(scene, config.clock, seeds_of(config).clock);
  return scene;
}

Timing make_timing(const Scene& scene, const LatencySettings& latency, std::uint64_t seed) {
  return {latency, seed, make_profile(scene.population.clients, latency, scene.cut, seed),
          clock_mode(scene.config, latency, scene.mode, scene.groups)};
}

ClockMode clock_mode_of(const Config& config, const ModeMap& mode, const Groups& groups) {
  return clock_mode(config, config.clock, mode, groups);
}

Groups groups_of(const Config& config, const ModeMap& mode, std::int32_t clients) {
  if (!mode.needs_groups()) return {};
  const ClientSettings& settings = config.clients;
  return make_groups(settings.grouping, settings.groups, settings.groups_file, clients, seeds_of(config).partition);
}

std::optional<TurnRules> turn_rules(const Scene& scene) {
  return turn_rules(scene.mode, scene.config.train.service_order, seeds_of(scene.config).sampler, scene.groups);
}

CutCosts cut_costs_of(const Network& network, const ModeMap& mode) {
  CutCosts bytes;
  const CutSettings& cut = network.options.cut;
  bytes.activation = compressed_bytes(cut.rule(cut.up), network.cut_shape().size());
  bytes.gradient = compressed_bytes(cut.rule(cut.down), network.cut_shape().size());
  if (mode.local_loss) bytes.gradient = 0;
  bytes.label = sizeof(std::int32_t);
  bytes.client_model = network.replica_size(kClientSide) * static_cast<std::int64_t>(sizeof(float));
  bytes.client_macs = multiply_adds(network, kClientSide);
  bytes.server_macs = multiply_adds(network, kServerSide);
  const std::int64_t all = bytes.client_macs + bytes.server_macs;
  if (mode.clock == ClockKind::kServer) {
    bytes.client_macs = 0;
    bytes.server_macs = all;
  }
  if (mode.whole_model) {
    const std::int64_t server_model = network.replica_size(kServerSide) * static_cast<std::int64_t>(sizeof(float));
    return {0, 0, 0, bytes.client_model + server_model, all, 0};
  }
  return bytes;
}

SamplingFacts sampling_facts(const Population& population, const Profile& profile, const SamplerSettings& sampler) {
  SamplingFacts facts{population.sizes(), true};
  if (sampler.kind == "urn" || sampler.kind == "lds") {
    const std::vector<double> odds = delay_log_odds(population, profile, sampler);
    facts.delays_differ = std::any_of(odds.begin(), odds.end(), [](double x) { return x != 0.0; });
  } else if (sampler.kind == "lbpack") {
    facts.delays_differ = level_stock(population, profile, sampler.levels).levels() > 1;
  }
  return facts;
}

}  // namespace splitsim

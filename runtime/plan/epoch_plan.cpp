#include "runtime/plan/epoch_plan.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "base/error.hpp"
#include "kernels/device/profile_range.hpp"
#include "runtime/config/seeds.hpp"
#include "runtime/mode/mode.hpp"
#include "runtime/model/models.hpp"
#include "samplers/keyed/keyed.hpp"
#include "samplers/schedule/deviation.hpp"

namespace splitsim {

Population population_of(const Dataset& dataset, const Config& config) {
  try {
    return make_partition(dataset.train_labels, dataset.classes, config.partition, seeds_of(config).partition);
  } catch (const InputError& error) {
    if (dataset.validation_size() == 0 || config.partition.kind != "file") throw;
    throw InputError(fmt::format("{} (data.validation = {} holds out {} of the {} training images: a partition file has "
                                 "an entry for each of the other {})",
                                 error.what(), config.data.validation, dataset.validation_size(),
                                 dataset.train_size() + dataset.validation_size(), dataset.train_size()));
  }
}

Network network_of(const ModelSettings& model, FeatureShape input, std::int32_t classes) {
  return build_network(model_layers(model, classes), model.cut, input, classes, network_options(model));
}

CutBytes cut_bytes_of(const Network& network) {
  CutBytes bytes;
  bytes.activation = network.cut_shape().size() * static_cast<std::int64_t>(sizeof(float));
  bytes.label = sizeof(std::int32_t);
  bytes.client_model = network.replica_size(kClientSide) * static_cast<std::int64_t>(sizeof(float));
  return bytes;
}

SamplingFacts sampling_facts(const Population& population, const Profile& profile, const SamplerSettings& sampler) {
  SamplingFacts facts{population.sizes(), true};
  if (sampler.kind == "urn" || sampler.kind == "lds") {
    const std::vector<double> odds = delay_log_odds(population, profile, sampler);
    facts.delays_differ = std::any_of(odds.begin(), odds.end(), [](double x) { return x != 0.0; });
  }
  return facts;
}

ClockMode clock_mode_of(const Config& config) {
  const ModeMap mode = mode_map(config.train);
  const bool run_ahead = config.clock.barrier == "run_ahead";
  if (run_ahead && !mode.may_run_ahead) {
    throw InputError(
        fmt::format("clock.barrier = \"run_ahead\": clients of train.mode = \"{}\" cannot run ahead of each other; "
                    "allowed: two, one",
                    config.train.mode));
  }
  return {.kind = run_ahead ? ClockKind::kRunAhead : mode.clock,
          .service_order = service_order(config.train),
          .round_steps = config.train.round,
          .service_seed = seeds_of(config).sampler,
          .model_sync = mode.model_traffic == ModelTraffic::kStep    ? ModelSync::kStep
                        : mode.model_traffic == ModelTraffic::kRound ? ModelSync::kRound
                                                                     : ModelSync::kNone};
}

template <class Context>
EpochPlan plan_epoch(Context& ctx, Sampler<Context>& sampler, Clock<Context>& clock,
                     const DevicePopulation<Context>& population, const Seeds& seeds, std::uint32_t epoch,
                     ScheduleBuffer<Context>& buffer, Buffer<double, Context>& deviation) {
  const Range range("schedule and timeline");
  EpochPlan plan;
  ctx.synchronize();
  const auto start = std::chrono::steady_clock::now();
  sampler.build(seeds.sampler, epoch, buffer);
  ctx.synchronize();
  plan.construction_s = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  batch_deviation(ctx, population, buffer, deviation.view());
  plan.timeline = clock.build(buffer, seeds.clock, epoch);
  plan.deviation = deviation.download(buffer.steps);
  plan.schedule = download(buffer);
  return plan;
}

template EpochPlan plan_epoch(CpuContext&, Sampler<CpuContext>&, Clock<CpuContext>&,
                              const DevicePopulation<CpuContext>&, const Seeds&, std::uint32_t,
                              ScheduleBuffer<CpuContext>&, Buffer<double, CpuContext>&);
#if SPLITSIM_WITH_CUDA
template EpochPlan plan_epoch(CudaContext&, Sampler<CudaContext>&, Clock<CudaContext>&,
                              const DevicePopulation<CudaContext>&, const Seeds&, std::uint32_t,
                              ScheduleBuffer<CudaContext>&, Buffer<double, CudaContext>&);
#endif

}  // namespace splitsim

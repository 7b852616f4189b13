// Schedule construction at scale, against the one sort that it cannot avoid.
#include <fmt/format.h>

#include <cstring>

#include "kernels/device/context.hpp"
#include "kernels/device/math.hpp"
#include "profiling/bench.hpp"
#include "profiling/thrust_sort.hpp"
#include "samplers/population/partition.hpp"
#include "samplers/registry.hpp"

namespace splitsim::bench {

template <class Context>
std::vector<Figure> sampler_figures(Context& ctx, const Options& options) {
  const std::int64_t samples = options.quick ? 200'000 : 10'000'000;
  const std::int32_t clients = options.quick ? 2'000 : 100'000;
  std::vector<std::int32_t> labels(static_cast<std::size_t>(samples));
  for (std::size_t i = 0; i < labels.size(); ++i) labels[i] = static_cast<std::int32_t>(i % 10);
  say_timing(fmt::format("ugs schedules of {} samples", samples));
  PartitionSettings partition;
  partition.kind = "iid";
  partition.clients = clients;
  const Population population = make_partition(labels, 10, partition, 1);
  const DevicePopulation<Context> device_population(ctx, population);
  Profile profile;
  profile.delay_ns.assign(static_cast<std::size_t>(clients), 0);
  profile.forward_ns = profile.backward_ns = profile.up_ns = profile.down_ns = profile.delay_ns;
  profile.model_up_ns = profile.model_down_ns = profile.delay_ns;
  SamplerSettings settings;
  const auto sampler = make_sampler(ctx, population, device_population, profile, settings);
  ScheduleBuffer<Context> schedule(ctx, sampler->bounds());

  std::vector<std::uint64_t> keys(static_cast<std::size_t>(samples));
  std::vector<std::int32_t> ids(static_cast<std::size_t>(samples));
  for (std::size_t i = 0; i < keys.size(); ++i) {
    const double key = neg_log_uniform(random_u64(1, {Purpose::kSampleKey, static_cast<std::uint32_t>(i)}));
    std::memcpy(&keys[i], &key, sizeof key);
    ids[i] = static_cast<std::int32_t>(i);
  }
  Buffer<std::uint64_t, Context> sort_keys(ctx, samples);
  Buffer<std::int32_t, Context> sort_ids(ctx, samples);
  std::uint32_t epoch = 0;
  const Comparison c = compare(
      options.quick ? 2 : 7,
      [&] {
        return seconds([&] {
          sampler->build(1, epoch++, schedule);
          ctx.synchronize();
        });
      },
      [&] {
        sort_keys.upload(keys);
        sort_ids.upload(ids);
        ctx.synchronize();
        return seconds([&] { thrust_stable_sort(ctx, sort_keys.view(), sort_ids.view()); });
      });
  const std::string what = fmt::format("ugs epoch schedule, N = {}, K = {}", samples, clients);
  std::vector<Figure> figures;
  figures.push_back({what + ", over thrust::stable_sort_by_key of its pairs", c.ratio, 2.2, false, "ratio",
                     fmt::format("schedule {:.3f} s, sort {:.3f} s", c.first, c.second)});
  figures.push_back({what, c.first, options.quick ? std::nullopt : std::optional(Context::kIsDevice ? 0.01 : 1.5),
                     false, "s",
                     fmt::format("{:.1f} million samples/s", static_cast<double>(samples) / c.first * 1e-6)});
  return figures;
}

template std::vector<Figure> sampler_figures(CpuContext&, const Options&);
#if SPLITSIM_WITH_CUDA
template std::vector<Figure> sampler_figures(CudaContext&, const Options&);
#endif

}  // namespace splitsim::bench

#pragma once

#include <utility>

#include "base/error.hpp"
#include "kernels/device/math.hpp"
#include "samplers/balance/load_balance.hpp"
#include "samplers/keyed/keyed.hpp"
#include "samplers/keyed/lds.hpp"
#include "samplers/local/local.hpp"
#include "samplers/local/makespan.hpp"
#include "samplers/local/relay.hpp"
#include "samplers/local/speed.hpp"
#include "samplers/registry.hpp"
#include "samplers/schedule/schedule_file.hpp"

namespace splitsim {

namespace detail {

template <class Context>
class KeyedSampler final : public Sampler<Context> {
 public:
  /// odds: [K], or empty for 1.
  KeyedSampler(Context& ctx, const DevicePopulation<Context>& population, const Chunks& chunks,
               const std::vector<double>& odds, bool owners)
      : odds_(ctx, odds), schedule_(ctx, population, chunks, owners) {}

  ScheduleBounds bounds() const override { return schedule_.bounds(); }
  void build(std::uint64_t seed, std::uint32_t epoch, ScheduleBuffer<Context>& out) override {
    schedule_.build(odds_.view(), seed, epoch, out);
  }

 private:
  Buffer<double, Context> odds_;
  KeyedSchedule<Context> schedule_;
};

template <class Context>
class LocalSampler final : public Sampler<Context> {
 public:
  LocalSampler(Context& ctx, const DevicePopulation<Context>& population, const Schedule& layout,
               std::int64_t passes = 1)
      : schedule_(ctx, population, layout, passes) {}

  ScheduleBounds bounds() const override { return schedule_.bounds(); }
  void build(std::uint64_t seed, std::uint32_t epoch, ScheduleBuffer<Context>& out) override {
    schedule_.build(seed, epoch, out);
  }

 private:
  LocalSchedule<Context> schedule_;
};

template <class Context>
class BalancedSampler final : public Sampler<Context> {
 public:
  BalancedSampler(Context& ctx, const Population& population, const DevicePopulation<Context>& device_population,
                  ClientTimes times, const Chunks& chunks, Balance balance)
      : schedule_(ctx, population, device_population, std::move(times), chunks, balance) {}

  ScheduleBounds bounds() const override { return schedule_.bounds(); }
  void build(std::uint64_t seed, std::uint32_t epoch, ScheduleBuffer<Context>& out) override {
    schedule_.build(seed, epoch, out);
  }

 private:
  BalancedSchedule<Context> schedule_;
};

template <class Context>
class FileSampler final : public Sampler<Context> {
 public:
  FileSampler(Context& ctx, const Population& population, const std::string& path)
      : schedule_(load_schedule(path)), bounds_(bounds_of(schedule_)), active_lists_(ctx, bounds_) {
    check_schedule_file(path, schedule_, population);
    if (schedule_.nobody_active()) {
      throw InputError(path +
                       ": row 0: client -1: no client takes part; sampler.kind = \"central\" draws such schedules");
    }
  }

  ScheduleBounds bounds() const override { return bounds_; }
  void build(std::uint64_t, std::uint32_t, ScheduleBuffer<Context>& out) override {
    upload(schedule_, out, active_lists_);
  }

 private:
  Schedule schedule_;
  ScheduleBounds bounds_;
  ActiveLists<Context> active_lists_;
};

}  // namespace detail

template <class Context>
std::unique_ptr<Sampler<Context>> make_sampler(Context& ctx, const Population& population,
                                               const DevicePopulation<Context>& device_population,
                                               const Profile& profile, const SamplerSettings& settings) {
  check_sampler_settings(settings, population, profile);
  const auto keyed = [&](const std::vector<double>& odds, bool owners = true) {
    return std::make_unique<detail::KeyedSampler<Context>>(ctx, device_population,
                                                           make_chunks(population.samples(), settings), odds, owners);
  };
  const auto local = [&](const Schedule& layout, std::int64_t passes = 1) {
    return std::make_unique<detail::LocalSampler<Context>>(ctx, device_population, layout, passes);
  };
  const auto times = [&] { return client_times(population, profile, settings.batch); };
  const auto balanced = [&](Balance balance) {
    return std::make_unique<detail::BalancedSampler<Context>>(ctx, population, device_population, times(),
                                                              make_chunks(population.samples(), settings), balance);
  };
  if (settings.kind == "ugs") return keyed({});
  if (settings.kind == "central") return keyed({}, false);
  if (settings.kind == "urn") {
    std::vector<double> odds = delay_log_odds(population, profile, settings);
    for (double& x : odds) x = exact_exp(x);
    return keyed(odds);
  }
  if (settings.kind == "lds") return make_lds_sampler(ctx, population, device_population, profile, settings);
  if (settings.kind == "fls") return local(local_layout(population, fls_batches(population, settings.batch)));
  if (settings.kind == "fpls") return local(local_layout(population, fpls_batches(population, settings.batch)));
  if (settings.kind == "speed") return local(speed_layout(population, times(), settings.batch));
  if (settings.kind == "makespan") return local(makespan_layout(population, times(), settings.batch));
  if (settings.kind == "relay") {
    return local(relay_layout(population, settings.batch, settings.local_epochs), settings.local_epochs);
  }
  if (settings.kind == "lb_greedy") return balanced(Balance::kGreedy);
  if (settings.kind == "lb_flow") return balanced(Balance::kFlow);
  return std::make_unique<detail::FileSampler<Context>>(ctx, population, settings.file);
}

}  // namespace splitsim

// What is made for every backend C.
#define SPLITSIM_UNIT(C)                                                                                     \
  template std::unique_ptr<Sampler<C>> make_sampler(C&, const Population&, const DevicePopulation<C>&, const \
      Profile&, const SamplerSettings&);

#pragma once

#include <memory>
#include <stdexcept>
#include <utility>
#include <vector>

#include "base/error.hpp"
#include "kernels/device/math.hpp"
#include "samplers/balance/load_balance.hpp"
#include "samplers/keyed/keyed.hpp"
#include "samplers/keyed/lds.hpp"
#include "samplers/local/local.hpp"
#include "samplers/local/makespan.hpp"
#include "samplers/local/relay.hpp"
#include "samplers/local/speed.hpp"
#include "samplers/pack/lbpack.hpp"
#include "samplers/pack/pack.hpp"
#include "samplers/pack/pack_schedule.hpp"
#include "samplers/registry.hpp"
#include "samplers/schedule/schedule_file.hpp"

namespace splitsim {

namespace detail {

template <class Context>
class KeyedSampler final : public Sampler<Context> {
 public:
  /// odds: [K], or empty for 1.
  KeyedSampler(Context& ctx, const DevicePopulation<Context>& population, const Chunks& chunks,
               const std::vector<double>& odds)
      : odds_(ctx, odds), schedule_(ctx, population, chunks) {}

  ScheduleBounds bounds() const override { return schedule_.bounds(); }
  void build(std::uint64_t seed, std::uint32_t epoch, ScheduleBuffer<Context>& out) override {
    schedule_.build(odds_.view(), seed, epoch, out);
  }

 private:
  Buffer<double, Context> odds_;
  KeyedSchedule<Context> schedule_;
};

/// A schedule that is a sampler but for the name.
template <class Context, class Drawn>
class OwnSchedule final : public Sampler<Context> {
 public:
  template <class... Parts>
  explicit OwnSchedule(Context& ctx, Parts&&... parts) : schedule_(ctx, std::forward<Parts>(parts)...) {}

  ScheduleBounds bounds() const override { return schedule_.bounds(); }
  void build(std::uint64_t seed, std::uint32_t epoch, ScheduleBuffer<Context>& out) override {
    schedule_.build(seed, epoch, out);
  }

 private:
  Drawn schedule_;
};

template <class Context>
class FileSampler final : public Sampler<Context> {
 public:
  FileSampler(Context& ctx, const Population& population, const std::string& path)
      : schedule_(load_schedule(path)), bounds_(bounds_of(schedule_)), active_lists_(ctx, bounds_) {
    check_schedule_file(path, schedule_, population);
    if (schedule_.nobody_active()) {
      throw InputError(path + ": row 0: client -1: no client takes part; train.mode = \"central\" trains without them");
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

template <class Context>
class GivenSampler final : public Sampler<Context> {
 public:
  GivenSampler(Context& ctx, const Population& population, const Profile& profile, const ScheduleSource& source)
      : population_(population),
        profile_(profile),
        source_(source),
        bounds_(given_bounds(source, population, profile)),
        active_lists_(ctx, bounds_) {}

  ScheduleBounds bounds() const override { return bounds_; }
  void build(std::uint64_t, std::uint32_t epoch, ScheduleBuffer<Context>& out) override {
    const Schedule schedule = given_schedule(source_, epoch, population_, profile_);
    check_given_bounds(schedule, epoch, bounds_);
    upload(schedule, out, active_lists_);
  }

 private:
  const Population& population_;
  const Profile& profile_;
  const ScheduleSource& source_;
  ScheduleBounds bounds_;
  ActiveLists<Context> active_lists_;
};

}  // namespace detail

/// What a sampler is made of.
template <class Context>
struct SamplerSource {
  Context& ctx;
  const Population& population;
  const DevicePopulation<Context>& device_population;
  const Profile& profile;
  const SamplerSettings& settings;
  const ScheduleSource* given = nullptr;

  Chunks chunks() const { return make_chunks(population.samples(), settings); }
  ClientTimes times() const { return client_times(population, profile, settings.batch); }

  using Made = std::unique_ptr<Sampler<Context>>;
  /// odds: [K], or empty for 1.
  Made keyed(const std::vector<double>& odds) const {
    return std::make_unique<detail::KeyedSampler<Context>>(ctx, device_population, chunks(), odds);
  }
  Made local(const Schedule& layout, std::int64_t passes = 1) const {
    return std::make_unique<detail::OwnSchedule<Context, LocalSchedule<Context>>>(ctx, device_population, layout,
                                                                                  passes);
  }
  Made balanced(Balance balance) const {
    return std::make_unique<detail::OwnSchedule<Context, BalancedSchedule<Context>>>(
        ctx, population, device_population, times(), chunks(), balance, settings.target);
  }
  Made pack() const {
    const LevelStock stock = level_stock(population, profile, settings.levels);
    const DealingLaw law = pack_law(population, profile, stock, settings);
    return std::make_unique<detail::OwnSchedule<Context, PackSchedule<Context>>>(ctx, device_population, stock, law,
                                                                                 chunks(), settings.order);
  }
  Made lbpack() const {
    return std::make_unique<detail::OwnSchedule<Context, LbPackSchedule<Context>>>(
        ctx, device_population, level_stock(population, profile, settings.levels), chunks(), settings.order);
  }
};

template <class Context>
struct SamplerRow {
  SamplerInfo info;
  std::unique_ptr<Sampler<Context>> (*make)(const SamplerSource<Context>& from);
};

/// Every sampler: a new one is a file or two of its own and a row here.
template <class Context>
const std::vector<SamplerRow<Context>>& sampler_rows() {
  using From = const SamplerSource<Context>&;
  static const std::vector<SamplerRow<Context>> rows = {
      {{"ugs", "uniform global sampling: a random permutation of all samples, cut into batches (paper)"},
       [](From from) { return from.keyed({}); }},
      {{"urn",
        "ugs with odds exp(delta z_k): clients with long delays first (delta > 0) or last (ours)",
        {.sees_delays = true}},
       [](From from) {
         std::vector<double> odds = delay_log_odds(from.population, from.profile, from.settings);
         for (double& x : odds) x = exact_exp(x);
         return from.keyed(odds);
       }},
      {{"lds",
        "latent Dirichlet sampling: odds from observed labels and delays by a Dirichlet model (paper)",
        {.sees_delays = true, .on_host = true}},
       [](From from) {
         return make_lds_sampler(from.ctx, from.population, from.device_population, from.profile, from.settings);
       }},
      {{"fls", "fixed local sampling: every client gives B/K samples to each step until it is depleted (paper)"},
       [](From from) {
         return from.local(local_layout(from.population, fls_batches(from.population, from.settings.batch)));
       }},
      {{"fpls", "fixed proportional local sampling: as fls with B n_k/N samples (paper)"},
       [](From from) {
         return from.local(local_layout(from.population, fpls_batches(from.population, from.settings.batch)));
       }},
      {{"speed",
        "every step dealt in proportion to the clients' speed 1/tau_k, as far as their data reach (ours)",
        {.sees_delays = true}},
       [](From from) { return from.local(speed_layout(from.population, from.times(), from.settings.batch)); }},
      {{"makespan",
        "every step dealt so that its slowest client finishes as early as possible; blind to classes (ours)",
        {.sees_delays = true}},
       [](From from) {
         return from.local(makespan_layout(from.population, from.times(), from.settings.batch, from.settings.levels));
       }},
      {{"lb_greedy",
        "ugs's class counts, each sample supplied by the client that finishes next (arXiv 2609.32132)",
        {.sees_delays = true, .on_host = true}},
       [](From from) { return from.balanced(Balance::kGreedy); }},
      {{"lb_flow",
        "ugs's class counts, supplied by the flow that ends the step soonest (arXiv 2609.32132)",
        {.sees_delays = true, .on_host = true}},
       [](From from) { return from.balanced(Balance::kFlow); }},
      {{"pack",
        "the fastest schedule whose batches have every class in its share, or least deviation within a budget (ours)",
        {.sees_delays = true}},
       [](From from) { return from.pack(); }},
      {{"lbpack",
        "ugs's class counts, within a class the slowest clients' samples first, in the fewest steps (ours)",
        {.sees_delays = true, .on_host = true}},
       [](From from) { return from.lbpack(); }},
      {{"relay", "one client after another, each local_epochs times through its data in batches of B"},
       [](From from) {
         const std::int64_t passes = from.settings.local_epochs;
         return from.local(relay_layout(from.population, from.settings.batch, passes), passes);
       }},
      {{"file", "a saved schedule (sampler.file), the same in every epoch", {.on_host = true}},
       [](From from) -> std::unique_ptr<Sampler<Context>> {
         return std::make_unique<detail::FileSampler<Context>>(from.ctx, from.population, from.settings.file);
       }},
      {{"callable",
        "a function of the program that runs the experiment: splitsim.run(sampler=...) in Python",
        {.sees_delays = true, .on_host = true}},
       [](From from) -> std::unique_ptr<Sampler<Context>> {
         if (from.given == nullptr) {
           throw InputError(
               "sampler.kind = \"callable\": its schedules are made by a function that is not here; allowed: in "
               "Python, "
               "splitsim.run(config, sampler=function)");
         }
         return std::make_unique<detail::GivenSampler<Context>>(from.ctx, from.population, from.profile, *from.given);
       }},
  };
  return rows;
}

template <class Context>
std::vector<SamplerInfo> infos_of_rows() {
  std::vector<SamplerInfo> infos;
  for (const SamplerRow<Context>& row : sampler_rows<Context>()) infos.push_back(row.info);
  return infos;
}

template <class Context>
std::unique_ptr<Sampler<Context>> make_sampler(Context& ctx, const Population& population,
                                               const DevicePopulation<Context>& device_population,
                                               const Profile& profile, const SamplerSettings& settings,
                                               const ScheduleSource* given) {
  check_sampler_settings(settings, population, profile);
  for (const SamplerRow<Context>& row : sampler_rows<Context>()) {
    if (row.info.name == settings.kind) return row.make({ctx, population, device_population, profile, settings, given});
  }
  throw std::logic_error("a sampler without a row: " + settings.kind);  // check_sampler_settings() knows them all
}

}  // namespace splitsim

// What is made for every backend C.
#define SPLITSIM_UNIT(C)                                                                                               \
  template std::vector<SamplerInfo> infos_of_rows<C>();                                                                \
  template std::unique_ptr<Sampler<C>> make_sampler(C&, const Population&, const DevicePopulation<C>&, const Profile&, \
                                                    const SamplerSettings&, const ScheduleSource*);

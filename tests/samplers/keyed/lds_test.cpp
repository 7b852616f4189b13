// lds: its parts against closed forms and naive loops, whole epochs of every setting against a naive simulation.
#include "samplers/keyed/lds.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <set>

#include "samplers/keyed/keyed_steps.hpp"
#include "samplers/keyed/lds_labels.hpp"
#include "tests/contexts.hpp"
#include "tests/reference/lds.hpp"
#include "tests/reference/populations.hpp"
#include "tests/reference/statistics.hpp"
#include "tests/samplers/keyed/lds_helpers.hpp"
#include "tests/samplers/population/partition_helpers.hpp"

namespace splitsim {
namespace {

using namespace test::lds;

template <class Context>
class LdsTest : public test::OnContext<Context> {};
TYPED_TEST_SUITE(LdsTest, test::Contexts);

TEST(LdsPrecision, MatchesTheHypergeometricVariance) {
  EXPECT_DOUBLE_EQ(lds_precision(50000, 1000), 1019.3877551020408);
  // Var(pi_k) = r (1 - r) / (Z + 1) = r (1 - r) (N - S) / (S (N - 1)) for all N, S.
  for (const std::int64_t n : {10, 777, 60000}) {
    for (const std::int64_t s : {std::int64_t{2}, n / 4, n / 2}) {
      EXPECT_NEAR((lds_precision(n, s) + 1) * (n - s) / (s * (n - 1.0)), 1.0, 1e-14);
    }
  }
  SamplerSettings settings;
  EXPECT_EQ(lds_observed(60000, settings), 1000);
  EXPECT_EQ(lds_observed(1999, settings), 999);
}

TYPED_TEST(LdsTest, ObservedLabelsAreTheSmallestKeys) {
  const Population population = skewed(20000, 30, 7, false);
  const DevicePopulation<TypeParam> device(this->ctx(), population);
  for (const std::int64_t observed : {2, 50, 1000, 9000}) {
    ObservedLabels<TypeParam> labels(this->ctx(), device, observed);
    for (const int rest : {1, 3}) {  // every rest-th sample remains
      std::vector<std::uint8_t> taken(20000);
      std::vector<bool> gone(20000);
      std::int64_t remaining = 0;
      for (std::uint32_t i = 0; i < taken.size(); ++i) {
        gone[i] = rest > 1 && random(i, 5) % rest > 0;
        taken[i] = gone[i] ? 1 : 0;
        remaining += gone[i] ? 0 : 1;
      }
      const std::int64_t count = std::min(observed, remaining / 2);
      const Buffer<std::uint8_t, TypeParam> device_taken(this->ctx(), taken);
      labels.draw(6, 2, rest == 1 ? View<const std::uint8_t>() : device_taken.view(), remaining, count);
      std::vector<std::int32_t> counts(7);
      this->ctx().download(counts.data(), labels.counts().data(), counts.size() * sizeof counts[0]);
      const auto expected = reference::observed_labels(population, gone, count, 6, 2);
      EXPECT_EQ(std::vector<double>(counts.begin(), counts.end()), expected) << observed << " of " << remaining;
    }
  }
}

/// Probabilities of client counts when step by step `draws[t]` samples are drawn with rates[t]; each with probability
/// proportional to rate times remaining samples, or to the rate while any remain.
std::map<std::vector<int>, double> law_of_steps(const std::vector<int>& sizes, bool odds,
                                                const std::vector<std::vector<double>>& rates,
                                                const std::vector<int>& draws) {
  std::map<std::vector<int>, double> law{{std::vector<int>(sizes.size(), 0), 1.0}};
  for (std::size_t t = 0; t < draws.size(); ++t) {
    for (int d = 0; d < draws[t]; ++d) {
      std::map<std::vector<int>, double> next;
      for (const auto& [counts, probability] : law) {
        std::vector<double> weight(sizes.size());
        double total = 0.0;
        for (std::size_t k = 0; k < sizes.size(); ++k) {
          const int left = sizes[k] - counts[k];
          total += weight[k] = rates[t][k] * (odds ? left : left > 0 ? 1 : 0);
        }
        for (std::size_t k = 0; k < sizes.size(); ++k) {
          if (weight[k] == 0.0) continue;
          auto after = counts;
          after[k] += 1;
          next[after] += probability * weight[k] / total;
        }
      }
      law = std::move(next);
    }
  }
  return law;
}

// Rates that change between steps, and depletion on the way: the exact law of the counts after two steps, for both
// rules. Some hundred cells at 1e-9: a false alarm with probability below 1e-6.
TYPED_TEST(LdsTest, SteppedCountsFollowTheirLaw) {
  constexpr int kEpochs = TypeParam::kIsDevice ? 1500 : 5000;  // fewer on a device, which may be emulated
  const std::vector<int> sizes{6, 2, 5};
  const std::vector<std::vector<double>> rates{{1.0, 3.0, 0.5}, {0.2, 1.0, 4.0}};
  const Population population = reference::population_of(sizes, 2);
  const DevicePopulation<TypeParam> device(this->ctx(), population);
  std::vector<Buffer<double, TypeParam>> log_rates;
  for (const auto& r : rates) {
    log_rates.emplace_back(this->ctx(), std::vector<double>{std::log(r[0]), std::log(r[1]), std::log(r[2])});
  }
  for (const bool odds : {true, false}) {
    ClientThresholds<TypeParam> thresholds(this->ctx(), population, device,
                                           odds ? DepletionRule::kOdds : DepletionRule::kRenormalise);
    PairSort<TypeParam> pairs(this->ctx(), 13);
    const Chunks chunks{13, 4, false};
    SteppedSchedule<TypeParam> sampler(this->ctx(), device, chunks);
    ScheduleBuffer<TypeParam> out(this->ctx(), keyed_bounds(chunks, 3));
    std::map<std::vector<int>, std::int64_t> first, both;
    for (std::uint32_t epoch = 0; epoch < kEpochs; ++epoch) {
      thresholds.build(pairs, 5, epoch);
      sampler.start(thresholds, out);
      for (std::int64_t t = 0; t < 2; ++t) sampler.step(t, log_rates[t].view(), {}, {}, out);
      const std::vector<std::int32_t> client = out.client.download(8);
      std::vector<int> counts(3);
      for (int i = 0; i < 8; ++i) {
        counts[client[i]] += 1;
        if (i == 3) first[counts] += 1;
      }
      both[counts] += 1;
    }
    for (const auto& [counts, p] : law_of_steps(sizes, odds, rates, {4})) {
      EXPECT_GT(reference::binomial_p_value(first[counts], kEpochs, p), 1e-9) << ::testing::PrintToString(counts);
    }
    for (const auto& [counts, p] : law_of_steps(sizes, odds, rates, {4, 4})) {
      EXPECT_GT(reference::binomial_p_value(both[counts], kEpochs, p), 1e-9) << ::testing::PrintToString(counts);
    }
  }
}

// With rates that do not change, steps and one sort are the same schedule, whichever way a step's end is searched for:
// few clients, many, more than a step has samples.
TYPED_TEST(LdsTest, SteppedWithConstantRatesIsOneSort) {
  for (const int clients : {50, 3000}) {
    const std::int64_t samples = clients == 50 ? 3000 : 9000;
    const Population population = skewed(static_cast<std::int32_t>(samples), clients, 4, false);
    const DevicePopulation<TypeParam> device(this->ctx(), population);
    std::vector<double> rates(clients), logs(clients);
    for (int k = 0; k < clients; ++k) {
      rates[k] = std::exp(6.0 * uniform53(random(k, 8)));
      logs[k] = exact_log(rates[k]);
    }
    std::int64_t with_samples = 0;
    for (int k = 0; k < clients; ++k) with_samples += population.size(k) > 0 ? 1 : 0;
    const Buffer<double, TypeParam> device_rates(this->ctx(), rates), device_logs(this->ctx(), logs);
    for (const auto rule : {DepletionRule::kOdds, DepletionRule::kRenormalise}) {
      for (const std::int64_t batch :
           {samples == 3000 ? std::int64_t{1} : std::int64_t{700}, std::int64_t{64}, samples}) {
        if (samples == 9000 && batch == 64 && TypeParam::kIsDevice) continue;  // may be emulated
        const Chunks chunks{samples, batch, true};
        ClientThresholds<TypeParam> thresholds(this->ctx(), population, device, rule);
        KeyedSchedule<TypeParam> keyed(this->ctx(), device, chunks);
        SteppedSchedule<TypeParam> stepped(this->ctx(), device, chunks);
        ScheduleBuffer<TypeParam> a(this->ctx(), keyed.bounds()), b(this->ctx(), keyed.bounds());
        thresholds.build(keyed.workspace(), 9, 4);
        stepped.start(thresholds, b);
        for (std::int64_t t = 0; t < chunks.steps(); ++t) stepped.step(t, device_logs.view(), {}, {}, b);
        stepped.finish(b);
        EXPECT_EQ(stepped.depleted(), with_samples);
        keyed.build(thresholds, device_rates.view(), a);
        EXPECT_EQ(download(a).sha256(), download(b).sha256()) << clients << ", " << batch;
        if (rule == DepletionRule::kOdds) {  // the same keys in another way
          keyed.build(device_rates.view(), 9, 4, a);
          EXPECT_EQ(download(a).sha256(), download(b).sha256()) << clients << ", " << batch;
        }
      }
    }
  }
}

// Many samples at the same instant: thresholds below the smallest that is told apart. Nothing is lost or given twice.
TYPED_TEST(LdsTest, SteppedSurvivesTiesAndExtremeRates) {
  for (const int clients : {30, 2500}) {
    const std::int64_t samples = clients == 30 ? 2000 : 6000, batch = clients == 30 ? 37 : 1100;
    const Population population = skewed(static_cast<std::int32_t>(samples), clients, 4, false);
    const DevicePopulation<TypeParam> device(this->ctx(), population);
    const Chunks chunks{samples, batch, true};
    PairSort<TypeParam> pairs(this->ctx(), samples);
    for (const double scale : {0.0, 1e3, 1e6, 1e290}) {
      std::vector<double> logs(clients);
      for (int k = 0; k < clients; ++k) logs[k] = -scale * uniform53(random(k, 9));
      const Buffer<double, TypeParam> device_logs(this->ctx(), logs);
      ClientThresholds<TypeParam> thresholds(this->ctx(), population, device, DepletionRule::kOdds);
      SteppedSchedule<TypeParam> stepped(this->ctx(), device, chunks);
      ScheduleBuffer<TypeParam> out(this->ctx(), keyed_bounds(chunks, clients));
      thresholds.build(pairs, 1, 0);
      stepped.start(thresholds, out);
      for (std::int64_t t = 0; t < chunks.steps(); ++t) stepped.step(t, device_logs.view(), {}, {}, out);
      stepped.finish(out);
      const Schedule schedule = download(out);
      EXPECT_NO_THROW(check_schedule(schedule, out.bounds)) << scale;
      EXPECT_EQ(std::set<int>(schedule.sample.begin(), schedule.sample.end()).size(), static_cast<std::size_t>(samples))
          << scale;
    }
  }
}

// Clocks that stand at the same place, as after steps whose rates differ beyond all scales: everybody's next sample leaves
// at once, and what is too much is given back from the last client on.
TYPED_TEST(LdsTest, SteppedGivesTiesBackFromTheLastClient) {
  constexpr int kClients = 5000;
  const Population population = reference::population_of(std::vector<int>(kClients, 2), 3);
  const DevicePopulation<TypeParam> device(this->ctx(), population);
  const Chunks chunks{2 * kClients, 100, true};
  PairSort<TypeParam> pairs(this->ctx(), 2 * kClients);
  ClientThresholds<TypeParam> thresholds(this->ctx(), population, device, DepletionRule::kOdds);
  SteppedSchedule<TypeParam> stepped(this->ctx(), device, chunks);
  ScheduleBuffer<TypeParam> out(this->ctx(), keyed_bounds(chunks, kClients));
  thresholds.build(pairs, 1, 0);
  stepped.start(thresholds, out);
  // The first step's rates move the clocks of those from 1000 on beyond their thresholds, but take nothing of theirs.
  std::vector<double> logs(kClients, 0.0);
  for (int k = 0; k < kClients; ++k) logs[k] = k < 1000 ? 0.0 : -1e300;
  stepped.step(0, Buffer<double, TypeParam>(this->ctx(), logs).view(), {}, {}, out);
  for (int k = 0; k < kClients; ++k) logs[k] = k < 1000 ? -1e300 : -1e290;
  stepped.step(1, Buffer<double, TypeParam>(this->ctx(), logs).view(), {}, {}, out);
  const std::vector<std::int32_t> client = out.client.download(200);
  EXPECT_LT(client[99], 1000);
  // ln of a threshold is lost beside 1e290: all of 1000 .. 4999 have samples that leave at one time; the first 100 do.
  EXPECT_EQ(client[100], 1000);
  for (int i = 101; i < 200; ++i) EXPECT_LE(client[i] - client[i - 1], 1) << i;
}

TYPED_TEST(LdsTest, PriorIsUrnAndUgsAtDeltaZero) {
  const Population population = skewed(2000, 30, 4, false);
  const DevicePopulation<TypeParam> device(this->ctx(), population);
  const auto hash = [&](SamplerSettings settings, const char* kind) {
    settings.kind = kind;
    const auto sampler = make_sampler(this->ctx(), population, device, delays(30), settings);
    ScheduleBuffer<TypeParam> out(this->ctx(), sampler->bounds());
    sampler->build(21, 3, out);
    return download(out).sha256();
  };
  for (const char* reestimate : {"never", "every_step"}) {
    SamplerSettings settings = lds_settings(64);
    settings.estimate = LdsEstimate::kPrior;
    set_named(settings.reestimate, "reestimate", reestimate);
    EXPECT_EQ(hash(settings, "lds"), hash(settings, "ugs"));
    settings.delta = 1.5;
    EXPECT_EQ(hash(settings, "lds"), hash(settings, "urn"));
    EXPECT_NE(hash(settings, "lds"), hash(settings, "ugs"));
  }
}

// The first step of an epoch given that epoch's weights is Wallenius'. The weights change with the observed labels, so
// each epoch has its own law; sums of independent indicators, six standard deviations: 2e-9 each.
TYPED_TEST(LdsTest, FirstStepCountsAreWalleniusGivenTheWeights) {
  constexpr int kEpochs = TypeParam::kIsDevice ? 1500 : 3000;  // fewer on a device, which may be emulated
  const std::vector<int> sizes{6, 5, 9};
  std::vector<std::int32_t> owner, label;
  for (int k = 0; k < 3; ++k) {
    for (int j = 0; j < sizes[k]; ++j) {
      owner.push_back(k);
      label.push_back(k == 0 ? 0 : k == 1 ? 1 : j % 2);
    }
  }
  const Population population = make_population(owner, label, 3, 2);
  const DevicePopulation<TypeParam> device(this->ctx(), population);
  const SamplerSettings settings = lds_settings(5, 0.8);
  const auto boosts = detail::lds_boosts(population, delays(3), settings);
  const auto sampler = make_lds_sampler(this->ctx(), population, device, delays(3), settings);
  ScheduleBuffer<TypeParam> out(this->ctx(), sampler->bounds());
  const std::vector<bool> nothing_taken(20);
  const auto mixture = reference::mixture_of(population, nothing_taken);
  std::map<std::vector<int>, double> seen, expected, variance;
  std::map<std::vector<double>, std::map<std::vector<int>, double>> laws;  // of the observed counts
  for (std::uint32_t epoch = 0; epoch < kEpochs; ++epoch) {
    sampler->build(8, epoch, out);
    const std::vector<std::int32_t> client = out.client.download(5);
    std::vector<int> counts(3);
    for (const int k : client) counts[k] += 1;
    seen[counts] += 1.0;
    const auto observed = reference::observed_labels(population, nothing_taken, 10, 8, epoch);
    auto& law = laws[observed];
    if (law.empty()) {
      std::vector<double> alpha(3), odds(3);
      for (int k = 0; k < 3; ++k) alpha[k] = mixture.start[k] * lds_precision(20, 10) * boosts[k];
      const auto pi = reference::em(mixture, observed, alpha);
      for (int k = 0; k < 3; ++k) odds[k] = pi[k] / mixture.start[k];
      law = reference::wallenius(sizes, odds, 5);
    }
    for (const auto& [cell, p] : law) {
      expected[cell] += p;
      variance[cell] += p * (1 - p);
    }
  }
  EXPECT_GT(laws.size(), 3u);
  for (const auto& [cell, mean] : expected) {
    if (variance[cell] < 25.0) continue;  // too rare for a normal law
    EXPECT_NEAR(seen[cell], mean, 6.0 * std::sqrt(variance[cell])) << ::testing::PrintToString(cell);
  }
}

// Draws are anew for every step: with renormalise and B = 1 the clients of two steps are independent, each k with
// probability a_k / sum a, a the posterior's parameters (one class: they do not depend on the labels).
TYPED_TEST(LdsTest, EveryStepDrawsItsOwnWeights) {
  constexpr int kEpochs = TypeParam::kIsDevice ? 2000 : 4000;  // fewer on a device, which may be emulated
  const Population population = reference::population_of({2, 4, 6}, 1);
  const DevicePopulation<TypeParam> device(this->ctx(), population);
  SamplerSettings settings = lds_settings(1, 0.5);
  settings.estimate = LdsEstimate::kDraw;
  settings.depletion = DepletionRule::kRenormalise;
  settings.observed = 2;  // a weak prior: weights scatter widely, and steps that shared theirs would agree too often
  const auto boosts = detail::lds_boosts(population, delays(3), settings);
  const auto mixture = reference::mixture_of(population, std::vector<bool>(12));
  std::vector<double> alpha(3), shape(3);
  for (int k = 0; k < 3; ++k) alpha[k] = mixture.start[k] * lds_precision(12, 2) * boosts[k];
  const auto pi = reference::em(mixture, {2.0}, alpha);
  double total = 0.0;
  for (int k = 0; k < 3; ++k) total += shape[k] = alpha[k] + 2.0 * pi[k];

  const auto sampler = make_lds_sampler(this->ctx(), population, device, delays(3), settings);
  ScheduleBuffer<TypeParam> out(this->ctx(), sampler->bounds());
  std::map<std::pair<int, int>, std::int64_t> seen;
  for (std::uint32_t epoch = 0; epoch < kEpochs; ++epoch) {
    sampler->build(4, epoch, out);
    const auto client = out.client.download(2);
    seen[{client[0], client[1]}] += 1;
  }
  for (int k = 0; k < 3; ++k) {
    for (int l = 0; l < 3; ++l) {
      const double p = shape[k] / total * shape[l] / total;
      EXPECT_GT(reference::binomial_p_value(seen[{k, l}], kEpochs, p), 1e-9) << k << ", " << l;
    }
  }
}

std::vector<SamplerSettings> all_settings(std::int64_t batch, double delta) {
  std::vector<SamplerSettings> all;
  for (const char* estimate : {"map", "draw", "prior"}) {
    for (const char* depletion : {"odds", "renormalise"}) {
      for (const char* reestimate : {"never", "on_depletion", "every_step"}) {
        for (const char* prior : {"mean", "mode"}) {
          SamplerSettings settings = lds_settings(batch, delta);
          set_named(settings.estimate, "estimate", estimate);
          set_named(settings.depletion, "depletion", depletion);
          set_named(settings.reestimate, "reestimate", reestimate);
          set_named(settings.prior, "prior", prior);
          settings.chunks = all.size() % 2 == 0 ? ChunkRule::kEven : ChunkRule::kLastShort;
          all.push_back(settings);
        }
      }
    }
  }
  return all;
}
std::string name_of(const SamplerSettings& s) {
  return std::string(name_of(s.estimate)) + " " + name_of(s.depletion) + " " + name_of(s.reestimate) + " " +
         name_of(s.prior) + " " + name_of(s.em);
}

// With either rule of the estimate; converged, the naive EM goes on until its weights do not change.
TYPED_TEST(LdsTest, EpochsEqualTheNaiveSimulation) {
  // Sizes that keep every alpha_k above 1, so that mode is allowed; one client is depleted early, one has no samples.
  const Population population = skewed(1200, 6, 5, false);
  const DevicePopulation<TypeParam> device(this->ctx(), population);
  for (SamplerSettings settings : all_settings(90, 0.4)) {
    settings.observed = 300;
    const auto boosts = detail::lds_boosts(population, delays(6), settings);
    for (const EmRule em : {EmRule::kConverged, EmRule::kPublished}) {
      if (settings.estimate == LdsEstimate::kPrior && em == EmRule::kPublished) continue;  // there is no estimate
      settings.em = em;
      const auto sampler = make_lds_sampler(this->ctx(), population, device, delays(6), settings);
      ScheduleBuffer<TypeParam> out(this->ctx(), sampler->bounds());
      for (const std::uint32_t epoch : {0u, 1u}) {
        sampler->build(13, epoch, out);
        const Schedule schedule = download(out), expected = reference::lds(population, boosts, settings, 13, epoch);
        ASSERT_EQ(schedule.step_first, expected.step_first) << name_of(settings);
        ASSERT_EQ(schedule.client, expected.client) << name_of(settings);
        ASSERT_EQ(schedule.sample, expected.sample) << name_of(settings);
        ASSERT_EQ(schedule.active_first, expected.active_first) << name_of(settings);
      }
    }
  }
}

TYPED_TEST(LdsTest, EverySampleOnceForEverySetting) {
  const bool holds = rc::check("every sample once", [&] {
    const Population population =
        *rc::gen::suchThat(reference::any_population(), [](const Population& p) { return p.samples() >= 4; });
    const DevicePopulation<TypeParam> device(this->ctx(), population);
    const auto batch = *rc::gen::inRange<std::int64_t>(1, population.samples() + 1);
    const double delta = *rc::gen::element(0.0, 1.0, -2.0, 50.0);
    std::int64_t which = population.samples();  // of a device, which may be emulated, a third of the settings each time
    for (const SamplerSettings& settings : all_settings(batch, delta)) {
      if (TypeParam::kIsDevice && which++ / 2 % 3 != 0) continue;
      if (settings.prior == PriorRule::kMode) continue;  // refused for most populations; see EpochsEqualTheNaiveSimulation
      const auto sampler = make_lds_sampler(this->ctx(), population, device, delays(population.clients), settings);
      ScheduleBuffer<TypeParam> out(this->ctx(), sampler->bounds());
      sampler->build(2, 1, out);
      const Schedule schedule = download(out);
      check_schedule(schedule, sampler->bounds());
      RC_ASSERT(schedule.slots() == population.samples());
      RC_ASSERT(std::set<int>(schedule.sample.begin(), schedule.sample.end()).size() ==
                static_cast<std::size_t>(population.samples()));
      for (std::int64_t i = 0; i < schedule.slots(); ++i) {
        RC_ASSERT(schedule.client[i] == population.owner[schedule.sample[i]]);
      }
    }
  });
  EXPECT_TRUE(holds);
}

// Whole epochs keep their bits for any number of threads; enough clients that kernels are shared out.
TEST(LdsThreads, AnyNumberGivesTheSameBits) {
  const Population population = skewed(20000, 6000, 10, false);
  for (const int which : {0, 1, 2}) {
    SamplerSettings settings = lds_settings(4000, 0.5);
    if (which == 1) settings.estimate = LdsEstimate::kDraw;
    if (which == 2) settings.depletion = DepletionRule::kRenormalise, settings.reestimate = Reestimate::kEveryStep;
    std::set<std::string> hashes;
    for (const int threads : {1, 2, 7}) {
      CpuContext ctx(threads);
      const DevicePopulation<CpuContext> device(ctx, population);
      const auto sampler = make_lds_sampler(ctx, population, device, delays(6000), settings);
      ScheduleBuffer<CpuContext> out(ctx, sampler->bounds());
      sampler->build(4, 1, out);
      hashes.insert(download(out).sha256());
    }
    EXPECT_EQ(hashes.size(), 1u) << name_of(settings);
  }
  CpuContext restore_default_threads;
}

TYPED_TEST(LdsTest, SchedulesKeepTheirFingerprints) {
  const Population population = skewed(60000, 128, 10, false);
  const DevicePopulation<TypeParam> device(this->ctx(), population);
  const auto hash = [&](const char* estimate, const char* depletion, const char* reestimate,
                        EmRule em = EmRule::kConverged) {
    SamplerSettings settings = lds_settings(2000, 0.7);
    settings.em = em;
    set_named(settings.estimate, "estimate", estimate);
    set_named(settings.depletion, "depletion", depletion);
    set_named(settings.reestimate, "reestimate", reestimate);
    const auto sampler = make_lds_sampler(this->ctx(), population, device, delays(128), settings);
    ScheduleBuffer<TypeParam> out(this->ctx(), sampler->bounds());
    sampler->build(1, 0, out);
    return download(out).sha256();
  };
  EXPECT_EQ(hash("map", "odds", "never"), "69c60cfa512e648394123ca831c9906da14e76d9a0ecbc9a4debe2b114986bb4");
  EXPECT_EQ(hash("map", "renormalise", "never"), "c27d964d24db97b0effb11652f62166f2fe90b59a5ab4d9209444beb9040d66a");
  EXPECT_EQ(hash("map", "odds", "every_step"), "1e072af7fe761ef0195dfb136acc5b4e6db54f2b46a89a5119c455bdfbd964d1");
  EXPECT_EQ(hash("draw", "odds", "never"), "37b30b62c57654d00b0afe494c3583c4f336e1dc5bd78de02e166ce30a18f2bf");
  EXPECT_EQ(hash("draw", "odds", "never", EmRule::kPublished),
            "11c6ba39c8cdd3a6da940588c9b8c2ac323aa935df3d6706d74105e309f35aac");
  EXPECT_EQ(hash("draw", "renormalise", "on_depletion"),
            "34a2b2d4b327b2ec6a91a82e62e927fce2aab3aad25206bd07e728a2574ff7ad");
}

TEST(LdsSettings, RefuseWhatCannotBe) {
  CpuContext ctx;
  const Population population = skewed(1200, 6, 5, false);
  const DevicePopulation<CpuContext> device(ctx, population);
  const auto refused = [&](auto change, const std::vector<std::string>& parts) {
    SamplerSettings settings = lds_settings(100);
    change(settings);
    test::expect_input_error([&] { make_sampler(ctx, population, device, delays(6), settings); }, parts);
  };
  refused([](SamplerSettings& s) { s.observed = 1; }, {"sampler.observed = 1", "2"});
  refused([](SamplerSettings& s) { s.concentration = 0.0; }, {"sampler.concentration = 0", "above 0"});
  refused([](SamplerSettings& s) { s.concentration = std::nan(""); }, {"sampler.concentration"});
  refused([](SamplerSettings& s) { s.delta = 1e9; }, {"sampler.delta", "700"});
  refused(
      [](SamplerSettings& s) {
        s.delta = 300.0;
        s.concentration = 1e300;
      },
      {"sampler.delta = 300", "sampler.concentration = 1e+300", "overflow"});
  refused(
      [](SamplerSettings& s) {
        s.prior = PriorRule::kMode;
        s.concentration = 1e-3;
      },
      {"sampler.prior", "mode", "client 0", "at least 1", "mean"});
  const Population three = reference::population_of({2, 1}, 2);
  const DevicePopulation<CpuContext> device_three(ctx, three);
  test::expect_input_error([&] { make_sampler(ctx, three, device_three, delays(2), lds_settings(2)); },
                           {"lds", "3 samples", "at least 4"});
}

}  // namespace
}  // namespace splitsim

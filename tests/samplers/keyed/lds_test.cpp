// lds: its parts against closed forms and naive loops, whole epochs of every setting against a naive simulation.
#include "samplers/keyed/lds.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <set>

#include "samplers/keyed/keyed_steps.hpp"
#include "samplers/keyed/lds_em.hpp"
#include "samplers/keyed/lds_labels.hpp"
#include "tests/contexts.hpp"
#include "tests/reference/lds.hpp"
#include "tests/reference/populations.hpp"
#include "tests/reference/statistics.hpp"
#include "tests/samplers/population/partition_helpers.hpp"

namespace splitsim {
namespace {

template <class Context>
class LdsTest : public test::OnContext<Context> {};
TYPED_TEST_SUITE(LdsTest, test::Contexts);

std::uint64_t random(std::uint32_t i, std::uint32_t stream) { return random_u64(3, {Purpose::kTest, i, stream, 0, 0}); }

/// n samples of K clients, uneven; client k's labels crowd around class k: single classes where `single`.
Population skewed(std::int32_t samples, std::int32_t clients, std::int32_t classes, bool single) {
  std::vector<std::int32_t> owner(samples), label(samples);
  for (std::uint32_t i = 0; i < owner.size(); ++i) {
    const double u = uniform53(random(i, 1));
    owner[i] = static_cast<std::int32_t>(u * std::sqrt(u) * clients);
    const bool own = single || random(i, 2) % 4 > 0;
    label[i] = static_cast<std::int32_t>(own ? owner[i] % classes : random(i, 4) % classes);
  }
  if (clients > 2) std::replace(owner.begin(), owner.end(), clients / 2, 0);  // one client without samples
  return make_population(owner, label, clients, classes);
}

SamplerSettings lds_settings(std::int64_t batch, double delta = 0.0) {
  SamplerSettings settings;
  settings.kind = "lds";
  settings.batch = batch;
  settings.delta = delta;
  return settings;
}

Profile delays(std::int32_t clients) {
  std::vector<std::int64_t> delay(static_cast<std::size_t>(clients));
  for (std::int32_t k = 0; k < clients; ++k) delay[k] = 1000 * (k % 4 == 1 ? 6 : 1) + 10 * k;
  return reference::profile_of(delay);
}

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

/// A random EM problem on the device and as vectors.
template <class Context>
struct EmProblem {
  EmProblem(Context& context, const Population& population, bool mode)
      : ctx(context),
        mixture(reference::mixture_of(population, std::vector<bool>(population.samples()))),
        samples(population.samples()),
        solver(context, population) {
    for (std::int32_t c = 0; c < population.classes; ++c) {
      observed.push_back(population.class_total[c] > 0 ? static_cast<std::int32_t>(random(c, 6) % 200) : 0);
    }
    observed[population.label[0]] = 77;
    observed[population.classes > 1 ? 1 : 0] = 0;  // a class that nobody drew
    // As in lds, empty clients have prior 0, and the prior's sum is about the number of labels; weights span four
    // orders.
    double weights = 0.0, labels = 0.0;
    for (const std::int32_t n : observed) labels += n;
    for (std::int32_t k = 0; k < population.clients; ++k) {
      const double weight = uniform53(random(k, 7)) * (mode ? 1.0 : std::pow(10.0, -double(k % 4)));
      prior.push_back(population.size(k) > 0 ? weight : 0.0);
      weights += prior.back();
    }
    for (double& a : prior) a *= labels / weights;
    counts.assign(observed.begin(), observed.end());
    device_observed = Buffer<std::int32_t, Context>(ctx, observed);
    device_prior = Buffer<double, Context>(ctx, prior);
  }
  std::vector<double> solve(double tolerance, std::int32_t iterations) {
    solver.run(device_observed.view(), device_prior.view(), samples, {tolerance, iterations});
    std::vector<double> pi(prior.size());
    ctx.download(pi.data(), solver.weights().data(), pi.size() * sizeof pi[0]);
    return pi;
  }

  Context& ctx;
  reference::Mixture mixture;
  std::int64_t samples;
  std::vector<std::int32_t> observed;
  std::vector<double> counts, prior;
  MixtureEm<Context> solver;
  Buffer<std::int32_t, Context> device_observed;
  Buffer<double, Context> device_prior;
};

TYPED_TEST(LdsTest, EmEqualsNaiveEm) {
  for (const int clients : {1, 3, 40, 1300}) {
    EmProblem<TypeParam> problem(this->ctx(), skewed(9000, clients, 6, false), false);
    const auto expected = reference::em(problem.mixture, problem.counts, problem.prior);
    const auto pi = problem.solve(1e-5, 1000);
    for (int k = 0; k < clients; ++k) EXPECT_NEAR(pi[k], expected[k], 1e-11 * expected[k] + 1e-300) << k;
    EXPECT_GT(problem.solver.iterations(), 0);
    EXPECT_LE(problem.solver.iterations(), 1000);
    problem.solve(-1.0, 13);  // never content
    EXPECT_EQ(problem.solver.iterations(), 13);

    Buffer<double, TypeParam> out(this->ctx(), clients);
    problem.solver.add_responsibilities(problem.device_prior.view(), out.view());
    const auto sums = reference::responsibilities(problem.mixture, problem.counts,
                                                  reference::em(problem.mixture, problem.counts, problem.prior, 0, 13));
    const auto computed = out.download();
    for (int k = 0; k < clients; ++k) EXPECT_NEAR(computed[k], problem.prior[k] + sums[k], 1e-10 * (1 + sums[k]));
  }
}

TYPED_TEST(LdsTest, EmNeverDecreasesTheObjective) {
  for (const bool single : {false, true}) {
    for (const bool mode : {false, true}) {
      EmProblem<TypeParam> problem(this->ctx(), skewed(5000, 60, 8, single), mode);
      double before = reference::objective(problem.mixture, problem.counts, problem.prior, problem.mixture.start);
      const double first = before;
      for (const int iterations : {1, 2, 3, 4, 5, 7, 9, 15, 30, 60}) {
        const auto pi = problem.solve(0.0, iterations);
        const double now = reference::objective(problem.mixture, problem.counts, problem.prior, pi);
        EXPECT_GE(now, before - 1e-12 * std::abs(before)) << iterations;
        before = now;
      }
      EXPECT_GT(before, first);
    }
  }
}

// Karush-Kuhn-Tucker: the gradient is the same, S + sum of the prior, for every client with samples. EM stops where a
// step changes no weight by more than 1e-13 of itself, and the ratio of a step is that of the two sides.
TYPED_TEST(LdsTest, EmEndsAtTheOptimum) {
  struct Case {
    int samples, clients, classes;
    bool single, mode;
  };
  for (const Case& c : {Case{3000, 20, 5, false, false}, Case{3000, 20, 5, true, false}, Case{3000, 20, 5, false, true},
                        Case{800, 300, 12, true, false}, Case{50000, 10000, 10, false, false}}) {
    EmProblem<TypeParam> problem(this->ctx(), skewed(c.samples, c.clients, c.classes, c.single), c.mode);
    const auto pi = problem.solve(1e-13, 20000);
    ASSERT_LT(problem.solver.iterations(), 20000);
    const auto q = reference::mix(problem.mixture, pi);
    double right = 0.0, sum = 0.0;
    for (const double n : problem.counts) right += n;
    for (const double a : problem.prior) right += a;
    for (int k = 0; k < c.clients; ++k) {
      sum += pi[k];
      if (problem.mixture.start[k] == 0.0) {
        EXPECT_EQ(pi[k], 0.0);
        continue;
      }
      ASSERT_GT(pi[k], 0.0);
      double left = problem.prior[k] / pi[k];
      for (std::size_t i = 0; i < q.size(); ++i) {
        left += problem.counts[i] > 0 ? problem.counts[i] * problem.mixture.beta[k][i] / q[i] : 0.0;
      }
      ASSERT_NEAR(left / right, 1.0, 1e-11) << "client " << k << " of " << c.clients;
    }
    EXPECT_NEAR(sum, 1.0, 1e-12);
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

// With rates that do not change, steps and one sort are the same schedule.
TYPED_TEST(LdsTest, SteppedWithConstantRatesIsOneSort) {
  const Population population = skewed(3000, 50, 4, false);
  const DevicePopulation<TypeParam> device(this->ctx(), population);
  std::vector<double> rates(50), logs(50);
  for (int k = 0; k < 50; ++k) {
    rates[k] = std::exp(6.0 * uniform53(random(k, 8)));
    logs[k] = exact_log(rates[k]);
  }
  const Buffer<double, TypeParam> device_rates(this->ctx(), rates), device_logs(this->ctx(), logs);
  for (const auto rule : {DepletionRule::kOdds, DepletionRule::kRenormalise}) {
    for (const std::int64_t batch : {1, 64, 3000}) {
      const Chunks chunks{3000, batch, true};
      ClientThresholds<TypeParam> thresholds(this->ctx(), population, device, rule);
      KeyedSchedule<TypeParam> keyed(this->ctx(), device, chunks);
      SteppedSchedule<TypeParam> stepped(this->ctx(), device, chunks);
      ScheduleBuffer<TypeParam> a(this->ctx(), keyed.bounds()), b(this->ctx(), keyed.bounds());
      thresholds.build(keyed.workspace(), 9, 4);
      stepped.start(thresholds, b);
      for (std::int64_t t = 0; t < chunks.steps(); ++t) stepped.step(t, device_logs.view(), {}, {}, b);
      stepped.finish(b);
      EXPECT_EQ(stepped.depleted(), 49);
      keyed.build(thresholds, device_rates.view(), a);
      EXPECT_EQ(download(a).sha256(), download(b).sha256()) << batch;
      if (rule == DepletionRule::kOdds) {  // the same keys in another way
        keyed.build(device_rates.view(), 9, 4, a);
        EXPECT_EQ(download(a).sha256(), download(b).sha256()) << batch;
      }
    }
  }
}

// Many samples at the same instant: thresholds below the smallest that is told apart. Nothing is lost or given twice.
TYPED_TEST(LdsTest, SteppedSurvivesTiesAndExtremeRates) {
  const Population population = skewed(2000, 30, 4, false);
  const DevicePopulation<TypeParam> device(this->ctx(), population);
  const Chunks chunks{2000, 37, true};
  PairSort<TypeParam> pairs(this->ctx(), 2000);
  for (const double scale : {0.0, 1e3, 1e6, 1e290}) {
    std::vector<double> logs(30);
    for (int k = 0; k < 30; ++k) logs[k] = -scale * uniform53(random(k, 9));
    const Buffer<double, TypeParam> device_logs(this->ctx(), logs);
    ClientThresholds<TypeParam> thresholds(this->ctx(), population, device, DepletionRule::kOdds);
    SteppedSchedule<TypeParam> stepped(this->ctx(), device, chunks);
    ScheduleBuffer<TypeParam> out(this->ctx(), keyed_bounds(chunks, 30));
    thresholds.build(pairs, 1, 0);
    stepped.start(thresholds, out);
    for (std::int64_t t = 0; t < chunks.steps(); ++t) stepped.step(t, device_logs.view(), {}, {}, out);
    stepped.finish(out);
    const Schedule schedule = download(out);
    EXPECT_NO_THROW(check_schedule(schedule, out.bounds)) << scale;
    EXPECT_EQ(std::set<int>(schedule.sample.begin(), schedule.sample.end()).size(), 2000u) << scale;
  }
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
  return std::string(name_of(s.estimate)) + " " + name_of(s.depletion) + " " + name_of(s.reestimate) + " " + name_of(s.prior);
}

TYPED_TEST(LdsTest, EpochsEqualTheNaiveSimulation) {
  // Sizes that keep every alpha_k above 1, so that mode is allowed; one client is depleted early, one has no samples.
  const Population population = skewed(1200, 6, 5, false);
  const DevicePopulation<TypeParam> device(this->ctx(), population);
  for (SamplerSettings settings : all_settings(90, 0.4)) {
    settings.observed = 300;
    const auto boosts = detail::lds_boosts(population, delays(6), settings);
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
  const auto hash = [&](const char* estimate, const char* depletion, const char* reestimate) {
    SamplerSettings settings = lds_settings(2000, 0.7);
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
  EXPECT_EQ(hash("draw", "odds", "never"), "11c6ba39c8cdd3a6da940588c9b8c2ac323aa935df3d6706d74105e309f35aac");
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

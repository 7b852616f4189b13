// The clock against closed forms: a mean over many steps with its exact value, at 5 standard errors (two-sided normal
// false-alarm rate 6e-7 each), seeds fixed.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "runtime/clock/timeline.hpp"
#include "samplers/registry.hpp"
#include "tests/contexts.hpp"
#include "tests/runtime/clock/clock_cases.hpp"

namespace splitsim {
namespace {

using test::clock_settings;
using test::EpochCase;
using test::timeline_of;
using test::zero_profile;
using Times = std::vector<std::int64_t>;
using enum DistributionKind;

constexpr std::int64_t kNsPerS = 1000000000;

template <class Context>
using ClockClosedForms = test::OnOneThread<Context>;
TYPED_TEST_SUITE(ClockClosedForms, test::Contexts);

/// Mean step time in units of `unit_ns` against its expectation.
void expect_mean(const Times& step_ns, double unit_ns, double expected) {
  const double n = static_cast<double>(step_ns.size());
  double sum = 0.0, squares = 0.0;
  for (const std::int64_t ns : step_ns) sum += static_cast<double>(ns) / unit_ns;
  for (const std::int64_t ns : step_ns) squares += std::pow(static_cast<double>(ns) / unit_ns - sum / n, 2.0);
  EXPECT_NEAR(sum / n, expected, 5.0 * std::sqrt(squares / (n - 1.0) / n));
}

Times steps_of(const Timeline& timeline) {
  Times steps;
  for (std::size_t t = 0; t < timeline.end_ns.size(); ++t) steps.push_back(timeline.end_ns[t] - timeline.start_ns[t]);
  return steps;
}

TYPED_TEST(ClockClosedForms, MaximumOfExponentialDelays) {
  // 16 iid Exp(2): H_16 / 2 = 1.690364. As jitter, and as profiles of many seeds.
  double harmonic = 0.0;
  for (int k = 1; k <= 16; ++k) harmonic += 1.0 / k;
  ASSERT_NEAR(harmonic / 2.0, 1.690364, 5e-7);
  EpochCase epoch(4000);
  for (test::StepCase& step : epoch) {
    for (std::int32_t k = 0; k < 16; ++k) step.visits.push_back({k, 1});
  }
  Profile profile = zero_profile(16);
  std::fill(profile.delay_ns.begin(), profile.delay_ns.end(), kNsPerS);
  const Timeline timeline =
      timeline_of(this->ctx(), epoch, profile, clock_settings("two", "none", {kExponential, 0.5}));
  expect_mean(steps_of(timeline), kNsPerS, harmonic / 2.0);

  LatencySettings settings = clock_settings();
  settings.delay_ms = {kExponential, 500.0};
  settings.compute_ms = {kConstant, 0.0};
  settings.server_fixed_ms = settings.server_per_sample_ms = 0.0;
  epoch.resize(1);
  Times first_steps;
  for (std::uint64_t seed = 0; seed < 1000; ++seed) {
    first_steps.push_back(
        timeline_of(this->ctx(), epoch, make_profile(16, settings, {0, 0, 0, 0}, seed), settings).end_ns[0]);
  }
  expect_mean(first_steps, kNsPerS, harmonic / 2.0);
}

TYPED_TEST(ClockClosedForms, MaximumOfTwoErlangDelays) {
  // Two iid Erlang(n, mu): (n / mu) (1 + C(2n, n) / 4^n) = 1.96875 for n = 3, mu = 2: as per-participation jitter, and
  // as the sum of three exponential samples.
  EpochCase epoch(8000, {{{0, 3}, {1, 3}}});
  Profile profile = zero_profile(2);
  profile.delay_ns = {kNsPerS, kNsPerS};
  const Distribution per_participation{kGamma, 1.5 / 1.0, 1.0 / std::sqrt(3.0)};
  EpochCase single(8000, {{{0, 1}, {1, 1}}});
  expect_mean(steps_of(timeline_of(this->ctx(), single, profile, clock_settings("two", "none", per_participation))),
              kNsPerS, 1.96875);
  profile = zero_profile(2);
  profile.forward_ns = {kNsPerS / 2, kNsPerS / 2};  // exponential per sample, rate 2
  expect_mean(steps_of(timeline_of(this->ctx(), epoch, profile, clock_settings("two", "none", {kGamma, 1.0, 1.0}))),
              kNsPerS, 1.96875);
}

double choose(std::int64_t n, std::int64_t k) {
  double c = 1.0;
  for (std::int64_t i = 1; i <= k; ++i) c *= static_cast<double>(n - k + i) / static_cast<double>(i);
  return n < k ? 0.0 : c;
}

/// E max over the active clients of one ugs batch, per-participation delays.
double expected_delay(const std::vector<int>& n, const std::vector<int>& d, int batch) {
  const std::int64_t all = std::accumulate(n.begin(), n.end(), 0);
  std::vector<int> values = d;
  std::sort(values.begin(), values.end());
  double expectation = 0.0;
  for (std::size_t j = 0; j < values.size(); ++j) {
    std::int64_t faster = 0;
    for (std::size_t k = 0; k < n.size(); ++k) faster += d[k] < values[j] ? n[k] : 0;
    expectation += (values[j] - (j == 0 ? 0 : values[j - 1])) * (1.0 - choose(faster, batch) / choose(all, batch));
  }
  return expectation;
}

/// E max of tau_k b_k over one ugs batch: P(max <= t) = [z^B] prod_k sum_{x <= t / tau_k} C(n_k, x) z^x / C(N, B).
/// tau in units of 0.01, so that the atoms are integers.
double expected_compute(const std::vector<int>& n, const std::vector<int>& tau, int batch) {
  const auto below = [&](int t) {
    std::vector<double> coefficient(static_cast<std::size_t>(batch) + 1, 0.0);
    coefficient[0] = 1.0;
    for (std::size_t k = 0; k < n.size(); ++k) {
      std::vector<double> next(coefficient.size(), 0.0);
      for (int have = 0; have <= batch; ++have) {
        for (int x = 0; x <= std::min({n[k], t / tau[k], batch - have}); ++x) {
          next[static_cast<std::size_t>(have + x)] += coefficient[static_cast<std::size_t>(have)] * choose(n[k], x);
        }
      }
      coefficient = next;
    }
    return coefficient.back() / choose(std::accumulate(n.begin(), n.end(), 0), batch);
  };
  double expectation = 0.0;
  for (int t = 0; t < batch * *std::max_element(tau.begin(), tau.end()); ++t) expectation += (1.0 - below(t)) * 0.01;
  return expectation;
}

template <class Context>
struct UgsRun {
  Times first_steps;  // of each epoch: independent of each other
  Times epochs;       // whole epochs
};

template <class Context>
UgsRun<Context> run_ugs(Context& ctx, const std::vector<int>& n, int batch, const Profile& profile) {
  constexpr int epochs = Context::kIsDevice ? 1000 : 3000;  // fewer on a device, which may be emulated
  std::vector<std::int32_t> owner;
  for (std::size_t k = 0; k < n.size(); ++k)
    owner.insert(owner.end(), static_cast<std::size_t>(n[k]), static_cast<std::int32_t>(k));
  const std::vector<std::int32_t> label(owner.size(), 0);
  const Population population = make_population(owner, label, static_cast<std::int32_t>(n.size()), 1);
  const DevicePopulation<Context> device_population(ctx, population);
  SamplerSettings settings;
  settings.kind = "ugs";
  settings.batch = batch;
  const auto sampler = make_sampler(ctx, population, device_population, profile, settings);
  ScheduleBuffer<Context> buffer(ctx, sampler->bounds());
  Clock<Context> clock(ctx, profile, clock_settings(), sampler->bounds());
  UgsRun<Context> run;
  for (int e = 0; e < epochs; ++e) {
    sampler->build(7, static_cast<std::uint32_t>(e), buffer);
    const Timeline timeline = clock.build(buffer, 7, static_cast<std::uint32_t>(e));
    run.first_steps.push_back(timeline.end_ns[0] - timeline.start_ns[0]);
    run.epochs.push_back(timeline.end_ns.back() - timeline.start_ns[0]);
  }
  return run;
}

TYPED_TEST(ClockClosedForms, UgsWithPerParticipationDelays) {
  ASSERT_NEAR(expected_delay({30, 50, 20, 60}, {1, 4, 2, 10}, 16), 9.9980110164232, 1e-12);
  // The second case has rare stragglers, so that the mean has something to show.
  const std::vector<std::pair<std::vector<int>, std::vector<int>>> cases = {{{30, 50, 20, 60}, {1, 4, 2, 10}},
                                                                            {{100, 50, 6, 4}, {1, 4, 20, 10}}};
  for (const auto& [n, d] : cases) {
    Profile profile = zero_profile(4);
    for (std::size_t k = 0; k < 4; ++k) profile.delay_ns[k] = d[k] * kNsPerS;
    const auto run = run_ugs(this->ctx(), n, 16, profile);
    const double expected = expected_delay(n, d, 16);
    expect_mean(run.first_steps, kNsPerS, expected);
    expect_mean(run.epochs, kNsPerS, 10.0 * expected);
  }
}

TYPED_TEST(ClockClosedForms, UgsWithPerSampleTimes) {
  const std::vector<int> n = {30, 50, 20, 60}, tau = {50, 100, 25, 80};
  const double expected = expected_compute(n, tau, 16);
  ASSERT_NEAR(expected, 6.0361161003661, 1e-12);
  Profile profile = zero_profile(4);
  for (std::size_t k = 0; k < 4; ++k) profile.forward_ns[k] = tau[k] * (kNsPerS / 100);
  const auto run = run_ugs(this->ctx(), n, 16, profile);
  expect_mean(run.first_steps, kNsPerS, expected);
  expect_mean(run.epochs, kNsPerS, 10.0 * expected);
}

}  // namespace
}  // namespace splitsim

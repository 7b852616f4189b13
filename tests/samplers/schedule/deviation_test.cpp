// The batch deviation against a naive loop, and its closed forms under ugs; the batch drift against a naive loop.
#include "samplers/schedule/deviation.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>

#include "samplers/keyed/keyed.hpp"
#include "samplers/registry.hpp"
#include "tests/contexts.hpp"
#include "tests/reference/populations.hpp"
#include "tests/reference/sampling.hpp"
#include "tests/reference/statistics.hpp"

namespace splitsim {
namespace {

/// Classes of very different sizes.
Population uneven_population(int samples, int clients, int classes) {
  std::vector<std::int32_t> owner, label;
  for (std::uint32_t i = 0; i < static_cast<std::uint32_t>(samples); ++i) {
    const double u = uniform53(random_u64(2, {Purpose::kTest, i}));
    owner.push_back(static_cast<std::int32_t>(random_u64(1, {Purpose::kTest, i}) % clients));
    label.push_back(static_cast<std::int32_t>(u * u * classes));
  }
  return make_population(owner, label, clients, classes);
}

template <class Context>
class DeviationTest : public test::OnContext<Context> {};
TYPED_TEST_SUITE(DeviationTest, test::Contexts);

TYPED_TEST(DeviationTest, EqualsNaiveLoop) {
  for (const int classes : {1, 10, 300}) {
    const Population population = uneven_population(5000, 20, classes);
    const DevicePopulation<TypeParam> device(this->ctx(), population);
    KeyedSchedule<TypeParam> sampler(this->ctx(), device, {5000, 3, false});  // 1667 steps, more than teams
    ScheduleBuffer<TypeParam> out(this->ctx(), sampler.bounds());
    sampler.build({}, 1, 0, out);
    Buffer<double, TypeParam> deviation(this->ctx(), out.steps), drift(this->ctx(), out.steps);
    batch_distances(this->ctx(), device, out, deviation.view(), drift.view());
    const std::vector<double> computed = deviation.download();
    const Schedule schedule = download(out);
    for (std::int64_t t = 0; t < out.steps; ++t) {
      // Ours rounds a few times, the loop a few times per class; every term is below 2.
      ASSERT_NEAR(computed[t], reference::deviation(population, schedule, t), 4e-16 * (classes + 4)) << t;
    }
  }
}

template <class Context>
void expect_naive_drift(Context& ctx, const Population& population, const ScheduleBuffer<Context>& out) {
  const DevicePopulation<Context> device(ctx, population);
  const std::vector<double> unset(static_cast<std::size_t>(out.bounds.steps), -1.0);
  Buffer<double, Context> deviation(ctx, unset), drift(ctx, unset);
  batch_distances(ctx, device, out, deviation.view(), drift.view());
  const std::vector<double> computed = drift.download(out.steps), to_all = deviation.download(out.steps);
  const Schedule schedule = download(out);
  for (std::int64_t t = 0; t < out.steps; ++t) {
    // Ours rounds a few times, the loop a few times per class; every term is at most 1.
    ASSERT_NEAR(computed[t], reference::drift(population, schedule, t), 4e-16 * (population.classes + 4)) << t;
    const bool empty = schedule.step_first[t] == schedule.step_first[t + 1];
    const double wanted = empty ? 0.0 : reference::deviation(population, schedule, t);
    ASSERT_NEAR(to_all[t], wanted, 4e-16 * (population.classes + 4)) << t;
  }
}

TYPED_TEST(DeviationTest, DriftEqualsNaiveLoop) {
  for (const int classes : {1, 10, 300}) {
    const Population population = uneven_population(3000, 20, classes);
    const DevicePopulation<TypeParam> device(this->ctx(), population);
    std::vector<std::int64_t> delay(20);
    for (int k = 0; k < 20; ++k) delay[k] = 1000000 * (k % 5);
    const Profile profile = reference::profile_of(delay);
    for (const char* kind : {"ugs", "fls", "speed", "relay"}) {
      for (const std::int64_t batch : {1, 2, 50}) {  // steps of one sample; more steps than teams
        if (batch < 20 && std::string(kind) != "ugs") continue;
        SCOPED_TRACE(std::string(kind) + ", " + std::to_string(classes) + " classes, batch " + std::to_string(batch));
        SamplerSettings settings;
        settings.kind = kind;
        settings.batch = batch;
        const auto sampler = make_sampler(this->ctx(), population, device, profile, settings);
        ScheduleBuffer<TypeParam> out(this->ctx(), sampler->bounds());
        sampler->build(1, 0, out);
        expect_naive_drift(this->ctx(), population, out);
      }
    }
  }
}

// Empty steps, in runs and at both ends, among steps of one sample and of many.
TYPED_TEST(DeviationTest, DriftIsToTheLastStepThatHasSamples) {
  const Population population = uneven_population(4000, 3, 7);
  Schedule schedule;
  schedule.step_first = {0, 0};
  for (std::uint32_t t = 0; schedule.step_first.back() < 4000; ++t) {
    const std::int32_t sizes[] = {0, 0, 0, 1, 1, 2, 9, 40};
    const std::int32_t size = sizes[random_u64(3, {Purpose::kTest, t}) % 8];
    schedule.step_first.push_back(std::min(4000, schedule.step_first.back() + size));
  }
  schedule.step_first.insert(schedule.step_first.end(), 3, 4000);
  for (std::int32_t i = 0; i < 4000; ++i) schedule.sample.push_back(i * 7 % 4000);
  schedule.client.assign(4000, 0);
  schedule.active_first.assign(schedule.step_first.size(), 0);
  ScheduleBuffer<TypeParam> out(this->ctx(), {4000, schedule.steps(), 40, 3});
  upload_complete(schedule, out);
  expect_naive_drift(this->ctx(), population, out);
  schedule.step_first = {0, 0, 0};  // nobody at all
  schedule.active_first.assign(3, 0);
  schedule.sample.clear();
  schedule.client.clear();
  upload_complete(schedule, out);
  expect_naive_drift(this->ctx(), population, out);
}

TYPED_TEST(DeviationTest, DriftByHand) {
  const Population population = make_population({0, 0, 0, 0, 0, 0}, {0, 0, 0, 1, 1, 2}, 1, 3);
  Schedule schedule;
  schedule.sample = {0, 3, 1, 2, 4, 5};
  schedule.client.assign(6, 0);
  schedule.step_first = {0, 2, 2, 3, 5, 6};  // classes 0 1, none, 0, 0 1, 2
  schedule.active_first.assign(6, 0);
  ScheduleBuffer<TypeParam> out(this->ctx(), {6, 5, 2, 1});
  upload_complete(schedule, out);
  const DevicePopulation<TypeParam> device(this->ctx(), population);
  Buffer<double, TypeParam> deviation(this->ctx(), out.steps), drift(this->ctx(), out.steps);
  batch_distances(this->ctx(), device, out, deviation.view(), drift.view());
  EXPECT_EQ(drift.download(), (std::vector<double>{0.0, 0.0, 1.0, 1.0, 2.0}));
}

TYPED_TEST(DeviationTest, EqualsClosedFormsUnderUgs) {
  constexpr int kClasses = 10, kSamples = 5000, kBatch = 128;
  constexpr int kEpochs = TypeParam::kIsDevice ? 100 : 400;  // fewer on a device, which may be emulated
  constexpr double kMeanL1 = 0.20896829808420, kMeanSquaredL2 = 0.0068526205;

  // The closed forms themselves, from the hypergeometric law of one class.
  double l1 = 0.0, squared = 0.0;
  for (int x = 0; x <= kBatch; ++x) {
    const double p = reference::hypergeometric(x, kSamples, kSamples / kClasses, kBatch);
    l1 += kClasses * p * std::abs(x / double(kBatch) - 0.1);
    squared += kClasses * p * std::pow(x / double(kBatch) - 0.1, 2);
  }
  EXPECT_NEAR(l1, kMeanL1, 1e-12);
  EXPECT_NEAR(squared, kMeanSquaredL2, 1e-10);

  // Full steps of many epochs. Epochs are independent, so the spread of their means gives the standard error; six of
  // them leave a false-alarm rate of 2e-9 per comparison.
  const Population population = reference::population_of(std::vector<int>(50, 100), kClasses);
  const DevicePopulation<TypeParam> device(this->ctx(), population);
  KeyedSchedule<TypeParam> sampler(this->ctx(), device, {kSamples, kBatch, false});
  ScheduleBuffer<TypeParam> out(this->ctx(), sampler.bounds());
  Buffer<double, TypeParam> deviation(this->ctx(), sampler.bounds().steps), drift(this->ctx(), sampler.bounds().steps);
  std::vector<double> l1_means, squared_means;
  std::int64_t beyond = 0, full_steps = 0;
  // Serfling: P(max_c |p_hat_c - p_c| >= eps) <= 2 C exp(-2 B eps^2 / (1 - (B-1)/N)); eps such that this is 1 %.
  const double eps = std::sqrt(std::log(2 * kClasses / 0.01) * (1.0 - (kBatch - 1.0) / kSamples) / (2.0 * kBatch));
  for (std::uint32_t epoch = 0; epoch < kEpochs; ++epoch) {
    sampler.build({}, 99, epoch, out);
    batch_distances(this->ctx(), device, out, deviation.view(), drift.view());
    const std::vector<double> computed = deviation.download();
    const Schedule schedule = download(out);
    double l1_sum = 0.0, squared_sum = 0.0;
    for (std::int64_t t = 0; t + 1 < out.steps; ++t) {
      l1_sum += computed[t];
      squared_sum += reference::deviation(population, schedule, t, true);
      std::vector<int> count(kClasses);
      for (int i = schedule.step_first[t]; i < schedule.step_first[t + 1]; ++i) {
        count[population.label[schedule.sample[i]]] += 1;
      }
      bool far = false;
      for (const int n : count) far = far || std::abs(n / double(kBatch) - 0.1) >= eps;
      beyond += far ? 1 : 0;
      full_steps += 1;
    }
    l1_means.push_back(l1_sum / (out.steps - 1.0));
    squared_means.push_back(squared_sum / (out.steps - 1.0));
  }
  const auto expect_mean = [](const std::vector<double>& x, double expected) {
    double mean = 0.0, variance = 0.0;
    for (const double value : x) mean += value / x.size();
    for (const double value : x) variance += (value - mean) * (value - mean) / (x.size() - 1.0);
    EXPECT_NEAR(mean, expected, 6.0 * std::sqrt(variance / x.size()));
  };
  expect_mean(l1_means, kMeanL1);
  expect_mean(squared_means, kMeanSquaredL2);
  // A bound on the mean, met with room: the exact probability is some five times smaller.
  EXPECT_LE(beyond, full_steps / 100);
}

}  // namespace
}  // namespace splitsim

// Records of an epoch from what its steps have left behind.
#include "runtime/run/epoch_records.hpp"

#include <gtest/gtest.h>

namespace splitsim {
namespace {

EpochPlan plan_of(std::size_t steps) {
  EpochPlan plan;
  plan.losses = Losses(16);
  for (std::size_t t = 0; t < steps; ++t) {
    plan.deviation.push_back(0.5);
    plan.drift.push_back(0.25);
    plan.timeline.start_ns.push_back(static_cast<std::int64_t>(10 * t));
    plan.timeline.end_ns.push_back(static_cast<std::int64_t>(10 * t + 10));
    plan.timeline.critical_forward.push_back(0);
    plan.timeline.critical_backward.push_back(0);
  }
  return plan;
}

StepMetrics ran(double loss, std::int32_t correct, std::int32_t batch) {
  return {.loss = loss, .correct = correct, .batch = batch, .active = batch > 0 ? 1 : 0, .finite = 1, .done = 1};
}

// Empty steps at the start, in the middle and at the end are steps like others; what has not run ends the records.
TEST(EpochRecords, EmptyStepsAreStepsAndStepsThatHaveNotRunAreNone) {
  DealtSchedule epoch;
  epoch.schedule.step_first = {0, 0, 4, 4, 6, 6, 6};
  std::vector<StepMetrics> metrics = {ran(0, 0, 0), ran(1.5, 3, 4), ran(0, 0, 0), ran(0.5, 2, 2), ran(0, 0, 0), {}};
  EpochPlan plan = plan_of(6);
  plan.deviation = {0.0, 0.5, 0.0, 0.25, 0.0, 0.0};
  plan.drift = {0.0, 0.0, 0.0, 0.75, 0.0, 0.0};
  const std::vector<StepRecord> steps = step_records(3, epoch, {metrics.data(), 6}, plan);
  ASSERT_EQ(steps.size(), 5u);
  for (std::size_t t = 0; t < steps.size(); ++t) {
    EXPECT_EQ(steps[t].step, static_cast<std::int32_t>(t));
    EXPECT_EQ(steps[t].samples, metrics[t].batch);
    EXPECT_EQ(steps[t].train_loss, metrics[t].loss);
    EXPECT_EQ(steps[t].batch_deviation, plan.deviation[t]);
    EXPECT_EQ(steps[t].batch_drift, plan.drift[t]);
  }
  EpochRecord record;
  summarise_steps(steps, 2.0, record);
  EXPECT_EQ(record.steps, 5);
  EXPECT_EQ(record.samples, 6);
  EXPECT_DOUBLE_EQ(record.train_loss, (1.5 * 4 + 0.5 * 2) / 6.0);
  EXPECT_DOUBLE_EQ(record.train_accuracy, 5.0 / 6.0);
  EXPECT_DOUBLE_EQ(record.batch_deviation_mean, 0.375) << "over the steps that have a batch";
  EXPECT_DOUBLE_EQ(record.batch_drift_mean, 0.75) << "over those that have one before them, too";
  EXPECT_DOUBLE_EQ(record.virtual_time_s, 50e-9) << "a step without samples takes its time";
}

TEST(EpochRecords, NothingDriftsWithOneBatchOrNone) {
  DealtSchedule epoch;
  epoch.schedule.step_first = {0, 0, 4};
  EpochPlan plan = plan_of(2);
  plan.drift = {0.0, 0.0};
  for (const std::int32_t batch : {0, 4}) {
    std::vector<StepMetrics> metrics = {ran(0, 0, 0), ran(1.5, 0, batch)};
    EpochRecord record;
    summarise_steps(step_records(0, epoch, {metrics.data(), 2}, plan), 2.0, record);
    EXPECT_EQ(record.batch_drift_mean, 0.0);
  }
}

TEST(EpochRecords, TurnsAddUpToTheirStep) {
  DealtSchedule turns;
  turns.schedule.step_first = {0, 2, 5, 5, 6};
  turns.parent = {0, 0, 1, 2};
  std::vector<StepMetrics> metrics = {ran(1.0, 1, 2), ran(2.0, 2, 3), ran(0, 0, 0), ran(4.0, 1, 1)};
  const std::vector<StepRecord> steps = step_records(0, turns, {metrics.data(), 4}, plan_of(3));
  ASSERT_EQ(steps.size(), 3u);
  EXPECT_DOUBLE_EQ(steps[0].train_loss, (1.0 * 2 + 2.0 * 3) / 5.0);
  EXPECT_EQ(steps[0].active_clients, 2);
  EXPECT_EQ(steps[1].samples, 0);
  EXPECT_EQ(steps[1].train_loss, 0.0);
  EXPECT_EQ(steps[2].samples, 1);
}

}  // namespace
}  // namespace splitsim

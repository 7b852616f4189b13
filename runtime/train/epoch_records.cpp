#include "runtime/train/epoch_records.hpp"

namespace splitsim {

std::vector<StepRecord> step_records(std::int32_t epoch, const DealtSchedule& dealt, View<const StepMetrics> metrics,
                                     const EpochPlan& plan) {
  std::vector<StepRecord> steps;
  StepRecord step;
  double loss = 0.0;
  for (std::int64_t m = 0; m < dealt.schedule.steps() && metrics[m].batch > 0; ++m) {
    const StepMetrics& micro = metrics[m];
    loss += micro.loss * micro.batch;
    step.batch += micro.batch;
    step.active += micro.active;
    step.train_correct += micro.correct;
    if (!dealt.ends_step(static_cast<std::size_t>(m))) continue;
    step.epoch = epoch;
    step.step = dealt.parent_of(static_cast<std::size_t>(m));
    step.loss = dealt.parent.empty() ? micro.loss : loss / step.batch;  // a step of its own keeps its bits
    const auto i = static_cast<std::size_t>(step.step);
    step.deviation = plan.deviation[i];
    step.start_ns = plan.timeline.start_ns[i];
    step.end_ns = plan.timeline.end_ns[i];
    step.critical_forward = plan.timeline.critical_forward[i];
    step.critical_backward = plan.timeline.critical_backward[i];
    steps.push_back(step);
    step = {};
    loss = 0.0;
  }
  return steps;
}

void summarise_steps(const std::vector<StepRecord>& steps, double train_seconds, EpochRecord& record) {
  double loss = 0.0;
  std::int64_t correct = 0, samples = 0;
  for (const StepRecord& step : steps) {
    loss += step.loss * step.batch;
    correct += step.train_correct;
    samples += step.batch;
    record.batch_deviation_mean += step.deviation;
  }
  record.steps = static_cast<std::int64_t>(steps.size());
  record.samples = samples;
  record.train_wall_s = train_seconds;
  if (samples == 0) return;
  record.train_loss = loss / static_cast<double>(samples);
  record.train_accuracy = static_cast<double>(correct) / static_cast<double>(samples);
  record.batch_deviation_mean /= static_cast<double>(steps.size());
  record.virtual_time_s = static_cast<double>(steps.back().end_ns) * 1e-9;
  record.train_samples_per_s = train_seconds > 0.0 ? static_cast<double>(samples) / train_seconds : 0.0;
}

}  // namespace splitsim

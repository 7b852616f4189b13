#include "runtime/run/epoch_records.hpp"

namespace splitsim {

std::vector<StepRecord> step_records(std::int32_t epoch, const DealtSchedule& dealt, View<const StepMetrics> metrics,
                                     const EpochPlan& plan) {
  std::vector<StepRecord> steps;
  std::vector<std::int32_t> late(plan.losses.missed.size());  // clients by step
  for (const Loss& entry : plan.losses.late) late[static_cast<std::size_t>(entry.step)] += 1;
  StepRecord step;
  for (std::int64_t m = 0; m < dealt.schedule.steps() && metrics[m].ran(); ++m) {
    metrics[m].add_to(step);
    if (!dealt.ends_step(static_cast<std::size_t>(m))) continue;
    step.epoch = epoch;
    step.step = dealt.parent_of(static_cast<std::size_t>(m));
    if (dealt.parent.empty()) {
      step.train_loss = metrics[m].loss;  // a step of its own keeps its bits
    } else {
      StepMetrics::mean_of_step(step);
    }
    const auto i = static_cast<std::size_t>(step.step);
    step.batch_deviation = plan.deviation[i];
    step.batch_drift = plan.drift[i];
    step.start_ns = plan.timeline.start_ns[i];
    step.end_ns = plan.timeline.end_ns[i];
    step.critical_forward = plan.timeline.critical_forward[i];
    step.critical_backward = plan.timeline.critical_backward[i];
    step.missed_samples = plan.losses.missed[i];
    step.deferred_samples = plan.losses.deferred[i];
    step.absent_clients = plan.losses.absent[i];
    step.late_clients = late[i];
    steps.push_back(step);
    step = {};
  }
  return steps;
}

std::vector<WaitingRecord> waiting_records(std::int32_t epoch, const Schedule& schedule,
                                           const std::vector<EntryWaiting>& entries) {
  std::vector<WaitingRecord> waits;
  waits.reserve(entries.size());
  for (std::int32_t t = 0; t < schedule.steps(); ++t) {
    const auto step = static_cast<std::size_t>(t);
    for (std::int32_t e = schedule.active_first[step]; e < schedule.active_first[step + 1]; ++e) {
      const EntryWaiting& entry = entries[static_cast<std::size_t>(e)];
      waits.push_back(
          {epoch, t, schedule.active_client[static_cast<std::size_t>(e)], entry.waiting_ns, entry.total_ns});
    }
  }
  return waits;
}

void add_waiting(const std::vector<WaitingRecord>& waits, Participation& total) {
  for (const WaitingRecord& wait : waits) {
    const auto k = static_cast<std::size_t>(wait.client);
    total.waiting_ns[k] += wait.waiting_ns;
    total.active_ns[k] += wait.active_ns;
  }
}

void summarise_steps(const std::vector<StepRecord>& steps, double train_seconds, EpochRecord& record) {
  double loss = 0.0;
  std::int64_t correct = 0, samples = 0, with_samples = 0;
  for (const StepRecord& step : steps) {
    with_samples += step.samples > 0 ? 1 : 0;
    loss += step.train_loss * step.samples;
    correct += step.train_correct;
    samples += step.samples;
    record.batch_deviation_mean += step.batch_deviation;
    record.batch_drift_mean += step.batch_drift;
    record.missed_samples += step.missed_samples;
    record.deferred_samples += step.deferred_samples;
    record.absent_clients += step.absent_clients;
    record.late_clients += step.late_clients;
  }
  record.steps = static_cast<std::int64_t>(steps.size());
  record.samples = samples;
  record.train_wall_s = train_seconds;
  if (!steps.empty()) record.virtual_time_s = static_cast<double>(steps.back().end_ns) * 1e-9;
  if (samples == 0) return;
  record.train_loss = loss / static_cast<double>(samples);
  record.train_accuracy = static_cast<double>(correct) / static_cast<double>(samples);
  record.batch_deviation_mean /= static_cast<double>(with_samples);
  if (with_samples > 1) record.batch_drift_mean /= static_cast<double>(with_samples - 1);
  record.train_samples_per_s = train_seconds > 0.0 ? static_cast<double>(samples) / train_seconds : 0.0;
}

}  // namespace splitsim

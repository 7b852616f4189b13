// From what an epoch's steps left behind to its records: pure functions. Determinism: exact.
#pragma once

#include <cstdint>
#include <vector>

#include "kernels/device/view.hpp"
#include "runtime/mode/ledger.hpp"
#include "runtime/plan/epoch_plan.hpp"
#include "runtime/record/records.hpp"
#include "runtime/train/step_kernels.hpp"
#include "samplers/schedule/turns.hpp"

namespace splitsim {

/// Of the steps that ran to their end; micro-steps join their step. Traffic and learning rates are left at 0.
/// metrics: at least as many as the dealt schedule has steps; one without a batch has not run.
std::vector<StepRecord> step_records(std::int32_t epoch, const DealtSchedule& dealt, View<const StepMetrics> metrics,
                                     const EpochPlan& plan);

/// One record per active entry of an epoch, in the schedule's order.
std::vector<WaitingRecord> waiting_records(std::int32_t epoch, const Schedule& schedule,
                                           const std::vector<EntryWaiting>& entries);
/// Adds them to their clients' sums.
void add_waiting(const std::vector<WaitingRecord>& waits, Participation& total);

/// Fills in the record's sums and means over these steps.
void summarise_steps(const std::vector<StepRecord>& steps, double train_seconds, EpochRecord& record);

}  // namespace splitsim

// How far each batch's classes are from those of all samples, and from those of the batch before. Determinism: exact.
#pragma once

#include "samplers/population/population.hpp"
#include "samplers/schedule/schedule.hpp"

namespace splitsim {

/// Batch deviation of every step, sum_c |p_hat_c - p_c| (L1, 0..2, paper), in double. deviation: [T].
template <class Context>
void batch_deviation(Context& ctx, const DevicePopulation<Context>& population, const ScheduleBuffer<Context>& schedule,
                     View<double> deviation);

/// Batch drift of every step t, sum_c |p_hat_tc - p_hat_sc| (L1, 0..2, ours), s the last step before it in the epoch
/// that has samples; 0 without such a step, and of a step without samples. drift: [T].
template <class Context>
void batch_drift(Context& ctx, const DevicePopulation<Context>& population, const ScheduleBuffer<Context>& schedule,
                 View<double> drift);

}  // namespace splitsim

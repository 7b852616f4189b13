// How far each batch's classes are from those of all samples. Determinism: exact.
#pragma once

#include "samplers/population/population.hpp"
#include "samplers/schedule/schedule.hpp"

namespace splitsim {

/// Batch deviation of every step, sum_c |p_hat_c - p_c| (L1, 0..2, paper), in double. deviation: [T].
template <class Context>
void batch_deviation(Context& ctx, const DevicePopulation<Context>& population, const ScheduleBuffer<Context>& schedule,
                     View<double> deviation);

}  // namespace splitsim

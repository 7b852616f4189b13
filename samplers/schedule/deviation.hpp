// How far each batch's classes are from those of all samples, and from those of the batch before. Determinism: exact.
#pragma once

#include "samplers/population/population.hpp"
#include "samplers/schedule/schedule.hpp"

namespace splitsim {

/// Of every step t, in double, L1 (0..2); both [T].
/// Batch deviation (paper): sum_c |p_hat_tc - p_c|, to the shares of all samples; 0 of a step without samples.
/// Batch drift (ours): sum_c |p_hat_tc - p_hat_sc|, s the last step before it in the epoch that has samples; 0 without such
/// a step, and of a step without samples.
template <class Context>
void batch_distances(Context& ctx, const DevicePopulation<Context>& population, const ScheduleBuffer<Context>& schedule,
                     View<double> deviation, View<double> drift);

}  // namespace splitsim

#include "samplers/local/client_times.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.hpp"

namespace splitsim {

ClientTimes client_times(const Population& population, const Profile& profile, std::int64_t batch) {
  ClientTimes times;
  times.delay_ns = profile.delay_ns;
  times.per_sample_ns.resize(times.delay_ns.size());
  for (std::int32_t k = 0; k < population.clients; ++k) {
    const std::int64_t tau = profile.forward_ns[k] + profile.up_ns[k] + profile.down_ns[k] + profile.backward_ns[k];
    times.per_sample_ns[k] = std::max<std::int64_t>(1, tau);
    const std::int64_t most = std::min(population.size(k), batch);
    if (most > 0 && times.per_sample_ns[k] > (kMaxStepNs - times.delay_ns[k]) / most) {
      throw InputError(
          fmt::format("clock: client {} would need more than 2^61 ns for {} samples at {} ns each; lower its times or "
                      "sampler.batch",
                      k, most, times.per_sample_ns[k]));
    }
  }
  return times;
}

}  // namespace splitsim

// Populations and settings of the tests of lds.
#pragma once

#include <cmath>
#include <cstdint>
#include <vector>

#include "kernels/device/math.hpp"
#include "samplers/population/population.hpp"
#include "samplers/schedule/sampler.hpp"
#include "tests/reference/populations.hpp"

namespace splitsim::test::lds {

inline std::uint64_t random(std::uint32_t i, std::uint32_t stream) {
  return random_u64(3, {Purpose::kTest, i, stream, 0, 0});
}

/// n samples of K clients, uneven; client k's labels crowd around class k: single classes where `single`.
inline Population skewed(std::int32_t samples, std::int32_t clients, std::int32_t classes, bool single) {
  std::vector<std::int32_t> owner(samples), label(samples);
  for (std::uint32_t i = 0; i < owner.size(); ++i) {
    const double u = uniform53(random(i, 1));
    owner[i] = static_cast<std::int32_t>(u * std::sqrt(u) * clients);
    const bool own = single || random(i, 2) % 4 > 0;
    label[i] = static_cast<std::int32_t>(own ? owner[i] % classes : random(i, 4) % classes);
  }
  if (clients > 2) std::replace(owner.begin(), owner.end(), clients / 2, 0);  // one client without samples
  return make_population(owner, label, clients, classes);
}

inline SamplerSettings lds_settings(std::int64_t batch, double delta = 0.0) {
  SamplerSettings settings;
  settings.kind = "lds";
  settings.batch = batch;
  settings.delta = delta;
  return settings;
}

inline Profile delays(std::int32_t clients) {
  std::vector<std::int64_t> delay(static_cast<std::size_t>(clients));
  for (std::int32_t k = 0; k < clients; ++k) delay[k] = 1000 * (k % 4 == 1 ? 6 : 1) + 10 * k;
  return reference::profile_of(delay);
}

}  // namespace splitsim::test::lds
